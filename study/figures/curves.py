"""Loss curves of pairs of networks, and the two panels that figures 10 and 18 share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from study.figures.study import Drawn, Missing, Study, folded, listed
from study.figures.style import BLUE, GREY, RED, WIDTH
from study.statistics.counts import count_of
from study.statistics.pairs import diverged_pairs, joined

Array = NDArray[np.float64]
SIDES = ("first", "second")
COLOURS = dict(zip(SIDES, (BLUE, RED), strict=True))
STYLES = dict(zip(SIDES, ("-", "--"), strict=True))
MOST_CONTRASTS = 2


@dataclass(frozen=True)
class PairCurves:
    """Losses of both networks of n pairs at S steps.

    Attributes:
        seeds: (n,).
        steps: (S,) gradient steps since the phase began, those at which all networks were looked at.
        losses: "first" and "second", (n, S) mean squared errors.
        diverged: pairs left out because a network of theirs diverged.
    """

    seeds: NDArray[np.int64]
    steps: NDArray[np.int64]
    losses: dict[str, Array]
    diverged: int

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def difference(self) -> Array:
        """(n, S) second minus first, as the source study draws it (large minus standard)."""
        return self.losses["second"] - self.losses["first"]


def phases_with_curves(study: Study) -> list[str]:
    """Phases whose curves the rows hold, in order."""
    return [phase for phase in study.phases if f"curve_{phase}_steps" in study.rows]


def pair_curves(study: Study, cells: tuple[str, str], phase: str, kind: str) -> PairCurves | None:
    """Curves of a phase for the pairs of two cells; None where fewer than two pairs have them.

    Args:
        kind: "train" or "test".
    """
    frame = joined(study.rows, [cells])
    left_out = diverged_pairs(frame)
    columns = [f"curve_{phase}_{what}_{side}" for what in ("steps", kind) for side in SIDES]
    if any(column not in frame for column in columns):
        return None
    held = frame[columns].map(np.ndim).eq(1).all(axis=1).to_numpy()
    kept = frame[held & ~left_out]
    if len(kept) < 2:
        return None
    common = reduce(np.intersect1d, (values for column in columns[:2] for values in kept[column]))
    if len(common) < 2:
        return None
    losses = {}
    for side in SIDES:
        rows = zip(kept[f"curve_{phase}_steps_{side}"], kept[f"curve_{phase}_{kind}_{side}"], strict=True)
        losses[side] = np.array([np.asarray(values)[_last_at(steps, common)] for steps, values in rows], dtype=np.float64)
    return PairCurves(kept["seed"].to_numpy(dtype=np.int64), common, losses, int(left_out.sum()))


def _last_at(steps: NDArray[np.int64], common: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the common steps are; of a step looked at twice (the end of one turn, the start of the next) the later."""
    return np.searchsorted(steps, common, side="right") - 1


def regime(study: Study, tuned: bool) -> list[tuple[str, tuple[str, str]]] | Missing:
    """Contrasts of two initial scales in a training regime of the source study.

    Args:
        tuned: whether the learning rates differ (LR-tuned) or are the same (baseline).
    """
    found = []
    for name, pairs in study.analysis["contrasts"].items():
        if len(pairs) != 1 or any(cell not in set(study.rows["cell"]) for cell in pairs[0]):
            continue
        first, second = pairs[0]
        scales = [study.setting(cell, "init_scale") for cell in (first, second)]
        rates = [[phase["learning_rate"] for phase in study.phase_settings(cell)] for cell in (first, second)]
        if None not in scales and scales[0] != scales[1] and rates[0] and (rates[0] != rates[1]) == tuned:
            found.append((name, (first, second)))
    if not found:
        rates_text = "different learning rates (LR-tuned)" if tuned else "the same learning rate (baseline)"
        return Missing(f"no contrast of this study compares two initial scales at {rates_text}")
    if not phases_with_curves(study):
        return Missing("the rows hold no loss curves (columns curve_<phase>_steps, _train, _test)")
    return sorted(found, key=lambda item: item[0] != study.contrast)


def steps_axis(axis: Axes) -> None:
    """Steps on a logarithmic axis that has room for step 0: curves are looked at in steps that grow."""
    axis.set_xscale("symlog", linthresh=1, linscale=0.3)
    axis.set_xlim(left=0)
    axis.xaxis.set_minor_locator(plt.NullLocator())
    ticks = [0, 1, 10, 100, 1000, 10_000, 100_000]
    axis.set_xticks(ticks[: max(int(np.searchsorted(ticks, axis.get_xlim()[1], side="right")), 2)])
    axis.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k" if value >= 1000 else f"{value:g}")


def _losses(axis: Axes, study: Study, cells: tuple[str, str], curves: PairCurves) -> None:
    """Mean and standard deviation over pairs, per condition."""
    floor = min(values.min() for values in curves.losses.values())
    for side, cell in zip(SIDES, cells, strict=True):
        mean, spread = curves.losses[side].mean(axis=0), curves.losses[side].std(axis=0, ddof=1)
        axis.plot(curves.steps, mean, STYLES[side], color=COLOURS[side], label=study.label(cell))
        low = np.maximum(mean - spread, floor)
        axis.fill_between(curves.steps, low, mean + spread, color=COLOURS[side], alpha=0.2, linewidth=0)
    axis.set_yscale("log")
    steps_axis(axis)


def _differences(axis: Axes, curves: PairCurves) -> None:
    mean, spread = curves.difference.mean(axis=0), curves.difference.std(axis=0, ddof=1)
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.plot(curves.steps, mean, color="#000000")
    axis.fill_between(curves.steps, mean - spread, mean + spread, color=GREY, alpha=0.3, linewidth=0)
    axis.set_yscale("symlog", linthresh=1e-3, linscale=0.7)
    axis.set_yticks([-0.1, -0.01, -0.001, 0, 0.001, 0.01, 0.1])
    axis.yaxis.set_minor_locator(plt.NullLocator())
    reach = 1.5 * float(np.abs([mean - spread, mean + spread]).max())
    axis.set_ylim(-reach, reach)
    steps_axis(axis)


def losses_and_differences(study: Study, tuned: bool, title: str, paper: str) -> Drawn | Missing:
    """Test losses per condition above their paired differences, a column per phase: figures 10 and 18."""
    found = regime(study, tuned)
    if isinstance(found, Missing):
        return found
    shown, phases = found[:MOST_CONTRASTS], phases_with_curves(study)
    figure, axes = plt.subplots(
        2 * len(shown), len(phases), figsize=(WIDTH, 3.6 * len(shown)), squeeze=False, sharey="row", layout="constrained"
    )
    texts, sizes, diverged = [], [], 0
    for place, (name, cells) in enumerate(shown):
        for column, phase in enumerate(phases):
            upper, lower = axes[2 * place : 2 * place + 2, column]
            curves = pair_curves(study, cells, phase, "test")
            upper.set_title(folded(f"{name}, {phase}"))
            if curves is None:
                upper.text(0.5, 0.5, "no curves of pairs", ha="center", transform=upper.transAxes)
                continue
            _losses(upper, study, cells, curves)
            _differences(lower, curves)
            lower.set_xlabel("gradient steps")
            sizes.append(len(curves))
            diverged = max(diverged, curves.diverged)
            texts.append(lead(name, cells, phase, curves))
        axes[2 * place, 0].set_ylabel("test loss")
        axes[2 * place + 1, 0].set_ylabel(folded(f"test loss, {cells[1]} minus {cells[0]}", 26))
        axes[2 * place, 0].legend(loc="lower left", fontsize="small")
    if not texts:
        plt.close(figure)
        return Missing("fewer than two pairs have loss curves at common steps")
    caption = (
        f"Test loss (mean squared error) over training, mean per condition (top), and its paired difference (below). Bands: "
        f"one standard deviation over pairs, cut at the smallest loss on the logarithmic axis. {count_text(sizes, diverged)} "
        f"{others(found[MOST_CONTRASTS:])}{study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {' '.join(texts)}", paper, " ".join(texts))


def lead(contrast: str, cells: tuple[str, str], phase: str, curves: PairCurves) -> str:
    """Who ends lower, in how many pairs, and who was lower before."""
    first, second = cells
    mean, final = curves.difference.mean(axis=0), curves.difference[:, -1]
    lower = (final > 0).sum() if mean[-1] > 0 else (final < 0).sum()
    winner, loser = (first, second) if mean[-1] > 0 else (second, first)
    behind = np.sign(mean) == -np.sign(mean[-1])
    before = f"; on average {loser} was lower until step {curves.steps[behind][-1]:,}" if behind[1:].any() else ""
    return (
        f"{contrast}, {phase}: {winner} ends lower in {count_of(int(lower), len(curves), 'pairs')}, difference {second} minus "
        f"{first} at step {curves.steps[-1]:,}: {mean[-1]:.2g}, s.d. {final.std(ddof=1):.2g}{before}."
    )


def count_text(sizes: Sequence[int], diverged: int) -> str:
    """n in a caption."""
    size = f"{sizes[0]}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    out = f", {diverged} more left out because a network diverged" if diverged else ""
    return f"n = {size} pairs{out}."


def others(found: Sequence[tuple[str, tuple[str, str]]]) -> str:
    """What of the same regime a figure does not show."""
    return f"Not shown: {listed([name for name, _ in found])}. " if found else ""
