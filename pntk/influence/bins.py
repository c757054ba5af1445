"""Stretches of training of equal path, so that a unit can be driven through all of it in a few steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def edges_of(path: NDArray[np.float64], bins: int | None) -> NDArray[np.int64]:
    """Where bins begin and end.

    Args:
        path: (K,) length that the errors travel in each step: rate times the sum of their sizes.
        bins: at most so many, of equal path as far as whole steps allow; None for one a step.

    Returns:
        increasing step numbers, the first 0 and the last K.

    Raises:
        ValueError: fewer than one bin.
    """
    steps = len(path)
    if bins is None or bins >= steps:
        return np.arange(steps + 1)
    if bins < 1:
        raise ValueError(f"bins = {bins}: must be at least 1")
    before = np.concatenate([[0.0], np.cumsum(path)])
    inner = np.searchsorted(before, before[-1] * np.arange(1, bins) / bins)
    return np.unique(np.concatenate([[0], inner, [steps]])).astype(np.int64)


def places(path: NDArray[np.float64], edges: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(K,) the bin of each step, and how far into its bin's path it starts (0 at the bin's first step)."""
    before = np.concatenate([[0.0], np.cumsum(path)])
    number = np.searchsorted(edges, np.arange(len(path)), side="right") - 1
    length = before[edges[number + 1]] - before[edges[number]]
    return number, np.divide(before[:-1] - before[edges[number]], length, out=np.zeros(len(path)), where=length > 0)
