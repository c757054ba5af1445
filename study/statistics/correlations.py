"""The correlations of a contrast, as functions of pairs and of weights.

A weight says how often a pair counts: all ones for the data as they are, a bootstrap resample otherwise. Weights may
have leading axes, one row a resample; every statistic then is a few matrix products for all resamples at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from study.statistics.pairs import Pairs

Array = NDArray[np.float64]
Statistic = Callable[[Pairs, Array], Array]

# Below this share of the full data's variance, a resample's variance is rounding.
CONSTANT = 1e-12


def pearson(x: Array, y: Array, weights: Array) -> Array:
    """Weighted Pearson correlation of x and y (n,) for weights (..., n); NaN where x or y is constant."""
    x, y = x - x.mean(), y - y.mean()
    scale_x, scale_y = np.abs(x).max(), np.abs(y).max()
    if not (scale_x > 0 and scale_y > 0):
        return np.full(weights.shape[:-1], np.nan)
    x, y = x / scale_x, y / scale_y
    sums = weights @ np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    _, mean_x, mean_y, square_x, square_y, product = np.moveaxis(sums / sums[..., :1], -1, 0)
    variance_x, variance_y = square_x - mean_x**2, square_y - mean_y**2
    defined = (variance_x > CONSTANT) & (variance_y > CONSTANT)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (product - mean_x * mean_y) / np.sqrt(variance_x * variance_y)
    return np.where(defined, np.clip(r, -1, 1), np.nan)


def _both(first: Array, second: Array) -> Array:
    return np.concatenate([first, second], axis=-1)


def r20(pairs: Pairs, weights: Array) -> Array:
    """The source study's statistic (its footnote 7): over the 2 n networks of n pairs, the correlation of the predictor
    with own minus partner's outcome. With 10 pairs that is 20 rows but 10 units: the outcome column is antisymmetric
    within each pair, so the value is large whenever the two conditions differ in both columns."""
    difference = pairs.y_first - pairs.y_second
    return pearson(_both(pairs.x_first, pairs.x_second), _both(difference, -difference), _both(weights, weights))


def raw(pairs: Pairs, weights: Array) -> Array:
    """Over the 2 n networks, the correlation of the predictor with the outcome itself."""
    return pearson(_both(pairs.x_first, pairs.x_second), _both(pairs.y_first, pairs.y_second), _both(weights, weights))


def centred(pairs: Pairs, weights: Array) -> Array:
    """Over the n pairs, the correlation of the predictor's difference with the outcome's difference. Means are taken
    out, so a shift common to all pairs (the condition effect) contributes nothing: this is the seed-level question."""
    return pearson(pairs.x_first - pairs.x_second, pairs.y_first - pairs.y_second, weights)


def within_first(pairs: Pairs, weights: Array) -> Array:
    """Over seeds, within the first condition."""
    return pearson(pairs.x_first, pairs.y_first, weights)


def within_second(pairs: Pairs, weights: Array) -> Array:
    """Over seeds, within the second condition."""
    return pearson(pairs.x_second, pairs.y_second, weights)


STATISTICS: dict[str, Statistic] = {
    function.__name__: function for function in (r20, raw, centred, within_first, within_second)
}
