"""Which rows of a folder count: those of its plan; and what is said of the rest, and of columns that nothing is made of."""

from __future__ import annotations

from typing import Any

import pandas as pd

from study.columns import unused
from study.extension import is_view
from study.folder import stored_plan
from study.linear_analysis import is_linear
from study.linear_settings import LinearSettings
from study.plan import Draw, Plan
from study.rows import RowsError
from study.storage import Location
from study.sweep import Settings, plain_line
from study.twice import listing


def planned_keys(plan: Plan) -> set[tuple[str, Draw]]:
    """The networks of a plan."""
    return {(cell.name, draw) for cell in plan.cells for draw in cell.draws}


def belonging(frame: pd.DataFrame, plan: Plan | None, out: Location) -> pd.DataFrame:
    """The rows that count, all of them where there is no plan, with a note in `attrs` on those that do not.

    Args:
        plan: None for rows made elsewhere; that of a scan names no cells, and all of its rows count.

    Raises:
        RowsError: no row is of the plan.
    """
    notes = [*frame.attrs.get("notes", ())]
    if plan is not None and plan.sweep.scan is None:
        inside = _inside(frame, plan)
        if not inside.any():
            raise RowsError(f"{out}: none of its rows is of the sweep {plan.sweep.name} ({_named(frame, plan)})")
        outside, count = frame[~inside], len(frame)
        if len(outside) and is_view(plan, out) and (whole := stored_plan(out)) is not None:
            outside = outside[~_inside(outside, whole)]  # the others are left out of a view, which `remarks` says
        frame = frame if inside.all() else frame[inside].reset_index(drop=True)
        if len(outside):
            notes.append(f"Rows outside the plan are not counted, {len(outside):,} of {count:,}: {_named(outside, plan)}.")
    if not is_linear(frame) and (names := unused(frame, {*Settings.model_fields, *LinearSettings.model_fields})):
        shown = ", ".join(plain_line(name, 60) for name in names)
        notes.append(f"Columns of the rows that are not used, {len(names):,}: {shown}.")
    frame.attrs["notes"] = tuple(notes)
    return frame


def _inside(frame: pd.DataFrame, plan: Plan) -> pd.Series:
    """Of each row, whether the plan has its network; by cell and seed alone where rows do not say their data."""
    keys = ["cell", "seed"] if frame.attrs.get("data_unknown") else ["cell", "seed", "data_seed"]
    wanted: set[tuple[Any, ...]] = {(name, draw.seed, draw.data_seed)[: len(keys)] for name, draw in planned_keys(plan)}
    found = [key in wanted for key in zip(*(frame[name].tolist() for name in keys), strict=True)]
    return pd.Series(found, index=frame.index, dtype=bool)


def _named(outside: pd.DataFrame, plan: Plan) -> str:
    """Rows by what is wrong with them: cells that the plan does not have, and other seeds of those that it has."""
    known = {cell.name for cell in plan.cells}
    cells = list(dict.fromkeys(outside["cell"]))
    parts = [f"unknown cells {listing(foreign)}"] if (foreign := [name for name in cells if name not in known]) else []
    for name in [name for name in cells if name in known]:
        part = outside[outside["cell"] == name]
        own = (part["seed"] == part["data_seed"]).all()
        pairs = zip(part["seed"], part["data_seed"], strict=True)
        seeds = dict.fromkeys(f"{seed}" if own else f"{seed} with data seed {data}" for seed, data in pairs)
        parts.append(f"cell {name}, other seeds {listing(seeds)}")
    return "; ".join(parts)
