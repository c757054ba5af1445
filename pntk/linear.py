"""The linear validation network y = x W1 W2: a block of B networks without biases, on whitened inputs.

The network of Saxe, McClelland and Ganguli, as the source study uses it (section 3 and appendix A.3): the target is one
matrix with chosen singular values, the loss is the squared error averaged over examples and outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pntk.randomness import stream
from pntk.theory.modes import start_strengths

WeightDraw = Literal["torch", "normal"]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class LinearNetworks:
    """Weights of a block: first (..., I, H) and second (..., H, O); the leading axes are the block and, where recorded,
    the steps before it."""

    first: Tensor
    second: Tensor

    def __len__(self) -> int:
        return self.first.shape[-3]

    @property
    def product(self) -> Tensor:
        """The linear map that the network computes, (..., I, O)."""
        return self.first @ self.second


@dataclass(frozen=True)
class LinearData:
    """Inputs and target of each network of a block.

    Attributes:
        inputs: (B, N, I), with X'X = gain times the identity.
        left: (B, I, M), values: (M,), right: (B, O, M): the target's singular vectors and values, the largest first.
        gain: see inputs.
    """

    inputs: Tensor
    left: Tensor
    values: Tensor
    right: Tensor
    gain: float

    @property
    def target(self) -> Tensor:
        """The map to learn, (B, I, O)."""
        return (self.left * self.values) @ self.right.mT

    @property
    def gram(self) -> Tensor:
        """X'X, (B, I, I)."""
        return self.inputs.mT @ self.inputs

    @property
    def entries(self) -> int:
        """Examples times outputs: what the loss is averaged over."""
        return self.inputs.shape[1] * self.right.shape[1]


def draw_data(
    data_seeds: Sequence[int], inputs: int, outputs: int, examples: int, values: Sequence[float], per_example: bool = False
) -> LinearData:
    """Whitened normal inputs and random singular vectors, from the streams "linear/inputs" and "linear/target".

    Args:
        values: singular values of the target, the largest first; at most min(inputs, outputs) of them.
        per_example: X'X = N I instead of I.

    Raises:
        ValueError: fewer examples than inputs, which cannot be whitened.
    """
    if examples < inputs:
        raise ValueError(f"{examples} examples of {inputs} inputs cannot be whitened")
    gain = float(examples) if per_example else 1.0
    whitened, left, right = [], [], []
    for seed in data_seeds:
        u, _, v = np.linalg.svd(stream(seed, "linear/inputs").normal(size=(examples, inputs)), full_matrices=False)
        whitened.append(np.sqrt(gain) * u @ v)
        generator = stream(seed, "linear/target")
        left.append(_orthonormal(generator, inputs, len(values)))
        right.append(_orthonormal(generator, outputs, len(values)))
    singular = torch.tensor(list(values), dtype=torch.float64)
    x, y, z = (torch.from_numpy(np.stack(arrays)) for arrays in (whitened, left, right))
    return LinearData(x, y, singular, z, gain)


def _orthonormal(generator: np.random.Generator, rows: int, columns: int) -> Array:
    """Orthonormal columns, uniform over all such."""
    q, r = np.linalg.qr(generator.normal(size=(rows, columns)))
    return np.asarray(q * np.sign(np.diag(r)))


def draw_networks(
    seeds: Sequence[int], inputs: int, hidden: int, outputs: int, scale: float, draw: WeightDraw = "torch"
) -> LinearNetworks:
    """Starting weights from the stream "linear/weights".

    Args:
        draw: "torch" is the default of torch.nn.Linear, uniform within one over the root of the fan-in, times scale;
            "normal" is normal with standard deviation scale.
    """
    first: list[Array] = []
    second: list[Array] = []
    for seed in seeds:
        generator = stream(seed, "linear/weights")
        for weights, (rows, columns) in ((first, (inputs, hidden)), (second, (hidden, outputs))):
            if draw == "torch":
                bound = scale / np.sqrt(rows)
                weights.append(generator.uniform(-bound, bound, (rows, columns)))
            else:
                weights.append(generator.normal(0.0, scale, (rows, columns)))
    return LinearNetworks(torch.from_numpy(np.stack(first)), torch.from_numpy(np.stack(second)))


def aligned(networks: LinearNetworks, data: LinearData) -> LinearNetworks:
    """The aligned start of the same strengths: mode i on hidden unit i, nothing elsewhere (see `start_strengths`)."""
    start = start_strengths(networks.first, networks.second, data.left, data.right)
    learned, hidden = start.shape[1], networks.first.shape[-1]
    roots = nn.functional.pad(torch.diag_embed(start.sqrt()), (0, hidden - learned))
    return LinearNetworks(data.left[..., :learned] @ roots, roots.mT @ data.right[..., :learned].mT)


@dataclass(frozen=True)
class Path:
    """A training run at K recorded steps.

    Attributes:
        steps: (K,) gradient steps done.
        networks: weights, (K, B, ...).
        loss: (K, B) squared error averaged over examples and outputs.
        euler: (K, B, I, O) path-integrated eNTK, summed over training examples and divided by the inputs, by forward
            Euler as in the source study: minus learning rate times the weight-change form, summed over steps.
        midpoint: the same with the test side taken half way along each step, which is exact for two layers: it is the
            change of the map that the network computes.
    """

    steps: Tensor
    networks: LinearNetworks
    loss: Tensor
    euler: Tensor
    midpoint: Tensor


def descend(networks: LinearNetworks, data: LinearData, learning_rate: float, record: Sequence[int]) -> Path:
    """Full-batch gradient descent.

    The gradient needs the examples only through X'X, so a step costs some products of 4 x 5 matrices.

    Args:
        record: the steps to record, ascending; training ends with the last.
    """
    first, second = networks.first.clone(), networks.second.clone()
    gram, target = data.gram, data.target
    euler, midpoint = torch.zeros_like(target), torch.zeros_like(target)
    rows: list[tuple[Tensor, ...]] = []
    wanted = set(record)
    for step in range(record[-1] + 1):
        error = first @ second - target
        if step in wanted:
            loss = (error * (gram @ error)).sum(dim=(1, 2)) / data.entries
            rows.append((first, second, loss, euler.clone(), midpoint.clone()))
        slope = gram @ error * (2 * learning_rate / data.entries)
        by_first, by_second = slope @ second.mT, first.mT @ slope
        next_first, next_second = first - by_first, second - by_second
        euler -= by_first @ second + first @ by_second
        midpoint -= (by_first @ (second + next_second) + (first + next_first) @ by_second) / 2
        first, second = next_first, next_second
    w1, w2, losses, eulers, midpoints = (torch.stack(column) for column in zip(*rows, strict=True))
    return Path(torch.tensor(list(record)), LinearNetworks(w1, w2), losses, eulers, midpoints)


class LinearModule(nn.Module):
    """One network as a plain `torch.nn.Module`: the naive twin for oracles and `pntk.kernels.autodiff`."""

    def __init__(self, networks: LinearNetworks, index: int = 0) -> None:
        super().__init__()
        self.first, self.second = (nn.Parameter(w[index].clone()) for w in (networks.first, networks.second))

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (..., O) for inputs (..., I)."""
        return inputs @ self.first @ self.second
