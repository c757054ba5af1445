"""What a predictor reads: one network before training, and the data of one phase. What several predictors share is computed
when first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pntk.kernels.multitask import entk, ntk_diagonal
from pntk.network import Networks
from pntk.predictors.jacobian import Jacobian, jacobian
from pntk.tasks import Environment, Ids, encode

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One network at t = 0 with a phase's patterns. Repeated training patterns are merged and weigh by their counts, so every
    kernel here has the nonzero spectrum of the kernel on the patterns as drawn.

    Attributes:
        networks: a block of one, float64.
        train: ids of the training patterns as drawn, repeats included.
        unseen: ids of all legal patterns that are never trained on.
    """

    networks: Networks
    environment: Environment
    train: Ids
    unseen: Ids

    @cached_property
    def counts(self) -> Tensor:
        """(M,) how often each distinct training pattern occurs."""
        return self._tensor(np.unique(self.train, return_counts=True)[1])

    @cached_property
    def root(self) -> Tensor:
        """(M,) roots of the counts: the weights of patterns on each side of a kernel."""
        return self.counts.sqrt()

    @cached_property
    def train_inputs(self) -> Tensor:
        """(M, X) distinct training patterns."""
        return self._tensor(encode(self.environment, np.unique(self.train))[0])

    @cached_property
    def train_targets(self) -> Tensor:
        """(M, R)."""
        return self._tensor(encode(self.environment, np.unique(self.train))[1])

    @cached_property
    def unseen_inputs(self) -> Tensor:
        """(U, X)."""
        return self._tensor(encode(self.environment, self.unseen)[0])

    @cached_property
    def unseen_targets(self) -> Tensor:
        """(U, R)."""
        return self._tensor(encode(self.environment, self.unseen)[1])

    def _tensor(self, values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.asarray(values, dtype=np.float64)).to(self.networks.W1)

    @cached_property
    def at_train(self) -> Jacobian:
        """The network before training, at the training patterns."""
        return jacobian(self.networks, self.train_inputs)

    @cached_property
    def at_unseen(self) -> Jacobian:
        """The same at the unseen ones."""
        return jacobian(self.networks, self.unseen_inputs)

    @cached_property
    def sensitivity(self) -> Tensor:
        """(M, R) gradient of the summed squared error with respect to the outputs, each pattern as often as it occurs."""
        return 2 * self.counts[:, None] * (self.at_train.outputs - self.train_targets)

    @cached_property
    def ntk(self) -> Tensor:
        """(R, M, M) unweighted NTK of each output on the training patterns, weighted by roots of their counts."""
        kernel = ntk_diagonal(self.networks, self.train_inputs, self.train_inputs)[0].transpose(0, 1)
        return kernel * self.root[:, None] * self.root

    @cached_property
    def summed_ntk(self) -> Array:
        """(M, M) NTK summed over outputs: the one kernel of the whole network."""
        return self.ntk.sum(dim=0).cpu().numpy()

    @cached_property
    def ntk_eigenvalues(self) -> Array:
        """(M,) of the summed NTK, largest first; none negative."""
        return np.linalg.eigvalsh(self.summed_ntk)[::-1].clip(min=0)

    @cached_property
    def entk(self) -> Tensor:
        """(R, M, M) train x train eNTK of each output, weighted by roots of counts on both sides."""
        kernel = entk(self.networks, self.train_inputs, self.train_inputs, self.train_targets)[0].transpose(0, 1)
        return kernel * self.root[:, None] * self.root

    @cached_property
    def entk_singular_values(self) -> Array:
        """(R, M) singular values of the eNTK of each output, largest first."""
        return torch.linalg.svdvals(self.entk).cpu().numpy()
