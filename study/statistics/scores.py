"""Shares and medians over seeds, with intervals that assume nothing but independent seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

Array = NDArray[np.float64]

SHARE, MEDIAN = "share, 95 % Wilson interval", "median, 95 % order-statistic interval"


@dataclass(frozen=True)
class Score:
    """A number over seeds with its 95 % interval.

    Attributes:
        value, low, high: None with a reason, or where a time lies beyond the end of training.
        q05, q95: between which the middle nine tenths of seeds lie; None for a share.
        n: seeds used. left_out: seeds for which the score is not defined; where times after the end count as late (see
            `median`), these are among the n.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    q05: float | None = None
    q95: float | None = None
    n: int = 0
    left_out: int = 0
    method: str = ""
    reason: str = ""


def share(hits: Array) -> Score:
    """The share of ones among ones and zeros; NaN is left out and counted."""
    known = hits[~np.isnan(hits)]
    out = len(hits) - len(known)
    if not len(known):
        return Score(None, left_out=out, reason="undefined for every seed")
    low, high = proportion_confint(int(known.sum()), len(known), alpha=0.05, method="wilson")
    return Score(float(known.mean()), float(low), float(high), n=len(known), left_out=out, method=SHARE)


def median(values: Array, censored: bool = False) -> Score:
    """The median; its interval runs between two order statistics (binomial distribution), so outliers do not matter.

    Args:
        values: (n,); NaN is left out and counted.
        censored: NaN means a time after the end instead: it counts as later than every other, and a quantile that
            falls there is None.
    """
    out = int(np.isnan(values).sum())
    known = np.sort(np.where(np.isnan(values), np.inf, values)) if censored else np.sort(values[~np.isnan(values)])
    n = len(known)
    if not n or not np.isfinite(known[0]):
        return Score(None, left_out=out, reason="undefined for every seed")

    def quantile(q: float) -> float | None:
        place = n * q  # averaged inverted distribution function; numpy's own makes NaN of two infinities
        value = float(known[[int(np.ceil(place)) - 1, min(int(place), n - 1)]].mean())
        return value if np.isfinite(value) else None

    value, q05, q95 = quantile(0.5), quantile(0.05), quantile(0.95)
    reason = "" if value is not None else "not reached by half of the seeds"
    rank = int(binom.ppf(0.025, n, 0.5))
    if rank == 0:
        return Score(value, None, None, q05, q95, n, out, reason=reason or f"{n} seed(s), at least 6 needed for an interval")
    low, high = (float(v) if np.isfinite(v) else None for v in (known[rank - 1], known[n - rank]))
    return Score(value, low, high, q05, q95, n, out, MEDIAN, reason)
