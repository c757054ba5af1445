"""Rank correlations of pair differences: values and p by scipy, Kendall's tau with an interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq
from scipy.special import rel_entr

from study.statistics.intervals import Estimate, unusable_within
from study.statistics.jackknife import NORMAL, fisher_interval, null_units
from study.statistics.pairs import Pairs, within_strata

Array = NDArray[np.float64]

KENDALL_METHOD = "95 % interval on Fisher's z: jackknife of the U-statistic over seeds"
EDGE_METHOD = "95 % interval by Hoeffding's inequality for U-statistics, 1 or -1 included"
AT_ONCE = 2**22  # numbers of a block of comparisons of pairs


def rank_correlation(pairs: Pairs, kind: str) -> Estimate:
    """Spearman's rho or Kendall's tau-b of (predictor difference, outcome difference), means of strata taken out.

    Args:
        kind: "spearman" or "kendall".
    """
    reason, pairs = unusable_within(pairs), pairs.comparable
    n, units = len(pairs), pairs.units
    if reason:
        return Estimate(None, n=n, seeds=units, reason=reason)
    dx, dy = (within_strata(pairs, d) for d in (pairs.dx, pairs.dy))
    # Differences that are equal but for rounding are ties.
    dx, dy = (np.asarray(np.round(d / (np.abs(d).max() or 1.0), 12), dtype=np.float64) for d in (dx, dy))
    if np.ptp(dx) == 0 or np.ptp(dy) == 0:
        return Estimate(None, n=n, seeds=units, reason="constant")
    test = stats.spearmanr(dx, dy) if kind == "spearman" else stats.kendalltau(dx, dy)
    method = f"scipy, {'t approximation' if kind == 'spearman' else 'exact or normal approximation'}"
    note = "p takes pairs for independent" if n > units else ""
    found = Estimate(float(test.statistic), n=n, seeds=units, p=float(test.pvalue), p_method=method, note=note,
                     reason="no interval computed")  # fmt: skip
    if kind == "spearman":
        return found
    floor = NORMAL * null_error(null_units(pairs, *(np.asarray(stats.rankdata(d), dtype=np.float64) for d in (dx, dy))))
    low, high, reason = fisher_interval(float(test.statistic), tau_without_one(dx, dy, pairs.unit), floor)
    if reason.startswith("a correlation of 1"):
        low, high = at_the_edge(float(test.statistic), units)
        return replace(found, low=low, high=high, reason="", method=EDGE_METHOD)
    if reason:
        return replace(found, reason=reason)
    return replace(found, low=low, high=high, reason="", method=KENDALL_METHOD)


def at_the_edge(tau: float, units: int, level: float = 0.95) -> tuple[float, float]:
    """The interval where the jackknife has none, because tau, or tau without one seed, is 1 or -1.

    Hoeffding (1963, section 5): a U-statistic of pairs is a mean over orders of the seeds of means of units / 2 independent
    terms, so that with k = floor(units / 2) and u, p the observed and the true share of concordant pairs,
    P(share >= u) <= exp(-k KL(u, p)). The true share is not below the p at which that is (1 - level) / 2; tau = 2 share - 1.
    """
    share, sign = (1 + abs(tau)) / 2, np.sign(tau)
    most = np.log(2 / (1 - level)) / (units // 2)
    low = 2 * float(brentq(lambda p: rel_entr(share, p) + rel_entr(1 - share, 1 - p) - most, 1e-12, share)) - 1
    return (low, 1.0) if sign > 0 else (-1.0, -low)


def null_error(n: float) -> float:
    """Standard error of tau over n pairs that have nothing to do with each other."""
    return float(np.sqrt(2 * (2 * n + 5) / (9 * n * max(n - 1, 1))))


def tau_without_one(x: Array, y: Array, unit: NDArray[np.int64]) -> Array:
    """(units,) tau-b without all pairs of each unit in turn.

    Tau-b is a ratio of sums over pairs of pairs, of products of signs: what a unit adds to each sum is taken away.
    """
    n, units = len(x), int(unit.max()) + 1
    whole, touching, inside = np.zeros(3), np.zeros((units, 3)), np.zeros((units, 3))
    for first in range(0, n, step := max(AT_ONCE // n, 1)):
        part = slice(first, first + step)
        a, b = np.sign(x[part, None] - x), np.sign(y[part, None] - y)
        for k, product in enumerate((a * b, a * a, b * b)):
            sums = product.sum(axis=1)
            whole[k] += sums.sum()
            touching[:, k] += np.bincount(unit[part], sums, units)
            if units < n:
                inside[:, k] += np.bincount(unit[part], (product * (unit[part, None] == unit)).sum(axis=1), units)
    rest = whole - 2 * touching + inside
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(rest[:, 0] / np.sqrt(rest[:, 1] * rest[:, 2]))
