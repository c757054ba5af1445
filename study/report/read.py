"""A folder as a study, with the linear study that ran along with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from study.analysis import SCHEMA
from study.belonging import belonging
from study.figures.study import Study, leading_contrast
from study.folder import FILE, linear_part, stored_plan
from study.interim import interim
from study.linear_analysis import analyse_linear, check_linear, is_linear
from study.rows import RowsError, read_rows
from study.run import analysed
from study.storage import Location, StorageError, read_bytes
from study.sweep import SweepError

LARGEST_ANALYSIS = 500_000_000  # bytes


def read_studies(out: Location, contrast: str | None = None) -> Study:
    """The study of a folder, with the linear study that ran along with it where there is one.

    Raises:
        RowsError: no usable rows.
        SweepError: a stored sweep is not valid, there is no such contrast, or a link would lead out of the folder.
    """
    part = linear_part(out)
    study = read_study(out, contrast)
    if study.is_linear or part is None:
        return study
    beside = read_study(part)
    if not beside.is_linear:
        raise RowsError(f"{part}: holds rows of other networks than linear ones")
    return replace(study, beside=beside)


def read_study(out: Location, contrast: str | None = None) -> Study:
    """A folder's rows, plan and analysis; what is stored of the analysis is used where it is as new as the rows."""
    plan = stored_plan(out)
    frame = belonging(read_rows(out), plan, out)
    if is_linear(frame):
        if contrast is not None:
            raise SweepError(f"--contrast {contrast}: {out} is a study of the linear network, which has no contrasts")
        check_linear(frame, out)
        return Study(out, frame, analyse_linear(frame) | {"interim": interim(frame, plan, out)}, plan, "")
    if plan is not None and plan.sweep.scan is not None:
        from study.scan.final import analysed_scan  # late: optuna takes a second that other studies need not spend

        frame, analysis = analysed_scan(plan, frame, out)
    else:
        analysis = _stored_analysis(out) or analysed(frame, plan, out)
        analysis |= {"interim": interim(frame, plan, out)}
    if contrast is not None and contrast not in analysis["contrasts"]:
        raise SweepError(f"--contrast {contrast}: unknown; allowed: {', '.join(analysis['contrasts'])}")
    if not analysis["results"] and not analysis.get("within") and not (analysis["ranking"] or {}).get("tables"):
        raise RowsError(f"{out}: no two cells that are to be compared have rows")
    return Study(out, frame, analysis, plan, contrast or leading_contrast(analysis))


def _stored_analysis(out: Location) -> dict[str, Any] | None:
    """`analysis.json`, unless something of the folder is newer or another version of this code wrote it; not from object
    storage, where reading all rows takes longer than analysing them."""
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
