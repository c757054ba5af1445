"""Which seed will do better, asked on every data set by itself and pooled over data sets as a random sample of them.

Only for crossed designs, where the same seeds meet several data sets: `study.ranking` answers all data sets at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.candidates import CONDITION, EARLY, Candidate, has_predictors
from study.contrasts import Contrast
from study.ranking import SEED_LEVEL, Costs, Table, tables_of
from study.regret import GROUP, regrets, share_missed
from study.statistics.pairs import own_data
from study.statistics.permutation import PERMUTATIONS
from study.statistics.pooling import FEWEST, METHOD, pool, pool_correlations
from study.statistics.simultaneous import (
    FEWEST_SEEDS,
    RESAMPLES,
    SIMULTANEOUS,
    Simultaneous,
    correlations,
    family_wise,
    simultaneous,
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Answered:
    """One data set's table with its intervals, family-wise p and the standard errors of Fisher's z."""

    data_seed: int
    table: Table
    found: Simultaneous
    errors: Array
    p_fwer: Array


def by_data_set(
    frame: pd.DataFrame,
    contrasts: Sequence[Contrast],
    costs: Costs | None = None,
    resamples: int = RESAMPLES,
    permutation_count: int = PERMUTATIONS,
) -> dict[str, Any] | None:
    """Every contrast and phase on each data set, and pooled; None where rows are of another design or hold no predictors.

    Returns:
        plain data: `tables`, each with `data_sets` (a list of `{data_seed, pairs, entries}`) and `pooled` entries, one per
        candidate and statistic, of correlations and of the gain that choosing the best of GROUP seeds misses.
    """
    if not has_predictors(frame) or own_data(frame):
        return None
    counts = frame.groupby("data_seed")["seed"].nunique()
    data_seeds = [int(seed) for seed in counts.index[counts >= FEWEST_SEEDS]]
    if len(data_seeds) < FEWEST:
        return None
    answered: dict[tuple[str, str], list[_Answered]] = {}
    gains: dict[tuple[str, str], list[list[dict[str, Any]]]] = {}
    for data_seed in data_seeds:
        part = frame[frame["data_seed"] == data_seed]
        for table in tables_of(part, contrasts, costs or {}):
            found = simultaneous(table.columns, resamples, groups=np.tile(np.arange(len(table.candidates)), len(SEED_LEVEL)))
            errors = correlations(table.columns, np.ones((1, table.columns.units)))[1][0]
            p_fwer = family_wise(table.columns, permutation_count)[1]
            key = table.contrast, table.phase
            answered.setdefault(key, []).append(_Answered(data_seed, table, found, errors, p_fwer))
            gains.setdefault(key, []).append(regrets(part, table, _pairs(contrasts, table.contrast)))
    tables = [
        _pooled(sets, gains[key], _pairs(contrasts, key[0]), costs or {})
        for key, sets in answered.items()
        if len(sets) >= FEWEST
    ]
    how = {"interval": SIMULTANEOUS, "pooled": METHOD, "group": GROUP, "permutations": permutation_count}
    return how | {"tables": tables} if tables else None


def _pairs(contrasts: Sequence[Contrast], name: str) -> Sequence[tuple[str, str]]:
    return next(contrast.pairs for contrast in contrasts if contrast.name == name)


def _pooled(
    sets: Sequence[_Answered], gains: Sequence[list[dict[str, Any]]], pairs: Sequence[tuple[str, str]], costs: Costs
) -> dict[str, Any]:
    """One contrast and phase: the entries of each data set, and over them."""
    first = sets[0].table
    sides = {"first": {pair[0] for pair in pairs}, "second": {pair[1] for pair in pairs}}
    pooled: list[dict[str, Any]] = []
    for candidate in first.candidates:
        if candidate.kind == CONDITION or candidate.column == "init_scale":
            continue  # of one value in each condition: says nothing of seeds
        shared: dict[str, Any] = {"name": candidate.name, "column": candidate.column, "kind": candidate.kind}
        shared |= {f"cost_{side}": _cost(candidate, cells, costs) for side, cells in sides.items()}
        for statistic in SEED_LEVEL:
            places = [one.table.find(candidate.name, statistic) for one in sets]
            values, errors, p_values = (
                np.array([np.nan if at is None else numbers[at] for at, numbers in zip(places, kind, strict=True)])
                for kind in (
                    [one.found.value for one in sets], [one.errors for one in sets], [one.p_fwer for one in sets]
                )
            )  # fmt: skip
            over = pool_correlations(values, errors)
            worst = float(p_values.max()) if np.isfinite(p_values).all() else None
            numbers = {"statistic": statistic, "by_data_set": [_plain(v) for v in values], "largest_p_fwer": worst}
            pooled.append(shared | numbers | ({} if over is None else vars(over)))
    return {
        "contrast": first.contrast,
        "phase": first.phase,
        "outcome": first.outcome,
        "candidates": len(first.candidates),
        "data_sets": [_entries(one) for one in sets],
        "pooled": pooled,
        "regret": _regret(gains),
    }


def _cost(candidate: Candidate, cells: Iterable[str], costs: Costs) -> float | None:
    """Gradient steps of the networks of one side; what takes training costs both sides as much."""
    if candidate.kind == EARLY:
        return candidate.cost
    known = [costs.get(cell, {}).get(candidate.column) for cell in cells]
    return None if None in known else float(np.mean([cost for cost in known if cost is not None]))


def _entries(one: _Answered) -> dict[str, Any]:
    entries = []
    for k, candidate in enumerate(one.table.candidates):
        for statistic in SEED_LEVEL:
            at = one.table.place(k, statistic)
            numbers = {"value": one.found.value[at], "low": one.found.low[at], "high": one.found.high[at]}
            plain = {name: _plain(value) for name, value in numbers.items()} | {"p_fwer": _plain(one.p_fwer[at])}
            named = {"name": candidate.name, "column": candidate.column, "statistic": statistic}
            entries.append(named | plain | {"n": int(one.table.columns.present[at].sum()), "reason": one.found.reason[at]})
    return {"data_seed": one.data_seed, "pairs": len(one.table.columns.seed), "entries": entries}


def _regret(gains: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Of each cell and candidate the share missed, a mean over data sets with its interval."""
    found = []
    for entry in gains[0]:
        key = entry["cell"], entry["column"]
        same = [next((e for e in part if (e["cell"], e["column"]) == key), None) for part in gains]
        shares = [(share_missed(e), e["error"]) for e in same if e is not None and e["error"]]
        over = pool(*np.array(shares).T) if len(shares) == len(gains) else None
        found.append({"cell": entry["cell"], "name": entry["name"], "column": entry["column"], "groups": entry["groups"]}
                     | ({} if over is None else vars(over)))  # fmt: skip
    return found


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def of(mapping: Mapping[str, Any], statistic: str, column: str) -> dict[str, Any] | None:
    """The pooled entry of a table for one statistic and column."""
    return next((e for e in mapping["pooled"] if (e["statistic"], e["column"]) == (statistic, column)), None)
