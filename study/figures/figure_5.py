"""Figure 5 of the source study: the eNTK switches to a mode before the loss drops."""

from __future__ import annotations

from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from study.figures.linear import match_panel, row_of, shown_cell, with_loss
from study.figures.study import Drawn, Missing, Study

PAPER = "one network; the first vector is at mode 2 before step 500, the loss drops for the second time after step 600."


def loss_and_match(rows: pd.DataFrame, seed: int) -> Figure:
    """The loss above, the match of the eNTK's first singular vector below."""
    return with_loss(row_of(rows, seed), [partial(match_panel, vector="summed_primary")])


def figure_5(study: Study) -> Drawn | Missing:
    """Switches of the first singular vector against drops of the loss."""
    shown = shown_cell(study)
    if isinstance(shown, Missing):
        return shown
    figure = loss_and_match(shown.rows, shown.seed)
    parts = [
        part
        for m in (2, 3)
        for part in (
            (f"the first vector switches to mode {m} at step", f"switch_{m}"),
            ("which comes ahead of the first tenth of that tier's drop by steps", f"ahead_of_onset_{m}"),
            ("and ahead of half of the drop by", f"ahead_of_half_{m}"),
        )
    ]
    title = "Figure 5: the eNTK's first singular vector switches before the loss drops."
    what = (
        "Above: the loss. Below: absolute cosine of the first singular vector of the summed eNTK with every mode of the "
        "target. Dotted: the source study's steps."
    )
    return shown.drawn(figure, title, what, PAPER, f"Medians: {shown.told(parts)}.")
