"""Controls that know the data and nothing of the network: what they predict, no property of the weights is needed for."""

from __future__ import annotations

import torch
from torch import Tensor

from pntk.predictors.case import Case

RIDGE = 1e-3


def distinct_patterns(case: Case) -> float:
    """How many different patterns the training draw holds."""
    return float(len(case.counts))


def coverage(case: Case) -> float:
    """Mean over unseen patterns and their tasks of 1 / (1 + n), n the training patterns that ask for the same task with
    the same feature: near 0 where every task has been seen with every feature."""
    train, unseen = (_associations(case, inputs) for inputs in (case.train_inputs, case.unseen_inputs))
    seen = (train * case.counts[:, None]).sum(dim=0)
    return float((unseen / (1 + seen)).sum() / unseen.sum()) if len(case.unseen) else float("nan")


def _associations(case: Case, inputs: Tensor) -> Tensor:
    """(N, T * m): 1 for each pair of an active task and the active feature of the stimulus pool that it reads."""
    e = case.environment
    stimuli, tasks = inputs[:, : e.stimulus_width], inputs[:, e.stimulus_width :]
    pools = stimuli.unflatten(1, (e.stimulus_pools, e.features)).repeat_interleave(e.response_pools, dim=1)
    return (pools * tasks[:, :, None]).flatten(1)


def input_regression(case: Case) -> float:
    """Mean squared error on the unseen patterns of kernel ridge regression with the inputs' Gram matrix squared entry by entry,
    which holds every product of a task and a feature; ridge RIDGE relative to the mean diagonal."""
    if not len(case.unseen):
        return float("nan")
    kernel = (case.train_inputs @ case.train_inputs.mT).square()
    ridge = RIDGE * (kernel.diagonal() * case.counts).sum() / case.counts.sum()
    weights = torch.linalg.solve(kernel + torch.diag(ridge / case.counts), case.train_targets)
    predicted = (case.unseen_inputs @ case.train_inputs.mT).square() @ weights
    return float((predicted - case.unseen_targets).square().mean())
