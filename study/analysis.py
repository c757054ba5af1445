"""From rows to numbers: every contrast, phase, outcome and predictor, each statistic with n, interval, p or a reason.

The order is that of an argument: do the conditions differ; does the measure say which seed does better; how much of
the pooled correlation is the condition mean; what the source study's statistics give; how far the measure itself can be
relied on; and what a mixed model makes of all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from study.comparisons import FAITHFUL_ESTIMATOR, OUTCOMES, Comparison, comparisons_of, predictors_of
from study.contrasts import Contrast
from study.statistics.correlations import CONDITION_EFFECTS, CORRELATIONS
from study.statistics.intervals import METHOD, RESAMPLES, Estimate, estimates, unusable
from study.statistics.mixed import mixed_model
from study.statistics.pairs import Pairs
from study.statistics.permutation import (
    PERMUTATIONS,
    Grid,
    centred_under,
    fisher,
    grid_of,
    max_t,
    p_value,
    permutations,
    r20_null,
    sign_flip_p,
)
from study.statistics.ranks import rank_correlation
from study.statistics.reliability import attenuation_bound, reliability
from study.statistics.variance import DESIGNS, decompose, design_of
from study.statistics.verdicts import CLAIMS, judge
from study.sweep import Primary

SCHEMA = 2
SIGN_FLIP = "sign flips of seeds"
PERMUTED = "permutations of seeds"


def estimates_of(
    comparison: Comparison, centred_p: float | None, resamples: int, permutation_count: int
) -> Iterator[tuple[str, Estimate]]:
    """The statistics of one comparison by name, in the order of the argument."""
    pairs = comparison.pairs
    usable = not unusable(pairs)
    effects = dict(zip(CONDITION_EFFECTS, estimates(list(CONDITION_EFFECTS.values()), pairs, resamples), strict=True))
    for name, differences in (("predictor_difference", pairs.dx), ("loss_difference", pairs.dy)):
        if usable:
            p = sign_flip_p(pairs, differences, permutation_count)
            effects[name] = replace(effects[name], p=p, p_method=SIGN_FLIP)
    if usable and effects["log10_loss_difference"].value is None:
        effects["log10_loss_difference"] = replace(effects["log10_loss_difference"], reason="a loss is not positive")
    elif usable:
        logs = np.log10(pairs.y_first) - np.log10(pairs.y_second)
        p = sign_flip_p(pairs, logs, permutation_count)
        effects["log10_loss_difference"] = replace(effects["log10_loss_difference"], p=p, p_method=SIGN_FLIP)
    yield from effects.items()
    found = dict(zip(CORRELATIONS, estimates(list(CORRELATIONS.values()), pairs, resamples), strict=True))
    if centred_p is not None:
        found["centred"] = replace(found["centred"], p=centred_p, p_method=PERMUTED)
    yield "centred", found["centred"]
    yield "spearman", rank_correlation(pairs, "spearman")
    yield "kendall", rank_correlation(pairs, "kendall")
    yield from ((name, estimate) for name, estimate in found.items() if name != "centred")
    yield "r20_null", _r20_null(pairs, found["r20"], permutation_count)
    for kind in ("kmeans", "data"):
        again = reliability(comparison.rows, comparison.predictor, kind, resamples)
        yield f"reliability_{kind}", again
        yield f"attenuation_bound_{kind}", attenuation_bound(found["centred"], again)
    yield from ((f"mixed_{name}", estimate) for name, estimate in mixed_model(pairs).items())


def _r20_null(pairs: Pairs, observed: Estimate, count: int) -> Estimate:
    """Where r20 lies when seeds are paired at random and the mean shift is kept; p is its place in that distribution."""
    n, units = len(pairs), pairs.units
    if observed.value is None or observed.reason:
        return Estimate(None, n=n, seeds=units, reason=observed.reason)
    null = r20_null(pairs, count)
    if not np.isfinite(null).all() or len(null) == 0:
        return Estimate(None, n=n, seeds=units, reason="constant")
    low, middle, high = (float(q) for q in np.quantile(null, [0.025, 0.5, 0.975]))
    above, below = (null >= observed.value - 1e-12).sum(), (null <= observed.value + 1e-12).sum()
    p = float(min(1.0, 2 * (min(above, below) + 1) / (len(null) + 1)))
    return Estimate(middle, low, high, n, units, "median and 95 % range under permuted pairings", p, PERMUTED)


def _joint_permutation(
    comparisons: Sequence[Comparison], seeds: np.ndarray, count: int, primary: tuple[str, ...] | None
) -> dict[tuple[str, str, str, str], dict[str, float]]:
    """P values of every centred correlation from one set of permutations of all seeds: own, family-wise, FDR.

    The family is every comparison but the primary one. Comparisons that cannot be computed are no part of it.
    """
    orders = permutations(len(seeds), count, 0)
    identity = np.arange(len(seeds))[None]
    groups: dict[tuple[str, str, str], list[tuple[Comparison, Grid]]] = {}
    for comparison in comparisons:
        if not unusable(comparison.pairs):
            groups.setdefault(comparison.key[:3], []).append((comparison, grid_of(comparison.pairs, seeds)))
    keys, observed, nulls, own = [], [], [], []
    for members in groups.values():
        grids = [grid for _, grid in members]
        r, r_pairs = centred_under(grids, identity)
        null, null_pairs = centred_under(grids, orders)
        for i, (comparison, _) in enumerate(members):
            if np.isfinite(r[0, i]) and np.isfinite(null[:, i]).all():
                z, null_z = fisher(r[:, i], r_pairs[:, i])[0], fisher(null[:, i], null_pairs[:, i])
                keys.append(comparison.key)
                observed.append(z)
                own.append(p_value(z, null_z))
                nulls.append(null_z.astype(np.float32))
    found = {key: {"p": p} for key, p in zip(keys, own, strict=True)}
    family = [i for i, key in enumerate(keys) if key != primary]
    if family:
        adjusted = max_t(np.array(observed)[family], np.stack([nulls[i] for i in family], axis=1))
        discovered = false_discovery_control([own[i] for i in family])
        for i, fwer, fdr in zip(family, adjusted, discovered, strict=True):
            found[keys[i]] |= {"p_fwer": float(fwer), "p_fdr": float(fdr)}
    return found


def analyse(
    frame: pd.DataFrame,
    contrasts: tuple[Contrast, ...],
    primary: Primary | None = None,
    resamples: int = RESAMPLES,
    permutation_count: int = PERMUTATIONS,
) -> dict[str, Any]:
    """Every statistic of every comparison, and the verdicts.

    Returns:
        plain data, ready for JSON: `results` has one entry per contrast, phase, outcome, predictor and statistic; a value
        or interval that is missing has its reason.
    """
    comparisons = comparisons_of(frame, contrasts)
    outcomes = [outcome for outcome in OUTCOMES if any(c.outcome == outcome for c in comparisons)]
    primary_key = (primary.contrast, primary.phase, primary.outcome, f"silhouette_{primary.estimator}") if primary else None
    joint = _joint_permutation(comparisons, np.unique(frame["seed"]), permutation_count, primary_key)
    results, verdicts = [], []
    leading = _leading_predictor(frame, primary)
    for comparison in comparisons:
        p_values = joint.get(comparison.key, {})
        numbers = dict(estimates_of(comparison, p_values.get("p"), resamples, permutation_count))
        for name, estimate in numbers.items():
            results.append(_entry(comparison, name, estimate, p_values, comparison.key == primary_key))
        if comparison.predictor == leading:
            verdicts += _verdicts(comparison, numbers)
    design = design_of(frame)
    return {
        "schema": SCHEMA,
        "interval": METHOD,
        "resamples": resamples,
        "permutations": permutation_count,
        "primary": dict(zip(("contrast", "phase", "outcome", "predictor"), primary_key, strict=True)) if primary_key else None,
        "family": sum("p_fwer" in p for p in joint.values()),
        "leading_predictor": leading,
        "outcomes": outcomes,
        "design": {"name": design, "question": DESIGNS[design]},
        "contrasts": {c.name: [list(pair) for pair in c.pairs] for c in contrasts},
        "cells": _cells(frame),
        "warnings": _warnings(comparisons),
        "verdicts": verdicts,
        "variance": _variance(frame) if design == "crossed" else [],
        "results": results,
    }


def _leading_predictor(frame: pd.DataFrame, primary: Primary | None) -> str:
    names = predictors_of(frame)
    wanted = f"silhouette_{primary.estimator}" if primary else ""
    return wanted if wanted in names else (names[0] if names else "")


def _entry(
    comparison: Comparison, statistic: str, estimate: Estimate, p_values: dict[str, float], primary: bool
) -> dict[str, Any]:
    contrast, phase, outcome, predictor = comparison.key
    centred = statistic == "centred"
    faithful = predictor == f"silhouette_{FAITHFUL_ESTIMATOR}" and outcome == "test"
    paper = comparison.contrast.paper.get(phase) if faithful else None
    return {
        "contrast": contrast,
        "phase": phase,
        "outcome": outcome,
        "predictor": predictor,
        "statistic": statistic,
        **asdict(estimate),
        "p_fwer": p_values.get("p_fwer") if centred else None,
        "p_fdr": p_values.get("p_fdr") if centred else None,
        "primary": primary and centred,
        "left_out_diverged": comparison.pairs.diverged,
        "left_out_undefined": comparison.pairs.undefined,
        "paper": getattr(paper, statistic, None),
    }


def _verdicts(comparison: Comparison, numbers: dict[str, Estimate]) -> list[dict[str, Any]]:
    """Verdicts on the claims that speak of this comparison's phase; the claim on the predictor alone comes first."""
    key = dict(zip(("contrast", "phase", "outcome", "predictor"), comparison.key, strict=True))
    claims = [claim for claim in CLAIMS if claim.phase == comparison.phase]
    if comparison.phase == "single":
        claims = [claim for claim in CLAIMS if claim.phase is None] + claims
    return [key | judge(claim, numbers) for claim in claims]


def _cells(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Networks, diverged networks, and means and standard deviations over those that did not diverge."""
    columns = predictors_of(frame) + [name for name in frame.columns if name.startswith("loss_")]
    cells = []
    for name, part in frame.groupby("cell", sort=False):
        diverged = _diverged(part)
        kept = part.loc[~diverged, columns].astype(float)
        numbers = {}
        for column in columns:
            values = kept[column][np.isfinite(kept[column])]
            if len(values):
                spread = float(values.std()) if len(values) > 1 else None
                numbers[column] = {"mean": float(values.mean()), "sd": spread, "n": len(values)}
        cells.append({"cell": str(name), "networks": len(part), "diverged": int(diverged.sum()), "columns": numbers})
    return cells


def _diverged(frame: pd.DataFrame) -> pd.Series:
    if "diverged" not in frame:
        return pd.Series(False, index=frame.index)
    return frame["diverged"].astype("boolean").fillna(False).astype(bool)


def _warnings(comparisons: Sequence[Comparison]) -> list[str]:
    """Where leaving out pairs could bias: networks that diverge are not a random sample of networks."""
    warnings: dict[str, None] = {}
    for comparison in comparisons:
        pairs = comparison.pairs
        total = len(pairs) + pairs.diverged + pairs.undefined
        if pairs.diverged:
            warnings[
                f"{comparison.contrast.name}: {pairs.diverged} of {total} pairs left out because a network diverged; what "
                "is left is a selection, and every number of this contrast may be biased by it."
            ] = None
        if pairs.undefined:
            warnings[
                f"{comparison.contrast.name}, {comparison.phase} {comparison.outcome}, {comparison.predictor}: "
                f"{pairs.undefined} of {total} pairs left out because a number of theirs is not defined."
            ] = None
    return list(warnings)


def _variance(frame: pd.DataFrame) -> list[dict[str, object]]:
    """The crossed design's variance decomposition, for every cell, predictor and outcome."""
    outcomes = [name for name in frame.columns if name.startswith("loss_") and name.endswith(OUTCOMES)]
    return [
        decompose(frame, str(cell), column) for cell in frame["cell"].unique() for column in [*predictors_of(frame), *outcomes]
    ]
