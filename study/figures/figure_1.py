"""Figure 1: one gradient step of a small network, seen by its kernel."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from study.figures.style import BLACK, BLUE, ORANGE, RED

# Dark to light in viridis: points differ in lightness too, for readers who see no colours.
POINT_COLOURS = plt.get_cmap("viridis")


def figure_1(numbers: dict[str, Any]) -> Figure:
    """Outputs, influence functions, weighted influences, and the predicted against the true change (source study, figure 1).

    Args:
        numbers: `curves` and `points` as `study.one_step.measure` returns them.
    """
    curves, points = numbers["curves"], numbers["points"]
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.4), sharex=True, layout="constrained")
    _outputs(axes[0, 0], curves, points)
    colours = [POINT_COLOURS(0.9 * number / max(1, len(points["x"]) - 1)) for number in range(len(points["x"]))]
    panels = ((axes[0, 1], "influence", "influence $K(x, x_m)$"), (axes[1, 0], "weighted", "change due to one point"))
    for axis, name, label in panels:
        for curve, at, colour in zip(curves[name], points["x"], colours, strict=True):
            axis.plot(curves["x"], curve, color=colour, linewidth=1.4)
            axis.plot([at], [0], "o", color=colour, markersize=5, clip_on=False)
        axis.axhline(0, color="0.7", linewidth=0.6, zorder=0)
        axis.set_ylabel(label)
    _changes(axes[1, 1], curves)
    for axis in axes[1]:
        axis.set_xlabel("$x$")
    for letter, axis in zip("abcd", axes.flat, strict=True):
        axis.set_title(letter, loc="left", fontweight="bold")
    return figure


def _outputs(axis: Any, curves: dict[str, Any], points: dict[str, Any]) -> None:
    axis.plot(curves["x"], curves["before"], color=BLUE, linestyle=":", label="before")
    axis.plot(curves["x"], curves["after"], color=RED, linestyle="--", label="after one step")
    axis.plot(curves["x"], curves["final"], color=ORANGE, label="after training")
    axis.plot(points["x"], points["target"], "o", color=BLACK, markersize=4, label="training points")
    axis.set_ylabel("output")
    axis.legend(fontsize=7)


def _changes(axis: Any, curves: dict[str, Any]) -> None:
    axis.plot(curves["x"], curves["actual"], color=ORANGE, linewidth=5, alpha=0.6, label="true change in one step")
    axis.plot(curves["x"], curves["predicted"], color=BLACK, linestyle="--", linewidth=1, label="predicted by the kernel")
    axis.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    axis.set_ylabel("change of the output")
    axis.legend(fontsize=7)
