"""`bench flow`: both integrators on the same seeds and regimes, their difference against the spread between seeds."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from study.plan import Block, Cell, make_plan
from study.sheets import Sheet, print_sheet
from study.statistics.correlations import centred, r20
from study.statistics.pairs import Pairs
from study.sweep import CurriculumSpec, PhaseSpec, Sweep
from study.threads import threads
from study.trial import BlockResult, run_block

SEEDS = 8
REGIMES: dict[str, tuple[int, dict[str, float]]] = {  # steps of each phase, learning rates
    "baseline": (10_000, {"standard": 0.01, "large": 0.01}),
    "lr_tuned": (2_500, {"standard": 0.03, "large": 0.01}),
}
LOSSES = ("single_train", "single_test", "multi_train", "multi_test")


def cells_of(regime: str, seeds: int) -> dict[str, Cell]:
    """Standard and large networks of a regime of the source study, silhouettes by `svd_right`."""
    steps, rates = REGIMES[regime]
    phases = (
        PhaseSpec(name="single", task_counts=(1,), steps=steps),
        PhaseSpec(name="multi", task_counts=(1, 1, 1), steps=steps),
    )
    cells = {
        "standard": {"init_scale": 1, "learning_rate": rates["standard"]},
        "large": {"init_scale": 10, "learning_rate": rates["large"]},
    }
    sweep = Sweep.model_validate(
        {
            "name": "bench",
            "seeds": seeds,
            "curricula": {"c": CurriculumSpec(phases=phases)},
            "settings": {"curriculum": "c", "estimators": ["svd_right"]},
            "cells": cells,
        }
    )
    return {cell.name: cell for cell in make_plan(sweep).cells if isinstance(cell, Cell)}


def _run(cell: Cell, integrator: str) -> tuple[BlockResult, float]:
    settings = cell.settings.model_copy(update={"integrator": integrator})
    start = time.process_time()
    result = run_block(Block(replace(cell, settings=settings), cell.draws))
    return result, time.process_time() - start


def _correlations(standard: BlockResult, large: BlockResult, loss: str) -> tuple[float, float]:
    x1, x2 = (np.array([m.silhouettes["svd_right"] for m in result.measured]) for result in (standard, large))
    n = len(x1)
    pairs = Pairs(x1, x2, standard.losses[loss], large.losses[loss], np.arange(n), np.zeros(n, dtype=np.int64))
    return float(r20(pairs, np.ones(n))), float(centred(pairs, np.ones(n)))


def bench_flow(console: Console, seeds: int = SEEDS) -> dict[str, Any]:
    """Final losses, r20 and centred r of gradient descent and gradient flow on the same seeds, and the CPU time of both."""
    losses, correlations, numbers = [], [], {}
    jobs = [(regime, name) for regime in REGIMES for name in ("standard", "large")]
    results: dict[tuple[str, str, str], tuple[BlockResult, float]] = {}
    with threads(1):
        for regime, name in track(jobs, "training", console=console, disable=not console.is_terminal):
            cell = cells_of(regime, seeds)[name]
            for integrator in ("gd", "flow"):
                results[regime, name, integrator] = _run(cell, integrator)
    for regime, name in jobs:
        (gd, gd_seconds), (flow, flow_seconds) = (results[regime, name, i] for i in ("gd", "flow"))
        same = all(a.silhouettes == b.silhouettes for a, b in zip(gd.measured, flow.measured, strict=True))
        entry: dict[str, Any] = {"time_ratio": flow_seconds / gd_seconds, "same_silhouettes": same}
        row = [regime, name]
        for loss in LOSSES:
            difference = flow.losses[loss] - gd.losses[loss]
            relative = float(np.median(np.abs(difference / gd.losses[loss])))
            spread = float(np.abs(difference).mean() / gd.losses[loss].std(ddof=1))
            entry[loss] = {"relative": relative, "of_spread": spread}
            row.append(f"{100 * relative:.1f} % ({spread:.2f})")
        numbers[f"{regime}_{name}"] = entry
        losses.append([*row, "yes" if same else "no", f"{entry['time_ratio']:.2f}"])
    for regime in REGIMES:
        for loss in ("single_test", "multi_test"):
            pair = [
                _correlations(results[regime, "standard", i][0], results[regime, "large", i][0], loss) for i in ("gd", "flow")
            ]
            numbers[f"{regime}_{loss}"] = {i: {"r20": p[0], "centred": p[1]} for i, p in zip(("gd", "flow"), pair, strict=True)}
            texts = [f"{pair[i][j]:.3f}" for j in (0, 1) for i in (0, 1)]
            correlations.append([regime, loss, *texts])
    title = (
        f"Flow against descent, {seeds} seeds: median relative difference of final losses (mean difference in sd over seeds)"
    )
    headings = ["regime", "network", *LOSSES, "same silhouettes", "time flow / descent"]
    print_sheet(console, Sheet(title, headings, losses, 2))
    headings = ["regime", "loss", "r20 descent", "r20 flow", "centred descent", "centred flow"]
    print_sheet(
        console, Sheet(f"Correlations with the silhouette (svd_right) over the same {seeds} pairs", headings, correlations, 2)
    )
    return numbers
