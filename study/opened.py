"""A folder read: the rows that count, their analysis, and the plan that they belong to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from study.analysis import SCHEMA
from study.belonging import belonging
from study.folder import FILE, stored_plan
from study.interim import interim
from study.linear_analysis import analyse_linear, check_linear, is_linear
from study.plan import Plan
from study.rows import RowsError, read_rows
from study.running import analysed
from study.storage import Location, StorageError, read_bytes
from study.sweep import SweepError

LARGEST_ANALYSIS = 500_000_000  # bytes


@dataclass(frozen=True)
class Opened:
    """What a folder holds.

    Attributes:
        rows: one per network; of a scan those of evaluation seeds.
        analysis: as `study.running.analysed` gives it, or of linear networks `study.linear_analysis.analyse_linear`.
        plan: None for rows made elsewhere.
    """

    rows: pd.DataFrame
    analysis: dict[str, Any]
    plan: Plan | None


def read_folder(out: Location, view: Plan | None = None) -> Opened:
    """A folder's rows, plan and analysis; what is stored of the analysis is used where it is as new as the rows.

    Args:
        view: of some of the folder's networks, which alone are read; by default all that the folder's plan has.

    Raises:
        RowsError: no usable rows, or none that can be compared or correlated.
        SweepError: a stored sweep is not valid.
    """
    plan = stored_plan(out) if view is None else view
    frame = belonging(read_rows(out), plan, out)
    if is_linear(frame):
        check_linear(frame, out)
        return Opened(frame, analyse_linear(frame) | {"interim": interim(frame, plan, out)}, plan)
    if plan is not None and plan.sweep.scan is not None:
        from study.scan.final import analysed_scan  # late: optuna takes a second that other studies need not spend

        frame, analysis = analysed_scan(plan, frame, out)
    else:
        analysis = (stored_analysis(out) if view is None else None) or analysed(frame, plan, out)
        analysis |= {"interim": interim(frame, plan, out)}
    check_results(analysis, str(out))
    return Opened(frame, analysis, plan)


def check_results(analysis: dict[str, Any], where: str) -> None:
    """Raises RowsError: an analysis has nothing to say."""
    if not analysis["results"] and not analysis.get("within") and not (analysis["ranking"] or {}).get("tables"):
        raise RowsError(f"{where}: no two cells that are to be compared have rows")


def stored_analysis(out: Location) -> dict[str, Any] | None:
    """`analysis.json`, unless something of the folder is newer or another version of this code wrote it; not from object
    storage, where reading all rows takes longer than analysing them.

    Raises:
        SweepError: storage that cannot be used.
    """
    if not isinstance(out, Path):
        return None
    path = out / "analysis.json"
    sources = [*(out / "rows").rglob("*.parquet"), *out.glob(FILE)]
    if not path.exists() or any(source.stat().st_mtime > path.stat().st_mtime for source in sources):
        return None
    try:
        analysis = json.loads(read_bytes(path, most=LARGEST_ANALYSIS))
    except StorageError as error:
        raise SweepError(str(error)) from None
    except (OSError, ValueError, RecursionError):
        return None
    usable = isinstance(analysis, dict) and analysis.get("schema") == SCHEMA and not analysis.get("view")
    return analysis if usable else None
