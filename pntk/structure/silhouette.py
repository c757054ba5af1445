"""Silhouette estimators: readings of the t = 0 kernels as a feature vector per pattern, clustered and scored.

The source study stacks one eigenvector per output as the features of each training pattern, runs k-means with 12 groups
and takes the silhouette: high where patterns fall into groups (shared representations), low where each goes its own way.
Its reading, column 0 of an unsorted eigendecomposition (`eig`), is not invariant to the order of the test patterns;
singular vectors are. Every reading is an estimator with a name, so that they can be reported side by side, next to
controls that know nothing of the loss (`ntk`) or of the network (`inputs`, `input_gram`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import euclidean_distances, silhouette_score
from torch import Tensor

from pntk.kernels.multitask import entk, ntk_diagonal
from pntk.network import Networks
from pntk.structure.kmeans import together
from pntk.structure.spectra import leading_eigenvectors, leading_singular, unsorted_first_eigenvector

Array = NDArray[np.float64]

KERNELS_AT_ONCE = 16  # networks whose eNTKs are in memory at once: 18 MB each at 500 x 9 x 500


@dataclass(frozen=True)
class Clustering:
    """Settings of k-means; the defaults are the source study's."""

    clusters: int = 12
    restarts: int = 10
    random_state: int = 10


def _distinct(patterns: Tensor) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that hold the distinct patterns, and for every pattern the place of its like among them."""
    _, rows, again = np.unique(patterns.cpu().numpy(), axis=0, return_index=True, return_inverse=True)
    return rows, again.reshape(-1)


def _repeat(kernel: Tensor, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Array:
    """An (N', R, M') kernel of distinct patterns as (R, N, M) over all of them: repeated patterns repeat its entries."""
    distinct = kernel.transpose(0, 1).cpu().numpy()
    repeated = np.empty((len(distinct), len(rows), len(columns)))
    for matrix, out in zip(distinct, repeated, strict=True):
        np.take(matrix[rows], columns, axis=1, out=out)
    return repeated


@dataclass(frozen=True)
class Start:
    """One network before training, with the patterns it is measured on. Kernels are computed when first asked for.

    Attributes:
        networks: a block of one, float64.
        test_inputs: (N, X).
        train_inputs: (M, X).
        train_targets: (M, R).
        known_singular: what `singular` would compute, where it has been computed for many networks at once.
    """

    networks: Networks
    test_inputs: Tensor
    train_inputs: Tensor
    train_targets: Tensor
    known_singular: tuple[Array, Array, Array] | None = None

    @cached_property
    def entk(self) -> Array:
        """(R, N, M): one test x train eNTK per output."""
        test, test_again = _distinct(self.test_inputs)
        train, train_again = _distinct(self.train_inputs)
        kernel = entk(self.networks, self.test_inputs[test], self.train_inputs[train], self.train_targets[train])[0]
        return _repeat(kernel, test_again, train_again)

    @cached_property
    def ntk(self) -> Array:
        """(R, M, M): the unweighted NTK of each output on the training patterns."""
        train, train_again = _distinct(self.train_inputs)
        kernel = ntk_diagonal(self.networks, self.train_inputs[train], self.train_inputs[train])[0]
        return _repeat(kernel, train_again, train_again)

    @cached_property
    def singular(self) -> tuple[Array, Array, Array]:
        """Leading left vectors (R, N), values (R,) and right vectors (R, M) of the eNTK of each output."""
        if self.known_singular is not None:
            return self.known_singular
        left, values, right = (part.numpy() for part in leading_singular(torch.from_numpy(self.entk)))
        return left, values, right


def starts(
    networks: Networks, test_inputs: Tensor, train_inputs: Tensor, train_targets: Tensor, together: bool | None = None
) -> list[Start]:
    """Each network of a block at t = 0.

    Args:
        networks: B networks, float64, on the device that is to do the work.
        test_inputs: (B, N, X). train_inputs: (B, M, X). train_targets: (B, M, R).
        together: eNTKs and their leading singular vectors for the whole block at once; by default off the CPU only,
            where it pays (on the CPU kernels of distinct patterns, one network at a time, are faster).
    """
    alone = [Start(networks.network(i), test_inputs[i], train_inputs[i], train_targets[i]) for i in range(len(networks))]
    if not (test_inputs.device.type != "cpu" if together is None else together):
        return alone
    outputs = train_targets.shape[2]
    joint = []
    for first in range(0, len(networks), KERNELS_AT_ONCE):
        part = slice(first, first + KERNELS_AT_ONCE)
        kernel = entk(networks.part(part), test_inputs[part], train_inputs[part], train_targets[part])
        joint.append(leading_singular(kernel.transpose(1, 2).flatten(0, 1), together=True))
    parts = [torch.cat(column).unflatten(0, (-1, outputs)).cpu().numpy() for column in zip(*joint, strict=True)]
    return [
        replace(start, known_singular=(left, values, right)) for start, left, values, right in zip(alone, *parts, strict=True)
    ]


def eig(start: Start) -> Array:
    """The source study's reading: column 0 of `numpy.linalg.eig(E_k.T)` per output, over training patterns. Slow.

    Raises:
        ValueError: test and training sets differ in size, so E_k is not square.
    """
    if start.entk.shape[1] != start.entk.shape[2]:
        raise ValueError("the estimator 'eig' needs as many test as training patterns")
    return np.stack([unsorted_first_eigenvector(kernel.T) for kernel in start.entk], axis=1)


def svd_right(start: Start) -> Array:
    """The leading right singular vector of E_k per output, over training patterns."""
    return start.singular[2].T


def svd_left(start: Start) -> Array:
    """The leading left singular vector of E_k per output, over test patterns."""
    return start.singular[0].T


def svd_right_scaled(start: Start) -> Array:
    """`svd_right` times its singular value: outputs count as much as the kernel moves them."""
    return start.singular[2].T * start.singular[1]


def ntk(start: Start) -> Array:
    """Control: the leading eigenvector of the unweighted NTK of each output, over training patterns."""
    return np.concatenate([leading_eigenvectors(kernel, 1) for kernel in start.ntk], axis=1)


def inputs(start: Start) -> Array:
    """Control: the raw one-hot inputs of the training patterns; the same for every network."""
    return start.train_inputs.cpu().numpy()


def input_gram(start: Start) -> Array:
    """Control: as many leading eigenvectors of the training inputs' Gram matrix as there are outputs."""
    gram = (start.train_inputs @ start.train_inputs.mT).cpu().numpy()
    return leading_eigenvectors(gram, start.train_targets.shape[1])


ESTIMATORS: dict[str, Callable[[Start], Array]] = {
    function.__name__: function for function in (eig, svd_right, svd_left, svd_right_scaled, ntk, inputs, input_gram)
}


def silhouette(features: Array, clustering: Clustering) -> float:
    """Mean Euclidean silhouette of k-means groups of the rows of (N, F) features; NaN where it is not defined.

    It is not defined where a feature is not finite, or where rows coincide so much that fewer groups than asked for
    exist.
    """
    return silhouettes_again(features, clustering, [clustering.random_state])[0]


def silhouettes_again(features: Array, clustering: Clustering, random_states: Sequence[int]) -> list[float]:
    """`silhouette` with each of several random states of k-means, which share distances and iterations."""
    if not np.isfinite(features).all() or len(np.unique(features, axis=0)) < clustering.clusters:
        return [float("nan")] * len(random_states)
    groups = together(features, clustering.clusters, clustering.restarts, random_states)
    values = [0.0] * len(random_states)
    clear = [i for i, labels in enumerate(groups) if labels is not None]
    if clear and clustering.clusters < len(features):
        distances = euclidean_distances(features)
        values = [mean_silhouette(distances, labels) if labels is not None else 0.0 for labels in groups]
    else:
        clear = []
    for i in set(range(len(values))) - set(clear):
        values[i] = plain_silhouette(features, replace(clustering, random_state=random_states[i]))
    return values


def plain_silhouette(features: Array, clustering: Clustering) -> float:
    """`silhouette` of defined features by scikit-learn alone: start after start, and distances of its own. Slow."""
    means = KMeans(clustering.clusters, n_init=clustering.restarts, random_state=clustering.random_state)
    return float(silhouette_score(features, means.fit_predict(features)))


def mean_silhouette(distances: Array, labels: NDArray[np.int64]) -> float:
    """The mean silhouette of groups 0 .. K - 1, none of them empty, from the (N, N) distances of their members."""
    member = labels[:, None] == np.arange(labels.max() + 1)
    sizes = member.sum(axis=0)
    to_groups = distances @ member.astype(np.float64)
    others = sizes[labels] - 1
    inside = to_groups[member] / np.maximum(others, 1)
    outside = np.where(member, np.inf, to_groups / sizes).min(axis=1)
    widest = np.maximum(inside, outside)
    scores = np.divide(outside - inside, widest, out=np.zeros_like(widest), where=(others > 0) & (widest > 0))
    return float(scores.mean())


def silhouettes(start: Start, estimators: Sequence[str], clustering: Clustering) -> dict[str, float]:
    """The silhouette of every named estimator.

    Raises:
        KeyError: no estimator has such a name.
        ValueError: an estimator does not fit the data, see `eig`.
    """
    return {name: silhouette(ESTIMATORS[name](start), clustering) for name in estimators}
