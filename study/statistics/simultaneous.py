"""Many correlations at once: intervals that hold all of them, and family-wise p values, from one resampling of seeds.

The bootstrap is studentised (Efron and Tibshirani 1993, chapter 12; simultaneous by the largest |t|, as in Beran 1988): each
resample brings its own standard error, so that skewed and heavy-tailed columns do not decide alone how wide all others are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from study.statistics.correlations import CONSTANT
from study.statistics.intervals import FEWEST_FREEDOM, FEWEST_PAIRS, resampling
from study.statistics.pairs import ROUNDING, Pairs, in_company
from study.statistics.permutation import (
    PERMUTATIONS,
    exchangeable,
    induced,
    layout,
    max_t,
    p_value,
    permutations,
    studentised_under,
)

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

SIMULTANEOUS = "95 % simultaneous: studentised bootstrap over seeds, largest |t| on Fisher's z"
RESAMPLES = 2_000
FEWEST_SEEDS = 10  # a standard error of a resample of fewer seeds is hardly one
CACHED = 16_000  # numbers of an intermediate result, so that a few of them stay in a core's cache
FEWEST_DISTINCT = 5  # a column of fewer values has resamples with next to no standard error, and widens every interval
WIDENS = 0.05  # a column that makes all intervals this much wider, as a share, is named
CONSTANT_REASON = "constant: says nothing of seeds"


@dataclass(frozen=True)
class Columns:
    """K correlations over the same n pairs (or networks).

    Attributes:
        x, y: (K, n), 0 where a pair is not defined.
        present: (K, n) where it is.
        seed: (n,) of each pair: what is resampled and permuted.
        stratum: (n,) means are taken out within strata.
    """

    x: Array
    y: Array
    present: NDArray[np.bool_]
    seed: Integers
    stratum: Integers

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def unit(self) -> Integers:
        """(n,) the seeds numbered from 0."""
        return np.unique(self.seed, return_inverse=True)[1]

    @cached_property
    def units(self) -> int:
        return int(self.unit.max()) + 1 if len(self.seed) else 0

    @cached_property
    def seeds(self) -> Integers:
        """(K,) how many seeds stand behind each correlation."""
        return np.array([len(np.unique(self.seed[here])) for here in self.present], dtype=np.int64)

    def take(self, columns: Sequence[int] | Integers, pairs: NDArray[np.bool_] | None = None) -> Columns:
        """Some of the correlations, over all pairs or some."""
        rows = np.asarray(columns, dtype=np.int64)
        kept = np.ones(len(self.seed), dtype=bool) if pairs is None else pairs
        stratum = self.stratum[kept]
        present = _in_company(self.present[rows][:, kept], stratum)
        x, y = self.x[rows][:, kept] * present, self.y[rows][:, kept] * present
        return Columns(x, y, present, self.seed[kept], stratum)


def columns_of(x: Array, y: Array, seed: Integers, stratum: Integers) -> Columns:
    """Columns from (K, n) values that may be NaN: a pair with a NaN is not there for that correlation, and neither is one
    that is left alone in its stratum."""
    present = _in_company(np.isfinite(x) & np.isfinite(y), stratum)
    return Columns(_scaled(x, present), _scaled(y, present), present, seed, stratum)


def _in_company(present: NDArray[np.bool_], stratum: Integers) -> NDArray[np.bool_]:
    """(K, n) pairs that share their stratum with another, where there are several strata."""
    if len(np.unique(stratum)) < 2:
        return present
    found = np.zeros_like(present)
    for row, here in zip(found, present, strict=True):
        row[here] = in_company(stratum[here])
    return found


def _scaled(values: Array, present: NDArray[np.bool_]) -> Array:
    """Each row centred, largest deviation 1, zeros where it is constant but for rounding."""
    count = np.maximum(present.sum(axis=1, keepdims=True), 1)
    filled = np.where(present, values, 0.0)
    magnitude = np.abs(filled).max(axis=1, keepdims=True, initial=0)
    centred = np.where(present, filled - filled.sum(axis=1, keepdims=True) / count, 0.0)
    largest = np.abs(centred).max(axis=1, keepdims=True, initial=0)
    varies = largest > ROUNDING * magnitude
    return np.where(varies, centred / np.where(varies, largest, 1.0), 0.0)


def correlations(columns: Columns, weights: Array) -> tuple[Array, Array]:
    """Correlations of all columns and the standard errors of their Fisher z.

    Args:
        weights: (R, units) how often each seed counts.

    Returns:
        r and error, (R, K) each. r is NaN where x or y is constant; the error is that of the influence function (delta
        method), seeds taken as whole units.
    """
    places = [np.flatnonzero(columns.stratum == stratum) for stratum in np.unique(columns.stratum)]
    r, error = (np.full((len(weights), len(columns)), np.nan) for _ in range(2))
    at_once = max(CACHED // max(len(columns.seed), 1), 1)
    for part in (slice(first, first + at_once) for first in range(0, len(weights), at_once)):
        per_pair = np.ascontiguousarray(weights[part][:, columns.unit])
        for k in range(len(columns)):
            r[part, k], error[part, k] = _column(columns, k, per_pair, weights[part], places)
    return r, error


def _column(columns: Columns, k: int, per_pair: Array, weights: Array, places: Sequence[Integers]) -> tuple[Array, Array]:
    here = columns.present[k]
    counted = per_pair if here.all() else per_pair * here
    dx, dy = (_within(values[k], counted, places) for values in (columns.x, columns.y))
    weighted = counted * dx
    xx, xy = np.vecdot(weighted, dx), np.vecdot(weighted, dy)
    yy = np.vecdot(np.multiply(counted, dy, out=weighted), dy)
    size = np.maximum(counted.sum(axis=1), 1)
    defined = (xx > CONSTANT * size) & (yy > CONSTANT * size)
    xx, yy = np.where(defined, xx, 1.0), np.where(defined, yy, 1.0)
    r = np.clip(xy / np.sqrt(xx * yy), -1, 1)
    dx /= np.sqrt(xx)[:, None]
    dy /= np.sqrt(yy)[:, None]
    influence = dx * dy
    dx *= dx
    dy *= dy
    dx += dy
    dx *= (r / 2)[:, None]
    influence -= dx
    if not here.all():
        influence *= here
    if columns.units < len(columns.seed):  # pairs of one seed go together
        influence = influence @ (columns.unit[:, None] == np.arange(columns.units)).astype(np.float64)
    variance = np.vecdot(weights * influence, influence)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(variance) / (1 - r**2)
    sound = defined & (np.abs(r) < 1 - 1e-9) & (variance > 0)
    return np.where(defined, r, np.nan), np.where(sound, error, np.nan)


def _within(values: Array, counted: Array, places: Sequence[Integers]) -> Array:
    """(R, n) values less the weighted mean of their stratum."""
    rest = np.empty_like(counted)
    for here in places:
        part = counted[:, here] if len(places) > 1 else counted
        mean = (part @ values[here]) / np.maximum(part.sum(axis=1), 1e-300)
        rest[:, here] = values[here] - mean[:, None]
    return rest


@dataclass(frozen=True)
class Simultaneous:
    """K correlations with intervals that hold all of them at once in 95 % of studies.

    Attributes:
        value, low, high: (K,) NaN where there is none.
        reason: why, or "".
        critical: the largest |t| that the intervals allow for, in standard errors; NaN without intervals.
        family: how many correlations the intervals hold at once.
        widest: the column without whose group all the others' intervals would be narrowest, where that is by more than 5 %.
        critical_without: what `critical` would be without that group; NaN where there is no such column.
    """

    value: Array
    low: Array
    high: Array
    reason: tuple[str, ...]
    critical: float
    family: int
    widest: int | None = None
    critical_without: float = float("nan")


def simultaneous(
    columns: Columns,
    resamples: int = RESAMPLES,
    random_state: int = 0,
    level: float = 0.95,
    groups: Integers | None = None,
) -> Simultaneous:
    """Intervals over all columns from one resampling of seeds; what has no interval is no part of the family.

    Args:
        groups: (K,) columns that would leave the family together, as the three correlations of one predictor.
    """
    count = len(columns)
    low, high = np.full(count, np.nan), np.full(count, np.nan)
    if columns.units == 0:
        return Simultaneous(low, low, high, ("no pairs",) * count, float("nan"), 0)
    value, error = (part[0] for part in correlations(columns, np.ones((1, columns.units))))
    reason = np.where(np.isfinite(value), np.where(np.isfinite(error), "", "a correlation of 1"), CONSTANT_REASON).astype(
        object
    )
    distinct = np.array([_distinct(columns, k) for k in range(count)])
    sparse = (distinct < FEWEST_DISTINCT) & (reason == "")
    reason[sparse] = [f"{n} distinct value(s), simultaneous intervals need {FEWEST_DISTINCT}" for n in distinct[sparse]]
    few = columns.seeds < FEWEST_SEEDS
    reason[few] = [f"{n} seed(s), simultaneous intervals need {FEWEST_SEEDS}" for n in columns.seeds[few]]
    thin = (columns.seeds < FEWEST_PAIRS) | (_freedom(columns) < FEWEST_FREEDOM)
    thin &= len(np.unique(columns.stratum)) > 1  # two pairs on one data set have a correlation of 1
    value = np.where(thin, np.nan, value)
    reason[thin & ~few] = f"fewer than {FEWEST_FREEDOM} pairs more than data sets"
    usable = np.flatnonzero(reason == "")
    if not len(usable):
        return Simultaneous(value, low, high, tuple(reason), float("nan"), 0)
    drawn, own = correlations(columns.take(usable), resampling(columns.units, resamples, random_state))
    z = np.arctanh(value[usable])
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(np.arctanh(drawn) - z) / own
    undefined = ~np.isfinite(t)
    often = undefined.mean(axis=0) > 0.01
    reason[usable[often]] = "undefined on resamples"
    usable, z, t, undefined = usable[~often], z[~often], t[:, ~often], undefined[:, ~often]
    if not len(usable):
        return Simultaneous(value, low, high, tuple(reason), float("nan"), 0)
    t = np.where(undefined, 0.0, t)
    critical = float(np.quantile(t.max(axis=1), level))
    low[usable], high[usable] = (np.tanh(z + side * critical * error[usable]) for side in (-1, 1))
    place, without = _widest(t, (np.arange(count) if groups is None else groups)[usable], critical, level)
    widest = None if place is None else int(usable[place])
    return Simultaneous(value, low, high, tuple(reason), critical, len(usable), widest, without)


def _freedom(columns: Columns) -> Integers:
    """(K,) pairs less strata."""
    met = np.stack([columns.present[:, columns.stratum == s].any(axis=1) for s in np.unique(columns.stratum)])
    return np.asarray(columns.present.sum(axis=1) - met.sum(axis=0))


def _distinct(columns: Columns, k: int) -> int:
    """Distinct values of the column that has fewer of them, but for rounding."""
    here = columns.present[k]
    return min(len(np.unique(np.round(values[k][here], 9))) for values in (columns.x, columns.y))


def _widest(t: Array, groups: Integers, critical: float, level: float) -> tuple[int | None, float]:
    """The column (of (R, K) |t|) whose group widens the others' intervals most, and the critical value without the group."""
    names, place = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return None, float("nan")
    largest = np.full((len(t), len(names)), -1.0)
    for k, group in enumerate(place):
        np.maximum(largest[:, group], t[:, k], out=largest[:, group])
    rows, first = np.arange(len(t)), largest.argmax(axis=1)
    most = largest[rows, first]
    largest[rows, first] = -1.0
    second = largest.max(axis=1)
    without = [float(np.quantile(np.where(first == g, second, most), level)) for g in range(len(names))]
    widest = int(np.argmin(without))
    if without[widest] >= (1 - WIDENS) * critical:
        return None, float("nan")
    members = np.flatnonzero(place == widest)
    return int(members[np.quantile(t[:, members], level, axis=0).argmax()]), without[widest]


def family_wise(columns: Columns, count: int = PERMUTATIONS) -> tuple[Array, Array]:
    """Permutation p of every correlation, its own and family-wise by max-T over all columns; NaN where not defined.

    Seeds of the outcome are put in the same random orders for every column (`study.statistics.permutation`).
    """
    own, adjusted = np.full(len(columns), np.nan), np.full(len(columns), np.nan)
    if columns.units == 0:
        return own, adjusted
    everyone = np.unique(columns.seed)
    orders = permutations(len(everyone), count, 0)
    blocks: dict[tuple[bytes, bytes], list[int]] = {}
    for k in range(len(columns)):
        if columns.seeds[k] >= FEWEST_SEEDS:
            blocks.setdefault((columns.present[k].tobytes(), columns.y[k].tobytes()), []).append(k)
    observed, null = np.full(len(columns), np.nan), np.full((count, len(columns)), np.nan)
    for block in blocks.values():
        here = columns.present[block[0]]
        seed, stratum = columns.seed[here], columns.stratum[here]
        zeros = np.zeros(len(seed))
        pairs = [Pairs(columns.x[k][here], zeros, columns.y[k][here], zeros, seed, stratum) for k in block]
        grids = [layout(p) for p in pairs]
        moved = exchangeable(induced(orders, everyone, np.unique(seed)), pairs[0])
        identity = np.arange(moved.shape[1])[None]
        observed[block] = studentised_under(grids, identity)[0]
        null[:, block] = studentised_under(grids, moved)
    usable = np.flatnonzero(np.isfinite(observed) & np.isfinite(null).all(axis=0))
    if len(usable):
        own[usable] = [p_value(observed[k], null[:, k]) for k in usable]
        adjusted[usable] = max_t(observed[usable], null[:, usable])
    return own, adjusted
