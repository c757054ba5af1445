"""Which training patterns, tasks and input features moved which outputs: sums of a path-integrated kernel over groups.

Groups are those of the source study: training patterns that share an active input feature, or a task. Every pattern has one
active feature in each stimulus pool, so the features of ONE pool split the whole training set; a pattern with several tasks
counts in equal shares for each. Group sums of either kind therefore add up to the change of the outputs, like P itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pntk.tasks import Environment

RELATIONS = ("same task", "same stimulus pool", "same response pool", "no pool in common")


@dataclass(frozen=True)
class Attribution:
    """How far outputs moved on average over test patterns, by groups of training patterns.

    R outputs, M training patterns, F features, T tasks, K relations. An output that no test pattern weighs has NaN.

    Attributes:
        by_pattern: (R, M) adds up over patterns to the mean change of each output.
        by_feature: (R, F) adds up to the same over the features of each pool.
        by_task: (R, T) adds up to the same over tasks.
        by_tasks: (T, T) test task by training task, averaged over outputs too.
        by_relation: (K,) the last by what the pools of both tasks share (see RELATIONS), summed over training tasks and
            averaged over test tasks.
    """

    by_pattern: Tensor
    by_feature: Tensor
    by_task: Tensor
    by_tasks: Tensor
    by_relation: Tensor


def feature_shares(environment: Environment, inputs: Tensor) -> Tensor:
    """(N, stimulus_width) 1 where the feature is active."""
    return inputs[:, : environment.stimulus_width]


def task_shares(environment: Environment, inputs: Tensor) -> Tensor:
    """(N, tasks) equal shares of a pattern's tasks, rows summing to 1."""
    tasks = inputs[:, environment.stimulus_width :]
    return tasks / tasks.sum(dim=1, keepdim=True)


def relations(environment: Environment) -> Tensor:
    """(tasks, tasks) the place in RELATIONS of each pair of tasks."""
    tasks = torch.arange(environment.tasks)
    stimulus, response = tasks // environment.response_pools, tasks % environment.response_pools
    same_stimulus, same_response = stimulus[:, None] == stimulus, response[:, None] == response
    return torch.where(same_stimulus, torch.where(same_response, 0, 1), torch.where(same_response, 2, 3))


def attribute(
    environment: Environment, kernel: Tensor, test_inputs: Tensor, weights: Tensor, train_inputs: Tensor
) -> Attribution:
    """Group the path-integrated kernel of one network.

    Args:
        kernel: (N, R, M) of `pntk.kernels.path`.
        test_inputs: (N, S + T) the patterns of its rows.
        weights: (N, R) of each test pattern and output in the averages. Targets times counts ask what moved the outputs
            that should be on, (1 - targets) times counts what moved those that should be off.
        train_inputs: (M, S + T) the patterns of its columns, whose counts are in the kernel.
    """
    by_pattern = torch.einsum("no,nom->om", weights, kernel) / weights.sum(dim=0)[:, None]
    train_tasks, test_tasks = task_shares(environment, train_inputs), task_shares(environment, test_inputs)
    moved = torch.einsum("no,nom->nm", weights, kernel) @ train_tasks
    by_tasks = (test_tasks.T @ moved) / (test_tasks.T @ weights.sum(dim=1))[:, None]
    kinds = relations(environment).to(kernel.device)
    by_relation = torch.stack([by_tasks.where(kinds == k, 0).sum(dim=1).nanmean() for k in range(len(RELATIONS))])
    by_feature = by_pattern @ feature_shares(environment, train_inputs)
    return Attribution(by_pattern, by_feature, by_pattern @ train_tasks, by_tasks, by_relation)
