"""An analysis as files (JSON, CSV, Markdown) and on the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from study.clean import csv_frame, markdown_text
from study.interim import interim_note
from study.map_sheets import map_notes, map_sheets
from study.over_time_sheets import over_time_notes, over_time_sheets
from study.ranking_sheets import ranking_frame, ranking_notes, ranking_sheets
from study.sheets import Sheet, markdown, print_sheet
from study.storage import write_text
from study.tables import cell_sheet, notes, rules, sentence, sheets, variance_sheet, verdict_sheet
from study.written import begin

ANALYSIS = ("analysis.json", "analysis.csv", "analysis.md")
SOMETIMES = ("maps.csv", "ranking.csv")  # obsolete with rows that have no maps or predictors any more


def print_analysis(console: Console, analysis: dict[str, Any]) -> None:
    """The tables of the test losses, the verdicts, and what they show."""
    if note := interim_note(analysis):
        console.print(note, highlight=False, markup=False, style="bold")
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
    `maps.csv` and `ranking.csv` where the study has maps and predictors.

    Raises:
        SweepError: one of them would be written over a file that is not ours.
        StorageError: one cannot be written; each is whole or as it was.
    """
    frames = {"maps.csv": pd.DataFrame(analysis["maps"]["entries"]) if analysis["maps"] else None,
              "ranking.csv": ranking_frame(analysis) if analysis["ranking"] else None}  # fmt: skip
    tables = {name: frame for name, frame in frames.items() if frame is not None}
    begin(out, [*ANALYSIS, *tables])
    as_json, as_csv, as_markdown = (out / f"analysis.{kind}" for kind in ("json", "csv", "md"))
    write_text(as_json, json.dumps(analysis, indent=1, allow_nan=False) + "\n")
    write_text(as_csv, csv_frame(pd.DataFrame(analysis["results"] or analysis["within"])).to_csv(index=False))
    parts = [markdown_text(sentence(analysis)), *(markdown(sheet) for sheet in _general(analysis))]
    parts += [*map(markdown_text, (*rules(analysis), *notes(analysis))), markdown(cell_sheet(analysis))]
    for outcome in analysis["outcomes"]:
        parts += [markdown(sheet) for sheet in sheets(analysis, outcome, everything=True)]
    parts += [*map(markdown, map_sheets(analysis)), *map(markdown_text, map_notes(analysis))]
    parts += [*map(markdown, over_time_sheets(analysis, everything=True)), *map(markdown_text, over_time_notes(analysis))]
    parts += [*map(markdown, ranking_sheets(analysis, everything=True)), *map(markdown_text, ranking_notes(analysis))]
    write_text(as_markdown, "\n\n".join(parts))
    files = [as_json, as_csv, as_markdown]
    for name, frame in tables.items():
        write_text(out / name, csv_frame(frame).to_csv(index=False))
        files.append(out / name)
    return files
