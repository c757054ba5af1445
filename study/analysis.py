"""From rows to numbers: every contrast, phase, outcome and predictor, each statistic with n, interval, p or a reason.

The order is that of an argument: do the conditions differ; does the measure say which seed does better; how much of
the pooled correlation is the condition mean; what the source study's statistics give; how far the measure itself can be
relied on; and what a mixed model makes of all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from study.by_data_set import by_data_set
from study.columns import LOSS, OUTCOMES, phases_of
from study.comparisons import FAITHFUL_ESTIMATOR, Comparison, comparisons_of, predictors_of
from study.contrasts import Contrast
from study.maps import maps
from study.over_time import over_time
from study.ranking import Costs, ranking
from study.replication import replication
from study.statistics.correlations import CONDITION_EFFECTS, CORRELATIONS
from study.statistics.intervals import CORRELATION_METHOD, METHOD, RESAMPLES, Estimate, estimates, unusable, unusable_within
from study.statistics.mixed import mixed_model
from study.statistics.pairs import Pairs
from study.statistics.permutation import (
    PERMUTATIONS,
    exchangeable,
    induced,
    layout,
    max_t,
    p_value,
    permutations,
    r20_null,
    sign_flip_p,
    studentised_under,
)
from study.statistics.ranks import rank_correlation
from study.statistics.reliability import attenuation_bound, reliability
from study.statistics.variance import DESIGNS, decompose, design_of
from study.statistics.verdicts import judge
from study.sweep import Primary
from study.within_cells import STATISTIC, cells_alone, within_entries

SCHEMA = 5
SIGN_FLIP = "sign flips of seeds"
PERMUTED = "permutations of seeds, studentised"
PAIRINGS = "permutations of seeds"
PERMUTED_STATISTICS = ("centred", "within_first", "within_second")


def estimates_of(
    comparison: Comparison, p_values: Mapping[str, Mapping[str, float]], resamples: int, permutation_count: int
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
    for name in PERMUTED_STATISTICS:
        if "p" in p_values[name]:
            found[name] = replace(found[name], p=p_values[name]["p"], p_method=PERMUTED)
    for name in ("raw", "raw_between", "raw_within"):
        found[name] = replace(found[name], p_method="none: mixes conditions and seeds")
    found["r20"] = replace(found["r20"], p_method="none: see r20_null")
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
    try:
        null = r20_null(pairs, count)
    except ValueError as reason:
        return Estimate(None, n=n, seeds=units, reason=str(reason))
    if not np.isfinite(null).all() or len(null) == 0:
        return Estimate(None, n=n, seeds=units, reason="constant")
    low, middle, high = (float(q) for q in np.quantile(null, [0.025, 0.5, 0.975]))
    above, below = (null >= observed.value - 1e-12).sum(), (null <= observed.value + 1e-12).sum()
    p = float(min(1.0, 2 * (min(above, below) + 1) / (len(null) + 1)))
    return Estimate(middle, low, high, n, units, "median and 95 % range under permuted pairings", p, PAIRINGS)


def _joint_permutation(
    comparisons: Sequence[Comparison], seeds: np.ndarray, count: int, primary: tuple[str, ...] | None
) -> dict[tuple[str, ...], dict[str, float]]:
    """P values of every seed-level correlation from one set of permutations of all seeds: own, family-wise, FDR.

    Keys are those of comparisons with the statistic (`centred`, `within_first`, `within_second`) added. The family is
    everything but the primary comparison's centred correlation. What cannot be computed is no part of it.
    """
    orders = permutations(len(seeds), count, 0)
    keys: list[tuple[str, ...]] = []
    observed, nulls, own = [], [], []
    for comparison in comparisons:
        pairs = comparison.pairs.comparable
        if unusable_within(comparison.pairs):
            continue
        here = exchangeable(induced(orders, seeds, np.unique(pairs.seed)), pairs)
        identity = np.arange(here.shape[1])[None]
        sides = {"within_first": (pairs.x_first, pairs.y_first), "within_second": (pairs.x_second, pairs.y_second)}
        for statistic, (x, y) in {"centred": (pairs.dx, pairs.dy), **sides}.items():
            t, null = (studentised_under([layout(pairs, x, y)], o)[:, 0] for o in (identity, here))
            if np.isfinite(t[0]) and np.isfinite(null).all():
                keys.append((*comparison.key, statistic))
                observed.append(t[0])
                own.append(p_value(t[0], null))
                nulls.append(null)
    found = {key: {"p": p} for key, p in zip(keys, own, strict=True)}
    family = [i for i, key in enumerate(keys) if key != (*(primary or ()), "centred")]
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
    costs: Costs | None = None,
) -> dict[str, Any]:
    """Every statistic of every comparison, the verdicts, and the ranking of predictors where rows hold some.

    Args:
        costs: cell -> column of a predictor -> what it costs in gradient steps, where that was measured.

    Returns:
        plain data, ready for JSON: `results` has one entry per contrast, phase, outcome, predictor and statistic; a value
        or interval that is missing has its reason. Where no two cells can be compared `results` is empty, and `within` has
        one entry per cell, phase, outcome and predictor.
    """
    comparisons = comparisons_of(frame, contrasts)
    alone = [] if contrasts else cells_alone(frame)  # nothing is compared: what seeds say within cells
    outcomes = [outcome for outcome in OUTCOMES if any(c.outcome == outcome for c in comparisons or alone)]
    if not outcomes:  # rows of predictors without a silhouette: only the ranking speaks of them
        outcomes = [outcome for outcome in OUTCOMES if any(f"loss_{phase}_{outcome}" in frame for phase in phases_of(frame))]
    primary_key = (primary.contrast, primary.phase, primary.outcome, f"silhouette_{primary.estimator}") if primary else None
    joint = _joint_permutation(comparisons or alone, np.unique(frame["seed"]), permutation_count, primary_key)
    results: list[dict[str, Any]] = []
    verdicts: list[dict[str, Any]] = []
    leading = _leading_predictor(frame, primary)
    for comparison in comparisons:
        p_values = {name: joint.get((*comparison.key, name), {}) for name in PERMUTED_STATISTICS}
        numbers = dict(estimates_of(comparison, p_values, resamples, permutation_count))
        for name, estimate in numbers.items():
            results.append(_entry(comparison, name, estimate, p_values.get(name, {}), comparison.key == primary_key))
        if comparison.predictor == leading and comparison.contrast.declared:
            counts = p_values["centred"].get("p" if comparison.key == primary_key else "p_fwer")
            verdicts += _verdicts(comparison, numbers | {"centred": replace(numbers["centred"], p=counts)}, verdicts)
    design = design_of(frame)
    return {
        "schema": SCHEMA,
        "interval": CORRELATION_METHOD,
        "interval_of_means": METHOD,
        "resamples": resamples,
        "permutations": permutation_count,
        "primary": dict(zip(("contrast", "phase", "outcome", "predictor"), primary_key, strict=True)) if primary_key else None,
        "family": sum("p_fwer" in p for key, p in joint.items() if comparisons or key[-1] == STATISTIC),
        "leading_predictor": leading,
        "outcomes": outcomes,
        "design": {"name": design, "question": DESIGNS[design]},
        "contrasts": {c.name: [list(pair) for pair in c.pairs] for c in contrasts},
        "cells": _cells(frame),
        "warnings": _warnings(comparisons),
        "verdicts": verdicts,
        "replication": replication(comparisons),
        "variance": _variance(frame) if design == "crossed" else [],
        "results": results,
        "within": within_entries(alone, joint, resamples),
        "over_time": over_time(frame, contrasts, resamples),
        "ranking": ranking(frame, contrasts, leading, costs, permutation_count=permutation_count) if contrasts else None,
        "by_data_set": by_data_set(frame, contrasts, costs, resamples, permutation_count) if contrasts else None,
        "maps": maps(frame, leading, resamples, permutation_count),
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
        "p_fwer": p_values.get("p_fwer"),
        "p_fdr": p_values.get("p_fdr"),
        "primary": primary and centred,
        "left_out_diverged": comparison.pairs.diverged,
        "left_out_undefined": comparison.pairs.undefined,
        "paper": getattr(paper, statistic, None),
    }


def _verdicts(
    comparison: Comparison, numbers: dict[str, Estimate], judged: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Whether the conditions differ in the loss and whether it is predicted; before a contrast's first, the silhouette."""
    key = dict(zip(("contrast", "phase", "outcome", "predictor"), comparison.key, strict=True))
    contrast = comparison.contrast
    first = contrast.pairs[0][0] if len(contrast.pairs) == 1 else "first"
    said = any(v["contrast"] == contrast.name for v in judged)
    about = [comparison.phase] if said else ["silhouette", comparison.phase]
    return [key | judge(what, first, contrast.expect, bool(contrast.paper), numbers) for what in about]


def _cells(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Networks, diverged networks, and means and standard deviations over those that did not diverge."""
    columns = predictors_of(frame) + [name for name in map(str, frame.columns) if LOSS.fullmatch(name)]
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
            sides = ", ".join(f"{n} {side}" for side, n in _diverged_by_side(comparison).items())
            warnings[
                f"{comparison.contrast.name}: {pairs.diverged} of {total} pairs left out because a network diverged ({sides}); "
                "what is left is a selection, and every number of this contrast may be biased by it."
            ] = None
        if pairs.alone:
            warnings[
                f"{comparison.contrast.name}: {pairs.alone} of {len(pairs)} pairs are alone on their data set, while others "
                f"share one; correlations within data sets rest on the {len(pairs.comparable)} that are left."
            ] = None
        if pairs.undefined:
            warnings[
                f"{comparison.contrast.name}, {comparison.phase} {comparison.outcome}, {comparison.predictor}: "
                f"{pairs.undefined} of {total} pairs left out because a number of theirs is not defined."
            ] = None
    return list(warnings)


def _diverged_by_side(comparison: Comparison) -> dict[str, int]:
    columns = {side: f"diverged_{side}" for side in ("first", "second")}
    return {
        side: int(comparison.rows[c].astype("boolean").fillna(False).sum())
        for side, c in columns.items()
        if c in comparison.rows
    }


def _variance(frame: pd.DataFrame) -> list[dict[str, object]]:
    """The crossed design's variance decomposition, for every cell, predictor and outcome."""
    outcomes = [name for name in map(str, frame.columns) if (m := LOSS.fullmatch(name)) and m[2] in OUTCOMES]
    return [
        decompose(frame, str(cell), column) for cell in frame["cell"].unique() for column in [*predictors_of(frame), *outcomes]
    ]
