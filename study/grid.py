"""Grids of a sweep: axes, their values, and the names of their cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from study.linear_settings import LinearSettings
from study.sweep import Settings, Sweep, SweepError
from study.sweep_file import one_line

# Settings that hold several values and so are no axes.
LISTS = ("estimators", "predictors", "structure_estimators", "keep_seeds", "singular_values", "marks")


def grid_name(values: dict[str, Any]) -> str:
    """The name of a grid cell, for example `init_scale=10,curriculum=short`."""
    return ",".join(f"{axis}={value:g}" if isinstance(value, float) else f"{axis}={value}" for axis, value in values.items())


def axes_of(sweep: Sweep) -> dict[str, list[Any]]:
    """Grid axes with their values read as the field they set, so that 1e-3 and 0.001 are one cell."""
    linear = sweep.network == "linear"
    model: type[BaseModel] = LinearSettings if linear else Settings
    axes = {}
    for axis, values in sweep.grid.items():
        if axis not in model.model_fields or axis in LISTS:
            allowed = ", ".join(name for name in model.model_fields if name not in LISTS)
            raise SweepError(f"grid.{axis}: unknown axis; allowed: {allowed}")
        if not values:
            raise SweepError(f"grid.{axis} = []: needs at least one value")
        base = ({} if linear else {"curriculum": "-"}) | sweep.settings
        axes[axis] = [getattr(validated(base | {axis: value}, "grid", model), axis) for value in values]
    return axes


def validated(values: dict[str, Any], where: str, model: type[BaseModel] = Settings) -> Any:
    """Values as settings.

    Raises:
        SweepError: the first problem, in one line.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SweepError(one_line(error, where, model)) from None


def some(names: Sequence[str], most: int = 12) -> str:
    """Names for a message, the first of many."""
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")
