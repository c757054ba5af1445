"""Correlations of several data sets pooled, the data sets a random sample of all that could have been drawn.

Each has z = artanh r with a standard error s. The variance tau^2 between data sets is by restricted maximum likelihood
(Viechtbauer 2005); the mean has the weights 1 / (s^2 + tau^2), the standard error of Hartung and Knapp (2001) and Student's t
with one degree of freedom for every data set but one; a further data set is expected within the prediction interval of
Higgins, Thompson and Spiegelhalter (2009), with one degree of freedom less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import t as student

Array = NDArray[np.float64]

FEWEST = 3  # data sets
METHOD = "random effects over data sets: REML on Fisher's z, Knapp-Hartung, t"


@dataclass(frozen=True)
class Pooled:
    """Of values on their own scale: mean, 95 % interval of it, 95 % prediction interval, variance between data sets."""

    mean: float
    low: float
    high: float
    predicted_low: float
    predicted_high: float
    tau2: float
    p: float


def pool(values: Array, errors: Array, level: float = 0.95) -> Pooled | None:
    """Pool K estimates with standard errors; None with fewer than FEWEST, or where one is not finite or has no error."""
    count = len(values)
    if count < FEWEST or not (np.isfinite(values).all() and np.isfinite(errors).all() and (errors > 0).all()):
        return None
    tau2 = reml(values, errors)
    weights = 1 / (errors**2 + tau2)
    mean = float((weights * values).sum() / weights.sum())
    error = float(np.sqrt((weights * (values - mean) ** 2).sum() / (count - 1) / weights.sum()))
    half = float(student.ppf((1 + level) / 2, count - 1)) * error
    spread = float(student.ppf((1 + level) / 2, count - 2)) * float(np.sqrt(tau2 + error**2))
    p = float(2 * student.sf(abs(mean) / error, count - 1)) if error > 0 else 0.0
    return Pooled(mean, mean - half, mean + half, mean - spread, mean + spread, tau2, p)


def pool_correlations(r: Array, errors: Array) -> Pooled | None:
    """The same of correlations whose Fisher z have these standard errors; everything but tau^2 is back on the scale of r."""
    with np.errstate(divide="ignore"):
        found = pool(np.arctanh(r), errors)
    if found is None:
        return None
    back = {name: float(np.tanh(getattr(found, name))) for name in ("mean", "low", "high", "predicted_low", "predicted_high")}
    return replace(found, **back)


def reml(values: Array, errors: Array) -> float:
    """Variance between estimates that maximises the restricted likelihood; 0 where that is largest there."""

    def loss(tau2: float) -> float:
        weights = 1 / (errors**2 + tau2)
        mean = (weights * values).sum() / weights.sum()
        return float(-np.log(weights).sum() + np.log(weights.sum()) + (weights * (values - mean) ** 2).sum())

    most = float(np.var(values)) * 10 + 1e-12
    grid = np.concatenate([[0.0], np.geomspace(most * 1e-6, most, 200)])
    best = int(np.argmin([loss(tau2) for tau2 in grid]))
    if best == 0:
        return 0.0
    bounds = float(grid[best - 1]), float(grid[min(best + 1, len(grid) - 1)])
    return float(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": most * 1e-10}).x)
