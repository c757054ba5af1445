"""The environment against enumeration, and the draws against the counts of the source study."""

import numpy as np
import pytest

from pntk.randomness import stream
from pntk.tasks import Environment, draw_patterns, encode, legal_patterns, task_sets
from tests.oracles import naive_task_sets

ENVIRONMENTS = [Environment(), Environment(3, 4, 3), Environment(2, 2, 4), Environment(1, 1, 2)]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_task_sets_are_the_legal_combinations(environment: Environment) -> None:
    for simultaneous in range(1, environment.most_tasks + 1):
        sets = task_sets(environment, simultaneous)
        assert {frozenset(s.tolist()) for s in sets} == naive_task_sets(environment, simultaneous)
        assert len(sets) * environment.stimuli == environment.pattern_count(simultaneous)


def test_counts_of_the_source_study() -> None:
    environment = Environment()
    assert (environment.input_width, environment.response_width) == (24, 9)
    assert [len(task_sets(environment, c)) for c in (1, 2, 3)] == [12, 36, 24]
    assert len(legal_patterns(environment, (1,))) == 972
    assert len(legal_patterns(environment, (1, 1, 1))) == 5832


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_encoding_follows_the_definition_of_a_task(environment: Environment) -> None:
    counts = (1.0,) * environment.most_tasks
    ids = legal_patterns(environment, counts)
    inputs, targets = encode(environment, ids)
    assert len(np.unique(inputs, axis=0)) == len(ids)  # every pattern differs
    for row, target in zip(inputs[:: max(len(ids) // 200, 1)], targets[:: max(len(ids) // 200, 1)], strict=True):
        stimuli = row[: environment.stimulus_width].reshape(environment.stimulus_pools, -1)
        assert (stimuli.sum(axis=1) == 1).all()
        expected = np.zeros((environment.response_pools, environment.features))
        for task in np.flatnonzero(row[environment.stimulus_width :]):
            i, j = divmod(int(task), environment.response_pools)
            expected[j] += stimuli[i]
        np.testing.assert_array_equal(target, expected.ravel())


def test_draws_have_the_asked_for_task_counts_and_distinct_share() -> None:
    environment = Environment()
    ids = draw_patterns(environment, (1, 1, 1), 30_000, stream(0, "test"))
    active = encode(environment, ids)[0][:, environment.stimulus_width :].sum(axis=1)
    shares = np.bincount(active.astype(int), minlength=4)[1:] / len(ids)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.015)
    distinct = [len(np.unique(draw_patterns(environment, (1,), 500, stream(seed, "test")))) for seed in range(20)]
    assert 385 < np.mean(distinct) < 397  # 972 (1 - (1 - 1/972)^500) = 391


def test_excluded_patterns_are_never_drawn_and_exhaustion_is_named() -> None:
    environment = Environment(2, 2, 2)
    legal = legal_patterns(environment, (1,))
    drawn = draw_patterns(environment, (1,), 400, stream(1, "test"), exclude=legal[:-3])
    assert set(drawn) == set(legal[-3:])
    with pytest.raises(ValueError, match="none is left"):
        draw_patterns(environment, (1,), 4, stream(1, "test"), exclude=legal)


@pytest.mark.parametrize("counts", [(), (0, 0), (-1, 2), (1, 1, 1, 1)])
def test_impossible_task_counts_are_refused(counts: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"task_counts|simultaneous"):
        legal_patterns(Environment(), counts)


def test_unknown_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="ids"):
        encode(Environment(), np.array([5832]))
