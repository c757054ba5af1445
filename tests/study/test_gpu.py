"""What a GPU does: the same networks as the CPU to rounding, from a recorded graph, whatever else is in their block.

Needs no Ray, W&B or Optuna: `python -m pytest -n 0 tests/study/test_gpu.py` where torch finds a GPU. Tolerances are those of
single precision over this many steps: sums on a GPU run in another order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pntk.data import pattern_block
from pntk.network import base_networks
from pntk.training.descent import descend
from pntk.training.graphs import STEPS_PER_GRAPH
from pntk.training.workspace import Workspace
from study.plan import Block, Cell, make_plan
from study.schema import columns
from study.sweep import Settings
from study.sweep_file import parse_sweep
from study.threads import device_name, device_of, threads
from study.trial import phase_data, rows_of, run_block

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch.cuda.is_available() is False: no GPU on this machine"),
]

LOSSES = 1e-4  # relative, of losses in single precision after some hundred steps; TF32 would miss it
DOUBLE = 1e-7  # the same in double precision
SILHOUETTES = 1e-6  # absolute: the t = 0 measurement is in double precision
SWEEP: dict[str, Any] = {
    "name": "gpu", "seeds": 5,
    "curricula": {
        "brief": {
            "phases": [
                {"name": "single", "task_counts": [1], "steps": 2 * STEPS_PER_GRAPH + 7},
                {"name": "multi", "task_counts": [1, 1, 1], "steps": 3 * STEPS_PER_GRAPH},
            ]
        }
    },
    "settings": {
        "curriculum": "brief", "hidden_units": 60, "train_patterns": 200, "test_patterns": 200, "kmeans_restarts": 3,
        "estimators": ["svd_right", "svd_right_scaled", "ntk", "inputs"], "predictors": ["ntk_trace", "linearised_logit_1e-2"],
        "structure_records": 4, "structure_estimators": ["svd_right"],
    },
    "cells": {"single": {}, "double": {"precision": "float64"}, "flow": {"precision": "float64", "integrator": "flow"}},
}  # fmt: skip


def cell_of(name: str) -> Cell:
    return make_plan(parse_sweep(SWEEP)).cell(name)


def rows_on(device: str, cell: Cell, *places: int) -> list[dict[str, Any]]:
    draws = tuple(cell.draws[place] for place in places)
    with threads(1):
        return rows_of(run_block(Block(cell, draws), device), "gpu", {})


@pytest.fixture(scope="module", params=["single", "double", "flow"])
def both(request: pytest.FixtureRequest) -> tuple[Cell, list[dict[str, Any]], list[dict[str, Any]]]:
    """A block on the GPU and on the CPU."""
    cell = cell_of(request.param)
    return cell, rows_on("cuda", cell, 0, 1, 2, 3, 4), rows_on("cpu", cell, 0, 1, 2, 3, 4)


def largest_difference(name: str, ours: Any, theirs: Any, relative: bool = True) -> float:
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    assert (np.isnan(ours) == np.isnan(theirs)).all(), name
    off = np.abs(ours - theirs) / (np.maximum(np.abs(theirs), 1e-12) if relative else 1.0)
    return float(np.nanmax(off, initial=0.0))


def compare(ours: dict[str, Any], theirs: dict[str, Any], cell: Cell) -> dict[str, float]:
    """The largest difference of each kind of column; everything else but the device must be equal."""
    tolerance = LOSSES if cell.name == "single" else DOUBLE if cell.name == "double" else 1e-3  # the flow chooses its own steps
    found: dict[str, float] = {}
    assert list(ours) == list(theirs) == [name for name, _ in columns(cell) if name in ours]
    for name, value in ours.items():
        if name == "device":
            continue
        if name in Settings.model_fields:
            assert value == theirs[name], name
            continue
        relative = not name.startswith(("silhouette_", "agreement_", "structure_"))
        if name.startswith(("loss_", "curve_")) and not name.endswith("_steps"):
            limit = tolerance
        elif name.startswith(("silhouette_", "predictor_")):
            limit = SILHOUETTES
        elif name.startswith(("agreement_", "structure_")) and not name.endswith("_steps"):
            limit = 0.05  # ranks, and groups of k-means, may change places where networks differ by rounding
        else:
            assert value == theirs[name] or value != value, name
            continue
        kind = name.split("_")[0]
        found[kind] = max(found.get(kind, 0.0), off := largest_difference(name, value, theirs[name], relative))
        assert off <= limit, (name, off)
    return found


def test_a_gpu_gives_what_the_cpu_gives_and_is_named(both: tuple[Cell, list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    cell, on_gpu, on_cpu = both
    for ours, theirs in zip(on_gpu, on_cpu, strict=True):
        print(cell.name, ours["seed"], compare(ours, theirs, cell))
        assert (ours["device"], theirs["device"]) == (torch.cuda.get_device_name(), "cpu")
    assert device_of(1.0) == "cuda"
    assert device_name("cuda") == torch.cuda.get_device_name()


def test_packing_changes_a_row_by_rounding_only(both: tuple[Cell, list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    """On the CPU it changes nothing; on a GPU blocks of other sizes may take other routines."""
    cell, on_gpu, _ = both
    if cell.name == "flow":
        pytest.skip("on a GPU the networks of a block share the flow's step size: they agree to its tolerance, not to rounding")
    for places in ((2,), (4, 1), (3, 0, 2)):
        for place, row in zip(places, rows_on("cuda", cell, *places), strict=True):
            print(cell.name, places, compare(row, on_gpu[place], cell))


def test_a_recorded_graph_takes_the_steps_one_by_one_would(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = cell_of("double")
    draws, phase = cell.draws[:3], cell.curriculum.phases[0]
    data = [phase_data(cell, phase, draw).train for draw in draws]
    train = pattern_block(cell.environment, data, torch.float64, "cuda")
    networks = base_networks(cell.environment, 60, [draw.seed for draw in draws]).to(dtype=torch.float64, device="cuda")
    recorded: list[int] = []
    graph = torch.cuda.CUDAGraph.replay

    def replay(self: torch.cuda.CUDAGraph) -> None:
        recorded.append(STEPS_PER_GRAPH)
        graph(self)

    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", replay)
    steps = 4 * STEPS_PER_GRAPH + 13
    trained, _ = descend(networks, train, train, steps, 0.01, records=2)
    assert sum(recorded) == 4 * STEPS_PER_GRAPH
    work = Workspace(networks, train.inputs.shape[1])
    work.load(train.inputs, train.targets, train.counts)
    for _ in range(steps):
        work.step(0.01)
    for ours, theirs in zip(trained.weights, work.networks().weights, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
    moved = max(float((a - b).abs().max()) for a, b in zip(trained.weights, networks.weights, strict=True))
    assert moved > 1e-3
