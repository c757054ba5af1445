"""Figure 16 of the source study: the control of figure 15, training patterns as they were drawn."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from study.figures.kept import kept_cells
from study.figures.study import Drawn, Missing, Study
from study.figures.style import WIDTH
from study.figures.vectors import PICTURE, by_position, rows_by_output, sorted_entries


def _smoothness(entries: np.ndarray) -> float:
    """Mean correlation of neighbouring patterns' entries, over outputs: 0 where the order says nothing."""
    return float(np.mean([np.corrcoef(row[:-1], row[1:])[0, 1] for row in entries]))


def figure_16(study: Study) -> Drawn | Missing:
    """Standard initialisation, training patterns in the order of their draw."""
    cells = kept_cells(study, swapped=False)
    if isinstance(cells, Missing):
        return cells
    cell, draw = cells[0], cells[0].draws[0]
    name, vectors = cell.vectors(draw)
    entries = np.abs(vectors)
    figure, axis = plt.subplots(figsize=(WIDTH, 2.4), layout="constrained")
    image = axis.imshow(entries[by_position(cell)], **PICTURE)
    rows_by_output(axis, cell, labelled=True)
    axis.set_xlabel("training patterns as drawn")
    figure.colorbar(image, ax=axis)
    orders = {"as drawn": entries, **{f"sorted by {g}": sorted_entries(cell, g)[0] for g in ("input", "task")}}
    here = "; ".join(f"{order} {_smoothness(values):.2f}" for order, values in orders.items())
    title = "Figure 16: the same vectors in the order of the draw, a control."
    text = f"Mean correlation of neighbouring entries: {here}."
    caption = (
        f"Absolute entries of the first vector (estimator {name}) of each output's eNTK before training, {cell.name}, seed "
        f"{draw.seed}, {entries.shape[1]} training patterns: no interval. {study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {text}", "without sorting the vectors look like noise.", text)
