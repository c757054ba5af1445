"""The process that unpacks Parquet files of anyone, so that one which ends its reader ends this process and no other.

Run by `study.foreign`, once for a process that reads rows: `python -m study.unpack BYTES PROCESS`. It takes a request (a
line of JSON and the bytes of a file) and answers with a line of JSON and a table as an Arrow stream, until its input ends.
It imports nothing but Arrow, takes no more memory than it was told, and holds nothing that a file could be after.

Columns that no study has use for (dates, nested tables, binary) are left unread and named.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as kinds

from study.seal import broken

BYTES_PER_VALUE = 64  # of a number or short text as an object in a data frame
BYTES_PER_LIST = 128
SPARE = 512_000_000  # bytes beyond twice the budget: of what is packed, and of Arrow itself
UNREADABLE = (OSError, pa.ArrowException, ValueError, TypeError, LookupError, OverflowError, MemoryError, NotImplementedError)
Kind = Callable[[pa.DataType], bool]


class Unusable(ValueError):
    """Why a file cannot be used, in words."""


def _is(*names: str) -> Kind:
    """Whether a type is of one of these kinds, of those that this version of Arrow knows."""
    known = [getattr(kinds, f"is_{name}") for name in names if hasattr(kinds, f"is_{name}")]
    return lru_cache(maxsize=1024)(lambda kind: any(one(kind) for one in known))


_text = _is("string", "large_string", "string_view")
_number = _is("integer", "floating", "null")
_truth = _is("boolean", "null")
_nested = _is("list", "large_list", "fixed_size_list", "list_view", "large_list_view")


@lru_cache(maxsize=1024)
def _words(kind: pa.DataType) -> bool:
    return _text(kind) or (kinds.is_dictionary(kind) and _text(kind.value_type))


def _key(kind: pa.DataType) -> bool:
    return _words(kind) or kinds.is_integer(kind) or kinds.is_null(kind)


def _list(kind: pa.DataType) -> bool:
    return kinds.is_null(kind) or (_nested(kind) and _number(kind.value_type))


@lru_cache(maxsize=1024)
def _useful(kind: pa.DataType) -> bool:
    return _words(kind) or _number(kind) or _truth(kind) or _list(kind)


MOST_COLUMNS = 20_000  # of a file; a study has hundreds, and Arrow takes minutes for more
LISTS = ("curve_", "repeat_", "array_", "structure_")

# Names or beginnings of names, what they must hold, and in which words to say so.
EXPECTED: dict[tuple[str, ...], tuple[Kind, str]] = {
    ("cell",): (_key, "text"),
    ("seed", "data_seed"): (_number, "whole numbers"),
    ("diverged",): (_truth, "true or false"),
    ("silhouette_", "loss_", "score_", "predictor_", "agreement_"): (_number, "numbers"),
    LISTS: (_list, "lists of numbers"),
}
SETTINGS = ("structure_records", "structure_estimators")  # begin like what is measured


def problem_of(schema: pa.Schema, metadata: pq.FileMetaData, columns: Sequence[str] | None, budget: float) -> str | None:
    """Why the rows of a file cannot be used, in words; None where its schema and the sizes that it states of the columns that
    are read allow it."""
    all_names = schema.names
    if len(all_names) > MOST_COLUMNS:
        return f"has {len(all_names):,} columns, more than the {MOST_COLUMNS:,} that are read"
    if len(set(all_names)) < len(all_names):
        twice = min(name for name, count in Counter(all_names).items() if count > 1)
        return f"has the column {twice} more than once"
    for field in schema:
        for names, (right, what) in EXPECTED.items():
            exact = not names[0].endswith("_")
            meant = field.name in names if exact else field.name.startswith(names) and field.name not in SETTINGS
            if meant and not right(field.type):
                return f"column {field.name} must hold {what}, not {field.type}"
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    rows = max(metadata.num_rows, sum(max(group.num_rows, 0) for group in groups))
    wanted = [place for place, name in enumerate(all_names) if columns is None or name in columns]
    values = rows * len(wanted)
    if all(_useful(field.type) for field in schema):  # so that each has one leaf
        types = schema.types  # makes a list of all, each time
        lists = [place for place in wanted if _nested(types[place])]
        values += sum(max(group.column(place).num_values - group.num_rows, 0) for group in groups for place in lists)
    size = 8 * values + rows * max(len(wanted), 1) * BYTES_PER_VALUE
    if size > budget or (columns is None and sum(max(group.total_byte_size, 0) for group in groups) > budget):
        return f"has {rows:,} rows of {values:,} values, {TOO_MANY}"
    return None


TOO_MANY = "too many for this machine's memory beside the files before it"


def size_of(table: pa.Table) -> int:
    """Bytes that rows take in a data frame, their text written out once for each row."""
    lists = sum(map(_nested, table.schema.types))
    size = table.nbytes + len(table) * (BYTES_PER_VALUE * table.num_columns + (BYTES_PER_LIST - BYTES_PER_VALUE) * lists)
    for place, kind in enumerate(table.schema.types):
        for chunk in table.column(place).chunks if kinds.is_dictionary(kind) else ():
            lengths = pc.binary_length(chunk.dictionary)
            if (pc.max(lengths).as_py() or 0) * len(chunk) > BYTES_PER_VALUE * len(chunk):  # else counted as a short text
                size += pc.sum(lengths.take(chunk.indices)).as_py() or 0
    return int(size)


_texts: frozenset[str] = frozenset()  # names of columns of text in the file before: files of a folder are alike


def _remember(texts: frozenset[str]) -> None:
    global _texts
    _texts = texts


def _opened(data: pa.Buffer, texts: frozenset[str]) -> pq.ParquetFile:
    return pq.ParquetFile(pa.BufferReader(data), read_dictionary=list(texts), page_checksum_verification=True)


def unpack(
    data: pa.Buffer, columns: Sequence[str] | None, needed: Sequence[str], budget: float
) -> tuple[pa.Table, list[str], int]:
    """A file's rows, those columns that it has and that are of use; names of the others; and the size of a frame of them.

    Args:
        columns: only these; None for all. needed: columns that it must have.
        budget: bytes that the rows may take as a data frame.

    Raises:
        Unusable: damaged after it was written, of another kind than it should be, or too large.
        UNREADABLE: whatever Arrow makes of it.
    """
    if broken(data):
        raise Unusable("is damaged: what it holds is not what was written")
    # Text is read as a dictionary, so that what is repeated a million times takes room once until it has been counted.
    texts = _texts
    try:
        file = _opened(data, texts)
    except LookupError:  # it lacks one of these columns
        file, texts = _opened(data, frozenset()), frozenset()
    if missed := [field.name for field in file.schema_arrow if _text(field.type)]:
        texts = frozenset(missed) | {field.name for field in file.schema_arrow if field.name in texts}
        file = _opened(data, texts)
    _remember(texts)
    schema = file.schema_arrow
    if problem := problem_of(schema, file.metadata, columns, budget):
        raise Unusable(problem)
    if missing := sorted(set(needed) - set(schema.names)):
        raise Unusable(f"has no column {' or '.join(missing)}")
    names = [name for name in schema.names if columns is None or name in columns]
    kinds_of = dict(zip(schema.names, schema.types, strict=True))  # a schema looks through all fields for a name
    useful = [name for name in names if _useful(kinds_of[name])]
    size, parts = 0, []
    for group in range(file.num_row_groups):
        part = file.read_row_group(group, columns=useful, use_threads=False)
        part.validate(full=True)  # text that is no text, lists that point outside their file
        size += size_of(part)
        if size > budget:
            raise Unusable(f"unpacks to more than {size:,} bytes, {TOO_MANY}")
        parts.append(_plain(part))
    table = pa.concat_tables(parts) if parts else _plain(file.schema_arrow.empty_table().select(useful))
    return table.replace_schema_metadata(None), [name for name in names if name not in useful], size


def _plain(table: pa.Table) -> pa.Table:
    """Text as plain text and lists as plain lists, whatever way of holding them the file prefers."""
    kinds_here, columns = table.schema.types, table.columns
    for place, kind in enumerate(kinds_here):
        if _words(kind) and not kinds.is_string(kind):
            columns[place] = _cast(columns[place], pa.string())
        elif _nested(kind) and not kinds.is_list(kind):
            columns[place] = _cast(columns[place], pa.list_(kind.value_type))
    return pa.Table.from_arrays(columns, names=table.column_names)


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if kinds.is_dictionary(column.type) and not kinds.is_string(column.type.value_type):
        column = column.cast(column.type.value_type)
    return column.cast(kind)


def _limit(budget: float) -> None:
    """No more memory than this from here on, no files of a crash, and no end by the keyboard of the one who reads."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/statm", encoding="ascii") as taken:  # noqa: PTH123
            now = int(taken.read().split()[0]) * resource.getpagesize()
        most = int(min(now + 2 * budget + SPARE, 2**62))
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    except (ImportError, OSError, ValueError):
        pass  # a system that knows no limits; sizes are still counted before text is written out


def end_with(parent: int, seconds: float = 1.0) -> None:
    """End this process when the one that asks is gone, however it went; a thread looks, since a file may keep this one busy."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(seconds)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def _answer(request: dict[str, Any], data: pa.Buffer) -> tuple[dict[str, Any], memoryview]:
    try:
        table, unread, size = unpack(data, request["columns"], request["needed"], request["budget"])
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        packed = memoryview(sink.getvalue())
        return {"bytes": len(packed), "unread": unread, "size": size}, packed
    except Unusable as why:
        return {"problem": str(why)}, memoryview(b"")
    except MemoryError:  # also Arrow's
        return {"problem": f"takes more memory to unpack than it may: {TOO_MANY}"}, memoryview(b"")
    except UNREADABLE as error:
        return {"problem": f"not a readable Parquet file ({str(error)[:1000]})"}, memoryview(b"")


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while line := source.readline():
        request = json.loads(line)
        header, packed = _answer(request, pa.py_buffer(source.read(request["bytes"])))
        sink.write(json.dumps(header).encode() + b"\n")
        sink.write(packed)
        sink.flush()


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # so that nothing else that speaks can be taken for an answer
    _limit(float(sys.argv[1]))
    end_with(int(sys.argv[2]))
    serve(sys.stdin.buffer, answers)
