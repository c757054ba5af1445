"""Cheap scores at initialisation, from pruning and architecture search, and the loss and its gradient at t = 0.

They were made for ReLU networks and many outputs; what they become here is said with each. All use the summed squared error
over the training patterns as drawn, the loss that is trained.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad, jacrev, jvp, vmap

from pntk.network import MultitaskModule, Networks
from pntk.predictors.case import Case

BATCH = 128  # distinct patterns of the scores that compare pattern with pattern, as their authors' mini-batches


def _gradient(case: Case) -> Networks:
    return case.at_train.backward(case.sensitivity)


def gradient_norm(case: Case) -> float:
    """|dL/dtheta|."""
    return float(torch.cat([g.flatten() for g in _gradient(case).weights]).norm())


def initial_loss(case: Case) -> float:
    """Mean squared error on the training patterns before training."""
    squared = (case.at_train.outputs - case.train_targets).square().mean(dim=1)
    return float((squared * case.counts).sum() / case.counts.sum())


def snip(case: Case) -> float:
    """Sum of |theta dL/dtheta| (Lee, Ajanthan and Torr 2019)."""
    pairs = zip(case.networks.weights, _gradient(case).weights, strict=True)
    return float(sum((weights * slope).abs().sum() for weights, slope in pairs))


def grasp(case: Case) -> float:
    """-sum of theta * (H g), H the Hessian and g the gradient of the loss (Wang, Zhang and Grosse 2020)."""
    module, inputs, targets, counts = MultitaskModule(case.networks), case.train_inputs, case.train_targets, case.counts

    def loss(parameters: dict[str, Tensor]) -> Tensor:
        return ((functional_call(module, parameters, (inputs,)) - targets).square().sum(dim=1) * counts).sum()

    parameters = {name: p.detach() for name, p in module.named_parameters()}
    slope = grad(loss)(parameters)
    curved = jvp(grad(loss), (parameters,), (slope,))[1]
    return -float(sum((parameters[name] * curved[name]).sum() for name in parameters))


def synflow(case: Case) -> float:
    """log of sum theta dR/dtheta, R the summed output for an input of ones through absolute weights without non-linearities
    or biases (Tanaka et al. 2020). Data do not enter. The log, since it spans orders of magnitude over initial scales."""
    w1, w2, v1, v2 = (weights.abs()[0] for weights in case.networks.weights)
    through = (w1.sum(dim=0) + w2.sum(dim=0)) @ v1.sum(dim=1)  # paths of two weights count once for each
    return float((2 * through + v2.sum()).log())


def naswot(case: Case) -> float:
    """log determinant of K[n, m] = hidden units whose binary codes agree on patterns n and m (Mellor et al. 2021). Sigmoid
    units have no kink to read a code from: a unit counts as on above its own mean over the patterns."""
    hidden = case.at_train.hidden[_batch(case)]
    on = (hidden > hidden.mean(dim=0)).to(hidden)
    return float(torch.linalg.slogdet(on @ on.mT + (1 - on) @ (1 - on).mT + 1e-6 * torch.eye(len(on)).to(on))[1])


def jacobian_covariance(case: Case) -> float:
    """-sum of log(v + k) + 1 / (v + k) over the eigenvalues v of the correlations between patterns of the gradient of the
    summed outputs with respect to the inputs, k = 1e-5 (Mellor et al. 2020, first version)."""
    module = MultitaskModule(case.networks)
    parameters = {name: p.detach() for name, p in module.named_parameters()}

    def total(sample: Tensor) -> Tensor:
        return functional_call(module, parameters, (sample,)).sum()

    slopes = vmap(jacrev(total))(case.train_inputs[_batch(case)]).cpu().numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        correlations = np.corrcoef(slopes)
    if not np.isfinite(correlations).all():
        return float("nan")
    values = np.linalg.eigvalsh(correlations).clip(min=0) + 1e-5
    return -float((np.log(values) + 1 / values).sum())


def fisher(case: Case) -> float:
    """Sum over hidden units of half the mean over patterns of (activity times its gradient)^2 (Theis et al. 2018; Turner et al.
    2020)."""
    at = case.at_train
    slope = (at.slope * 2 * (at.outputs - case.train_targets)) @ case.networks.V1[0].mT
    squared = (at.hidden * slope).square().sum(dim=1)
    return float((squared * case.counts).sum() / case.counts.sum() / 2)


def _batch(case: Case) -> Tensor:
    """BATCH distinct patterns, evenly spaced in the order of their numbers."""
    count = len(case.counts)
    return torch.from_numpy(np.linspace(0, count - 1, min(count, BATCH)).round().astype(np.int64))
