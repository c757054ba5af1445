"""Weights and buffers of networks in training, with closed-form gradients.

The loss is the squared error summed over patterns and outputs; with d = 2 (y - target) y (1 - y) and
g = (V1 d) h (1 - h) the gradients are V1: h d, V2: x_task d, W1: x_stimulus g, W2: x_task g.

Memory layout decides the speed of networks this small. Units lie in rows and samples in columns, the frozen bias is the
weight of a constant row of ones (no pass of its own), every buffer is reused, and on the CPU one network is trained to
the end of the phase before the next begins, so that its buffers stay in cache. That also makes a network's result on
the CPU independent, bit for bit, of the block it is packed in. On other devices the whole block advances together as
batched matrix products, which `tests/study/test_gpu.py` holds against the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from pntk.data import PatternBlock
from pntk.network import Networks, forward, stack
from pntk.training.graphs import as_cuda_graph, plainly, repeated
from pntk.training.recorder import Curves

Progress = Callable[[int], None]
Trained = tuple[Networks, Curves]

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input


def mean_loss(networks: Networks, data: PatternBlock) -> Tensor:
    """(B,) squared error averaged over patterns (each as often as it occurs) and outputs."""
    squared = (forward(networks, data.inputs)[1] - data.targets).square().sum(dim=2)
    return (squared * data.counts).sum(dim=1) / (data.counts.sum(dim=1) * data.targets.shape[2])


class Workspace:
    """Weights and buffers of one tile of networks, units in rows (hidden x patterns), advanced in place."""

    def __init__(self, networks: Networks, width: int) -> None:
        like = networks.W1
        count, self.stimuli, self.hidden = like.shape
        self.inputs_wide = self.stimuli + networks.W2.shape[1]
        responses = networks.V1.shape[2]
        self.like = networks
        bias = networks.bias
        self.first = torch.cat([networks.W1, networks.W2, like.new_full((count, 1, self.hidden), bias)], dim=1)
        second = torch.cat([networks.V1, networks.V2, like.new_full((count, 1, responses), bias)], dim=1)
        self.second = second.transpose(1, 2).contiguous()
        self.inputs = like.new_zeros(count, self.inputs_wide + 1, width)
        self.targets = like.new_zeros(count, responses, width)
        self.weighting = like.new_zeros(count, 1, width)
        # Rows of `state`: hidden units, then the task inputs and the ones that also feed the output layer.
        self.state = like.new_zeros(count, self.hidden + self.inputs_wide - self.stimuli + 1, width)
        self.errors = like.new_zeros(count, responses, width)
        self.gradient = like.new_zeros(count, self.hidden, width)
        self.outputs = like.new_zeros(count, responses, width)
        # Views that every step needs, made once: making them anew is a tenth of a step.
        self._activity = self.state[:, : self.hidden]
        self._read = self.first.transpose(1, 2)
        self._back = self.second[:, :, : self.hidden].transpose(1, 2)
        self._trained_first, self._trained_inputs = self.first[:, :-1], self.inputs[:, :-1]
        self._trained_second, self._trained_state = self.second[:, :, :-1], self.state[:, :-1].transpose(1, 2)
        self._gradient = self.gradient.transpose(1, 2)

    def load(self, inputs: Tensor, targets: Tensor, weighting: Tensor) -> None:
        """Take patterns (B, N, ...) and the weight (B, N) of each in the loss."""
        self.inputs[:, :-1] = inputs.transpose(1, 2)
        self.inputs[:, -1] = 1
        self.targets.copy_(targets.transpose(1, 2))
        self.weighting[:, 0] = 2 * weighting
        self.state[:, self.hidden :] = self.inputs[:, self.stimuli :]

    def backward(self) -> None:
        """Fill `errors` (d of every response unit) and `gradient` (g of every hidden unit) from the weights."""
        torch.bmm(self._read, self.inputs, out=self._activity)
        torch.sigmoid(self._activity, out=self._activity)
        torch.bmm(self.second, self.state, out=self.outputs)
        torch.sigmoid(self.outputs, out=self.outputs)
        torch.sub(self.outputs, self.targets, out=self.errors)
        self.errors.mul_(self.weighting)
        _sigmoid_backward(self.errors, self.outputs, grad_input=self.errors)
        torch.bmm(self._back, self.errors, out=self.gradient)
        _sigmoid_backward(self.gradient, self._activity, grad_input=self.gradient)

    def step(self, learning_rate: float) -> None:
        """One gradient step in place."""
        self.backward()
        self._trained_second.baddbmm_(self.errors, self._trained_state, alpha=-learning_rate)
        self._trained_first.baddbmm_(self._trained_inputs, self._gradient, alpha=-learning_rate)

    def steps(self, learning_rate: float) -> Callable[[int], None]:
        """A function that takes any number of gradient steps in place, from a recorded graph on CUDA."""
        recorder = as_cuda_graph if self.first.is_cuda else plainly
        return repeated(partial(self.step, learning_rate), (self.first, self.second), recorder)

    def pack(self) -> Tensor:
        """All trained weights as (B, P), a copy."""
        return torch.cat([self.first[:, :-1].flatten(1), self.second[:, :, :-1].flatten(1)], dim=1)

    def unpack(self, weights: Tensor) -> None:
        """Set the trained weights from (B, P)."""
        split = self.first[0, :-1].numel()
        self.first[:, :-1] = weights[:, :split].view_as(self.first[:, :-1])
        self.second[:, :, :-1] = weights[:, split:].view_as(self.second[:, :, :-1])

    def downhill(self, weights: Tensor) -> Tensor:
        """Minus the gradient of the loss at weights (B, P)."""
        self.unpack(weights)
        self.backward()
        first = torch.bmm(self._trained_inputs, self._gradient)
        second = torch.bmm(self.errors, self._trained_state)
        return -torch.cat([first.flatten(1), second.flatten(1)], dim=1)

    def networks(self) -> Networks:
        """A copy of the networks as they are now."""
        second = self.second.transpose(1, 2)
        return replace(
            self.like,
            W1=self.first[:, : self.stimuli].clone(),
            W2=self.first[:, self.stimuli : -1].clone(),
            V1=second[:, : self.hidden].clone(),
            V2=second[:, self.hidden : -1].clone(),
        )


def one_by_one(
    train_one: Callable[[int, Networks, PatternBlock, PatternBlock], Trained],
    networks: Networks,
    train: PatternBlock,
    test: PatternBlock,
) -> Trained:
    """Train every network of a block alone, on its own patterns, and join the results."""
    count = range(len(networks))
    trained = [train_one(i, networks.network(i), own(train.network(i)), own(test.network(i))) for i in count]
    curves = [c for _, c in trained]
    losses = (np.concatenate([getattr(c, name) for c in curves]) for name in ("train", "test"))
    return stack([n for n, _ in trained]), Curves(curves[0].steps, *losses)


def alone(networks: Networks, together: bool | None) -> bool:
    """Whether networks are trained one by one: on the CPU, unless told otherwise."""
    return networks.W1.device.type == "cpu" if together is None else not together


def own(data: PatternBlock, multiple: int = 8) -> PatternBlock:
    """One network's data without the padding that came from longer neighbours in its block."""
    length = -(-int((data.counts[0] > 0).sum()) // multiple) * multiple
    return PatternBlock(data.inputs[:, :length], data.targets[:, :length], data.counts[:, :length])
