"""One gradient step seen by the kernel: what each training point pushes where, and what the step truly does.

With the mean squared error L of M points, loss sensitivity eps_m = dL/dy(x_m) = 2 (y(x_m) - target_m) / M and tangent
kernel K(x, x') = <dy(x)/d theta, dy(x')/d theta>, one step of gradient descent with rate lr changes the output by

    y(x; theta - lr dL/d theta) - y(x; theta) = sum_m -lr K(x, x_m) eps_m + O(lr^2)

(source study, eqs. 5 and 6 and figure 1). K(., x_m) is the influence function of point m, its term of the sum the weighted
influence. A ReLU network is not smooth: where a unit switches during the step the error is first order in lr, but such
points fill a share of the inputs that is itself proportional to lr, so that at any fixed input it is second order in the end.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pntk.kernels.autodiff import ntk


@dataclass(frozen=True)
class OneStep:
    """One gradient step of a network with one output, at N inputs, from M training points.

    Attributes:
        before: (N,) outputs before the step.
        influence: (N, M) influence functions K(x_n, x_m).
        weighted: (N, M) weighted influences -lr K(x_n, x_m) eps_m, in units of the output.
        actual: (N,) the true change of the outputs.
        switched: (N,) inputs at which a ReLU is on before and off after the step, or the other way round.
    """

    before: Tensor
    influence: Tensor
    weighted: Tensor
    actual: Tensor
    switched: Tensor

    @property
    def predicted(self) -> Tensor:
        """(N,) the predicted change: the sum of the weighted influences."""
        return self.weighted.sum(dim=1)

    @property
    def error(self) -> Tensor:
        """(N,) distance of the predicted change from the true one."""
        return (self.actual - self.predicted).abs()


def relu_network(seed: int, hidden: int = 100) -> nn.Sequential:
    """The source study's 1-hidden-1 ReLU network in float64, torch's default initialisation.

    Drawn with torch's own generator in float32, as the authors' script does, so that its seed 9 means its weights here too.
    The global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, 1)).double()


def step_data(points: int = 6) -> tuple[Tensor, Tensor]:
    """Inputs evenly spaced on [-1, 1] and their targets, 0 up to x = 0 and 1 beyond it (authors' script), each (points, 1)."""
    inputs = torch.linspace(-1, 1, points, dtype=torch.float64)[:, None]
    return inputs, (inputs > 0).double()


def descended(module: nn.Module, inputs: Tensor, targets: Tensor, learning_rate: float, steps: int = 1) -> nn.Module:
    """A copy of the module after full-batch gradient descent on the mean squared error."""
    moved = copy.deepcopy(module)
    optimiser = torch.optim.SGD(moved.parameters(), lr=learning_rate)
    for _ in range(steps):
        optimiser.zero_grad()
        (moved(inputs) - targets).square().mean().backward()
        optimiser.step()
    return moved


def one_step(module: nn.Module, inputs: Tensor, targets: Tensor, grid: Tensor, learning_rate: float) -> OneStep:
    """Predict one gradient step from the kernel at its start, and take it.

    Args:
        module: maps (N, ...) to (N, 1); left as it is.
        inputs: (M, ...) training inputs.
        targets: (M, 1).
        grid: (N, ...) inputs at which the change is looked at.
        learning_rate: on the gradient of the error averaged over the points.

    Raises:
        ValueError: the module has several outputs.
    """
    with torch.no_grad():
        at_points, before, on = module(inputs), module(grid), _switches(module, grid)
    if at_points.shape[1] != 1:
        raise ValueError(f"influence functions are drawn for one output, the module has {at_points.shape[1]}")
    influence = ntk(module, grid, inputs)[:, 0, :, 0]
    sensitivity = 2 * (at_points - targets)[:, 0] / len(inputs)
    moved = descended(module, inputs, targets, learning_rate)
    with torch.no_grad():
        actual, switched = moved(grid) - before, (_switches(moved, grid) != on).any(dim=1)
    return OneStep(before[:, 0], influence, -learning_rate * influence * sensitivity, actual[:, 0], switched)


def _switches(module: nn.Module, inputs: Tensor) -> Tensor:
    """Which ReLUs of a module are on at each input, (N, units); no columns without ReLUs."""
    on = [torch.zeros(len(inputs), 0, dtype=torch.bool)]
    hooks = [
        part.register_forward_pre_hook(lambda _, arriving: on.append((arriving[0] > 0).flatten(1)))
        for part in module.modules()
        if isinstance(part, nn.ReLU)
    ]
    module(inputs)
    for hook in hooks:
        hook.remove()
    return torch.cat(on, dim=1)


@dataclass(frozen=True)
class RateError:
    """How far the one-step prediction is off at one learning rate.

    Attributes:
        largest_change: the largest true change over the inputs.
        largest_error: the largest error, all inputs.
        smooth_error: the largest error where no ReLU switches; NaN where every input has one that does.
        switched: share of the inputs with a ReLU that switches.
    """

    learning_rate: float
    largest_change: float
    largest_error: float
    smooth_error: float
    switched: float

    @property
    def relative(self) -> float:
        """The largest error over the largest true change."""
        return self.largest_error / self.largest_change

    @property
    def smooth_relative(self) -> float:
        """The same where no ReLU switches."""
        return self.smooth_error / self.largest_change


def rate_errors(module: nn.Module, inputs: Tensor, targets: Tensor, grid: Tensor, rates: Sequence[float]) -> list[RateError]:
    """The error of the one-step prediction at each learning rate, from the same weights."""
    found = []
    for rate in rates:
        step = one_step(module, inputs, targets, grid, rate)
        smooth = step.error[~step.switched]
        found.append(
            RateError(
                rate,
                step.actual.abs().max().item(),
                step.error.max().item(),
                smooth.max().item() if len(smooth) else float("nan"),
                step.switched.double().mean().item(),
            )
        )
    return found


def slope(rates: Sequence[float], errors: Sequence[float]) -> float:
    """Least-squares slope of log error against log learning rate: 2 for an error of the change that is second order."""
    return float(np.polyfit(np.log(rates), np.log(errors), 1)[0])
