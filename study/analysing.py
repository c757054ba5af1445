"""Rows from anywhere analysed in memory, for `study.door`: nothing is written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from study.belonging import belonging
from study.declared import Declared, checked, parse_declared
from study.linear_analysis import is_linear
from study.meant import did_you_mean
from study.opened import Opened, check_results
from study.rows import RowsError, read_rows, read_table, rows_of_frame
from study.running import analysed, check_columns
from study.storage import location
from study.sweep import SweepError

NO_FOLDER = Path(os.devnull)  # of rows that lie in no folder: nothing is below it
SOURCE = "pairs"  # what messages name


def analyse_rows(rows: Any, pairs: Mapping[str, Any] | None, expect: Any, primary: Any) -> Opened:
    """The rows that count, and their analysis; arguments are those of `study.analyse`.

    Raises:
        RowsError: rows that cannot be used. SweepError: a comparison that cannot be made.
    """
    declared = None if pairs is None else declared_of(pairs, expect, primary)
    if declared is None and (expect or primary):
        raise SweepError(f"{'expect' if expect else 'primary'}: says something of pairs, and none are given")
    frame, source = _rows(rows)
    if is_linear(frame):
        raise RowsError(f"{source}: rows of linear networks are not compared; study.open reads a folder of them")
    frame = belonging(frame, None, NO_FOLDER)
    check_columns(frame, source)
    analysis = analysed(frame, None, NO_FOLDER, checked(declared, frame, SOURCE) if declared else None)
    check_results(analysis, source)
    return Opened(frame, analysis, None)


def _rows(rows: Any) -> tuple[pd.DataFrame, str]:
    """Rows and what they are, for messages."""
    if isinstance(rows, pd.DataFrame):
        return rows_of_frame(rows, "rows"), "rows"
    if not isinstance(rows, str | os.PathLike):
        raise RowsError(f"rows: must be a DataFrame, or the path of a folder or Parquet file, got {type(rows).__name__}")
    place = location(os.fspath(rows))
    if isinstance(place, Path) and place.is_file():
        return rows_of_frame(read_table(place, ("cell", "seed")).to_pandas(), str(place)), str(place)
    return read_rows(place), str(place)


def declared_of(pairs: Any, expect: Any = None, primary: Any = None) -> Declared:
    """What Python says is compared, checked as a file of contrasts is.

    Raises:
        SweepError: the first problem, in one line.
    """
    if not isinstance(pairs, Mapping):
        raise SweepError('pairs: must be a mapping of names to two cells, such as {"large": ("standard", "large")}')
    contrasts: dict[Any, dict[str, Any]] = {}
    for name, pair in pairs.items():
        if isinstance(pair, Mapping):
            contrasts[name] = dict(pair)
        elif isinstance(pair, tuple | list) and len(pair) == 2:
            contrasts[name] = {"first": str(pair[0]), "second": str(pair[1])}
        else:
            raise SweepError(f'pairs[{name!r}] = {pair!r}: must be two cells, such as ("standard", "large")')
    for name, claims in _expected(expect, list(contrasts)).items():
        contrasts[name]["expect"] = claims
    raw = {"contrasts": contrasts} | ({} if primary is None else {"primary": primary})
    return parse_declared(raw, SOURCE)


def _expected(expect: Any, names: list[Any]) -> dict[Any, Any]:
    """Claims by the name of a pair; those of no pair in particular are of every one."""
    if expect is None:
        return {}
    if not isinstance(expect, Mapping):
        raise SweepError('expect: must be a mapping, such as {"silhouette": "higher", "final": "lower"}')
    if not any(isinstance(claims, Mapping) for claims in expect.values()):
        return {name: dict(expect) for name in names}
    for name in expect:
        if name not in names:
            raise SweepError(
                f"expect[{name!r}]: no such pair{did_you_mean(name, names)}; allowed: {', '.join(map(str, names))}"
            )
    return {name: dict(claims) if isinstance(claims, Mapping) else claims for name, claims in expect.items()}
