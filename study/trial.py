"""One block of networks of one cell: measured at t = 0, trained through the curriculum, turned into rows.

The only place where `pntk` is called for a study.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pntk.curriculum import Phase
from pntk.data import PhaseData, draw_phase_data, pattern_block
from pntk.network import Networks, base_networks, scaled
from pntk.randomness import stream
from pntk.structure.silhouette import ESTIMATORS, Clustering, Start, silhouettes_again, starts
from pntk.tasks import encode
from pntk.training.descent import descend
from pntk.training.flow import follow_flow
from pntk.training.recorder import Curves
from pntk.training.workspace import mean_loss
from study.checkpoint import Checkpoint
from study.during import Kept, Observer, Structure
from study.plan import Block, Cell, Draw
from study.predicting import Errors, agreements, data_of, predict
from study.reference_files import References
from study.schema import NUMBER, columns, setting_values
from study.threads import device_name
from study.work import measurement_work, training_work

MOST_KNOWN = 20_000  # silhouettes that a process remembers: some megabytes
_KNOWN: dict[bytes, list[float]] = {}

Progress = Callable[[int], None]
Losses = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Measured:
    """The t = 0 silhouettes of one network by estimator: as such, and again to see how far they can be relied on.

    Attributes:
        silhouettes: with the settings' clustering on the data of the study.
        kmeans: again with other k-means starts on the same features.
        data: again on further draws of the data, with the same weights.
        predictors: "<phase>_<predictor>" to its value, see `study.predicting`.
    """

    silhouettes: dict[str, float]
    kmeans: dict[str, list[float]]
    data: dict[str, list[float]]
    predictors: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class BlockResult:
    """Everything known of a block after training; arrays have one entry per network.

    Attributes:
        base: the base draw (float64, before scaling). initial: as trained.
        measured: the t = 0 measurement of each network.
        data: phase name to the data of each network.
        final: phase name to the networks at the end of the phase's last turn.
        losses: "<phase>_train", "<phase>_test", "<phase>_unseen" at the end of the phase's last turn.
        curves: phase name to the curves of its turns in order, steps counted on over the turns.
        structure: phase name to what was measured during training, empty where the settings ask for nothing.
        kept: what is kept of the settings' chosen seeds.
        agreements: of each network, "<phase>_<predictor>" to how well it told which unseen patterns are wrong in the end.
        device: the name of what it ran on, such as "cpu".
    """

    block: Block
    base: Networks
    initial: Networks
    measured: tuple[Measured, ...]
    data: dict[str, tuple[PhaseData, ...]]
    final: dict[str, Networks]
    losses: Losses
    curves: dict[str, Curves]
    diverged: NDArray[np.bool_]
    structure: dict[str, Structure]
    kept: dict[Draw, Kept]
    agreements: tuple[dict[str, float], ...]
    device: str = "cpu"


def run_block(
    block: Block,
    device: str = "cpu",
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
    references: References | None = None,
) -> BlockResult:
    """Run a block from its seeds to its losses. The same draws give the same numbers whatever else is in the block.

    Args:
        progress: called with the work done since the last call, in gradient steps (see `study.work`).
        checkpoint: where to go on from, and to note how far the block is.
        references: of linear response, where the cell asks for it; trained here unless given.
    """
    cell, draws, settings = block.cell, block.draws, block.cell.settings
    tell = progress or (lambda _: None)
    dtype = getattr(torch, settings.precision)
    seeds = [draw.seed for draw in draws]
    base = base_networks(cell.environment, settings.hidden_units, seeds, settings.init_half_width, settings.bias)
    initial = scaled(base, settings.init_scale, settings.scaled_layers)
    data = {phase.name: tuple(phase_data(cell, phase, draw) for draw in draws) for phase in cell.curriculum.phases}

    references = references or References(None, device)
    measured, errors = _at_zero(block, initial.to(device=device), data, checkpoint, tell, references)

    steps_done = work_told = 0

    def progress_of_steps(steps: int) -> None:
        """Tell steps as work, without losing fractions to rounding."""
        nonlocal steps_done, work_told
        steps_done += steps
        work = steps_done * training_work(cell) // cell.curriculum.steps
        tell(work - work_told)
        work_told = work

    observer = Observer(cell, draws, initial.to(device=device), data, partial(starts_of, cell), tell)
    if checkpoint is not None:
        observer.learn(*checkpoint.watched)
        checkpoint.watch = observer.known
    networks = initial.to(dtype=dtype, device=device)
    final: dict[str, Networks] = {}
    losses: Losses = {}
    turns: dict[str, list[Curves]] = {}
    for number, phase in enumerate(cell.curriculum.turns):
        sets = {
            name: pattern_block(cell.environment, [getattr(d, name) for d in data[phase.name]], dtype, device)
            for name in ("train", "test")
        }
        turn = len(turns.setdefault(phase.name, []))
        streams = [stream(draw.data_seed, f"{phase.name}/batches/{turn}") for draw in draws]
        rate, visits = phase.learning_rate, observer.turn(phase)
        marks = checkpoint.bookmarks(number, device) if checkpoint else None
        if settings.integrator == "flow":
            networks, curves = follow_flow(
                networks,
                sets["train"],
                sets["test"],
                phase.steps,
                rate,
                progress=progress_of_steps,
                visits=visits,
                bookmarks=marks,
            )
        else:
            networks, curves = descend(
                networks,
                sets["train"],
                sets["test"],
                phase.steps,
                rate,
                phase.batch_size,
                streams,
                progress=progress_of_steps,
                visits=visits,
                bookmarks=marks,
            )
        turns[phase.name].append(curves)
        final[phase.name] = networks
        losses |= {f"{phase.name}_train": curves.train[:, -1], f"{phase.name}_test": curves.test[:, -1]}
    for name, patterns in data.items():
        losses[f"{name}_unseen"] = _unseen_loss(cell, final[name], patterns)
    joined = {name: _join(curves) for name, curves in turns.items()}
    diverged = np.any([curves.diverged for curves in joined.values()], axis=0)
    watched = observer.structure(), observer.kept()
    agreed = agreements(cell, initial.to(device=device), final, data, errors)
    known = block, base, initial, tuple(measured), data, final, losses, joined, diverged, *watched, agreed
    return BlockResult(*known, device_name(device))


def _at_zero(
    block: Block,
    initial: Networks,
    data: Mapping[str, Sequence[PhaseData]],
    checkpoint: Checkpoint | None,
    tell: Progress,
    references: References,
) -> tuple[list[Measured], dict[int, Errors]]:
    """The t = 0 measurement of every network, but of those that the checkpoint has, and predicted errors of the others."""
    cell, first = block.cell, data[block.cell.curriculum.phases[0].name]
    measured = [Measured(**done) for done in checkpoint.measured] if checkpoint is not None else []
    tell(measurement_work(cell) * len(measured))
    untouched = slice(len(measured), len(block.draws))
    left = block.draws[untouched]
    at_zero = starts_of(cell, initial.part(untouched), first[untouched]) if left else []
    errors: dict[int, Errors] = {}
    for place, (draw, start) in enumerate(zip(left, at_zero, strict=True), len(measured)):
        values, errors[place] = predict(cell, start.networks, data_of(data, place))
        values |= references.predicted(cell, draw.data_seed, start.networks)[0]
        measured.append(replace(measure(cell, start, draw), predictors=values))
        if checkpoint is not None:
            checkpoint.measure(measured[-1])
        tell(measurement_work(cell))
    return measured, errors


def phase_data(cell: Cell, phase: Phase, draw: Draw, redraw: int = 0) -> PhaseData:
    """What one network trains and is tested on in a phase; `redraw` counts further draws for the same network."""
    settings = cell.settings
    disjoint = settings.test_draw == "disjoint"
    sizes = settings.train_patterns, settings.test_patterns
    return draw_phase_data(cell.environment, phase, draw.data_seed, *sizes, disjoint, redraw)


def starts_of(cell: Cell, networks: Networks, data: Sequence[PhaseData]) -> list[Start]:
    """Each network at t = 0 with its patterns of the first phase, in float64 on the networks' device."""
    encoded = [(encode(cell.environment, d.test)[0], *encode(cell.environment, d.train)) for d in data]
    columns = (torch.from_numpy(np.stack(column)).to(networks.W1.device) for column in zip(*encoded, strict=True))
    test_inputs, train_inputs, train_targets = columns
    return starts(networks, test_inputs, train_inputs, train_targets)


def measure(cell: Cell, start: Start, draw: Draw) -> Measured:
    """The t = 0 silhouettes of one network, and their repetitions."""
    settings = cell.settings
    clustering = Clustering(settings.clusters, settings.kmeans_restarts, settings.kmeans_random_state)
    states = [clustering.random_state + i for i in range(settings.kmeans_repeats + 1)]
    values = {name: _remembered(ESTIMATORS[name](start), clustering, states) for name in settings.estimators}
    again: dict[str, list[float]] = {name: [] for name in settings.estimators}
    for redraw in range(1, settings.data_redraws + 1):
        drawn = phase_data(cell, cell.curriculum.phases[0], draw, redraw)
        again_start = starts_of(cell, start.networks, [drawn])[0]
        for name, found in again.items():
            found += _remembered(ESTIMATORS[name](again_start), clustering, states[:1])
    return Measured(
        {name: found[0] for name, found in values.items()},
        {name: found[1:] for name, found in values.items()},
        again,
    )


def _remembered(features: NDArray[np.float64], clustering: Clustering, states: Sequence[int]) -> list[float]:
    """`silhouettes_again`, taken from memory where this process has met the same features: the controls of a seed are the
    same in every cell, and all else is where cells differ in how they train."""
    what = repr((features.shape, clustering, states)).encode()
    key = hashlib.sha256(what + np.ascontiguousarray(features).tobytes()).digest()
    if key not in _KNOWN:
        if len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[key] = silhouettes_again(features, clustering, states)
    return list(_KNOWN[key])


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
    """One row per network: key, outcome, every setting, curves, and what it was made with.

    Every row has every number of `study.schema`, NaN where a network has none (such as how well predicted errors agree
    with those on unseen patterns, where training has seen them all).
    """
    cell = result.block.cell
    shared, known = setting_values(cell), columns(cell)
    rows = []
    for i, draw in enumerate(result.block.draws):
        row: dict[str, Any] = {"sweep": sweep, "cell": cell.name, "seed": draw.seed, "data_seed": draw.data_seed}
        measured = result.measured[i]
        row |= {f"silhouette_{name}": value for name, value in measured.silhouettes.items()}
        row |= {f"predictor_{name}": value for name, value in measured.predictors.items()}
        row |= {f"agreement_{name}": value for name, value in result.agreements[i].items()}
        row |= {f"loss_{name}": float(values[i]) for name, values in result.losses.items()}
        row["diverged"] = bool(result.diverged[i])
        row |= {f"repeat_kmeans_{name}": values for name, values in measured.kmeans.items() if values}
        row |= {f"repeat_data_{name}": values for name, values in measured.data.items() if values}
        row |= shared
        for name, curves in result.curves.items():
            row[f"curve_{name}_steps"] = curves.steps.tolist()
            row[f"curve_{name}_train"] = curves.train[i].tolist()
            row[f"curve_{name}_test"] = curves.test[i].tolist()
        for name, structure in result.structure.items():
            row[f"structure_{name}_steps"] = structure.steps.tolist()
            row |= {f"structure_{name}_{measure}": values[i].tolist() for measure, values in structure.measures.items()}
        row |= dict(provenance) | {"device": result.device}
        rows.append({name: row.get(name, float("nan")) for name, kind in known if name in row or kind == NUMBER} | row)
    return rows
