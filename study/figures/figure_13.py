"""Figure 13 of the source study: singular values of the path-integrated kernel jump when the loss drops."""

from __future__ import annotations

from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from study.figures.linear import row_of, shown_cell, values_panel, with_loss
from study.figures.study import Drawn, Missing, Study

PAPER = "one network; each singular value of the ePNTK jumps where the loss drops, the larger ones sooner."


def pntk_values(rows: pd.DataFrame, seed: int) -> Figure:
    """The loss above, singular values of the ePNTK below."""
    return with_loss(row_of(rows, seed), [partial(values_panel, kernel="pntk")])


def figure_13(study: Study) -> Drawn | Missing:
    """How much of each mode has been learned, beside the loss."""
    shown = shown_cell(study)
    if isinstance(shown, Missing):
        return shown
    figure = pntk_values(shown.rows, shown.seed)
    drops = [(f"tier {m}", f"loss_drop_half_{m}") for m in (1, 2, 3)]
    times = [(f"mode {m}", f"half_time_{m}") for m in (1, 2, 3)]
    title = "Figure 13: singular values of the path-integrated kernel jump when the loss drops."
    what = (
        "Above: the loss. Below: the first three singular values of the path-integrated eNTK (forward Euler), each as a share "
        "of its largest value. Dotted: the source study's steps."
    )
    here = (
        f"Median steps at which half of a mode is learned: {shown.told(times)}; at which the loss has lost half of a tier: "
        f"{shown.told(drops)}. The squared error falls sooner than the strength grows, since it is the square of what is left."
    )
    return shown.drawn(figure, title, what, PAPER, here)
