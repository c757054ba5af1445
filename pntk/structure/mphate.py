"""M-PHATE: a picture of how activity moves through training (Gigante et al. 2019; PHATE: Moon et al. 2019).

The multislice kernel K becomes a random walk P = D^-1 K, run for t steps. Each point is then described by its potential, a
function of where the walk from it may be after t steps, and metric multidimensional scaling places the points so that
distances follow those between potentials. t sits at the knee of the von Neumann entropy of P^t, where noise is gone and
structure is not.

Large sets use landmarks (fast PHATE): points are put in clusters in the space of the walk's leading eigenvectors, the walk
moves cluster -> point -> cluster, only clusters are placed, and a point is placed at the mean of the clusters that one step
leads it to.

With K symmetric, P is similar to the symmetric A = D^-1/2 K D^-1/2, so that one symmetric eigendecomposition gives the entropy
for every t and the walk after any number of steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.sparse.linalg import eigsh
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import KMeans

from pntk.structure.multislice import multislice_kernel, standardised

Array = NDArray[np.float64]
Potential = Literal["square_root", "log"]

LEADING = 100  # eigenvectors in which points are clustered to landmarks


@dataclass(frozen=True)
class Settings:
    """Settings of M-PHATE; the defaults are the released package's, which the source study used.

    Attributes:
        landmarks: points above which as many landmarks are used. At 4,000 all figures of the study are exact. Fewer are
            faster and another picture: 1,500 for 3,636 simulated points left .30 of the spread unexplained (Procrustes).
        potential: of the probabilities p after t steps: 2 sqrt(p), or -log(p + 1e-7), PHATE's own default.
        steps: of the walk; None takes the knee of the entropy.
        most_steps: where the knee is looked for.
    """

    intraslice_neighbours: int = 2
    interslice_neighbours: int = 25
    decay: float = 5.0
    threshold: float = 1e-4
    standardise: bool = True
    potential: Potential = "square_root"
    steps: int | None = None
    most_steps: int = 100
    landmarks: int = 4000
    dimensions: int = 2


@dataclass(frozen=True)
class Embedding:
    """Where M-PHATE places n items at T times.

    Attributes:
        coordinates: (T, n, dimensions), centred; orientation and mirror image mean nothing.
        steps: of the walk.
        entropy: (most_steps,) von Neumann entropy after 0, 1, ... steps.
        stress: share of the squared distances that the picture does not show (Kruskal's stress-1 squared).
        landmarks: how many were placed, all points if not more than asked for.
    """

    coordinates: Array
    steps: int
    entropy: Array
    stress: float
    landmarks: int


@dataclass(frozen=True)
class Walk:
    """A random walk on L states through its symmetric twin: P = D^-1/2 V diag(values) V' D^1/2.

    Attributes:
        values: (L,) eigenvalues, none beyond 1 in size.
        vectors: (L, L) orthonormal eigenvectors V.
        degrees: (L,) row sums D of the affinities.
    """

    values: Array
    vectors: Array
    degrees: Array

    def after(self, steps: int) -> Array:
        """Probabilities of being at each state after some steps, (L, L), rows sum to 1; rounding below 0 is cut."""
        root = np.sqrt(self.degrees)
        powered = (self.vectors * self.values**steps) @ self.vectors.T
        return np.asarray(np.maximum(powered / root[:, None] * root, 0.0))


def walk(affinities: Array) -> Walk:
    """The random walk of symmetric non-negative (L, L) affinities.

    Raises:
        ValueError: a state that no walk leaves or enters.
    """
    degrees = affinities.sum(axis=1)
    if not (degrees > 0).all():
        raise ValueError("every point needs an affinity above 0, if only with itself")
    root = np.sqrt(degrees)
    values, vectors = linalg.eigh(affinities / root[:, None] / root, driver="evd")
    return Walk(values, vectors, degrees)


def landmark_affinities(kernel: sparse.csr_matrix, count: int) -> tuple[Array, Array]:
    """Affinities between clusters of points, and the one-step probabilities from points to clusters.

    With C the (N, L) indicator of the clusters and B = K C, a walk cluster -> point -> cluster has the symmetric affinities
    B' D^-1 B: its row sums are those of C' K.

    Returns:
        (L, L) affinities and (N, L) probabilities, rows summing to 1.
    """
    degrees = np.asarray(kernel.sum(axis=1)).ravel()
    root = sparse.diags(1 / np.sqrt(degrees))
    leading = min(LEADING, kernel.shape[0] - 2)
    values, vectors = eigsh(root @ kernel @ root, k=leading, which="LA", v0=np.sqrt(degrees))
    places = vectors * values / np.sqrt(degrees)[:, None] * np.sqrt(degrees.sum())
    labels = KMeans(count, n_init=1, max_iter=20, random_state=0).fit_predict(places)
    clusters = sparse.csr_matrix((np.ones(len(labels)), (np.arange(len(labels)), labels)), shape=(len(labels), count))
    reaching = (kernel @ clusters[:, np.unique(labels)]).toarray()
    return reaching.T @ (reaching / degrees[:, None]), reaching / degrees[:, None]


def entropies(values: Array, most_steps: int) -> Array:
    """Von Neumann entropy of the walk after 0 .. most_steps - 1 steps, from its eigenvalues' sizes, (most_steps,)."""
    powers = np.abs(values) ** np.arange(most_steps)[:, None]
    shares = powers / powers.sum(axis=1, keepdims=True)
    return -np.sum(shares * np.log(np.where(shares > 0, shares, 1.0)), axis=1)


def knee(curve: Array) -> int:
    """The place at which two straight lines, up to it and from it on, fit a curve of at least 5 points best."""

    def misfit(part: Array) -> float:
        at = np.arange(len(part))
        return float(np.sum((part - np.polyval(np.polyfit(at, part, 1), at)) ** 2))

    places = range(1, len(curve) - 1)
    return min(places, key=lambda place: misfit(curve[: place + 1]) + misfit(curve[place:]))


def potentials(probabilities: Array, kind: Potential) -> Array:
    """2 sqrt(p), or -log(p + 1e-7) (Moon et al. 2019: gamma 0 and 1)."""
    return 2 * np.sqrt(probabilities) if kind == "square_root" else -np.log(probabilities + 1e-7)


def metric_scaling(distances: Array, dimensions: int, rounds: int = 300, tolerance: float = 1e-4) -> tuple[Array, float]:
    """Metric multidimensional scaling by SMACOF from the classical solution.

    Args:
        distances: (L, L), symmetric.
        rounds: at most; fewer when the stress falls by less than `tolerance` of itself in a round.

    Returns:
        centred (L, dimensions) coordinates along their principal axes, and the squared stress-1 that is left.
    """
    squares = distances**2
    rows = squares.mean(axis=1)
    centred = -0.5 * (squares - rows[:, None] - rows + squares.mean())
    if len(distances) > 4 * dimensions:
        values, vectors = eigsh(centred, k=dimensions, which="LA", v0=np.arange(1.0, len(centred) + 1))
    else:
        values, vectors = (part[..., -dimensions:] for part in np.linalg.eigh(centred))
    places = vectors * np.sqrt(np.maximum(values, 0))
    wanted = squareform(distances, checks=False)
    total, before = max(float(wanted @ wanted), np.finfo(float).tiny), np.inf
    for _ in range(rounds):
        shown = pdist(places)
        stress = float(np.sum((wanted - shown) ** 2)) / total
        if stress == 0 or before - stress < tolerance * stress:
            break
        before = stress
        pull = squareform(np.divide(wanted, shown, out=np.zeros_like(wanted), where=shown > 0))
        places = (pull.sum(axis=1)[:, None] * places - pull @ places) / len(distances)
    places = places - places.mean(axis=0)
    return places @ np.linalg.svd(places, full_matrices=False)[2].T, stress


def mphate(snapshots: Array, settings: Settings | None = None) -> Embedding:
    """Embed the movement of n items through T snapshots of F features.

    Args:
        snapshots: (T, n, F), such as hidden activity averaged by task: see `pntk.structure.groups`.

    Raises:
        ValueError: see `multislice_kernel`.
    """
    settings = settings or Settings()
    times, items, _ = snapshots.shape
    kernel = multislice_kernel(
        standardised(snapshots) if settings.standardise else snapshots,
        settings.intraslice_neighbours,
        settings.interslice_neighbours,
        settings.decay,
        settings.threshold,
    )
    to_landmarks: Array | None = None
    if kernel.shape[0] > settings.landmarks:
        affinities, to_landmarks = landmark_affinities(kernel, settings.landmarks)
    else:
        affinities = kernel.toarray()
    steps_taken = walk(affinities)
    entropy = entropies(steps_taken.values, settings.most_steps)
    steps = knee(entropy) if settings.steps is None else settings.steps
    spread = potentials(steps_taken.after(steps), settings.potential)
    places, stress = metric_scaling(_distances(spread), settings.dimensions)
    if to_landmarks is not None:
        places = to_landmarks @ places
    places = places - places.mean(axis=0)
    return Embedding(places.reshape(times, items, -1), steps, entropy, stress, len(affinities))


def _distances(rows: Array) -> Array:
    """Euclidean distances of rows through one matrix product: 2,000 rows of 2,000 numbers in a second."""
    squares = np.sum(rows**2, axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0))
    np.fill_diagonal(distances, 0)
    return (distances + distances.T) / 2
