"""Figure 15 of the source study: figure 8 before averaging, every training pattern."""

from __future__ import annotations

import matplotlib.pyplot as plt

from study.figures.kept import kept_cells
from study.figures.study import Drawn, Missing, Study
from study.figures.style import WIDTH
from study.figures.vectors import PICTURE, by_position, rows_by_output, sorted_entries

PAPER = "standard: clear blocks, by m when sorted by input and by g2 when sorted by task; large: none."


def figure_15(study: Study) -> Drawn | Missing:
    """A row per initialisation; training patterns sorted by input (left) and by task (right)."""
    cells = kept_cells(study, swapped=False)
    if isinstance(cells, Missing):
        return cells
    figure, axes = plt.subplots(len(cells), 2, figsize=(WIDTH, 2.4 * len(cells)), layout="constrained")
    for line, cell in zip(axes, cells, strict=True):
        for axis, grouping in zip(line, ("input", "task"), strict=True):
            entries, starts = sorted_entries(cell, grouping)
            image = axis.imshow(entries[by_position(cell)], **PICTURE)
            rows_by_output(axis, cell, labelled=grouping == "input")
            axis.set_xticks(starts, [])
            figure.colorbar(image, ax=axis, shrink=0.8)
            if cell is cells[0]:
                axis.set_title(f"sorted by {grouping}")
        line[0].set_ylabel(cell.label)
    figure.supxlabel("training patterns; a tick where a group begins", fontsize="medium")
    draw = cells[0].draws[0]
    title = "Figure 15: first vectors of the t = 0 eNTK, every training pattern."
    caption = (
        f"Absolute entries of the first vector (estimator {cells[0].vectors(draw)[0]}) of each output's eNTK before training; "
        f"rows as in figure 8. {entries.shape[1]} training patterns; one network per row of panels, seed {draw.seed}: no "
        f"interval. {study.source}"
    )
    return Drawn(figure, title, caption, f"{title} Figure 8 has its averages and their numbers.", PAPER, "see figure 8.")
