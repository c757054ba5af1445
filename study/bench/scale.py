"""`bench scale`: cost of training as work grows, a model of it, and what a second worker brings."""

from __future__ import annotations

import multiprocessing
import time
from functools import partial
from typing import Any

import numpy as np
import torch
from rich.console import Console

from pntk.curriculum import Phase
from pntk.data import draw_phase_data, pattern_block
from pntk.network import base_networks
from pntk.tasks import Environment
from pntk.training.descent import descend
from study.bench.measure import cpu_seconds
from study.sheets import Sheet, print_sheet
from study.threads import threads

WIDTHS = (50, 200, 800, 2000)
PATTERNS = (100, 500, 2000, 10_000)
BLOCKS = (1, 8, 64)
TRAINED_STEPS = 5_000  # of the LR-tuned regime, to say networks per minute
TARGET_SECONDS = 0.4
PHASE = Phase("multi", (1.0, 1.0, 1.0), 1, 0.01)


def seconds_per_step(hidden: int, patterns: int, block: int = 1, rounds: int = 3) -> tuple[float, int]:
    """CPU seconds of a gradient step of one network, and the distinct patterns that it runs over."""
    environment = Environment()
    ids = [draw_phase_data(environment, PHASE, seed, patterns, 2).train for seed in range(block)]
    data = pattern_block(environment, ids, torch.float32)
    networks = base_networks(environment, hidden, range(block)).to(torch.float32)

    def train(steps: int) -> None:
        descend(networks, data, data, steps, 1e-6, records=2)

    with threads(1):
        # Recording costs as much at 1 step as at many: the difference is the steps alone.
        start = time.process_time()
        train(4)
        guess = max((time.process_time() - start) / 4 / block, 1e-6)
        steps = int(np.clip(TARGET_SECONDS / guess / block, 6, 2000))
        times = cpu_seconds({"few": partial(train, 1), "many": partial(train, 1 + steps)}, rounds)
    return (times["many"] - times["few"]) / steps / block, len(np.unique(ids[0]))


def _work(seconds: float) -> int:
    """Steps of the paper's network that one worker takes in some seconds of wall time."""
    environment = Environment()
    data = pattern_block(environment, [draw_phase_data(environment, PHASE, 0, 500, 2).train], torch.float32)
    networks = base_networks(environment, 200, [0]).to(torch.float32)
    done = 0
    with threads(1):
        descend(networks, data, data, 50, 1e-6, records=2)
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            descend(networks, data, data, 100, 1e-6, records=2)
            done += 100
    return done


def workers_speedup(seconds: float = 4.0, rounds: int = 3) -> float:
    """Steps per second of two workers over those of one, in turn, median over rounds."""
    ratios = []
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_work, [0.2, 0.2])  # both are up and have imported torch
        for _ in range(rounds):
            one = pool.apply(_work, (seconds,))
            ratios.append(sum(pool.map(_work, [seconds, seconds], chunksize=1)) / one)
    return float(np.median(ratios))


def fitted(points: list[dict[str, float]]) -> tuple[float, float]:
    """The model seconds = a + b x hidden units x distinct patterns, by least squares on relative errors."""
    measured = np.array([p["seconds"] for p in points])
    design = np.array([[1.0, p["hidden"] * p["distinct"]] for p in points]) / measured[:, None]
    (a, b), *_ = np.linalg.lstsq(design, np.ones(len(points)), rcond=None)
    return float(a), float(b)


def bench_scale(console: Console) -> dict[str, Any]:
    """Milliseconds a step over widths, patterns and block sizes; the model; the speed-up of two workers."""
    points: list[dict[str, float]] = []
    for hidden in WIDTHS:
        for patterns in PATTERNS:
            seconds, distinct = seconds_per_step(hidden, patterns)
            points.append({"hidden": hidden, "patterns": patterns, "distinct": distinct, "seconds": seconds})
    a, b = fitted(points)
    rows = []
    for p in points:
        p["model"] = a + b * p["hidden"] * p["distinct"]
        per_minute = 60 / (p["seconds"] * TRAINED_STEPS)
        texts = (f"{1e3 * p['seconds']:.3f}", f"{1e3 * p['model']:.3f}", f"{per_minute:.2g}")
        rows.append([f"{p['hidden']:.0f}", f"{p['patterns']:,.0f}", f"{p['distinct']:,.0f}", *texts])
    headings = ["hidden units", "patterns", "distinct", "ms a step", "model", f"networks a minute ({TRAINED_STEPS:,} steps)"]
    print_sheet(
        console, Sheet("Cost of a gradient step of one network, CPU, one thread, float32, multitask data", headings, rows, 0)
    )
    blocks = {block: seconds_per_step(200, 500, block)[0] for block in BLOCKS}
    by_block = ", ".join(f"{1e3 * seconds:.3f} ms at {block}" for block, seconds in blocks.items())
    speedup = workers_speedup()
    error = max(abs(p["model"] / p["seconds"] - 1) for p in points)
    console.print(
        f"Model: {1e3 * a:.3f} ms + {1e9 * b:.2f} ns x hidden x distinct; off by at most {error:.0%}.", highlight=False
    )
    console.print(f"Networks a block: {by_block}. Two workers do {speedup:.2f} times the steps of one.", highlight=False)
    return {"points": points, "model": {"constant": a, "slope": b, "largest_error": error},
            "seconds_by_block": blocks, "two_workers": speedup}  # fmt: skip
