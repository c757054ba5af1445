"""Mixed model: loss ~ condition + predictor within pair + pair mean, with a random intercept per seed (statsmodels)."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from study.statistics.intervals import Estimate, unusable_within
from study.statistics.pairs import Pairs

Array = NDArray[np.float64]

TERMS = ("condition", "within", "mean")
METHOD = "mixed model, REML, 95 % t interval"


def mixed_model(pairs: Pairs) -> dict[str, Estimate]:
    """Standardised coefficients: the outcome's standard deviations per condition step (first minus second), per standard
    deviation of the predictor within pairs, and per standard deviation of the pair's mean predictor.

    The within coefficient asks the seed-level question; the condition coefficient takes up what the conditions' means
    explain, so that it cannot pass for prediction.
    """
    why = unusable_within(pairs)
    pairs = pairs.comparable
    n, units = len(pairs), pairs.units

    def missing(reason: str) -> dict[str, Estimate]:
        return {name: Estimate(None, n=n, seeds=units, reason=reason) for name in TERMS}

    if why:
        return missing(why)
    mean = (pairs.x_first + pairs.x_second) / 2
    scales = pairs.dx.std() / 2, mean.std(), np.concatenate([pairs.y_first, pairs.y_second]).std()
    if min(scales) == 0 or scales[0] <= 1e-12 * np.abs(pairs.dx).max():
        return missing("constant")
    within, mean = pairs.dx / 2 / scales[0], (mean - mean.mean()) / scales[1]
    outcomes = np.stack([pairs.y_first, pairs.y_second]) / scales[2]
    outcomes = outcomes - outcomes.mean()
    try:
        fit = _closed_form if len(pairs.strata) == 1 and n == units else _statsmodels
        coefficients, errors, freedom = fit(pairs, outcomes, within, mean)
    except (np.linalg.LinAlgError, ValueError) as failure:
        return missing(f"no fit ({type(failure).__name__})")
    if not (np.isfinite(coefficients).all() and np.isfinite(errors).all()):
        return missing("no fit (singular)")
    found = {}
    for name, value, error in zip(TERMS, coefficients, errors, strict=True):
        half = float(student.ppf(0.975, freedom) * error)
        p = float(2 * student.sf(abs(value) / error, freedom)) if error > 0 else None
        found[name] = Estimate(
            float(value), float(value - half), float(value + half), n, units, METHOD, p, f"t with {freedom} degrees of freedom"
        )
    return found


def _closed_form(pairs: Pairs, outcomes: Array, within: Array, mean: Array) -> tuple[Array, Array, int]:
    """REML exactly, for one pair per seed: a thousand times faster than iterating.

    Differences and sums of a pair are independent. Condition and within act on differences only, intercept and pair mean
    on sums only, so each part is an ordinary regression with a residual variance of its own; that of the sums is the
    larger by twice the variance of the random intercept. Where it comes out smaller, that variance is zero and the two
    share one residual variance.
    """
    n, root = len(pairs), np.sqrt(2)
    parts = []
    for response, design in (
        ((outcomes[0] - outcomes[1]) / root, np.column_stack([np.ones(n), 2 * within]) / root),
        ((outcomes[0] + outcomes[1]) / root, np.column_stack([np.ones(n), mean]) * root),
    ):
        inverse = np.linalg.inv(design.T @ design)
        coefficients = inverse @ design.T @ response
        parts.append((coefficients, np.diag(inverse), float(((response - design @ coefficients) ** 2).sum())))
    (differences, spread_d, rest_d), (sums, spread_s, rest_s) = parts
    variance_d, variance_s, freedom = rest_d / (n - 2), rest_s / (n - 2), n - 2
    if variance_s < variance_d:
        variance_d = variance_s = (rest_d + rest_s) / (2 * n - 4)
        freedom = 2 * n - 4
    errors = np.sqrt([*(variance_d * spread_d), variance_s * spread_s[1]])
    return np.array([differences[0], differences[1], sums[1]]), errors, freedom


def _statsmodels(pairs: Pairs, outcomes: Array, within: Array, mean: Array) -> tuple[Array, Array, int]:
    """REML by iteration, for several pairs per seed: condition effects differ from seed to seed too, since the differences of
    a seed's pairs are no independent evidence."""
    import statsmodels.api as sm  # late: it takes a second

    n = len(pairs)
    condition = np.repeat([0.5, -0.5], n)
    design = np.column_stack([np.ones(2 * n), condition, np.concatenate([within, -within]), np.tile(mean, 2)])
    design = np.column_stack([design, *_stratum_columns(pairs)])
    with warnings.catch_warnings():
        # A random intercept of zero variance is an answer here, not a failure: pairs then share nothing but the model.
        warnings.simplefilter("ignore")
        random = np.column_stack([np.ones(2 * n), condition])
        free = sm.regression.mixed_linear_model.MixedLMParams.from_components(np.ones(design.shape[1]), np.eye(2))
        model = sm.MixedLM(outcomes.ravel(), design, groups=np.tile(pairs.unit, 2), exog_re=random)
        fit = model.fit(reml=True, free=free, method=["lbfgs", "powell"])
    return np.asarray(fit.fe_params)[1:4], np.asarray(fit.bse_fe)[1:4], pairs.units - 2


def _stratum_columns(pairs: Pairs) -> list[Array]:
    """Indicators of all strata but the first, and of their condition effects, so that pooled strata keep their means."""
    columns = []
    for member in pairs.strata[1:]:
        columns += [np.tile(member, 2), np.concatenate([member, -member]) / 2]
    return columns
