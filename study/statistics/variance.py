"""Where the variance comes from: weights, data, or their meeting (crossed random effects)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.statistics.pairs import own_data

Array = NDArray[np.float64]

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
    """`per_seed`, `fixed`, `crossed`, or `mixed` where cells differ in it, from the seeds in the rows. A cell of one network
    could be of any, so it has no say beside others. `unknown` where rows do not say which data they were made with."""
    if frame.attrs.get("data_unknown"):
        return "unknown"
    cells = [part for _, part in frame.groupby("cell")]
    designs = {_design_of_cell(part) for part in [c for c in cells if len(c) > 1] or cells}
    return designs.pop() if len(designs) == 1 else "mixed"


def _design_of_cell(frame: pd.DataFrame) -> str:
    if frame["data_seed"].nunique() > 1 and own_data(frame):
        return "per_seed"
    return "fixed" if frame["data_seed"].nunique() == 1 else "crossed"


def components(table: Array) -> dict[str, float]:
    """Variance components of a (weights x data) table of one number per combination, by the method of moments.

    Two-way random effects without replication: the meeting of weights and data cannot be told from what is left over, so
    `both` holds both. Estimates below zero are set to zero, as is usual; shares are of their sum.

    Returns:
        `weights`, `data`, `both`: variances.
    """
    rows, columns = table.shape
    centre = table.mean()
    row_effects, column_effects = table.mean(axis=1) - centre, table.mean(axis=0) - centre
    rest = table - centre - row_effects[:, None] - column_effects[None, :]
    mean_square_rows = columns * (row_effects**2).sum() / (rows - 1)
    mean_square_columns = rows * (column_effects**2).sum() / (columns - 1)
    mean_square_rest = (rest**2).sum() / ((rows - 1) * (columns - 1))
    return {
        "weights": max((mean_square_rows - mean_square_rest) / columns, 0.0),
        "data": max((mean_square_columns - mean_square_rest) / rows, 0.0),
        "both": float(mean_square_rest),
    }


def decompose(frame: pd.DataFrame, cell: str, column: str, resamples: int = 2000) -> dict[str, object]:
    """Shares of the variance of one column of one cell due to weights, data and both, with intervals.

    Intervals are percentile bootstraps that resample seeds and data sets; with the few data sets that a sweep can afford they
    are rough, and the entry says so. Combinations that diverged or are undefined leave with their seed, since the
    table must be complete.
    """
    rows = frame[frame["cell"] == cell]
    if "diverged" in rows:
        rows = rows[~rows["diverged"].astype("boolean").fillna(False).astype(bool)]
    table = rows.pivot(index="seed", columns="data_seed", values=column).dropna().to_numpy(dtype=np.float64)
    entry: dict[str, object] = {"cell": cell, "column": column, "seeds": table.shape[0], "data_sets": table.shape[1]}
    if table.shape[0] < 5 or table.shape[1] < 2:
        return entry | {"reason": "at least 5 complete seeds and 2 data sets needed"}
    if np.ptp(table) == 0:
        return entry | {"reason": "constant"}
    generator = np.random.default_rng(0)
    shares = np.array([_shares(components(_resampled(table, generator))) for _ in range(resamples)])
    entry["method"] = "95 % percentile bootstrap over seeds and data sets"
    entry["note"] = f"{table.shape[1]} data sets: rough" if table.shape[1] < 30 else ""
    low, high = np.quantile(shares, [0.025, 0.975], axis=0)
    for i, (name, share) in enumerate(zip(("weights", "data", "both"), _shares(components(table)), strict=True)):
        entry[name] = {"share": share, "low": float(low[i]), "high": float(high[i])}
    return entry


def _resampled(table: Array, generator: np.random.Generator) -> Array:
    rows, columns = (generator.integers(size, size=size) for size in table.shape)
    return table[rows][:, columns]


def _shares(parts: dict[str, float]) -> list[float]:
    total = sum(parts.values())
    return [parts[name] / total if total > 0 else 0.0 for name in ("weights", "data", "both")]
