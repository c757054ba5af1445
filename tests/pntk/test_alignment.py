"""Kernel measures against loops over entries, and their limits and invariances."""

from __future__ import annotations

import numpy as np
import pytest

from pntk.structure.alignment import centred, cka, cosine, target_alignment, velocity
from pntk.structure.rank import effective_rank

M = 12


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def kernel(rng: np.random.Generator, size: int = M, rank: int = 5) -> np.ndarray:
    features = rng.normal(size=(size, rank)) + 0.5
    return features @ features.T


def naive_cosine(a: np.ndarray, b: np.ndarray) -> float:
    entries = [(i, j) for i in range(len(a)) for j in range(len(a))]
    product, size_a, size_b = (sum(x[e] * y[e] for e in entries) for x, y in ((a, b), (a, a), (b, b)))
    return float(product / (size_a * size_b) ** 0.5)


def test_cosine_and_alignment_equal_loops_over_entries(rng: np.random.Generator) -> None:
    a, b, targets = kernel(rng), kernel(rng), rng.normal(size=(M, 3))
    assert cosine(a, b) == pytest.approx(naive_cosine(a, b), rel=1e-12)
    ideal = sum(np.outer(y, y) for y in targets.T)
    assert target_alignment(a, targets) == pytest.approx(naive_cosine(a, ideal), rel=1e-12)


def test_alignment_of_one_output_is_the_formula_of_the_theory(rng: np.random.Generator) -> None:
    a, y = kernel(rng), rng.normal(size=M)
    expected = sum(y[i] * a[i, j] * y[j] for i in range(M) for j in range(M)) / (np.sqrt((a**2).sum()) * (y**2).sum())
    assert target_alignment(a, y[:, None]) == pytest.approx(expected, rel=1e-12)


def test_cka_is_the_hilbert_schmidt_criterion_of_centred_features(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(M, 4)) + 3, rng.normal(size=(M, 6)) - 2
    x0, y0 = x - x.mean(axis=0), y - y.mean(axis=0)
    expected = (np.linalg.norm(x0.T @ y0) ** 2) / (np.linalg.norm(x0.T @ x0) * np.linalg.norm(y0.T @ y0))
    assert cka(x @ x.T, y @ y.T) == pytest.approx(expected, rel=1e-12)
    centring = np.eye(M) - 1 / M
    np.testing.assert_allclose(centred(x @ x.T), centring @ x @ x.T @ centring, atol=1e-12)


def test_limits(rng: np.random.Generator) -> None:
    a, targets = kernel(rng), rng.normal(size=(M, 3))
    assert cka(a, a) == pytest.approx(1)
    assert cosine(a, a) == pytest.approx(1)
    assert target_alignment(targets @ targets.T, targets) == pytest.approx(1)
    assert target_alignment(np.diag([1.0, 0, 0]), np.array([[0.0], [1], [1]])) == 0
    assert cosine(np.diag([1.0, 0]), np.diag([0.0, 1])) == 0
    assert np.isnan(cosine(a, np.zeros_like(a)))
    assert np.isnan(target_alignment(np.zeros_like(a), targets))


def test_scale_and_rotation_leave_all_measures_alone_and_a_shift_of_features_cka(rng: np.random.Generator) -> None:
    x, y, targets = rng.normal(size=(M, 4)), rng.normal(size=(M, 4)), rng.normal(size=(M, 3))
    a, b = x @ x.T, y @ y.T
    turn = np.linalg.qr(rng.normal(size=(M, M)))[0]
    turned = [turn @ k @ turn.T for k in (a, b)]
    assert cosine(*turned) == pytest.approx(cosine(a, b))
    assert target_alignment(turned[0], turn @ targets) == pytest.approx(target_alignment(a, targets))
    assert effective_rank(turned[0]) == pytest.approx(effective_rank(a))
    assert velocity(*turned, 3, 7) == pytest.approx(velocity(a, b, 3, 7))
    assert cosine(3 * a, b) == pytest.approx(cosine(a, b))
    assert cka(3 * a, b) == pytest.approx(cka(a, b))
    assert target_alignment(3 * a, targets) == pytest.approx(target_alignment(a, targets))
    assert effective_rank(3 * a) == pytest.approx(effective_rank(a))
    assert velocity(3 * a, 3 * b, 3, 7) == pytest.approx(velocity(a, b, 3, 7))
    shifted = (x + 5) @ (x + 5).T
    assert cka(shifted, b) == pytest.approx(cka(a, b))
    assert abs(cosine(shifted, b) - cosine(a, b)) > 0.01


def test_effective_rank_counts_equal_directions(rng: np.random.Generator) -> None:
    assert effective_rank(np.eye(7)) == pytest.approx(7)
    y = rng.normal(size=M)
    assert effective_rank(np.outer(y, y)) == pytest.approx(1, abs=1e-6)
    assert effective_rank(np.diag([2.0, 2.0, 0, 0])) == pytest.approx(2)
    shares = np.array([0.7, 0.2, 0.1])
    assert effective_rank(np.diag(5 * shares)) == pytest.approx(np.prod(shares**-shares), rel=1e-12)
    assert np.isnan(effective_rank(np.zeros((3, 3))))


def test_velocity_is_change_over_size_per_logarithm_of_the_step(rng: np.random.Generator) -> None:
    a = kernel(rng)
    assert velocity(a, 1.5 * a, 0, 1) == pytest.approx(0.5 / np.log(2))
    assert velocity(a, 1.5 * a, 99, 199) == pytest.approx(0.5 / np.log(2))
    assert velocity(a, a, 3, 9) == 0
    assert np.isnan(velocity(a, a, 3, 3))
