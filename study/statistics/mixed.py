"""Mixed model: loss ~ condition + predictor within pair + pair mean, with a random intercept per seed (statsmodels)."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.stats import norm

from study.statistics.intervals import Estimate, unusable
from study.statistics.pairs import Pairs

TERMS = ("condition", "within", "mean")
METHOD = "mixed model, REML, 95 % Wald interval"


def mixed_model(pairs: Pairs) -> dict[str, Estimate]:
    """Standardised coefficients: the outcome's standard deviations per condition step (first minus second), per standard
    deviation of the predictor within pairs, and per standard deviation of the pair's mean predictor.

    The within coefficient asks the seed-level question; the condition coefficient takes up what the conditions' means
    explain, so that it cannot pass for prediction.
    """
    n, units = len(pairs), pairs.units

    def missing(reason: str) -> dict[str, Estimate]:
        return {name: Estimate(None, n=n, seeds=units, reason=reason) for name in TERMS}

    if reason := unusable(pairs):
        return missing(reason)
    outcome = np.concatenate([pairs.y_first, pairs.y_second])
    condition = np.repeat([0.5, -0.5], n)
    within = np.concatenate([pairs.dx, -pairs.dx]) / 2
    mean = np.tile((pairs.x_first + pairs.x_second) / 2, 2)
    within_scale, mean_scale, outcome_scale = pairs.dx.std() / 2, mean.std(), outcome.std()
    if outcome_scale == 0 or within_scale <= 1e-12 * np.abs(pairs.dx).max(initial=0) or mean_scale == 0:
        return missing("constant")
    design = np.column_stack([np.ones(2 * n), condition, within / within_scale, (mean - mean.mean()) / mean_scale])
    design = np.column_stack([design, *_stratum_columns(pairs)])
    import statsmodels.api as sm  # late: it takes a second

    with warnings.catch_warnings():
        # A random intercept of zero variance is an answer here, not a failure: pairs then share nothing but the model.
        warnings.simplefilter("ignore")
        try:
            fit = sm.MixedLM((outcome - outcome.mean()) / outcome_scale, design, groups=np.tile(pairs.unit, 2)).fit(reml=True)
            coefficients, errors = np.asarray(fit.fe_params)[1:4], np.asarray(fit.bse_fe)[1:4]
        except (np.linalg.LinAlgError, ValueError) as failure:
            return missing(f"no fit ({type(failure).__name__})")
    if not (np.isfinite(coefficients).all() and np.isfinite(errors).all()):
        return missing("no fit (singular)")
    found = {}
    for name, value, error in zip(TERMS, coefficients, errors, strict=True):
        half = float(norm.ppf(0.975) * error)
        p = float(2 * norm.sf(abs(value) / error))
        found[name] = Estimate(float(value), float(value - half), float(value + half), n, units, METHOD, p, "Wald z")
    return found


def _stratum_columns(pairs: Pairs) -> list[np.ndarray]:
    """Indicators of all strata but the first, and of their condition effects, so that pooled strata keep their means."""
    columns = []
    for member in pairs.strata[1:]:
        columns += [np.tile(member, 2), np.concatenate([member, -member]) / 2]
    return columns
