"""Rows are the truth: one Parquet file per trial, one row per network, whole or not at all.

`DIR/rows/<cell>/<seeds>-<key>.parquet`. What is left of a study is its plan minus its rows; the state of Ray and of
Weights & Biases can be lost without losing a result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from study.foreign import UNREADABLE, problem_of
from study.plan import Block, Draw
from study.schema import Column, columns
from study.storage import Location, files, read_bytes, write_bytes
from study.sweep import plain_line

READERS = 16  # files read at once from object storage, where each costs a round trip


class RowsError(ValueError):
    """Rows that cannot be used; its text is one line for the user."""

    def __init__(self, text: str) -> None:
        super().__init__(plain_line(text))


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
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_bytes(where, memoryview(sink.getvalue()))
    return where


def _table(where: Location, columns: Sequence[str] | None) -> pa.Table:
    """One file's rows, those columns that it has.

    Raises:
        RowsError: it cannot be read, or has no key.
    """
    try:
        file = pq.ParquetFile(where if isinstance(where, Path) else pa.BufferReader(read_bytes(where)))
        names = file.schema_arrow.names
        if problem := problem_of(file):
            raise RowsError(f"{where}: {problem}")
        table = file.read(columns=None if columns is None else [name for name in columns if name in names])
        table.validate(full=True)  # text that is no text, lists that point outside their file
    except RowsError:
        raise
    except UNREADABLE as error:
        raise RowsError(f"{where}: not a readable Parquet file ({error})") from None
    if missing := {"cell", "seed"} - set(names):
        raise RowsError(f"{where}: has no column {' or '.join(sorted(missing))}")
    return table.replace_schema_metadata(None)  # such as an index that pandas would restore


def _tables(out: Location, columns: Sequence[str] | None, cell: str | None) -> list[pa.Table]:
    found = files(out / "rows" if cell is None else out / "rows" / cell, ".parquet")
    if isinstance(out, Path):
        return [_table(where, columns) for where in found]
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(lambda where: _table(where, columns), found))


def read_rows(out: Location, columns: Sequence[str] | None = None, cell: str | None = None) -> pd.DataFrame:
    """All rows of a folder, sorted by cell, seed and data seed; rows made elsewhere need only `cell` and `seed`.

    Args:
        columns: only these, where a file has them.
        cell: only this one's.

    Raises:
        RowsError: no rows, an unreadable file, a missing key column, or a network that occurs twice.
    """
    tables = _tables(out, columns, cell)
    if not tables:
        raise RowsError(f"{out}: has no rows (expected Parquet files in {out / 'rows'})")
    try:
        frame = pa.concat_tables(tables, promote_options="permissive").to_pandas()
    except UNREADABLE as error:
        raise RowsError(f"{out}: its files disagree ({error})") from None
    frame = _checked(frame, out)
    twice = frame[frame.duplicated(["cell", "seed", "data_seed"])]
    if len(twice):
        first = twice.iloc[0]
        raise RowsError(f"{out}: cell {first['cell']!r} has seed {first['seed']} twice")
    return frame.sort_values(["cell", "seed", "data_seed"], ignore_index=True)


def _checked(frame: pd.DataFrame, out: Location) -> pd.DataFrame:
    """Keys and numbers in the types that everything relies on.

    Raises:
        RowsError: a key that is missing or no whole number, or a column of numbers that holds something else.
    """
    if frame[["cell", "seed"]].isna().any(axis=None):
        raise RowsError(f"{out}: a row has no cell or no seed")
    frame["cell"] = frame["cell"].astype(str)
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
    return frame


def finished(out: Location) -> set[tuple[str, Draw]]:
    """The networks that have a row."""
    if not files(out / "rows", ".parquet"):
        return set()
    frame = read_rows(out, ["cell", "seed", "data_seed"])
    keys = zip(frame["cell"], frame["seed"], frame["data_seed"], strict=True)
    return {(str(cell), Draw(int(seed), int(data_seed))) for cell, seed, data_seed in keys}
