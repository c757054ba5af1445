"""M-PHATE pictures of hidden activity through training: figures 7 and 20 of the source study."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
from joblib import Parallel, delayed
from matplotlib.axes import Axes

from pntk.structure.groups import stated_groups
from pntk.structure.mphate import Embedding, mphate
from study.figures.kept import GROUPINGS, KeptCell, kept_cells
from study.figures.study import Drawn, Missing, Study
from study.figures.style import GREY, WIDTH
from study.machine import cores

MOST_POINTS = 1300  # times x groups of one picture: more snapshots than that show nothing more and take minutes


def thinned(steps: np.ndarray, activity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every so many snapshots, the first and last included, so that a picture has about MOST_POINTS points."""
    wanted = max(min(len(steps), MOST_POINTS // activity.shape[1]), 30)
    chosen = np.unique(np.linspace(0, len(steps) - 1, wanted).round().astype(int))
    return steps[chosen], activity[chosen]


def embeddings(snapshots: Iterable[np.ndarray]) -> list[Embedding]:
    """M-PHATE of each set of snapshots, on all cores."""
    return list(Parallel(n_jobs=cores())(delayed(mphate)(activity) for activity in snapshots))


def _panel(axis: Axes, steps: np.ndarray, places: np.ndarray) -> None:
    for item in range(places.shape[1]):
        axis.plot(*places[:, item].T, color=GREY, linewidth=0.5, alpha=0.6, rasterized=True)
    colours = np.repeat(steps / steps[-1], places.shape[1])
    x, y = places.reshape(-1, 2).T
    axis.scatter(x, y, c=colours, cmap="cividis", s=4, linewidths=0, rasterized=True)
    axis.set(xticks=[], yticks=[])


def embedded(study: Study, swapped: bool, title: str, paper: str) -> Drawn | Missing:
    """A row per initialisation, a column per grouping; the lowest kept seed."""
    cells = kept_cells(study, swapped)
    if isinstance(cells, Missing):
        return cells
    jobs = [(cell, grouping) for cell in cells for grouping in GROUPINGS]
    data = [thinned(*cell.activity(cell.draws[0], grouping)) for cell, grouping in jobs]
    if min(len(steps) for steps, _ in data) < 30:
        return Missing("M-PHATE needs at least 30 snapshots of hidden activity (settings.snapshots)")
    found = embeddings(activity for _, activity in data)
    figure, axes = plt.subplots(len(cells), len(GROUPINGS), figsize=(WIDTH, 2.1 * len(cells)), layout="constrained")
    for axis, (cell, grouping), (steps, _), embedding in zip(axes.flat, jobs, data, found, strict=True):
        _panel(axis, steps, embedding.coordinates)
        if cell is cells[0]:
            axis.set_title(GROUPINGS[grouping])
        if grouping == "task":
            axis.set_ylabel(cell.label)
    last = int(data[0][0][-1])
    bar = figure.colorbar(plt.cm.ScalarMappable(plt.Normalize(0, last), "cividis"), ax=axes, shrink=0.6, aspect=30)
    bar.set_label("gradient step")
    stress = ", ".join(f"{e.stress:.2f}" for e in found)
    counts = ", ".join(f"{d[1].shape[1]} {GROUPINGS[g]}" for (_, g), d in zip(jobs[:4], data[:4], strict=True))
    caption = (
        f"M-PHATE of hidden activity in the phase {cells[0].phase}, averaged over the patterns of a group (groups: {counts}; "
        f"inputs are grouped by the feature that their task reads), {len(data[0][0])} snapshots, {len(data[2][0])} of task by "
        f"input; colour runs from the first step (dark) to step {last:,} (light), lines join a group's places. One network per "
        f"row, seed {cells[0].draws[0].seed}: a picture, no statistic (figure 9 has that). Axes have no meaning; share of "
        f"squared distances that is not shown: {stress}. {study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {_words(cells, data, jobs)}", paper, _words(cells, data, jobs))


def _words(cells: list[KeptCell], data: list[tuple[np.ndarray, np.ndarray]], jobs: list[tuple[KeptCell, str]]) -> str:
    """How much of the final distances between groups is shared: spread within stated sets against spread between them."""
    parts = []
    for cell in cells:
        stated = stated_groups(cell.environment)
        for grouping in ("task", "input"):
            steps, activity = next(d for (c, g), d in zip(jobs, data, strict=True) if c is cell and g == grouping)
            early, late = (_within_share(activity[k], stated[grouping]) for k in (2, -1))
            parts.append(f"{cell.name}, {grouping}: {early:.2f} at step {steps[2]:,}, {late:.2f} at the end")
    return (
        "Share of the variance between groups that lies within the expected sets (tasks of one stimulus pool, inputs of one "
        f"position; 0: sets have collapsed to points): {'; '.join(parts)}."
    )


def _within_share(activity: np.ndarray, sets: np.ndarray) -> float:
    """Sum of squares of (G, H) group means around the means of their sets, over that around the common mean."""
    within = sum(((activity[sets == s] - activity[sets == s].mean(axis=0)) ** 2).sum() for s in np.unique(sets))
    return float(within / ((activity - activity.mean(axis=0)) ** 2).sum())
