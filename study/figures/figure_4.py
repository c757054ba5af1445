"""Figure 4 of the source study: which modes the first and the second singular vector of the eNTK match over training."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from study.figures.linear import mark_steps, match_panel, row_of, shown_cell
from study.figures.study import Drawn, Missing, Study

PAPER = (
    "one network; the first vector goes from mode to mode, the largest first; when it switches to mode 2, the second one "
    "switches from mode 2 to mode 3."
)


def match(rows: pd.DataFrame, seed: int) -> Figure:
    """Cosines of both vectors with every mode of the target."""
    figure, axes = plt.subplots(2, 1, figsize=(5.2, 4.4), sharex=True, layout="constrained")
    row = row_of(rows, seed)
    for axis, rank, label in zip(axes, ("primary", "secondary"), ("first", "second"), strict=True):
        match_panel(axis, row, f"summed_{rank}")
        axis.set_title(f"{label} singular vector of the eNTK", fontsize=9)
    mark_steps(axes, row)
    return figure


def figure_4(study: Study) -> Drawn | Missing:
    """The match of the first (above) and the second singular vector (below) with every mode."""
    shown = shown_cell(study)
    if isinstance(shown, Missing):
        return shown
    figure = match(shown.rows, shown.seed)
    parts = [
        ("the first vector switches to mode 2 at step (median)", "switch_2"),
        (
            "share of seeds whose second vector is mostly at mode 2 before that and mostly at mode 3 after",
            "secondary_pattern_2",
        ),
        ("share whose second vector makes that change at the very switch", "secondary_at_once_2"),
        ("share whose second vector first takes over mode 1, which the first vector leaves", "secondary_swap_2"),
        ("steps from the switch until the second vector leads with mode 3 (median)", "secondary_delay_2"),
    ]
    title = "Figure 4: first and second singular vector of the eNTK go from mode to mode."
    what = (
        "Absolute cosine over training examples of a singular vector of the summed eNTK with every mode of the target; dotted "
        "lines at the source study's steps."
    )
    return shown.drawn(figure, title, what, PAPER, f"{shown.told(parts)}.")
