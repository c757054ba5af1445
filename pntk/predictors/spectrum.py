"""Predictors from the spectrum of the t = 0 kernels: size, effective rank, gap, power of the targets, learning curve."""

from __future__ import annotations

import numpy as np
import torch

from pntk.kernels.multitask import ntk_diagonal
from pntk.network import forward
from pntk.predictors.case import Array, Case
from pntk.structure.rank import entropy_rank
from pntk.tasks import encode

MOST_PATTERNS = 1000  # of the population whose kernel is decomposed
KARE_RIDGE = 1e-2  # relative to the mean eigenvalue of K / M
RIDGE = 1e-6  # of the learning curve, relative to the mean eigenvalue sum


def ntk_trace(case: Case) -> float:
    """Trace of the NTK summed over outputs, per pattern: how fast outputs can move at all."""
    return float(case.ntk_eigenvalues.sum() / case.counts.sum())


def ntk_top_eigenvalue(case: Case) -> float:
    """Largest eigenvalue of the summed NTK over the number of patterns: the rate of the fastest mode."""
    return float(case.ntk_eigenvalues[0] / case.counts.sum())


def ntk_effective_rank(case: Case) -> float:
    """exp of the entropy of the summed NTK's eigenvalues (Roy and Vetterli 2007)."""
    return entropy_rank(case.ntk_eigenvalues)


def entk_effective_rank(case: Case) -> float:
    """The same of the singular values of the eNTK of each output, averaged over outputs."""
    return float(np.mean([entropy_rank(values) for values in case.entk_singular_values]))


def spectral_gap(case: Case) -> float:
    """First over second singular value of the eNTK of each output, averaged over outputs; NaN where there is no second."""
    values = case.entk_singular_values
    with np.errstate(divide="ignore", invalid="ignore"):
        gaps = values[:, 0] / values[:, 1]
    return float(gaps.mean()) if np.isfinite(gaps).all() else float("nan")


def cumulative_power(case: Case) -> float:
    """Area under C(p), the share of what is to be learned (targets minus outputs) that lies in the p leading eigenvectors of
    the summed NTK on the training patterns (Canatar, Bordelon and Pehlevan 2021): 1 if all of it is in the first."""
    _, vectors = np.linalg.eigh(case.summed_ntk)
    wanted = (case.root[:, None] * (case.train_targets - case.at_train.outputs)).cpu().numpy()
    return float(area_of_power((vectors[:, ::-1].T @ wanted) ** 2))


def area_of_power(power: Array) -> float:
    """Mean over p of C(p) for (M, R) powers by mode, leading first."""
    by_mode = power.sum(axis=1)
    return float(np.mean(np.cumsum(by_mode) / by_mode.sum())) if by_mode.sum() > 0 else float("nan")


def learning_curve(case: Case) -> float:
    """Expected error on new patterns of kernel regression with the summed NTK (Bordelon, Canatar and Pehlevan 2020; Canatar
    et al. 2021), from as many distinct training patterns as there are.

    The population is all legal patterns, or MOST_PATTERNS of them evenly spaced in the order of their numbers. Nothing of
    which patterns were drawn enters, only how many.
    """
    population = np.union1d(case.train, case.unseen)
    chosen = population[np.linspace(0, len(population) - 1, min(len(population), MOST_PATTERNS)).round().astype(int)]
    inputs, targets = (torch.from_numpy(part).to(case.networks.W1) for part in encode(case.environment, chosen))
    kernel = ntk_diagonal(case.networks, inputs, inputs)[0].sum(dim=1).cpu().numpy() / len(chosen)
    values, vectors = np.linalg.eigh(kernel)
    wanted = (targets - forward(case.networks, inputs)[1][0]).cpu().numpy()
    power = (vectors.T @ wanted) ** 2 / len(chosen) / targets.shape[1]
    values = values.clip(min=0)
    return expected_error(values, power.sum(axis=1), len(case.counts), RIDGE * float(values.sum()))


def kare(case: Case) -> float:
    """Kernel alignment risk estimator (Jacot, Simsek et al. 2020) of ridge regression with the summed NTK:

        (1/M) y' (K/M + lam)^-2 y / ((1/M) tr (K/M + lam)^-1)^2

    with y = targets - outputs, a mean over outputs. It reads training patterns alone, each distinct one once: repeats hold no
    new targets, and as draws they would be a kernel without full rank.
    """
    kernel = case.summed_ntk / np.outer(case.root.cpu().numpy(), case.root.cpu().numpy()) / len(case.counts)
    values, vectors = np.linalg.eigh(kernel)
    wanted = (case.train_targets - case.at_train.outputs).cpu().numpy()
    shrunk = 1 / (values.clip(min=0) + KARE_RIDGE * values.mean())
    power = ((vectors.T @ wanted) ** 2).mean(axis=1)
    return float((power * shrunk**2).mean() / shrunk.mean() ** 2)


def expected_error(eigenvalues: Array, power: Array, samples: float, ridge: float) -> float:
    """Learning curve of kernel ridge regression without noise on P samples.

        kap = ridge + sum kap e / (P e + kap),  gam = sum P e^2 / (P e + kap)^2,
        error = sum a^2 kap^2 / (P e + kap)^2 / (1 - gam)

    Args:
        eigenvalues: (M,) of the kernel as an operator over the population (K / M). power: (M,) of the target in each mode.
    """
    low, high = ridge, ridge + float(eigenvalues.sum())  # the right side minus kap falls through zero in between
    for _ in range(200):
        kappa = (low + high) / 2
        if ridge + float((kappa * eigenvalues / (samples * eigenvalues + kappa)).sum()) > kappa:
            low = kappa
        else:
            high = kappa
    shrunk = kappa / (samples * eigenvalues + kappa)
    gamma = float((samples * eigenvalues**2 / (samples * eigenvalues + kappa) ** 2).sum())
    return float((power * shrunk**2).sum() / (1 - gamma))
