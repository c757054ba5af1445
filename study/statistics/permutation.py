"""P values by re-randomisation, from one set of permutations (and of sign flips) of seeds for everything.

Cells share seeds, so all comparisons of a study are dependent. Permuting seeds once for all cells, predictors and
outcomes keeps that dependence: the largest statistic over all comparisons under the same permutation gives family-wise p
values (Westfall and Young's max-T) that neither assume independence nor pay for comparisons that say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from study.statistics.correlations import CONSTANT
from study.statistics.pairs import Pairs, within_strata

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

PERMUTATIONS = 10_000


@lru_cache(maxsize=4)
def permutations(units: int, count: int, random_state: int) -> Integers:
    """(count, units) random orders of the seeds."""
    generator = np.random.default_rng([random_state, 1])
    return np.argsort(generator.random((count, units), dtype=np.float32), axis=1)


@lru_cache(maxsize=4)
def sign_flips(units: int, count: int, random_state: int) -> Array:
    """(count, units) random signs."""
    return np.random.default_rng([random_state, 2]).choice([-1.0, 1.0], size=(count, units))


def p_value(observed: float, null: Array) -> float:
    """Two-sided Monte-Carlo p value, the data counted among the null draws so that it is never zero."""
    extreme = int((np.abs(null) >= abs(observed) * (1 - 1e-9)).sum())  # ties but for rounding are ties
    return (extreme + 1) / (len(null) + 1)


def sign_flip_p(pairs: Pairs, differences: Array, count: int = PERMUTATIONS, random_state: int = 0) -> float:
    """P of the mean paired difference: under no effect (and symmetry) each seed's differences may as well change sign."""
    sums = np.bincount(pairs.unit, weights=differences, minlength=pairs.units)
    return p_value(sums.sum(), sign_flips(pairs.units, count, random_state) @ sums)


@dataclass(frozen=True)
class Grid:
    """Differences of pairs laid out by seed and stratum, so that seeds can be permuted as wholes.

    Attributes:
        dx, dy: (units, strata) with 0 where there is no pair.
        present: (units, strata) 1 where there is one.
    """

    dx: Array
    dy: Array
    present: Array


def grid_of(pairs: Pairs, x: Array | None = None, y: Array | None = None) -> Grid:
    """Values of pairs on the grid of their seeds and strata.

    Args:
        x, y: (n,) what is correlated; by default the differences of predictor and outcome.
    """
    x, y = pairs.dx if x is None else x, pairs.dy if y is None else y
    seeds, strata = np.unique(pairs.seed), np.unique(pairs.stratum)
    place = (np.searchsorted(seeds, pairs.seed), np.searchsorted(strata, pairs.stratum))
    dx, dy, present = (np.zeros((len(seeds), len(strata))) for _ in range(3))
    dx[place], dy[place], present[place] = x - x.mean(), y - y.mean(), 1.0
    return Grid(dx, dy, present)


def layout(pairs: Pairs, x: Array | None = None, y: Array | None = None) -> Grid:
    """The grid on which seeds are permuted. Where every seed meets one stratum only, one column of values without the means
    of their strata says the same as a column per stratum, and `exchangeable` keeps seeds within theirs."""
    if len(pairs) > pairs.units or len(pairs.strata) == 1:
        return grid_of(pairs, x, y)
    x, y = (within_strata(pairs, v) for v in (pairs.dx if x is None else x, pairs.dy if y is None else y))
    order = np.argsort(pairs.seed)
    return Grid(x[order, None], y[order, None], np.ones((len(pairs), 1)))


def exchangeable(orders: Integers, pairs: Pairs) -> Integers:
    """Orders of the seeds of pairs that exchange only seeds with a stratum in common, directly or by way of others: a seed
    that met one data set is not put in the place of one that met another.

    Args:
        orders: (R, units) of the seeds of `pairs`, numbered from 0.
    """
    group = np.arange(pairs.units)
    while True:
        known = group.copy()
        for stratum in np.unique(pairs.stratum):
            members = pairs.unit[pairs.stratum == stratum]
            group[members] = group[members].min()
        if (group == known).all():
            break
    if (group == group[0]).all():
        return orders
    moved = np.empty_like(orders)
    everyone = np.arange(pairs.units)
    for first in np.unique(group):
        members = np.flatnonzero(group == first)
        moved[:, members] = members[induced(orders, everyone, members)]
    return moved


def induced(orders: Integers, seeds: Integers, present: Integers) -> Integers:
    """The orders that permutations of all seeds induce on some of them: the same for all, and always complete.

    Args:
        orders: (R, units) of all `seeds`.
        present: the seeds of a comparison, ascending.

    Returns:
        (R, len(present)) orders of those seeds, numbered from 0.
    """
    if len(present) == len(seeds):
        return orders
    here = np.isin(seeds, present)
    number = np.cumsum(here) - 1
    return number[orders[here[orders]]].reshape(len(orders), len(present))


def centred_under(grids: Sequence[Grid], orders: Integers) -> tuple[Array, Array]:
    """Centred correlations with the outcome's seeds put in other orders.

    Args:
        grids: comparisons with the same outcome, each with its predictor.
        orders: (R, units).

    Returns:
        r (R, comparisons), NaN where constant, and the number of pairs (R, comparisons) behind each.
    """
    found = _moments_under(grids, orders)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.clip(found.covariance / np.sqrt(found.square_x * found.square_y), -1, 1)
        return np.where(found.defined, r, np.nan), found.count


def studentised_under(grids: Sequence[Grid], orders: Integers) -> Array:
    """Centred correlations in units of the standard error that they have where the true correlation is 0, the outcome's
    seeds put in other orders.

    A permutation of the plain correlation tests independence: where the noise grows with the predictor, or both are
    heavy-tailed together, its p is small too often although the correlation is 0. The ratio of the sum of products to
    the root of the sum of their squares has the same spread whether or not that is so, and its p is one for a
    correlation of 0 (DiCiccio and Romano 2017). A seed's products in all strata are one term.

    Args:
        grids, orders: as `centred_under` takes them.

    Returns:
        (R, comparisons); NaN where constant.
    """
    found = _moments_under(grids, orders)
    variance = np.empty_like(found.covariance)
    for block in _blocks(grids):
        y = _without_means(grids[block[0]].dy, grids[block[0]].present)
        x = [_without_means(grids[i].dx, grids[i].present) for i in block]
        strata = range(y.shape[1])
        total = np.zeros((len(orders), len(block)))
        for one in strata:
            for other in strata[one:]:
                # Products of two strata count twice: (a + b)^2 = a^2 + 2 a b + b^2.
                terms = np.stack([(1.0 + (other > one)) * v[:, one] * v[:, other] for v in x], axis=1)
                total += (y[:, one] * y[:, other])[orders] @ terms
        variance[:, block] = total
    scale = np.array([(g.dx**2).sum() * (g.dy**2).sum() for g in grids]) / max(orders.shape[1], 1) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(variance > CONSTANT * scale, found.covariance / np.sqrt(variance), 0.0)  # every product is 0
    return np.where(found.defined, t, np.nan)


def _without_means(values: Array, present: Array) -> Array:
    """(units, strata) less the mean of each stratum, 0 where there is no pair."""
    return np.asarray((values - values.sum(axis=0) / np.maximum(present.sum(axis=0), 1)) * present)


def _blocks(grids: Sequence[Grid]) -> list[list[int]]:
    """Comparisons that have their outcome in common go through one matrix product."""
    same = all(np.array_equal(g.dy, grids[0].dy) and np.array_equal(g.present, grids[0].present) for g in grids)
    return [list(range(len(grids)))] if same else [[i] for i in range(len(grids))]


@dataclass(frozen=True)
class _Moments:
    """Sums of products within strata, (R, comparisons) each; `defined` where neither side is constant."""

    covariance: Array
    square_x: Array
    square_y: Array
    count: Array
    defined: NDArray[np.bool_]


def _moments_under(grids: Sequence[Grid], orders: Integers) -> _Moments:
    shape = (len(orders), len(grids))
    covariance, square_x, square_y, count = (np.zeros(shape) for _ in range(4))
    for block in _blocks(grids):
        for stratum in range(grids[block[0]].dx.shape[1]):
            x = np.stack([grids[i].dx[:, stratum] for i in block], axis=1)
            here = grids[block[0]].present[:, stratum]
            y = grids[block[0]].dy[:, stratum]
            x_all = np.concatenate([x, x**2], axis=1)
            y_moved = y[orders]
            sum_xy = y_moved @ x
            if here.all():
                size = np.full((len(orders), 1), float(len(here)))
                sum_y = np.full((len(orders), 1), y.sum())
                sum_yy = np.full((len(orders), 1), (y**2).sum())
                sums = np.broadcast_to(x_all.sum(axis=0), (len(orders), x_all.shape[1]))
            else:
                here_moved = here[orders]
                size = (here_moved @ here)[:, None]
                sum_y, sum_yy = (y_moved @ here)[:, None], (y_moved**2 @ here)[:, None]
                sums = here_moved @ x_all
            sum_x, sum_xx = sums[:, : x.shape[1]], sums[:, x.shape[1] :]
            safe = np.maximum(size, 1)
            covariance[:, block] += sum_xy - sum_x * sum_y / safe
            square_x[:, block] += sum_xx - sum_x**2 / safe
            square_y[:, block] += sum_yy - sum_y**2 / safe
            count[:, block] += size
    scale = np.array([[(g.dx**2).sum(), (g.dy**2).sum()] for g in grids])
    defined = (square_x > CONSTANT * scale[:, 0]) & (square_y > CONSTANT * scale[:, 1])
    return _Moments(covariance, square_x, square_y, count, defined)


def fisher(r: Array, count: Array) -> Array:
    """Fisher's z in units of its standard error, so that comparisons with different numbers of pairs are on one scale."""
    return np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)) * np.sqrt(np.maximum(count - 3, 1))


def max_t(observed: Array, null: Array) -> Array:
    """Family-wise p values (T,) of statistics (T,), given null draws (R, T) under shared permutations.

    Each statistic is measured in its own standard deviation under permutation, so that none makes up the maxima alone:
    twenty pairs of ten seeds spread more than twenty seeds would.
    """
    spread = np.sqrt(np.nanmean(null**2, axis=0))
    spread = np.where(spread > 0, spread, 1.0)
    largest = np.nanmax(np.abs(null / spread), axis=1)
    return np.array([p_value(value, largest) for value in observed / spread])


def r20_null(pairs: Pairs, count: int = PERMUTATIONS, random_state: int = 0) -> Array:
    """Draws of r20 with outcome differences permuted across seeds: no seed-level link, the mean shift kept.

    Raises:
        ValueError: a seed lacks a pair in some stratum, so that seeds cannot be exchanged as wholes.
    """
    grid = grid_of(pairs)
    if not grid.present.all():
        raise ValueError("a seed lacks a pair in a stratum")
    dx, dy = grid.dx + pairs.dx.mean(), grid.dy + pairs.dy.mean()
    orders = permutations(pairs.units, count, random_state)
    x = np.concatenate([pairs.x_first, pairs.x_second])
    size = np.sqrt(((x - x.mean()) ** 2).sum() * 2 * (dy**2).sum())
    products = sum(dy[:, s][orders] @ dx[:, s] for s in range(dx.shape[1]))
    return np.asarray(products) / size if size > 0 else np.full(count, np.nan)
