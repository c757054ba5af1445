"""Figure 1: one gradient step of a small network, seen by its kernel."""

from __future__ import annotations

from functools import cache
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from study.figures.study import Drawn, Missing, Study
from study.figures.style import BLACK, BLUE, ORANGE, RED

SEED = 9  # of the weights: the authors'
PAPER = "the prediction of the kernel and the true step coincide, at learning rate .03."
# Dark to light in viridis: points differ in lightness too, for readers who see no colours.
POINT_COLOURS = plt.get_cmap("viridis")


def panels(numbers: dict[str, Any]) -> Figure:
    """Outputs, influence functions, weighted influences, and the predicted against the true change (source study, figure 1).

    Args:
        numbers: `curves` and `points` as `study.one_step.measure` returns them.
    """
    curves, points = numbers["curves"], numbers["points"]
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.4), sharex=True, layout="constrained")
    _outputs(axes[0, 0], curves, points)
    colours = [POINT_COLOURS(0.9 * number / max(1, len(points["x"]) - 1)) for number in range(len(points["x"]))]
    middle = ((axes[0, 1], "influence", "influence $K(x, x_m)$"), (axes[1, 0], "weighted", "change due to one point"))
    for axis, name, label in middle:
        for curve, at, colour in zip(curves[name], points["x"], colours, strict=True):
            axis.plot(curves["x"], curve, color=colour, linewidth=1.4)
            axis.plot([at], [0], "o", color=colour, markersize=5, clip_on=False)
        axis.axhline(0, color="0.7", linewidth=0.6, zorder=0)
        axis.set_ylabel(label, parse_math=True)
    _changes(axes[1, 1], curves)
    for axis in axes[1]:
        axis.set_xlabel("$x$", parse_math=True)
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


@cache
def _measured() -> dict[str, Any]:
    """The numbers of the `one-step` command. They need no study and take seconds, so that no folder holds them."""
    from study.one_step import measure  # late: it needs this module for its own picture

    return measure(SEED)


def figure_1(_study: Study) -> Drawn | Missing:
    """One gradient step of the source study's example, computed afresh."""
    from study.provenance import commit

    numbers = _measured()
    steps = [
        f"rate {e['learning_rate']:g}: largest error {e['largest_error']:.2e}, {e['relative']:.3%} of the largest change "
        f"{e['largest_change']:.3g}; without the {e['switched']:.1%} of inputs where a ReLU switches {e['smooth_error']:.2e}"
        for e in numbers["errors"]
    ]
    spread = {name: [slopes[name] for slopes in numbers["seeds"]] for name in ("largest_error", "smooth_error")}
    told = {name: f"{np.median(v):.2f} [{min(v):.2f}, {max(v):.2f}]" for name, v in spread.items()}
    first, slopes = numbers["errors"][0], numbers["slopes"]
    here = (
        f"the largest error is {first['largest_error']:.1e}, {first['relative']:.3%} of the largest change. As the rate is "
        f"halved it falls with slope {slopes['largest_error']:.2f}, and {slopes['smooth_error']:.2f} where no ReLU switches: a "
        f"first-order prediction, whose error is second order. Over {len(numbers['seeds'])} seeds {told['largest_error']} and "
        f"{told['smooth_error']}."
    )
    title = "Figure 1: one gradient step, predicted by the kernel and true."
    caption = (
        "A 1-100-1 ReLU network on six points. a: output before, after one step of rate .03, and after training; b: influence "
        "of each training point (dot and curve share a colour); c: the same weighted by the loss's slope; d: their sum against "
        f"the true change. n = 1 network (seed {numbers['seed']}). {'; '.join(steps)}. In brackets: least and most of seeds. "
        f"No sweep: computed with this report (`study one-step`), commit {commit()[:12]}."
    )
    return Drawn(panels(numbers), title, caption, f"{title} {here}", PAPER, here)
