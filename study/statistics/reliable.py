"""The star: which intervals are known to cover too little, by the simulations of `study calibrate`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from study.statistics.pairs import Pairs, within_strata

Array = NDArray[np.float64]

# Correlations. Simulated intervals hold the truth in at least 92.5 % of studies with normal, tied, heteroscedastic and
# moderately skewed values (log-normal, s = 0.5) and Student's t with 5 degrees of freedom, from 5 seeds on; in as few as 84 %
# where one column, or what it leaves of the other, is log-normal with s = 1 or t with 3. Samples with more than this are such.
SKEWED, HEAVY_TAILED = 1.5, 5.0
WORST = "84"  # per cent; the least of the table that `calibrate` prints
# Mean differences, whose intervals are BCa bootstraps: normal values need this many seeds for 92.5 %.
TRUSTED_SEEDS = 30
RULE = (
    "* marks an interval that covers less than 92.5 % in simulated studies like this one (`study calibrate`): for "
    f"correlations where values, or what one column leaves of the other, have a skewness above {SKEWED:g} or an excess "
    f"kurtosis above {HEAVY_TAILED:g} (as little as {WORST} %; ten seeds seldom show it); for mean differences also "
    f"with under {TRUSTED_SEEDS} seeds."
)


def reliable(*columns: Array) -> bool:
    """Whether the interval of a correlation of two (n,) columns covers at least 92.5 % in simulations of data like these.

    Columns without the means of their strata; of more or fewer than two, each counts for itself.
    """
    values = [column - column.mean() for column in columns]
    if len(values) == 2:
        values += [_left(values[0], values[1]), _left(values[1], values[0])]
    return not any(_irregular(value) for value in values)


def _left(y: Array, x: Array) -> Array:
    """What x leaves of y."""
    size = float(x @ x)
    return y - x * (float(x @ y) / size) if size > 0 else y


def _irregular(values: Array) -> bool:
    if len(values) < 3 or np.ptp(values) <= 1e-9 * max(np.abs(values).max(), 1e-300):
        return False
    rest = values - values.mean()
    variance = (rest**2).mean()
    return bool(abs((rest**3).mean()) > SKEWED * variance**1.5 or (rest**4).mean() > (3 + HEAVY_TAILED) * variance**2)


def caution(pairs: Pairs, columns: tuple[Array, Array] | None) -> str:
    """What is known to make the interval of a correlation cover too little, or ""."""
    x, y = columns or (pairs.dx, pairs.dy)
    if reliable(within_strata(pairs, x), within_strata(pairs, y)):
        return ""
    return f"skewed or heavy-tailed: covers less than 92.5 %, as little as {WORST} %"


def mean_caution(pairs: Pairs) -> str:
    """The same for a mean difference."""
    if pairs.units < TRUSTED_SEEDS:
        return f"fewer than {TRUSTED_SEEDS} seeds: covers less than 92.5 %"
    return "" if reliable(pairs.dx) and reliable(pairs.dy) else "skewed or heavy-tailed: covers less than 92.5 %"
