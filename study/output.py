"""An analysis as files (JSON, CSV, Markdown) and on the terminal, the answer before the tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from study.answer import NOWHERE, NextSteps, answer, findings
from study.by_data_sheets import data_set_notes, data_set_sheets
from study.clean import csv_frame, markdown_text
from study.compact import compact_sheet
from study.console import CleanConsole, always
from study.interim import interim_note
from study.linear_sheets import linear_sheets
from study.map_sheets import map_notes, map_sheets
from study.over_time_sheets import over_time_notes, over_time_sheets
from study.ranking_sheets import ranking_frame, ranking_notes, ranking_sheets
from study.sheets import Sheet, markdown, print_sheet
from study.storage import write_text
from study.tables import cell_sheet, notes, rules, sentence, sheets, variance_sheet, verdict_sheet
from study.written import begin

ANALYSIS = ("analysis.json", "analysis.csv", "analysis.md")
SOMETIMES = ("maps.csv", "ranking.csv")  # obsolete with rows that have no maps or predictors any more
MOST_CAUTIONS = 5


def print_tables(console: Console, analysis: dict[str, Any]) -> None:
    """Every table that a first reading may want, the rules behind them, and what they show; of linear networks all."""
    if analysis.get("network") == "linear":
        for sheet in linear_sheets(analysis):
            print_sheet(console, sheet)
        return
    print_sheet(console, cell_sheet(analysis))
    outcome = next(iter(analysis["outcomes"]), "test")
    for sheet in (*reversed(list(sheets(analysis, outcome, everything=False))), *_general(analysis)):
        print_sheet(console, sheet)
    for sheet in (*map_sheets(analysis), *over_time_sheets(analysis, everything=False)):
        print_sheet(console, sheet)
    for sheet in (*data_set_sheets(analysis, everything=False), *ranking_sheets(analysis, everything=False)):
        print_sheet(console, sheet)
    _print_method(console, analysis)
    console.print(sentence(analysis), highlight=False, markup=False, style="bold")


def print_cautions(console: Console, analysis: Mapping[str, Any]) -> None:
    """What a reader of the answer alone must not miss: networks that are missing or left out, seeds that were added."""
    with always(console):
        _print_cautions(console, analysis)


def _print_cautions(console: Console, analysis: Mapping[str, Any]) -> None:
    if note := interim_note(analysis):
        console.print(note, highlight=False, markup=False, style="bold")
    lines = [*analysis.get("remarks", ()), *(f"Warning: {warning}" for warning in analysis.get("warnings", ()))]
    for line in lines[:MOST_CAUTIONS]:
        console.print(line, highlight=False, markup=False)
    if len(lines) > MOST_CAUTIONS:
        console.print(f"... and {len(lines) - MOST_CAUTIONS} more warnings, in analysis.md", highlight=False)


def print_answer(console: Console, analysis: Mapping[str, Any], steps: NextSteps, compact: bool) -> None:
    """The answer, and where it is not `--tables` that were asked for, all verdicts in a few rows; with `-v` notes on method."""
    console.print()
    with always(console):
        for line in answer(analysis, steps):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    if compact and analysis.get("network") != "linear" and (sheet := compact_sheet(analysis)) is not None:
        console.print()
        print_sheet(console, sheet)
        if isinstance(console, CleanConsole) and console.verbose:  # with --tables they are there already
            console.print()
            _print_method(console, analysis)


def _print_method(console: Console, analysis: Mapping[str, Any]) -> None:
    """The rules behind the numbers, and what the data say of them."""
    analysis = dict(analysis)
    lines = *rules(analysis), *notes(analysis), *map_notes(analysis), *over_time_notes(analysis), *ranking_notes(analysis)
    for line in (*lines, *data_set_notes(analysis)):
        console.print(line, highlight=False, markup=False)


def _general(analysis: dict[str, Any]) -> Iterator[Sheet]:
    for sheet in (variance_sheet(analysis), verdict_sheet(analysis)):
        if sheet is not None:
            yield sheet


def answer_paragraphs(analysis: Mapping[str, Any], steps: NextSteps) -> list[str]:
    """What is found, as Markdown."""
    return [markdown_text(f"{one.text} {one.command}".strip()) for one in findings(analysis, steps)]


def write_analysis(out: Path, analysis: dict[str, Any], steps: NextSteps = NOWHERE) -> list[Path]:
    """`analysis.json`, its results as a flat `analysis.csv`, the answer and every table of both outcomes as `analysis.md`; and
    flat `maps.csv` and `ranking.csv` where the study has maps and predictors.

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
    parts = [*answer_paragraphs(analysis, steps), markdown_text(sentence(analysis))]
    parts += [markdown(sheet) for sheet in _general(analysis)]
    parts += [*map(markdown_text, (*rules(analysis), *notes(analysis))), markdown(cell_sheet(analysis))]
    for outcome in analysis["outcomes"]:
        parts += [markdown(sheet) for sheet in sheets(analysis, outcome, everything=True)]
    parts += [*map(markdown, map_sheets(analysis)), *map(markdown_text, map_notes(analysis))]
    parts += [*map(markdown, over_time_sheets(analysis, everything=True)), *map(markdown_text, over_time_notes(analysis))]
    parts += [*map(markdown, data_set_sheets(analysis, everything=True)), *map(markdown_text, data_set_notes(analysis))]
    parts += [*map(markdown, ranking_sheets(analysis, everything=True)), *map(markdown_text, ranking_notes(analysis))]
    write_text(as_markdown, "\n\n".join(parts))
    files = [as_json, as_csv, as_markdown]
    for name, frame in tables.items():
        write_text(out / name, csv_frame(frame).to_csv(index=False))
        files.append(out / name)
    return files
