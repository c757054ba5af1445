"""`bench scale`: cost of training as work grows, a model of it, and what a second worker brings."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from functools import partial
from typing import Any

import numpy as np
import torch
from rich.console import Console

from pntk.data import draw_phase_data, pattern_block
from pntk.network import base_networks
from pntk.tasks import Environment
from pntk.training.descent import descend
from study.bench.measure import cpu_seconds
from study.cost import FITTED, PROBE_PHASE, REFERENCE_DISTINCT, REFERENCE_HIDDEN, fitted
from study.sheets import Sheet, print_sheet
from study.threads import threads

WIDTHS = (50, 200, 800, 2000)
PATTERNS = (100, 500, 2000, 10_000)
BLOCKS = (1, 8, 64)
TRAINED_STEPS = 5_000  # of the LR-tuned regime, to say networks per minute
TARGET_SECONDS = 0.4


def seconds_per_step(
    hidden: int, patterns: int, block: int = 1, rounds: int = 3, dtype: torch.dtype = torch.float32
) -> tuple[float, int]:
    """CPU seconds of a gradient step of one network, and the distinct patterns that it runs over."""
    environment = Environment()
    ids = [draw_phase_data(environment, PROBE_PHASE, seed, patterns, 2).train for seed in range(block)]
    data = pattern_block(environment, ids, dtype)
    networks = base_networks(environment, hidden, range(block)).to(dtype)

    def train(steps: int) -> None:
        descend(networks, data, data, steps, 1e-6, records=2)

    with threads(1):
        # Recording costs as much at 1 step as at many: the difference is the steps alone.
        start = time.process_time()
        train(4)
        guess = max((time.process_time() - start) / 4 / block, 1e-6)
        # Long enough that what a network costs once, whatever its steps, is lost in them.
        steps = int(np.clip(TARGET_SECONDS / guess / block, 100 if block > 1 else 6, 2000))
        times = cpu_seconds({"few": partial(train, 1), "many": partial(train, 1 + steps)}, rounds)
    return (times["many"] - times["few"]) / steps / block, len(np.unique(ids[0]))


def _work(seconds: float) -> int:
    """Steps of the paper's network that one worker takes in some seconds of wall time."""
    environment = Environment()
    data = pattern_block(environment, [draw_phase_data(environment, PROBE_PHASE, 0, 500, 2).train], torch.float32)
    networks = base_networks(environment, 200, [0]).to(torch.float32)
    done = 0
    with threads(1):
        descend(networks, data, data, 50, 1e-6, records=2)
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            descend(networks, data, data, 100, 1e-6, records=2)
            done += 100
    return done


def workers_speed(seconds: float = 4.0, rounds: int = 3) -> dict[int, float]:
    """Steps of the paper's network per second of wall time by one worker and by two, in turn, medians over rounds."""
    speeds: dict[int, list[float]] = {1: [], 2: []}
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_work, [0.2, 0.2])  # both are up and have imported torch
        for _ in range(rounds):
            speeds[1].append(pool.apply(_work, (seconds,)) / seconds)
            speeds[2].append(sum(pool.map(_work, [seconds, seconds], chunksize=1)) / seconds)
    ratio = float(np.median(np.divide(speeds[2], speeds[1])))
    one = float(np.median(speeds[1]))
    return {1: one, 2: ratio * one}  # the ratio within a round: rounds differ by what else the machine does


def _per_minute(steps_per_second: float) -> float:
    return 60 * steps_per_second / TRAINED_STEPS


def bench_scale(console: Console) -> dict[str, Any]:
    """Milliseconds a step over widths, patterns and block sizes; the model; the speed-up of two workers."""
    points: list[dict[str, float]] = []
    for hidden, patterns in itertools.product(WIDTHS, PATTERNS):
        seconds, distinct = seconds_per_step(hidden, patterns)
        points.append({"hidden": hidden, "patterns": patterns, "distinct": distinct, "seconds": seconds})
    reference = next(p["seconds"] for p in points if (p["hidden"], p["patterns"]) == (REFERENCE_HIDDEN, 500))
    columns = [[p[name] for p in points] for name in ("hidden", "distinct")]
    model = fitted(columns[0], columns[1], [p["seconds"] / reference for p in points])
    rows = []
    for p in points:
        p["model"] = reference * model(p["hidden"], p["distinct"])
        p["plan"] = reference * FITTED(p["hidden"], p["distinct"]) / FITTED(REFERENCE_HIDDEN, REFERENCE_DISTINCT)
        texts = (*(f"{1e3 * p[name]:.3f}" for name in ("seconds", "model", "plan")), f"{_per_minute(1 / p['seconds']):.2g}")
        rows.append([f"{p['hidden']:.0f}", f"{p['patterns']:,.0f}", f"{p['distinct']:,.0f}", *texts])
    headings = ["hidden units", "patterns", "distinct", "ms a step", "model fitted here", "model of the plan"]
    headings.append(f"networks a minute ({TRAINED_STEPS:,} steps)")
    title = "Cost of a gradient step of one network, CPU, one thread, float32, multitask data"
    print_sheet(console, Sheet(title, headings, rows, 0))
    blocks = {block: seconds_per_step(REFERENCE_HIDDEN, 500, block)[0] for block in BLOCKS}
    double = seconds_per_step(REFERENCE_HIDDEN, 500, dtype=torch.float64)[0] / reference
    workers = workers_speed()
    speedup = workers[2] / workers[1]
    speeds = {f"1 core, {count} a block": 1 / seconds for count, seconds in blocks.items()}
    speeds |= {f"{count} worker{'s' * (count > 1)}, wall time": speed for count, speed in workers.items()}
    rows = [[name, f"{1e3 / speed:.3f}", f"{_per_minute(speed):.3g}"] for name, speed in speeds.items()]
    title = f"Networks a minute, {REFERENCE_HIDDEN} x 500, {TRAINED_STEPS:,} steps each"
    print_sheet(console, Sheet(title, ["networks trained by", "ms a step", "networks a minute"], rows))
    error, plan_error = (max(abs(p[name] / p["seconds"] - 1) for p in points) for name in ("model", "plan"))
    console.print(
        f"Model, in steps of the reference network ({REFERENCE_HIDDEN} x 500): {model}; off by at most {error:.0%}, the plan's "
        f"by {plan_error:.0%}. A float64 step costs {double:.2f} of a float32 one.\n"
        f"Two workers do {speedup:.2f} times the steps of one.",
        highlight=False,
    )
    return {"points": points, "model": vars(model) | {"largest_error": error, "largest_error_of_plan": plan_error},
            "seconds_by_block": blocks, "double": double, "two_workers": speedup,
            "networks_a_minute": {name: _per_minute(speed) for name, speed in speeds.items()}}  # fmt: skip
