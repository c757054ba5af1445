"""Figure 3 of the source study: the eNTK's first singular vector over examples beside the mode that is being learned."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from study.figures.linear import projections, row_of, shown_cell
from study.figures.study import Drawn, Missing, Study

PAPER = "one network; the first singular vector matches mode 1 at step 190 and mode 2 at step 770, both closely."


def entk_projections(rows: pd.DataFrame, seed: int) -> Figure:
    """Mode 1 at the first mark, mode 2 at the second."""
    return projections(row_of(rows, seed), "weight_change", follows=True)


def figure_3(study: Study) -> Drawn | Missing:
    """The eNTK against mode 1 at the first mark, mode 2 at the second."""
    shown = shown_cell(study)
    if isinstance(shown, Missing):
        return shown
    figure = entk_projections(shown.rows, shown.seed)
    parts = []
    for mode, mark in enumerate(shown.marks, start=1):
        parts.append((f"mode {mode} leads at step {mark} in a share of seeds of", f"lead_summed_step{mark}"))
        parts.append(("with a median cosine of", f"match_summed_step{mark}"))
    title = "Figure 3: the eNTK's first singular vector is the mode that is being learned."
    what = (
        "Per training example, the entry of the first singular vector of the eNTK summed over training examples (crosses), and "
        "the example's projection on the target's mode (circles), both of unit length; the first 60 examples."
    )
    return shown.drawn(figure, title, what, PAPER, f"{shown.told(parts)}.")
