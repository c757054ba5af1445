"""How often an interval excludes zero where there is nothing: counted on the values at hand, not taken from its name.

Seeds of the outcome are put in random order, which leaves both columns as skewed and heavy-tailed as they are and cuts
every link between them. The share of orders in which the interval excludes zero is what chance gives.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from study.statistics.correlations import Statistic
from study.statistics.intervals import estimates
from study.statistics.pairs import Pairs

SHUFFLES = 40  # of each correlation; sums over many of them are what is reported
RESAMPLES = 500


def shuffled(pairs: Pairs, generator: np.random.Generator) -> Pairs:
    """Outcomes of other seeds: whole seeds in another order where every seed is in every stratum, else within strata."""
    order = np.lexsort((pairs.unit, pairs.stratum))
    moved = np.arange(len(pairs))
    strata, counts = np.unique(pairs.stratum, return_counts=True)
    if len(pairs) == len(strata) * pairs.units and (counts == pairs.units).all():
        moved[order] = order.reshape(len(strata), -1)[:, generator.permutation(pairs.units)].ravel()
    else:
        for stratum in strata:
            here = np.flatnonzero(pairs.stratum == stratum)
            moved[here] = generator.permutation(here)
    return replace(pairs, y_first=pairs.y_first[moved], y_second=pairs.y_second[moved])


def chance_of_exclusion(statistic: Statistic, pairs: Pairs, shuffles: int = SHUFFLES, random_state: int = 0) -> float:
    """The share of shuffled studies in which the interval of a seed-level correlation excludes zero."""
    generator = np.random.default_rng(random_state)
    excluded = 0
    for _ in range(shuffles):
        (found,) = estimates([statistic], shuffled(pairs, generator), RESAMPLES)
        excluded += found.low is not None and found.high is not None and (found.low > 0 or found.high < 0)
    return excluded / shuffles
