"""Pareto fronts and their hypervolume."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def oriented(values: ArrayLike, modes: list[str]) -> Array:
    """(n, objectives) values with every objective to be made small."""
    signs = np.array([1.0 if mode == "min" else -1.0 for mode in modes])
    return np.asarray(values, float).reshape(-1, len(modes)) * signs


def front(values: Array) -> list[int]:
    """Places of the points that no other point is at least as good as in every objective and better in one.

    Args:
        values: (n, objectives), every objective to be made small.
    """
    found = []
    for place, point in enumerate(values):
        others = (values <= point).all(axis=1) & (values < point).any(axis=1)
        if not others.any():
            found.append(place)
    return found


def hypervolume(values: Array, reference: Array) -> float:
    """The volume that points dominate, up to a reference point that is worse in every objective.

    By slices along the last objective, as in While et al. (2006): exact, and quick for the few points of a scan.
    """
    inside = values[(values < reference).all(axis=1)]
    if not len(inside):
        return 0.0
    if inside.shape[1] == 1:
        return float(reference[0] - inside.min())
    inside = inside[np.argsort(inside[:, -1], kind="stable")]
    ends = np.append(inside[1:, -1], reference[-1])
    volume = 0.0
    for count, (start, end) in enumerate(zip(inside[:, -1], ends, strict=True), start=1):
        if end > start:
            volume += (end - start) * hypervolume(inside[:count, :-1], reference[:-1])
    return volume
