"""Streams are common random numbers: fixed by seed and purpose, and by nothing else."""

import numpy as np
import pytest

from pntk.curriculum import Phase
from pntk.data import draw_phase_data, pattern_block
from pntk.network import base_networks, scaled
from pntk.randomness import stream
from pntk.tasks import Environment, encode

SINGLE = Phase("single", (1.0,), 1, 0.01)


def test_streams_depend_on_seed_and_purpose_only() -> None:
    assert stream(3, "a").random() == stream(3, "a").random()
    assert len({stream(s, p).random() for s in (3, 4) for p in ("a", "b")}) == 4
    with pytest.raises(ValueError, match="non-negative"):
        stream(-1, "a")


def test_a_seed_has_the_same_base_draw_in_any_block_and_scaling_keeps_it() -> None:
    environment = Environment()
    together = base_networks(environment, 20, [5, 7, 2])
    alone = base_networks(environment, 20, [7])
    for many, one in zip(together.weights, alone.weights, strict=True):
        assert np.array_equal(many[1], one[0])
        assert one.abs().max() <= 0.1
    for layers, factors in {"hidden": (10, 10, 1, 1), "output": (1, 1, 10, 10), "both": (10,) * 4}.items():
        for base, large, factor in zip(alone.weights, scaled(alone, 10, layers).weights, factors, strict=True):
            assert np.array_equal(base * factor, large)


def test_data_depend_on_the_data_seed_and_the_phase_only() -> None:
    environment = Environment()
    data = draw_phase_data(environment, SINGLE, 4, 500, 500)
    again = draw_phase_data(environment, Phase("single", (1.0,), 99, 0.5), 4, 500, 500)
    assert all(np.array_equal(getattr(data, k), getattr(again, k)) for k in ("train", "test", "unseen"))
    other = draw_phase_data(environment, Phase("other", (1.0,), 1, 0.01), 4, 500, 500)
    assert not np.array_equal(data.train, other.train)
    assert not np.array_equal(data.train, data.test)
    redrawn = draw_phase_data(environment, SINGLE, 4, 500, 500, redraw=1)
    assert not np.array_equal(data.train, redrawn.train)
    assert not np.array_equal(data.test, redrawn.test)


def test_unseen_is_all_that_training_never_saw_and_disjoint_tests_are() -> None:
    environment = Environment()
    shared, disjoint = (draw_phase_data(environment, SINGLE, 0, 500, 500, disjoint=d) for d in (False, True))
    assert len(shared.unseen) + len(np.unique(shared.train)) == 972
    assert not set(shared.unseen) & set(shared.train)
    assert 0.3 < np.isin(shared.test, shared.train).mean() < 0.5  # about 40 %
    assert not set(disjoint.test) & set(disjoint.train)
    assert np.array_equal(shared.train, disjoint.train)


def test_merging_patterns_keeps_every_weighted_sum() -> None:
    environment = Environment()
    ids = [draw_phase_data(environment, SINGLE, s, 500, 500).train for s in (0, 1)]
    block = pattern_block(environment, ids)
    assert block.counts.shape[1] % 8 == 0
    for row, drawn in enumerate(ids):
        inputs, targets = encode(environment, drawn)
        assert block.counts[row].sum() == 500
        np.testing.assert_array_equal((block.counts[row] @ block.inputs[row]).numpy(), inputs.sum(axis=0))
        np.testing.assert_array_equal((block.counts[row] @ block.targets[row]).numpy(), targets.sum(axis=0))
