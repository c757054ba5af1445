"""Until when does the silhouette predict? Its correlation with final losses as a function of the step it is measured at.

One set of pairs for all steps of a curve, so that a bend is never a change in who is counted: a pair with a silhouette
that is not defined at some step, or with a diverged network, is left out of the whole curve and counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.columns import OUTCOMES, measured_phases, phases_of, structure_by_phase
from study.contrasts import Contrast
from study.statistics.correlations import CORRELATIONS, centred, predictor_difference
from study.statistics.intervals import RESAMPLES, estimates, resampling, unusable
from study.statistics.pairs import Pairs, joined, pairs_of

Array = NDArray[np.float64]

BAND = "95 % simultaneous band over the steps of a curve: bootstrap max-T over seeds on Fisher's z"
STATISTICS = {
    "centred": centred,
    **{name: CORRELATIONS[name] for name in ("within_first", "within_second", "r20")},
    "predictor_difference": predictor_difference,
}


def measures_of(frame: pd.DataFrame, phase: str) -> list[str]:
    """What was measured during a phase: silhouette_<estimator>, cka, cosine, ..."""
    return [name for name in structure_by_phase(frame)[phase] if name != "steps"]


def over_time(frame: pd.DataFrame, contrasts: Sequence[Contrast], resamples: int = RESAMPLES) -> dict[str, Any] | None:
    """Every curve of correlations, and the course of structure in every cell; None for rows without such columns.

    Returns:
        plain data: `curves` with one entry per contrast, phase of measurement, estimator, phase and outcome of the loss;
        each has `steps` and, per statistic, an estimate per step, with `band_low` and `band_high` beside the centred one;
        `left_out` with what could not be compared and why; `cells`, see `_courses`.
    """
    phases = measured_phases(frame)
    if not phases:
        return None
    curves, left_out = [], []
    for contrast, phase in itertools.product(contrasts, phases):
        if any(name not in set(frame["cell"]) for pair in contrast.pairs for name in pair):
            continue
        rows = joined(frame, contrast.pairs)
        steps = _common_steps(rows, phase)
        if isinstance(steps, str):
            left_out.append({"contrast": contrast.name, "measured": phase, "reason": steps})
            continue
        estimators = [name for name in measures_of(frame, phase) if name.startswith("silhouette_")]
        for estimator, loss in itertools.product(estimators, _later_losses(frame, phase)):
            pairs = _pairs_at_steps(rows, f"structure_{phase}_{estimator}", f"loss_{loss[0]}_{loss[1]}", len(steps))
            name = estimator.removeprefix("silhouette_")
            key = {"contrast": contrast.name, "measured": phase, "estimator": name, "phase": loss[0], "outcome": loss[1]}
            curves.append(key | {"steps": steps} | _curve(pairs, resamples))
    return {"band": BAND, "curves": curves, "left_out": left_out, "cells": list(_courses(frame, phases))}


def _common_steps(rows: pd.DataFrame, phase: str) -> list[int] | str:
    """The steps of measurement that all networks of a contrast share, or why there are none."""
    columns = [rows[f"structure_{phase}_steps_{side}"] for side in ("first", "second")]
    if any(not column.map(_is_list).any() for column in columns):
        return "structure was not measured"
    known = [tuple(int(step) for step in value) for column in columns for value in column if _is_list(value)]
    if len(set(known)) > 1:
        return "structure was measured at different steps"
    return list(known[0])


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple, np.ndarray))


def _later_losses(frame: pd.DataFrame, phase: str) -> list[tuple[str, str]]:
    """Final losses that lie after a measurement: those of the phase itself and of later ones, of all in a cycle."""
    phases = phases_of(frame)
    cyclic = "cycles" in frame and bool((frame["cycles"] > 1).any())
    later = phases if cyclic or phase not in phases else phases[phases.index(phase) :]
    return [(p, o) for p, o in itertools.product(later, OUTCOMES) if f"loss_{p}_{o}" in frame]


def _pairs_at_steps(rows: pd.DataFrame, column: str, loss: str, count: int) -> list[Pairs]:
    """The same pairs with the predictor of each step in turn."""
    nothing = [np.nan] * count
    sides = {
        side: np.array([v if _is_list(v) else nothing for v in rows[f"{column}_{side}"]], dtype=np.float64)
        for side in ("first", "second")
    }
    defined = np.all([np.isfinite(values).all(axis=1) for values in sides.values()], axis=0)
    plain = rows[[n for n in rows if n in ("seed", "stratum") or n.startswith(("diverged_", f"{loss}_"))]]
    return [
        pairs_of(plain.assign(**{f"at_{side}": np.where(defined, v[:, k], np.nan) for side, v in sides.items()}), "at", loss)
        for k in range(count)
    ]


def _curve(pairs: Sequence[Pairs], resamples: int) -> dict[str, Any]:
    """Every statistic at every step, as lists over steps; None with a reason where there is no number."""
    found = [dict(zip(STATISTICS, estimates(list(STATISTICS.values()), p, resamples), strict=True)) for p in pairs]
    parts = ("value", "low", "high", "reason", "note")
    curve: dict[str, Any] = {name: {part: [asdict(f[name])[part] for f in found] for part in parts} for name in STATISTICS}
    low, high = simultaneous_band(pairs, resamples)
    curve["centred"] |= {"band_low": _plain(low), "band_high": _plain(high)}
    first = pairs[0]
    counts = {"n": len(first), "seeds": first.units, "left_out_diverged": first.diverged, "left_out_undefined": first.undefined}
    return counts | curve


def _plain(values: Array) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def simultaneous_band(pairs: Sequence[Pairs], resamples: int = RESAMPLES, level: float = 0.95) -> tuple[Array, Array]:
    """A band that holds the centred correlations of all steps at once in `level` of studies.

    Seeds are resampled for all steps together; the largest deviation over steps, each in units of its own bootstrap standard
    error on the scale of Fisher's z, gives one critical value for the whole curve.

    Args:
        pairs: the same pairs with the predictor of each of K steps.

    Returns:
        (K,) lower and upper ends; NaN where a step's correlation is not defined, and everywhere with too few seeds or
        where more than 1 % of the resamples are undefined.
    """
    low, high = np.full(len(pairs), np.nan), np.full(len(pairs), np.nan)
    first = pairs[0]
    if unusable(first):
        return low, high
    values = np.array([float(centred(p, np.ones(len(p)))) for p in pairs])
    defined = np.flatnonzero(np.isfinite(values) & (np.abs(values) < 1))
    drawn = resampling(first.units, resamples, 0)[:, first.unit]
    z = np.arctanh(values[defined])
    null = np.arctanh(np.clip([centred(pairs[int(k)], drawn) for k in defined], -1 + 1e-12, 1 - 1e-12))
    null = null[:, np.isfinite(null).all(axis=0)] if len(defined) else np.empty((0, 0))
    if null.shape[1] < 0.99 * resamples:
        return low, high
    error = null.std(axis=1)
    critical = np.quantile((np.abs(null - z[:, None]) / error[:, None]).max(axis=0), level)
    low[defined], high[defined] = np.tanh(z - critical * error), np.tanh(z + critical * error)
    return low, high


def _courses(frame: pd.DataFrame, phases: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every measure of every cell over a phase: median and 10 and 90 % quantiles over networks that did not diverge."""
    for (cell, part), phase in itertools.product(frame.groupby("cell", sort=False), phases):
        kept = part[part[f"structure_{phase}_steps"].map(_is_list)]
        if "diverged" in kept:
            kept = kept[~kept["diverged"].astype("boolean").fillna(False).astype(bool)]
        for steps, same in kept.groupby(kept[f"structure_{phase}_steps"].map(tuple), sort=False):
            for measure in measures_of(frame, phase):
                lists = [v for v in same[f"structure_{phase}_{measure}"] if _is_list(v)]
                values = np.array(lists, dtype=np.float64).reshape(len(lists), len(steps))
                columns = [column[np.isfinite(column)] for column in values.T]
                ends = [np.quantile(c, [0.1, 0.5, 0.9]) if len(c) else np.full(3, np.nan) for c in columns]
                quantiles = dict(zip(("q10", "median", "q90"), map(_plain, np.transpose(ends)), strict=True))
                counts = {"networks": len(lists), "defined": [len(column) for column in columns]}
                key = {"cell": str(cell), "phase": phase, "measure": measure}
                yield key | counts | {"steps": [int(step) for step in steps]} | quantiles
