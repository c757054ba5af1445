"""Weights & Biases: one run per trial, or per network where the sweep asks for that, logged inside the trial.

A run holds the cell's settings, the loss curves and the structure during training of each phase, and as summary the
silhouettes and final losses. The run of a trial has means and quantiles over its networks, and a table of the rows; that of
a network has its own numbers. Whatever fails here costs a warning, never a trial.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from study.linear_trial import LinearResult
from study.sweep import Tracking
from study.trial import BlockResult
from study.wandb_run import attempt, started

MEASURED, AFTER_TRAINING = ("silhouette_", "predictor_"), ("loss_", "score_")


def log_trial(
    folder: Path, sweep: str, study: str, tracking: Tracking, result: BlockResult | LinearResult, rows: list[dict[str, Any]]
) -> str | None:
    """Log one trial.

    Args:
        folder: on this machine, for the files of W&B.
        study: `study.wandb_run.study_id`, the group of its runs, by which a dashboard finds them.

    Returns:
        None, or what went wrong first in one line.
    """
    cell = result.block.cell
    config = cell.settings.model_dump() | {"cell": cell.name, "sweep": sweep, "study": study}
    shared = {"group": study, "tags": [cell.name]}
    if not tracking.per_seed:
        return attempt(folder, tracking, lambda mode: _log_trial(folder, tracking, mode, shared, config, result, rows))
    problems = []
    for i, row in enumerate(rows):

        def log(mode: str, i: int = i, row: dict[str, Any] = row) -> None:
            _log_network(folder, tracking, mode, shared, config, result, i, row)

        problems.append(attempt(folder, tracking, log))
    return next((problem for problem in problems if problem), None)


def _log_trial(
    folder: Path, tracking: Tracking, mode: str, shared: dict[str, Any], config: dict[str, Any],
    result: BlockResult | LinearResult, rows: list[dict[str, Any]],
) -> None:  # fmt: skip
    config = config | {"seeds": [d.seed for d in result.block.draws]}
    with started(folder, tracking, mode, job_type="trial", name=result.block.label, config=config, **shared) as run:
        import wandb  # late, as in `started`

        _define(run, result)
        for point in (*_curve_points(result), *_structure_points(result)):
            run.log(point)
        plain = [name for name, value in rows[0].items() if not isinstance(value, list)]
        run.log({"tables/rows": wandb.Table(columns=plain, data=[[row[name] for name in plain] for row in rows])})
        run.summary.update(summary(rows))


def _log_network(
    folder: Path, tracking: Tracking, mode: str, shared: dict[str, Any], config: dict[str, Any],
    result: BlockResult | LinearResult, i: int, row: dict[str, Any],
) -> None:  # fmt: skip
    draw = result.block.draws[i]
    config = config | {"seed": draw.seed, "data_seed": draw.data_seed}
    name = f"{config['cell']}/{draw.seed}" + (f"/data {draw.data_seed}" if draw.data_seed != draw.seed else "")
    with started(folder, tracking, mode, job_type="network", name=name, config=config, **shared) as run:
        _define(run, result)
        for point in (*_curve_points(result, i), *_structure_points(result, i)):
            run.log(point)
        run.summary.update(network_summary(row))


def _define(run: Any, result: BlockResult | LinearResult) -> None:
    for phase in result.curves:
        run.define_metric(f"step_{phase}", hidden=True)
        run.define_metric(f"curve_{phase}/*", step_metric=f"step_{phase}")
        run.define_metric(f"structure_{phase}/*", step_metric=f"step_{phase}")


def _curve_points(result: BlockResult | LinearResult, network: int | None = None) -> Iterator[dict[str, float]]:
    """The losses at each recorded step: of one network, or spread over all."""
    for phase, curves in result.curves.items():
        kinds = [_numbers(f"curve_{phase}/{kind}", getattr(curves, kind), network) for kind in ("train", "test")]
        for step, train, test in zip(curves.steps, *kinds, strict=True):
            yield {f"step_{phase}": int(step)} | train | test


def _structure_points(result: BlockResult | LinearResult, network: int | None = None) -> Iterator[dict[str, float]]:
    """What was measured during training, at its own steps of each phase."""
    for phase, structure in result.structure.items() if isinstance(result, BlockResult) else ():
        measures = [_numbers(f"structure_{phase}/{name}", values, network) for name, values in structure.measures.items()]
        for k, step in enumerate(structure.steps):
            point: dict[str, float] = {f"step_{phase}": int(step)}
            for numbers in measures:
                point |= numbers[k]
            yield point


def _numbers(name: str, values: np.ndarray, network: int | None) -> list[dict[str, float]]:
    """At each of K steps one network's of (B, K) values, or mean and quantiles over networks, of those with a number; nothing
    where there is none."""
    if network is not None:
        return [{name: float(value)} if np.isfinite(value) else {} for value in values[network]]
    if np.isfinite(values).all():  # all steps at once: quantiles cost more in calls than in sums
        return _spread(name, values)
    columns = (column[np.isfinite(column)] for column in values.T)
    return [_spread(name, column[:, None])[0] if len(column) else {} for column in columns]


def _spread(name: str, values: np.ndarray) -> list[dict[str, float]]:
    """Mean and quantiles over the first axis of finite (B, K) values, for each of K."""
    parts = ("mean", "q10", "median", "q90")
    numbers = np.concatenate([values.mean(axis=0)[None], np.quantile(values, [0.1, 0.5, 0.9], axis=0)]).T
    return [{f"{name}_{part}": value for part, value in zip(parts, column, strict=True)} for column in numbers.tolist()]


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Means over the trial's networks that did not diverge: every silhouette, final loss and score, and the counts."""
    kept = [row for row in rows if not row["diverged"]]
    names = [name for name in rows[0] if name.startswith(("silhouette_", "loss_"))]
    means = {name: float(np.mean([row[name] for row in kept])) for name in names if kept}
    # NaN where a time of the linear network never came, or where a predictor is not defined.
    for name in (name for name in rows[0] if name.startswith(("score_", "predictor_", "agreement_"))):
        values = [row[name] for row in kept if np.isfinite(row[name])]
        means |= {name: float(np.mean(values))} if values else {}
    return means | {"networks": len(rows), "diverged": len(rows) - len(kept)}


def network_summary(row: dict[str, Any]) -> dict[str, float]:
    """One network's numbers: what was measured before training, and what came of it unless it diverged."""
    prefixes = MEASURED if row["diverged"] else MEASURED + AFTER_TRAINING
    named = {name: value for name, value in row.items() if name.startswith(prefixes) and isinstance(value, int | float)}
    return {name: float(value) for name, value in named.items() if np.isfinite(value)} | {"diverged": int(row["diverged"])}
