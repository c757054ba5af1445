"""`bench sweep`: what a study costs beyond its training, and how that grows with the number of trials.

Every sweep here goes the way that `run` goes (plan, Ray, rows), without W&B. The first is real: 64 cells of the source
study's network, against the same blocks run in this process. The others are simulated: trials that compute next to
nothing (a linear network of a few steps), so that what is left is the study's own cost.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from study import machine
from study.bench.million import print_million
from study.plan import Block, Plan, make_plan
from study.provenance import provenance
from study.rows import finished, read_rows, write_rows
from study.sheets import Sheet, print_sheet
from study.sweep import Tracking
from study.sweep_file import parse_sweep
from study.threads import threads
from study.trial import rows_of, run_block

SIDE = 8  # of the grid: 64 cells
SEEDS = 4  # networks a cell, one trial each
STEPS = 2500  # of each of two phases
SAMPLED = 8  # cells that are run again in this process
TRIALS = (10, 100, 1000, 10_000)


def real_plan(side: int, seeds: int, steps: int) -> Plan:
    """side x side cells of the source study's network, a trial each."""
    phases = [
        {"name": "single", "task_counts": [1], "steps": steps},
        {"name": "multi", "task_counts": [1, 1, 1], "steps": steps},
    ]
    grid = {"init_scale": np.geomspace(0.3, 30, side).tolist(), "learning_rate": np.geomspace(0.003, 0.03, side).tolist()}
    settings = {"curriculum": "short", "estimators": ["svd_right", "svd_left", "ntk"]}
    raw = {"name": "bench", "seeds": seeds, "curricula": {"short": {"phases": phases}}, "settings": settings, "grid": grid}
    return make_plan(parse_sweep(raw | {"compute": {"block": seeds}}))


def simulated_plan(trials: int) -> Plan:
    """Trials of one small linear network each, of hardly any work."""
    settings = {"steps": 4, "record_every": 4, "examples": 8, "marks": [2], "singular_values": [3.0]}
    raw = {"name": "simulated", "network": "linear", "seeds": trials, "cells": {"only": settings}, "compute": {"block": 1}}
    return make_plan(parse_sweep(raw))


def launched(plan: Plan, out: Path) -> dict[str, Any]:
    """Run a plan through Ray Tune: seconds from start to end, CPU seconds of all processes, memory by kind of process."""
    from study.bench.processes import Watch  # late, here and below: importing Ray takes seconds
    from study.launch import Part, launch

    with Watch() as watch:
        outcome = launch([Part(plan, out)], Tracking(mode="disabled"), provenance(), Console(quiet=True))[0]
    done = len(finished(out))
    if outcome.failed or done < plan.networks:
        raise RuntimeError(f"bench sweep: {done} of {plan.networks} networks finished; {outcome.failed}")
    by_kind = watch.cpu_by_kind
    return {"wall": watch.wall, "cpu": watch.cpu_seconds, "cpu_by_kind": by_kind, "megabytes": watch.megabytes}


def _pure_seconds(plan: Plan, sampled: int) -> tuple[float, float]:
    """CPU seconds of all blocks of the plan in this process, from every few of them, and seconds to write a row."""
    chosen = plan.blocks()[:: max(len(plan.blocks()) // sampled, 1)]
    cpu, write = [], []
    with threads(1), tempfile.TemporaryDirectory() as folder:
        run_block(Block(chosen[0].cell, chosen[0].draws[:1]))  # warm
        for block in chosen:
            start = time.process_time()
            result = run_block(block)
            cpu.append(time.process_time() - start)
            rows = rows_of(result, plan.sweep.name, provenance())
            start = time.perf_counter()
            write_rows(Path(folder), block, rows)
            write.append((time.perf_counter() - start) / len(rows))
    return float(np.mean(cpu)) * len(plan.blocks()), float(np.median(write))


def frame_bytes(out: Path) -> float:
    """Bytes a row takes in the table that statistics are made from, lists included, without the copies made on the way."""
    frame = read_rows(out)
    lists = sum(value.nbytes for name in frame for value in frame[name] if isinstance(value, np.ndarray))
    return float(frame.memory_usage(deep=True).sum() + lists) / len(frame)


def bench_sweep(console: Console, trials: tuple[int, ...] = TRIALS) -> dict[str, Any]:
    """The real sweep against its training alone, then simulated trials."""
    cores = machine.cores()
    plan = real_plan(SIDE, SEEDS, STEPS)
    count = len(plan.blocks())
    pure, per_row = _pure_seconds(plan, SAMPLED)
    with tempfile.TemporaryDirectory() as folder:
        real = launched(plan, Path(folder))
        size = sum(path.stat().st_size for path in (Path(folder) / "rows").rglob("*.parquet")) / plan.networks
        in_memory = frame_bytes(Path(folder))
    by_cpu, by_wall = real["cpu"] / pure - 1, real["wall"] * cores / pure - 1
    console.print(
        f"{count} cells of {SEEDS} networks, {plan.steps:,} gradient steps: {pure:.0f} s of CPU in one process, "
        f"{real['cpu']:.0f} s through the study with all of Ray ({by_cpu:+.1%}, {(real['cpu'] - pure) / count:.2f} s a trial), "
        f"{real['wall']:.0f} s of wall time on {cores} cores ({by_wall:+.1%}, with start and waiting, and with whatever else "
        f"the machine did).\nRows: {1 / per_row:.0f} a second and writer, {size / 1e3:.1f} kB each.",
        highlight=False,
    )
    points = [_simulated(number) for number in trials]
    kinds = ("driver", "GCS", "raylet", "worker")
    rows = []
    for p in points:
        times = [f"{p['wall']:.0f}", f"{p['wall_a_trial']:.2f}", f"{p['cpu'] / p['trials']:.2f}", f"{p['read']:.2f}"]
        rows.append([f"{p['trials']:,}", *times, *(f"{p['megabytes'].get(kind, float('nan')):.0f}" for kind in kinds)])
    headings = ["trials", "seconds", "seconds a trial", "CPU s a trial", "s to read the rows", *(f"{k}, MB" for k in kinds)]
    print_sheet(console, Sheet(f"Simulated trials of one network, {cores} cores", headings, rows, 0))
    measured: dict[str, Any] = {"cores": cores, "cells": count, "networks": plan.networks, "pure_cpu": pure, "real": real,
               "overhead_cpu": by_cpu, "overhead_wall": by_wall, "seconds_a_row": per_row, "bytes_a_row": size,
               "frame_bytes_a_row": in_memory, "simulated": points}  # fmt: skip
    return measured | {"million": print_million(console, measured)}


def _simulated(trials: int) -> dict[str, Any]:
    plan = simulated_plan(trials)
    with tempfile.TemporaryDirectory() as folder:
        point = launched(plan, Path(folder))
        start = time.perf_counter()
        read_rows(Path(folder))
        point["read"] = time.perf_counter() - start
    return point | {"trials": trials, "wall_a_trial": point["wall"] / trials}
