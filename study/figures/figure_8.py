"""Figure 8 of the source study: first vectors of the t = 0 eNTK, averaged by input and by task."""

from __future__ import annotations

import matplotlib.pyplot as plt

from study.figures.kept import kept_cells
from study.figures.study import Drawn, Missing, Study
from study.figures.style import WIDTH
from study.figures.vectors import PICTURE, by_position, explained, mean_entries, rows_by_output

PAPER = (
    "standard: by input, the position m decides and the response pool g2 does not; by task, g2 decides and m does not; "
    "large: no such structure."
)


def figure_8(study: Study) -> Drawn | Missing:
    """A row per initialisation; left by input, right by task; rows of a picture are outputs, columns groups."""
    cells = kept_cells(study, swapped=False)
    if isinstance(cells, Missing):
        return cells
    figure, axes = plt.subplots(len(cells), 2, figsize=(WIDTH, 2.4 * len(cells)), layout="constrained")
    here = []
    for line, cell in zip(axes, cells, strict=True):
        for axis, grouping in zip(line, ("input", "task"), strict=True):
            values = mean_entries(cell, grouping)
            image = axis.imshow(values[by_position(cell)], **PICTURE)
            rows_by_output(axis, cell, labelled=grouping == "input")
            axis.set_xticks([])
            figure.colorbar(image, ax=axis, shrink=0.8)
            if cell is cells[0]:
                axis.set_title(f"by {grouping}")
            shares = explained(values, cell)
            here.append(f"{cell.name} by {grouping}: m {shares['m']:.2f}, g2 {shares['g2']:.2f}")
        line[0].set_ylabel(cell.label)
    for axis, name in zip(axes[-1], ("input features, pool by pool", "tasks, by stimulus pool"), strict=True):
        axis.set_xlabel(name)
    draw = cells[0].draws[0]
    title = "Figure 8: first vectors of the t = 0 eNTK, averaged by input and by task."
    text = f"Share of the variance over groups that the position m and the response pool g2 explain: {'; '.join(here)}."
    caption = (
        f"Mean absolute entry of the first vector (estimator {cells[0].vectors(draw)[0]}) of each output's eNTK before "
        f"training, over the training patterns whose task reads a feature (left) or that have a task (right). Rows are "
        f"outputs, position m within the pool first. One network per row of panels, seed {draw.seed}: no interval. "
        f"{study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {text}", PAPER, text)
