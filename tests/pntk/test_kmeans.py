"""k-means of all starts at once against scikit-learn, start by start, and silhouettes against its own."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import euclidean_distances, silhouette_score

from pntk.structure import silhouette as measures
from pntk.structure.kmeans import Labels, _best, _same_groups, together
from pntk.structure.silhouette import Clustering, mean_silhouette, plain_silhouette, silhouettes_again

STATES = (10, 11, 12)


def expected_labels(features: np.ndarray, clusters: int, restarts: int, state: int) -> Labels:
    return KMeans(clusters, n_init=restarts, random_state=state).fit_predict(features).astype(np.int64)


def tight_groups(rng: np.random.Generator) -> np.ndarray:
    """Nine groups of near neighbours, a third of the patterns drawn twice."""
    rows = rng.normal(size=(9, 4))[rng.integers(9, size=100)] + rng.normal(scale=0.02, size=(100, 4))
    return np.concatenate([rows, rows[:33]])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("clusters", [2, 9, 12])
def test_labels_are_those_of_scikit_learn(seed: int, clusters: int) -> None:
    rng = np.random.default_rng(seed)
    for features in (rng.normal(size=(90, 3)), tight_groups(rng), 1e-6 * rng.normal(size=(200, 5)) * [1, 5, 9, 1, 1] + 3):
        found = together(features, clusters, 5, STATES)
        for labels, state in zip(found, STATES, strict=True):
            assert labels is not None
            assert _same_groups(labels, expected_labels(features, clusters, 5, state))


def test_what_rounding_decides_is_left_to_scikit_learn() -> None:
    corners = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3)  # each has neighbours equally far away
    assert together(corners, 5, 4, STATES) == [None] * 3
    clustering = Clustering(5, 4, 10)
    assert silhouettes_again(corners, clustering, STATES) == [
        plain_silhouette(corners, Clustering(5, 4, state)) for state in STATES
    ]
    labels = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 0, 0]])
    assert _best(labels, np.array([1.0, 1.0 + 1e-15, 2.0]), 1e-12) is None  # two ways to group are as good
    assert _best(labels, np.array([1.0, 3.0, 1.0 + 1e-15]), 1e-12) is not None  # the same way, other numbers


def test_too_many_patterns_are_left_to_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    features = tight_groups(np.random.default_rng(0))
    monkeypatch.setattr("pntk.structure.kmeans.MOST_PATTERNS", 100)
    assert together(features, 9, 5, [10]) == [None]


def test_silhouettes_from_one_matrix_of_distances_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    features = np.concatenate([tight_groups(rng), [[9.0, 9, 9, 9]]])  # the last is a group of its own
    expected = [plain_silhouette(features, Clustering(10, 5, state)) for state in STATES]
    monkeypatch.setattr(measures, "KMeans", None)  # all of it by the fast path
    found = silhouettes_again(features, Clustering(10, 5, 10), STATES)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    labels = rng.integers(7, size=len(features))
    of_any = mean_silhouette(euclidean_distances(features), labels)
    assert of_any == pytest.approx(float(silhouette_score(features, labels)), rel=1e-10)
