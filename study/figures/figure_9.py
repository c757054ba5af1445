"""Figure 9 of the source study: do groups predicted from the t = 0 eNTK come true in hidden activity?"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from study.agreement import PERMUTATIONS, PREDICTIONS, SPACES, Agreements, Inputs, agreements
from study.figures.kept import KeptCell, kept_cells
from study.figures.study import Drawn, Missing, Study
from study.figures.style import BLUE, GREY, RED, WIDTH

LABELS = {
    "stated": "stated by the source study",
    "kernel": "computed from the t = 0 eNTK",
    "one_hot": "control: one-hot inputs",
}
COLOURS = {"stated": BLUE, "kernel": RED, "one_hot": GREY}
STYLES = {"stated": "-", "kernel": "--", "one_hot": ":"}
PAPER = (
    "input groups agree perfectly early in training and the agreement fades; task groups agree perfectly at its end. The task "
    "groups are argued from the eNTK, not computed."
)


def _inputs(cell: KeptCell, grouping: str) -> list[Inputs]:
    found = []
    for draw in cell.draws:
        labels, _ = cell.groups(draw, grouping)
        vectors = cell.vectors(draw, "svd_right")[1]
        activity = cell.activity(draw, grouping)[1]
        found.append(Inputs(cell.environment, grouping, draw.seed, activity, cell.patterns(draw), labels, vectors))
    return found


def _panel(axis: Axes, steps: np.ndarray, found: Agreements, space: str) -> None:
    for name in PREDICTIONS:
        index = found.index[space, name]
        mean, spread = np.nanmean(index, axis=0), np.nanstd(index, axis=0, ddof=1)
        axis.plot(steps, mean, STYLES[name], color=COLOURS[name], label=LABELS[name])
        if name != "one_hot":
            axis.fill_between(steps, mean - spread, mean + spread, color=COLOURS[name], alpha=0.2, linewidth=0)
    axis.plot(steps, np.nanmean(found.chance[space, "stated"], axis=0), color="0.6", linewidth=0.8, label="chance, 95 %")
    axis.set_ylim(-0.45, 1.05)


def _words(name: str, steps: np.ndarray, found: Agreements) -> str:
    """Peak and end of each prediction against M-PHATE groups, mean over networks."""
    parts = []
    for prediction in PREDICTIONS:
        mean = np.nanmean(found.index["M-PHATE", prediction], axis=0)
        p = np.nanmedian(found.p_peak["M-PHATE", prediction])
        peak = int(np.nanargmax(mean))
        parts.append(f"{prediction} peaks at {mean[peak]:.2f} (step {steps[peak]:,}, median p {p:.3f}), ends at {mean[-1]:.2f}")
    return (
        f"{name} groups: {'; '.join(parts)}; computed against stated groups at t = 0 {found.kernel_against_stated.mean():.2f}."
    )


def figure_9(study: Study) -> Drawn | Missing:
    """Top M-PHATE, below hidden activity itself; a column per grouping; standard initialisation."""
    cells = kept_cells(study, swapped=False)
    if isinstance(cells, Missing):
        return cells
    cell = cells[0]
    steps = cell.activity(cell.draws[0], "input")[0]
    if len(cell.draws) < 2 or len(steps) < 30:
        return Missing("it needs at least two kept seeds and 30 snapshots of hidden activity (settings.keep_seeds, snapshots)")
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 5), sharex=True, sharey=True, layout="constrained")
    here = []
    for column, grouping in zip(axes.T, ("input", "task"), strict=True):
        found = agreements(_inputs(cell, grouping))
        for axis, space in zip(column, SPACES, strict=True):
            _panel(axis, steps, found, space)
            axis.set_title(f"{grouping}s, {space}")
        column[-1].set_xlabel("gradient step")
        here.append(_words(grouping, steps, found))
    for axis in axes[:, 0]:
        axis.set_ylabel("adjusted Rand index")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    title = "Figure 9: groups predicted before training and groups found through training."
    caption = (
        f"Adjusted Rand index with k-means groups of M-PHATE coordinates (top) and of hidden activity itself (below), "
        f"{cell.name}, {len(cell.draws)} networks: mean, bands ± s.d. over networks (no interval). Inputs in "
        f"{cell.environment.features} groups, tasks in {cell.environment.stimulus_pools}. Chance: 95th percentile of "
        f"{PERMUTATIONS} permuted predictions at one snapshot; p in the text is of the peak over all snapshots. {study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {' '.join(here)}", PAPER, " ".join(here))
