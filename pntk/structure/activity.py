"""Hidden activity averaged over groups of patterns: what visualisations of representations start from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pntk.network import Networks, forward
from pntk.structure.groups import group_count, memberships
from pntk.tasks import Environment, encode, legal_patterns


@dataclass(frozen=True)
class Groups:
    """All single-task patterns of an environment and every way of grouping them (source study, Fig. 7).

    Attributes:
        inputs: (N, S + T).
        names: (G,) for every group its kind and its number within the kind. Kinds are those of
            `pntk.structure.groups.memberships`, where a pattern belongs to one group: "task", "input" (the feature that the
            task reads), "task_input" and "output"; and "active_input", where it belongs to one group per stimulus pool.
        membership: (G, N), 0 or 1.
    """

    inputs: Tensor
    names: tuple[tuple[str, int], ...]
    membership: Tensor

    @property
    def sizes(self) -> list[int]:
        """(G,) patterns of each group."""
        return [int(size) for size in self.membership.sum(dim=1)]


def single_task_groups(environment: Environment) -> Groups:
    """The groups of an environment, float64.

    Single-task patterns, all of them, whatever a network is trained on: so that a group is the same set of inputs in
    every phase and for every network, and holds no trace of which patterns were drawn.
    """
    inputs, _ = encode(environment, legal_patterns(environment, (1.0,)))
    kinds = {
        kind: labels == np.arange(group_count(environment, kind))[:, None]
        for kind, labels in memberships(environment, inputs).items()
    }
    kinds["active_input"] = inputs[:, : environment.stimulus_width].T > 0
    names = tuple((kind, number) for kind, members in kinds.items() for number in range(len(members)))
    members = np.concatenate(list(kinds.values())).astype(np.float64)
    return Groups(torch.from_numpy(inputs), names, torch.from_numpy(members))


def group_means(networks: Networks, groups: Groups) -> Tensor:
    """Mean hidden activity of every group, (B, G, H), in the networks' dtype."""
    hidden, _ = forward(networks, groups.inputs.to(networks.W1))
    membership = groups.membership.to(networks.W1)
    return membership @ hidden / membership.sum(dim=1, keepdim=True)
