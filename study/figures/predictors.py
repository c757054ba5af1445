"""Predictors side by side: what each says of seeds, and how firmly it can be measured."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from study.figures.study import Drawn, Missing, Study, short
from study.figures.style import BLUE, GREY, ORANGE, RED, WIDTH

SERIES = (("centred", "centred r", RED, "D"), ("r20", "r20", BLUE, "o"))
KINDS = (("reliability_kmeans", "other k-means starts", BLUE, "o"), ("reliability_data", "other data", ORANGE, "s"))


def _values(study: Study, statistic: str, predictor: str, phase: str) -> list[dict[str, float]]:
    """The statistic in every contrast where it has a value."""
    results = (study.result(c, phase, study.outcome, predictor, statistic) for c in study.analysis["contrasts"])
    return [result for result in results if result is not None and result["value"] is not None]


def _panel(axis: Axes, study: Study, phase: str, series: tuple[tuple[str, str, str, str], ...]) -> bool:
    """A row per predictor: one value with its interval, or one dot a contrast and a bar at their median."""
    any_drawn = False
    for number, (statistic, label, colour, marker) in enumerate(series):
        for place, predictor in enumerate(study.predictors):
            found = _values(study, statistic, predictor, phase)
            if not found:
                continue
            y = place + 0.3 * (number - (len(series) - 1) / 2)
            values = [result["value"] for result in found]
            if len(found) == 1 and found[0]["low"] is not None:
                axis.plot([found[0]["low"], found[0]["high"]], [y, y], color=colour, linewidth=1)
            alpha, size = (1.0, 4.0) if len(found) == 1 else (0.5, 3.0)
            text = None if any(line.get_label() == label for line in axis.lines) else label
            axis.plot(
                values, [y] * len(values), marker, color=colour, markersize=size, alpha=alpha, markeredgewidth=0, label=text
            )
            if len(found) > 1:
                axis.plot([np.median(values)], [y], "|", color="#000000", markersize=9, markeredgewidth=1.6)
            any_drawn = True
    axis.axvline(0, color=GREY, linewidth=0.8)
    return any_drawn


def predictors(study: Study) -> Drawn | Missing:
    """Seed-level correlation and r20 of every predictor by phase, and its reliability where it was measured again."""
    names = study.predictors
    if len(names) < 2:
        return Missing(f"the study has {len(names)} predictor, a comparison needs two")
    height = 0.42 * len(names) + 1.6
    figure, axes = plt.subplots(
        1, len(study.phases) + 1, figsize=(WIDTH, height), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, phase in zip(axes[0], study.phases, strict=False):
        _panel(axis, study, phase, SERIES)
        axis.set(title=phase, xlabel=f"correlation, {study.outcome} loss", xlim=(-1.05, 1.05))
    again = axes[0, -1]
    measured = _panel(again, study, study.phases[0], KINDS)
    again.set(title="reliability", xlabel="intraclass correlation", xlim=(-0.25, 1.05))
    if not measured:
        again.text(0.5, 0.5, "not measured\nagain in\nthis sweep", ha="center", va="center", transform=again.transAxes)
    for axis in (axes[0, 0], again)[: 1 + measured]:
        if axis.get_legend_handles_labels()[1]:
            axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1 + 0.25 / height), fontsize="small", handletextpad=0.2)
    axes[0, 0].set_yticks(range(len(names)), [short(name) for name in names])
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
    texts = []
    for phase in study.phases:
        for name in names:
            found = [result["value"] for result in _values(study, "centred", name, phase)]
            if found:
                texts.append(f"{phase}, {short(name)}: {np.median(found):.2f}")
    sizes = sorted({r["n"] for r in study.analysis["results"] if r["statistic"] == "centred"})
    count = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    contrasts = len(study.analysis["contrasts"])
    many = (
        "dots are contrasts, the black stroke their median (intervals: forest plot)"
        if contrasts > 1
        else f"bars: {study.analysis['interval']}"
    )
    title = "Predictors side by side."
    caption = (
        f"Left: correlation with the final {study.outcome} loss over {contrasts} contrast{'s' * (contrasts > 1)}, n = {count} "
        f"pairs each; {many}. Right: how much of a pair difference's variance is there again when the predictor is measured "
        f"again. `inputs` and `input_gram`, where present, are controls that look at no weight. {study.source}"
    )
    return Drawn(figure, title, caption, f"{title} Median centred correlation: {'; '.join(texts)}.")
