"""The course of structure through training, by condition: how far the kernel moves from where it started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from study.figures.curves import steps_axis
from study.figures.over_time import NOTHING
from study.figures.study import Drawn, Missing, Study, listed
from study.figures.style import CYCLE, WIDTH

LABELS = {
    "cka": "CKA with t = 0",
    "cosine": "cosine with t = 0",
    "velocity": "velocity\n(per unit of log step)",
    "alignment": "kernel-target\nalignment",
    "effective_rank": "effective rank",
}


def structure(study: Study) -> Drawn | Missing:
    """A row per measure, a column per phase, a line per cell."""
    found = study.analysis.get("over_time")
    if not found or not found["cells"]:
        return Missing(NOTHING)
    compared = [cell for pair in study.analysis["contrasts"].get(study.contrast, []) for cell in pair]
    cells = list(dict.fromkeys(course["cell"] for course in found["cells"]))
    cells.sort(key=lambda cell: compared.index(cell) if cell in compared else len(compared))
    shown = cells[: len(CYCLE)]
    courses = [course for cell in shown for course in found["cells"] if course["cell"] == cell]
    figure = _panels(courses, shown)
    networks = sorted({course["networks"] for course in courses})
    count = " to ".join(map(str, networks[:: max(len(networks) - 1, 1)]))
    here = " ".join(_told(courses, measure) for measure in ("cka", "effective_rank", "alignment"))
    others = [cell for cell in cells if cell not in shown]
    title = "Structure through training, by condition."
    caption = (
        "Lines: medians over networks. Bands: the middle eight tenths. CKA and cosine compare the kernel with its own at "
        f"t = 0; velocity is its movement per unit of log step. n = {count} "
        f"networks a cell that did not diverge. {f'Not shown: {listed(others)}. ' if others else ''}{study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {here}", here=here.strip())


def _panels(courses: Sequence[dict[str, Any]], cells: Sequence[str]) -> Figure:
    phases, measures = (list(dict.fromkeys(course[key] for course in courses)) for key in ("phase", "measure"))
    size = (max(WIDTH, 2.2 * len(phases)), 1.5 * len(measures) + 0.8)
    figure, axes = plt.subplots(
        len(measures), len(phases), figsize=size, sharex="col", sharey="row", squeeze=False, layout="constrained"
    )
    for row, measure in enumerate(measures):
        for column, phase in enumerate(phases):
            axis = axes[row, column]
            for course in (c for c in courses if (c["phase"], c["measure"]) == (phase, measure)):
                low, middle, high = (np.array(course[part], dtype=float) for part in ("q10", "median", "q90"))
                colour = CYCLE[cells.index(course["cell"]) % len(CYCLE)]
                axis.plot(course["steps"], middle, marker="o", markersize=3, color=colour, label=course["cell"])
                axis.fill_between(course["steps"], low, high, color=colour, alpha=0.2, linewidth=0)
            if axis.lines:
                steps_axis(axis)
            if row == 0:
                axis.set_title(phase)
        axes[row, 0].set_ylabel(LABELS.get(measure, measure.replace("_", "\n", 1)), fontsize="small")
    for axis in axes[-1]:
        axis.set_xlabel("step of the phase")
    handles: dict[str, Any] = {}
    for axis in axes.flat:
        handles |= {label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=3)
    return figure


def _told(courses: Sequence[dict[str, Any]], measure: str) -> str:
    """The median of a measure at the first and the last step of every phase, cell by cell."""
    texts = []
    for course in (c for c in courses if c["measure"] == measure):
        ends = ["undefined" if course["median"][k] is None else f"{course['median'][k]:.3g}" for k in (0, -1)]
        texts.append(f"{course['cell']}, {course['phase']}: {ends[0]} to {ends[1]} at step {course['steps'][-1]:,}")
    return f"{LABELS[measure].replace(chr(10), ' ')}, median: {'; '.join(texts)}." if texts else ""
