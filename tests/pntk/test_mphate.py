"""The multislice kernel entry by entry against its formulas; the walk, the scaling and the picture against known answers."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr

from pntk.structure.agreement import adjusted_rand, kmeans_groups
from pntk.structure.mphate import (
    Potential,
    Settings,
    entropies,
    knee,
    landmark_affinities,
    metric_scaling,
    mphate,
    potentials,
    walk,
)
from pntk.structure.multislice import multislice_kernel, standardised

Array = np.ndarray


def drifting(times: int = 12, items: int = 7, features: int = 9, seed: int = 0) -> Array:
    """Random walks: nearby times are alike."""
    return np.random.default_rng(seed).normal(size=(times, items, features)).cumsum(axis=0)


def naive_kernel(x: Array, k: int, far: int, decay: float, threshold: float) -> Array:
    """Entry by entry from the formulas, distances sorted by hand."""
    times, items, _ = x.shape

    def distance(a: Array, b: Array) -> float:
        return float(np.sqrt(sum((p - q) ** 2 for p, q in zip(a, b, strict=True))))

    def sigma(t: int, i: int) -> float:
        return sorted(distance(x[t, i], x[t, j]) for j in range(items) if j != i)[k - 1]

    def reach(i: int) -> float:
        nearest = [sorted(distance(x[t, i], x[s, i]) for s in range(times) if s != t)[far - 1] for t in range(times)]
        return float(np.median(nearest))

    epsilon = sum(reach(i) for i in range(items)) / items
    kernel = np.zeros((times * items, times * items))
    for t, i, s, j in itertools.product(range(times), range(items), range(times), range(items)):
        if t == s:
            one, other = (np.exp(-((distance(x[t, i], x[t, j]) / sigma(t, a)) ** decay)) for a in (i, j))
            entry = sum(value for value in (one, other) if value >= threshold) / 2
        else:
            entry = np.exp(-((distance(x[t, i], x[s, i]) / epsilon) ** 2)) if i == j else 0.0
        kernel[t * items + i, s * items + j] = entry
    return kernel


@pytest.mark.parametrize(("k", "far", "decay", "threshold"), [(2, 5, 5.0, 1e-4), (1, 3, 2.0, 0.0), (3, 4, 3.0, 0.2)])
def test_kernel_entries_follow_the_published_formulas(k: int, far: int, decay: float, threshold: float) -> None:
    x = drifting(8, 5, 4)
    kernel = multislice_kernel(x, k, far, decay, threshold).toarray()
    np.testing.assert_allclose(kernel, naive_kernel(x, k, far, decay, threshold), rtol=1e-10, atol=1e-14)


def test_kernel_is_symmetric_not_negative_and_joins_only_what_it_should() -> None:
    x = drifting()
    times, items, _ = x.shape
    kernel = multislice_kernel(x, 2, 5).toarray()
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-15)
    assert kernel.min() >= 0
    assert kernel.max() == 1
    np.testing.assert_array_equal(np.diag(kernel), 1)
    time, item = np.divmod(np.arange(times * items), items)
    strangers = (time[:, None] != time) & (item[:, None] != item)
    assert not kernel[strangers].any()
    assert (kernel[(time[:, None] != time) & (item[:, None] == item)] > 0).all()


def test_kernel_does_not_see_where_the_data_lie() -> None:
    """Translation, rotation and scale of the features; relabelling items permutes it."""
    x = drifting()
    kernel = multislice_kernel(x, 2, 5).toarray()
    generator = np.random.default_rng(1)
    turn = np.linalg.qr(generator.normal(size=(x.shape[2], x.shape[2])))[0]
    for moved in (x + generator.normal(size=x.shape[2]), x @ turn, 3.7 * x):
        np.testing.assert_allclose(multislice_kernel(moved, 2, 5).toarray(), kernel, rtol=1e-8, atol=1e-12)
    order = generator.permutation(x.shape[1])
    places = (np.arange(x.shape[0])[:, None] * x.shape[1] + order).ravel()
    np.testing.assert_allclose(multislice_kernel(x[:, order], 2, 5).toarray(), kernel[np.ix_(places, places)], rtol=1e-10)


def test_standardising_takes_out_level_and_size_and_leaves_constants_alone() -> None:
    x = drifting()
    z = standardised(x)
    np.testing.assert_allclose(z.mean(axis=2), 0, atol=1e-12)
    np.testing.assert_allclose(z.std(axis=2), 1, rtol=1e-12)
    np.testing.assert_allclose(standardised(4 * x + 3), z, rtol=1e-9, atol=1e-12)
    assert not standardised(np.full((2, 3, 4), 0.1)).any()


def test_coinciding_items_are_fully_alike_and_a_frozen_item_is_like_itself() -> None:
    x = np.repeat(drifting(1, 6, 3), 8, axis=0)
    x[:, 1:4] = x[:, :1]
    kernel = multislice_kernel(x, 2, 3).toarray()
    assert np.isfinite(kernel).all()
    np.testing.assert_array_equal(kernel[:4, :4], 1)
    assert kernel[0, 6] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"intraslice_neighbours": 7}, "intraslice_neighbours = 7: must be from 1 to 6"),
        ({"interslice_neighbours": 12}, "interslice_neighbours = 12: must be from 1 to 11"),
        ({"interslice_neighbours": 0}, "interslice_neighbours = 0"),
    ],
)
def test_too_few_neighbours_are_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        multislice_kernel(drifting(), **arguments)  # type: ignore[arg-type]


def test_numbers_that_are_not_finite_are_refused() -> None:
    x = drifting()
    x[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        multislice_kernel(x, 2, 5)


@pytest.mark.parametrize("steps", [0, 1, 7])
def test_the_walk_is_the_power_of_the_row_normalised_kernel(steps: int) -> None:
    kernel = multislice_kernel(drifting(), 2, 5).toarray()
    transitions = kernel / kernel.sum(axis=1, keepdims=True)
    after = walk(kernel).after(steps)
    np.testing.assert_allclose(after, np.linalg.matrix_power(transitions, steps), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(after.sum(axis=1), 1, rtol=1e-10)
    assert after.min() >= 0


def test_entropy_falls_from_all_states_to_one_and_its_knee_is_found() -> None:
    found = walk(multislice_kernel(drifting(), 2, 5).toarray())
    entropy = entropies(found.values, 3000)
    sizes = np.abs(found.values)
    shares = sizes**3 / (sizes**3).sum()
    assert entropy[0] == pytest.approx(np.log(len(sizes)))
    assert entropy[3] == pytest.approx(-(shares * np.log(shares)).sum(), rel=1e-9)
    assert (np.diff(entropy) <= 1e-12).all()
    assert entropy[-1] < 0.05 * entropy[0]
    at = np.arange(30)
    assert knee(np.where(at < 9, 20 - 2.0 * at, 2.0 - 0.01 * (at - 9))) == 9


def test_landmark_affinities_are_those_of_the_walk_from_cluster_to_cluster() -> None:
    kernel = multislice_kernel(drifting(20, 8), 2, 5)
    affinities, onto = landmark_affinities(kernel, 30)
    assert affinities.shape == (30, 30)
    np.testing.assert_allclose(onto.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(affinities, affinities.T, atol=1e-12)
    dense = kernel.toarray()
    np.testing.assert_allclose(affinities.sum(), dense.sum(), rtol=1e-12)
    every, onto_itself = landmark_affinities(kernel, 160)  # a cluster per point: two steps of the plain walk
    assert every.shape == (160, 160)
    transitions = dense / dense.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.sort(onto_itself, axis=1), np.sort(transitions, axis=1), atol=1e-12)
    squares = np.linalg.eigvals(transitions).real ** 2
    np.testing.assert_allclose(walk(every).values, np.sort(squares), atol=1e-9)


def test_potentials_are_the_two_published_ones() -> None:
    np.testing.assert_allclose(potentials(np.array([0.0, 0.25]), "square_root"), [0, 1])
    np.testing.assert_allclose(potentials(np.array([0.0, 0.25]), "log"), [-np.log(1e-7), -np.log(0.25 + 1e-7)])


def test_metric_scaling_recovers_a_plane_and_lowers_the_stress_of_what_is_not_one() -> None:
    generator = np.random.default_rng(0)
    plane = squareform(pdist(generator.normal(size=(40, 2)) @ generator.normal(size=(2, 6))))
    places, stress = metric_scaling(plane, 2)
    np.testing.assert_allclose(squareform(pdist(places)), plane, rtol=1e-6, atol=1e-8)
    assert stress < 1e-12
    solid = squareform(pdist(generator.normal(size=(40, 6))))
    stresses = [metric_scaling(solid, 2, rounds)[1] for rounds in (1, 5, 50)]
    assert stresses[0] > stresses[1] > stresses[2]
    places, _ = metric_scaling(solid, 2)
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-12)


def procrustes(a: Array, b: Array) -> float:
    """Share of the spread of one configuration that the best rotation, mirror image and scale of another does not explain."""
    a, b = ((x.reshape(-1, x.shape[-1]) - x.reshape(-1, x.shape[-1]).mean(axis=0)) for x in (a, b))
    return float(1 - np.linalg.svd(a.T @ b)[1].sum() ** 2 / ((a**2).sum() * (b**2).sum()))


def parting(times: int = 30, items: int = 12) -> tuple[Array, Array]:
    """Two kinds of items that start alike and part."""
    generator = np.random.default_rng(2)
    kinds = np.arange(items) % 2
    directions = generator.normal(size=(2, 40))[kinds]
    ramp = np.linspace(0, 1, times)[:, None, None]
    common = generator.normal(size=40)
    return common + 2 * ramp * directions + 0.15 * generator.normal(size=(times, items, 40)), kinds


def test_two_kinds_that_part_are_two_groups_at_the_end() -> None:
    x, kinds = parting()
    for settings in (Settings(interslice_neighbours=5), Settings(interslice_neighbours=5, potential="log")):
        found = mphate(x, settings)
        assert found.coordinates.shape == (30, 12, 2)
        assert found.landmarks == 360
        groups = kmeans_groups(found.coordinates[-1], 2)
        assert groups is not None
        assert adjusted_rand(kinds, groups) == 1
        ends = np.linalg.norm(np.diff([found.coordinates[-1, kinds == kind].mean(axis=0) for kind in (0, 1)], axis=0))
        starts = np.linalg.norm(np.diff([found.coordinates[0, kinds == kind].mean(axis=0) for kind in (0, 1)], axis=0))
        assert ends > 2 * starts


@pytest.mark.parametrize("potential", ["square_root", "log"])
def test_items_that_move_along_a_line_stay_in_order(potential: Potential) -> None:
    """Time is a line: an arc in the right order at the knee, where far points are all equally far, and straight later."""
    generator = np.random.default_rng(3)
    direction = generator.normal(size=20)
    x = np.linspace(0, 10, 40)[:, None, None] * direction + 0.05 * generator.normal(size=(40, 4, 20))
    settings = Settings(interslice_neighbours=4, standardise=False, potential=potential)
    places = mphate(x, settings).coordinates.mean(axis=1)
    apart = squareform(pdist(places)) + np.diag(np.full(40, np.inf))
    assert (np.abs(apart.argmin(axis=1) - np.arange(40)) == 1).all()
    later = mphate(x, replace(settings, steps=50))
    assert abs(spearmanr(later.coordinates.mean(axis=1)[:, 0], np.arange(40))[0]) == pytest.approx(1)
    assert later.stress < 1e-5


def test_landmarks_draw_nearly_the_same_picture() -> None:
    x, _ = parting(40)
    exact = mphate(x, Settings(interslice_neighbours=5, steps=8))
    quick = mphate(x, Settings(interslice_neighbours=5, steps=4, landmarks=240))  # a landmark step is two steps
    assert (exact.landmarks, quick.landmarks) == (480, 240)
    assert procrustes(exact.coordinates, quick.coordinates) < 0.05


def test_the_picture_is_the_same_whatever_the_units_and_the_call() -> None:
    x, _ = parting()
    settings = Settings(interslice_neighbours=5)
    first = mphate(x, settings)
    np.testing.assert_array_equal(mphate(x, settings).coordinates, first.coordinates)
    assert procrustes(mphate(5 * x + 1, settings).coordinates, first.coordinates) < 1e-6


def test_a_point_without_affinities_is_refused() -> None:
    with pytest.raises(ValueError, match="affinity above 0"):
        walk(sparse.csr_matrix((3, 3)).toarray())
