"""Silhouette against final loss, the pairs joined: how much is the condition, how much the seed?"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from study.figures.study import Drawn, Missing, Study, folded, short
from study.figures.style import BLUE, GREY, ORANGE, RED, WIDTH, plain_numbers
from study.statistics.pairs import Pairs
from study.tables import with_interval

FEW = 30  # pairs up to which markers and lines are drawn large
MANY = 600  # more points than this are drawn as pixels, so that files stay small
Array = NDArray[np.float64]


def _fit(axis: Axes, x: Array, y: Array, style: str, colour: str, label: str | None = None) -> None:
    """A least-squares line over the range of x."""
    if np.ptp(x) > 0:
        ends = np.array([x.min(), x.max()])
        axis.plot(ends, np.polyval(np.polyfit(x, y, 1), ends), style, color=colour, linewidth=1.6, label=label, zorder=4)


def _size(pairs: Pairs) -> float:
    """Of a marker: a few networks are to be seen, many are not to hide each other."""
    return 5.5 if len(pairs) <= FEW else 3


def _networks(axis: Axes, pairs: Pairs, names: tuple[str, str]) -> None:
    """Both networks of every pair, joined; the line through the two condition means; the fits within conditions."""
    ends = [[(a, b), (c, d)] for a, b, c, d in zip(pairs.x_first, pairs.y_first, pairs.x_second, pairs.y_second, strict=True)]
    heavy = len(pairs) > MANY
    width, alpha = (0.7, 0.7) if len(pairs) <= FEW else (0.4, 0.35)
    axis.add_collection(LineCollection(ends, colors=GREY, linewidths=width, alpha=alpha, rasterized=heavy, zorder=1))
    sides = ((pairs.x_first, pairs.y_first, BLUE, "o"), (pairs.x_second, pairs.y_second, RED, "^"))
    means = []
    for (x, y, colour, marker), name in zip(sides, names, strict=True):
        axis.plot(
            x, y, marker, color=colour, markersize=_size(pairs), alpha=0.7, markeredgewidth=0, label=name, rasterized=heavy
        )
        means.append((x.mean(), np.exp(np.log(y).mean()) if (y > 0).all() else y.mean()))
    axis.plot(*zip(*means, strict=True), "-", color="#000000", linewidth=2, label="conditions only", zorder=3)
    positive = min(pairs.y_first.min(), pairs.y_second.min()) > 0
    for x, y, *_ in sides:
        if np.ptp(x) > 0:
            line = np.polyfit(x, np.log(y) if positive else y, 1)
            at = np.linspace(x.min(), x.max(), 20)
            fit = np.polyval(line, at)
            label = "seeds within a condition" if x is pairs.x_first else None
            axis.plot(at, np.exp(fit) if positive else fit, "--", color=ORANGE, linewidth=1.8, label=label, zorder=4)
    if positive:
        axis.set_yscale("log")
        plain_numbers(axis)


def _differences(axis: Axes, pairs: Pairs, result: dict[str, Any]) -> None:
    """Pair differences, their means taken out: what is left for the seeds to say."""
    means = (pairs.strata @ np.stack([pairs.dx, pairs.dy], axis=1)) / pairs.strata.sum(axis=1)[:, None]
    x, y = np.stack([pairs.dx, pairs.dy]) - (pairs.strata.T @ means).T
    axis.axhline(0, color=GREY, linewidth=0.5)
    axis.axvline(0, color=GREY, linewidth=0.5)
    heavy = len(pairs) > MANY  # pixels cannot follow the page's theme: grey is seen on both
    colour = GREY if heavy else "#000000"
    axis.plot(x, y, "o", color=colour, markersize=_size(pairs), alpha=0.5, markeredgewidth=0, rasterized=heavy)
    _fit(axis, x, y, "--", ORANGE)
    axis.set_title(folded(f"centred r = {with_interval(result)}", 40), fontsize="medium")


def scatter(study: Study) -> Drawn | Missing:
    """Top: networks, pairs joined by lines. Below: pair differences. A column per phase."""
    contrast, predictor, outcome = study.contrast, study.predictor, study.outcome
    every = [(phase, study.pairs(contrast, phase, outcome, predictor)) for phase in study.phases]
    shown = [(phase, pairs) for phase, pairs in every if len(pairs) >= 2]
    if not shown:
        return Missing(f"{contrast} has fewer than two pairs with a {predictor} and a {outcome} loss")
    cells = study.analysis["contrasts"][contrast]
    names = (study.label(cells[0][0]), study.label(cells[0][1])) if len(cells) == 1 else ("first", "second")
    figure, axes = plt.subplots(2, len(shown), figsize=(WIDTH, 6.2), squeeze=False, layout="constrained")
    texts, papers, counts = [], [], []
    for (upper, lower), (phase, pairs) in zip(axes.T, shown, strict=True):
        found = {s: study.result(contrast, phase, outcome, predictor, s) or {} for s in ("r20", "r20_null", "centred")}
        _networks(upper, pairs, names)
        upper.set_title(folded(f"{phase}: r20 = {with_interval(found['r20'])}", 40), fontsize="medium")
        _differences(lower, pairs, found["centred"])
        upper.set(xlabel=f"silhouette at t = 0 ({short(predictor)})")
        lower.set(xlabel="silhouette, pair difference\nwithout its mean")
        values = {name: with_interval(result).removesuffix("*") for name, result in found.items()}
        texts.append(
            f"{phase}: r20 = {values['r20']}, from the conditions alone {values['r20_null']}; "
            f"between seeds (centred r) {values['centred']}."
        )
        if found["r20"].get("paper") is not None:
            papers.append(f"{phase}: r20 = {found['r20']['paper']:g}")
        counts.append(f"{len(pairs)} in {phase} ({pairs.diverged} left out as diverged, {pairs.undefined} as undefined)")
    axes[0, 0].set_ylabel(f"final {outcome} loss")
    axes[1, 0].set_ylabel(f"final {outcome} loss, pair\ndifference without its mean")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    title = f"Silhouette against final {outcome} loss, {contrast}."
    caption = (
        "Top: every network, the two of a pair joined by a grey line; the black line joins the condition means, which is all "
        "that a condition-only prediction knows; dashed: fits over seeds within each condition. Below: pair differences with "
        f"their mean taken out, the seed-level question. n pairs: {', '.join(counts)}. In brackets "
        f"{study.analysis['interval']}; * covers less than 92.5 %; 'from the conditions alone': median and 95 % range of "
        f"{study.analysis['permutations']:,} random pairings of seeds. {study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {' '.join(texts)}", "; ".join(papers) + "." * bool(papers), " ".join(texts))
