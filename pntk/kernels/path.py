"""Path-integrated eNTK of the multitask network: what every training pattern did to every output, summed over training.

One step is theta' = theta - lr sum_m g_m, with g_m the loss gradient of training pattern m at theta. Its effect on output
o of test pattern n is split among the training patterns by the Jacobian J_no averaged over the segment from theta to theta':

    P[n,o,m] -= lr (sum_q w_q J_no(theta_q)) . g_m,   theta_q = theta + s_q (theta' - theta)

Only the test side moves: training used the gradient at the start. Exact averages make P complete, which is what the
source study's PNTK (appendix A.3) promises and its Euler sum misses: sum_m P[n,o,m] = y_no(end) - y_no(start).

In closed form, with h, d = h (1 - h) and s = y (1 - y) of test patterns at the nodes, and h, delta = s eps and
b = d * (delta V1') of training patterns at theta (as in `pntk.kernels.multitask`):

    P[n,o,m] -= lr { (sum_q w_q s_no [h, x2]_n) . (delta_mo [h, x2]_m) + (x_n . x_m) (sum_q w_q s_no V1_jo d_nj) . b_mj }

so the nodes are averaged before the only large products, and further nodes cost hardly more than forward passes. The
inputs' product does not change over training, so both sums are accumulated inside matrix products, in place.

Thinning (`thin` = s) gives s successive steps one set of nodes, on the chord from the first to the last. The training side
still sums every step's gradient, so P stays complete at any s; what is lost, to second order in the length of the chord, is
how the change is split among patterns whose gradients vary along it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pntk.data import PatternBlock
from pntk.kernels.quadrature import ADAPTIVE, NodeChoice, Rule
from pntk.network import Networks, forward
from pntk.training.workspace import Workspace

# The outputs' way is longer than the distance they get, so a step may use only this share of the tolerance.
STEP_SHARE = 0.1
ROUNDING = 16


@dataclass(frozen=True)
class PathKernel:
    """A path-integrated eNTK, with what it has to sum to.

    Attributes:
        kernel: P (B, N, R, M), the change of output o at test pattern n that is due to training pattern m with all its
            copies: a pattern that occurs c times in training has c equal shares in its column.
        change: (B, N, R) outputs at the end of the path minus outputs at its start, by forward passes.
        nodes: how many segments used how many nodes.
    """

    kernel: Tensor
    change: Tensor
    nodes: dict[int, int]

    @property
    def completeness_error(self) -> Tensor:
        """(B,) norm of (sum of P over training patterns - change), relative to the norm of the change."""
        missing = (self.kernel.sum(dim=-1) - self.change).flatten(1)
        return missing.norm(dim=1) / self.change.flatten(1).norm(dim=1)


@dataclass(frozen=True)
class _Node:
    weight: float
    second: Tensor  # (B, R, H + T + 1) output weights at the node
    state: Tensor  # (B, H + T + 1, N) hidden activity, task inputs and ones
    outputs: Tensor  # (B, R, N)


class PathIntegral:
    """Trains B networks by full-batch gradient descent and accumulates P along the way.

    Memory is two arrays of N x R x M numbers per network, whatever the number of steps.

    Args:
        networks: where the path starts; float64 unless rounding does not matter.
        test_inputs: (B, N, S + T), or (N, S + T) shared by the block.
        train: distinct training patterns with their counts.
        rule: a name from `pntk.kernels.quadrature`.
        tolerance: of the adaptive rule, on the completeness error of the whole path.
        thin: steps that share one set of nodes.

    Raises:
        ValueError: unknown rule, or a tolerance or thinning that makes no sense.
    """

    def __init__(
        self,
        networks: Networks,
        test_inputs: Tensor,
        train: PatternBlock,
        rule: str = ADAPTIVE,
        tolerance: float = 1e-10,
        thin: int = 1,
    ) -> None:
        check(tolerance, thin)
        self.choice, self.tolerance, self.thin = NodeChoice(rule), tolerance, thin
        self.work = Workspace(networks, train.inputs.shape[1])
        self.work.load(train.inputs, train.targets, train.counts)
        test = test_inputs.to(networks.W1).expand(len(networks), *test_inputs.shape[-2:])
        self.inputs = torch.cat([test, torch.ones_like(test[..., :1])], dim=2).mT.contiguous()  # (B, S + T + 1, N)
        self.products = test @ train.inputs.mT  # x_n . x_m
        self.test = test
        self.start = forward(networks, test)[1]
        self.now = self.start.mT
        count, patterns, tests = len(networks), train.inputs.shape[1], test.shape[1]
        responses, hidden = self.work.errors.shape[1], self.work.hidden
        wide = self.work.state.shape[1] - 1
        new = networks.W1.new_zeros
        self.readout = new(count * responses, tests, patterns)
        self.reading = new(count, responses * tests, patterns)
        self.readout_columns = new(count, responses, wide, patterns)
        self.reading_columns = new(count, hidden, patterns)
        self.readout_rows = new(count, responses, wide, tests)
        self.reading_rows = new(count, hidden, responses, tests)

    def advance(self, steps: int, learning_rate: float) -> None:
        """Take gradient steps and add what they did to P."""
        work = self.work
        for first in range(0, steps, self.thin):
            before = work.first.clone(), work.second.clone()
            self.readout_columns.zero_()
            self.reading_columns.zero_()
            for _ in range(min(self.thin, steps - first)):
                work.step(learning_rate)  # its buffers still hold the gradient's factors at the start of the step
                errors, state = work.errors[:, :, None], work.state[:, None, :-1]
                self.readout_columns.addcmul_(errors, state, value=-learning_rate)
                self.reading_columns.add_(work.gradient, alpha=-learning_rate)
            self._add(*before)

    def result(self) -> PathKernel:
        """P and what it must sum to, so far."""
        count, tests, responses = self.start.shape
        reading = self.reading.view(count, responses, tests, -1) * self.products[:, None]
        kernel = reading.add_(self.readout.view_as(reading)).transpose(1, 2)
        return PathKernel(kernel, forward(self.networks(), self.test)[1] - self.start, dict(self.choice.used))

    def networks(self) -> Networks:
        """The networks as trained so far."""
        return self.work.networks()

    def _forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.sigmoid(first.mT @ self.inputs)
        state = torch.cat([hidden, self.inputs[:, self.work.stimuli :]], dim=1)
        return state, torch.sigmoid(second @ state)

    def _add(self, first: Tensor, second: Tensor) -> None:
        """Add the segment from the weights (first, second) to where training is now."""
        moved = self.work.first - first, self.work.second - second
        end = self._forward(self.work.first, self.work.second)[1]
        change = end - self.now
        allowed = self.tolerance * STEP_SHARE * _norms(change)
        allowed += ROUNDING * torch.finfo(change.dtype).eps * _norms(end)

        def evaluate(rule: Rule) -> tuple[float, list[_Node]]:
            nodes, speed = [], torch.zeros_like(change)
            for s, weight in zip(rule.nodes, rule.weights, strict=True):
                there = second + s * moved[1]
                node = _Node(weight, there, *self._forward(first + s * moved[0], there))
                speed.add_(self._speed(node, *moved), alpha=weight)
                nodes.append(node)
            return worst(_norms(speed - change) / allowed), nodes

        self._accumulate(self.choice.settle(evaluate))
        self.now = end

    def _speed(self, node: _Node, first: Tensor, second: Tensor) -> Tensor:
        """Derivative of the outputs at a node in a direction (first, second), (B, R, N)."""
        hidden = node.state[:, : self.work.hidden]
        moving = (first.mT @ self.inputs) * hidden * (1 - hidden)
        return (node.second[:, :, : self.work.hidden] @ moving + second @ node.state) * node.outputs * (1 - node.outputs)

    def _accumulate(self, nodes: list[_Node]) -> None:
        units = self.work.hidden
        self.readout_rows.zero_()
        self.reading_rows.zero_()
        for node in nodes:
            slope = node.outputs * (1 - node.outputs) * node.weight
            hidden = node.state[:, :units]
            through = (hidden * (1 - hidden))[:, :, None] * node.second[:, :, :units].mT[..., None]  # (B, H, R, N)
            self.readout_rows.addcmul_(slope[:, :, None], node.state[:, None, :-1])
            self.reading_rows.addcmul_(through, slope[:, None])
        self.readout.baddbmm_(self.readout_rows.flatten(0, 1).mT, self.readout_columns.flatten(0, 1))
        self.reading.baddbmm_(self.reading_rows.flatten(2).mT, self.reading_columns)


def path_kernel(
    networks: Networks,
    test_inputs: Tensor,
    train: PatternBlock,
    steps: int,
    learning_rate: float,
    rule: str = ADAPTIVE,
    tolerance: float = 1e-10,
    thin: int = 1,
    progress: Callable[[int], None] | None = None,
) -> tuple[Networks, PathKernel]:
    """Train by full-batch gradient descent and return the trained networks with their path-integrated eNTK.

    Args: as of `PathIntegral`; `learning_rate` multiplies the gradient of the summed squared error. `progress` is called
        with the number of steps done since the last call.

    Raises:
        ValueError: unknown rule, or a tolerance or thinning that makes no sense.
    """
    integral = PathIntegral(networks, test_inputs, train, rule, tolerance, thin)
    chunk = max(100 // thin, 1) * thin
    for first in range(0, steps, chunk):
        integral.advance(min(chunk, steps - first), learning_rate)
        if progress is not None:
            progress(min(chunk, steps - first))
    return integral.networks(), integral.result()


def check(tolerance: float, thin: int) -> None:
    """Raises ValueError unless the tolerance is positive and at least one step shares a set of nodes."""
    if not tolerance > 0:
        raise ValueError(f"tolerance = {tolerance:g}: must be positive")
    if thin < 1:
        raise ValueError(f"thin = {thin}: must be at least 1")


def worst(excess: Tensor) -> float:
    """The largest finite entry; 0 if there is none. Diverged networks must not decide for the others."""
    finite = excess[excess.isfinite()]
    return float(finite.max()) if len(finite) else 0.0


def _norms(values: Tensor) -> Tensor:
    return values.flatten(1).norm(dim=1)
