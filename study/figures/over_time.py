"""Until when does the silhouette predict? Its correlation with final losses against the step at which it is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from study.figures.curves import steps_axis
from study.figures.study import Drawn, Missing, Study, listed
from study.figures.style import CYCLE, GREY, WIDTH
from study.over_time_sheets import clear_steps

NOTHING = "the rows hold no structure measured during training (set settings.structure_records)"
APART = 2.5  # points between the bars of two estimators at the same step, which would hide each other
PAPER = "the silhouette is measured at t = 0 only."


def over_time(study: Study) -> Drawn | Missing:
    """A column per phase of measurement, a row per phase and outcome of the loss, a curve per estimator."""
    found = study.analysis.get("over_time")
    if not found:
        return Missing(NOTHING)
    curves = [curve for curve in found["curves"] if curve["contrast"] == study.contrast]
    if not curves:
        reasons = [f"{out['measured']}: {out['reason']}" for out in found["left_out"] if out["contrast"] == study.contrast]
        return Missing(f"{study.contrast} has no curves ({'; '.join(reasons) or 'no silhouettes measured during training'})")
    figure = _panels(curves)
    sizes = sorted({curve["n"] for curve in curves})
    count = " to ".join(map(str, sizes[:: max(len(sizes) - 1, 1)]))
    out = max(curve["left_out_diverged"] + curve["left_out_undefined"] for curve in curves)
    texts = [_told(curve) for curve in curves if clear_steps(curve)]
    clear = f"The band excludes zero somewhere on {len(texts)} of {len(curves)} curves"
    here = f"{clear}{': ' if texts else '.'}{'; '.join(texts)}{'.' if texts else ''}"
    others = [name for name in study.analysis["contrasts"] if name != study.contrast]
    title = "Until when does the silhouette predict?"
    caption = (
        f"{study.contrast}: correlation of pair differences (centred r) of the silhouette, measured at a step of a phase "
        f"(columns), with those of a final loss (rows). n = {count} pairs"
        f"{f', up to {out} more left out (diverged or undefined)' if out else ''}. Bars: pointwise, "
        f"{study.analysis['interval']}. Shaded: {found['band']}; not corrected for the number of curves. "
        f"{f'Not shown: {listed(others)} (`report --contrast`). ' if others else ''}{study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {here} {_ends(curves, study.outcome)}", PAPER, here)


def _panels(curves: Sequence[dict[str, Any]]) -> Figure:
    measured = list(dict.fromkeys(curve["measured"] for curve in curves))
    losses = list(dict.fromkeys((curve["phase"], curve["outcome"]) for curve in curves))
    size = (max(WIDTH, 2.2 * len(measured)), 1.9 * len(losses) + 0.6)
    figure, axes = plt.subplots(
        len(losses), len(measured), figsize=size, sharex="col", sharey=True, squeeze=False, layout="constrained"
    )
    estimators = list(dict.fromkeys(curve["estimator"] for curve in curves))
    for row, (phase, outcome) in enumerate(losses):
        for column, where in enumerate(measured):
            axis = axes[row, column]
            here = [c for c in curves if (c["measured"], c["phase"], c["outcome"]) == (where, phase, outcome)]
            axis.set_visible(bool(here))
            for curve in here:
                place = estimators.index(curve["estimator"])
                shift = APART * (place - (len(estimators) - 1) / 2)
                _correlation(axis, curve, CYCLE[place % len(CYCLE)], shift)
            axis.axhline(0, color=GREY, linewidth=0.8)
            axis.set_ylim(-1, 1)
            axis.tick_params(labelleft=column == 0 or not axes[row, 0].get_visible())
            if here:
                axis.set_title(f"in {where}; final {phase} {outcome} loss")
                axis.set_xlim(right=1.2 * max(here[0]["steps"][-1], 1))
                steps_axis(axis)
        axes[row, 0].set_ylabel("centred r")
    for axis in axes[-1]:
        axis.set_xlabel("step of the phase")
    figure.legend(*axes[-1, -1].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _correlation(axis: Axes, curve: dict[str, Any], colour: str, shift: float) -> None:
    """Draw one curve, its bars and its band; `shift` moves curve and bars to the right, in points."""
    moved = axis.transData + ScaledTranslation(shift / 72, 0, axis.figure.dpi_scale_trans)
    style: dict[str, Any] = {"color": colour, "transform": moved, "clip_on": False}  # step 0 lies on the edge
    r = {part: np.array(curve["centred"][part], dtype=float) for part in ("value", "low", "high", "band_low", "band_high")}
    axis.plot(curve["steps"], r["value"], marker="o", markersize=3, label=curve["estimator"], **style)
    axis.vlines(curve["steps"], r["low"], r["high"], linewidth=1, **style)
    axis.fill_between(curve["steps"], r["band_low"], r["band_high"], color=colour, alpha=0.15, linewidth=0)


def _name(curve: dict[str, Any]) -> str:
    return f"{curve['estimator']} in {curve['measured']}, {curve['phase']} {curve['outcome']} loss"


def _told(curve: dict[str, Any]) -> str:
    """The steps at which a curve can be told from zero, with the sign."""
    values = dict(zip(curve["steps"], curve["centred"]["value"], strict=True))
    return f"{_name(curve)} at step {', '.join(f'{s:,} ({values[s]:.2f})' for s in clear_steps(curve))}"


def _ends(curves: Sequence[dict[str, Any]], outcome: str) -> str:
    """The first and the last correlation of every curve of an outcome, for readers who do not see them."""
    texts = []
    for curve in curves:
        if curve["outcome"] == outcome:
            ends = [
                "undefined" if curve["centred"]["value"][k] is None else f"{curve['centred']['value'][k]:.2f}" for k in (0, -1)
            ]
            texts.append(f"{_name(curve)}: {ends[0]} at step {curve['steps'][0]:,}, {ends[1]} at step {curve['steps'][-1]:,}")
    return f"Centred r: {'; '.join(texts)}."
