"""Group means of hidden activity against loops over patterns."""

from __future__ import annotations

import numpy as np
import torch

from pntk.network import base_networks, forward
from pntk.structure.activity import group_means, single_task_groups
from pntk.tasks import Environment


def test_groups_of_the_source_study() -> None:
    groups = single_task_groups(Environment())
    assert groups.membership.shape == (12 + 12 + 36 + 9 + 12, 972)
    sizes: dict[str, set[int]] = {}
    for (kind, _), size in zip(groups.names, groups.sizes, strict=True):
        sizes.setdefault(kind, set()).add(size)
    assert sizes == {"task": {81}, "input": {81}, "task_input": {27}, "output": {108}, "active_input": {324}}


def test_group_means_equal_loops_over_patterns() -> None:
    environment = Environment(stimulus_pools=2, response_pools=3, features=2)
    networks = base_networks(environment, 7, [3, 4], half_width=1.0)
    groups = single_task_groups(environment)
    means = group_means(networks, groups)
    hidden, _ = forward(networks, groups.inputs)
    stimuli = environment.stimulus_width
    assert means.shape == (2, len(groups.names), 7)
    for g, (kind, number) in enumerate(groups.names):
        members = []
        for n, row in enumerate(groups.inputs.numpy()):
            task, features = int(np.flatnonzero(row[stimuli:])[0]), np.flatnonzero(row[:stimuli])
            pool_in, pool_out = divmod(task, environment.response_pools)
            unit = pool_out * environment.features + features[pool_in] % environment.features
            wanted = {"task": {task}, "input": {features[pool_in]}, "output": {unit}, "active_input": set(features)}
            wanted["task_input"] = {task * environment.features + features[pool_in] % environment.features}
            if number in wanted[kind]:
                members.append(n)
        assert len(members) == groups.sizes[g]
        expected = torch.stack([hidden[:, n] for n in members]).mean(dim=0)
        torch.testing.assert_close(means[:, g], expected, rtol=1e-12, atol=1e-14)


def test_means_over_tasks_are_means_of_the_finer_groups() -> None:
    groups = single_task_groups(Environment())
    means = group_means(base_networks(Environment(), 5, [0]), groups)[0]
    by_kind = {kind: means[[i for i, (k, _) in enumerate(groups.names) if k == kind]] for kind, _ in groups.names}
    finer = by_kind["task_input"].reshape(12, 3, 5)
    torch.testing.assert_close(finer.mean(dim=1), by_kind["task"], rtol=1e-10, atol=1e-12)
    by_pool = finer.reshape(4, 3, 3, 5).mean(dim=1).reshape(12, 5)  # tasks that read the same pool
    torch.testing.assert_close(by_pool, by_kind["input"], rtol=1e-10, atol=1e-12)
