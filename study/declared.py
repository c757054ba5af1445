"""What is compared in rows made elsewhere, said beside them: contrasts, a primary comparison and claims, as a sweep says them.

A file of it is YAML with the sections `contrasts` and `primary` of a sweep file, read and checked as these are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field, ValidationError

from study.columns import OUTCOMES, phases_of
from study.comparisons import predictors_of
from study.contrasts import Contrast, Side, check_primary, resolved
from study.plain_yaml import read_yaml
from study.sweep import ContrastSpec, Name, Primary, Strict, SweepError
from study.sweep_file import one_line, read_text

PREFIX = "silhouette_"


class Declared(Strict):
    contrasts: dict[Name, ContrastSpec] = Field(min_length=1)
    primary: Primary | None = None


def parse_declared(raw: Any, source: str) -> Declared:
    """Validate plain data.

    Args:
        source: where it is from, for messages.

    Raises:
        SweepError: the first problem, in one line.
    """
    if not isinstance(raw, dict):
        raise SweepError(f"{source}: must be a mapping with contrasts, and perhaps primary")
    try:
        return Declared.model_validate(raw)
    except ValidationError as error:
        raise SweepError(f"{source}: {one_line(error, model=Declared)}") from None


def load_declared(path: Path) -> Declared:
    """Read a file of contrasts.

    Raises:
        SweepError: it cannot be read, or the first problem in it, in one line.
    """
    return parse_declared(read_yaml(read_text(path), str(path)), str(path))


def sides_of(frame: pd.DataFrame) -> dict[str, Side]:
    """The cells of rows, with the phases that they have losses of."""
    estimators = tuple(name.removeprefix(PREFIX) for name in predictors_of(frame))
    found = {}
    for cell, part in frame.groupby("cell", sort=False):
        phases = [phase for phase in phases_of(frame) if any(_has(part, phase, outcome) for outcome in OUTCOMES)]
        found[str(cell)] = Side(set(zip(part["seed"], part["data_seed"], strict=True)), tuple(phases), estimators)
    return found


def _has(part: pd.DataFrame, phase: str, outcome: str) -> bool:
    column = f"loss_{phase}_{outcome}"
    return column in part and bool(part[column].notna().any())


def checked(declared: Declared, frame: pd.DataFrame, source: str) -> tuple[tuple[Contrast, ...], Primary | None]:
    """The contrasts that are declared, and the primary comparison, both as the rows can have them.

    Raises:
        SweepError: names what the rows do not have, with what may be meant.
    """
    cells, primary = sides_of(frame), declared.primary
    try:
        contrasts = resolved(declared.contrasts, cells, _no_axis)
        if primary is None:
            return contrasts, None
        if "estimator" not in primary.model_fields_set and (names := predictors_of(frame)):
            primary = primary.model_copy(update={"estimator": names[0].removeprefix(PREFIX)})
        check_primary(primary, cells, contrasts)
        outcomes = [outcome for outcome in OUTCOMES if _has(frame, primary.phase, outcome)]
        if primary.outcome not in outcomes:
            raise SweepError(f"primary.outcome = {primary.outcome!r}: allowed: {', '.join(outcomes)}, which the rows have")
    except SweepError as error:
        raise SweepError(f"{source}: {error}") from None
    return contrasts, primary


def _no_axis(name: str, where: str) -> list[Contrast]:
    raise SweepError(f"{where}.axis: only a sweep's grid has axes; name two cells as first and second")
