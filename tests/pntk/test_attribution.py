"""Group sums of a path-integrated kernel against loops over patterns."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from pntk.curriculum import Phase
from pntk.data import PatternBlock, draw_phase_data, pattern_block
from pntk.kernels.path import PathKernel, path_kernel
from pntk.network import base_networks
from pntk.structure.attribution import RELATIONS, Attribution, attribute, relations
from pntk.tasks import Environment

ENVIRONMENT = Environment(3, 2, 2)


@pytest.fixture(scope="module")
def traced() -> tuple[PathKernel, PatternBlock, PatternBlock, Attribution]:
    data = draw_phase_data(ENVIRONMENT, Phase("both", (1.0, 1.0), 1, 0.01), 0, 40, 30)
    test, train = (pattern_block(ENVIRONMENT, [ids], multiple=1) for ids in (data.test, data.train))
    path = path_kernel(base_networks(ENVIRONMENT, 8, [0]), test.inputs, train, 10, 0.1)[1]
    weights = test.targets[0] * test.counts[0, :, None]
    return path, test, train, attribute(ENVIRONMENT, path.kernel[0], test.inputs[0], weights, train.inputs[0])


def test_groups_are_sums_over_their_patterns(traced: tuple[PathKernel, PatternBlock, PatternBlock, Attribution]) -> None:
    path, test, train, found = traced
    kernel, split = path.kernel[0].numpy(), ENVIRONMENT.stimulus_width
    inputs = train.inputs[0].numpy()
    for o in range(ENVIRONMENT.response_width):
        total, weight = np.zeros(len(inputs)), 0.0
        for n, (target, count) in enumerate(zip(test.targets[0, :, o].tolist(), test.counts[0].tolist(), strict=True)):
            if target:
                total, weight = total + count * kernel[n, o], weight + count
        mean = total / weight
        np.testing.assert_allclose(found.by_pattern[o], mean, rtol=1e-12)
        for f in range(split):
            members = [m for m in range(len(inputs)) if inputs[m, f]]
            assert float(found.by_feature[o, f]) == pytest.approx(sum(mean[m] for m in members), rel=1e-10, abs=1e-15)
        for t in range(ENVIRONMENT.tasks):
            shares = [inputs[m, split + t] / inputs[m, split:].sum() for m in range(len(inputs))]
            assert float(found.by_task[o, t]) == pytest.approx(np.dot(shares, mean), rel=1e-10, abs=1e-15)


def test_groups_add_up_to_the_change_of_the_outputs(
    traced: tuple[PathKernel, PatternBlock, PatternBlock, Attribution],
) -> None:
    path, test, _, found = traced
    weights = test.targets[0] * test.counts[0, :, None]
    change = (path.change[0] * weights).sum(dim=0) / weights.sum(dim=0)
    assert float(path.completeness_error) < 1e-10
    torch.testing.assert_close(found.by_task.sum(dim=1), change, rtol=1e-8, atol=1e-12)
    pools = found.by_feature.unflatten(1, (ENVIRONMENT.stimulus_pools, ENVIRONMENT.features)).sum(dim=2)
    torch.testing.assert_close(pools, change[:, None].expand_as(pools), rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(found.by_relation.sum(), found.by_tasks.sum(dim=1).mean())


def test_task_by_task_is_the_mean_over_patterns_of_the_test_task(
    traced: tuple[PathKernel, PatternBlock, PatternBlock, Attribution],
) -> None:
    path, test, train, found = traced
    split = ENVIRONMENT.stimulus_width
    shares = [block.inputs[0, :, split:] / block.inputs[0, :, split:].sum(dim=1, keepdim=True) for block in (test, train)]
    weights = test.targets[0] * test.counts[0, :, None]
    for a, b in itertools.product(range(ENVIRONMENT.tasks), repeat=2):
        moved, weight = 0.0, 0.0
        for n, o in itertools.product(range(len(weights)), range(ENVIRONMENT.response_width)):
            own = float(weights[n, o] * shares[0][n, a])
            moved, weight = moved + own * float(path.kernel[0, n, o] @ shares[1][:, b]), weight + own
        assert float(found.by_tasks[a, b]) == pytest.approx(moved / weight, rel=1e-9, abs=1e-14)


def test_relations_of_tasks_follow_their_pools() -> None:
    kinds = relations(ENVIRONMENT)
    for a, b in itertools.product(range(ENVIRONMENT.tasks), repeat=2):
        (stimulus, response), other = divmod(a, 2), divmod(b, 2)
        expected = {(True, True): 0, (True, False): 1, (False, True): 2, (False, False): 3}[
            stimulus == other[0], response == other[1]
        ]
        assert kinds[a, b] == expected
    assert len(RELATIONS) == 4
