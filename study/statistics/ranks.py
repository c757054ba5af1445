"""Rank correlations of pair differences, by scipy."""

from __future__ import annotations

import numpy as np
from scipy import stats

from study.statistics.intervals import Estimate, unusable
from study.statistics.pairs import Pairs


def rank_correlation(pairs: Pairs, kind: str) -> Estimate:
    """Spearman's rho or Kendall's tau-b of (predictor difference, outcome difference), means of strata taken out.

    Args:
        kind: "spearman" or "kendall".
    """
    n, units = len(pairs), pairs.units
    if reason := unusable(pairs):
        return Estimate(None, n=n, seeds=units, reason=reason)
    size = pairs.strata.sum(axis=1)
    dx, dy = (d - ((pairs.strata @ d) / size) @ pairs.strata for d in (pairs.dx, pairs.dy))
    # Differences that are equal but for rounding are ties.
    dx, dy = (np.round(d / (np.abs(d).max() or 1.0), 12) for d in (dx, dy))
    if np.ptp(dx) == 0 or np.ptp(dy) == 0:
        return Estimate(None, n=n, seeds=units, reason="constant")
    test = stats.spearmanr(dx, dy) if kind == "spearman" else stats.kendalltau(dx, dy)
    method = f"scipy, {'t approximation' if kind == 'spearman' else 'exact or normal approximation'}"
    dependent = n > units
    note = "p takes pairs for independent" if dependent else ""
    return Estimate(float(test.statistic), n=n, seeds=units, p=float(test.pvalue), p_method=method, note=note,
                    reason="no interval computed")  # fmt: skip
