"""Leading vectors against full decompositions, silhouettes against their definition, estimators against invariances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from pntk.curriculum import Phase
from pntk.data import draw_phase_data
from pntk.kernels.multitask import entk, ntk_diagonal
from pntk.network import base_networks, scaled
from pntk.structure.silhouette import ESTIMATORS, Clustering, Start, silhouette, silhouettes, starts
from pntk.structure.spectra import dominant_eigenvector, leading_eigenvectors, leading_singular, unsorted_first_eigenvector
from pntk.tasks import Environment, encode
from tests.oracles import naive_silhouette

ENVIRONMENT = Environment()


def start(scale: float = 1.0, layers: str = "hidden", seed: int = 0, size: int = 150) -> Start:
    data = draw_phase_data(ENVIRONMENT, Phase("single", (1.0,), 1, 0.01), seed, size, size)
    networks = scaled(base_networks(ENVIRONMENT, 40, [seed]), scale, layers)  # type: ignore[arg-type]
    arrays = (encode(ENVIRONMENT, data.test)[0], *encode(ENVIRONMENT, data.train))
    return Start(networks, *(torch.from_numpy(array) for array in arrays))


def aligned(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs((a * b).sum(axis=-1))


@pytest.mark.parametrize("together", [False, True])
def test_leading_vectors_equal_full_decompositions(together: bool) -> None:
    kernels = start(10).entk
    left, values, right = (part.numpy() for part in leading_singular(torch.from_numpy(kernels), together))
    for k, kernel in enumerate(kernels):
        u, s, v = np.linalg.svd(kernel)
        assert values[k] == pytest.approx(s[0], rel=1e-10)
        assert aligned(left[k], u[:, 0]) == pytest.approx(1, abs=1e-8)
        assert aligned(right[k], v[0]) == pytest.approx(1, abs=1e-8)
    symmetric = start(10).ntk[0]
    vectors = leading_eigenvectors(symmetric, 3)
    expected = np.linalg.eigh(symmetric)[1][:, ::-1][:, :3]
    np.testing.assert_allclose(aligned(vectors.T, expected.T), 1, atol=1e-8)


def test_a_matrix_of_zeros_has_zero_vectors() -> None:
    left, values, right = leading_singular(torch.zeros(2, 4, 5, dtype=torch.float64))
    assert (left.shape, values.shape, right.shape) == ((2, 4), (2,), (2, 5))
    assert not left.any()
    assert not values.any()
    assert not right.any()
    assert not leading_eigenvectors(np.zeros((4, 4)), 2).any()


@pytest.mark.parametrize("together", [False, True])
def test_singular_values_close_together_and_broken_matrices_are_settled_too(together: bool) -> None:
    rng = np.random.default_rng(0)
    u, v = (np.linalg.qr(rng.normal(size=(n, 4)))[0] for n in (30, 20))
    close, clear = ((u * s) @ v.T for s in ((1, 0.9999, 0.5, 0.1), (1, 0.1, 0.1, 0.1)))
    stack = torch.from_numpy(np.stack([close, clear, np.full_like(close, np.nan)]))
    left, values, right = (part.numpy() for part in leading_singular(stack, together))
    np.testing.assert_allclose(values[:2], 1, rtol=1e-10)
    np.testing.assert_allclose(aligned(left[:2], np.stack([u[:, 0]] * 2)), 1, atol=1e-8)
    np.testing.assert_allclose(aligned(right[:2], np.stack([v[:, 0]] * 2)), 1, atol=1e-8)
    assert np.isnan(right[2]).all()


def test_a_block_measured_together_as_on_other_devices_has_the_same_vectors() -> None:
    single = [start(10, seed=seed) for seed in (0, 1, 2)]
    networks = scaled(base_networks(ENVIRONMENT, 40, [0, 1, 2]), 10, "hidden")
    stacks = [torch.stack([getattr(s, name) for s in single]) for name in ("test_inputs", "train_inputs", "train_targets")]
    for ours, expected in zip(starts(networks, *stacks, together=True), single, strict=True):
        assert ours.known_singular is not None
        for part in (0, 2):
            np.testing.assert_allclose(aligned(ours.singular[part], expected.singular[part]), 1, atol=1e-8)
        np.testing.assert_allclose(ours.singular[1], expected.singular[1], rtol=1e-9)
    assert starts(networks, *stacks)[0].known_singular is None


def test_start_kernels_repeat_entries_of_repeated_patterns() -> None:
    s = start(10)
    assert len(np.unique(s.train_inputs.numpy(), axis=0)) < len(s.train_inputs)
    full = entk(s.networks, s.test_inputs, s.train_inputs, s.train_targets)[0].transpose(0, 1).numpy()
    np.testing.assert_allclose(s.entk, full, rtol=1e-10, atol=1e-15)
    unweighted = ntk_diagonal(s.networks, s.train_inputs, s.train_inputs)[0].transpose(0, 1).numpy()
    np.testing.assert_allclose(s.ntk, unweighted, rtol=1e-10, atol=1e-15)


def test_silhouette_equals_its_definition_and_is_undefined_without_groups() -> None:
    features = np.random.default_rng(0).normal(size=(60, 4))
    labels = KMeans(5, n_init=3, random_state=1).fit_predict(features)
    assert silhouette(features, Clustering(5, 3, 1)) == pytest.approx(naive_silhouette(features, labels), rel=1e-10)
    assert np.isnan(silhouette(np.ones((60, 4)), Clustering()))
    assert np.isnan(silhouette(np.full((60, 4), np.nan), Clustering()))
    groups = np.repeat(np.eye(12), 5, axis=0)
    assert silhouette(groups, Clustering()) == pytest.approx(1)


def test_silhouettes_ignore_the_signs_of_eigenvectors() -> None:
    features = ESTIMATORS["svd_right"](start())
    signs = np.where(np.arange(features.shape[1]) % 2, -1.0, 1.0)
    assert silhouette(features * signs, Clustering()) == pytest.approx(silhouette(features, Clustering()), abs=1e-9)


def test_singular_readings_ignore_the_order_of_test_patterns_and_the_faithful_one_need_not() -> None:
    s = start(10)
    order = torch.randperm(len(s.test_inputs), generator=torch.Generator().manual_seed(0))
    shuffled = Start(s.networks, s.test_inputs[order], s.train_inputs, s.train_targets)
    np.testing.assert_allclose(aligned(ESTIMATORS["svd_right"](s).T, ESTIMATORS["svd_right"](shuffled).T), 1, atol=1e-8)
    assert aligned(ESTIMATORS["eig"](s).T, ESTIMATORS["eig"](shuffled).T).min() < 0.999


def test_every_estimator_gives_a_row_per_pattern_and_a_silhouette() -> None:
    s = start()
    for name, estimator in ESTIMATORS.items():
        features = estimator(s)
        assert features.shape[0] == 150
        assert features.shape[1] == (24 if name == "inputs" else 9)
    values = silhouettes(s, tuple(ESTIMATORS), Clustering())
    assert all(-1 <= value <= 1 for value in values.values())
    assert set(values) == set(ESTIMATORS)


def test_faithful_reading_is_column_zero_of_the_transposed_kernel() -> None:
    s = start(10)
    for kernel, found in zip(s.entk, ESTIMATORS["eig"](s).T, strict=True):
        expected = np.linalg.eig(kernel.T)[1][:, 0].real
        np.testing.assert_allclose(found * np.sign(found @ expected), expected, rtol=0, atol=1e-11)
    uneven = Start(s.networks, s.test_inputs[:100], s.train_inputs, s.train_targets)
    with pytest.raises(ValueError, match="as many test as training"):
        ESTIMATORS["eig"](uneven)


@pytest.mark.parametrize(("scale", "layers"), [(1, "hidden"), (10, "hidden"), (10, "both"), (0.1, "hidden")])
def test_a_dominant_eigenvector_alone_is_column_zero_of_all(scale: float, layers: str) -> None:
    found = pairs = 0
    for seed in (0, 1):
        for kernel in start(scale, layers, seed).entk:
            values, vectors = np.linalg.eig(kernel.T)
            alone = dominant_eigenvector(kernel.T)
            if alone is None:
                continue
            found, pairs = found + 1, pairs + bool(values[0].imag)
            expected = vectors[:, 0].real
            np.testing.assert_allclose(alone * np.sign(alone @ expected), expected, rtol=0, atol=1e-11)
    assert found >= 14
    assert pairs > 0


def test_an_eigenvector_that_may_not_be_column_zero_is_left_to_the_full_decomposition() -> None:
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(40, 40))
    close = basis @ np.diag([1, 0.9, *np.linspace(0.1, 0.01, 38)]) @ np.linalg.inv(basis)
    clear = basis @ np.diag([1, 0.5, *np.linspace(0.1, 0.01, 38)]) @ np.linalg.inv(basis)
    split = np.block([[0.1 * clear[:20, :20], np.zeros((20, 20))], [np.zeros((20, 20)), clear[:20, :20]]])
    assert dominant_eigenvector(clear) is not None
    for matrix in (close, split, np.triu(clear), np.full((4, 4), np.nan), np.zeros((4, 4)), np.ones((1, 1))):
        assert dominant_eigenvector(matrix) is None
    np.testing.assert_array_equal(unsorted_first_eigenvector(split), np.linalg.eig(split)[1][:, 0].real)
    slow = rng.normal(size=(300, 300))  # its eigenvalues fill a circle: none is far above the others
    np.testing.assert_array_equal(unsorted_first_eigenvector(slow), np.linalg.eig(slow)[1][:, 0].real)


def test_controls_know_nothing_of_the_weights() -> None:
    standard, large = (silhouettes(start(scale), ("inputs", "input_gram"), Clustering()) for scale in (1, 10))
    assert standard == large


def test_small_weights_group_patterns_more_than_large_ones() -> None:
    """The effect that the study is about, for both scalings, on the largest reading that does not depend on order."""
    clustering = Clustering()
    standard = silhouettes(start(1, size=300), ("svd_right",), clustering)["svd_right"]
    for layers in ("hidden", "both"):
        assert standard > silhouettes(start(10, layers, size=300), ("svd_right",), clustering)["svd_right"]
