"""How much memory a trial takes, estimated from its settings, so that a cell that cannot fit is refused before any work.

Upper estimates of the arrays that exist at once (see the modules named below), in bytes; `tests/study/test_memory.py`
holds them against real runs. What a worker takes before it has done anything is `WORKER`.
"""

from __future__ import annotations

import os
from typing import Any

from pntk.predictors.spectrum import MOST_PATTERNS
from study.linear_trial import recorded
from study.plan import Block, Cell, LinearCell, Plan
from study.sweep import SweepError

WORKER = 600e6  # a Ray worker with torch, scikit-learn and wandb imported
SHARE = 0.9  # of the machine's memory that trials may take together


def machine_memory() -> float:
    """Bytes of this machine, or of the container that we are in if that is less."""
    try:
        whole = float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return float("inf")  # unknown: nothing is refused
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as limit:  # noqa: PTH123
            return min(whole, float(limit.read().strip().replace("max", "inf")))
    except (OSError, ValueError):
        return whole


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
    return {
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
        "inputs": 8.0 * networks * (s.inputs**4 + 2 * steps * s.outputs * s.inputs**3),  # `per_example_grams`
        "examples": 8.0 * networks * s.examples * (s.inputs**2 + 4 * s.inputs + s.outputs),
        "record_every": 8.0 * networks * steps * (4 * weights + 40 * max(s.inputs, s.outputs) * s.inputs),
    }


def check_block(block: Block[Any], available: float, where: str, more: float = 0.0) -> None:
    """Refuse a block that cannot fit.

    Args:
        available: bytes that one trial may take. more: bytes that grow with the patterns, beside what training takes.

    Raises:
        SweepError: names the cell, what it needs, and the setting that takes most of it.
    """
    parts = parts_of(block)
    if more:
        parts["train_patterns"] += more
    needed = sum(parts.values()) + WORKER
    if needed > available:
        setting = max(parts, key=lambda name: parts[name])
        settings = block.cell.settings
        value = len(block.draws) if setting == "compute.block" else getattr(settings, setting)
        raise SweepError(
            f"cells.{block.cell.name}: a trial needs about {_size(needed)} of memory, {where}; most of it is for {setting} = "
            f"{value}: make that smaller"
        )


def check_alone(block: Block[Any], at_once: int = 1, more: float = 0.0) -> None:
    """Refuse a block, such as a single network that is trained or measured again, that cannot fit into this machine.

    Args:
        at_once: how many of its like. more: as for `check_block`.

    Raises:
        SweepError: names the cell.
    """
    available = SHARE * machine_memory() / at_once
    where = f"{_size(available)} are there" + (f" for each of {at_once} at once" if at_once > 1 else "")
    check_block(block, available, where, more)


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
