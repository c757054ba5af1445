"""Rows are the truth: one Parquet file per trial, one row per network, whole or not at all.

`DIR/rows/<cell>/<seeds>-<key>.parquet`. What is left of a study is its plan minus its rows; the state of Ray and of
Weights & Biases can be lost without losing a result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from study.columns import CURVE, LOSS, structure_by_phase
from study.foreign import Refused, memory_for_rows, read_parquet
from study.meant import did_you_mean
from study.plan import Block, Draw
from study.refused import RowsError as RowsError
from study.schema import Column, columns
from study.seal import sealed
from study.storage import Location, StorageError, files, read_bytes, write_bytes
from study.twice import listing, once
from study.unpack import LISTS, SETTINGS, TOO_MANY, UNREADABLE

READERS = 16  # files read at once from object storage, where each costs a round trip


def file_of(out: Location, block: Block[Any]) -> Location:
    """The file of a block: the same for the same networks, so that a trial run twice replaces itself."""
    key = hashlib.sha256(repr([(d.seed, d.data_seed) for d in block.draws]).encode()).hexdigest()[:12]
    return out / "rows" / block.cell.name / f"{block.draws[0].seed}-{block.draws[-1].seed}-{key}.parquet"


def write_rows(
    out: Location, block: Block[Any], rows: Sequence[dict[str, Any]], schema: Sequence[Column] | None = None
) -> Location:
    """Write a block's rows so that a reader sees all of them or none, even after a crash or power loss.

    Args:
        schema: names and types of the columns; those of the block's cell unless given. What a row lacks is null.

    Raises:
        RowsError: a row has a column that is not in the schema.
    """
    schema = columns(block.cell) if schema is None else schema
    if unknown := {name for row in rows for name in row} - {name for name, _ in schema}:
        raise RowsError(f"{block.label}: its rows have columns that the cell's do not have: {', '.join(sorted(unknown))}")
    return write_table(file_of(out, block), pa.Table.from_pylist(list(rows), schema=pa.schema(schema)))


def write_table(where: Location, table: pa.Table) -> Location:
    """Write a Parquet file, whole or not at all, over one that may be there."""
    write_bytes(where, sealed(table))
    return where


@dataclass(frozen=True)
class Part:
    """One file's rows, and names of its columns that were left unread."""

    where: Location
    table: pa.Table
    unread: tuple[str, ...]


class _Budget:
    """Bytes that rows may still take, counted over all files of a folder."""

    def __init__(self) -> None:
        self.left = memory_for_rows()

    def read(self, where: Location, columns: Sequence[str] | None, needed: Sequence[str]) -> Part:
        """One file's rows, those columns that it has.

        Raises:
            RowsError: it cannot be read, has no key, or is too large beside those before it.
        """
        try:
            data = read_bytes(where, most=int(min(self.left, 2**62)))
            table, unread, size = read_parquet(data, columns, needed, self.left)
        except Refused as why:
            raise RowsError(f"{where}: {why}") from None
        except StorageError as error:
            raise RowsError(str(error)) from None
        except OSError as error:
            raise RowsError(f"{where}: cannot be read ({error.strerror or error})") from None
        self.left -= size
        if self.left < 0:  # several were read at once
            raise RowsError(f"{where}: has {len(table):,} rows, {TOO_MANY}")
        return Part(where, table, tuple(unread))


def read_table(where: Location, needed: Sequence[str] = ()) -> pa.Table:
    """A Parquet file by itself, such as one of those that are kept.

    Raises:
        RowsError: it is not there, cannot be read, lacks a column that is needed, or is too large.
    """
    return _Budget().read(where, None, needed).table


def _parts(out: Location, columns: Sequence[str] | None, cell: str | None) -> list[Part]:
    found, budget = files(out / "rows" if cell is None else out / "rows" / cell, ".parquet"), _Budget()
    if isinstance(out, Path):
        return [budget.read(where, columns, ("cell", "seed")) for where in found]
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(lambda where: budget.read(where, columns, ("cell", "seed")), found))


def read_rows(out: Location, columns: Sequence[str] | None = None, cell: str | None = None) -> pd.DataFrame:
    """All rows of a folder, sorted by cell, seed and data seed; rows made elsewhere need only `cell` and `seed`.

    A network that two files hold with equal values is read once. `frame.attrs["notes"]` has a sentence for every such thing
    that a reader should know.

    Args:
        columns: only these, where a file has them.
        cell: only this one's.

    Raises:
        RowsError: no rows, an unreadable file, a missing key column, or a network that occurs twice.
    """
    parts = _parts(out, columns, cell)
    if not parts:
        raise RowsError(f"{out}: has no rows (expected Parquet files in {out / 'rows'})")
    parts = [_without_other_lists(part) for part in parts]
    try:
        frame = pa.concat_tables([part.table for part in parts], promote_options="permissive").to_pandas()
    except UNREADABLE as error:
        raise RowsError(f"{out}: its files disagree ({error})") from None
    sources = np.repeat(np.arange(len(parts)), [len(part.table) for part in parts])
    try:
        frame, notes = once(_checked(frame, out), sources, [part.where for part in parts])
    except Refused as why:
        raise RowsError(str(why)) from None
    if unread := dict.fromkeys(name for part in parts for name in part.unread):
        notes.append(f"Columns not read, of a kind that nothing is made of: {listing(unread)}.")
    frame = frame.sort_values(["cell", "seed", "data_seed"], ignore_index=True)
    frame.attrs["notes"] = tuple(notes)
    return frame


def rows_of_frame(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """Rows that are in memory already, as `read_rows` gives those of a folder; the frame itself is left alone.

    Args:
        source: what the frame is, for messages.

    Raises:
        RowsError: as `read_rows`.
    """
    frame = frame.reset_index(drop=True).rename(columns=str)
    frame.attrs = {}
    if (again := frame.columns[frame.columns.duplicated()]).size:
        raise RowsError(f"{source}: has the column {again[0]} twice")
    for name in ("cell", "seed"):
        if name not in frame:
            raise RowsError(f"{source}: has no column {name}{did_you_mean(name, frame.columns)}; rows need cell and seed")
    if not len(frame):
        raise RowsError(f"{source}: has no rows")
    frame = _checked(frame.copy(), source)
    try:
        frame, notes = once(frame, np.zeros(len(frame), dtype=np.int64), [Path(source)])
    except Refused as why:
        raise RowsError(str(why)) from None
    frame = frame.sort_values(["cell", "seed", "data_seed"], ignore_index=True)
    frame.attrs["notes"] = tuple(notes)
    return frame


def _without_other_lists(part: Part) -> Part:
    """Lists are what was measured along the way; a setting or a name that is one, of rows made elsewhere, is of no use."""
    lists = [field.name for field in part.table.schema if pa.types.is_list(field.type)]
    others = [name for name in lists if not name.startswith(LISTS) or name in SETTINGS]
    return Part(part.where, part.table.drop_columns(others), (*part.unread, *others)) if others else part


def _checked(frame: pd.DataFrame, out: Location | str) -> pd.DataFrame:
    """Keys and numbers in the types that everything relies on; a network whose loss is infinite has diverged.

    Raises:
        RowsError: a key that is missing or no whole number, a column of numbers that holds something else, or a curve that
            is not as long as its steps.
    """
    if frame[["cell", "seed"]].isna().any(axis=None):
        raise RowsError(f"{out}: a row has no cell or no seed")
    frame["cell"] = frame["cell"].astype(str)
    if "data_seed" not in frame or frame["data_seed"].isna().any():
        frame.attrs["data_unknown"] = True  # whether seeds share data, see `study.statistics.variance`
    frame["data_seed"] = frame["data_seed"].fillna(frame["seed"]) if "data_seed" in frame else frame["seed"]
    for name in ("seed", "data_seed"):
        try:
            whole = frame[name].astype("int64")
        except (TypeError, ValueError):
            raise RowsError(f"{out}: column {name} must hold whole numbers") from None
        if not (whole == frame[name]).all():
            raise RowsError(f"{out}: column {name} must hold whole numbers")
        frame[name] = whole
    for name in frame.columns:
        if name.startswith(("silhouette_", "loss_", "predictor_", "agreement_")) or name == "diverged":
            numeric = pd.api.types.is_bool_dtype if name == "diverged" else pd.api.types.is_numeric_dtype
            if not numeric(frame[name].dropna().infer_objects()):
                raise RowsError(f"{out}: column {name} must hold {'true or false' if name == 'diverged' else 'numbers'}")
    _check_lists(frame, out)
    _check_phases(frame, out)
    losses = [name for name in frame.columns if LOSS.fullmatch(name)]
    infinite = np.isinf(frame[losses].to_numpy(dtype=np.float64, na_value=np.nan)).any(axis=1)
    if infinite.any():
        known = frame["diverged"].astype("boolean").fillna(False).to_numpy(dtype=bool) if "diverged" in frame else False
        frame["diverged"] = infinite | known
    return frame


def _check_phases(frame: pd.DataFrame, out: Location | str) -> None:
    """Raises RowsError: what rows say of their phases is no list of named phases, as figures and costs read it."""
    for text in frame["phases"].dropna().unique() if "phases" in frame else ():
        if not isinstance(text, str):
            continue
        try:
            found = json.loads(text)
            sound = isinstance(found, list) and all(isinstance(phase, dict) and "name" in phase for phase in found)
        except (ValueError, RecursionError):
            sound = False
        if not sound:
            raise RowsError(f"{out}: column phases must hold a list of phases with their names, as JSON")


def _check_lists(frame: pd.DataFrame, out: Location | str) -> None:
    """Raises RowsError: a curve, or what was measured during training, has not as many values as its steps in some row, or
    steps are not ascending, of which the first counts as the first."""
    parts = [(f"curve_{m[1]}_steps", m[0]) for m in map(CURVE.fullmatch, frame.columns) if m and m[2] != "steps"]
    measured = structure_by_phase(frame)
    parts += [(found["steps"], column) for found in measured.values() for name, column in found.items() if name != "steps"]
    for steps, column in parts:
        if steps in frame:
            counts = [frame[name].map(_count).to_numpy() for name in (steps, column)]
            if (counts[1] >= 0).any() and (counts[0] != counts[1])[counts[1] >= 0].any():
                raise RowsError(f"{out}: column {column} must have as many values as {steps} in every row")
    for steps in dict.fromkeys(steps for steps, _ in parts if steps in frame):
        # A turn of a loss curve begins at the step at which the turn before ended: another phase lies between the two.
        least, once = (0, "") if CURVE.fullmatch(steps) else (1, ", each once")
        if any(_count(v) > 1 and not (np.diff(np.asarray(v, dtype=np.float64)) >= least).all() for v in frame[steps]):
            raise RowsError(f"{out}: column {steps} must hold steps in ascending order{once}")


def _count(value: Any) -> int:
    return len(value) if isinstance(value, (list, np.ndarray)) else -1


def finished(out: Location) -> set[tuple[str, Draw]]:
    """The networks that have a row."""
    if not files(out / "rows", ".parquet"):
        return set()
    frame = read_rows(out, ["cell", "seed", "data_seed"])
    keys = zip(frame["cell"], frame["seed"], frame["data_seed"], strict=True)
    return {(str(cell), Draw(int(seed), int(data_seed))) for cell, seed, data_seed in keys}
