"""Bootstrap intervals over pairs (over seeds, where several pairs share one), with a reason where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from study.statistics.correlations import CONSTANT, Statistic
from study.statistics.pairs import Pairs

Array = NDArray[np.float64]

RESAMPLES = 10_000
FEWEST_PAIRS = 3
FEWEST_FOR_INTERVAL = 5
METHOD = "95 % BCa bootstrap over seeds"


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95 % interval.

    Attributes:
        value: None with a reason.
        low, high: None with a reason.
        n: pairs used.
        seeds: independent units that were resampled; below n where pairs share a seed.
        method: how the interval was made.
        reason: why the value or the interval is missing, or "".
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    seeds: int
    method: str = ""
    reason: str = ""


def estimates(
    statistics: Sequence[Statistic], pairs: Pairs, resamples: int = RESAMPLES, random_state: int = 0
) -> list[Estimate]:
    """Several statistics of the same pairs, with bias-corrected accelerated intervals from one resampling of seeds.

    Resampling takes whole seeds: both networks of a pair, and all pairs that share a seed, go together.
    """
    seeds, group = np.unique(pairs.cluster, return_inverse=True)
    n, units = len(pairs), len(seeds)
    if n < FEWEST_PAIRS:
        reason = f"{n} pair(s), at least {FEWEST_PAIRS} needed"
        return [Estimate(None, None, None, n, units, reason=reason)] * len(statistics)

    values = [float(statistic(pairs, np.ones(n))) for statistic in statistics]
    if units < FEWEST_FOR_INTERVAL:
        reason = f"no interval from fewer than {FEWEST_FOR_INTERVAL} seeds"
        return [_finite(Estimate(value, None, None, n, units, reason=reason)) for value in values]
    resampled = occurrences(np.random.default_rng(random_state).integers(units, size=(resamples, units)), units)[:, group]
    leave_one_out = (1.0 - np.eye(units))[:, group]
    found = []
    for statistic, value in zip(statistics, values, strict=True):
        low, high, reason = bca(value, statistic(pairs, resampled), statistic(pairs, leave_one_out))
        if reason:
            found.append(Estimate(value, None, None, n, units, reason=reason))
        else:
            found.append(Estimate(value, low, high, n, units, METHOD))
    return [_finite(estimate) for estimate in found]


def bca(value: float, resampled: Array, leave_one_out: Array, level: float = 0.95) -> tuple[float, float, str]:
    """The bias-corrected and accelerated interval (Efron 1987), as `scipy.stats.bootstrap` computes it.

    By hand for two reasons: one resampling serves many statistics here, and a resample on which a correlation is not
    defined (of 6 pairs, one in 8,000 draws a single pair six times) is left out, where scipy gives up the interval.

    Args:
        value: the statistic of the data.
        resampled: (R,) the statistic of the resamples; NaN where it is not defined.
        leave_one_out: (units,) the statistic without each unit.

    Returns:
        low, high, and "" or the reason why there is no interval.
    """
    defined = resampled[np.isfinite(resampled)]
    if len(defined) < 0.99 * len(resampled) or not np.isfinite(leave_one_out).all():
        return np.nan, np.nan, "undefined on many resamples"
    if np.ptp(defined) <= CONSTANT:
        return np.nan, np.nan, "constant"
    below = ((defined < value).mean() + (defined <= value).mean()) / 2
    shift = leave_one_out.mean() - leave_one_out
    spread = (shift**2).sum() ** 1.5
    if not 0 < below < 1 or not spread > 0:
        return np.nan, np.nan, "at the edge of its resamples"
    acceleration = (shift**3).sum() / (6 * spread)
    bias = norm.ppf(below)
    tails = norm.ppf([(1 - level) / 2, (1 + level) / 2])
    adjusted = norm.cdf(bias + (bias + tails) / (1 - acceleration * (bias + tails)))
    low, high = np.quantile(defined, adjusted)
    return float(low), float(high), ""


def _finite(estimate: Estimate) -> Estimate:
    if estimate.value is not None and np.isfinite(estimate.value):
        return estimate
    return Estimate(None, None, None, estimate.n, estimate.seeds, reason="constant")


def occurrences(chosen: NDArray[np.int64], units: int) -> Array:
    """How often each unit occurs along the last axis: (..., k) unit numbers to (..., units) counts."""
    rows = chosen.reshape(-1, chosen.shape[-1])
    places = rows + units * np.arange(len(rows))[:, None]
    counts = np.bincount(places.ravel(), minlength=units * len(rows)).astype(np.float64)
    return counts.reshape(*chosen.shape[:-1], units)
