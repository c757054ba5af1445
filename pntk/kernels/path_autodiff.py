"""Path-integrated eNTK of any `torch.nn.Module` under full-batch gradient descent, through torch.func.

The same quantity as `pntk.kernels.path` (which is many times faster for the multitask network): the training side stays at
the start of each step, the test side is averaged over the step. Parameters with requires_grad=False stay as they are; the
module must treat samples independently. Where its outputs are not smooth (ReLU) high orders do not pay and no tolerance is
met: name a rule such as gauss3 there, and read completeness_error.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import jvp

from pntk.kernels.autodiff import SampleLoss, SampleOutputs, flat, jacobian_at, sample_gradients, squared_error, trainable
from pntk.kernels.module_check import check_outputs, mapped
from pntk.kernels.path import ROUNDING, STEP_SHARE, PathKernel, check, worst
from pntk.kernels.quadrature import ADAPTIVE, NodeChoice, Rule

Parameters = dict[str, Tensor]


def path_kernel(
    module: nn.Module,
    test_inputs: Tensor,
    train_inputs: Tensor,
    train_targets: Tensor,
    steps: int,
    learning_rate: float,
    rule: str = ADAPTIVE,
    tolerance: float = 1e-10,
    thin: int = 1,
    counts: Tensor | None = None,
    loss: SampleLoss = squared_error,
    chunk: int = 64,
) -> tuple[Parameters, PathKernel]:
    """Train a copy of the module's parameters and attribute the change of its outputs to training samples.

    Args:
        module: maps (N, ...) to (N, ...), O outputs a sample; left as it is.
        train_targets: (M, ...) in whatever form the loss takes, class numbers (M,) too.
        steps: full-batch gradient steps on the loss SUMMED over samples.
        rule, tolerance, thin: as of `pntk.kernels.path.PathIntegral`.
        counts: (M,) how often each training sample occurs, its weight in the loss; once unless given.
        loss: loss of one sample (its outputs, its target).
        chunk: test points whose Jacobian is in memory at once (chunk x O x P numbers, beside M x P for the gradients).

    Returns:
        the trained parameters by name, and P as a block of one, (1, N, O, M).

    Raises:
        ValueError: no trainable parameter or no tangent kernel (`pntk.kernels.autodiff.trainable`), targets that the loss does
            not take, unknown rule, or a tolerance or thinning that makes no sense.
    """
    check(tolerance, thin)
    parameters, shaped = trainable(module, train_inputs)
    check_outputs(module, {**dict(module.named_buffers()), **dict(module.named_parameters())}, shaped, test_inputs)
    choice, output = NodeChoice(rule), flat(shaped)
    gradients = sample_gradients(parameters, shaped, loss, train_inputs, train_targets)

    def outputs(weights: Parameters, inputs: Tensor) -> Tensor:
        return mapped(output, weights, inputs)

    start = now = outputs(parameters, test_inputs)
    weighting = start.new_ones(len(train_inputs)) if counts is None else counts.to(start)
    kernel = start.new_zeros(*start.shape, len(train_inputs))
    for first in range(0, steps, thin):
        before, columns = parameters, start.new_zeros(len(train_inputs), 1)
        for _ in range(min(thin, steps - first)):
            step = gradients(parameters, weighting)
            parameters = {name: p - learning_rate * step[name].sum(dim=0) for name, p in parameters.items()}
            columns = columns - learning_rate * torch.cat([step[name].flatten(1) for name in parameters], dim=1)
        end = outputs(parameters, test_inputs)
        found = choice.settle(_evaluate(outputs, test_inputs, before, parameters, end - now, end, tolerance))
        for rows in torch.arange(len(test_inputs)).split(chunk):
            kernel[rows] += _mean_jacobian(output, found, before, parameters, test_inputs[rows]) @ columns.T
        now = end
    return parameters, PathKernel(kernel[None], (now - start)[None], dict(choice.used))


def _between(start: Parameters, end: Parameters, s: float) -> Parameters:
    return {name: start[name] + s * (end[name] - start[name]) for name in start}


def _evaluate(
    outputs: Callable[[Parameters, Tensor], Tensor],
    inputs: Tensor,
    before: Parameters,
    after: Parameters,
    change: Tensor,
    end: Tensor,
    tolerance: float,
) -> Callable[[Rule], tuple[float, Rule]]:
    """How far a rule's change of the outputs is from the true one, in multiples of what is allowed."""
    direction = {name: after[name] - before[name] for name in before}
    allowed = tolerance * STEP_SHARE * change.norm() + ROUNDING * torch.finfo(change.dtype).eps * end.norm()

    def evaluate(rule: Rule) -> tuple[float, Rule]:
        moved = torch.zeros_like(change)
        for s, weight in zip(rule.nodes, rule.weights, strict=True):
            point = _between(before, after, s)
            moved += weight * jvp(lambda weights: outputs(weights, inputs), (point,), (direction,))[1]
        return worst(((moved - change).norm() / allowed)[None]), rule

    return evaluate


def _mean_jacobian(output: SampleOutputs, rule: Rule, before: Parameters, after: Parameters, inputs: Tensor) -> Tensor:
    """Jacobian of the outputs averaged over the segment, (N, O, P)."""
    mean: Tensor | None = None
    for s, weight in zip(rule.nodes, rule.weights, strict=True):
        here = weight * jacobian_at(_between(before, after, s), output, inputs)
        mean = here if mean is None else mean + here
    assert mean is not None
    return mean
