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
from study.statistics.differences import SIMULTANEOUS_DIFFERENCE, differences
from study.statistics.intervals import RESAMPLES, estimates, unusable
from study.statistics.pairs import Pairs, joined, pairs_of
from study.statistics.simultaneous import RESAMPLES as BAND_RESAMPLES
from study.statistics.simultaneous import Simultaneous, columns_of, simultaneous

Array = NDArray[np.float64]

BAND = "95 % simultaneous band over the steps of a curve: studentised bootstrap over seeds on Fisher's z"
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
        each has `steps` and, per statistic, an estimate per step, beside the centred one `band_low` and `band_high`, and its
        `change` from the first step;
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
    found = {"band": BAND, "change": SIMULTANEOUS_DIFFERENCE, "curves": curves, "left_out": left_out}
    return found | {"cells": list(_courses(frame, phases))}


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
    band = _band(pairs, resamples)
    ends = {"band_low": _plain(band.low), "band_high": _plain(band.high), "band_reason": list(band.reason)}
    curve["centred"] |= ends | _changes(pairs)
    first = pairs[0]
    counts = {"n": len(first), "seeds": first.units, "left_out_diverged": first.diverged, "left_out_undefined": first.undefined}
    return counts | curve


def _changes(pairs: Sequence[Pairs]) -> dict[str, list[float | None]]:
    """How the centred correlation of every later step differs from that of the first: Fisher's z, with intervals that hold
    the whole curve at once and the p of each alone."""
    first = pairs[0]
    if unusable(first) or len(pairs) < 2:
        return {f"change{part}": [None] * len(pairs) for part in ("", "_low", "_high", "_p")}
    left_out = (1.0 - np.eye(first.units))[:, first.unit]
    values = np.array([float(centred(p, np.ones(len(p)))) for p in pairs])
    without = np.stack([centred(p, left_out) for p in pairs], axis=1)
    count = len(pairs) - 1
    base = np.full(count, values[0]), np.repeat(without[:, :1], count, axis=1)
    found = differences(values[1:], without[:, 1:], *base, together=True)
    parts = {"": found.value, "_low": found.low, "_high": found.high, "_p": found.p}
    return {f"change{part}": [None, *_plain(numbers)] for part, numbers in parts.items()}


def _plain(values: Array) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def simultaneous_band(pairs: Sequence[Pairs], resamples: int = RESAMPLES, level: float = 0.95) -> tuple[Array, Array]:
    """A band that holds the centred correlations of all steps at once in `level` of studies.

    Seeds are resampled for all steps together; the largest deviation over steps, each in units of the standard error that
    the resample itself gives it on the scale of Fisher's z, gives one critical value for the whole curve.

    Args:
        pairs: the same pairs with the predictor of each of K steps.

    Returns:
        (K,) lower and upper ends; NaN where a step's correlation has none, for the reasons of `simultaneous`.
    """
    band = _band(pairs, resamples, level)
    return band.low, band.high


def _band(pairs: Sequence[Pairs], resamples: int, level: float = 0.95) -> Simultaneous:
    x, y = (np.stack([getattr(p, side) for p in pairs]) for side in ("dx", "dy"))
    columns = columns_of(x, y, pairs[0].seed, pairs[0].stratum)
    return simultaneous(columns, min(resamples, BAND_RESAMPLES), level=level)


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
