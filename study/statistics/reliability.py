"""How far the predictor can be relied on: the same network measured again, and what that does to a correlation."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.statistics.intervals import FEWEST_PAIRS, METHOD, RESAMPLES, Estimate, bca, resampling
from study.statistics.pairs import ROUNDING, diverged_pairs, in_company

Array = NDArray[np.float64]


def repeated_differences(joined_rows: pd.DataFrame, predictor: str, kind: str) -> tuple[Array, NDArray[np.int64]]:
    """Predictor differences of every pair, measured once for the study and again: (n, 1 + repeats), and the seeds.

    Means of strata are taken out, as they are in the correlations. Pairs that diverged or lack a repetition stay out.

    Args:
        kind: "kmeans" (other k-means starts) or "data" (other draws of the data, same weights).
    """
    name = f"repeat_{kind}_{predictor.removeprefix('silhouette_')}"
    columns = [f"{column}_{side}" for column in (predictor, name) for side in ("first", "second")]
    if any(column not in joined_rows for column in columns):
        return np.empty((0, 0)), np.empty(0, dtype=np.int64)
    lists = [[np.ndim(value) == 1 for value in joined_rows[column]] for column in columns[2:]]
    rows = joined_rows.loc[np.all(lists, axis=0) & ~diverged_pairs(joined_rows), [*columns, "stratum", "seed"]]
    if rows.empty:
        return np.empty((0, 0)), np.empty(0, dtype=np.int64)
    repeats = min(len(again) for column in columns[2:] for again in rows[column])
    first, second = (
        np.column_stack(
            [rows[once].to_numpy(dtype=np.float64), np.array([list(v)[:repeats] for v in rows[again]], dtype=np.float64)]
        )
        for once, again in (columns[::2], columns[1::2])
    )
    kept = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    strata = rows["stratum"].to_numpy(dtype=np.int64)
    if len(np.unique(strata[kept])) > 1:
        kept[kept] = in_company(strata[kept])
    differences, strata = pd.DataFrame((first - second)[kept]), strata[kept]
    centred = differences - differences.groupby(strata).transform("mean").mean(axis=1).to_numpy()[:, None]
    return centred.to_numpy(), rows["seed"].to_numpy(dtype=np.int64)[kept]


def intraclass(repeated: Array, weights: Array) -> Array:
    """One-way intraclass correlation ICC(1) of n pairs measured k times: the share of the predictor's variance that is
    the pair's own. (n, k) and weights (..., n) to (...)."""
    k = repeated.shape[1]
    means, within = repeated.mean(axis=1), repeated.var(axis=1, ddof=1)
    total = weights.sum(axis=-1)
    centre = means - means.mean()
    scatter = (weights @ centre**2) / total - ((weights @ centre) / total) ** 2
    between = k * scatter * total / (total - 1)
    noise = (weights @ within) / total
    with np.errstate(invalid="ignore", divide="ignore"):
        return (between - noise) / (between + (k - 1) * noise)


def reliability(joined_rows: pd.DataFrame, predictor: str, kind: str, resamples: int = RESAMPLES) -> Estimate:
    """ICC(1) of the pair difference of a predictor over repeated measurements, with an interval over seeds."""
    repeated, seeds = repeated_differences(joined_rows, predictor, kind)
    unit = np.unique(seeds, return_inverse=True)[1]
    n, units = len(repeated), len(np.unique(seeds))
    if n == 0 or repeated.shape[1] < 2:
        return Estimate(None, n=n, seeds=units, reason="not measured again in this sweep")
    if units < FEWEST_PAIRS:
        return Estimate(None, n=n, seeds=units, reason=f"{units} seed(s), at least {FEWEST_PAIRS} needed")
    value = float(intraclass(repeated, np.ones(n)))
    if not np.isfinite(value) or np.ptp(repeated) <= ROUNDING:
        return Estimate(None, n=n, seeds=units, reason="constant")
    weights = resampling(units, resamples, 0)
    draws = intraclass(repeated, weights if (unit == np.arange(n)).all() else weights[:, unit])
    left_out = intraclass(repeated, (1.0 - np.eye(units))[:, unit])
    low, high, reason = bca(value, draws, left_out)
    if reason:
        return Estimate(value, n=n, seeds=units, reason=reason)
    return Estimate(value, low, high, n, units, METHOD)


def attenuation_bound(centred: Estimate, reliability_of_predictor: Estimate) -> Estimate:
    """The centred correlation divided by the square root of the predictor's reliability.

    A bound, never the main number: it says how large the correlation could be if the predictor were measured without
    noise, and what it says is only as good as the assumption that the noise has nothing to do with the outcome.
    """
    n, seeds = centred.n, centred.seeds
    if centred.value is None or reliability_of_predictor.value is None:
        reason = centred.reason or reliability_of_predictor.reason
        return Estimate(None, n=n, seeds=seeds, reason=reason)
    if reliability_of_predictor.value <= 0:
        return Estimate(None, n=n, seeds=seeds, reason="reliability is not positive")
    root = float(np.sqrt(reliability_of_predictor.value))

    def corrected(value: float | None) -> float | None:
        return None if value is None else float(np.clip(value / root, -1, 1))

    note = "; ".join(filter(None, ["bound: the predictor's noise only, its reliability taken as known", centred.note]))
    low, high = corrected(centred.low), corrected(centred.high)
    return Estimate(corrected(centred.value), low, high, n, seeds, centred.method, reason=centred.reason, note=note)
