"""Do groups predicted before training come true? Adjusted Rand indices over time, with their chance level.

Predicted: k-means on the leading eNTK vectors at t = 0, averaged over the patterns of each task or input feature (source
study, figures 8 and 9). Found: k-means on hidden activity, or on any embedding of it, at each snapshot. Controls: the same
prediction from the one-hot inputs, which knows nothing of the network, and permuted predictions, which know nothing at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from pntk.structure.groups import Array, Labels, group_means


@dataclass(frozen=True)
class Agreement:
    """Adjusted Rand indices at T snapshots beside what permuted predictions reach.

    Attributes:
        index: (T,) adjusted Rand index of predicted and found groups; NaN where nothing could be grouped.
        chance_mean: (T,) mean over permutations of the predicted labels; its expectation is 0.
        chance_high: (T,) their 95th percentile.
        p: (T,) share of permutations that agree at least as well, the observed one included; each snapshot by itself.
        p_peak: the same for the largest index over all snapshots, which pays for having looked at all of them.
    """

    index: Array
    chance_mean: Array
    chance_high: Array
    p: Array
    p_peak: float


def adjusted_rand(first: Labels, second: Labels) -> Array:
    """Adjusted Rand index (Hubert & Arabie 1985) of labels of the same n items; leading axes broadcast.

    Args:
        first, second: (..., n) labels from 0.

    Returns:
        (...): 1 for the same partition, 0 expected by chance. Two partitions that are both trivial (one group, or every item
        alone) are the same one, so 1.
    """

    def one_hot(labels: Labels) -> Array:
        return (labels[..., None] == np.arange(labels.max(initial=0) + 1)).astype(np.float64)

    def pairs(counts: Array) -> Array:
        return counts * (counts - 1) / 2

    first_hot, second_hot = one_hot(np.asarray(first)), one_hot(np.asarray(second))
    together = pairs(np.swapaxes(first_hot, -1, -2) @ second_hot).sum(axis=(-1, -2))
    in_first, in_second = (pairs(hot.sum(axis=-2)).sum(axis=-1) for hot in (first_hot, second_hot))
    items = first_hot.shape[-2]
    expected = in_first * in_second / max(1, items * (items - 1) // 2)
    room = (in_first + in_second) / 2 - expected
    return np.where(room == 0, 1.0, (together - expected) / np.where(room == 0, 1.0, room))


def kmeans_groups(features: Array, clusters: int, restarts: int = 10, random_state: int = 10) -> Labels | None:
    """K-means groups of the rows of (n, F) features, (n,); None where a feature is not finite or too few rows differ."""
    if not np.isfinite(features).all() or len(np.unique(features, axis=0)) < clusters:
        return None
    labels = KMeans(clusters, n_init=restarts, random_state=random_state).fit_predict(features)
    return np.asarray(labels, dtype=np.int64)


def predicted_groups(vectors: Array, labels: Labels, groups: int, clusters: int) -> Labels | None:
    """Groups of tasks or input features predicted from kernel vectors at t = 0.

    Args:
        vectors: (R, N) a vector over the training patterns per output, such as `Start.singular[2]`.
        labels: (N,) the group of each pattern, see `pntk.structure.groups.memberships`.
        groups: how many groups there are.
        clusters: into how many sets they are put.

    Returns:
        (groups,) labels from k-means on the group means of the entries' absolute values, which no sign flip changes (source
        study, figure 8); None where they cannot be grouped.
    """
    return kmeans_groups(group_means(np.abs(vectors).T, labels, groups), clusters)


def onehot_groups(inputs: Array, labels: Labels, groups: int, clusters: int) -> Labels | None:
    """Control for `predicted_groups`: the same of (N, X) one-hot inputs instead of kernel vectors."""
    return kmeans_groups(group_means(inputs, labels, groups), clusters)


def found_groups(snapshots: Array, clusters: int) -> list[Labels | None]:
    """K-means groups at each of (T, n, F) snapshots of group means or embedding coordinates."""
    return [kmeans_groups(snapshot, clusters) for snapshot in snapshots]


def agreement(predicted: Labels, found: list[Labels | None], permutations: int, generator: np.random.Generator) -> Agreement:
    """Adjusted Rand index of one prediction with the groups found at every snapshot.

    The same permutations serve all snapshots, so that the null of the largest index keeps the snapshots' dependence.

    Args:
        predicted: (n,) labels.
        found: T label arrays (n,), None where a snapshot could not be grouped.
        permutations: of the predicted labels.

    Raises:
        ValueError: not one permutation, or labels of different lengths.
    """
    if permutations < 1:
        raise ValueError(f"permutations = {permutations}: must be at least 1")
    if any(labels is not None and labels.shape != predicted.shape for labels in found):
        raise ValueError(f"found groups must label the same {len(predicted)} items as the predicted ones")
    orders = np.argsort(generator.random((permutations, len(predicted))), axis=1)
    shuffled = predicted[orders]
    observed, null = np.full(len(found), np.nan), np.full((permutations, len(found)), np.nan)
    for t, labels in enumerate(found):
        if labels is not None:
            observed[t] = float(adjusted_rand(predicted, labels))
            null[:, t] = adjusted_rand(shuffled, labels)
    return _against_chance(observed, null)


def _against_chance(observed: Array, null: NDArray[np.float64]) -> Agreement:
    seen = np.isfinite(observed)
    mean, high, p = (np.full(len(observed), np.nan) for _ in range(3))
    mean[seen], high[seen] = null[:, seen].mean(axis=0), np.quantile(null[:, seen], 0.95, axis=0)
    slack = 1e-12  # equal indices differ in the last digits, depending on the order of the sums
    p[seen] = (1 + (null[:, seen] >= observed[seen] - slack).sum(axis=0)) / (1 + len(null))
    if not seen.any():
        return Agreement(observed, mean, high, p, float("nan"))
    peaks = null[:, seen].max(axis=1)
    p_peak = (1 + int((peaks >= observed[seen].max() - slack).sum())) / (1 + len(null))
    return Agreement(observed, mean, high, p, p_peak)
