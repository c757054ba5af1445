"""Predictors from how the t = 0 kernels fit what is to be learned, and from the groups they make."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pntk.predictors.case import Case
from pntk.predictors.jacobian import Jacobian
from pntk.structure.agreement import adjusted_rand, predicted_groups
from pntk.structure.alignment import target_alignment
from pntk.structure.groups import memberships, stated_groups
from pntk.structure.spectra import leading_singular


def kernel_target_alignment(case: Case) -> float:
    """<K, YY'> / (|K| |YY'|) of the summed NTK and the targets (Cristianini et al. 2001)."""
    return target_alignment(case.summed_ntk, (case.root[:, None] * case.train_targets).cpu().numpy())


def specialisation(case: Case) -> float:
    """Mean over outputs of A(K_oo, y_o) / mean_c A(K_cc, y_o): 1 where no output's own NTK fits its target better than the
    others' do."""
    kernels, targets = case.ntk.cpu().numpy(), (case.root[:, None] * case.train_targets).cpu().numpy()
    aligned = np.array([[target_alignment(k, targets[:, o : o + 1]) for o in range(targets.shape[1])] for k in kernels])
    with np.errstate(divide="ignore", invalid="ignore"):
        return float((aligned.diagonal() / aligned.mean(axis=0)).mean())


def entk_target_alignment(case: Case) -> float:
    """Cosine between how the eNTK moves the outputs of the training patterns, -sum_m E[n, o, m], and how they ought to move,
    target minus output; 1 where the first step of gradient flow goes straight to the targets."""
    return _cosine(case, case.at_train, case.train_targets, case.root[:, None])


def entk_unseen_alignment(case: Case) -> float:
    """The same over the unseen patterns: whether what is learned from the training patterns helps them."""
    return _cosine(case, case.at_unseen, case.unseen_targets, torch.ones_like(case.unseen_targets[:, :1]))


def _cosine(case: Case, at: Jacobian, targets: Tensor, root: Tensor) -> float:
    moved, wanted = -root * at.forward(case.at_train.backward(case.sensitivity)), root * (targets - at.outputs)
    size = float(moved.norm() * wanted.norm())
    return float((moved * wanted).sum()) / size if size > 0 else float("nan")


def task_group_ari(case: Case) -> float:
    """Adjusted Rand index of the groups of tasks that the eNTK makes (k-means on its leading right vectors, averaged by task)
    and the source study's, by stimulus pool. NaN for data with several tasks at once, where patterns belong to no task."""
    inputs = case.train_inputs.cpu().numpy()
    if (inputs[:, case.environment.stimulus_width :].sum(axis=1) != 1).any():
        return float("nan")
    labels, stated = memberships(case.environment, inputs)["task"], stated_groups(case.environment)["task"]
    if len(np.unique(labels)) < len(stated):
        return float("nan")  # a task that no training pattern has
    vectors = (leading_singular(case.entk)[2] / case.root).cpu().numpy()
    found = predicted_groups(vectors, labels, len(stated), int(stated.max()) + 1)
    return float("nan") if found is None else float(adjusted_rand(found, stated))
