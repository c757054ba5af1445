"""Networks that are there twice: read once where their numbers agree, refused with both files where they do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.foreign import Refused
from study.storage import Location

KEY = ["cell", "seed", "data_seed"]
MADE_WITH = ("commit", "device", "version_")  # beginnings of columns that may differ where every number agrees
MOST_NAMED = 20


def listing(names: Iterable[object]) -> str:
    """Names in a sentence; of very many, the first."""
    texts = [name if len(name) <= 60 else name[:57] + "..." for name in map(str, names)]
    return ", ".join(texts[:MOST_NAMED]) + (f" and {len(texts) - MOST_NAMED:,} more" if len(texts) > MOST_NAMED else "")


def once(frame: pd.DataFrame, sources: NDArray[np.int64], places: Sequence[Location]) -> tuple[pd.DataFrame, list[str]]:
    """Rows without those that an earlier file has, and a sentence for every two files that share some.

    Args:
        sources: (rows,) the file of each row. places: of the files.

    Raises:
        Refused: a file has a network twice, or two files disagree on it.
    """
    again = frame.duplicated(KEY).to_numpy()
    if not again.any():
        return frame, []
    shared = frame[KEY].duplicated(keep=False).to_numpy()
    first: dict[tuple[Any, ...], int] = {}
    both: dict[tuple[int, int], int] = {}
    for place in np.flatnonzero(shared):
        key = tuple(frame[name].iloc[place] for name in KEY)
        before = first.setdefault(key, int(place))
        if before == place:
            continue
        files = int(sources[before]), int(sources[place])
        what = f"cell {key[0]!r} has seed {key[1]}" + (f" with data seed {key[2]}" if key[2] != key[1] else "") + " twice"
        if files[0] == files[1]:
            raise Refused(f"{places[files[0]]}: {what}")
        if column := _difference(frame, before, int(place)):
            one, other = (places[file] for file in files)
            raise Refused(f"{one} and {other}: {what}, with different values of {column}; remove one of the two")
        both[files] = both.get(files, 0) + 1
    notes = [
        f"{places[one]} and {places[other]} hold {count:,} network(s) twice with equal values; each counts once."
        for (one, other), count in list(both.items())[:MOST_NAMED]
    ]
    if len(both) > MOST_NAMED:
        notes.append(f"So do {len(both) - MOST_NAMED:,} other pairs of files.")
    return frame[~again], notes


def _difference(frame: pd.DataFrame, one: int, other: int) -> str | None:
    """The first column in which two rows differ; a value that only one of them has is no difference."""
    names = [str(name) for name in frame.columns]
    for place, name in enumerate(names):
        if not name.startswith(MADE_WITH) and not _same(frame.iat[one, place], frame.iat[other, place]):
            return name
    return None


def _same(one: Any, other: Any) -> bool:
    lists = [isinstance(value, (list, np.ndarray)) for value in (one, other)]
    if all(lists):
        return np.array_equal(np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64), equal_nan=True)
    if any(lists):
        return pd.isna(other if lists[0] else one) is True
    return bool(pd.isna(one) or pd.isna(other) or one == other)
