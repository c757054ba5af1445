"""Units driven by a reference's errors, and the influence that each has on the final loss.

    psi = sum_k lambda_k . c_k + g . c_end,     c = h v, the unit's part of the logits         (7)
    loss of a network = Q + sum_units psi + (V2 as a source) - sum_reference m psi             (8)

Over whole steps units move by equation (3); over a bin of many they take one midpoint step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pntk.influence.reference import Reference, Response
from pntk.influence.units import Units, activity, push, weighed
from pntk.network import Networks

UNITS_AT_ONCE = 4000  # hidden activity of so many on 400 patterns takes 13 MB


def evaluations(reference: Reference) -> int:
    """Gradients that one network's units take: one for each whole step, two for each bin."""
    return sum(len(r.impulses) * (1 if r.whole else 2) for r in reference.responses)


def _through(response: Response, units: Units, bias: float) -> tuple[Units, Tensor]:
    """The units after a stage, and their part of equation (7) in it."""
    inputs = response.patterns.inputs
    psi = units.outgoing.new_zeros(len(units))
    for impulse, weights in zip(response.impulses, response.weights[:-1], strict=True):
        hidden = activity(units, inputs, bias)
        psi += weighed(units, hidden, weights)
        if response.whole:
            units = units.moved(*push(units, hidden, inputs, impulse))
        else:
            middle = units.moved(*push(units, hidden, inputs, impulse / 2))
            units = units.moved(*push(middle, activity(middle, inputs, bias), inputs, impulse))
    return units, psi + weighed(units, activity(units, inputs, bias), response.weights[-1])


def influence(reference: Reference, units: Units) -> Tensor:
    """(U,) psi of equation (7) for initial units, on the reference's device and in its precision."""
    like = reference.weights
    parts = []
    for first in range(0, len(units), UNITS_AT_ONCE):
        part = units.part(slice(first, first + UNITS_AT_ONCE))
        part = Units(part.incoming.to(like), part.outgoing.to(like))
        total = like.new_zeros(len(part))
        for response in reference.responses:
            part, psi = _through(response, part, reference.bias)
            total += psi
        parts.append(total + weighed(part, activity(part, reference.goal.inputs, reference.bias), reference.weights))
    return torch.cat(parts)


def source(reference: Reference, direct: Tensor) -> Tensor:
    """(B,) what initial weights (B, T, R) from tasks to responses, which stay in the logits, add to the loss."""
    held = torch.stack([r.patterns.tasks.T @ r.weights.sum(dim=0) for r in reference.responses]).sum(dim=0)
    held = held + reference.goal.tasks.T @ reference.weights
    return (direct.to(held) * held).sum(dim=(1, 2))


def units_of(networks: Networks) -> Units:
    """The hidden units of a block of B networks, those of the first network first."""
    incoming = torch.cat([networks.W1, networks.W2], dim=1)
    return Units(incoming.transpose(0, 1).flatten(1), networks.V1.flatten(0, 1))


def predict(reference: Reference, networks: Networks, mean: float) -> Tensor:
    """(B,) losses by equation (8).

    Args:
        networks: B of them before training, of the width that the masses of the reference stand for.
        mean: sum of the reference's own psi times masses plus what its direct weights add, see `own`.
    """
    psi = influence(reference, units_of(networks)).reshape(len(networks), -1).sum(dim=1)
    return reference.loss + psi + source(reference, networks.V2) - mean


def own(reference: Reference, units: Units, direct: Tensor, masses: Tensor) -> float:
    """What the reference's own initial units and weights add up to: subtracted, they give its own loss."""
    return float((influence(reference, units) * masses.to(reference.weights)).sum() + source(reference, direct[None])[0])
