"""Objectives of a scan by name: what a point's rows are worth.

Losses are on all legal patterns never trained on, as mean log10 over seeds: they span orders of magnitude, and one bad
seed should not decide. `seed_level_r` is the lower end of the 95 % interval of |centred r| between silhouette and loss
differences of a point and its reference (the same settings, weights as drawn), 0 where the interval holds 0. `crossover` is
the size of the mean difference of log10 unseen losses between a point and its reference (see `study.scan.crossover`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from study.plan import Cell, Draw
from study.statistics.correlations import centred
from study.statistics.intervals import FEWEST_PAIRS, estimates
from study.statistics.pairs import make_pairs
from study.sweep import ScanSpec, SweepError

REFERENCE_SCALE = 1.0
PRUNING_LEVEL = 0.99  # one-sided, in every objective: what is dropped is worse beyond reasonable doubt

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Objective:
    """An objective.

    Attributes:
        mode: "min" or "max".
        tasks: of the phase whose loss it is: 1 for single tasks, 2 for several at once, 0 for none.
        paired: whether it needs the reference's rows.
    """

    name: str
    label: str
    mode: str
    tasks: int = 0
    paired: bool = False

    def phase(self, spec: ScanSpec, cell: Cell) -> str | None:
        """The phase it looks at, or None where the cell has none."""
        if self.tasks == 0:
            names = [phase.name for phase in cell.curriculum.phases]
            return names[-1] if spec.phase is None else spec.phase if spec.phase in names else None
        several = [phase.name for phase in cell.curriculum.phases if any(phase.task_counts[1:])]
        single = [phase.name for phase in cell.curriculum.phases if not any(phase.task_counts[1:])]
        found = single if self.tasks == 1 else several
        return found[-1] if found else None

    def check(self, spec: ScanSpec, cell: Cell, seeds: int) -> None:
        """Raises SweepError where a cell cannot be scored."""
        where = f"scan.objectives: {self.name}"
        if self.phase(spec, cell) is None:
            kind = {1: "of single tasks", 2: "of several tasks at once"}.get(self.tasks, f"named {spec.phase!r}")
            raise SweepError(f"{where} needs a phase {kind}, and curriculum {cell.settings.curriculum!r} has none")
        if self.name == "seed_level_r" and seeds < FEWEST_PAIRS:
            raise SweepError(f"{where} needs at least {FEWEST_PAIRS} seeds; there are {seeds}")
        if self.name == "seed_level_r" and self.estimator(spec, cell) not in cell.settings.estimators:
            raise SweepError(f"scan.estimator = {spec.estimator!r}: allowed: {', '.join(cell.settings.estimators)}")

    def estimator(self, spec: ScanSpec, cell: Cell) -> str:
        return spec.estimator or cell.settings.estimators[0]


OBJECTIVES = {
    objective.name: objective
    for objective in (
        Objective("generalisation", "mean log10 unseen loss, single tasks", "min", tasks=1),
        Objective("multitasking", "mean log10 unseen loss, several tasks at once", "min", tasks=2),
        Objective("seed_level_r", "lower bound of |centred r|", "max", paired=True),
        Objective("crossover", "mean difference of log10 unseen loss from scale 1", "min", paired=True),
    )
}


@dataclass(frozen=True)
class Score:
    """What is known of a point.

    Attributes:
        values: an entry per objective; None where they are not all defined or not all seeds are there.
        per_seed: per loss its log10 over seeds in the scan's order, for `crossover` the differences; nothing for others.
        seeds: networks with rows.
        pruned: why it is no candidate: "diverged", "dominated", "undefined"; or "".
    """

    values: tuple[float, ...] | None
    per_seed: tuple[tuple[float, ...], ...]
    seeds: int
    pruned: str = ""


def log_losses(rows: pd.DataFrame, phase: str, draws: Sequence[Draw]) -> Array:
    """log10 unseen losses of the draws that have rows, in their order; NaN where a loss is not positive."""
    column = f"loss_{phase}_unseen"
    by_draw = {(s, d): v for s, d, v in zip(rows["seed"], rows["data_seed"], rows[column], strict=True)}
    losses = np.array([by_draw[draw.seed, draw.data_seed] for draw in draws if (draw.seed, draw.data_seed) in by_draw], float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(losses > 0, np.log10(losses), np.nan)


def score(
    objectives: Sequence[Objective], spec: ScanSpec, cell: Cell, rows: pd.DataFrame, reference: pd.DataFrame | None
) -> Score:
    """The score of a point from its rows.

    Args:
        cell: with the draws that the point should have.
        rows: of this cell; those of other draws are not looked at.
        reference: rows of the reference, where an objective is paired.
    """
    wanted = {(draw.seed, draw.data_seed) for draw in cell.draws}
    keys = list(zip(rows["seed"], rows["data_seed"], strict=True)) if len(rows) else []
    rows = rows[[key in wanted for key in keys]] if len(rows) else rows
    if not len(rows):
        return Score(None, (), 0)
    if rows["diverged"].any():
        return Score(None, (), len(rows), "diverged")
    per_seed, values = [], []
    for objective in objectives:
        phase = objective.phase(spec, cell)
        assert phase is not None  # `check` has seen to it
        if objective.name == "crossover":
            found = _effect(phase, cell, rows, reference)
            per_seed.append(tuple(found.tolist()))
            values.append(abs(float(found.mean())) if len(found) == len(wanted) else np.nan)
            continue
        if objective.paired:
            values.append(_seed_level(objective, spec, cell, phase, rows, reference) if len(rows) == len(wanted) else np.nan)
            continue
        losses = log_losses(rows, phase, cell.draws)
        per_seed.append(tuple(losses.tolist()))
        values.append(float(losses.mean()))
    if len(rows) < len(wanted):
        return Score(None, tuple(per_seed), len(rows))
    defined = bool(np.isfinite(values).all())
    return Score(tuple(values) if defined else None, tuple(per_seed), len(rows), "" if defined else "undefined")


def _effect(phase: str, cell: Cell, rows: pd.DataFrame, reference: pd.DataFrame | None) -> Array:
    """Differences of log10 unseen losses, the point's minus the reference's, over the draws that both have."""
    if reference is None or not len(reference) or reference["diverged"].any():
        return np.array([])
    keys = [set(zip(part["seed"], part["data_seed"], strict=True)) for part in (rows, reference)]
    both = [draw for draw in cell.draws if all((draw.seed, draw.data_seed) in k for k in keys)]
    return log_losses(rows, phase, both) - log_losses(reference, phase, both)


def _seed_level(
    objective: Objective, spec: ScanSpec, cell: Cell, phase: str, rows: pd.DataFrame, reference: pd.DataFrame | None
) -> float:
    """Lower bound of |centred r|; NaN where it is not defined, as between a cell and itself."""
    if reference is None or not len(reference) or cell.settings.init_scale == REFERENCE_SCALE:
        return float("nan")
    both = pd.concat([rows.assign(cell="point"), reference.assign(cell="reference")], ignore_index=True)
    predictor = f"silhouette_{objective.estimator(spec, cell)}"
    pairs = make_pairs(both, [("point", "reference")], predictor, f"loss_{phase}_unseen")
    found = estimates([centred], pairs)[0]
    if found.low is None or found.high is None:
        return float("nan")
    return max(found.low, -found.high, 0.0)


def clearly_dominated(per_seed: Sequence[Sequence[float]], front: Sequence[Sequence[Sequence[float]]]) -> bool:
    """Whether a point on the front is better beyond reasonable doubt in every objective: one-sided t bounds of the paired
    differences over the seeds that both have."""
    return any(all(_clearly_worse(a, b) for a, b in zip(per_seed, other, strict=True)) for other in front)


def _clearly_worse(losses: Sequence[float], others: Sequence[float]) -> bool:
    count = min(len(losses), len(others))
    if count < 2:
        return False
    difference = np.array(losses[:count]) - np.array(others[:count])
    margin = student.ppf(PRUNING_LEVEL, count - 1) * difference.std(ddof=1) / np.sqrt(count)
    return bool(difference.mean() > margin)
