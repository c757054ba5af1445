"""Do the groups that the t = 0 eNTK predicts come true in hidden activity? Adjusted Rand indices of kept networks.

Predictions: `stated`, the groups that the source study expects (inputs by position, tasks by stimulus pool); `kernel`, k-means
on the vectors of the t = 0 eNTK, computed; `one_hot`, the control, the same from the inputs alone. Each is compared with
k-means groups of hidden activity itself and of its M-PHATE picture at every snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from pntk.randomness import stream
from pntk.structure.agreement import adjusted_rand, agreement, found_groups, onehot_groups, predicted_groups
from pntk.structure.groups import stated_groups
from pntk.structure.mphate import mphate
from pntk.tasks import Environment
from study.machine import cores

PREDICTIONS = ("stated", "kernel", "one_hot")
SPACES = ("M-PHATE", "hidden activity")
PERMUTATIONS = 300
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Inputs:
    """One network's kept data in one grouping.

    Attributes:
        activity: (T, G, H). patterns: (M, X) one-hot inputs. labels: (M,) group of each. vectors: (R, M) at t = 0.
    """

    environment: Environment
    grouping: str
    seed: int
    activity: Array
    patterns: Array
    labels: NDArray[np.int64]
    vectors: Array


@dataclass(frozen=True)
class Agreements:
    """Of n networks in one grouping.

    Attributes:
        index: (space, prediction) to (n, T) adjusted Rand indices.
        chance: (space, prediction) to (n, T) 95th percentiles under permuted predictions.
        p_peak: (space, prediction) to (n,) p of the largest index over all snapshots.
        kernel_against_stated: (n,) adjusted Rand index of the computed and the stated groups at t = 0.
    """

    index: dict[tuple[str, str], Array]
    chance: dict[tuple[str, str], Array]
    p_peak: dict[tuple[str, str], Array]
    kernel_against_stated: Array


def _one(given: Inputs) -> tuple[dict[tuple[str, str], tuple[Array, Array, float]], float]:
    stated = stated_groups(given.environment)[given.grouping]
    groups, clusters = len(stated), int(stated.max()) + 1
    predictions = {
        "stated": stated,
        "kernel": predicted_groups(given.vectors, given.labels, groups, clusters),
        "one_hot": onehot_groups(given.patterns, given.labels, groups, clusters),
    }
    spaces = {"M-PHATE": mphate(given.activity).coordinates, "hidden activity": given.activity}
    result = {}
    nothing = np.full(len(given.activity), np.nan)
    for space, snapshots in spaces.items():
        found = found_groups(snapshots, clusters)
        for name, predicted in predictions.items():
            if predicted is None:
                result[space, name] = (nothing, nothing, float("nan"))
                continue
            reached = agreement(predicted, found, PERMUTATIONS, stream(given.seed, f"agreement/{space}/{name}"))
            result[space, name] = (reached.index, reached.chance_high, reached.p_peak)
    kernel = predictions["kernel"]
    return result, float("nan") if kernel is None else float(adjusted_rand(kernel, stated))


def agreements(networks: Sequence[Inputs]) -> Agreements:
    """Agreement through training of several networks with equally many snapshots, on all cores."""
    found = Parallel(n_jobs=cores())(delayed(_one)(given) for given in networks)
    keys = [(space, name) for space in SPACES for name in PREDICTIONS]
    parts = [{key: np.array([one[key][i] for one, _ in found]) for key in keys} for i in range(3)]
    return Agreements(parts[0], parts[1], parts[2], np.array([value for _, value in found]))
