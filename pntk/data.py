"""Training and test data of a phase, and their tensors for a block of networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pntk.curriculum import Phase
from pntk.randomness import stream
from pntk.tasks import Environment, Ids, draw_patterns, encode, legal_patterns


@dataclass(frozen=True)
class PhaseData:
    """Pattern ids of one phase for one data seed: drawn training and test sets, and all that training never saw."""

    train: Ids
    test: Ids
    unseen: Ids


def draw_phase_data(
    environment: Environment,
    phase: Phase,
    data_seed: int,
    train_size: int,
    test_size: int,
    disjoint: bool = False,
    redraw: int = 0,
) -> PhaseData:
    """Draw the data of a phase from the streams "<phase>/train" and "<phase>/test" of the data seed.

    Args:
        redraw: 0 for the data of the study; other numbers give further, independent draws of the same kind.
        disjoint: test patterns never occur in training; otherwise both are drawn alike, as in the source study,
            and about 40 % of the single-task test patterns occur in training too.

    Raises:
        ValueError: illegal task counts, or nothing left to test on.
    """
    again = f"/redraw {redraw}" if redraw else ""
    train = draw_patterns(environment, phase.task_counts, train_size, stream(data_seed, f"{phase.name}/train{again}"))
    test_stream = stream(data_seed, f"{phase.name}/test{again}")
    test = draw_patterns(environment, phase.task_counts, test_size, test_stream, exclude=train if disjoint else None)
    return PhaseData(train, test, np.setdiff1d(legal_patterns(environment, phase.task_counts), train))


@dataclass(frozen=True)
class PatternBlock:
    """Distinct patterns of a block of networks, with how often each occurs.

    Attributes:
        inputs: (B, N, input_width).
        targets: (B, N, response_width).
        counts: (B, N) occurrences; 0 marks padding, which weighs nothing.
    """

    inputs: Tensor
    targets: Tensor
    counts: Tensor

    def network(self, index: int) -> PatternBlock:
        """The block of one network, (1, N, ...)."""
        return PatternBlock(*(t[index : index + 1] for t in (self.inputs, self.targets, self.counts)))


def pattern_block(
    environment: Environment,
    ids_of_networks: Sequence[Ids],
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
    multiple: int = 8,
) -> PatternBlock:
    """Merge repeated patterns and stack the networks' data.

    500 independent draws from 972 patterns hold about 391 distinct ones: weighting those by their counts leaves every
    sum over patterns as it is and saves a fifth of the work. Rows are padded to the longest network of the block,
    rounded up to `multiple`, which keeps vector units busy.
    """
    merged = [np.unique(ids, return_counts=True) for ids in ids_of_networks]
    length = -(-max(len(ids) for ids, _ in merged) // multiple) * multiple
    inputs = np.zeros((len(merged), length, environment.input_width))
    targets = np.zeros((len(merged), length, environment.response_width))
    counts = np.zeros((len(merged), length))
    for row, (ids, occurrences) in enumerate(merged):
        inputs[row, : len(ids)], targets[row, : len(ids)] = encode(environment, ids)
        counts[row, : len(ids)] = occurrences
    return PatternBlock(*(torch.tensor(a, dtype=dtype, device=device) for a in (inputs, targets, counts)))
