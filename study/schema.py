"""The columns of a study's rows, known before any work: every row of a cell has all of them, whatever block it came from."""

from __future__ import annotations

import json
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel

from pntk.predictors.registry import PREDICTORS
from study.during import KERNEL_MEASURES
from study.linear_settings import values_in_rows
from study.linear_trial import curve_names, score_names
from study.plan import Cell, LinearCell
from study.provenance import COLUMNS
from study.sweep import Settings

Column = tuple[str, pa.DataType]

TEXT, NUMBER, WHOLE, TRUTH = pa.string(), pa.float64(), pa.int64(), pa.bool_()
NUMBERS, STEPS = pa.list_(pa.float64()), pa.list_(pa.int64())
KINDS = {str: TEXT, float: NUMBER, int: WHOLE, bool: TRUTH}
KEYS: tuple[Column, ...] = (("sweep", TEXT), ("cell", TEXT), ("seed", WHOLE), ("data_seed", WHOLE))


def columns(cell: Cell | LinearCell) -> list[Column]:
    """Every column of a cell's rows, names and types, in their order."""
    found = _linear(cell) if isinstance(cell, LinearCell) else _multitask(cell)
    return [*KEYS, *found, *((name, TEXT) for name in (*COLUMNS, "device"))]


def setting_columns(model: type[BaseModel]) -> list[Column]:
    """The columns of settings: lists are text, their parts with commas between."""
    return [(name, _kind_of(field.annotation)) for name, field in model.model_fields.items()]


def setting_values(cell: Cell | LinearCell) -> dict[str, Any]:
    """What every row of a cell says of its settings."""
    if isinstance(cell, LinearCell):
        return values_in_rows(cell.settings)
    phases = json.dumps([vars(phase) for phase in cell.curriculum.phases])
    return texts_of(cell.settings) | {"phases": phases, "cycles": cell.curriculum.cycles}


def texts_of(settings: Settings) -> dict[str, Any]:
    """Settings with their lists as text."""
    given = settings.model_dump()
    return {name: ",".join(map(str, value)) if isinstance(value, tuple) else value for name, value in given.items()}


def _kind_of(annotation: Any) -> pa.DataType:
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    if get_origin(annotation) in (Literal, tuple, list):
        return TEXT
    return KINDS[annotation]


def _multitask(cell: Cell) -> list[Column]:
    settings, phases = cell.settings, list(dict.fromkeys(phase.name for phase in cell.curriculum.phases))
    names = [f"silhouette_{name}" for name in settings.estimators]
    names += [f"predictor_{phase}_{name}" for phase in phases for name in settings.predictors]
    regressions = [name for name in settings.predictors if name in PREDICTORS and PREDICTORS[name].errors is not None]
    names += [f"agreement_{phase}_{name}" for phase in phases for name in regressions]
    names += [f"loss_{phase}_{split}" for phase in phases for split in ("train", "test")]
    names += [f"loss_{phase}_unseen" for phase in phases]
    found: list[Column] = [*((name, NUMBER) for name in names), ("diverged", TRUTH)]
    for kind, repeats in (("kmeans", settings.kmeans_repeats), ("data", settings.data_redraws)):
        found += [(f"repeat_{kind}_{name}", NUMBERS) for name in settings.estimators if repeats]
    found += [*setting_columns(Settings), ("phases", TEXT), ("cycles", WHOLE)]
    for phase in phases:
        found += [(f"curve_{phase}_steps", STEPS), (f"curve_{phase}_train", NUMBERS), (f"curve_{phase}_test", NUMBERS)]
    if settings.structure_records:
        measures = [*(f"silhouette_{name}" for name in settings.structure_estimators), *KERNEL_MEASURES]
        for phase in phases:
            found += [(f"structure_{phase}_steps", STEPS), *((f"structure_{phase}_{name}", NUMBERS) for name in measures)]
    return found


def _linear(cell: LinearCell) -> list[Column]:
    settings = cell.settings
    found: list[Column] = [("network", TEXT), ("loss_linear_train", NUMBER), ("loss_linear_test", NUMBER), ("diverged", TRUTH)]
    found += [(f"score_{name}", NUMBER) for name in score_names(settings)]
    found += setting_columns(type(settings))
    found += [(f"curve_linear_{name}", STEPS if name == "steps" else NUMBERS) for name in curve_names(settings)]
    found += [("array_inputs", NUMBERS), ("array_target", NUMBERS)]
    for mark in settings.marks:
        found += [(f"array_{name}_step{mark}", NUMBERS) for name in ("weight_change", "pntk")]
    return found
