"""eNTK and NTK of the linear network in closed form, in every reading.

With A = W1 W1', B = W2' W2, the error of the map D = W1 W2 - target and eps_m = 2 / (N O) x_m D:

    K[n,l;m,k] = (x_n . x_m) B_lk + delta_lk x_n A x_m'
    E[n,l,m]   = sum_k K[n,l;m,k] eps_mk = (x_n . x_m) (eps_m B)_l + (x_n A x_m') eps_ml
    sum_m E[n,l,m] = x_n G,   G = X'eps B + A X'eps = -dW/dt   (the weight-change form, I x O)

Every reading has its left singular vectors in the span of the inputs, so with X = Q R they are those of a matrix with I
rows, R times the reading's core: no matrix over examples is ever formed. Cosines are taken over examples, with the
target's modes seen there as X u_i; for whitened inputs this is the cosine with u_i itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pntk.linear import LinearData, LinearNetworks, Path

RANKS = ("primary", "secondary")


@dataclass(frozen=True)
class Reading:
    """A kernel read at K recorded steps.

    Attributes:
        cosines: (K, B, 2, M) absolute cosine of the first and the second singular vector with each mode of the target.
        values: (K, B, I) singular values, the largest first.
    """

    cosines: Tensor
    values: Tensor


def entk(networks: LinearNetworks, data: LinearData) -> Tensor:
    """E[n,l,m] of the training examples among themselves, (B, N, O, N), for a loss averaged over examples and outputs."""
    x, sensitivity = data.inputs, data.inputs @ _error(networks, data)
    through = sensitivity @ networks.second.mT @ networks.second
    hidden = x @ networks.first
    return (x @ x.mT)[:, :, None] * through.mT[:, None] + (hidden @ hidden.mT)[:, :, None] * sensitivity.mT[:, None]


def weight_change(networks: LinearNetworks, data: LinearData) -> Tensor:
    """G (..., I, O): the eNTK summed over training examples, per unit of each input. Gradient flow obeys dW/dt = -G."""
    slope = data.gram @ _error(networks, data)
    return slope @ networks.second.mT @ networks.second + networks.first @ networks.first.mT @ slope


def _error(networks: LinearNetworks, data: LinearData) -> Tensor:
    """eps_m = x_m times this, (..., I, O)."""
    return (networks.product - data.target) * (2 / data.entries)


def ntk_core(networks: LinearNetworks) -> Tensor:
    """The plain NTK summed over outputs is X times this times X', (..., I, I): sum_l K[n,l;m,l]."""
    a, b = networks.first @ networks.first.mT, networks.second.mT @ networks.second
    scale = b.diagonal(dim1=-2, dim2=-1).sum(-1)
    return scale[..., None, None] * torch.eye(a.shape[-1], dtype=a.dtype) + networks.second.shape[-1] * a


def per_example_grams(networks: LinearNetworks, data: LinearData) -> tuple[Tensor, Tensor]:
    """Left Gram matrices of the per-example eNTK, in coordinates of the inputs.

    E_l = X C_l with C_l = sum over the products x_mb x_mc of pairs of inputs, so C_l C_l' needs the fourth moments of
    the inputs only.

    Returns:
        C_l C_l' of every output (..., O, I, I), and the same of the eNTK summed over outputs (..., I, I).
    """
    x = data.inputs
    pairs = (x[..., :, None] * x[..., None, :]).flatten(2)  # (B, N, I * I)
    moments = pairs.mT @ pairs
    error = _error(networks, data)
    through = error @ networks.second.mT @ networks.second
    a, one = networks.first @ networks.first.mT, torch.eye(x.shape[2], dtype=x.dtype)
    # core[..., l, i, (b, c)] = delta_ib through_cl + A_ib error_cl
    core = one[:, :, None] * through.mT[..., :, None, None, :] + a[..., None, :, :, None] * error.mT[..., :, None, None, :]
    core = core.flatten(-2)
    total = core.sum(dim=-3)
    # Not by @, which copies the moments for every output and step that they are broadcast over.
    every = torch.einsum("...blip,bpq->...bliq", core, moments) @ core.mT
    return every, torch.einsum("...bip,bpq->...biq", total, moments) @ total.mT


def readings(path: Path, data: LinearData) -> dict[str, Reading]:
    """Every reading along a training run, by name.

    summed: eNTK summed over training examples, (N, O): the main one.
    weight_change: the same per unit of each input, (I, O), input side; weight_change_outputs: its output side.
    per_example: eNTK with test points as rows and outputs x training examples as columns.
    per_example_total: the eNTK summed over outputs, (N, N).
    per_output: the (N, N) eNTK of each output; cosines and values averaged over outputs.
    ntk: the plain NTK summed over outputs, (N, N).
    pntk: path-integrated eNTK by forward Euler, summed over training examples, (N, O).
    network: the map that the network computes, (I, O).
    """
    networks = path.networks
    root = torch.linalg.cholesky(data.gram).mT  # X = Q root
    seen = root @ data.left
    seen = seen / seen.norm(dim=-2, keepdim=True)
    change = weight_change(networks, data)
    every, total = per_example_grams(networks, data)
    every, total = root[:, None] @ every @ root[:, None].mT, root @ total @ root.mT
    outputs = [_of_gram(every[:, :, o], seen) for o in range(every.shape[2])]
    return {
        "summed": _of_matrix(root @ change, seen),
        "weight_change": _of_matrix(change, data.left),
        "weight_change_outputs": _of_matrix(change.mT, data.right),
        "per_example": _of_gram(every.sum(dim=2), seen),
        "per_example_total": _of_gram(total, seen),
        "per_output": Reading(_mean(outputs, lambda r: r.cosines), _mean(outputs, lambda r: r.values)),
        "ntk": _of_gram(root @ ntk_core(networks) @ root.mT, seen, squared=False),
        "pntk": _of_matrix(root @ path.euler, seen),
        "network": _of_matrix(networks.product, data.left),
    }


def _mean(readings: list[Reading], part: Callable[[Reading], Tensor]) -> Tensor:
    return torch.stack([part(reading) for reading in readings]).mean(dim=0)


def _of_matrix(matrices: Tensor, modes: Tensor) -> Reading:
    finite = _finite(matrices)
    left, values, _ = torch.linalg.svd(torch.where(finite, matrices, 0.0), full_matrices=False)
    return Reading(_cosines(left, modes).where(finite, torch.nan), values.where(finite[..., 0], torch.nan))


def _of_gram(grams: Tensor, modes: Tensor, squared: bool = True) -> Reading:
    """From left Gram matrices (the squared singular values), or from a symmetric kernel as it is."""
    finite = _finite(grams)
    values, vectors = torch.linalg.eigh(torch.where(finite, grams, 0.0))
    values = values.flip(-1).clamp_min(0).where(finite[..., 0], torch.nan)
    return Reading(_cosines(vectors.flip(-1), modes).where(finite, torch.nan), values.sqrt() if squared else values)


def _finite(matrices: Tensor) -> Tensor:
    """(..., 1, 1): a network that diverges gets NaN and disturbs no other."""
    return torch.isfinite(matrices).all(dim=-1, keepdim=True).all(dim=-2, keepdim=True)


def _cosines(vectors: Tensor, modes: Tensor) -> Tensor:
    return (vectors[..., : len(RANKS)].mT @ modes).abs()
