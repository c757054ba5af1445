"""An analysis as files (JSON, CSV, Markdown) and on the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from study.map_sheets import map_notes, map_sheets
from study.over_time_sheets import over_time_notes, over_time_sheets
from study.ranking_sheets import ranking_frame, ranking_notes, ranking_sheets
from study.sheets import Sheet, markdown, print_sheet
from study.tables import cell_sheet, notes, rules, sentence, sheets, variance_sheet, verdict_sheet


def print_analysis(console: Console, analysis: dict[str, Any]) -> None:
    """The tables of the test losses, the verdicts, and what they show."""
    print_sheet(console, cell_sheet(analysis))
    outcome = next(iter(analysis["outcomes"]), "test")
    for sheet in (*reversed(list(sheets(analysis, outcome, everything=False))), *_general(analysis)):
        print_sheet(console, sheet)
    for sheet in (*map_sheets(analysis), *over_time_sheets(analysis, everything=False)):
        print_sheet(console, sheet)
    for sheet in ranking_sheets(analysis, everything=False):
        print_sheet(console, sheet)
    lines = *rules(analysis), *notes(analysis), *map_notes(analysis), *over_time_notes(analysis), *ranking_notes(analysis)
    for line in lines:
        console.print(line, highlight=False, markup=False)
    console.print(sentence(analysis), highlight=False, markup=False, style="bold")


def _general(analysis: dict[str, Any]) -> Iterator[Sheet]:
    for sheet in (variance_sheet(analysis), verdict_sheet(analysis)):
        if sheet is not None:
            yield sheet


def write_analysis(out: Path, analysis: dict[str, Any]) -> list[Path]:
    """`analysis.json`, its results as a flat `analysis.csv`, every table of both outcomes as `analysis.md`; and flat
    `maps.csv` and `ranking.csv` where the study has maps and predictors."""
    as_json, as_csv, as_markdown = (out / f"analysis.{kind}" for kind in ("json", "csv", "md"))
    as_json.write_text(json.dumps(analysis, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    pd.DataFrame(analysis["results"] or analysis["within"]).to_csv(as_csv, index=False)
    parts = [sentence(analysis), *(markdown(sheet) for sheet in _general(analysis))]
    parts += [*rules(analysis), *notes(analysis), markdown(cell_sheet(analysis))]
    for outcome in analysis["outcomes"]:
        parts += [markdown(sheet) for sheet in sheets(analysis, outcome, everything=True)]
    parts += [*map(markdown, map_sheets(analysis)), *map_notes(analysis)]
    parts += [*map(markdown, over_time_sheets(analysis, everything=True)), *over_time_notes(analysis)]
    parts += [*map(markdown, ranking_sheets(analysis, everything=True)), *ranking_notes(analysis)]
    as_markdown.write_text("\n\n".join(parts), encoding="utf-8")
    files = [as_json, as_csv, as_markdown]
    frames = {
        "maps.csv": lambda: pd.DataFrame(analysis["maps"]["entries"]) if analysis["maps"] else None,
        "ranking.csv": lambda: ranking_frame(analysis) if analysis["ranking"] else None,
    }
    for name, frame in frames.items():
        (out / name).unlink(missing_ok=True)  # of rows that are no more
        if (table := frame()) is not None:
            table.to_csv(out / name, index=False)
            files.append(out / name)
    return files
