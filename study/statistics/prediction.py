"""Where a replication of the source study would lie: the interval that a number of theirs is to be compared with.

A 95 % interval of ours says where our population's value is; the value of another study of n seeds scatters about that as
well, so that of perfect replications of equal size only about 80 % lie inside. A prediction interval adds both standard
errors, on Fisher's z: ours by the jackknife over seeds, theirs the same scaled to their number of seeds. Simulated with
normal and lognormal losses, shifts of 0.3 to 3 standard deviations, ours of 10, 20 and 100 pairs against theirs of 10, it
holds a perfect replication in 93 to 98 of 100 studies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from study.statistics.correlations import Statistic
from study.statistics.intervals import unusable
from study.statistics.pairs import Pairs

METHOD = "95 % prediction interval for another study: Fisher's z, jackknife over seeds, both studies' standard errors"
FEWEST = 4  # seeds of the other study


@dataclass(frozen=True)
class Prediction:
    """A 95 % interval for the statistic of another study of the same population; None with a reason."""

    value: float | None
    low: float | None = None
    high: float | None = None
    seeds: int = 0
    reason: str = ""


def prediction(statistic: Statistic, pairs: Pairs, other_seeds: int) -> Prediction:
    """The interval for a study of `other_seeds` seeds with as many pairs each.

    Args:
        statistic: a correlation.
    """
    units = pairs.units
    if (reason := unusable(pairs)) or other_seeds < FEWEST:
        return Prediction(None, seeds=units, reason=reason or f"{other_seeds} seed(s), at least {FEWEST} needed")
    weights = np.concatenate([np.ones((1, units)), 1.0 - np.eye(units)])[:, pairs.unit]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(pairs, weights[0]))
        z = np.arctanh(statistic(pairs, weights))
    if not np.isfinite(z).all():
        return Prediction(value if np.isfinite(value) else None, seeds=units, reason="constant, or a correlation of 1")
    pseudo = units * z[0] - (units - 1) * z[1:]
    own = pseudo.std(ddof=1) / np.sqrt(units)
    error = own * np.sqrt(1 + (units - 3) / (other_seeds - 3))
    half = student.ppf(0.975, units - 2) * error
    return Prediction(value, float(np.tanh(z[0] - half)), float(np.tanh(z[0] + half)), units)
