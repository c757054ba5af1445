"""The analysis of a linear sweep: printed, and as files with the figures of every cell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from rich.console import Console

from study.clean import csv_frame, file_name
from study.figures.figure_2 import tiers
from study.figures.figure_3 import entk_projections
from study.figures.figure_4 import match
from study.figures.figure_5 import loss_and_match
from study.figures.figure_11 import vector_differences
from study.figures.figure_12 import pntk_projections
from study.figures.figure_13 import pntk_values
from study.figures.figure_14 import ntk_match, ntk_values
from study.figures.half_times import half_times_against_theory
from study.figures.linear import kept_rows
from study.figures.style import save, use_our_style
from study.linear_analysis import analyse_linear
from study.linear_sheets import linear_sheets
from study.sheets import markdown, print_sheet

# The report shows one cell with words; these are the pictures of every cell.
FIGURES: dict[str, Callable[[pd.DataFrame, int], Figure]] = {
    "figure_2_loss": tiers,
    "figure_3_projections": entk_projections,
    "figure_4_match": match,
    "figure_5_loss_and_match": loss_and_match,
    "figure_11_vector_differences": vector_differences,
    "figure_12_pntk_projections": pntk_projections,
    "figure_13_pntk_values": pntk_values,
    "figure_14_ntk_match": ntk_match,
    "figure_14_ntk_values": ntk_values,
    "half_times_against_theory": half_times_against_theory,
}


def report_linear(frame: pd.DataFrame, out: Path, console: Console) -> list[Path]:
    """Analyse, print, and write analysis.json, .csv, .md and figures/*.

    Returns:
        the files written.
    """
    analysis = analyse_linear(frame)
    tables = list(linear_sheets(analysis))
    for table in tables:
        print_sheet(console, table)
    as_json, as_csv, as_markdown = (out / f"analysis.{kind}" for kind in ("json", "csv", "md"))
    as_json.write_text(json.dumps(analysis, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    csv_frame(pd.DataFrame(analysis["results"])).to_csv(as_csv, index=False)
    as_markdown.write_text("\n".join(markdown(table) for table in tables), encoding="utf-8")
    files = [as_json, as_csv, as_markdown]
    use_our_style()
    for cell in analysis["cells"]:
        if cell["seed"] is None:
            continue
        rows = kept_rows(frame, cell["cell"])
        for name, draw in FIGURES.items():
            files += save(draw(rows, cell["seed"]), out / "figures", f"{file_name(cell['cell'])}_{name}")
    return files
