"""Whether a folder holds every network that its plan asks for: an analysis of fewer says so wherever it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from study.folder import FILE, stored_plan
from study.plan import Plan
from study.storage import Location, exists

MOST_NAMED = 6  # cells


def interim(frame: pd.DataFrame, plan: Plan | None, out: Location) -> dict[str, Any] | None:
    """What is missing of a study, by the plan that its folder holds; None where nothing is, or nobody knows.

    Args:
        plan: as it is analysed; another one than the folder's where contrasts come from another file.

    Returns:
        plain data: `finished` and `planned` networks, the same per cell in `cells`, and how many rows are `outside` the plan,
        which count for nothing here.
    """
    if plan is not None and plan.sweep.scan is not None:
        return missing(frame, _confirmations(frame, plan))
    if not exists(out / FILE):
        return None
    asked = stored_plan(out)
    if asked is None or asked.sweep.scan is not None:
        return None
    held = _draws(asked)
    seen = _draws(plan) if plan is not None else held
    is_view = seen.keys() == held.keys() and all(seen[name] <= held[name] for name in held)  # of some of its seeds
    return missing(frame, seen if is_view else held)


def _draws(plan: Plan) -> dict[str, set[tuple[int, int]]]:
    return {cell.name: {(draw.seed, draw.data_seed) for draw in cell.draws} for cell in plan.cells}


def missing(frame: pd.DataFrame, asked: Mapping[str, set[tuple[int, int]]]) -> dict[str, Any] | None:
    """The same from the (seed, data seed) of every cell."""
    there: dict[str, set[tuple[int, int]]] = {name: set() for name in asked}
    outside: Counter[str] = Counter()
    for cell, seed, data_seed in zip(frame["cell"], frame["seed"], frame["data_seed"], strict=True):
        if (int(seed), int(data_seed)) in asked.get(str(cell), ()):
            there[str(cell)].add((int(seed), int(data_seed)))
        else:
            outside[str(cell)] += 1
    cells = [{"cell": name, "finished": len(there[name]), "planned": len(draws)} for name, draws in asked.items()]
    finished, planned = sum(map(len, there.values())), sum(map(len, asked.values()))
    if finished == planned:
        return None
    return {"finished": finished, "planned": planned, "cells": cells, "outside": outside.total()}


def _confirmations(frame: pd.DataFrame, plan: Plan) -> dict[str, set[tuple[int, int]]]:
    """Of a scan, the evaluation seeds of every point that is being confirmed."""
    from study.scan.space import make_scan  # late: optuna takes a second that other studies need not spend

    draws = {(draw.seed, draw.data_seed) for draw in make_scan(plan.sweep).evaluation}
    return {str(cell): draws for cell in frame["cell"].unique()}


def interim_mark(analysis: Mapping[str, Any]) -> str:
    """`INTERIM, 45 of 48 networks: ` before what an unfinished study says; "" of a whole one."""
    found = analysis.get("interim")
    return f"INTERIM, {found['finished']:,} of {found['planned']:,} networks: " if found else ""


def interim_note(analysis: Mapping[str, Any]) -> str:
    """What is missing, cell by cell, in a sentence; "" of a whole study."""
    found = analysis.get("interim")
    if not found:
        return ""
    short = [c for c in found["cells"] if c["finished"] < c["planned"]]
    named = ", ".join(f"{c['cell']} {c['finished']:,} of {c['planned']:,}" for c in short[:MOST_NAMED])
    more = f" and {len(short) - MOST_NAMED} more cells" if len(short) > MOST_NAMED else ""
    outside = f"; {found['outside']:,} more rows are outside the plan and not counted" if found["outside"] else ""
    return (
        f"INTERIM: {found['finished']:,} of {found['planned']:,} networks of the plan are finished ({named}{more}){outside}. "
        "Every number is of these alone and may change."
    )
