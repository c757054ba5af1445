"""How much memory a trial takes, estimated from its settings, so that a cell that cannot fit is refused before any work.

Upper estimates of the arrays that exist at once (see the modules named below), in bytes; `tests/study/test_memory.py`
holds them against real runs. What a worker takes before it has done anything is `WORKER`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pntk.predictors.spectrum import MOST_PATTERNS
from study.linear_trial import recorded
from study.machine import memory
from study.plan import Block, Cell, LinearCell, Plan
from study.references import reference_steps
from study.sweep import RESPONSES, SweepError

WORKER = 600e6  # a Ray worker with torch, scikit-learn and wandb imported
SHARE = 0.9  # of the machine's memory that trials may take together


def machine_memory() -> float:
    """Bytes of this machine, or of the container or batch job that we are in if that is less."""
    return memory()


def parts_of(block: Block[Any]) -> dict[str, float]:
    """What a trial holds beyond its worker, in bytes, by the setting that decides it."""
    return _linear(block) if isinstance(block.cell, LinearCell) else _multitask(block.cell, len(block.draws))


def _multitask(cell: Cell, block: int) -> dict[str, float]:
    settings, environment = cell.settings, cell.environment
    hidden, train, test = settings.hidden_units, settings.train_patterns, settings.test_patterns
    outputs, most = environment.response_width, max(train, test)
    width = environment.input_width + outputs
    item = 4 if settings.precision == "float32" else 8
    phases, unseen = cell.curriculum.phases, [_legal(cell, number) for number in range(len(cell.curriculum.phases))]
    eig = 4 * 16 * train**2 if "eig" in settings.estimators else 0  # LAPACK's work beside complex vectors
    case = unseen_case = 0.0
    if settings.predictors:  # kernels of distinct patterns with their factors, the population of the learning curve, Jacobians
        case = 8.0 * outputs * (8 * train**2 + 4 * min(max(unseen), MOST_PATTERNS) ** 2)
        unseen_case = 8.0 * max(unseen) * (3 * width + 5 * hidden) + 8 * block * sum(unseen) * len(settings.predictors)
    wide, bins = settings.reference_units, min(settings.reference_bins, max(phase.steps for phase in phases))
    asked = any(name in RESPONSES for name in settings.predictors)
    turns = len(cell.curriculum.turns)
    # A reference in training: states kept and computed again, the latter with their activities, activities of a step backwards;
    # and 16 that are kept in memory.
    every = max(reference_steps(phase) for phase in phases) ** 0.5
    states = 2 * (1 + turns) * every * wide * width + (8 + every) * most * wide + 8 * max(unseen) * wide
    gathered = 16 * 3 * bins * train * outputs * turns * (turns + 1) / 2
    return {
        "reference_units": asked * item * states,
        "reference_bins": asked * item * gathered,
        "hidden_units": (16 + item * (3 + len(phases))) * block * hidden * width + 5 * item * most * hidden,
        # A kernel of distinct patterns, its terms, and its repetition over all of them; k-means and its distances.
        "train_patterns": 5 * 8.0 * outputs * train * most + 3 * 8 * most**2 + 8 * most * outputs * hidden + eig + case,
        "compute.block": block * (train + test) * width * (24 + 2 * item) + 8 * block * sum(unseen),
        "stimulus_pools": max(unseen) * (24 * width + item * (width + 3 * hidden)) + unseen_case,
    }


def _legal(cell: Cell, phase: int) -> float:
    counts = enumerate(cell.curriculum.phases[phase].task_counts, start=1)
    return float(sum(cell.environment.pattern_count(count) for count, frequency in counts if frequency > 0))


def _linear(block: Block[LinearCell]) -> dict[str, float]:
    s, networks, steps = block.cell.settings, len(block.draws), len(recorded(block.cell.settings))
    weights = s.inputs * s.hidden + s.hidden * s.outputs + 4 * s.inputs * s.outputs
    return {
        "inputs": 8.0 * networks * (s.inputs**4 + 4 * steps * s.outputs * s.inputs**3),  # `per_example_grams`
        "examples": 8.0 * networks * s.examples * (s.inputs**2 + 4 * s.inputs + s.outputs),
        "record_every": 8.0 * networks * steps * (4 * weights + 40 * max(s.inputs, s.outputs) * s.inputs),
    }


def check_block(block: Block[Any], available: float, where: str) -> None:
    """Refuse a block that cannot fit.

    Args:
        available: bytes that one trial may take.

    Raises:
        SweepError: names the cell, what it needs, and the setting that takes most of it.
    """
    parts = parts_of(block)
    needed = sum(parts.values()) + WORKER
    if needed > available:
        setting = max(parts, key=lambda name: parts[name])
        settings = block.cell.settings
        value = len(block.draws) if setting == "compute.block" else getattr(settings, setting)
        raise SweepError(
            f"cells.{block.cell.name}: a trial needs about {_size(needed)} of memory, {where}; most of it is for {setting} = "
            f"{value}: make that smaller"
        )


def check_alone(block: Block[Any]) -> None:
    """Refuse a block, such as a single network that is trained or measured again, that cannot fit into this machine.

    Raises:
        SweepError: names the cell.
    """
    available = SHARE * machine_memory()
    check_block(block, available, f"{_size(available)} are there")


def check_attribution(cells: Sequence[Cell], workers: int, available: float | None = None) -> None:
    """Refuse path-integrated kernels that cannot fit, as many at once as there are workers.

    Args:
        cells: of the networks, one each.
        available: bytes of the machine.

    Raises:
        SweepError: names the first such cell.
    """
    at_once = max(min(workers, len(cells)), 1)
    share = SHARE * (machine_memory() if available is None else available) / at_once
    for cell in cells:
        if (needed := _attribution(cell) + WORKER) > share:
            raise SweepError(
                f"cells.{cell.name}: needs about {_size(needed)} of memory to be attributed, {_size(share)} are there for each "
                f"of {at_once} at once; fewer --workers, train_patterns or test_patterns need less"
            )


def _attribution(cell: Cell) -> float:
    """Bytes of `study.attribute.trace`: a kernel for every turn, three while one is made, and the rows and columns of its
    two products (`pntk.kernels.path.PathIntegral`)."""
    settings, environment, turns = cell.settings, cell.environment, cell.curriculum.turns
    legal = max(_legal(cell, phase) for phase in range(len(cell.curriculum.phases)))
    tests, patterns = (min(count, legal) for count in (settings.test_patterns, settings.train_patterns))
    wide = settings.hidden_units + environment.tasks + 1
    kernel = tests * environment.response_width * patterns
    return 8.0 * ((len(turns) + 4) * kernel + environment.response_width * wide * (6 * tests + 3 * patterns))


def check_memory(plan: Plan, workers: int, available: float | None = None) -> None:
    """Refuse a plan of which a cell cannot fit into this machine, beside as many of its like as run at once.

    Raises:
        SweepError: names the first such cell.
    """
    memory = machine_memory() if available is None else available
    for cell in plan.cells:
        block: Block[Any] = Block(cell, cell.draws[: plan.sweep.compute.block])
        at_once = max(min(workers, -(-plan.networks // plan.sweep.compute.block)), 1)
        text = f"{_size(SHARE * memory / at_once)} are there for each of {at_once} at once"
        check_block(block, SHARE * memory / at_once, text)


def _size(count: float) -> str:
    return f"{count / 1e9:.3g} GB"
