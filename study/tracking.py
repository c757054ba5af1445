"""Weights & Biases: one run per trial, logged inside the trial, offline by default and under the study's folder.

A run holds the cell's settings, the loss curves and the structure during training of each phase (mean and quantiles over
seeds), a table of the rows, and as summary the mean silhouettes and final losses. Whatever fails here costs a warning,
never a trial.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from study.linear_trial import LinearResult
from study.sweep import Tracking
from study.trial import BlockResult

INIT_TIMEOUT_SECONDS = 20

# Why W&B could not be reached from this worker: later trials go offline at once instead of waiting again.
_UNREACHABLE: list[str] = []


def log_trial(
    folder: Path, sweep: str, tracking: Tracking, result: BlockResult | LinearResult, rows: list[dict[str, Any]]
) -> str | None:
    """Log one trial.

    Args:
        folder: on this machine, for the files of W&B.

    Returns:
        None, or what went wrong in one line. An online run that cannot start is kept offline, to be synced later.
    """
    if tracking.mode == "disabled":
        return None
    mode = "offline" if _UNREACHABLE else tracking.mode
    try:
        _log(folder, sweep, tracking, mode, result, rows)
        return None
    except Exception as error:
        problem = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    if mode == "online":
        _UNREACHABLE.append(problem)
        try:
            _log(folder, sweep, tracking, "offline", result, rows)
            return f"{problem}; kept offline under {folder / 'wandb'}, publish with `wandb sync`"
        except Exception as error:
            problem += f"; offline too: {type(error).__name__}"
    return problem


def _log(
    folder: Path, sweep: str, tracking: Tracking, mode: Any, result: BlockResult | LinearResult, rows: list[dict[str, Any]]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("WANDB_DATA_DIR", str(folder / "wandb"))
    os.environ.setdefault("WANDB_CACHE_DIR", str(folder / "wandb" / "cache"))
    import wandb  # imported late: it reads the environment, and costs a second that an untracked trial saves

    cell = result.block.cell
    run = wandb.init(
        project=tracking.project,
        entity=tracking.entity,
        group=sweep,
        job_type="trial",
        name=result.block.label,
        tags=[cell.name],
        dir=str(folder),
        mode=mode,
        reinit="create_new",
        save_code=False,
        config=cell.settings.model_dump() | {"cell": cell.name, "sweep": sweep, "seeds": [d.seed for d in result.block.draws]},
        settings=wandb.Settings(silent=True, init_timeout=INIT_TIMEOUT_SECONDS, x_disable_stats=True, console="off"),
    )
    try:
        for phase in result.curves:
            run.define_metric(f"step_{phase}", hidden=True)
            run.define_metric(f"curve_{phase}/*", step_metric=f"step_{phase}")
            run.define_metric(f"structure_{phase}/*", step_metric=f"step_{phase}")
        structure = _structure_points(result) if isinstance(result, BlockResult) else ()
        for point in (*_curve_points(result), *structure):
            run.log(point)
        plain = [name for name, value in rows[0].items() if not isinstance(value, list)]
        run.log({"rows": wandb.Table(columns=plain, data=[[row[name] for name in plain] for row in rows])})
        for name, value in summary(rows).items():
            run.summary[name] = value
    finally:
        run.finish()


def _curve_points(result: BlockResult | LinearResult) -> Iterator[dict[str, float]]:
    for phase, curves in result.curves.items():
        for k, step in enumerate(curves.steps):
            point: dict[str, float] = {f"step_{phase}": int(step)}
            for kind in ("train", "test"):
                point |= _spread(f"curve_{phase}/{kind}", getattr(curves, kind)[:, k])
            yield point


def _structure_points(result: BlockResult | LinearResult) -> Iterator[dict[str, float]]:
    """What was measured during training, at its own steps of each phase."""
    for phase, structure in result.structure.items() if isinstance(result, BlockResult) else ():
        for k, step in enumerate(structure.steps):
            point: dict[str, float] = {f"step_{phase}": int(step)}
            for name, values in structure.measures.items():
                point |= _spread(f"structure_{phase}/{name}", values[:, k])
            yield point


def _spread(name: str, values: np.ndarray) -> dict[str, float]:
    """Mean and quantiles over networks, those with a number; nothing where none has one."""
    values = values[np.isfinite(values)]
    if not len(values):
        return {}
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
    parts = {"mean": values.mean(), "q10": low, "median": middle, "q90": high}
    return {f"{name}_{part}": float(value) for part, value in parts.items()}


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
