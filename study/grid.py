"""Grids of a sweep: axes, their values, and the cells that they make.

A sweep's `grid` is one mapping of axes to values, or a list of them (a star around a centre needs several). Every cell has
a place on all axes of all grids, an axis that its grid does not name at the value of the settings, so that the same
settings are the same cell whichever grid asks for them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from study.linear_settings import LinearCellSpec, LinearSettings, number_text
from study.sweep import FIXED, CellSpec, Settings, Sweep, SweepError
from study.sweep_file import one_line

# Settings that hold several values and so are no axes.
LISTS = ("estimators", "predictors", "structure_estimators", "keep_seeds", "singular_values", "marks")


@dataclass(frozen=True)
class Grid:
    """Axes with their values, crossed, and the settings that all cells of the grid share.

    Attributes:
        where: its place in the sweep file, for messages.
    """

    where: str
    axes: dict[str, list[Any]]
    fixed: dict[str, Any]

    @property
    def count(self) -> int:
        return math.prod(len(values) for values in self.axes.values())


@dataclass(frozen=True)
class GridCell:
    """A cell of a sweep's grids.

    Attributes:
        place: its value on every axis of every grid.
        overrides: the settings in which it departs from the sweep's.
    """

    where: str
    place: dict[str, Any]
    overrides: dict[str, Any]


@dataclass(frozen=True)
class Naming:
    """How places on axes are named: axes in the order in which the file first has them.

    Attributes:
        always: axes of every grid, always named; others where they depart from the sweep's settings.
        usual: the value of the sweep's settings on every axis.
        exact: axes on which six digits do not tell all values apart, so that theirs are named with all they have.
    """

    always: frozenset[str]
    usual: dict[str, Any]
    exact: frozenset[str] = frozenset()

    def __call__(self, place: Mapping[str, Any]) -> str:
        """The name of a cell, for example `init_scale=10,curriculum=short`; "" where nothing departs."""
        shown = [axis for axis in self.usual if axis in place]
        named = {axis: place[axis] for axis in shown if axis in self.always or place[axis] != self.usual[axis]}
        return grid_name(named, self.exact)


def grid_name(values: Mapping[str, Any], exact: Collection[str] = ()) -> str:
    """Values of axes as a name: floats with six digits, on an `exact` axis with all that they have."""
    texts = {axis: f"{v:g}" if isinstance(v, float) and axis not in exact else v for axis, v in values.items()}
    texts |= {axis: number_text(values[axis]) for axis in exact if isinstance(values.get(axis), float)}
    return ",".join(f"{axis}={text}" for axis, text in texts.items())


def grids_of(sweep: Sweep) -> list[Grid]:
    """The grids with their values read as the field they set, so that 1e-3 and 0.001 are one cell.

    Raises:
        SweepError: the first problem, in one line.
    """
    linear = sweep.network == "linear"
    model: type[BaseModel] = LinearSettings if linear else Settings
    single: dict[str, dict[str, Any]] = {"grid": sweep.grid} if isinstance(sweep.grid, dict) and sweep.grid else {}
    given = single if isinstance(sweep.grid, dict) else {f"grid.{number}": grid for number, grid in enumerate(sweep.grid)}
    grids = []
    for where, grid in given.items():
        axes, fixed = {axis: values for axis, values in grid.items() if axis != FIXED}, dict(grid.get(FIXED, {}))
        if not axes:
            raise SweepError(f"{where}: needs at least one axis")
        base = ({} if linear else {"curriculum": "-"}) | sweep.settings | fixed
        validated(base, f"{where}.{FIXED}", LinearCellSpec if linear else CellSpec)
        base.pop("seeds", None)
        for axis, values in axes.items():
            if axis not in model.model_fields or axis in LISTS:
                allowed = ", ".join(name for name in model.model_fields if name not in LISTS)
                raise SweepError(f"{where}.{axis}: unknown axis; allowed: {allowed}")
            if axis in fixed:
                raise SweepError(f"{where}.{FIXED}.{axis}: is an axis of the same grid")
            if not values:
                raise SweepError(f"{where}.{axis} = []: needs at least one value")
            axes[axis] = [getattr(validated(base | {axis: value}, where, model), axis) for value in values]
        grids.append(Grid(where, axes, fixed))
    return grids


def naming_of(sweep: Sweep, grids: Sequence[Grid]) -> Naming:
    """The names of a sweep's grid cells."""
    axes = list(dict.fromkeys(axis for grid in grids for axis in grid.axes))
    always = frozenset(axis for axis in axes if all(axis in grid.axes for grid in grids))
    usual = settings_of(sweep, {})
    given = {axis: {value for grid in grids for value in grid.axes.get(axis, ())} for axis in axes}
    for grid in grids:
        here = settings_of(sweep, grid.fixed)
        for axis in grid.fixed.keys() & given.keys():
            given[axis].add(getattr(here, axis))
    exact = frozenset(axis for axis, values in given.items() if len({grid_name({axis: v}) for v in values}) < len(values))
    return Naming(always, {axis: getattr(usual, axis) for axis in axes}, exact)


def grid_cells(sweep: Sweep, grids: Sequence[Grid]) -> dict[str, GridCell]:
    """Every cell of the grids by name; what several grids name is one cell.

    Raises:
        SweepError: one grid names a cell twice, or two grids name it with different settings.
    """
    name_of, found = naming_of(sweep, grids), dict[str, GridCell]()
    for grid in grids:
        here = settings_of(sweep, grid.fixed)
        elsewhere = {axis: getattr(here, axis) for axis in name_of.usual}
        for values in itertools.product(*grid.axes.values()):
            chosen = dict(zip(grid.axes, values, strict=True))
            place = elsewhere | chosen
            cell = GridCell(grid.where, place, grid.fixed | chosen)
            name = name_of(place) or grid_name(place, name_of.exact)
            known = found.setdefault(name, cell)
            if known is cell:
                continue
            if known.where == cell.where:
                raise SweepError(f"{grid.where}: gives the cell {name!r} twice")
            if different := _difference(sweep, known, cell):
                raise SweepError(f"{grid.where}: gives the cell {name!r} with {different} in {known.where}")
    return found


def settings_of(sweep: Sweep, overrides: Mapping[str, Any]) -> Any:
    """The sweep's settings with overrides; a curriculum that is missing is told by the cell that lacks it."""
    linear = sweep.network == "linear"
    values = ({} if linear else {"curriculum": "-"}) | sweep.settings | dict(overrides)
    return validated(values, "settings", LinearCellSpec if linear else CellSpec)


def _difference(sweep: Sweep, one: GridCell, other: GridCell) -> str:
    """The first setting in which two cells of one name differ, or ""."""
    first, second = (settings_of(sweep, cell.overrides) for cell in (one, other))
    for field in type(first).model_fields:
        here, there = getattr(second, field), getattr(first, field)
        if here != there:
            return f"{field} = {here!r}, but {there!r}"
    return ""


def validated(values: Mapping[str, Any], where: str, model: type[BaseModel] = Settings) -> Any:
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
