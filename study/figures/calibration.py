"""Pictures of the simulations: what r20 says when seeds say nothing, and how often intervals cover."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

ACROSS = 4  # panels of a row


def shift_figure(points: list[dict[str, Any]]) -> Figure:
    """r20 and the centred correlation against the mean shift, one panel per true seed-level correlation."""
    truths = sorted({p["true_r"] for p in points})
    figure, axes = plt.subplots(1, len(truths), figsize=(3 * len(truths), 2.8), sharey=True, squeeze=False)
    for axis, truth in zip(axes[0], truths, strict=True):
        rows = sorted((p for p in points if p["true_r"] == truth), key=lambda p: p["shift"])
        shifts = [row["shift"] for row in rows]
        for name, label, style in (("r20", "r20", "-"), ("centred", "centred r", "--")):
            axis.plot(shifts, [row[name]["median"] for row in rows], style, label=label)
            low, high = ([row[name][end] for row in rows] for end in ("low", "high"))
            axis.fill_between(shifts, low, high, alpha=0.2)
        axis.axhline(truth, color="0.4", linewidth=0.8, linestyle=":")
        axis.set_title(f"true seed-level r = {truth:g}", fontsize=9)
        axis.set_xlabel("shift between conditions (sd)")
    axes[0, 0].set_ylabel(f"correlation, {points[0]['n']} pairs")
    axes[0, -1].legend(loc="lower right")
    return figure


def coverage_figure(points: list[dict[str, Any]]) -> Figure:
    """Coverage of nominal 95 % intervals against the number of pairs, one panel per shape of the losses."""
    shapes = list(dict.fromkeys(p["shape"] for p in points))
    across = min(ACROSS, len(shapes))
    down = -(-len(shapes) // across)
    size = (2.4 * across, 2.4 * down)
    figure, axes = plt.subplots(down, across, figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axis in axes.flat[len(shapes) :]:
        axis.set_visible(False)
    for axis, shape in zip(axes.flat, shapes, strict=False):
        for truth in sorted({p["true_r"] for p in points}):
            rows = sorted((p for p in points if (p["shape"], p["true_r"]) == (shape, truth)), key=lambda p: p["n"])
            sizes, errors = [row["n"] for row in rows], [1.96 * row["standard_error"] for row in rows]
            axis.errorbar(sizes, [row["coverage"] for row in rows], errors, marker="o", markersize=3, label=f"r = {truth:g}")
        axis.axhspan(0.93, 0.97, color="0.9", zorder=0)
        axis.axhline(0.95, color="0.4", linewidth=0.8, linestyle=":")
        axis.set(xscale="log", title=shape, xlabel="seeds")
        axis.set_xticks(sizes, [str(size) for size in sizes])
        axis.minorticks_off()
    for row in axes:
        row[0].set_ylabel("intervals that hold the truth")
    axes[0, 0].legend(loc="lower right")
    return figure
