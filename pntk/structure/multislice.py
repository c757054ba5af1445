"""The multislice kernel of M-PHATE (Gigante, Charles, Krishnaswamy & Mishne 2019, "Visualizing the PHATE of neural networks").

Snapshots X[t, i] of n items (hidden units there; tasks, inputs or outputs here) at T times become one graph of T n points:

    within a slice    K[(t,i),(t,j)] = (k_t(i,j) + k_t(j,i)) / 2,   k_t(i,j) = exp(-(|X[t,i] - X[t,j]| / sigma_ti)^decay)
    between slices    K[(t,i),(s,i)] = exp(-(|X[t,i] - X[s,i]| / epsilon)^2)
    else              0

sigma_ti is the distance of item i to its k-th nearest other item at time t. epsilon is one number: the distance of an item to
itself at its k'-th nearest other time, its median over times, averaged over items. That median and the defaults are those of
the authors' released package, which the source study used; so is, as far as we know and without a run of it to compare with,
the cut of within-slice affinities below 1e-4 to 0 before symmetrising. The package also projects the features on 100 principal
components first, only to save time; distances here are of all features.

Our own code, on numpy and scipy: the packages that offer it (m-phate, phate, graphtools) are under the GPL,
which this MIT project cannot depend on, and m-phate pins packages that break current pandas.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial.distance import pdist, squareform

Array = NDArray[np.float64]

TINY = np.finfo(np.float64).tiny


def standardised(snapshots: Array) -> Array:
    """Every item of (T, n, F) snapshots with mean 0 and standard deviation 1 over its features; a constant item becomes 0.

    The package's default: what differs is then the pattern of activity over hidden units, not its overall level.
    """
    centred = snapshots - snapshots.mean(axis=2, keepdims=True)
    spread = centred.std(axis=2, keepdims=True)
    level = np.abs(snapshots).max(axis=2, keepdims=True, initial=0)
    return np.where(spread > 1e-12 * level, centred / np.maximum(spread, TINY), 0.0)


def multislice_kernel(
    snapshots: Array,
    intraslice_neighbours: int = 2,
    interslice_neighbours: int = 25,
    decay: float = 5.0,
    threshold: float = 1e-4,
) -> sparse.csr_matrix:
    """Symmetric affinities of all items at all times.

    Args:
        snapshots: (T, n, F), usually `standardised`.
        intraslice_neighbours: k of the bandwidth within a slice, other items at the same time.
        interslice_neighbours: k' of the bandwidth between slices, other times of the same item.
        decay: exponent within a slice.
        threshold: affinities within a slice below this are 0.

    Returns:
        (T n, T n), item i at time t in row t n + i; ones on the diagonal.

    Raises:
        ValueError: too few times or items for the neighbours that are asked for, or a number that is not finite.
    """
    times, items, _ = snapshots.shape
    if not 1 <= intraslice_neighbours < items:
        raise ValueError(f"intraslice_neighbours = {intraslice_neighbours}: must be from 1 to {items - 1}, for {items} items")
    if not 1 <= interslice_neighbours < times:
        raise ValueError(
            f"interslice_neighbours = {interslice_neighbours}: must be from 1 to {times - 1}, for {times} snapshots"
        )
    if not np.isfinite(snapshots).all():
        raise ValueError("snapshots hold a number that is not finite: a network that diverged has no embedding")
    within = sparse.block_diag([_within(x, intraslice_neighbours, decay, threshold) for x in snapshots], format="csr")
    return (within + _between(snapshots, interslice_neighbours)).tocsr()


def _kth_nearest(distances: Array, k: int) -> Array:
    """Distance of every row's item to its k-th nearest other one; the 0 to itself is the smallest."""
    return np.partition(distances, k, axis=1)[:, k]


def _within(items: Array, neighbours: int, decay: float, threshold: float) -> Array:
    distances = squareform(pdist(items))
    bandwidths = np.maximum(_kth_nearest(distances, neighbours), TINY)[:, None]
    with np.errstate(over="ignore"):  # far beyond the bandwidth: exp(-inf) = 0 is meant
        affinities = np.exp(-((distances / bandwidths) ** decay))
    affinities[affinities < threshold] = 0
    return (affinities + affinities.T) / 2


def _between(snapshots: Array, neighbours: int) -> sparse.csr_matrix:
    """Affinities of each item with itself at other times; the diagonal is left to the slices."""
    times, items, _ = snapshots.shape
    distances = np.stack([squareform(pdist(snapshots[:, i])) for i in range(items)])
    bandwidth = max(TINY, float(np.mean([np.median(_kth_nearest(d, neighbours)) for d in distances])))
    with np.errstate(over="ignore"):
        affinities = np.exp(-((distances / bandwidth) ** 2))
    item, row, column = np.nonzero(affinities * (1 - np.eye(times)))
    entries = (affinities[item, row, column], (row * items + item, column * items + item))
    return sparse.csr_matrix(entries, shape=(times * items, times * items))
