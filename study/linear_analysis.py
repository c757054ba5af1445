"""From rows of the linear network to scores over seeds: which mode leads, when, and how far ahead of the loss."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from study.linear_settings import steps_of_text
from study.linear_trial import MAIN
from study.rows import RowsError
from study.statistics.scores import Score, median, share
from study.storage import Location

SCHEMA = 1
PREFIX = "score_"
TIME = re.compile(r"((theory_)?half_time|loss_drop_\w+|(theory_)?switch)_\d+")  # missing: later than the end
PLATEAU = re.compile(r"lead_(.+)_plateau(\d+)_(q\d+)")
STEP = re.compile(r"lead_(.+)_step(\d+)")

# What the source study shows or says of its one network; 1 where it says that something happens.
PAPER = {
    "lead_summed_step190": 1.0,
    "lead_summed_step770": 1.0,
    "secondary_pattern_2": 1.0,
    "mode1_share_ntk": 1.0,
}


def is_linear(frame: pd.DataFrame) -> bool:
    """Whether rows are of the linear network."""
    return "network" in frame and bool((frame["network"] == "linear").all())


def check_linear(frame: pd.DataFrame, out: Location) -> None:
    """Raises RowsError: rows of the linear network, made elsewhere, lack a column that nothing can be said without."""
    if lacking := sorted({"marks", "diverged"} - set(frame)):
        raise RowsError(f"{out}: rows of the linear network need a column {lacking[0]}")


def analyse_linear(frame: pd.DataFrame) -> dict[str, Any]:
    """Every score of every cell.

    Of a score that names the leading mode there are two entries: `lead_...`, the share of seeds led by the mode that is
    being learned, and `most_...`, the mode that leads most often and its share; `mode` says which.

    Returns:
        plain data, ready for JSON. `results` has one entry per cell and score: value, 95 % interval, the middle nine
        tenths of seeds, n, seeds left out, method, and the reason where a number is missing.
    """
    results, cells = [], []
    for cell, part in frame.groupby("cell", sort=False):
        diverged = part["diverged"].astype(bool)
        kept = part[~diverged]
        cells.append({"cell": str(cell), "networks": len(part), "diverged": int(diverged.sum()), "seed": _typical(kept)})
        marks = steps_of_text(str(part["marks"].iloc[0]))
        if not len(kept):
            continue
        for column in (name for name in frame.columns if name.startswith(PREFIX)):
            values = kept[column].to_numpy(dtype=float)
            if np.isnan(values).all() and column.startswith(f"{PREFIX}lead_"):
                continue  # a mode or a mark that this cell does not have
            name = column.removeprefix(PREFIX)
            expected = _expected(name, marks)
            if name.startswith("ahead_of_"):
                switched = kept[f"{PREFIX}switch_{name.rsplit('_', 1)[1]}"].notna().to_numpy()
                results.append(_entry(str(cell), name, None, _ahead(values, switched)))
                continue
            results.append(_entry(str(cell), name, expected, _score(name, values, expected)))
            if expected is not None:
                common = int(np.bincount(values[~np.isnan(values)].astype(int)).argmax())
                score = _score(name, values, common)
                results.append(_entry(str(cell), name.replace("lead_", "most_", 1), common, score))
    return {"schema": SCHEMA, "network": "linear", "main_reading": MAIN, "cells": cells, "results": results}


def _expected(name: str, marks: list[int]) -> int | None:
    """The mode that should lead, by what is learned: a plateau's own, or the number of the mark."""
    if found := PLATEAU.fullmatch(name):
        return int(found[2])
    if found := STEP.fullmatch(name):
        return marks.index(int(found[2])) + 1 if int(found[2]) in marks else None
    return None


def _score(name: str, values: np.ndarray, mode: int | None) -> Score:
    if mode is not None:
        return share(np.where(np.isnan(values), np.nan, values == mode))
    if name.startswith("secondary_") and "delay" not in name:
        return share(values)
    return median(values, censored=TIME.fullmatch(name) is not None)


def _ahead(values: np.ndarray, switched: np.ndarray) -> Score:
    """Steps ahead of a drop. A drop after the end is one far ahead of which the switch came; no switch is no score."""
    found = median(values[switched], censored=True)
    return replace(found, left_out=found.left_out + int((~switched).sum()))


def _entry(cell: str, name: str, mode: int | None, score: Score) -> dict[str, Any]:
    return {"cell": cell, "score": name, "mode": mode, **asdict(score), "paper": PAPER.get(name)}


def _typical(kept: pd.DataFrame) -> int | None:
    """The seed whose first two half-times are nearest to the medians of its cell: the one that figures show."""
    names = [name for name in ("score_half_time_1", "score_half_time_2") if name in kept]
    if not len(kept) or not names:
        return None
    times = kept[names].astype(float)
    off = (times / times.median() - 1).abs().sum(axis=1, skipna=False).fillna(np.inf)
    return int(kept["seed"].loc[off.idxmin()])
