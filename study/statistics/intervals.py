"""Bootstrap intervals over seeds, with a reason where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kurtosis, norm, skew

from study.statistics.correlations import CONSTANT, Statistic
from study.statistics.pairs import Pairs

Array = NDArray[np.float64]

RESAMPLES = 10_000
FEWEST_PAIRS = 5
# By `python -m study calibrate`: with fewer seeds than the first number intervals hold the truth in 93 to 94 % of studies
# instead of 95, and where values are skewed or heavy-tailed in fewer still, up to about the second number of seeds.
TRUSTED_SEEDS = 100
TRUSTED_SEEDS_IF_NOT_NORMAL = 1000
SKEWED, HEAVY_TAILED = 1.0, 2.0
METHOD = "95 % BCa bootstrap over seeds"


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


def estimates(
    statistics: Sequence[Statistic], pairs: Pairs, resamples: int = RESAMPLES, random_state: int = 0
) -> list[Estimate]:
    """Several statistics of the same pairs, with bias-corrected accelerated intervals from one resampling of seeds.

    Resampling takes whole seeds: both networks of a pair, and all pairs that share a seed, go together.
    """
    n, units = len(pairs), pairs.units
    if reason := unusable(pairs):
        return [Estimate(None, n=n, seeds=units, reason=reason)] * len(statistics)
    resampled = resampling(units, resamples, random_state)[:, pairs.unit]
    leave_one_out = (1.0 - np.eye(units))[:, pairs.unit]
    found = []
    for statistic in statistics:
        value = float(statistic(pairs, np.ones(n)))
        if not np.isfinite(value):
            found.append(Estimate(None, n=n, seeds=units, reason="constant"))
            continue
        low, high, reason = bca(value, statistic(pairs, resampled), statistic(pairs, leave_one_out))
        if reason:
            found.append(Estimate(value, n=n, seeds=units, reason=reason))
        else:
            found.append(Estimate(value, low, high, n, units, METHOD, note=_caution(pairs, statistic.__name__)))
    return found


def _caution(pairs: Pairs, statistic: str) -> str:
    """What is known to make an interval cover too little."""
    if pairs.units < TRUSTED_SEEDS:
        return f"fewer than {TRUSTED_SEEDS} seeds: covers less than 95 %"
    values = {"within_first": (pairs.x_first, pairs.y_first), "within_second": (pairs.x_second, pairs.y_second)}
    for value in values.get(statistic, (pairs.dx, pairs.dy)):
        rest = value - ((pairs.strata @ value) / pairs.strata.sum(axis=1)) @ pairs.strata
        if pairs.units >= TRUSTED_SEEDS_IF_NOT_NORMAL or np.ptp(rest) <= CONSTANT * np.abs(value).max():
            continue
        if abs(skew(rest)) > SKEWED or kurtosis(rest) > HEAVY_TAILED:
            return f"skewed or heavy-tailed, fewer than {TRUSTED_SEEDS_IF_NOT_NORMAL} seeds: covers less than 95 %"
    return ""


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
