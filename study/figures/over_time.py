"""Pictures of structure during training: until when silhouettes predict, and the course of structure by condition."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.figures.style import save

LABELS = {
    "cka": "CKA with t = 0",
    "cosine": "cosine with t = 0",
    "velocity": "kernel velocity\n(per unit of log step)",
    "alignment": "kernel-target alignment",
    "effective_rank": "effective rank",
}


def correlation_figure(curves: Sequence[dict[str, Any]]) -> Figure:
    """The centred correlation against the step of measurement, for the curves of one contrast and outcome: a column per phase
    of measurement, a row per phase of the final loss; bars are pointwise intervals, bands hold for all steps at once."""
    measured, losses = (list(dict.fromkeys(curve[key] for curve in curves)) for key in ("measured", "phase"))
    figure, axes = _grid(len(losses), len(measured))
    for row, loss in enumerate(losses):
        for column, phase in enumerate(measured):
            axis = axes[row, column]
            here = [c for c in curves if (c["measured"], c["phase"]) == (phase, loss)]
            if not here:
                axis.set_visible(False)
                continue
            for number, curve in enumerate(here):
                _correlation(axis, curve, f"C{number}")
            axis.axhline(0, color="0.4", linewidth=0.8, linestyle=":")
            axis.set(ylim=(-1, 1), ylabel=f"centred r with final\n{loss} {here[0]['outcome']} loss")
            axis.set_title(f"silhouette measured in {phase}, {here[0]['n']} pairs", fontsize=9)
            _log_steps(axis, here[0]["steps"])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _correlation(axis: Axes, curve: dict[str, Any], colour: str) -> None:
    r = {part: np.array(curve["centred"][part], dtype=float) for part in ("value", "low", "high", "band_low", "band_high")}
    axis.plot(curve["steps"], r["value"], marker="o", markersize=3, color=colour, label=curve["estimator"])
    axis.vlines(curve["steps"], r["low"], r["high"], color=colour, linewidth=1)
    axis.fill_between(curve["steps"], r["band_low"], r["band_high"], color=colour, alpha=0.15, linewidth=0)


def course_figure(courses: Sequence[dict[str, Any]]) -> Figure:
    """Every measure over training, a row per measure and a column per phase: median and 10 to 90 % of each cell's networks."""
    phases, measures = (list(dict.fromkeys(course[key] for course in courses)) for key in ("phase", "measure"))
    figure, axes = _grid(len(measures), len(phases))
    for row, measure in enumerate(measures):
        for column, phase in enumerate(phases):
            axis = axes[row, column]
            for course in (c for c in courses if (c["phase"], c["measure"]) == (phase, measure)):
                low, middle, high = (np.array(course[part], dtype=float) for part in ("q10", "median", "q90"))
                (line,) = axis.plot(course["steps"], middle, marker="o", markersize=3, label=course["cell"])
                axis.fill_between(course["steps"], low, high, color=line.get_color(), alpha=0.2, linewidth=0)
                _log_steps(axis, course["steps"])
            if row == 0:
                axis.set_title(phase, fontsize=9)
            if column == 0:
                axis.set_ylabel(LABELS.get(measure, measure.replace("_", "\n", 1)))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _grid(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    return plt.subplots(rows, columns, figsize=(4 * columns, 2.4 * rows), squeeze=False, layout="constrained")


def _log_steps(axis: Axes, steps: Sequence[int]) -> None:
    """A logarithmic axis that still has a place for step 0."""
    axis.set_xscale("symlog", linthresh=1, linscale=0.5)
    axis.set(xlim=(0, max(steps) * 1.1), xlabel="step")
    axis.set_xticks([0, *(10**k for k in range(len(str(max(steps)))))])
    axis.minorticks_off()


def write_figures(folder: Path, over_time: dict[str, Any]) -> list[Path]:
    """`over_time_<contrast>_<outcome>` for every contrast and outcome, and `over_time_structure`, as SVG and PNG."""
    paths: list[Path] = []
    for name, curves in _by_contrast(over_time["curves"]):
        paths += save(correlation_figure(curves), folder, name)
    if over_time["cells"]:
        paths += save(course_figure(over_time["cells"]), folder, "over_time_structure")
    return paths


def _by_contrast(curves: Sequence[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for contrast, outcome in dict.fromkeys((curve["contrast"], curve["outcome"]) for curve in curves):
        name = re.sub(r"[^A-Za-z0-9_.=+-]+", "_", f"over_time_{contrast}_{outcome}")
        yield name, [c for c in curves if (c["contrast"], c["outcome"]) == (contrast, outcome)]
