"""`bench path`: rules and thinning of the path-integrated eNTK on the paper's networks: completeness, error, cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from pntk.curriculum import Phase
from pntk.data import PatternBlock, draw_phase_data, pattern_block
from pntk.kernels.path import PathKernel, path_kernel
from pntk.kernels.quadrature import ADAPTIVE
from pntk.network import Networks, base_networks, scaled
from pntk.tasks import Environment
from pntk.training.workspace import Workspace
from study.bench.measure import cpu_seconds
from study.sheets import Sheet, print_sheet
from study.threads import threads

STEPS = 500
HIDDEN = 200
PATTERNS = 500
CONDITIONS = {"standard": (1.0, 0.03), "large": (10.0, 0.01)}  # initial scale, LR-tuned learning rate
RULES = {"euler": "euler", "trapezoid": "trapezoid", "simpson": "simpson", "gauss3": "gauss3", "default": ADAPTIVE}
REFERENCE_TOLERANCE = 1e-13
THINNING = (2, 5, 10, 25, 50)
STEP_ROUNDS = 50


def _setting(scale: float) -> tuple[Networks, Tensor, PatternBlock]:
    environment = Environment()
    data = draw_phase_data(environment, Phase("single", (1.0,), 1, 0.01), 0, PATTERNS, PATTERNS)
    test, train = (pattern_block(environment, [ids], multiple=1) for ids in (data.test, data.train))
    return scaled(base_networks(environment, HIDDEN, [0]), scale, "hidden"), test.inputs, train


def _step_seconds(networks: Networks, train: PatternBlock, rate: float) -> float:
    """CPU seconds of a gradient step alone, in float64."""
    work = Workspace(networks, train.inputs.shape[1])
    work.load(train.inputs, train.targets, train.counts)

    def steps() -> None:
        for _ in range(STEP_ROUNDS):
            work.step(rate)

    return cpu_seconds({"steps": steps}, rounds=5)["steps"] / STEP_ROUNDS


def _condition(name: str, console: Console) -> dict[str, Any]:
    scale, rate = CONDITIONS[name]
    networks, test, train = _setting(scale)
    step = _step_seconds(networks, train, rate)

    def run(rule: str, thin: int = 1, tolerance: float = 1e-10) -> tuple[PathKernel, float]:
        start = time.process_time()
        path = path_kernel(networks, test, train, STEPS, rate, rule, tolerance, thin)[1]
        return path, (time.process_time() - start) / STEPS

    reference = run(ADAPTIVE, tolerance=REFERENCE_TOLERANCE)[0]
    tries = [(label, rule, 1) for label, rule in RULES.items()] + [(f"default, thin {s}", ADAPTIVE, s) for s in THINNING]
    rows: dict[str, Any] = {}
    for label, rule, thin in track(tries, name, console=console, disable=not console.is_terminal):
        path, seconds = run(rule, thin)
        rows[label] = {
            "completeness_error": float(path.completeness_error[0]),
            "kernel_error": float((path.kernel - reference.kernel).norm() / reference.kernel.norm()),
            "step_ratio": seconds / step,
            "milliseconds_per_step": 1000 * seconds,
            "nodes": {str(count): segments for count, segments in sorted(path.nodes.items())},
        }
    return {
        "training_step_milliseconds": 1000 * step,
        "reference_completeness_error": float(reference.completeness_error[0]),
        "rows": rows,
    }


def bench_path(console: Console, conditions: Sequence[str] = tuple(CONDITIONS)) -> dict[str, Any]:
    """Completeness of each rule over the first LR-tuned steps from both initialisations, and what thinning costs.

    `completeness_error` is the worse of both initialisations; `kernel_error` is the norm of the difference from P of the
    adaptive rule at a tolerance of 1e-13 without thinning, relative to its norm; costs are CPU time on one thread.
    """
    with threads(1), torch.no_grad():
        found = {name: _condition(name, console) for name in conditions}
    for name, numbers in found.items():
        rows = [
            [
                label,
                f"{row['completeness_error']:.1e}",
                f"{row['kernel_error']:.1e}",
                " to ".join(dict.fromkeys((min(row["nodes"], key=int), max(row["nodes"], key=int)))),
                f"{row['milliseconds_per_step']:.1f}",
                f"{row['step_ratio']:.1f}",
            ]
            for label, row in numbers["rows"].items()
        ]
        step = numbers["training_step_milliseconds"]
        title = f"{name}, first {STEPS} LR-tuned steps; a training step in float64 takes {step:.2f} ms"
        headings = ["rule", "completeness error", "error of P", "nodes", "ms per step", "of a training step"]
        print_sheet(console, Sheet(title, headings, rows, sections=frozenset({len(RULES)})))

    def worst(key: str, labels: Sequence[str]) -> dict[str, float]:
        return {label: max(numbers["rows"][label][key] for numbers in found.values()) for label in labels}

    return {
        "steps": STEPS,
        "completeness_error": worst("completeness_error", list(RULES)),
        "step_ratio": worst("step_ratio", list(RULES)),
        "thinning": {
            str(s): {
                key: worst(key, [f"default, thin {s}"])[f"default, thin {s}"]
                for key in ("completeness_error", "kernel_error", "step_ratio")
            }
            for s in THINNING
        },
        "conditions": found,
    }
