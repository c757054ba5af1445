"""Naive twins: slow, obvious, and independent of the fast paths that they check."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from pntk.network import MultitaskModule, Networks
from pntk.tasks import Environment


def naive_training(
    networks: Networks, index: int, inputs: torch.Tensor, targets: torch.Tensor, steps: int, rate: float
) -> tuple[Networks, float]:
    """Autograd on every pattern as drawn, one network; its weights and its mean loss after the last step."""
    module = MultitaskModule(networks, index)
    optimiser = torch.optim.SGD(module.parameters(), lr=rate)
    for _ in range(steps):
        optimiser.zero_grad()
        (module(inputs) - targets).square().sum().backward()
        optimiser.step()
    return module.networks(), (module(inputs) - targets).square().mean().item()


def output_gradients(module: MultitaskModule, inputs: torch.Tensor) -> torch.Tensor:
    """d y_o(x_n) / d theta by one backward pass per number, (N, O, P)."""
    rows = []
    for sample in inputs:
        outputs = module(sample[None])[0]
        row = []
        for output in outputs:
            gradients = torch.autograd.grad(output, list(module.parameters()), retain_graph=True)
            row.append(torch.cat([g.flatten() for g in gradients]))
        rows.append(torch.stack(row))
    return torch.stack(rows)


def naive_entk(module: MultitaskModule, test: torch.Tensor, train: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """E[n,o,m] by explicit Jacobians and loops over outputs."""
    test_jacobian, train_jacobian = output_gradients(module, test), output_gradients(module, train)
    sensitivity = 2 * (module(train) - targets).detach()
    kernel = torch.zeros(len(test), targets.shape[1], len(train), dtype=test.dtype)
    for n, o, m in itertools.product(range(len(test)), range(targets.shape[1]), range(len(train))):
        kernel[n, o, m] = sum((test_jacobian[n, o] @ train_jacobian[m, k]) * sensitivity[m, k] for k in range(targets.shape[1]))
    return kernel


def naive_task_sets(environment: Environment, simultaneous: int) -> set[frozenset[int]]:
    """Legal sets by trying every combination of tasks."""
    legal = set()
    for tasks in itertools.combinations(range(environment.tasks), simultaneous):
        stimulus = [task // environment.response_pools for task in tasks]
        response = [task % environment.response_pools for task in tasks]
        if len(set(stimulus)) == len(set(response)) == simultaneous:
            legal.add(frozenset(tasks))
    return legal


def naive_silhouette(features: np.ndarray, labels: np.ndarray) -> float:
    """Mean silhouette from its definition."""
    scores = []
    for i, row in enumerate(features):
        distances = np.linalg.norm(features - row, axis=1)
        own = (labels == labels[i]) & (np.arange(len(labels)) != i)
        if not own.any():
            scores.append(0.0)
            continue
        inside = distances[own].mean()
        outside = min(distances[labels == other].mean() for other in set(labels.tolist()) - {labels[i]})
        scores.append((outside - inside) / max(inside, outside))
    return float(np.mean(scores))


def naive_path_kernel(
    networks: Networks,
    index: int,
    test: torch.Tensor,
    train: torch.Tensor,
    targets: torch.Tensor,
    steps: int,
    rate: float,
    nodes: list[tuple[float, float]],
) -> torch.Tensor:
    """P[n,o,m] step by step from explicit Jacobians at (node, weight) pairs; patterns as drawn."""
    module = MultitaskModule(networks, index)
    total = torch.zeros(len(test), targets.shape[1], len(train), dtype=test.dtype)
    for _ in range(steps):
        error = 2 * (module(train) - targets).detach()
        gradients = torch.einsum("mk,mkp->mp", error, output_gradients(module, train))
        start = torch.nn.utils.parameters_to_vector(module.parameters()).detach()
        moved = -rate * gradients.sum(dim=0)
        for node, weight in nodes:
            torch.nn.utils.vector_to_parameters(start + node * moved, module.parameters())
            total -= rate * weight * torch.einsum("nop,mp->nom", output_gradients(module, test), gradients)
        torch.nn.utils.vector_to_parameters(start + moved, module.parameters())
    return total
