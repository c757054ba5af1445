"""The multitask network: a block of B networks with a leading network axis (source study, section 3).

    h = sigmoid(x_stimulus W1 + x_task W2 + bias),   y = sigmoid(h V1 + x_task V2 + bias)

The bias is one fixed number for every hidden and output unit; it is never trained and no part of any kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from pntk.randomness import stream
from pntk.tasks import Environment

Layers = Literal["hidden", "output", "both"]
WEIGHT_NAMES = ("W1", "W2", "V1", "V2")


@dataclass(frozen=True)
class Networks:
    """Weights of a block of B networks with S stimulus, T task, H hidden and R response units.

    Attributes:
        W1: (B, S, H) stimulus to hidden.
        W2: (B, T, H) task to hidden.
        V1: (B, H, R) hidden to response.
        V2: (B, T, R) task to response.
        bias: fixed input of every hidden and response unit.
    """

    W1: Tensor
    W2: Tensor
    V1: Tensor
    V2: Tensor
    bias: float = -2.0

    def __len__(self) -> int:
        return self.W1.shape[0]

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.W1, self.W2, self.V1, self.V2

    def map(self, function: Callable[[Tensor], Tensor]) -> Networks:
        """The same function of every weight tensor."""
        return Networks(function(self.W1), function(self.W2), function(self.V1), function(self.V2), self.bias)

    def to(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> Networks:
        return self.map(lambda weights: weights.to(dtype=dtype, device=device))

    def part(self, which: slice) -> Networks:
        """Some of the networks."""
        return self.map(lambda weights: weights[which])

    def network(self, index: int) -> Networks:
        """One network as a block of one."""
        return self.part(slice(index, index + 1))


def stack(blocks: Sequence[Networks]) -> Networks:
    """Join blocks along the network axis."""
    w1, w2, v1, v2 = (torch.cat(column) for column in zip(*(block.weights for block in blocks), strict=True))
    return Networks(w1, w2, v1, v2, blocks[0].bias)


def base_networks(
    environment: Environment, hidden: int, seeds: Sequence[int], half_width: float = 0.1, bias: float = -2.0
) -> Networks:
    """The base draw of each seed: every weight uniform on [-half_width, half_width], float64, before any scaling.

    Drawn from the seed's stream "base weights", so a seed has the same base draw in every cell.
    """
    shapes = (
        (environment.stimulus_width, hidden),
        (environment.tasks, hidden),
        (hidden, environment.response_width),
        (environment.tasks, environment.response_width),
    )
    draws: list[list[np.ndarray]] = [[] for _ in shapes]
    for seed in seeds:
        generator = stream(seed, "base weights")
        for weights, shape in zip(draws, shapes, strict=True):
            weights.append(generator.uniform(-half_width, half_width, shape))
    w1, w2, v1, v2 = (torch.from_numpy(np.stack(weights)) for weights in draws)
    return Networks(w1, w2, v1, v2, bias)


def scaled(networks: Networks, init_scale: float, layers: Layers) -> Networks:
    """Multiply the weights of the hidden layer (W1, W2), the output layer (V1, V2) or both.

    The source study's text scales the hidden layer; its authors' script scales both.
    """
    first = init_scale if layers in ("hidden", "both") else 1.0
    second = init_scale if layers in ("output", "both") else 1.0
    return replace(networks, W1=networks.W1 * first, W2=networks.W2 * first, V1=networks.V1 * second, V2=networks.V2 * second)


def forward(networks: Networks, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden activity (B, N, H) and outputs (B, N, R) for inputs (B, N, S + T), or (N, S + T) shared by the block."""
    inputs = inputs.expand(len(networks), *inputs.shape[-2:])
    tasks = inputs[..., networks.W1.shape[1] :]
    hidden = torch.sigmoid(inputs @ torch.cat([networks.W1, networks.W2], dim=1) + networks.bias)
    return hidden, torch.sigmoid(hidden @ networks.V1 + tasks @ networks.V2 + networks.bias)


class MultitaskModule(nn.Module):
    """One network as a plain `torch.nn.Module`: the naive twin for oracles, benches and `pntk.kernels.autodiff`."""

    def __init__(self, networks: Networks, index: int = 0) -> None:
        super().__init__()
        self.W1, self.W2, self.V1, self.V2 = (nn.Parameter(w[index].clone()) for w in networks.weights)
        self.bias = networks.bias

    def networks(self) -> Networks:
        """The module's weights as a block of one, detached."""
        w1, w2, v1, v2 = (weights.detach()[None] for weights in (self.W1, self.W2, self.V1, self.V2))
        return Networks(w1, w2, v1, v2, self.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (..., R) for inputs (..., S + T)."""
        stimuli, tasks = inputs[..., : self.W1.shape[0]], inputs[..., self.W1.shape[0] :]
        hidden = torch.sigmoid(stimuli @ self.W1 + tasks @ self.W2 + self.bias)
        return torch.sigmoid(hidden @ self.V1 + tasks @ self.V2 + self.bias)
