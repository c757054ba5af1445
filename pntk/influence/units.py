"""Hidden units that move under given errors, and stages of training. With x an input, w and v a unit's incoming and outgoing
weights, m its mass, b the bias, and d the derivative of the loss with respect to the logits a:

    h = sigmoid(x w + b)                                                                       (1)
    a = sum_units m h v + x_task V2 + b,    d = 2 n (y - target) y (1 - y),   y = sigmoid(a)   (2)
    v <- v - rate sum_x h d,    w <- w - rate sum_x x (d . v) h (1 - h),                       (3)
    V2 <- V2 - rate sum_x x_task d

n says how often a pattern occurs. A unit's step (3) knows of the other units through d alone, and its mass is not in it, so
units of mass 200 / H move as those of a network of 200 hidden units.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

sloped = torch.ops.aten.sigmoid_backward  # (gradient, hidden): gradient hidden (1 - hidden), in one pass


@dataclass(frozen=True)
class Units:
    """U hidden units: `incoming` (I, U) weights from stimuli and tasks, `outgoing` (U, R) weights to responses."""

    incoming: Tensor
    outgoing: Tensor

    def __len__(self) -> int:
        return self.incoming.shape[1]

    def part(self, which: slice | Tensor) -> Units:
        """Some of the units."""
        return Units(self.incoming[:, which], self.outgoing[which])

    def moved(self, incoming: Tensor, outgoing: Tensor) -> Units:
        """The units after a step."""
        return Units(self.incoming + incoming, self.outgoing + outgoing)


@dataclass(frozen=True)
class Patterns:
    """P patterns that responses are asked of.

    Attributes:
        inputs: (P, I), stimulus units first.
        stimuli: how many of the I inputs are stimulus units; the others are task units.
        targets: (P, R).
        counts: (P,) how often each pattern occurs.
    """

    inputs: Tensor
    stimuli: int
    targets: Tensor
    counts: Tensor

    @property
    def tasks(self) -> Tensor:
        """(P, T) task units."""
        return self.inputs[:, self.stimuli :]


@dataclass(frozen=True)
class Stage:
    """A stretch of full-batch gradient descent on the same patterns; `rates` (K,) is the learning rate of each step."""

    patterns: Patterns
    rates: tuple[float, ...]


def activity(units: Units, inputs: Tensor, bias: float) -> Tensor:
    """(P, U) equation (1)."""
    return torch.sigmoid(inputs @ units.incoming + bias)


def errors(logits: Tensor, patterns: Patterns) -> Tensor:
    """(P, R) derivative d of the summed squared error with respect to the logits, equation (2)."""
    y = torch.sigmoid(logits)
    return 2 * patterns.counts[:, None] * (y - patterns.targets) * y * (1 - y)


def slope_of_errors(logits: Tensor, patterns: Patterns) -> Tensor:
    """(P, R) derivative of d with respect to the logits."""
    y = torch.sigmoid(logits)
    slope = y * (1 - y)
    return 2 * patterns.counts[:, None] * slope * (slope + (y - patterns.targets) * (1 - 2 * y))


def mean_squared_error(logits: Tensor, patterns: Patterns) -> Tensor:
    """The loss as studies report it: averaged over patterns, each as often as it occurs, and outputs."""
    squared = (torch.sigmoid(logits) - patterns.targets).square().sum(dim=1)
    return (squared * patterns.counts).sum() / (patterns.counts.sum() * logits.shape[1])


def over_units(hidden: Tensor, weights: Tensor) -> Tensor:
    """hidden @ weights, (P, U) by (U, R). So few columns are several times faster the other way round."""
    return (weights.T @ hidden.T).T


def over_patterns(hidden: Tensor, weights: Tensor) -> Tensor:
    """hidden.T @ weights, (P, U) by (P, R), for the same reason."""
    return (weights.T @ hidden).T


def push(units: Units, hidden: Tensor, inputs: Tensor, impulse: Tensor) -> tuple[Tensor, Tensor]:
    """Changes of the incoming and outgoing weights by equation (3), for errors times learning rate `impulse` (P, R)."""
    gradient = sloped(impulse @ units.outgoing.T, hidden)
    return -(inputs.T @ gradient), -over_patterns(hidden, impulse)


def weighed(units: Units, hidden: Tensor, weights: Tensor) -> Tensor:
    """(U,) what each unit's part h v of the logits adds up to under weights (P, R) of patterns and responses."""
    return (over_patterns(hidden, weights) * units.outgoing).sum(dim=1)
