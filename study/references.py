"""Reference networks of linear response: one for each cell, data set and number, trained once, kept in the study's folder by
what decides it (DIR/references/<key>.npz), and shared by all networks of the cell that see its data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pntk.curriculum import Phase
from pntk.data import draw_phase_data, pattern_block
from pntk.influence.drive import own, predict, units_of
from pntk.influence.reference import Diverged, Passed, Reference, respond, trained
from pntk.influence.units import Patterns, Stage, Units
from pntk.network import Networks, scaled
from pntk.randomness import stream
from pntk.tasks import Ids
from study.plan import Block, Cell
from study.sweep import RESPONSES

VERSION = 1  # of what a file means
# Early steps of descent may overshoot with period 2, and the adjoint then grows without end: references start with small ones.
GENTLE_RATE, GENTLE_TIME = 0.01, 15.0


@dataclass(frozen=True)
class Wanted:
    """One reference: of a cell (whose draws say nothing here), a data set, and which of several."""

    cell: Cell
    data_seed: int
    number: int

    @property
    def key(self) -> str:
        s = self.cell.settings
        sizes = s.hidden_units, s.train_patterns, s.test_patterns if s.test_draw == "disjoint" else 0
        drawn = s.init_scale, s.scaled_layers, s.init_half_width, s.bias, s.precision, s.reference_units, s.reference_bins
        parts = VERSION, self.cell.environment, self.cell.curriculum, sizes, drawn, self.data_seed, self.number
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Answer:
    """What a reference says of one phase's final loss on unseen patterns; `mean` is what its own units add up to."""

    reference: Reference
    mean: float

    def losses(self, networks: Networks) -> NDArray[np.float64]:
        """(B,) losses of networks before training, by equation (8)."""
        return predict(self.reference, networks, self.mean).double().cpu().numpy()


def asked(cell: Cell) -> tuple[str, ...]:
    """The cell's predictors that need references."""
    return tuple(name for name in cell.settings.predictors if name in RESPONSES)


def data_seed_of(cell: Cell, data_seed: int, name: str) -> int:
    """The data set of the reference for a network's own data set."""
    given = cell.settings.reference_data_seed
    return (data_seed if given is None else given) + (name == RESPONSES[1])


def wanted_of(cell: Cell, data_seeds: Iterable[int]) -> list[Wanted]:
    """Every reference that a cell's networks on these data sets need, each once."""
    bare = replace(cell, draws=())
    needed = {data_seed_of(cell, data_seed, name) for data_seed in data_seeds for name in asked(cell)}
    return [Wanted(bare, seed, number) for seed in sorted(needed) for number in range(cell.settings.references)]


def wanted_by(blocks: Sequence[Block[Cell]]) -> list[Wanted]:
    """Those that blocks need, each once, the costly first."""
    found: dict[str, Wanted] = {}
    for block in blocks:
        if isinstance(block.cell, Cell) and asked(block.cell):
            found |= {one.key: one for one in wanted_of(block.cell, {draw.data_seed for draw in block.draws})}
    return sorted(found.values(), key=reference_work, reverse=True)


def rates_of(phase: Phase) -> tuple[float, ...]:
    """Learning rates of a reference's steps through a turn of a phase: as long a time, small steps first."""
    time, (slow, fast) = phase.steps * phase.learning_rate, _slow_and_fast(phase)
    if not slow:
        return (phase.learning_rate,) * fast
    gentle = min(GENTLE_TIME, time)
    return (gentle / slow,) * slow + ((time - gentle) / fast,) * fast if fast else (time / slow,) * slow


def reference_steps(phase: Phase) -> int:
    """How many steps a reference takes through a turn of a phase: the length of `rates_of`."""
    return sum(_slow_and_fast(phase))


def _slow_and_fast(phase: Phase) -> tuple[int, int]:
    """How many gentle steps come first, and how many others after them."""
    if phase.learning_rate <= GENTLE_RATE:
        return 0, phase.steps
    time = phase.steps * phase.learning_rate
    gentle = min(GENTLE_TIME, time)
    return round(gentle / GENTLE_RATE), round((time - gentle) / phase.learning_rate)


def reference_work(wanted: Wanted) -> int:
    """Gradient steps of one of the cell's networks that a reference stands for: its training, and backwards for each phase.

    A step backwards takes about three times a step, with the states that are computed again.
    """
    settings, lengths = wanted.cell.settings, [len(rates_of(phase)) for phase in wanted.cell.curriculum.turns]
    backwards = sum(sum(lengths[:number]) for number in ends(wanted.cell).values())
    return round((sum(lengths) + 3 * backwards) * settings.reference_units / settings.hidden_units)


def response_work(cell: Cell) -> int:
    """Gradients that one network's units take for all of its predictors that need references."""
    turns = sum(ends(cell).values())
    return 2 * cell.settings.reference_bins * turns * cell.settings.references * len(asked(cell))


def ends(cell: Cell) -> dict[str, int]:
    """Phase name to how many turns are over when the phase is."""
    return {phase.name: number for number, phase in enumerate(cell.curriculum.turns, start=1)}


def train(wanted: Wanted, device: str = "cpu") -> dict[str, Answer]:
    """Train a reference and run it backwards from each phase's loss on unseen patterns: phase name to its answer.

    Phases whose legal patterns were all trained on have none.

    Raises:
        Diverged: names the cell.
    """
    cell, settings = wanted.cell, wanted.cell.settings
    dtype = getattr(torch, settings.precision)
    units, direct, masses = _initial(wanted, dtype, device)
    drawn = {phase.name: drawn_for(wanted, phase) for phase in cell.curriculum.phases}
    train_sets = {name: patterns_of(cell, ids, dtype, device) for name, (ids, _) in drawn.items()}
    stages = [Stage(train_sets[phase.name], rates_of(phase)) for phase in cell.curriculum.turns]
    try:
        passed: tuple[Passed, ...] = trained(units, direct, masses, stages, settings.bias)
        answers = {}
        for phase, end in ends(cell).items():
            if len(drawn[phase][1]):
                goal = patterns_of(cell, drawn[phase][1], dtype, device)
                found = respond(passed[:end], masses, goal, settings.bias, settings.reference_bins)
                answers[phase] = Answer(found, own(found, units, direct, masses))
    except Diverged as error:
        raise Diverged(f"cells.{cell.name}: {error}; smaller learning rates or another cell without linear_response") from None
    return answers


def _initial(wanted: Wanted, dtype: torch.dtype, device: str) -> tuple[Units, Tensor, Tensor]:
    """Initial units of a reference, no direct weights (those of a network say little alone, and are a source), and masses."""
    settings, environment = wanted.cell.settings, wanted.cell.environment
    count, width = settings.reference_units, settings.init_half_width
    generator = stream(wanted.number, "reference weights")
    incoming = generator.uniform(-width, width, (environment.input_width, count))
    outgoing = generator.uniform(-width, width, (count, environment.response_width))
    first, last = (torch.from_numpy(weights)[None] for weights in (incoming, outgoing))
    direct = first.new_zeros(1, environment.tasks, environment.response_width)
    split = environment.stimulus_width
    networks = scaled(Networks(first[:, :split], first[:, split:], last, direct), settings.init_scale, settings.scaled_layers)
    networks = networks.to(dtype=dtype, device=device)
    masses = torch.full((count,), settings.hidden_units / count, dtype=dtype, device=device)
    return units_of(networks), networks.V2[0], masses


def drawn_for(wanted: Wanted, phase: Phase) -> tuple[Ids, Ids]:
    settings = wanted.cell.settings
    sizes = settings.train_patterns, settings.test_patterns
    data = draw_phase_data(wanted.cell.environment, phase, wanted.data_seed, *sizes, settings.test_draw == "disjoint")
    return data.train, data.unseen


def patterns_of(cell: Cell, ids: Ids, dtype: torch.dtype, device: str) -> Patterns:
    block = pattern_block(cell.environment, [ids], dtype, device, multiple=1)
    return Patterns(block.inputs[0], cell.environment.stimulus_width, block.targets[0], block.counts[0])
