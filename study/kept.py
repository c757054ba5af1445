"""What is kept of chosen networks, as Parquet beside the rows: group means of hidden activity, vectors of the t = 0 eNTK.

    DIR/kept/<cell>/<seed>-<data seed>.activity.parquet   a row per snapshot and group: phase, step, kind, group, patterns
                                                          (how many the group has), activity (a number per hidden unit)
    DIR/kept/<cell>/<seed>-<data seed>.vectors.parquet    a row per training pattern of the first phase, as drawn: pattern
                                                          (its id), svd_right and eig (a number per output)

`eig` is missing where training and test sets differ in size, since it is not defined there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from study.during import Kept
from study.plan import Draw
from study.rows import RowsError, read_table, write_table
from study.storage import Location


def file_of(out: Location, cell: str, draw: Draw, what: str) -> Location:
    """The file of one network; `what` is "activity" or "vectors"."""
    return out / "kept" / cell / f"{draw.seed}-{draw.data_seed}.{what}.parquet"


def write_kept(out: Location, cell: str, kept: Mapping[Draw, Kept]) -> list[Location]:
    """Write what a block keeps, each file whole or not at all."""
    paths: list[Location] = []
    for draw, one in kept.items():
        tables = {"activity": _activity_table(one), "vectors": _vector_table(one)}
        paths += [write_table(file_of(out, cell, draw, what), table) for what, table in tables.items()]
    return paths


def _activity_table(kept: Kept) -> pa.Table:
    count, groups, hidden = kept.activity.shape
    kinds, numbers = zip(*kept.groups.names, strict=True)
    return pa.table(
        {
            "phase": pa.array(np.repeat(np.array(kept.phases, dtype=object), groups)).dictionary_encode(),
            "step": pa.array(np.repeat(kept.steps, groups)),
            "kind": pa.array(list(kinds) * count).dictionary_encode(),
            "group": pa.array(list(numbers) * count),
            "patterns": pa.array(kept.groups.sizes * count),
            "activity": pa.FixedSizeListArray.from_arrays(pa.array(kept.activity.ravel()), hidden),
        }
    )


def _vector_table(kept: Kept) -> pa.Table:
    columns = {"pattern": pa.array(kept.patterns)}
    for name, features in kept.vectors.items():
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(features.ravel()), features.shape[1])
    return pa.table(columns)


def read_activity(out: Location, cell: str, draw: Draw, phase: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps (K,) and group means (K, G, H) of one phase and kind of groups, in the order in which they were taken.

    With several cycles the step at which a turn ends comes twice: the next turn begins there, after the other phases.
    """
    file = file_of(out, cell, draw, "activity")
    table = read_table(file, ("phase", "step", "kind", "group", "activity"))
    frame = table.to_pandas()
    frame = frame[(frame["phase"] == phase) & (frame["kind"] == kind)]
    activity, groups = _stacked(frame, "activity", file), frame["group"].nunique()
    if len(activity) % groups:
        raise RowsError(f"{file}: must have every group at every step")
    return frame["step"].to_numpy()[::groups], activity.reshape(-1, groups, activity.shape[1])


def read_vectors(out: Location, cell: str, draw: Draw) -> dict[str, np.ndarray]:
    """`pattern` (M,), and every estimator's features (M, R)."""
    file = file_of(out, cell, draw, "vectors")
    frame = read_table(file, ("pattern",)).to_pandas()
    return {str(name): _stacked(frame, str(name), file) for name in frame.columns}


def _stacked(frame: pd.DataFrame, name: str, file: Location) -> np.ndarray:
    """A column as one array.

    Raises:
        RowsError: it has no rows, or lists of different lengths.
    """
    try:
        return np.stack(frame[name].tolist())
    except (TypeError, ValueError):
        raise RowsError(f"{file}: column {name} must have rows, and lists of one length") from None
