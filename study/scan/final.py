"""The analysis of a scan's folder: evaluation seeds only, with the scan itself beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from study.figures.pareto import pareto
from study.figures.study import Drawn, Study, leading_contrast
from study.figures.style import save, use_our_style
from study.output import write_analysis
from study.plan import Plan
from study.rows import RowsError
from study.running import analysed
from study.scan.report import final_rows, scan_sheets, sentences, summary, write_scan
from study.scan.space import make_scan
from study.sheets import print_sheet
from study.storage import Location

SHOWN, FIRST = 15, 5  # points of a scan on a terminal, with --tables and without; scan.md has all


def analysed_scan(plan: Plan, frame: pd.DataFrame, out: Location) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows of evaluation seeds and their analysis.

    Raises:
        RowsError: no two points that are to be compared have been confirmed.
    """
    final = final_rows(plan, frame)
    if not plan.contrasts:
        raise RowsError(f"{out}: no two points of this scan have rows of evaluation seeds to be compared by")
    return final, analysed(final, plan, out) | {"scan": summary(make_scan(plan.sweep), frame)}


def report_scan(
    plan: Plan, frame: pd.DataFrame, folder: Path, out: Location, console: Console, tables: bool
) -> tuple[dict[str, Any] | None, list[Path]]:
    """Write what a scan found, and the analysis of what was confirmed; print the scan's points.

    Args:
        tables: whether every table was asked for, and so more points.

    Returns:
        the analysis, None where no two confirmed points are compared; and the files written.
    """
    found = summary(make_scan(plan.sweep), frame)
    files = write_scan(folder, found)
    final, analysis = final_rows(plan, frame), None
    if plan.contrasts:
        final, analysis = analysed_scan(plan, frame, out)
        files += write_analysis(folder, analysis)
    use_our_style()
    drawn = pareto(
        Study(out, final if len(final) else frame, {"scan": found}, plan, leading_contrast(analysis) if analysis else "")
    )
    if isinstance(drawn, Drawn):
        files += save(drawn.figure, folder / "figures", "pareto")
    for sheet in reversed(scan_sheets(found, SHOWN if tables else FIRST)):
        print_sheet(console, sheet)
    for line in sentences(found):
        console.print(line, highlight=False, markup=False)
    if analysis is None:
        console.print("No final tables: no two confirmed points to compare.", highlight=False)
    return analysis, files
