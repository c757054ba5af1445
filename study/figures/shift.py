"""r20 against the shift between conditions: where a study's contrasts lie on the curve that needs no seed-level link."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from study.figures.study import Drawn, Missing, Study, short
from study.figures.style import BLUE, GREY, RED, WIDTH
from study.statistics.pairs import Pairs
from study.statistics.simulation import shift_study

REPETITIONS, MOST_SIMULATED = 400, 1000


def shift_of(pairs: Pairs) -> float:
    """The geometric mean of the two d_z: mean paired difference over its standard deviation, of predictor and outcome."""
    d_z = [difference.mean() / max(difference.std(ddof=1), 1e-300) for difference in (pairs.dx, pairs.dy)]
    return float(np.sqrt(abs(d_z[0] * d_z[1])))


def _ends(results: list[dict[str, Any]], signs: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Values turned so that the condition effect is positive, and the lengths of their intervals' arms."""
    values = np.array([sign * result["value"] for result, sign in zip(results, signs, strict=True)])
    arms = []
    for result, sign, value in zip(results, signs, values, strict=True):
        ends = [value] * 2 if result["low"] is None else sorted((sign * result["low"], sign * result["high"]))
        arms.append((max(value - ends[0], 0.0), max(ends[1] - value, 0.0)))
    return values, np.array(arms).T


def shift(study: Study) -> Drawn | Missing:
    """r20 and the centred correlation of every contrast and phase over the simulated curve without a seed-level link."""
    places, signs, found, sizes, names = [], [], [], [], []
    for contrast in study.analysis["contrasts"]:
        for phase in study.phases:
            every = (study.result(contrast, phase, study.outcome, study.predictor, s) for s in ("r20", "centred"))
            two = [result for result in every if result is not None and result["value"] is not None]
            if len(two) < 2:
                continue
            pairs = study.pairs(contrast, phase, study.outcome, study.predictor)
            places.append(shift_of(pairs))
            signs.append(float(np.sign(pairs.dx.mean() * pairs.dy.mean())) or 1.0)
            found.append(two)
            sizes.append(len(pairs))
            names.append(f"{contrast}, {phase}")
    if not places:
        return Missing(f"no contrast has both an r20 and a centred correlation of {study.predictor}")
    simulated = min(min(sizes), MOST_SIMULATED)
    grid = [float(x) for x in np.linspace(0, max(5.0, 1.05 * max(places)), 14)]
    points = shift_study(grid, [0.0], simulated, REPETITIONS)
    figure, axis = plt.subplots(figsize=(WIDTH, 3.8), layout="constrained")
    for name, colour, style in (("r20", BLUE, "-"), ("centred", RED, "--")):
        label = f"{name.replace('centred', 'centred r')} without a link between seeds"
        axis.plot(grid, [point[name]["median"] for point in points], style, color=colour, label=label)
        low, high = ([point[name][end] for point in points] for end in ("low", "high"))
        axis.fill_between(grid, low, high, color=colour, alpha=0.15, linewidth=0)
    for number, (label, colour, marker) in enumerate((("r20", BLUE, "o"), ("centred r", RED, "D"))):
        values, arms = _ends([two[number] for two in found], signs)
        axis.errorbar(places, values, arms, fmt=marker, color=colour, markersize=5, elinewidth=1, label=f"this study: {label}")
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.set(xlabel="shift between conditions, d_z (sd of pair differences)", ylabel="correlation, condition effect positive")
    axis.set_ylim(-1, 1.05)
    figure.legend(loc="outside upper center", ncols=2, fontsize="small")
    rows = [
        f"{name}: d_z {place:.2g}, r20 {sign * two[0]['value']:.2f}, centred r {sign * two[1]['value']:.2f}"
        for name, place, sign, two in zip(names, places, signs, found, strict=True)
    ]
    span = f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    title = "r20 against the shift between conditions."
    caption = (
        f"Lines and bands: median and 95 % range of {REPETITIONS} simulated studies of {simulated} pairs whose seeds are not "
        f"linked at all; blue r20, red dashed the centred correlation. Points: the contrasts and phases of this study, "
        f"n = {span} pairs each, {short(study.predictor)} against final {study.outcome} loss, at the geometric mean of the d_z "
        f"of both, signs turned so that the condition effect is positive; bars: {study.analysis['interval']}. An r20 on the "
        f"blue line is what conditions alone give; below it, pairs share something. {study.source}"
    )
    paper = "r20 between .757 and .973 in size, read as prediction by the silhouette."
    return Drawn(
        figure, title, caption, f"{title} {'; '.join(rows)}.", paper, f"signs as in the figure: {'; '.join(rows[:12])}."
    )
