"""Pairs of networks: two cells joined by seed, the unit of every statistic here.

Both networks of a pair come from the same random draw, so networks are not independent units; seeds are. Pairs of one
seed (where contrasts are pooled, or weights are crossed with data) are resampled and permuted together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Predictor x and outcome y of the two networks of each pair, (n,) each.

    Attributes:
        seed: the seed of the weights behind each pair.
        stratum: pairs of one stratum share cells and, unless every seed has data of its own, the data. Differences are
            compared within strata only, so that a shift between strata is never mistaken for a link between seeds.
        diverged: pairs left out because a network of theirs diverged.
        undefined: pairs left out because the predictor or the outcome of a network is not defined.
    """

    x_first: Array
    x_second: Array
    y_first: Array
    y_second: Array
    seed: Integers
    stratum: Integers
    diverged: int = 0
    undefined: int = 0

    def __len__(self) -> int:
        return len(self.seed)

    @cached_property
    def dx(self) -> Array:
        """Predictor of the first minus that of the second network."""
        return _difference(self.x_first, self.x_second)

    @cached_property
    def dy(self) -> Array:
        """Outcome of the first minus that of the second network."""
        return _difference(self.y_first, self.y_second)

    @cached_property
    def unit(self) -> Integers:
        """(n,) the seeds numbered from 0: what is resampled."""
        return np.unique(self.seed, return_inverse=True)[1]

    @cached_property
    def units(self) -> int:
        return int(self.unit.max()) + 1 if len(self) else 0

    @cached_property
    def strata(self) -> Array:
        """(number of strata, n) membership, 0 or 1."""
        return (np.unique(self.stratum)[:, None] == self.stratum).astype(np.float64)

    @cached_property
    def comparable(self) -> Pairs:
        """The pairs that a correlation within strata rests on. A pair alone in its stratum equals the stratum's mean: it
        adds nothing, so it is not counted either."""
        kept = in_company(self.stratum)
        if kept.all() or len(np.unique(self.stratum)) == 1:
            return self
        x_first, x_second, y_first, y_second = (v[kept] for v in (self.x_first, self.x_second, self.y_first, self.y_second))
        return Pairs(x_first, x_second, y_first, y_second, self.seed[kept], self.stratum[kept], self.diverged, self.undefined)

    @property
    def alone(self) -> int:
        """Pairs that are alone in their stratum, where there are several strata."""
        return len(self) - len(self.comparable)


ROUNDING = 1e-12


def _difference(first: Array, second: Array) -> Array:
    """first - second; differences that agree but for rounding agree exactly, so that rounding is never a signal."""
    difference = first - second
    if len(difference) and np.ptp(difference) <= ROUNDING * max(np.abs(first).max(), np.abs(second).max()):
        return np.full_like(difference, difference[0])
    return difference


def in_company(stratum: Integers) -> NDArray[np.bool_]:
    """Which entries share their stratum with another."""
    _, place, count = np.unique(stratum, return_inverse=True, return_counts=True)
    return np.asarray(count[place] > 1)


def within_strata(pairs: Pairs, values: Array) -> Array:
    """(n,) values less the mean of their stratum."""
    return np.asarray(values - ((pairs.strata @ values) / pairs.strata.sum(axis=1)) @ pairs.strata)


def own_data(frame: pd.DataFrame) -> bool:
    """Whether every seed has data of its own, shared with no other seed."""
    keys = frame[["seed", "data_seed"]].drop_duplicates()
    return not keys["seed"].duplicated().any() and not keys["data_seed"].duplicated().any()


def joined(frame: pd.DataFrame, cells: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """The rows of a contrast's pairs, columns with the suffixes _first and _second, plus seed, data_seed and stratum."""
    keys, parts = ["seed", "data_seed"], []
    for number, (first, second) in enumerate(cells):
        own = own_data(frame[frame["cell"].isin((first, second))])
        sides = [frame[frame["cell"] == name].set_index(keys) for name in (first, second)]
        part = sides[0].join(sides[1], how="inner", lsuffix="_first", rsuffix="_second").reset_index()
        part["stratum"] = [(number, 0 if own else data_seed) for data_seed in part["data_seed"]]
        parts.append(part)
    pairs = pd.concat(parts, ignore_index=True)
    pairs["stratum"] = pairs["stratum"].map({s: i for i, s in enumerate(sorted(set(pairs["stratum"])))})
    return pairs


def diverged_pairs(joined_rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Pairs with a network that diverged."""
    diverged = np.zeros(len(joined_rows), dtype=bool)
    for column in ("diverged_first", "diverged_second"):
        if column in joined_rows:
            diverged |= joined_rows[column].astype("boolean").fillna(False).to_numpy(dtype=bool)
    return diverged


def pairs_of(joined_rows: pd.DataFrame, predictor: str, outcome: str) -> Pairs:
    """Pairs of one predictor and outcome column; a column that is missing counts as undefined."""
    rows, diverged = joined_rows, diverged_pairs(joined_rows)
    columns = [f"{name}_{side}" for name in (predictor, outcome) for side in ("first", "second")]
    values = rows.reindex(columns=columns).to_numpy(dtype=np.float64)
    defined = np.isfinite(values).all(axis=1)
    kept = ~diverged & defined
    x_first, x_second, y_first, y_second = values[kept].T
    seed, stratum = (rows[name].to_numpy(dtype=np.int64)[kept] for name in ("seed", "stratum"))
    left_out = int(diverged.sum()), int((~diverged & ~defined).sum())
    return Pairs(x_first, x_second, y_first, y_second, seed, stratum, *left_out)


def make_pairs(frame: pd.DataFrame, cells: Sequence[tuple[str, str]], predictor: str, outcome: str) -> Pairs:
    """Join the cells of a contrast by seed and data seed; several (first, second) pairs of cells are pooled.

    Args:
        frame: rows as `study.rows.read_rows` gives them.
    """
    return pairs_of(joined(frame, cells), predictor, outcome)
