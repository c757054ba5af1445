"""Which predictor says which SEED will do better? Every candidate of a contrast and phase, ranked with honest intervals.

Three correlations speak of seeds (`centred`, `within_first`, `within_second`); their intervals hold all candidates of a table
at once, and their p values are family-wise. Two numbers speak of conditions (`r20`, `d_z`) and are shown beside them, because
a predictor may tell conditions apart and say nothing of seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.candidates import T_ZERO, Candidate, candidates_of, has_predictors
from study.columns import phases_of
from study.confined import confined
from study.confirmation import confirmation
from study.contrasts import Contrast
from study.pattern_agreement import pattern_agreement
from study.statistics.correlations import r20
from study.statistics.intervals import CORRELATION_METHOD, FEWEST_PAIRS, METHOD, Estimate, estimates
from study.statistics.pairs import Pairs, diverged_pairs, joined, pairs_of
from study.statistics.permutation import PERMUTATIONS
from study.statistics.simultaneous import (
    RESAMPLES,
    SIMULTANEOUS,
    Columns,
    Simultaneous,
    columns_of,
    family_wise,
    simultaneous,
)

Array = NDArray[np.float64]
Costs = Mapping[str, Mapping[str, float]]

SEED_LEVEL = ("centred", "within_first", "within_second")
CONDITION_LEVEL = ("r20", "d_z")
ONE_VALUE = "constant: one value in each condition"


def d_z(pairs: Pairs, weights: Array) -> Array:
    """Standardised paired difference of the predictor: its mean over the standard deviation (within strata)."""
    total, spread = weights.sum(axis=-1), 0.0
    for stratum in pairs.strata:
        size = weights @ stratum
        mean = (weights @ (stratum * pairs.dx)) / np.where(size > 0, size, 1)
        spread = spread + ((pairs.dx - mean[..., None]) ** 2 * stratum * weights).sum(axis=-1)
    variance = spread / np.maximum(total - len(pairs.strata), 1)
    defined = variance > 1e-20 * np.square(pairs.dx).max(initial=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(defined, (weights @ pairs.dx) / total / np.sqrt(variance), np.nan)


@dataclass(frozen=True)
class Table:
    """One contrast and phase.

    Attributes:
        columns: 3 x candidates: all of `centred`, all of `within_first`, all of `within_second`, in the candidates' order.
        seeds: all seeds of the contrast, ascending, also those whose networks diverged: what is halved.
        diverged: pairs left out because a network of theirs diverged.
    """

    contrast: str
    phase: str
    outcome: str
    candidates: tuple[Candidate, ...]
    columns: Columns
    condition: tuple[Pairs, ...]
    seeds: NDArray[np.int64]
    diverged: int

    def place(self, candidate: int, statistic: str) -> int:
        """The column of a candidate's statistic."""
        return SEED_LEVEL.index(statistic) * len(self.candidates) + candidate

    def find(self, name: str, statistic: str) -> int | None:
        """The column of a statistic of the candidate of this name; None where there is none."""
        found = [k for k, candidate in enumerate(self.candidates) if candidate.name == name]
        return self.place(found[0], statistic) if found else None

    @property
    def places(self) -> list[tuple[int, str]]:
        """(candidate, statistic) of every column."""
        return [(k, statistic) for statistic in SEED_LEVEL for k in range(len(self.candidates))]


def tables_of(frame: pd.DataFrame, contrasts: Sequence[Contrast], costs: Costs) -> Iterator[Table]:
    """A table for every contrast and phase that has predictors, on unseen patterns, or on the test draw without such."""
    present = set(frame["cell"])
    for contrast in contrasts:
        if any(name not in present for pair in contrast.pairs for name in pair):
            continue
        for phase in phases_of(frame):
            extended, candidates = candidates_of(frame, phase, contrast.pairs, costs)
            outcome = next((o for o in ("unseen", "test") if _has_values(extended, f"loss_{phase}_{o}")), None)
            if outcome is not None:
                yield _table(extended, contrast, phase, outcome, candidates)


def _has_values(frame: pd.DataFrame, column: str) -> bool:
    return column in frame and bool(np.isfinite(frame[column].astype(float)).any())


def _table(frame: pd.DataFrame, contrast: Contrast, phase: str, outcome: str, candidates: Sequence[Candidate]) -> Table:
    loss = f"loss_{phase}_{outcome}"
    kept = [name for name in ("diverged", loss, *(c.column for c in candidates)) if name in frame]
    rows = joined(frame[["cell", "seed", "data_seed", *dict.fromkeys(kept)]], contrast.pairs)
    sound = rows[~diverged_pairs(rows)]
    x, y = (
        {side: sound[[f"{name}_{side}" for name in names]].to_numpy(dtype=np.float64).T for side in ("first", "second")}
        for names in ([c.column for c in candidates], [loss])
    )
    x["centred"], y["centred"] = x["first"] - x["second"], y["first"] - y["second"]
    # A difference of values that agree but for rounding is none.
    size = np.maximum(np.nanmax(np.abs(x["first"]), axis=1, initial=0), np.nanmax(np.abs(x["second"]), axis=1, initial=0))
    x["centred"] = np.where(np.abs(x["centred"]) <= 1e-12 * size[:, None], 0.0, x["centred"])
    order = ("centred", "first", "second")
    # A pair counts for a candidate only where both its networks do, so that the three correlations speak of the same pairs.
    both = np.isfinite(x["centred"]) & np.isfinite(y["centred"])
    columns = columns_of(
        np.concatenate([np.where(both, x[side], np.nan) for side in order]),
        np.concatenate([np.broadcast_to(y[side], both.shape) for side in order]),
        sound["seed"].to_numpy(dtype=np.int64),
        sound["stratum"].to_numpy(dtype=np.int64),
    )
    condition = tuple(pairs_of(rows, c.column, loss) for c in candidates)
    seeds = np.unique(rows["seed"].to_numpy(dtype=np.int64))
    return Table(contrast.name, phase, outcome, tuple(candidates), columns, condition, seeds, len(rows) - len(sound))


def ranking(
    frame: pd.DataFrame,
    contrasts: Sequence[Contrast],
    leading: str,
    costs: Costs | None = None,
    resamples: int = RESAMPLES,
    permutation_count: int = PERMUTATIONS,
) -> dict[str, Any] | None:
    """Every table, what the held-out seeds say of it, and what is excluded; None for rows without predictors.

    Args:
        leading: the column of the primary estimator, a reference in every confirmation.
        costs: cell -> column -> gradient steps, as `study.predictor_cost` measures them.

    Returns:
        plain data: `tables`, each with `entries` (one per candidate and statistic, ranked), `excluded` (per statistic the
        largest |r| that the intervals of all t = 0 candidates still allow) and `confirmation`; and `agreement`.
    """
    if not has_predictors(frame):
        return None
    tables: list[dict[str, Any]] = []
    sources = list(tables_of(frame, contrasts, costs or {}))
    for table in sources:
        found = simultaneous(table.columns, resamples, groups=np.tile(np.arange(len(table.candidates)), len(SEED_LEVEL)))
        entries = list(_entries(table, found, resamples, permutation_count))
        tables.append(
            {
                "contrast": table.contrast,
                "phase": table.phase,
                "outcome": table.outcome,
                "pairs": len(table.columns.seed),
                "seeds": table.columns.units,
                "left_out_diverged": table.diverged,
                "candidates": len(table.candidates),
                "t_zero": sum(c.kind == T_ZERO for c in table.candidates),
                "family": found.family,
                "critical": _plain(found.critical),
                "widened_by": _widened_by(table, found),
                "entries": entries,
                "excluded": {statistic: _excluded(entries, statistic) for statistic in SEED_LEVEL},
                "confirmation": confirmation(table, leading, resamples),
            }
        )
    for table, result in zip(sources, tables, strict=True):
        others = [other for other in sources if other.contrast == table.contrast and other is not table]
        result["confirmation"]["confined"] = confined(table, others, result["confirmation"]["entries"])
    return {
        "interval": SIMULTANEOUS,
        "condition_interval": f"r20 {CORRELATION_METHOD}, d_z {METHOD}",
        "resamples": resamples,
        "permutations": permutation_count,
        "tables": tables,
        "agreement": pattern_agreement(frame),
    }


def _entries(table: Table, found: Simultaneous, resamples: int, permutation_count: int) -> Iterator[dict[str, Any]]:
    own, adjusted = family_wise(table.columns, permutation_count)
    ranks = {statistic: _ranks(table, found.value, statistic) for statistic in SEED_LEVEL}
    for k, candidate in enumerate(table.candidates):
        for statistic in SEED_LEVEL:
            place = table.place(k, statistic)
            numbers = {
                "value": _plain(found.value[place]),
                "low": _plain(found.low[place]),
                "high": _plain(found.high[place]),
                "p": _plain(own[place]),
                "p_fwer": _plain(adjusted[place]),
                "n": int(table.columns.present[place].sum()),
                "seeds": int(table.columns.seeds[place]),
                "rank": ranks[statistic].get(k),
                "reason": found.reason[place],
            }
            yield asdict(candidate) | {"statistic": statistic} | numbers
        for statistic, estimate in zip(CONDITION_LEVEL, _condition(table.condition[k], resamples), strict=True):
            numbers = {name: getattr(estimate, name) for name in ("value", "low", "high", "n", "seeds", "reason")}
            yield asdict(candidate) | {"statistic": statistic} | numbers | {"p": None, "p_fwer": None, "rank": None}


def _widened_by(table: Table, found: Simultaneous) -> dict[str, Any] | None:
    """The column that makes all the others' intervals wider, and the critical value without it; None where none does."""
    if found.widest is None:
        return None
    k, statistic = table.places[found.widest]
    candidate = table.candidates[k]
    where = {"name": candidate.name, "column": candidate.column, "statistic": statistic}
    return where | {"critical_without": found.critical_without}


def _condition(pairs: Pairs, resamples: int) -> list[Estimate]:
    found = estimates([r20, d_z], pairs, resamples)
    if found[1].value is None and found[1].seeds >= FEWEST_PAIRS:
        found[1] = Estimate(None, n=found[1].n, seeds=found[1].seeds, reason=ONE_VALUE)
    return found


def _ranks(table: Table, value: Array, statistic: str) -> dict[int, int]:
    """Candidate -> place by |r|, from 1; candidates without a value have none."""
    size = {k: abs(value[table.place(k, statistic)]) for k in range(len(table.candidates))}
    ordered = sorted((k for k, r in size.items() if np.isfinite(r)), key=lambda k: -size[k])
    return {k: place + 1 for place, k in enumerate(ordered)}


def _excluded(entries: Sequence[Mapping[str, Any]], statistic: str) -> dict[str, Any] | None:
    """The largest |r| that the intervals of all t = 0 candidates still allow, and whose it is; None without intervals."""
    held = [e for e in entries if (e["kind"], e["statistic"]) == (T_ZERO, statistic) and e["low"] is not None]
    if not held:
        return None
    farthest = max(held, key=lambda e: max(-e["low"], e["high"]))
    return {"largest": max(-farthest["low"], farthest["high"]), "name": farthest["name"], "candidates": len(held)}


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
