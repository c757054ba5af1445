"""Figure 14 of the source study: the plain NTK, which knows no loss, does not follow what is being learned."""

from __future__ import annotations

from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from study.figures.linear import match_panel, row_of, shown_cell, values_panel, with_loss
from study.figures.study import Drawn, Missing, Study

PAPER = (
    "one network; the first singular vector of the NTK is always at mode 1; its three singular values grow at the same time, "
    "and the third is at its maximum before mode 3 is learned."
)
MATCH, VALUES = partial(match_panel, vector="ntk_primary"), partial(values_panel, kernel="ntk")


def ntk_match(rows: pd.DataFrame, seed: int) -> Figure:
    """The figure's left half."""
    return with_loss(row_of(rows, seed), [MATCH])


def ntk_values(rows: pd.DataFrame, seed: int) -> Figure:
    """The figure's right half."""
    return with_loss(row_of(rows, seed), [VALUES])


def figure_14(study: Study) -> Drawn | Missing:
    """Left: the match of the first singular vector; right: the first three singular values; the loss above both."""
    shown = shown_cell(study)
    if isinstance(shown, Missing):
        return shown
    figure = with_loss(shown.row, [MATCH, VALUES])
    share = shown.told([("Share of steps after half-time 1 at which mode 1 leads, median:", "mode1_share_ntk")])
    values = shown.told([(f"value {r}", f"ntk_value_half_max_{r}") for r in (1, 2, 3)])
    modes = shown.told([(f"mode {m}", f"half_time_{m}") for m in (1, 2, 3)])
    title = "Figure 14: the plain NTK does not follow what is being learned."
    what = (
        "Above: the loss. Below, left: absolute cosine of the first singular vector of the plain NTK with every mode of the "
        "target; right: its first three singular values, each as a share of its largest value. Dotted: the source study's "
        "steps."
    )
    here = f"{share}. Median steps at half the maximum: {values}; at which half of a mode is learned: {modes}."
    return shown.drawn(figure, title, what, PAPER, here)
