"""What each predictor at t = 0 costs, in gradient steps of the same network: the price that a little training competes with."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from pntk.data import PhaseData, pattern_block
from pntk.network import Networks, base_networks, scaled
from pntk.predictors.case import Case
from pntk.predictors.registry import PREDICTORS
from pntk.structure.silhouette import Clustering, silhouettes
from pntk.training.descent import descend
from study.columns import columns_by_phase
from study.comparisons import predictors_of
from study.memory import check_alone
from study.plan import Block, Cell, Draw, Plan
from study.references import asked, ends
from study.storage import Location, exists, read_bytes, write_bytes
from study.threads import threads
from study.trial import phase_data, starts_of
from study.written import begin, ended

FILE = "predictor_costs.json"
LARGEST_KEPT = 1_000_000  # bytes
STEPS = 100  # that are timed
LEAST_SECONDS = 0.05  # what takes less is done again, and the fastest time counts
MOST_SECONDS = 3.0  # what takes more is done once; all else at least twice, since a first call may load libraries
MOST_TIMES = 20
SIZES = ("hidden_units", "stimulus_pools", "response_pools", "features", "train_patterns")  # what rows of a network must say
MANNER = ("test_patterns", "precision", "clusters", "kmeans_restarts")  # and, where they say it


def costs_of(frame: pd.DataFrame, plan: Plan | None, out: Location) -> dict[str, dict[str, float]]:
    """Cell -> column -> cost in gradient steps, of cells whose rows are of networks like the one that is measured, the first
    of the plan's; {} for rows of other networks, whatever the plan that they are analysed by.

    Measured once for a folder and kept in `predictor_costs.json`, so that the same rows give the same analysis; measured
    again where a column that can be measured is missing there.
    """
    wanted = {*predictors_of(frame), *(c for found in columns_by_phase(frame, "predictor").values() for c in found.values())}
    cells = [cell for cell in (plan.cells if plan is not None else ()) if isinstance(cell, Cell)]
    like = _like_the_first(frame, cells) if cells else []
    if not like:
        return {}
    check_alone(Block(cells[0], cells[0].draws[:1]))  # one network is drawn, and measured where its costs are not known
    computations, step = computations_of(cells[0], cells[0].draws[0])
    computations = {name: work for name, work in computations.items() if name in wanted}
    kept = _kept(out)
    counted = {cell.name: response_costs(cell) for cell in cells}  # in gradients, which nobody needs to time
    if kept.keys() >= computations.keys():
        return {cell: {name: kept[name] for name in computations} | counted[cell] for cell in like}
    with threads(1):
        found = measured_costs(computations, step)
    if isinstance(out, Path):
        begin(out, [FILE])
    write_bytes(out / FILE, (json.dumps(found, indent=1) + "\n").encode())
    if isinstance(out, Path):
        ended(out, [FILE])
    return {cell: found | counted[cell] for cell in like}


def response_costs(cell: Cell) -> dict[str, float]:
    """Column -> gradients of one network that linear response takes, once there are references."""
    each = 2 * cell.settings.reference_bins * cell.settings.references
    return {f"predictor_{phase}_{name}": float(each * end) for phase, end in ends(cell).items() for name in asked(cell)}


def _like_the_first(frame: pd.DataFrame, cells: Sequence[Cell]) -> list[str]:
    """Cells of the plan that are of the first one's size, and whose rows say that they are of such networks."""
    measured = cells[0]
    tasks = {p.name: tuple(p.task_counts) for p in measured.curriculum.phases}
    alike = []
    for cell in cells:
        rows = frame[frame["cell"] == cell.name]
        said = [name for name in (*SIZES, *MANNER) if name in rows]
        wanted = {name: getattr(measured.settings, name) for name in (*SIZES, *MANNER)}
        own = {name: getattr(cell.settings, name) for name in wanted} == wanted
        same_tasks = {p.name: tuple(p.task_counts) for p in cell.curriculum.phases} == tasks
        if own and same_tasks and len(rows) and set(said) >= set(SIZES) and all((rows[n] == wanted[n]).all() for n in said):
            alike.append(cell.name)
    return alike


def _kept(out: Location) -> dict[str, float]:
    if not exists(out / FILE):
        return {}
    try:
        found = json.loads(read_bytes(out / FILE, most=LARGEST_KEPT))
    except (ValueError, RecursionError):
        return {}
    sound = isinstance(found, dict) and all(isinstance(cost, float) and 0 <= cost < math.inf for cost in found.values())
    return found if sound else {}


def measured_costs(computations: Mapping[str, Callable[[], Any]], step: Callable[[], Any]) -> dict[str, float]:
    """CPU time of each computation, divided by that of one gradient step.

    Args:
        computations: column -> what computes it afresh, from weights and patterns.
        step: takes `STEPS` gradient steps of the same network.
    """
    per_step = _cpu_seconds(step) / STEPS
    return {name: float(f"{_cpu_seconds(work) / per_step:.3g}") for name, work in computations.items()}


def _cpu_seconds(work: Callable[[], Any]) -> float:
    times: list[float] = []
    while (len(times) < 2 and sum(times) < MOST_SECONDS) or (sum(times) < LEAST_SECONDS and len(times) < MOST_TIMES):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return max(min(times), 1e-9)


def computations_of(cell: Cell, draw: Draw) -> tuple[dict[str, Callable[[], Any]], Callable[[], Any]]:
    """Every t = 0 measurement of one network by column, and `STEPS` gradient steps of its first phase."""
    settings, phase = cell.settings, cell.curriculum.phases[0]
    base = base_networks(cell.environment, settings.hidden_units, [draw.seed], settings.init_half_width, settings.bias)
    networks = scaled(base, settings.init_scale, settings.scaled_layers)
    data = {p.name: phase_data(cell, p, draw) for p in cell.curriculum.phases}
    clustering = Clustering(settings.clusters, settings.kmeans_restarts, settings.kmeans_random_state)

    def measure(name: str) -> Callable[[], Any]:
        return lambda: silhouettes(starts_of(cell, networks, [data[phase.name]])[0], (name,), clustering)

    dtype = getattr(torch, settings.precision)
    train = pattern_block(cell.environment, [data[phase.name].train], dtype)

    def step() -> None:
        descend(networks.to(dtype=dtype), train, train, STEPS, phase.learning_rate, records=2)

    found = {f"silhouette_{name}": measure(name) for name in settings.estimators}
    return found | predictor_computations(cell, networks, data), step


def predictor_computations(cell: Cell, networks: Networks, data: Mapping[str, PhaseData]) -> dict[str, Callable[[], Any]]:
    """predictor_<phase>_<name> -> its computation on this network with that phase's patterns."""

    def compute(name: str, drawn: PhaseData) -> Callable[[], Any]:
        return lambda: PREDICTORS[name].function(Case(networks, cell.environment, drawn.train, drawn.unseen))

    names = [name for name in cell.settings.predictors if name in PREDICTORS]
    return {f"predictor_{phase}_{name}": compute(name, drawn) for phase, drawn in data.items() for name in names}
