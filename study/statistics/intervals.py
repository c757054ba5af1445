"""Intervals over seeds, with a reason where there is none: Fisher's z and the jackknife for correlations, the bootstrap
for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from study.statistics.correlations import CONSTANT, CORRELATIONS, Statistic
from study.statistics.jackknife import correlation_interval, leave_one_out
from study.statistics.pairs import Pairs
from study.statistics.reliable import caution, mean_caution

Array = NDArray[np.float64]

RESAMPLES = 10_000
FEWEST_PAIRS = 5
FEWEST_FREEDOM = FEWEST_PAIRS - 1  # pairs less strata
METHOD = "95 % BCa bootstrap over seeds"
CORRELATION_METHOD = "95 % interval on Fisher's z: jackknife over seeds"


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval and p value.

    Attributes:
        value: None with a reason.
        low, high: None with a reason.
        n: pairs used.
        seeds: independent units that were resampled; below n where pairs share a seed.
        method: how the interval was made.
        p, p_method: p value and how it was made, where there is one.
        reason: why the value or the interval is missing, or "".
        note: a caution that belongs beside the number, or "".
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    seeds: int = 0
    method: str = ""
    p: float | None = None
    p_method: str = ""
    reason: str = ""
    note: str = ""


def unusable(pairs: Pairs) -> str:
    """Why no statistic can be given for these pairs at all, or ""."""
    if pairs.units < FEWEST_PAIRS:
        return f"{pairs.units} seed(s), at least {FEWEST_PAIRS} needed"
    return ""


def unusable_within(pairs: Pairs) -> str:
    """Why no correlation within strata can be given for these pairs, or ""."""
    used, alone = pairs.comparable, pairs.alone
    left_out = f"; {alone} pair(s) that are alone on their data set do not count" if alone else ""
    if reason := unusable(used):
        return reason + left_out
    if (freedom := len(used) - len(used.strata)) < FEWEST_FREEDOM:
        return f"{len(used)} pairs less {len(used.strata)} means are {freedom}, at least {FEWEST_FREEDOM} needed{left_out}"
    return ""


def estimates(
    statistics: Sequence[Statistic], pairs: Pairs, resamples: int = RESAMPLES, random_state: int = 0
) -> list[Estimate]:
    """Several statistics of the same pairs. Correlations have intervals from the jackknife over seeds, everything else
    bias-corrected accelerated ones from one resampling of seeds.

    Both take whole seeds: both networks of a pair, and all pairs that share a seed, go together. Correlations within
    strata count the pairs that share their stratum with another, and those alone.
    """
    return [
        _correlation(statistic, pairs)
        if CORRELATIONS.get(statistic.__name__) is statistic
        else _bootstrapped(statistic, pairs, resamples, random_state)
        for statistic in statistics
    ]


def _correlation(statistic: Statistic, pairs: Pairs) -> Estimate:
    columns = correlated(statistic.__name__, pairs.comparable)
    used = pairs if columns is None else pairs.comparable
    n, units = len(used), used.units
    if reason := unusable(used) if columns is None else unusable_within(pairs):
        return Estimate(None, n=n, seeds=units, reason=reason)
    value = float(statistic(used, np.ones(n)))
    if not np.isfinite(value):
        return Estimate(None, n=n, seeds=units, reason="constant")
    low, high, reason = correlation_interval(value, leave_one_out(statistic, used), used, columns)
    if reason:
        return Estimate(value, n=n, seeds=units, reason=reason)
    return Estimate(value, low, high, n, units, CORRELATION_METHOD, note=caution(used, columns))


def correlated(name: str, pairs: Pairs) -> tuple[Array, Array] | None:
    """The two columns of a correlation within strata; None for one that mixes conditions and seeds."""
    return {
        "centred": (pairs.dx, pairs.dy),
        "within_first": (pairs.x_first, pairs.y_first),
        "within_second": (pairs.x_second, pairs.y_second),
    }.get(name)


def _bootstrapped(statistic: Statistic, pairs: Pairs, resamples: int, random_state: int) -> Estimate:
    n, units = len(pairs), pairs.units
    if reason := unusable(pairs):
        return Estimate(None, n=n, seeds=units, reason=reason)
    value = float(statistic(pairs, np.ones(n)))
    if not np.isfinite(value):
        return Estimate(None, n=n, seeds=units, reason="constant")
    weights = resampling(units, resamples, random_state)
    drawn = statistic(pairs, weights if n == units and (pairs.unit == np.arange(n)).all() else weights[:, pairs.unit])
    low, high, reason = bca(value, drawn, leave_one_out(statistic, pairs))
    if reason:
        return Estimate(value, n=n, seeds=units, reason=reason)
    return Estimate(value, low, high, n, units, METHOD, note=mean_caution(pairs))


@lru_cache(maxsize=4)
def resampling(units: int, resamples: int, random_state: int) -> Array:
    """(resamples, units) how often each seed is drawn; one resampling serves every statistic of as many seeds."""
    chosen = np.random.default_rng(random_state).integers(units, size=(resamples, units))
    return occurrences(chosen, units)


def bca(value: float, resampled: Array, leave_one_out: Array, level: float = 0.95) -> tuple[float, float, str]:
    """The bias-corrected and accelerated interval (Efron 1987), as `scipy.stats.bootstrap` computes it.

    By hand for two reasons: one resampling serves all statistics, contrasts and predictors here, and a resample on which
    a correlation is not defined (all its pairs are one) is left out, where scipy gives up the interval.

    Args:
        value: the statistic of the data.
        resampled: (R,) the statistic of the resamples; NaN where it is not defined.
        leave_one_out: (units,) the statistic without each unit.

    Returns:
        low, high, and "" or the reason why there is no interval.
    """
    defined = resampled[np.isfinite(resampled)]
    if len(defined) < 0.99 * len(resampled) or not np.isfinite(leave_one_out).all():
        return np.nan, np.nan, "undefined on resamples"
    if np.ptp(defined) <= CONSTANT * max(abs(value), 1e-300):
        return np.nan, np.nan, "constant"
    rounding = CONSTANT * np.ptp(defined)  # a resample that holds every seed once must count as a tie
    below = ((defined < value - rounding).mean() + (defined <= value + rounding).mean()) / 2
    shift = leave_one_out.mean() - leave_one_out
    shift = shift / max(np.abs(shift).max(), 1e-300)
    spread = (shift**2).sum() ** 1.5
    if not 0 < below < 1 or not spread > 0:
        return np.nan, np.nan, "at the edge of its resamples"
    acceleration = (shift**3).sum() / (6 * spread)
    bias = norm.ppf(below)
    tails = norm.ppf([(1 - level) / 2, (1 + level) / 2])
    adjusted = norm.cdf(bias + (bias + tails) / (1 - acceleration * (bias + tails)))
    low, high = np.quantile(defined, adjusted)
    return float(low), float(high), ""


def occurrences(chosen: NDArray[np.int64], units: int) -> Array:
    """How often each unit occurs along the last axis: (..., k) unit numbers to (..., units) counts."""
    rows = chosen.reshape(-1, chosen.shape[-1])
    places = rows + units * np.arange(len(rows))[:, None]
    counts = np.bincount(places.ravel(), minlength=units * len(rows)).astype(np.float64)
    return counts.reshape(*chosen.shape[:-1], units)
