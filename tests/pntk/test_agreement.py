"""Adjusted Rand indices against scikit-learn and pair counting; predictions, groups and chance against known truths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from pntk.curriculum import Phase
from pntk.data import draw_phase_data, pattern_block
from pntk.network import Networks, base_networks, forward, scaled
from pntk.structure.agreement import adjusted_rand, agreement, found_groups, kmeans_groups, onehot_groups, predicted_groups
from pntk.structure.groups import GROUPINGS, group_count, group_means, memberships, stated_groups
from pntk.structure.silhouette import Start
from pntk.tasks import Environment, encode, legal_patterns
from pntk.training.descent import descend

ENVIRONMENT = Environment()
INPUTS, TARGETS = encode(ENVIRONMENT, legal_patterns(ENVIRONMENT, (1.0,)))


def pair_counting(a: np.ndarray, b: np.ndarray) -> float:
    """Hubert and Arabie's index by looking at every pair of items."""
    pairs = [(a[i] == a[j], b[i] == b[j]) for i, j in itertools.combinations(range(len(a)), 2)]
    both, one, other = (sum(chosen) for chosen in ([x and y for x, y in pairs], [x for x, _ in pairs], [y for _, y in pairs]))
    expected = one * other / len(pairs)
    return (both - expected) / ((one + other) / 2 - expected)


def test_index_equals_pair_counting_and_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    for _ in range(30):
        a, b = (generator.integers(0, k, size=12) for k in (3, 4))
        assert adjusted_rand(a, b) == pytest.approx(pair_counting(a, b), abs=1e-12)
        assert adjusted_rand(a, b) == pytest.approx(adjusted_rand_score(a, b), abs=1e-12)
    stacked = generator.integers(0, 3, size=(5, 12))
    np.testing.assert_allclose(adjusted_rand(stacked, b), [adjusted_rand(row, b) for row in stacked], rtol=1e-12)


def test_same_partitions_agree_fully_whatever_their_labels_and_order() -> None:
    a = np.arange(12) % 3
    renamed, order = np.array([2, 0, 1])[a], np.random.default_rng(0).permutation(12)
    other = np.arange(12) // 3
    assert adjusted_rand(a, a) == 1
    assert adjusted_rand(a, renamed) == 1
    assert adjusted_rand(renamed, other) == pytest.approx(float(adjusted_rand(a, other)), abs=1e-15)
    assert adjusted_rand(a[order], other[order]) == pytest.approx(float(adjusted_rand(other, a)), abs=1e-15)
    for trivial in (np.zeros(6, dtype=int), np.arange(6)):
        assert adjusted_rand(trivial, trivial) == 1
    assert adjusted_rand(np.zeros(6, dtype=int), np.arange(6)) == 0


def test_crossed_groups_agree_less_than_chance() -> None:
    """Tasks by response pool against tasks by stimulus pool: the trap in the source study's figure 9."""
    expected = 18 * 12 / 66  # pairs within 3 groups of 4, within 4 groups of 3, and of 12 items; no pair is within both
    assert adjusted_rand(np.arange(12) % 3, np.arange(12) // 3) == pytest.approx(-expected / (15 - expected))


def test_chance_is_near_zero_and_finds_what_is_there() -> None:
    generator = np.random.default_rng(1)
    predicted = np.arange(12) % 3
    found = [predicted, np.array([1, 2, 0])[predicted], np.arange(12) // 3, None]
    measured = agreement(predicted, found, 4000, generator)
    np.testing.assert_allclose(measured.index[:2], 1)
    assert np.isnan([measured.index[3], measured.chance_mean[3], measured.chance_high[3], measured.p[3]]).all()
    np.testing.assert_allclose(measured.chance_mean[:3], 0, atol=0.01)
    assert (measured.chance_high[:3] < 0.4).all()
    assert (measured.p[:2] < 0.003).all()
    assert measured.p[2] > 0.5
    assert measured.p_peak < 0.003


def test_p_values_of_unrelated_groups_are_uniform_enough() -> None:
    generator = np.random.default_rng(2)
    ps, peaks = [], []
    for _ in range(400):
        found = [generator.permutation(np.arange(12) % 3) for _ in range(4)]
        measured = agreement(np.arange(12) // 3, list(found), 99, generator)
        ps.append(measured.p[0])
        peaks.append(measured.p_peak)
    assert np.mean(np.array(ps) <= 0.1) <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 400)
    assert np.mean(np.array(peaks) <= 0.1) <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 400)


def test_agreement_refuses_what_makes_no_sense_and_survives_a_diverged_network() -> None:
    with pytest.raises(ValueError, match="permutations = 0"):
        agreement(np.arange(4), [np.arange(4)], 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="same 4 items"):
        agreement(np.arange(4), [np.arange(5)], 9, np.random.default_rng(0))
    diverged = agreement(np.arange(4), found_groups(np.full((2, 4, 3), np.nan), 2), 9, np.random.default_rng(0))
    assert np.isnan(diverged.index).all()
    assert np.isnan(diverged.p_peak)


def test_groups_are_counted_and_named_as_the_patterns_are_made() -> None:
    labels = memberships(ENVIRONMENT, INPUTS)
    assert set(labels) == set(GROUPINGS)
    for name in GROUPINGS:
        counts = np.bincount(labels[name])
        assert len(counts) == group_count(ENVIRONMENT, name)
        assert (counts == 972 // len(counts)).all()
    for n in range(0, 972, 37):
        task = labels["task"][n]
        assert INPUTS[n, 12 + task] == 1
        assert INPUTS[n, labels["input"][n]] == 1
        assert labels["input"][n] // 3 == task // 3
        assert TARGETS[n, labels["output"][n]] == 1
    several = encode(ENVIRONMENT, legal_patterns(ENVIRONMENT, (0.0, 1.0))[:5])[0]
    with pytest.raises(ValueError, match="single-task"):
        memberships(ENVIRONMENT, several)


def test_stated_groups_are_three_of_four_and_four_of_three() -> None:
    stated = stated_groups(ENVIRONMENT)
    assert np.bincount(stated["input"]).tolist() == [4, 4, 4]
    assert np.bincount(stated["task"]).tolist() == [3, 3, 3, 3]
    assert stated["input"][[0, 3, 6, 9]].tolist() == [0, 0, 0, 0]
    assert stated["task"][:3].tolist() == [0, 0, 0]


def test_group_means_are_means_and_leave_no_group_out() -> None:
    generator = np.random.default_rng(3)
    values, labels = generator.normal(size=(2, 20, 3)), np.arange(20) % 4
    means = group_means(values, labels, 4)
    for t, group in itertools.product(range(2), range(4)):
        np.testing.assert_allclose(means[t, group], values[t, labels == group].mean(axis=0), rtol=1e-12)
    with pytest.raises(ValueError, match="no group empty"):
        group_means(values, labels, 5)


def test_predictions_find_planted_groups_and_ignore_signs_and_the_onehot_control_does_not() -> None:
    labels = memberships(ENVIRONMENT, INPUTS)["input"]
    stated = stated_groups(ENVIRONMENT)["input"]
    generator = np.random.default_rng(4)
    vectors = (stated[labels] == np.arange(9)[:, None] % 3) + 0.1 * generator.normal(size=(9, 972))
    predicted = predicted_groups(vectors, labels, 12, 3)
    flipped = predicted_groups(vectors * np.where(np.arange(9) % 2, -1, 1)[:, None], labels, 12, 3)
    control = onehot_groups(INPUTS, labels, 12, 3)
    assert predicted is not None
    assert control is not None
    np.testing.assert_array_equal(predicted, flipped)
    assert adjusted_rand(predicted, stated) == 1
    assert adjusted_rand(control, stated) < 0.5


def test_too_few_different_rows_cannot_be_grouped() -> None:
    assert kmeans_groups(np.ones((12, 3)), 3) is None
    assert kmeans_groups(np.eye(4), 4) is not None


@pytest.mark.parametrize("seed", [0, 1])
def test_inputs_group_as_the_kernel_says_and_tasks_by_response_pool_in_it(seed: int) -> None:
    """The start of the source study's figure 9, small weights; large weights predict neither."""
    data = draw_phase_data(ENVIRONMENT, Phase("single", (1.0,), 1, 0.01), seed, 500, 500)
    inputs, targets = encode(ENVIRONMENT, data.train)
    labels, stated = memberships(ENVIRONMENT, inputs), stated_groups(ENVIRONMENT)
    by_response_pool = np.arange(12) % ENVIRONMENT.response_pools

    def predictions(networks: Networks) -> tuple[float, float]:
        arrays = (encode(ENVIRONMENT, data.test)[0], inputs, targets)
        vectors = Start(networks, *(torch.from_numpy(array) for array in arrays)).singular[2]
        by_input, by_task = (predicted_groups(vectors, labels[name], 12, 3) for name in ("input", "task"))
        assert by_input is not None
        assert by_task is not None
        return float(adjusted_rand(by_input, stated["input"])), float(adjusted_rand(by_task, by_response_pool))

    networks = base_networks(ENVIRONMENT, 200, [seed])
    assert predictions(networks) == (1, 1)
    assert max(predictions(scaled(networks, 10, "both"))) < 0.7
    block = pattern_block(ENVIRONMENT, [data.train])
    trained, _ = descend(networks, block, block, 300, 0.01, records=2)
    hidden = group_means(forward(trained, torch.from_numpy(inputs))[0][0].numpy(), labels["input"], 12)
    found = kmeans_groups(hidden, 3)
    assert found is not None
    assert adjusted_rand(found, stated["input"]) == 1
