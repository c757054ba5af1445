"""Products with the Jacobian of the multitask network's outputs, without the Jacobian: one pass each.

With s the slope of the outputs, d that of the hidden units (notation of `pntk.kernels.multitask`), J has the rows
d y_o(x_n) / d theta. In logit space the last sigmoid is left away, so s is 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pntk.network import Networks, forward


@dataclass(frozen=True)
class Jacobian:
    """The Jacobian of one network at N patterns.

    Attributes:
        networks: a block of one.
        stimuli: (N, S). tasks: (N, T).
        hidden: (N, H). hidden_slope: (N, H).
        outputs: (N, R). slope: (N, R) of the outputs; ones in logit space.
    """

    networks: Networks
    stimuli: Tensor
    tasks: Tensor
    hidden: Tensor
    hidden_slope: Tensor
    outputs: Tensor
    slope: Tensor

    @property
    def of_logits(self) -> Jacobian:
        """The same of the outputs' logits."""
        return replace(self, slope=torch.ones_like(self.slope))

    def forward(self, direction: Networks) -> Tensor:
        """J theta, (N, R): the first-order change of the outputs where weights change by `direction`, a block of one."""
        arriving = self.stimuli @ direction.W1[0] + self.tasks @ direction.W2[0]
        logits = (arriving * self.hidden_slope) @ self.networks.V1[0]
        return self.slope * (logits + self.hidden @ direction.V1[0] + self.tasks @ direction.V2[0])

    def backward(self, weights: Tensor) -> Networks:
        """J' a for (N, R) numbers a, as a block of one: the gradient of sum(a y)."""
        arriving = self.slope * weights
        through = (arriving @ self.networks.V1[0].mT) * self.hidden_slope
        parts = self.stimuli.mT @ through, self.tasks.mT @ through, self.hidden.mT @ arriving, self.tasks.mT @ arriving
        w1, w2, v1, v2 = (part[None] for part in parts)
        return Networks(w1, w2, v1, v2, self.networks.bias)


def jacobian(networks: Networks, inputs: Tensor) -> Jacobian:
    """The Jacobian of a block of one network at (N, S + T) patterns."""
    hidden, outputs = (part[0] for part in forward(networks, inputs))
    split = networks.W1.shape[1]
    slopes = hidden * (1 - hidden), outputs, outputs * (1 - outputs)
    return Jacobian(networks, inputs[:, :split], inputs[:, split:], hidden, *slopes)
