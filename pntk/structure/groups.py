"""Groups of patterns: which patterns share a task, a relevant feature, both, or an output, and means over them.

By "input" the source study groups patterns by the feature that their task reads, not by every feature that is active
(its authors' script; every pattern has one active feature in each pool, and only one of them matters to a single task).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pntk.tasks import Environment

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

GROUPINGS = ("task", "input", "task_input", "output")


def memberships(environment: Environment, inputs: Array) -> dict[str, Labels]:
    """The group of every pattern in each grouping of the source study's figure 7.

    Args:
        inputs: (N, stimulus_width + tasks) one-hot patterns with a single task.

    Returns:
        (N,) labels for "task" (12 groups), "input" (the feature that the task reads: 12), "task_input" (task and feature:
        36) and "output" (the response unit that is asked for: 9).

    Raises:
        ValueError: a pattern with several tasks.
    """
    tasks = inputs[:, environment.stimulus_width :]
    if not (tasks.sum(axis=1) == 1).all():
        raise ValueError("groups are of single-task patterns: a pattern has no task, or several")
    task = tasks.argmax(axis=1)
    pool, response = np.divmod(task, environment.response_pools)
    stimuli = inputs[:, : environment.stimulus_width].reshape(len(inputs), environment.stimulus_pools, environment.features)
    position = stimuli[np.arange(len(inputs)), pool].argmax(axis=1)
    return {
        "task": task,
        "input": pool * environment.features + position,
        "task_input": task * environment.features + position,
        "output": response * environment.features + position,
    }


def group_count(environment: Environment, grouping: str) -> int:
    """How many groups a grouping of `memberships` has."""
    return {
        "task": environment.tasks,
        "input": environment.stimulus_width,
        "task_input": environment.tasks * environment.features,
        "output": environment.response_width,
    }[grouping]


def stated_groups(environment: Environment) -> dict[str, Labels]:
    """The groups of groups that the source study expects of hidden activity (its section 4.2.2 and figure 9).

    Inputs by their position within the pool (3 groups of 4), tasks by the stimulus pool that they read (4 groups of 3).
    The second is argued there, not computed: its figure 8 groups tasks by response pool, and hidden activity, which feeds
    all outputs, is taken to follow the stimulus pool instead.
    """
    return {
        "input": np.arange(environment.stimulus_width) % environment.features,
        "task": np.arange(environment.tasks) // environment.response_pools,
    }


def group_means(values: Array, labels: Labels, groups: int) -> Array:
    """Means over the patterns of each group: (..., N, F) values and (N,) labels to (..., groups, F).

    Raises:
        ValueError: a group without patterns.
    """
    counts = np.bincount(labels, minlength=groups)
    if len(counts) > groups or not counts.all():
        raise ValueError(
            f"labels must lie in 0 .. {groups - 1} and leave no group empty; patterns per group: {counts.tolist()}"
        )
    chosen = (labels == np.arange(groups)[:, None]) / counts[:, None]
    return np.asarray(chosen @ values)
