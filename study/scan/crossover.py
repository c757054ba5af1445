"""The initial scale at which the effect of the scale changes sign, by bisection on its logarithm.

The effect at a scale is the mean over seeds of log10 unseen loss there minus log10 unseen loss at scale 1, on common seeds.
Between two scales where its sign differs a third is trained, half-way on the logarithm, until the ends are close. All
state is in the rows: the same command trains what is missing and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from study.plan import Cell
from study.scan.points import Point, bracket_of, known, points_of, rows_for_scores
from study.scan.space import DIGITS, Scan
from study.storage import Location

RESAMPLES = 2000


def bracket(scan: Scan, out: Location, train: Callable[[Sequence[Cell]], bool]) -> bool:
    """Bisect until the bracket is as narrow as asked, points are used up, or there is no sign change.

    Args:
        train: trains cells and says whether all their rows are there.

    Returns:
        whether it came to an end; False where training did not.
    """
    axis = scan.axes[0]
    ends = [scan.cell(scan.reference({})), *(scan.cell({"init_scale": float(end)}) for end in (axis.low or 0, axis.high or 0))]
    if not train(ends):
        return False
    while True:
        points = points_of(scan, rows_for_scores(out))
        between = bracket_of(points)
        if between is None or len(known(points)) >= scan.spec.points:
            return True
        low, high = (float(point.values["init_scale"]) for point in between)
        middle = float(f"{np.sqrt(low * high):.{DIGITS}g}")
        tried = {float(point.values["init_scale"]) for point in points if point.done}
        if high / low <= scan.spec.tolerance or middle in tried:
            return True
        if not train([scan.cell({"init_scale": middle})]):
            return False


def crossover(points: Sequence[Point]) -> dict[str, Any] | None:
    """Where the effect is 0: by linear interpolation on log scale, with a percentile interval over resampled seeds.

    Returns:
        None without two whole points; else `low` and `high` of the bracket (None without a sign change), `scale`, its
        `interval`, and `share`, of resamples that have a sign change at all.
    """
    whole = sorted((p for p in points if p.score.values is not None), key=lambda p: float(p.values["init_scale"]))
    if len(whole) < 2:
        return None
    logs = np.log([float(p.values["init_scale"]) for p in whole])
    differences = np.array([p.score.per_seed[0] for p in whole])  # (scales, seeds)
    seeds = differences.shape[1]
    chosen = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
    zeros = np.array([_zero(logs, differences[:, c].mean(axis=1)) for c in chosen])
    found, between = zeros[np.isfinite(zeros)], bracket_of(points)
    here = _zero(logs, differences.mean(axis=1))
    interval = np.exp(np.quantile(found, [0.025, 0.975])).tolist() if len(found) >= 0.95 * RESAMPLES else None
    return {
        "low": float(between[0].values["init_scale"]) if between else None,
        "high": float(between[1].values["init_scale"]) if between else None,
        "scale": float(np.exp(here)) if np.isfinite(here) else None,
        "interval": interval,
        "share": len(found) / RESAMPLES,
        "seeds": seeds,
    }


def _zero(logs: np.ndarray, effects: np.ndarray) -> float:
    """The first place where a line through the effects is 0; NaN where there is none."""
    changes = np.flatnonzero(effects[:-1] * effects[1:] < 0)
    if not len(changes):
        return float("nan")
    i = int(changes[0])
    return float(logs[i] + (logs[i + 1] - logs[i]) * effects[i] / (effects[i] - effects[i + 1]))
