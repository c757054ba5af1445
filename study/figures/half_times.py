"""When the linear network learns each mode, against the exact solution of Saxe, McClelland and Ganguli."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.figures.linear import kept_rows, shown_cell
from study.figures.study import Drawn, Missing, Study, folded
from study.figures.style import CYCLE, WIDTH
from study.linear_sheets import score_text

MOST_CELLS = 6


def half_times_against_theory(rows: pd.DataFrame, _seed: int) -> Figure:
    """Measured half-times of every seed of a cell against the exact solution from its start."""
    figure, axis = plt.subplots(figsize=(3.4, 3.2), layout="constrained")
    _panel(axis, rows)
    axis.legend()
    return figure


def _panel(axis: Axes, rows: pd.DataFrame) -> None:
    names = [name for name in rows.columns if re.fullmatch(r"score_half_time_\d+", name)]
    for m, name in enumerate(names):
        theory = rows[name.replace("half_time", "theory_half_time")]
        axis.plot(theory, rows[name], "osD^"[m % 4], color=CYCLE[m % 6], markersize=3, alpha=0.7, label=f"mode {m + 1}")
    axis.plot(axis.get_xlim(), axis.get_xlim(), color="0.4", linewidth=0.8, linestyle=":")
    axis.set(xlabel="half-time by theory (steps)", ylabel="measured (steps)")


def half_times(study: Study) -> Drawn | Missing:
    """Measured half-times of every seed against theory, a panel per cell."""
    shown = shown_cell(study)
    if isinstance(shown, Missing):
        return shown
    linear = shown.study
    found = [entry["cell"] for entry in linear.analysis["cells"] if entry["seed"] is not None]
    cells = sorted(found, key=lambda cell: cell != shown.cell)[:MOST_CELLS]
    columns = min(len(cells), 3)
    lines = -(-len(cells) // columns)
    size = (WIDTH if columns > 1 else 3.6, 2.6 * lines + 0.4)
    figure, axes = plt.subplots(lines, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat[len(cells) :]:
        axis.set_visible(False)
    for axis, cell in zip(axes.flat, cells, strict=False):
        _panel(axis, kept_rows(linear.rows, cell))
        axis.set_title(folded(cell))
    axes[0, 0].legend(fontsize=7)
    ratios = {(r["cell"], r["score"]): score_text(r) for r in linear.analysis["results"]}
    texts = []
    for cell in cells:
        told = [f"mode {m} {ratios[cell, name]}" for m in (1, 2, 3) if (cell, name := f"half_time_over_theory_{m}") in ratios]
        texts.append(f"{cell}: {', '.join(told)}")
    title = "Half-times against the exact solution."
    what = (
        "Step at which a mode has half its singular value, measured and by the exact solution of Saxe, McClelland and Ganguli "
        "from each network's start; a dot per seed and mode, on the dotted line where both agree. Cells: "
        f"{', '.join(cells)}. A mode that a network does not learn by the last step has no dot."
    )
    here = f"Measured / theory, median: {'; '.join(texts)}."
    return shown.drawn(figure, title, what, "", here, single=False)
