"""One block of networks of one cell: measured at t = 0, trained through the curriculum, turned into rows.

The only place where `pntk` is called for a study.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pntk.curriculum import Phase
from pntk.data import PhaseData, draw_phase_data, pattern_block
from pntk.network import Networks, base_networks, scaled
from pntk.randomness import stream
from pntk.structure.silhouette import Clustering, Start, silhouettes
from pntk.tasks import encode
from pntk.training.descent import descend, mean_loss
from pntk.training.recorder import Curves
from study.plan import Block, Cell, Draw

# What the t = 0 measurement of one network of the paper (200 hidden units, 500 patterns) costs in gradient steps. Only
# for progress and estimates of time; `python -m study bench silhouette` measures it.
STEPS_PER_MEASUREMENT = 700
STEPS_PER_EIG = 2200

Progress = Callable[[int], None]
Losses = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class BlockResult:
    """Everything known of a block after training; arrays have one entry per network.

    Attributes:
        base: the base draw (float64, before scaling). initial: as trained.
        silhouettes: estimator name to value, per network.
        data: phase name to the data of each network.
        final: phase name to the networks at the end of the phase's last turn.
        losses: "<phase>_train", "<phase>_test", "<phase>_unseen" at the end of the phase's last turn.
        curves: phase name to the curves of its turns in order, steps counted on over the turns.
    """

    block: Block
    base: Networks
    initial: Networks
    silhouettes: tuple[dict[str, float], ...]
    data: dict[str, tuple[PhaseData, ...]]
    final: dict[str, Networks]
    losses: Losses
    curves: dict[str, Curves]
    diverged: NDArray[np.bool_]


def work_of(cell: Cell) -> int:
    """Work of one network of a cell, in gradient steps."""
    return cell.curriculum.steps + measurement_work(cell)


def measurement_work(cell: Cell) -> int:
    """The t = 0 measurement of one network, in gradient steps: a step costs N H, kernels N^2 H, eigenvectors N^3."""
    patterns = cell.settings.train_patterns / 500
    eig = STEPS_PER_EIG * patterns**2 * 200 / cell.settings.hidden_units if "eig" in cell.settings.estimators else 0
    return round(STEPS_PER_MEASUREMENT * patterns + eig)


def run_block(block: Block, device: str = "cpu", progress: Progress | None = None) -> BlockResult:
    """Run a block from its seeds to its losses. The same draws give the same numbers whatever else is in the block.

    Args:
        progress: called with the work done since the last call, in gradient steps (see `work_of`).
    """
    cell, draws, settings = block.cell, block.draws, block.cell.settings
    tell = progress or (lambda _: None)
    dtype = getattr(torch, settings.precision)
    seeds = [draw.seed for draw in draws]
    base = base_networks(cell.environment, settings.hidden_units, seeds, settings.init_half_width, settings.bias)
    initial = scaled(base, settings.init_scale, settings.scaled_layers)
    data = {phase.name: tuple(_phase_data(cell, phase, draw) for draw in draws) for phase in cell.curriculum.phases}

    first = data[cell.curriculum.phases[0].name]
    measured = []
    for i in range(len(draws)):
        measured.append(measure(cell, initial.network(i), first[i]))
        tell(measurement_work(cell))

    networks = initial.to(dtype=dtype, device=device)
    final: dict[str, Networks] = {}
    losses: Losses = {}
    turns: dict[str, list[Curves]] = {}
    diverged = np.zeros(len(draws), dtype=bool)
    for phase in cell.curriculum.turns:
        sets = {
            name: pattern_block(cell.environment, [getattr(d, name) for d in data[phase.name]], dtype, device)
            for name in ("train", "test")
        }
        turn = len(turns.setdefault(phase.name, []))
        streams = [stream(draw.data_seed, f"{phase.name}/batches/{turn}") for draw in draws]
        networks, curves = descend(
            networks, sets["train"], sets["test"], phase.steps, phase.learning_rate, phase.batch_size, streams, progress=tell
        )
        turns[phase.name].append(curves)
        diverged |= curves.diverged
        final[phase.name] = networks
        losses |= {f"{phase.name}_train": curves.train[:, -1], f"{phase.name}_test": curves.test[:, -1]}
    for name, patterns in data.items():
        losses[f"{name}_unseen"] = _unseen_loss(cell, final[name], patterns)
    joined = {name: _join(curves) for name, curves in turns.items()}
    return BlockResult(block, base, initial, tuple(measured), data, final, losses, joined, diverged)


def _phase_data(cell: Cell, phase: Phase, draw: Draw) -> PhaseData:
    settings = cell.settings
    disjoint = settings.test_draw == "disjoint"
    return draw_phase_data(cell.environment, phase, draw.data_seed, settings.train_patterns, settings.test_patterns, disjoint)


def start_of(cell: Cell, network: Networks, data: PhaseData) -> Start:
    """One network at t = 0 with the patterns of the first phase, in float64."""
    test_inputs, _ = encode(cell.environment, data.test)
    train_inputs, train_targets = encode(cell.environment, data.train)
    return Start(network, *(torch.from_numpy(array) for array in (test_inputs, train_inputs, train_targets)))


def measure(cell: Cell, network: Networks, data: PhaseData) -> dict[str, float]:
    """The t = 0 silhouettes of one network."""
    settings = cell.settings
    clustering = Clustering(settings.clusters, settings.kmeans_restarts, settings.kmeans_random_state)
    return silhouettes(start_of(cell, network, data), settings.estimators, clustering)


def _unseen_loss(cell: Cell, networks: Networks, data: Sequence[PhaseData]) -> NDArray[np.float64]:
    """(B,) loss on every legal pattern that was never trained on; NaN where training has seen them all."""
    losses = []
    for i, patterns in enumerate(data):
        if not len(patterns.unseen):
            losses.append(float("nan"))
            continue
        like = networks.W1
        block = pattern_block(cell.environment, [patterns.unseen], like.dtype, like.device)
        losses.append(float(mean_loss(networks.network(i), block)[0]))
    return np.array(losses)


def _join(turns: Sequence[Curves]) -> Curves:
    """The curves of a phase's turns one after another, steps counted on."""
    offsets = np.cumsum([0] + [curves.steps[-1] for curves in turns[:-1]])
    steps = np.concatenate([curves.steps + offset for curves, offset in zip(turns, offsets, strict=True)])
    return Curves(steps, np.concatenate([c.train for c in turns], axis=1), np.concatenate([c.test for c in turns], axis=1))


def rows_of(result: BlockResult, sweep: str, provenance: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row per network: key, outcome, every setting, curves, and what it was made with."""
    cell, settings = result.block.cell, result.block.cell.settings
    shared: dict[str, Any] = settings.model_dump() | {"estimators": ",".join(settings.estimators)}
    shared["phases"] = json.dumps([vars(phase) for phase in cell.curriculum.phases])
    shared["cycles"] = cell.curriculum.cycles
    rows = []
    for i, draw in enumerate(result.block.draws):
        row: dict[str, Any] = {"sweep": sweep, "cell": cell.name, "seed": draw.seed, "data_seed": draw.data_seed}
        row |= {f"silhouette_{name}": value for name, value in result.silhouettes[i].items()}
        row |= {f"loss_{name}": float(values[i]) for name, values in result.losses.items()}
        row["diverged"] = bool(result.diverged[i])
        row |= shared
        for name, curves in result.curves.items():
            row[f"curve_{name}_steps"] = curves.steps.tolist()
            row[f"curve_{name}_train"] = curves.train[i].tolist()
            row[f"curve_{name}_test"] = curves.test[i].tolist()
        rows.append(row | dict(provenance))
    return rows
