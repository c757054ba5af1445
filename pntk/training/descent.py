"""Gradient descent on a block of networks with closed-form gradients.

The loss is the squared error summed over patterns and outputs; with d = 2 (y - target) y (1 - y) and
g = (V1 d) h (1 - h) the gradients are V1: h d, V2: x_task d, W1: x_stimulus g, W2: x_task g.

Memory layout decides the speed of networks this small. Units lie in rows and samples in columns, the frozen bias is the
weight of a constant row of ones (no pass of its own), every buffer is reused, and on the CPU one network is trained to
the end of the phase before the next begins, so that its buffers stay in cache. That also makes a network's result on
the CPU independent, bit for bit, of the block it is packed in. On other devices the whole block advances together as
batched matrix products; this path is tested on the CPU and has not been run on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pntk.data import PatternBlock
from pntk.network import Networks, forward, stack
from pntk.training.recorder import Curves, recorded_steps

Progress = Callable[[int], None]

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input


def mean_loss(networks: Networks, data: PatternBlock) -> Tensor:
    """(B,) squared error averaged over patterns (each as often as it occurs) and outputs."""
    squared = (forward(networks, data.inputs)[1] - data.targets).square().sum(dim=2)
    return (squared * data.counts).sum(dim=1) / (data.counts.sum(dim=1) * data.targets.shape[2])


class _Descent:
    """Weights and buffers of one tile of networks, units in rows (hidden x patterns), advanced in place."""

    def __init__(self, networks: Networks, width: int, learning_rate: float) -> None:
        like = networks.W1
        count, self.stimuli, self.hidden = like.shape
        self.inputs_wide = self.stimuli + networks.W2.shape[1]
        responses = networks.V1.shape[2]
        self.learning_rate = learning_rate
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
        self.outputs = like.new_zeros(count, responses, width)
        self.gradient = like.new_zeros(count, self.hidden, width)

    def load(self, inputs: Tensor, targets: Tensor, weighting: Tensor) -> None:
        """Take patterns (B, N, ...) and the weight (B, N) of each in the loss."""
        self.inputs[:, :-1] = inputs.transpose(1, 2)
        self.inputs[:, -1] = 1
        self.targets.copy_(targets.transpose(1, 2))
        self.weighting[:, 0] = 2 * weighting
        self.state[:, self.hidden :] = self.inputs[:, self.stimuli :]

    def steps(self, count: int) -> None:
        hidden = self.state[:, : self.hidden]
        first, second = self.first.transpose(1, 2), self.second
        first_trained, second_trained = self.first[:, :-1], self.second[:, :, :-1]
        back = self.second[:, :, : self.hidden].transpose(1, 2)
        errors, gradient = self.outputs, self.gradient
        inputs_rows = self.inputs[:, :-1]
        state_columns = self.state[:, :-1].transpose(1, 2)
        for _ in range(count):
            torch.bmm(first, self.inputs, out=hidden)
            torch.sigmoid(hidden, out=hidden)
            outputs = torch.sigmoid(torch.bmm(second, self.state))
            torch.sub(outputs, self.targets, out=errors)
            errors.mul_(self.weighting)
            _sigmoid_backward(errors, outputs, grad_input=errors)
            torch.bmm(back, errors, out=gradient)
            _sigmoid_backward(gradient, hidden, grad_input=gradient)
            second_trained.baddbmm_(errors, state_columns, alpha=-self.learning_rate)
            first_trained.baddbmm_(inputs_rows, gradient.transpose(1, 2), alpha=-self.learning_rate)

    def networks(self) -> Networks:
        second = self.second.transpose(1, 2)
        return replace(
            self.like,
            W1=self.first[:, : self.stimuli].clone(),
            W2=self.first[:, self.stimuli : -1].clone(),
            V1=second[:, : self.hidden].clone(),
            V2=second[:, self.hidden : -1].clone(),
        )


def _batches(counts: Tensor, batch_size: int, generators: Sequence[np.random.Generator]) -> Callable[[], Tensor]:
    """Mini-batches of row numbers (B, batch_size): every network walks through a new shuffle of its patterns per epoch."""
    rows = [np.repeat(np.arange(len(c)), c.astype(int)) for c in counts.cpu().numpy()]
    left: list[np.ndarray] = [np.empty(0, dtype=int) for _ in rows]

    def draw() -> Tensor:
        batch = []
        for i, generator in enumerate(generators):
            while len(left[i]) < batch_size:
                left[i] = np.concatenate([left[i], generator.permutation(rows[i])])
            batch.append(left[i][:batch_size])
            left[i] = left[i][batch_size:]
        return torch.from_numpy(np.stack(batch)).to(counts.device)

    return draw


def descend(
    networks: Networks,
    train: PatternBlock,
    test: PatternBlock,
    steps: int,
    learning_rate: float,
    batch_size: int | None = None,
    generators: Sequence[np.random.Generator] = (),
    records: int = 40,
    progress: Progress | None = None,
    together: bool | None = None,
) -> tuple[Networks, Curves]:
    """Train every network of a block by gradient descent on the summed squared error.

    Args:
        networks: B networks; dtype and device decide where and how precisely the work is done.
        train: training patterns of each network.
        test: test patterns of each network, only measured.
        steps: gradient steps.
        learning_rate: per step, on the gradient of the error summed over patterns and outputs.
        batch_size: patterns per step; None takes all. A mini-batch's gradient is scaled up to the whole set, so the
            learning rate keeps its meaning.
        generators: for mini-batches, one random stream per network.
        records: about how many log-spaced steps to record.
        progress: called with the number of network-steps done since the last call.
        together: advance the whole block at once; by default off the CPU only, see the module's text.

    Returns:
        the trained networks and their curves. A network that diverges keeps its values and disturbs no other.

    Raises:
        ValueError: a mini-batch without one stream per network.
    """
    if batch_size is not None and len(generators) != len(networks):
        raise ValueError(f"mini-batches need one random stream per network: {len(generators)} for {len(networks)} networks")
    if together is None:
        together = networks.W1.device.type != "cpu"
    if not together and len(networks) > 1:
        alone = [
            descend(networks.network(i), train.network(i), test.network(i), steps, learning_rate, batch_size,
                    generators[i : i + 1], records, progress)
            for i in range(len(networks))
        ]  # fmt: skip
        curves = [c for _, c in alone]
        joined = Curves(curves[0].steps, np.concatenate([c.train for c in curves]), np.concatenate([c.test for c in curves]))
        return stack([n for n, _ in alone]), joined
    at = recorded_steps(steps, records)
    train_losses, test_losses = [], []
    if len(networks) == 1:  # A block's padding is not part of a network: cut to its own patterns.
        train, test = _own(train), _own(test)
    descent = _Descent(networks, batch_size or train.inputs.shape[1], learning_rate)
    if batch_size is None:
        descent.load(train.inputs, train.targets, train.counts)
    else:
        draw = _batches(train.counts, batch_size, generators)
        share = (train.counts.sum(dim=1, keepdim=True) / batch_size).expand(-1, batch_size)
    done = 0
    for step in at:
        if batch_size is None:
            descent.steps(step - done)
        else:
            for _ in range(step - done):
                rows = draw()[:, :, None]
                inputs = train.inputs.gather(1, rows.expand(-1, -1, train.inputs.shape[2]))
                targets = train.targets.gather(1, rows.expand(-1, -1, train.targets.shape[2]))
                descent.load(inputs, targets, share)
                descent.steps(1)
        now = descent.networks()
        train_losses.append(mean_loss(now, train).double().cpu().numpy())
        test_losses.append(mean_loss(now, test).double().cpu().numpy())
        if progress is not None:
            progress((step - done) * len(networks))
        done = step
    return descent.networks(), Curves(np.array(at), np.stack(train_losses, axis=1), np.stack(test_losses, axis=1))


def _own(data: PatternBlock, multiple: int = 8) -> PatternBlock:
    """One network's data without the padding that came from longer neighbours in its block."""
    length = -(-int((data.counts[0] > 0).sum()) // multiple) * multiple
    return PatternBlock(data.inputs[:, :length], data.targets[:, :length], data.counts[:, :length])
