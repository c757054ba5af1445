"""`bench predictors`: what each predictor at t = 0 costs in gradient steps, and the regressions against a dense solution."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from rich.console import Console

from pntk.predictors.case import Case
from pntk.predictors.linearised import solution
from pntk.predictors.registry import PREDICTORS
from study.bench.measure import cpu_seconds
from study.plan import Plan, make_plan
from study.predictor_cost import computations_of, measured_costs
from study.sheets import Sheet, print_sheet
from study.sweep_file import parse_sweep
from study.threads import threads
from study.trial import run_block

HIDDEN, PATTERNS = 200, 500
RIDGE = 1e-4
ROUNDS = 2  # of the dense solution, which takes seconds


def paper_plan() -> Plan:
    """One standard and one large network of the source study, both phases."""
    phases = [{"name": "single", "task_counts": [1], "steps": 1}, {"name": "multi", "task_counts": [1, 1, 1], "steps": 1}]
    sizes = {"hidden_units": HIDDEN, "train_patterns": PATTERNS, "test_patterns": PATTERNS}
    settings = {"curriculum": "one", "estimators": ["svd_right", "ntk"], "predictors": "all", **sizes}
    cells = {"standard": {"init_scale": 1}, "large": {"init_scale": 10}}
    return make_plan(parse_sweep({"name": "bench", "seeds": 1, "curricula": {"one": {"phases": phases}}, "settings": settings,
                                  "cells": cells}))  # fmt: skip


def dense(case: Case, wanted: torch.Tensor) -> torch.Tensor:
    """What `solution` does, by the whole kernel of all outputs and one Cholesky factor: changes of the training outputs."""
    units = torch.eye(wanted.numel(), dtype=torch.float64).reshape(-1, *wanted.shape)
    rows = torch.stack([torch.cat([w.flatten() for w in case.at_train.backward(unit).weights]) for unit in units])
    rows = rows * case.root.repeat_interleave(wanted.shape[1])[:, None]
    kernel = rows @ rows.T
    lam = RIDGE * kernel.trace() / (case.counts.sum() * wanted.shape[1])
    factor = torch.linalg.cholesky(kernel + lam * torch.eye(len(kernel), dtype=torch.float64))
    b = torch.cholesky_solve((case.root[:, None] * wanted).reshape(-1, 1), factor)
    return (kernel @ b).reshape(wanted.shape) / case.root[:, None]


def bench_predictors(console: Console) -> dict[str, Any]:
    """Costs in gradient steps of the same network, and the iterative regression in units of the dense one."""
    plan = paper_plan()
    costs: dict[str, dict[str, float]] = {}
    solved, differences = {}, []
    with threads(1):
        for cell in (plan.cell("standard"), plan.cell("large")):
            computations, step = computations_of(cell, cell.draws[0])
            costs[cell.name] = measured_costs(computations, step)
            drawn = run_block(plan.blocks()[0]).data["single"][0]  # the same data for both cells
            networks = run_block(next(b for b in plan.blocks() if b.cell is cell)).initial.network(0)
            case = Case(networks, cell.environment, drawn.train, drawn.unseen)
            wanted = case.train_targets - case.at_train.outputs
            fast = case.at_train.forward(solution(case, wanted, RIDGE, False))
            differences.append(float((fast - dense(case, wanted)).abs().max() / wanted.abs().max()))
            fresh = partial(Case, networks, cell.environment, drawn.train, drawn.unseen)
            methods = {
                "conjugate gradients (ours)": lambda fresh=fresh, wanted=wanted: solution(fresh(), wanted, RIDGE, False),
                "dense Cholesky": lambda fresh=fresh, wanted=wanted: dense(fresh(), wanted),
            }
            solved[cell.name] = cpu_seconds(methods, ROUNDS)
    columns = list(dict.fromkeys(name for found in costs.values() for name in found))
    rows = [[name, *(f"{costs[cell].get(name, float('nan')):.3g}" for cell in costs), _source(name)] for name in columns]
    print_sheet(console, Sheet("Cost of a predictor alone, in gradient steps of the same network, one thread",
                               ["column", *costs, "source"], rows))  # fmt: skip
    ratios = {cell: s["conjugate gradients (ours)"] / s["dense Cholesky"] for cell, s in solved.items()}
    rows = [[cell, *(f"{v:.2f} s" for v in s.values()), f"{ratios[cell]:.3f}"] for cell, s in solved.items()]
    print_sheet(console, Sheet(f"Kernel regression with all outputs coupled, ridge {RIDGE:g}, single tasks",
                               ["network", "conjugate gradients (ours)", "dense Cholesky", "ratio"], rows))  # fmt: skip
    return {"steps": costs, "ratio_to_dense": ratios, "largest_difference": max(differences)}


def _source(column: str) -> str:
    name = column.split("_", 2)[2] if column.startswith("predictor_") else ""
    return PREDICTORS[name].source if name in PREDICTORS else ""
