"""Statistics of pairs, as functions of pairs and of weights.

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

# Below this share of the full data's largest deviation squared, a variance is rounding.
CONSTANT = 1e-12


def pearson(x: Array, y: Array, weights: Array, strata: Array | None = None) -> Array:
    """Weighted Pearson correlation of x and y (n,) for weights (..., n); NaN where x or y is constant.

    Args:
        strata: (S, n) membership; means are taken out within each stratum.
    """
    covariance, variance_x, variance_y = _moments(x, y, weights, strata)
    defined = (variance_x > CONSTANT) & (variance_y > CONSTANT)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = covariance / np.sqrt(variance_x * variance_y)
    return np.where(defined, np.clip(r, -1, 1), np.nan)


def _moments(x: Array, y: Array, weights: Array, strata: Array | None) -> tuple[Array, Array, Array]:
    """Covariance and variances within strata, in units of the largest deviations."""
    x, y = _scaled(x), _scaled(y)
    total = weights.sum(axis=-1)
    products = weights @ np.stack([x * x, y * y, x * y], axis=1)
    groups = np.ones((1, len(x))) if strata is None else strata
    means = np.zeros(products.shape)
    for group in groups:
        size, sum_x, sum_y = np.moveaxis(weights @ np.stack([group, group * x, group * y], axis=1), -1, 0)
        safe = np.where(size > 0, size, 1)
        means += np.stack([sum_x**2, sum_y**2, sum_x * sum_y], axis=-1) / safe[..., None]
    variance_x, variance_y, covariance = np.moveaxis((products - means) / total[..., None], -1, 0)
    return covariance, variance_x, variance_y


def _scaled(x: Array) -> Array:
    """Centred, largest deviation 1, so that one-pass moments lose no digits."""
    x = x - x.mean()
    largest = np.abs(x).max()
    return x / largest if largest > 0 else x


def _both(first: Array, second: Array) -> Array:
    return np.concatenate([first, second], axis=-1)


def r20(pairs: Pairs, weights: Array) -> Array:
    """The source study's statistic (its footnote 7): over the 2 n networks of n pairs, the correlation of the predictor
    with own minus partner's outcome. With 10 pairs that is 20 rows but 10 units: the outcome column is antisymmetric
    within each pair, so the value is large whenever the two conditions differ in both columns."""
    return pearson(_both(pairs.x_first, pairs.x_second), _both(pairs.dy, -pairs.dy), _both(weights, weights))


def raw(pairs: Pairs, weights: Array) -> Array:
    """Over the 2 n networks, the correlation of the predictor with the outcome itself."""
    return pearson(_both(pairs.x_first, pairs.x_second), _both(pairs.y_first, pairs.y_second), _both(weights, weights))


def raw_between(pairs: Pairs, weights: Array) -> Array:
    """The part of `raw` that the two condition means alone give: `raw` = `raw_between` + `raw_within`."""
    return raw(pairs, weights) - raw_within(pairs, weights)


def raw_within(pairs: Pairs, weights: Array) -> Array:
    """The part of `raw` that is left when each condition's mean is taken out of the covariance."""
    x, y = _both(pairs.x_first, pairs.x_second), _both(pairs.y_first, pairs.y_second)
    weights = _both(weights, weights)
    n = len(pairs)
    conditions = np.stack([np.repeat([1.0, 0.0], n), np.repeat([0.0, 1.0], n)])
    covariance, _, _ = _moments(x, y, weights, conditions)
    _, variance_x, variance_y = _moments(x, y, weights, None)
    defined = (variance_x > CONSTANT) & (variance_y > CONSTANT)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(defined, covariance / np.sqrt(variance_x * variance_y), np.nan)


def centred(pairs: Pairs, weights: Array) -> Array:
    """Over the n pairs, the correlation of the predictor's difference with the outcome's difference. Means are taken
    out (within strata), so a shift common to all pairs, the condition effect, contributes nothing: this is the
    seed-level question."""
    return pearson(pairs.dx, pairs.dy, weights, pairs.strata)


def within_first(pairs: Pairs, weights: Array) -> Array:
    """Over seeds, within the first condition."""
    return pearson(pairs.x_first, pairs.y_first, weights, pairs.strata)


def within_second(pairs: Pairs, weights: Array) -> Array:
    """Over seeds, within the second condition."""
    return pearson(pairs.x_second, pairs.y_second, weights, pairs.strata)


def predictor_difference(pairs: Pairs, weights: Array) -> Array:
    """Mean paired difference of the predictor, first minus second."""
    return _mean(pairs.dx, weights)


def loss_difference(pairs: Pairs, weights: Array) -> Array:
    """Mean paired difference of the outcome, first minus second."""
    return _mean(pairs.dy, weights)


def log10_loss_difference(pairs: Pairs, weights: Array) -> Array:
    """Mean paired difference of log10 of the outcome; NaN where an outcome is not positive."""
    if not ((pairs.y_first > 0).all() and (pairs.y_second > 0).all()):
        return np.full(weights.shape[:-1], np.nan)
    return _mean(np.log10(pairs.y_first) - np.log10(pairs.y_second), weights)


def _mean(values: Array, weights: Array) -> Array:
    return (weights @ values) / weights.sum(axis=-1)


CONDITION_EFFECTS: dict[str, Statistic] = {
    function.__name__: function for function in (predictor_difference, loss_difference, log10_loss_difference)
}
CORRELATIONS: dict[str, Statistic] = {
    function.__name__: function for function in (centred, within_first, within_second, raw, raw_between, raw_within, r20)
}
