"""Figure 11 of the source study: singular vectors of both kernels against the target's, entry by entry."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from study.figures.linear import marks_of, matrix, row_of, shown_cell
from study.figures.study import Drawn, Missing, Study

PAPER = (
    "one network; at step 190 the ePNTK holds most of mode 1 while the eNTK still refines it, at step 770 it holds modes 1 "
    "and 2 and the eNTK is learning mode 2."
)


def vector_differences(rows: pd.DataFrame, seed: int) -> Figure:
    """Absolute differences between left singular vectors of the target and of both kernels; the eNTK's are compared with
    the target's from the mode on that is being learned at the mark."""
    row = row_of(rows, seed)
    marks = marks_of(row)
    modes = np.linalg.svd(matrix(row, "target"), full_matrices=False)[0][:, : len(row["singular_values"].split(","))]
    figure, axes = plt.subplots(len(marks), 2, figsize=(5.5, 2.5 * len(marks)), squeeze=False, layout="constrained")
    for number, mark in enumerate(marks):
        for axis, kernel, first in zip(axes[number], ("weight_change", "pntk"), (number, 0), strict=True):
            found = np.linalg.svd(matrix(row, f"{kernel}_step{mark}"), full_matrices=False)[0]
            wanted = modes[:, first:]
            found = found[:, : wanted.shape[1]]
            image = axis.imshow(np.abs(wanted - found * np.sign((wanted * found).sum(axis=0))), vmin=0, vmax=1, cmap="cividis")
            axis.set_xticks(range(wanted.shape[1]), [str(first + m + 1) for m in range(wanted.shape[1])])
            axis.set(title=f"{'ePNTK' if kernel == 'pntk' else 'eNTK'}, step {mark}", yticks=range(len(wanted)))
            axis.set(xlabel="target mode", ylabel="entry")
    figure.colorbar(image, ax=axes, label="|difference|", shrink=0.7)
    return figure


def figure_11(study: Study) -> Drawn | Missing:
    """A row per mark, the eNTK on the left, the path-integrated kernel on the right."""
    shown = shown_cell(study)
    if isinstance(shown, Missing):
        return shown
    figure = vector_differences(shown.rows, shown.seed)
    marks, modes = shown.marks, (1, 2, 3)
    parts = [(f"mode {m} at step {mark}:", f"learned_{m}_step{mark}") for mark in marks for m in modes]
    title = "Figure 11: what is being learned (eNTK) and what has been learned (ePNTK)."
    what = (
        "Absolute differences between left singular vectors of the target and of a kernel, a column per mode and a row per "
        "entry; columns of the eNTK begin with the mode that is being learned at the step."
    )
    here = f"Held by the ePNTK, as a share of the target's singular value, median: {shown.told(parts)}."
    return shown.drawn(figure, title, what, PAPER, here)
