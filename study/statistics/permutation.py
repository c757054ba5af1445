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
from study.statistics.pairs import Pairs

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
    shape = (len(orders), len(grids))
    covariance, square_x, square_y, count = (np.zeros(shape) for _ in range(4))
    same = all(np.array_equal(g.dy, grids[0].dy) and np.array_equal(g.present, grids[0].present) for g in grids)
    for block in [list(range(len(grids)))] if same else [[i] for i in range(len(grids))]:
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
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.where(defined, np.clip(covariance / np.sqrt(square_x * square_y), -1, 1), np.nan)
    return r, count


def fisher(r: Array, count: Array) -> Array:
    """Fisher's z in units of its standard error, so that comparisons with different numbers of pairs are on one scale."""
    return np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)) * np.sqrt(np.maximum(count - 3, 1))


def max_t(observed: Array, null: Array) -> Array:
    """Family-wise p values (T,) of statistics (T,), given null draws (R, T) under shared permutations."""
    largest = np.nanmax(np.abs(null), axis=1)
    return np.array([p_value(value, largest) for value in observed])


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
