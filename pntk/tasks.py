"""The multitasking environment: stimulus pools, response pools, tasks, and draws of patterns (source study, section 3).

A pattern is a stimulus (one active feature in every stimulus pool) together with a legal set of tasks. Patterns are
named by integers, so that data sets can be compared, merged and excluded exactly; `encode` turns them into vectors.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from math import comb, factorial

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Environment:
    """Sizes of the environment. Task (i, j) copies the active feature of stimulus pool i to response pool j."""

    stimulus_pools: int = 4
    response_pools: int = 3
    features: int = 3

    @property
    def stimulus_width(self) -> int:
        return self.stimulus_pools * self.features

    @property
    def tasks(self) -> int:
        return self.stimulus_pools * self.response_pools

    @property
    def input_width(self) -> int:
        return self.stimulus_width + self.tasks

    @property
    def response_width(self) -> int:
        return self.response_pools * self.features

    @property
    def stimuli(self) -> int:
        return self.features**self.stimulus_pools

    @property
    def most_tasks(self) -> int:
        """The largest number of tasks that can be performed at once."""
        return min(self.stimulus_pools, self.response_pools)

    def pattern_count(self, simultaneous: int) -> int:
        """How many patterns have exactly this many simultaneous tasks (972, 2916 and 1944 by default)."""
        sets = comb(self.stimulus_pools, simultaneous) * comb(self.response_pools, simultaneous)
        return sets * factorial(simultaneous) * self.stimuli


@lru_cache(maxsize=64)
def task_sets(environment: Environment, simultaneous: int) -> Ids:
    """All legal sets of `simultaneous` tasks: no two share a stimulus pool or a response pool.

    Returns:
        (sets, simultaneous) task numbers; task (i, j) has the number i * response_pools + j.
    """
    sets = [
        sorted(i * environment.response_pools + j for i, j in zip(stimulus_pools, response_pools, strict=True))
        for stimulus_pools in itertools.combinations(range(environment.stimulus_pools), simultaneous)
        for response_pools in itertools.permutations(range(environment.response_pools), simultaneous)
    ]
    return np.array(sorted(sets), dtype=np.int64).reshape(-1, simultaneous)


def _first_id(environment: Environment, simultaneous: int) -> int:
    return sum(environment.pattern_count(fewer) for fewer in range(1, simultaneous))


def _probabilities(environment: Environment, task_counts: tuple[float, ...]) -> Array:
    weights = np.asarray(task_counts, dtype=np.float64)
    if weights.ndim != 1 or not len(weights) or (weights < 0).any() or not weights.sum() > 0:
        raise ValueError(f"task_counts must be non-negative relative frequencies with a positive sum, got {task_counts}")
    if (weights[environment.most_tasks :] > 0).any():
        raise ValueError(
            f"{np.flatnonzero(weights)[-1] + 1} simultaneous tasks need as many stimulus and response pools; "
            f"there are {environment.stimulus_pools} and {environment.response_pools}"
        )
    return weights / weights.sum()


def legal_patterns(environment: Environment, task_counts: tuple[float, ...]) -> Ids:
    """The ids of every pattern whose number of tasks has a positive probability, ascending.

    Args:
        task_counts: relative frequencies of 1, 2, 3, ... simultaneous tasks.

    Raises:
        ValueError: the frequencies are not valid, or ask for more tasks than there are pools.
    """
    ranges = []
    for simultaneous, probability in enumerate(_probabilities(environment, task_counts), start=1):
        if probability > 0:
            first = _first_id(environment, simultaneous)
            ranges.append(np.arange(first, first + environment.pattern_count(simultaneous), dtype=np.int64))
    return np.concatenate(ranges)


def draw_patterns(
    environment: Environment,
    task_counts: tuple[float, ...],
    size: int,
    generator: np.random.Generator,
    exclude: Ids | None = None,
) -> Ids:
    """Independent draws: first the number of tasks, then a legal set and a stimulus, all uniform.

    Args:
        task_counts: relative frequencies of 1, 2, 3, ... simultaneous tasks.
        exclude: ids that must not be drawn (for a test set disjoint from the training set).

    Returns:
        (size,) pattern ids, with repetitions.

    Raises:
        ValueError: the frequencies are not valid, or every pattern of a needed number of tasks is excluded.
    """
    probabilities = _probabilities(environment, task_counts)
    counts = generator.choice(len(probabilities), size=size, p=probabilities) + 1
    ids = np.empty(size, dtype=np.int64)
    for simultaneous in range(1, len(probabilities) + 1):
        wanted = counts == simultaneous
        if not wanted.any():
            continue
        allowed = _first_id(environment, simultaneous) + np.arange(environment.pattern_count(simultaneous))
        if exclude is not None:
            allowed = np.setdiff1d(allowed, exclude)
        if not len(allowed):
            raise ValueError(f"every pattern with {simultaneous} task(s) occurs in training: none is left for a disjoint test")
        ids[wanted] = allowed[generator.integers(len(allowed), size=int(wanted.sum()))]
    return ids


def encode(environment: Environment, ids: Ids) -> tuple[Array, Array]:
    """One-hot vectors of patterns.

    Returns:
        inputs (N, stimulus_width + tasks), stimulus units first, and targets (N, response_width).

    Raises:
        ValueError: an id names no pattern of this environment.
    """
    ids = np.asarray(ids, dtype=np.int64)
    last = _first_id(environment, environment.most_tasks + 1)
    if len(ids) and (ids.min() < 0 or ids.max() >= last):
        raise ValueError(f"pattern ids must lie in 0 .. {last - 1}")
    m = environment.features
    inputs = np.zeros((len(ids), environment.input_width))
    targets = np.zeros((len(ids), environment.response_width))
    for simultaneous in range(1, environment.most_tasks + 1):
        first = _first_id(environment, simultaneous)
        rows = np.flatnonzero((ids >= first) & (ids < first + environment.pattern_count(simultaneous)))
        sets, stimuli = np.divmod(ids[rows] - first, environment.stimuli)
        active = np.stack([stimuli // m**pool % m for pool in range(environment.stimulus_pools)], axis=1)
        for pool in range(environment.stimulus_pools):
            inputs[rows, pool * m + active[:, pool]] = 1
        for tasks in task_sets(environment, simultaneous)[sets].T:
            stimulus_pool, response_pool = np.divmod(tasks, environment.response_pools)
            inputs[rows, environment.stimulus_width + tasks] = 1
            targets[rows, response_pool * m + active[np.arange(len(rows)), stimulus_pool]] = 1
    return inputs, targets
