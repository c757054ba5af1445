"""The loss after linearised training: kernel regression with the whole t = 0 NTK, all outputs coupled.

A network that stays linear in its weights, trained on the summed squared error with ridge lam, ends at (Jacot, Gabriel and
Hongler 2018; Lee et al. 2019)

    f(x) = f_0(x) + K(x, X) (K(X, X) + lam C^-1)^-1 (targets - f_0(X)),   C the counts of the patterns

In output space f are the outputs; in logit space f are what the last sigmoid is applied to, and targets are logits of
clipped ones. The error predicted for each unseen pattern is |prediction - target|^2, averaged over outputs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pntk.network import Networks
from pntk.predictors.case import Array, Case

TOLERANCE = 1e-7  # of the residual, relative
MOST_ROUNDS = 2000
CLIP = 0.05  # targets of 0 and 1 have no logits: training approaches them, and stops somewhere before


class Unsolved(ArithmeticError):
    """The system of a regression was not solved to TOLERANCE."""


def unseen_errors(case: Case, ridge: float, logits: bool) -> Array:
    """(U,) squared error of each unseen pattern after linearised training, averaged over outputs.

    Args:
        ridge: relative to the mean of the kernel's diagonal over the patterns as drawn and the outputs.
        logits: in logit space.

    Raises:
        Unsolved: the iteration did not reach TOLERANCE.
    """
    if logits:
        targets = case.train_targets.clamp(CLIP, 1 - CLIP)
        direction = solution(case, torch.logit(targets) - torch.logit(case.at_train.outputs), ridge, logits)
        predicted = torch.sigmoid(torch.logit(case.at_unseen.outputs) + case.at_unseen.of_logits.forward(direction))
    else:
        direction = solution(case, case.train_targets - case.at_train.outputs, ridge, logits)
        predicted = case.at_unseen.outputs + case.at_unseen.forward(direction)
    return (predicted - case.unseen_targets).square().mean(dim=1).cpu().numpy()


def linearised_loss(case: Case, ridge: float, logits: bool) -> float:
    """Mean of `unseen_errors`: comparable with the final loss on unseen patterns. NaN where all patterns are trained on."""
    return float(unseen_errors(case, ridge, logits).mean()) if len(case.unseen) else float("nan")


def solution(case: Case, wanted: Tensor, ridge: float, logits: bool) -> Networks:
    """The change of weights J' a of ridge regression of (M, R) `wanted` changes, as a block of one.

    Solves (C^1/2 J J' C^1/2 + lam) b = C^1/2 wanted by conjugate gradients, preconditioned by the Cholesky factors of each
    output's own block, which hold most of the kernel; a = C^1/2 b.

    Raises:
        Unsolved: no solution to TOLERANCE within MOST_ROUNDS.
    """
    at_train, root = case.at_train, case.root[:, None]
    blocks = case.ntk
    if logits:
        at_train = at_train.of_logits
        slope = case.at_train.slope.mT
        blocks = blocks / (slope[:, :, None] * slope[:, None])
    lam = ridge * float(blocks.diagonal(dim1=1, dim2=2).sum() / (case.counts.sum() * len(blocks)))
    factors = torch.linalg.cholesky(blocks + lam * torch.eye(blocks.shape[1]).to(blocks))

    def kernel(b: Tensor) -> Tensor:
        return root * at_train.forward(at_train.backward(root * b)) + lam * b

    def precondition(residual: Tensor) -> Tensor:
        return torch.cholesky_solve(residual.mT[:, :, None], factors)[:, :, 0].mT

    b = conjugate_gradients(kernel, precondition, root * wanted)
    return at_train.backward(root * b)


def conjugate_gradients(kernel: Callable[[Tensor], Tensor], precondition: Callable[[Tensor], Tensor], wanted: Tensor) -> Tensor:
    """Solve kernel(b) = wanted for a symmetric positive definite kernel, to TOLERANCE of the residual.

    Raises:
        Unsolved: not within MOST_ROUNDS.
    """
    b, residual = torch.zeros_like(wanted), wanted.clone()
    towards = precondition(residual)
    direction, size = towards, (residual * towards).sum()
    enough = TOLERANCE * wanted.norm()
    for _ in range(MOST_ROUNDS):
        if residual.norm() <= enough:
            return b
        moved = kernel(direction)
        step = size / (direction * moved).sum()
        b = b + step * direction
        residual = residual - step * moved
        towards = precondition(residual)
        after = (residual * towards).sum()
        direction, size = towards + after / size * direction, after
    raise Unsolved(f"kernel regression: residual {float(residual.norm() / wanted.norm()):.1e} after {MOST_ROUNDS} rounds")
