"""Where the variance comes from: weights, data, or their meeting (crossed random effects)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.statistics.f_tests import f_tests
from study.statistics.intervals import FEWEST_PAIRS
from study.statistics.pairs import ROUNDING, in_company, own_data

Array = NDArray[np.float64]

SHARES = ("weights", "data", "both")
DRAWS = 20_000  # of the chi-squares behind generalised intervals
METHOD = "95 % generalised confidence interval: chi-square pivots of the mean squares, normal effects"

DESIGNS = {
    "per_seed": (
        "Every seed draws its own data. Correlations over seeds ask whether the measure predicts the outcome of a fresh "
        "network on fresh data; how much of the variance is due to the weights and how much to the data cannot be told apart."
    ),
    "fixed": (
        "All seeds share one data set. Correlations over seeds ask whether the measure tells good from bad initial weights "
        "for the problem at hand; they say nothing about other data sets, however many seeds there are."
    ),
    "mixed": (
        "Some cells share one data set, others draw data of their own for every seed; each contrast asks the question of its "
        "cells: which weights are better for one problem, or which weights and data together."
    ),
    "shared": (
        "Some seeds share a data set, and no seed meets two. Correlations are taken within the data sets that at least two "
        "seeds share; seeds alone on their data set do not count in them, and n says what is left."
    ),
    "crossed": (
        "Every seed of the weights meets every data set. The variance splits into weights, data and their meeting, and "
        "correlations are taken over seeds within each data set, then pooled: whether the measure tells good from bad "
        "weights given the data. Seeds are the independent units; the data sets are those of the sweep and no others."
    ),
    "unknown": (
        "The rows do not say which data each network was trained on (they have no data_seed), so it is not known whether seeds "
        "share data. If every seed drew its own, correlations over seeds speak of fresh networks on fresh data; if all share "
        "one data set, they tell good from bad initial weights for that data set alone."
    ),
}


def design_of(frame: pd.DataFrame) -> str:
    """`per_seed`, `fixed`, `crossed`, `shared`, or `mixed` where cells differ in it, from the seeds in the rows. A cell of one
    network could be of any, so it has no say beside others. `unknown` where rows do not say which data they were made with."""
    if frame.attrs.get("data_unknown"):
        return "unknown"
    cells = [part for _, part in frame.groupby("cell")]
    designs = {_design_of_cell(part) for part in [c for c in cells if len(c) > 1] or cells}
    return designs.pop() if len(designs) == 1 else "mixed"


def _design_of_cell(frame: pd.DataFrame) -> str:
    if frame["data_seed"].nunique() > 1 and own_data(frame):
        return "per_seed"
    if frame["data_seed"].nunique() == 1:
        return "fixed"
    keys = frame[["seed", "data_seed"]].drop_duplicates()
    return "crossed" if in_company(keys["seed"].to_numpy()).mean() >= 0.5 else "shared"


def components(table: Array) -> dict[str, float]:
    """Variance components of a (weights x data) table of one number per combination, by the method of moments.

    Two-way random effects without replication: the meeting of weights and data cannot be told from what is left over, so
    `both` holds both. Estimates below zero are set to zero, as is usual; shares are of their sum.

    Returns:
        `weights`, `data`, `both`: variances.
    """
    rows, columns = table.shape
    parts = _components(*mean_squares(table), rows, columns)
    return dict(zip(SHARES, map(float, parts), strict=True))


def mean_squares(table: Array) -> tuple[float, float, float]:
    """Of rows, columns and what is left, of a complete table without replication."""
    rows, columns = table.shape
    centre = table.mean()
    row_effects, column_effects = table.mean(axis=1) - centre, table.mean(axis=0) - centre
    rest = table - centre - row_effects[:, None] - column_effects[None, :]
    return (
        float(columns * (row_effects**2).sum() / (rows - 1)),
        float(rows * (column_effects**2).sum() / (columns - 1)),
        float((rest**2).sum() / ((rows - 1) * (columns - 1))),
    )


def _components(of_rows: Any, of_columns: Any, of_rest: Any, rows: int, columns: int) -> Array:
    """Expected mean squares, numbers or (R,), to the three variances, (3,) or (3, R)."""
    weights, data = np.maximum((of_rows - of_rest) / columns, 0.0), np.maximum((of_columns - of_rest) / rows, 0.0)
    return np.stack(np.broadcast_arrays(weights, data, of_rest))


def generalised_intervals(table: Array, level: float = 0.95, draws: int = DRAWS) -> Array:
    """(3, 2) intervals of the shares of `weights`, `data` and `both` of a complete table (Weerahandi 1993).

    With normal effects each mean square, over what it expects and times its degrees of freedom, is a chi-square of its own.
    Read backwards, chi-squares give what the mean squares that were found may be estimates of, and these give shares; the
    interval is the middle of those.
    """
    rows, columns = table.shape
    freedom = np.array([rows - 1, columns - 1, (rows - 1) * (columns - 1)])
    chi_squares = np.random.default_rng(0).chisquare(freedom, size=(draws, 3)).T
    of_rows, of_columns, of_rest = np.array(mean_squares(table))[:, None] * freedom[:, None] / chi_squares
    parts = _components(of_rows, of_columns, of_rest, rows, columns)
    tails = (1 - level) / 2, (1 + level) / 2
    return np.quantile(parts / parts.sum(axis=0), tails, axis=1).T


def decompose(frame: pd.DataFrame, cell: str, column: str) -> dict[str, object]:
    """Shares of the variance of one column of one cell due to weights, data and both, with generalised intervals.

    These need a complete table: a seed that lacks a data set (a network diverged or is undefined) is left out of the table,
    and counted in `left_out`; where fewer than 5 are complete, there are no numbers but a reason.
    """
    rows = frame[frame["cell"] == cell]
    present = rows["seed"].nunique()
    if "diverged" in rows:
        rows = rows[~rows["diverged"].astype("boolean").fillna(False).astype(bool)]
    wide = rows.pivot(index="seed", columns="data_seed", values=column).astype(np.float64)
    table = wide[np.isfinite(wide).all(axis=1)].to_numpy(dtype=np.float64)
    entry: dict[str, object] = {"cell": cell, "column": column, "seeds": table.shape[0], "data_sets": table.shape[1]}
    entry["f_tests"] = f_tests(table)
    entry["left_out"] = present - table.shape[0]
    if table.shape[0] < FEWEST_PAIRS or table.shape[1] < 2:
        least = f"at least {FEWEST_PAIRS} seeds with every data set and 2 data sets needed"
        return entry | {"reason": f"{table.shape[0]} seed(s) with all of {table.shape[1]} data set(s), {least}"}
    if np.ptp(table) <= ROUNDING * np.abs(table).max():
        return entry | {"reason": "constant"}
    entry["method"] = METHOD
    entry["note"] = f"{entry['left_out']} seed(s) that lack a data set left out" if entry["left_out"] else ""
    intervals = generalised_intervals(table - table.mean())
    for name, share, (low, high) in zip(SHARES, _shares(components(table)), intervals, strict=True):
        entry[name] = {"share": share, "low": float(low), "high": float(high)}
    return entry


def _shares(parts: dict[str, float]) -> list[float]:
    total = sum(parts.values())
    return [parts[name] / total if total > 0 else 0.0 for name in SHARES]
