"""Pooling over data sets: a published example, brute force, and the limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from study.statistics.pooling import pool, pool_correlations, reml

# Log risk ratios and their variances of thirteen trials of a vaccine (Colditz et al. 1994), an example of many textbooks.
VALUES = np.array(
    [-0.8893, -1.5854, -1.3481, -1.4416, -0.2175, -0.7861, -1.6209, 0.0120, -0.4694, -1.3713, -0.3394, 0.4459, -0.0173]
)
VARIANCES = np.array([0.3256, 0.1946, 0.4154, 0.0200, 0.0512, 0.0069, 0.2230, 0.0040, 0.0564, 0.0730, 0.0124, 0.5325, 0.0714])


def test_a_published_example() -> None:
    found = pool(VALUES, np.sqrt(VARIANCES))
    assert found is not None
    assert found.tau2 == pytest.approx(0.3132, abs=2e-3)
    assert found.mean == pytest.approx(-0.7145, abs=1e-3)
    assert (found.high - found.low) / 2 / student.ppf(0.975, 12) == pytest.approx(0.1807, abs=1e-3)


def test_reml_is_the_largest_restricted_likelihood() -> None:
    """Written with the determinant of the contrasts' covariance, on a fine grid."""
    generator = np.random.default_rng(0)
    errors = generator.uniform(0.05, 0.15, 6)
    values = generator.normal(0.5, 0.2, 6) + errors * generator.normal(size=6)
    contrasts = np.linalg.svd(np.ones((1, 6)))[2][1:]

    def loss(tau2: float) -> float:
        covariance = contrasts @ np.diag(errors**2 + tau2) @ contrasts.T
        return float(np.linalg.slogdet(covariance)[1] + (contrasts @ values) @ np.linalg.solve(covariance, contrasts @ values))

    grid = np.linspace(0, 0.2, 20_001)
    assert reml(values, errors) == pytest.approx(grid[np.argmin([loss(t) for t in grid])], abs=2e-5)


def test_limits() -> None:
    same = pool(np.full(4, 0.3), np.full(4, 0.1))
    assert same is not None
    assert same.tau2 == 0
    assert same.mean == pytest.approx(0.3)
    assert same.low == pytest.approx(same.high)
    exact = pool(np.array([0.1, 0.3, 0.5]), np.full(3, 1e-6))
    assert exact is not None
    assert exact.tau2 == pytest.approx(0.04, rel=1e-4)
    assert exact.high - exact.mean == pytest.approx(student.ppf(0.975, 2) * 0.2 / np.sqrt(3), rel=1e-4)
    assert exact.predicted_high > exact.high
    assert pool(np.array([0.1, 0.2]), np.ones(2)) is None
    assert pool(np.array([0.1, 0.2, np.nan]), np.ones(3)) is None
    assert pool_correlations(np.array([0.1, 1.0, 0.2]), np.ones(3)) is None
    back = pool_correlations(np.tanh([0.1, 0.3, 0.5]), np.full(3, 1e-6))
    assert back is not None
    assert back.mean == pytest.approx(np.tanh(0.3))
    assert -1 < back.predicted_low < back.low < back.mean


def test_intervals_cover_the_mean_and_the_next_data_set() -> None:
    generator, means, others = np.random.default_rng(1), 0, 0
    for _ in range(600):
        errors = generator.uniform(0.06, 0.1, 5)
        values = generator.normal(0.6, 0.15, 5) + errors * generator.normal(size=5)
        found = pool(values, errors)
        assert found is not None
        means += found.low <= 0.6 <= found.high
        others += found.predicted_low <= generator.normal(0.6, 0.15) <= found.predicted_high
    assert 0.92 < means / 600 < 0.98
    assert others / 600 > 0.92
