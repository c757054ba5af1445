"""Pictures of the first vectors of the t = 0 eNTK: figures 8, 15 and 16 of the source study."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pntk.structure.groups import group_means
from study.figures.kept import KeptCell

PICTURE = {"aspect": "auto", "cmap": "cividis", "interpolation": "nearest", "rasterized": True}


def mean_entries(cell: KeptCell, grouping: str) -> np.ndarray:
    """Mean absolute entries of the lowest kept seed's vectors over the patterns of each group, (R, G)."""
    draw = cell.draws[0]
    labels, groups = cell.groups(draw, grouping)
    return group_means(np.abs(cell.vectors(draw)[1]).T, labels, groups).T


def sorted_entries(cell: KeptCell, grouping: str) -> tuple[np.ndarray, list[int]]:
    """Absolute entries (R, M) with patterns in the order of their groups, and where a new group begins."""
    draw = cell.draws[0]
    labels, groups = cell.groups(draw, grouping)
    starts = np.concatenate([[0], np.cumsum(np.bincount(labels, minlength=groups))[:-1]])
    return np.abs(cell.vectors(draw)[1])[:, np.argsort(labels, kind="stable")], starts.tolist()


def by_position(cell: KeptCell) -> np.ndarray:
    """Order of the outputs by position m within the pool, then by pool g2: what the rows of a picture are."""
    pools, features = cell.environment.response_pools, cell.environment.features
    return np.arange(pools * features).reshape(pools, features).T.ravel()


def explained(values: np.ndarray, cell: KeptCell) -> dict[str, float]:
    """Shares of the variance of (R, G) entries around each row's mean that position m, response pool g2, or neither explains.

    A pattern over groups that outputs of one position share, whatever their pool, is due to m, and the other way round.
    """
    pools, features = cell.environment.response_pools, cell.environment.features
    shaped = (values - values.mean(axis=1, keepdims=True)).reshape(pools, features, -1)
    common = shaped.mean(axis=(0, 1))
    total = float((shaped**2).sum())
    position = pools * float(((shaped.mean(axis=0) - common) ** 2).sum()) / total
    pool = features * float(((shaped.mean(axis=1) - common) ** 2).sum()) / total
    return {"m": position, "g2": pool}


def rows_by_output(axis: Axes, cell: KeptCell, labelled: bool) -> None:
    """Name the rows m1 g1, m1 g2, ... and part positions by lines."""
    pools, features = cell.environment.response_pools, cell.environment.features
    for m in range(1, features):
        axis.axhline(m * pools - 0.5, color="white", linewidth=1.5)
    names = [f"m{m + 1} g{g + 1}" for m in range(features) for g in range(pools)] if labelled else []
    axis.set_yticks(range(pools * features) if labelled else [], names, fontsize=6)
