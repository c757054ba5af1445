"""Parquet files that may come from anyone: what is looked at before their contents are.

Parquet holds no code, and nothing here unpickles; what a hostile or broken file can do is be of another kind than it
should, or be enormous once unpacked.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds

from study.memory import machine_memory

LARGEST_SHARE = 0.25  # of this machine's memory that the rows of a file may take
BYTES_PER_VALUE = 64  # of a number or short text as an object in a data frame
UNREADABLE = (OSError, pa.ArrowException, ValueError, TypeError, LookupError, OverflowError, MemoryError, NotImplementedError)


def _number(kind: pa.DataType) -> bool:
    return kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_null(kind)


def _text(kind: pa.DataType) -> bool:
    return kinds.is_string(kind) or kinds.is_large_string(kind)


def _key(kind: pa.DataType) -> bool:
    return (
        _text(kind) or kinds.is_integer(kind) or kinds.is_null(kind) or (kinds.is_dictionary(kind) and _text(kind.value_type))
    )


def _truth(kind: pa.DataType) -> bool:
    return kinds.is_boolean(kind) or kinds.is_null(kind)


def _list(kind: pa.DataType) -> bool:
    nested = kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind)
    return kinds.is_null(kind) or (nested and _number(kind.value_type))


# Names or beginnings of names, what they must hold, and in which words to say so.
EXPECTED: dict[tuple[str, ...], tuple[Callable[[pa.DataType], bool], str]] = {
    ("cell",): (_key, "text"),
    ("seed", "data_seed"): (_number, "whole numbers"),
    ("diverged",): (_truth, "true or false"),
    ("silhouette_", "loss_", "score_", "predictor_", "agreement_"): (_number, "numbers"),
    ("curve_", "repeat_", "array_"): (_list, "lists of numbers"),
}


def problem_of(file: pq.ParquetFile) -> str | None:
    """Why the rows of a file cannot be used, in words; None where its schema and size allow it."""
    schema, metadata = file.schema_arrow, file.metadata
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1}) if len(schema) < 100_000 else ["too many"]
    if twice:
        return f"has the column {twice[0]} more than once"
    for field in schema:
        for names, (right, what) in EXPECTED.items():
            exact = not names[0].endswith("_")
            if (field.name in names if exact else field.name.startswith(names)) and not right(field.type):
                return f"column {field.name} must hold {what}, not {field.type}"
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    values = sum(max(group.column(c).num_values, 0) for group in groups for c in range(group.num_columns))
    size = max(values, metadata.num_rows) * BYTES_PER_VALUE + sum(max(group.total_byte_size, 0) for group in groups)
    if size > LARGEST_SHARE * machine_memory():
        return f"has {metadata.num_rows:,} rows of {values:,} values, too many for this machine's memory"
    return None
