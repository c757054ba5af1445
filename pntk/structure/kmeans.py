"""k-means of few patterns from many starts at once, with the labels that scikit-learn gives.

scikit-learn takes one start after another, and for a few hundred patterns its calls cost more than its sums. Here all
starts (of several random states) take their k-means++ seeding and their iterations of Lloyd's algorithm together, as
products of small matrices, with the same random numbers in the same order. What is chosen on the way (a seed, the nearest
centre, the best start) is the same unless two choices are equal to rounding; where they are, this gives no labels, and
the caller asks scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

MOST_ITERATIONS, TOLERANCE = 300, 1e-4  # scikit-learn's, by which an iteration ends
MOST_PATTERNS = 2000  # whose distances, all with all, are held
MOST_CELLS = 4_000_000  # starts x clusters x patterns at once
# Differences below this, in units of the largest squared distance from the mean, may be rounding: some hundred times what
# sums of this length lose.
ROUNDING = 1e-12


@dataclass(frozen=True)
class _Draws:
    """The random numbers of S starts: first pattern (S,), and (S, clusters - 1, trials) uniform numbers for the others."""

    first: NDArray[np.int64]
    uniform: Array


@lru_cache(maxsize=64)
def _draws(patterns: int, clusters: int, restarts: int, random_state: int) -> _Draws:
    """What scikit-learn draws: per start a pattern, then for every further centre some uniform numbers."""
    generator = np.random.RandomState(random_state)
    trials = 2 + int(np.log(clusters))
    even = np.full(patterns, 1 / patterns)
    first, uniform = [], []
    for _ in range(restarts):
        first.append(generator.choice(patterns, p=even))
        uniform.append([generator.uniform(size=trials) for _ in range(clusters - 1)])
    return _Draws(np.array(first), np.array(uniform).reshape(restarts, clusters - 1, trials))


def together(features: Array, clusters: int, restarts: int, random_states: Sequence[int]) -> list[Labels | None]:
    """Labels by k-means of the rows of (N, F) finite features, one (N,) for each random state.

    They are those of scikit-learn's `KMeans(clusters, n_init=restarts, random_state=...)`, up to the numbering of groups;
    None where rounding may decide, where a group runs empty on the way, or where there is too much to hold at once.
    """
    count = len(features)
    if clusters < 2 or count > MOST_PATTERNS or restarts * len(random_states) * clusters * count > MOST_CELLS:
        return [None] * len(random_states)
    centred = features - features.mean(axis=0)
    norms = np.square(centred).sum(axis=1)
    draws = [_draws(count, clusters, restarts, state) for state in random_states]
    first, uniform = np.concatenate([d.first for d in draws]), np.concatenate([d.uniform for d in draws])
    seeds, clear = _seeded(centred, norms, first, uniform)
    tolerance = TOLERANCE * float(np.mean(np.var(centred, axis=0)))
    labels, inertia, settled = _settled(centred, norms, centred[seeds], tolerance)
    clear &= settled
    parts = [slice(i * restarts, (i + 1) * restarts) for i in range(len(random_states))]
    return [_best(labels[p], inertia[p], ROUNDING * norms.sum()) if clear[p].all() else None for p in parts]


def _seeded(
    centred: Array, norms: Array, first: NDArray[np.int64], uniform: Array
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Greedy k-means++: patterns (S, clusters) that become centres, and whether every choice was clear (S,)."""
    starts, count = np.arange(len(first)), len(centred)
    distances = centred @ centred.T
    distances *= -2
    distances += norms
    distances += norms[:, None]
    np.maximum(distances, 0, out=distances)
    largest = float(norms.max())
    clear = np.ones(len(first), dtype=bool)
    chosen = [first]
    closest = distances[first]
    potential = closest.sum(axis=1)
    for number in range(uniform.shape[1]):
        # One search for all starts: each has a unit interval of its own.
        share = np.cumsum(closest, axis=1) / potential[:, None]
        share += starts[:, None]
        drawn = uniform[:, number] + starts[:, None]
        unsure = ROUNDING * (1 + count * largest / potential[:, None])
        below, above = (np.searchsorted(share.ravel(), drawn + off) for off in (-unsure, unsure))
        clear &= (below == above).all(axis=1)
        candidates = np.clip(below - count * starts[:, None], 0, count - 1)
        nearer = np.minimum(distances[candidates], closest[:, None])
        potentials = nearer.sum(axis=2)
        best = potentials.argmin(axis=1)
        taken, potential = candidates[starts, best], potentials[starts, best]
        equal = potentials <= potential[:, None] + ROUNDING * count * largest
        apart = np.abs(centred[candidates] - centred[taken][:, None]).max(axis=2) > ROUNDING * np.sqrt(largest)
        clear &= ~(equal & apart).any(axis=1)  # like patterns are the same centre
        closest = nearer[starts, best]
        chosen.append(taken)
    return np.stack(chosen, axis=1), clear


def _settled(centred: Array, norms: Array, centres: Array, tolerance: float) -> tuple[Labels, Array, NDArray[np.bool_]]:
    """Lloyd's algorithm from (S, K, F) centres: labels (S, N), sums of squares (S,), and whether both are clear (S,)."""
    starts, clusters, width = centres.shape
    labels, inertia = np.zeros((starts, len(centred)), dtype=np.int64), np.zeros(starts)
    clear = np.ones(starts, dtype=bool)
    rounding = ROUNDING * float(norms.max())
    measured = np.concatenate([-2 * centred, np.ones((len(centred), 1))], axis=1).T
    summed = np.concatenate([centred, np.ones((len(centred), 1))], axis=1)
    active, last_round = np.arange(starts), np.zeros(starts, dtype=bool)
    before: NDArray[np.bool_] | None = None
    for iteration in range(MOST_ITERATIONS + 1):
        known = np.concatenate([centres, np.square(centres).sum(axis=2, keepdims=True)], axis=2)
        distances = (known.reshape(-1, width + 1) @ measured).reshape(len(active), clusters, -1)
        least = distances.min(axis=1)
        member = distances <= least[:, None] + rounding
        sums = (member.reshape(len(active) * clusters, -1).astype(np.float64) @ summed).reshape(len(active), clusters, -1)
        sizes = sums[:, :, -1]
        broken = (sizes.sum(axis=1) != len(centred)) | (sizes == 0).any(axis=1)  # two nearest centres, or an empty group
        clear[active[broken]] = False
        same = (member == before).all(axis=(1, 2)) if before is not None else np.zeros(len(active), dtype=bool)
        done = ~broken & (same | last_round | (iteration == MOST_ITERATIONS))
        labels[active[done]] = member[done].argmax(axis=1)
        inertia[active[done]] = least[done].sum(axis=1) + norms.sum()
        going = ~(broken | done)
        if not going.any():
            break
        active, before = active[going], member[going]
        after = sums[going, :, :-1] / sizes[going, :, None]
        moved = np.square(after - centres[going]).sum(axis=(1, 2))
        clear[active[np.abs(moved - tolerance) <= 1e-9 * tolerance]] = False
        centres, last_round = after, moved <= tolerance
    return labels, inertia, clear


def _best(labels: Labels, inertia: Array, rounding: float) -> Labels | None:
    """The labels of the start with the least sum of squares, None where another that groups otherwise is as good."""
    best = int(inertia.argmin())
    for rival in np.flatnonzero(inertia <= inertia[best] + rounding):
        if not _same_groups(labels[rival], labels[best]):
            return None
    return labels[best]


def _same_groups(a: Labels, b: Labels) -> bool:
    """Whether two labellings group alike, whatever the numbers of the groups."""
    pairs = len(np.unique(a * (b.max() + 1) + b))
    return pairs == len(np.unique(a)) == len(np.unique(b))
