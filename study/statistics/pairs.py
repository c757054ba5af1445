"""Pairs of networks: two cells joined by seed, the unit of every statistic here.

Both networks of a pair come from the same random draw, so networks are not independent units; pairs (more exactly
seeds, where contrasts are pooled or data are crossed) are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Predictor x and outcome y of the two networks of each pair, (n,) each.

    Attributes:
        cluster: the seed behind each pair; pairs that share one are not independent and are resampled together.
        diverged: pairs left out because a network of theirs diverged.
        undefined: pairs left out because the predictor or the outcome of a network is not defined.
    """

    x_first: Array
    x_second: Array
    y_first: Array
    y_second: Array
    cluster: NDArray[np.int64]
    diverged: int = 0
    undefined: int = 0

    def __len__(self) -> int:
        return len(self.cluster)

    def values(self) -> tuple[Array, Array, Array, Array]:
        return self.x_first, self.x_second, self.y_first, self.y_second


def make_pairs(frame: pd.DataFrame, cells: Sequence[tuple[str, str]], predictor: str, outcome: str) -> Pairs:
    """Join the cells of a contrast by seed and data seed; several (first, second) pairs of cells are pooled.

    Args:
        frame: rows as `study.rows.read_rows` gives them.
        predictor, outcome: column names; a column that is missing counts as undefined.
    """
    keys = ["seed", "data_seed"]
    joined = []
    for first, second in cells:
        sides = [frame[frame["cell"] == name].set_index(keys) for name in (first, second)]
        joined.append(sides[0].join(sides[1], how="inner", lsuffix="_first", rsuffix="_second"))
    pairs = pd.concat(joined).reset_index()
    if "diverged_first" in pairs:
        diverged = (pairs["diverged_first"].fillna(False) | pairs["diverged_second"].fillna(False)).to_numpy(dtype=bool)
    else:
        diverged = np.zeros(len(pairs), dtype=bool)
    columns = [f"{name}_{side}" for name in (predictor, outcome) for side in ("first", "second")]
    values = pairs.reindex(columns=columns).to_numpy(dtype=np.float64)
    defined = np.isfinite(values).all(axis=1)
    kept = ~diverged & defined
    cluster = pairs["seed"].to_numpy(dtype=np.int64)[kept]
    x_first, x_second, y_first, y_second = values[kept].T
    return Pairs(
        x_first, x_second, y_first, y_second, cluster, diverged=int(diverged.sum()), undefined=int((~diverged & ~defined).sum())
    )
