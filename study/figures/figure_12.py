"""Figure 12 of the source study: the path-integrated kernel keeps mode 1 once it is learned."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from study.figures.linear import projections, row_of, shown_cell
from study.figures.study import Drawn, Missing, Study

PAPER = "one network; the first vector of the ePNTK matches mode 1 at step 190 and still does at step 770."


def pntk_projections(rows: pd.DataFrame, seed: int) -> Figure:
    """The ePNTK's first singular vector against mode 1 at every mark."""
    return projections(row_of(rows, seed), "pntk", follows=False)


def figure_12(study: Study) -> Drawn | Missing:
    """The same as figure 3 for the path-integrated kernel, against mode 1 throughout."""
    shown = shown_cell(study)
    if isinstance(shown, Missing):
        return shown
    figure = pntk_projections(shown.rows, shown.seed)
    parts = [(f"at step {mark}", f"most_pntk_step{mark}") for mark in shown.marks]
    title = "Figure 12: the path-integrated kernel remembers mode 1."
    what = (
        "Per training example, the entry of the first singular vector of the path-integrated eNTK (crosses), and the example's "
        "projection on mode 1 of the target (circles), both of unit length; the first 60 examples."
    )
    return shown.drawn(figure, title, what, PAPER, f"The mode that leads in most seeds, and their share: {shown.told(parts)}.")
