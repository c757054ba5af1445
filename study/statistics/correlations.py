"""Statistics of pairs, as functions of pairs and of weights.

A weight says how often a pair counts: all ones for the data as they are, a bootstrap resample otherwise. Weights may
have leading axes, one row a resample; every statistic then is a few matrix products for all resamples at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from study.statistics.pairs import ROUNDING, Pairs

Array = NDArray[np.float64]
Statistic = Callable[[Pairs, Array], Array]

# Below this share of the full data's largest deviation squared, a variance is rounding.
CONSTANT = 1e-12


def pearson(x: Array, y: Array, weights: Array, groups: Array | None = None) -> Array:
    """Weighted Pearson correlation for weights (..., n); NaN where x or y is constant.

    Args:
        x, y: (n,), or (c, n) for c networks that share each weight.
        groups: (G, n) or (G, c, n) membership; means are taken out within each group.
    """
    covariance, variance_x, variance_y = _moments(x, y, weights, groups)
    return _ratio(covariance, variance_x, variance_y)


def _ratio(covariance: Array, variance_x: Array, variance_y: Array) -> Array:
    defined = (variance_x > CONSTANT) & (variance_y > CONSTANT)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(defined, np.clip(covariance / np.sqrt(variance_x * variance_y), -1, 1), np.nan)


def _moments(x: Array, y: Array, weights: Array, groups: Array | None = None) -> tuple[Array, Array, Array]:
    """Covariance and variances within groups, in units of the largest deviations: one matrix product."""
    x, y = _scaled(x), _scaled(y)
    groups = np.ones((1, *x.shape)) if groups is None else groups
    columns = [x * y, x * x, y * y, *(c for g in groups for c in (g, g * x, g * y))]
    per_pair = np.stack([column.reshape(-1, x.shape[-1]).sum(axis=0) for column in columns], axis=1)
    sums = np.moveaxis(weights @ per_pair, -1, 0)
    within, total = sums[:3].copy(), np.zeros(sums.shape[1:])
    for size, sum_x, sum_y in sums[3:].reshape(len(groups), 3, *sums.shape[1:]):
        within -= np.stack([sum_x * sum_y, sum_x**2, sum_y**2]) / np.where(size > 0, size, 1)
        total += size
    covariance, variance_x, variance_y = within / total
    return covariance, variance_x, variance_y


def _scaled(x: Array) -> Array:
    """Centred, largest deviation 1, so that one-pass moments lose no digits."""
    magnitude = np.abs(x).max()
    x = x - x.mean()
    largest = np.abs(x).max()
    return x / largest if largest > ROUNDING * magnitude else np.zeros_like(x)


def _networks(pairs: Pairs) -> tuple[Array, Array]:
    """Predictor and outcome of both networks of each pair, (2, n): they share the pair's weight."""
    return np.stack([pairs.x_first, pairs.x_second]), np.stack([pairs.y_first, pairs.y_second])


def r20(pairs: Pairs, weights: Array) -> Array:
    """The source study's statistic (its footnote 7): over the 2 n networks of n pairs, the correlation of the predictor
    with own minus partner's outcome. With 10 pairs that is 20 rows but 10 units: the outcome column is antisymmetric
    within each pair, so the value is large whenever the two conditions differ in both columns."""
    return pearson(_networks(pairs)[0], np.stack([pairs.dy, -pairs.dy]), weights)


def raw(pairs: Pairs, weights: Array) -> Array:
    """Over the 2 n networks, the correlation of the predictor with the outcome itself."""
    return pearson(*_networks(pairs), weights)


def raw_between(pairs: Pairs, weights: Array) -> Array:
    """The part of `raw` that the two condition means alone give: `raw` = `raw_between` + `raw_within`."""
    return raw(pairs, weights) - raw_within(pairs, weights)


def raw_within(pairs: Pairs, weights: Array) -> Array:
    """The part of `raw` that is left when the mean of each condition (in each stratum) is taken out of the covariance."""
    x, y = _networks(pairs)
    conditions = np.concatenate([np.eye(2)[:, :, None] * stratum for stratum in pairs.strata])
    covariance, _, _ = _moments(x, y, weights, conditions)
    _, variance_x, variance_y = _moments(x, y, weights)
    return _ratio(covariance, variance_x, variance_y)


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
