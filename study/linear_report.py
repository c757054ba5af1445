"""The analysis of a linear sweep: printed, and as files with the figures of every cell."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from study.answer import NOWHERE
from study.clean import csv_frame, file_name, markdown_text
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
from study.interim import interim_note
from study.linear_analysis import analyse_linear
from study.linear_sheets import linear_sheets
from study.output import ANALYSIS, answer_paragraphs
from study.sheets import markdown
from study.storage import write_text
from study.written import begin

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


def report_linear(
    frame: pd.DataFrame, out: Path, said: Mapping[str, Any], pictures: bool = True
) -> tuple[dict[str, Any], list[Path], list[str]]:
    """Analyse and write analysis.json, .csv, .md and figures/*.

    Args:
        said: of the folder (`study.extension.remarks`), and `interim` (`study.interim`).
        pictures: whether to draw: 30 figures take longer than all the rest.

    Returns:
        the analysis, the files written, and the names of all figures of these rows, drawn or not.
    """
    analysis = analyse_linear(frame) | dict(said)
    sheets = list(linear_sheets(analysis))
    drawn = [f"{file_name(cell['cell'])}_{name}" for cell in analysis["cells"] if cell["seed"] is not None for name in FIGURES]
    names = [f"figures/{name}.{kind}" for name in drawn for kind in ("svg", "png")]
    begin(out, [*ANALYSIS, *names])
    as_json, as_csv, as_markdown = (out / f"analysis.{kind}" for kind in ("json", "csv", "md"))
    write_text(as_json, json.dumps(analysis, indent=1, allow_nan=False) + "\n")
    write_text(as_csv, csv_frame(pd.DataFrame(analysis["results"])).to_csv(index=False))
    said_first = [*answer_paragraphs(analysis, NOWHERE), *map(markdown_text, filter(None, [interim_note(analysis)]))]
    said_first += map(markdown_text, said["remarks"])
    write_text(as_markdown, "\n\n".join([*said_first, *map(markdown, sheets)]))
    files = [as_json, as_csv, as_markdown]
    if not pictures:
        return analysis, files, names
    use_our_style()
    for cell in analysis["cells"]:
        if cell["seed"] is None:
            continue
        rows = kept_rows(frame, cell["cell"])
        for name, draw in FIGURES.items():
            files += save(draw(rows, cell["seed"]), out / "figures", f"{file_name(cell['cell'])}_{name}")
    return analysis, files, names
