"""`bench scan`: does a guided scan find the Pareto front of a grid without training all of it?

Each grid of 64 cells is trained whole, once, in this process. Then the search of `study scan` is given the grid's axes as
choices and asked for half as many points, with ten seeds; what a point is worth is looked up. Beside it random search.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from scipy.stats import t as student

from study.plan import Block
from study.scan.front import front, hypervolume, oriented
from study.scan.objectives import Score, score
from study.scan.search import ScanSearch
from study.scan.space import Scan, make_scan
from study.sheets import Sheet, print_sheet
from study.statistics.counts import wilson
from study.sweep_file import parse_sweep
from study.threads import threads
from study.trial import rows_of, run_block

SIDE, SCAN_SEEDS = 8, 10
SAMPLERS = ("gp", "tpe", "random")


def _choices(low: float, high: float) -> list[float]:
    return [float(f"{value:.3g}") for value in np.geomspace(low, high, SIDE)]


# The second grid scales both layers at will: a wide front, with the source study's trade-off along it.
GRIDS: dict[str, dict[str, Any]] = {
    "scale x learning rate": {
        "steps": 1500,
        "patterns": 200,
        "settings": {},
        "space": {"init_scale": _choices(0.3, 30), "learning_rate": _choices(0.003, 0.1)},
    },
    "scale x half width": {
        "steps": 4000,
        "patterns": 300,
        "settings": {"integrator": "flow", "learning_rate": 0.02},
        "space": {"init_scale": _choices(0.3, 30), "init_half_width": _choices(0.01, 0.6)},
    },
}


def scan_of(grid: dict[str, Any], sampler: str, seed: int) -> Scan:
    """The scan of a grid with as many points as half of its cells."""
    counts = {"single": [1], "multi": [1, 1, 1]}
    phases = [{"name": name, "task_counts": tasks, "steps": grid["steps"]} for name, tasks in counts.items()]
    settings = {"curriculum": "short", "hidden_units": 60, "estimators": ["inputs"], "kmeans_restarts": 1}
    sizes = dict.fromkeys(("train_patterns", "test_patterns"), grid["patterns"])
    spec = {"objectives": ["generalisation", "multitasking"], "space": grid["space"], "sampler": sampler, "seed": seed,
            "points": SIDE**2 // 2, "evaluation_seeds": {"first": 1000, "count": 4}, "pruning": False}  # fmt: skip
    raw = {"name": "bench", "seeds": 4, "curricula": {"short": {"phases": phases}}, "scan": spec}
    return make_scan(parse_sweep(raw | {"settings": settings | sizes | grid["settings"]}))


def trained(scan: Scan) -> dict[str, Score]:
    """The score of every cell of the grid."""
    scores = {}
    with threads(1):
        for values in itertools.product(*(axis.choices for axis in scan.axes)):
            cell = scan.cell(dict(zip(scan.spec.space, values, strict=True)))
            rows = pd.DataFrame(rows_of(run_block(Block(cell, cell.draws)), "bench", {}))
            scores[cell.name] = score(scan.objectives, scan.spec, cell, rows, None)
    return scores


def trace(scan: Scan, scores: dict[str, Score]) -> list[float]:
    """The share of the grid's hypervolume after each point that the search proposes."""
    modes = [objective.mode for objective in scan.objectives]
    search, names = ScanSearch(scan, None, {}), [objective.name for objective in scan.objectives]
    finite = oriented([s.values for s in scores.values() if s.values is not None], modes)
    worst = finite.max(axis=0)
    whole, shares = hypervolume(finite, worst), []
    for number in range(scan.spec.points):
        search.suggest(str(number))
        found = scores[search.running[str(number)][1]]
        told = dict(zip(names, found.values or [float("nan")] * len(names), strict=True))
        rest = {"per_seed": found.per_seed, "seeds": found.seeds, "pruned": found.pruned}
        search.on_trial_complete(str(number), told | rest)
        seen = oriented([s.values for s in search.known.values() if s.values is not None], modes)
        shares.append(hypervolume(seen, worst) / whole)
    return shares


def needed(shares: list[float], share: float) -> int | None:
    """Points until a share of the hypervolume was reached."""
    return next((number for number, reached in enumerate(shares, start=1) if reached >= share - 1e-12), None)


def _summary(traces: list[list[float]]) -> dict[str, Any]:
    last = np.array([shares[-1] for shares in traces])
    margin = student.ppf(0.975, len(last) - 1) * last.std(ddof=1) / np.sqrt(len(last))
    return {
        "mean": float(last.mean()),
        "low": float(last.mean() - margin),
        "high": float(min(last.mean() + margin, 1.0)),
        "least": float(last.min()),
        "points_to_99": [needed(shares, 0.99) for shares in traces],
        "points_to_100": [needed(shares, 1.0) for shares in traces],
        "traces": traces,
    }


def _reached(points: list[int | None]) -> str:
    found = [p for p in points if p is not None]
    low, high = wilson(len(found), len(points))
    share = f"{len(found)} of {len(points)} [{low:.2f}, {high:.2f}]"
    return share + (f" (median {np.median(found):.0f}, most {max(found)})" if found else "")


def bench_scan(console: Console) -> dict[str, Any]:
    """Both grids, every sampler, ten scan seeds each."""
    numbers: dict[str, Any] = {}
    for name, grid in GRIDS.items():
        scores = trained(scan_of(grid, SAMPLERS[0], 0))
        values = oriented([s.values for s in scores.values() if s.values is not None], ["min", "min"])
        found: dict[str, Any] = {"front": len(front(values)), "undefined": len(scores) - len(values)}
        for sampler in SAMPLERS:
            with threads(1):
                found[sampler] = _summary([trace(scan_of(grid, sampler, seed), scores) for seed in range(SCAN_SEEDS)])
        rows = [
            [sampler, f"{s['mean']:.4f} [{s['low']:.4f}, {s['high']:.4f}]", f"{s['least']:.4f}",
             _reached(s["points_to_99"]), _reached(s["points_to_100"])]
            for sampler in SAMPLERS for s in [found[sampler]]
        ]  # fmt: skip
        title = (
            f"{name}: {len(scores)} cells, {found['front']} on the front, {SIDE**2 // 2} points; mean over {SCAN_SEEDS} scan "
            "seeds with 95 % interval (t)"
        )
        reach = ["seeds that reach 99 % [Wilson]", "seeds that reach 100 %"]
        headings = ["sampler", "share of the grid's hypervolume", "least", *reach]
        print_sheet(console, Sheet(title, headings, rows))
        numbers[name] = found | {"scores": {cell: s.values for cell, s in scores.items()}}
    return {"cells": SIDE**2, "points": SIDE**2 // 2, "scan_seeds": SCAN_SEEDS, "grids": numbers}
