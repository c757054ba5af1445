"""Figure 2 of the source study: the loss of the linear network falls in tiers."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from study.figures.linear import row_of, shown_cell
from study.figures.study import Drawn, Missing, Study
from study.figures.style import BLACK, BLUE

PAPER = "one network; the loss falls in steps with plateaus between them, training and test loss nearly the same."


def tiers(rows: pd.DataFrame, seed: int) -> Figure:
    """The loss of all seeds of a cell, and of one."""
    figure, axis = plt.subplots(figsize=(5.2, 3), layout="constrained")
    row = row_of(rows, seed)
    low, middle, high = np.quantile(np.stack(rows["curve_linear_train"].to_list()), [0.1, 0.5, 0.9], axis=0)
    axis.fill_between(row["curve_linear_steps"], low, high, color=BLUE, alpha=0.25, linewidth=0)
    axis.plot(row["curve_linear_steps"], middle, color=BLUE, label=f"median of {len(rows)} seeds")
    axis.plot(row["curve_linear_steps"], row["curve_linear_train"], "--", color=BLACK, label=f"seed {seed}")
    axis.set(yscale="log", xlabel="gradient step", ylabel="loss (train = test)")
    axis.legend()
    return figure


def figure_2(study: Study) -> Drawn | Missing:
    """Loss over training: median and middle eight tenths of seeds, and the typical seed."""
    shown = shown_cell(study)
    if isinstance(shown, Missing):
        return shown
    figure = tiers(shown.rows, shown.seed)
    here = "Step at which the loss has lost half of a tier, median: "
    here += shown.told([(f"tier {m}", f"loss_drop_half_{m}") for m in (1, 2, 3)]) + "."
    title = "Figure 2: the loss of the linear network falls in tiers."
    what = (
        f"Mean squared error over training; test and training examples are the same. Band: the middle eight tenths of seeds. "
        f"Dashed: seed {shown.seed}, whose first two half-times are nearest to the medians."
    )
    return shown.drawn(figure, title, what, PAPER, here, single=False)
