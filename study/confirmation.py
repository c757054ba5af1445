"""The lower half of the seeds suggests predictors, the held-out upper half confirms them or does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from study.candidates import EARLY, T_ZERO
from study.statistics.intervals import bca, resampling
from study.statistics.simultaneous import RESAMPLES, Columns, Simultaneous, correlations, simultaneous

if TYPE_CHECKING:
    from study.ranking import Table

Array = NDArray[np.float64]

MOST_SELECTED = 5
SELECTED, PRIMARY, BEST_EARLY = "selected", "primary estimator", "best early training"
CONFIRMED, NOT_CONFIRMED, UNDECIDED = "confirmed", "not confirmed", "no interval"
RULE = (
    "The lower half of the seeds explores: per statistic, the t = 0 predictors whose simultaneous interval (over all "
    f"candidates of the table) excludes zero are selected, at most {MOST_SELECTED} by |r|; the primary estimator and the best "
    "early-training loss go along as references. Held-out half: intervals simultaneous over what was taken along. Confirmed: "
    "same sign, and the interval excludes zero; each table for itself, without a correction for their number."
)


def confirmation(table: Table, leading: str, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Selection on the lower half of the seeds (the smaller one of an odd number), and what the other half says.

    Args:
        leading: the column of the primary estimator.

    Returns:
        plain data: `entries` with exploration and held-out numbers, role and verdict; confirmed t = 0 predictors have
        `against`, their comparison with early training.
    """
    explores = np.isin(table.columns.seed, table.seeds[: len(table.seeds) // 2])
    everything = range(len(table.columns))
    halves = [table.columns.take(everything, half) for half in (explores, ~explores)]
    explored = simultaneous(halves[0], resamples)
    roles = _roles(table, explored, leading)
    places = list(roles)
    held = simultaneous(halves[1].take(places), resamples)
    entries = []
    for number, place in enumerate(places):
        k, statistic = table.places[place]
        candidate = table.candidates[k]
        entry: dict[str, Any] = {
            "statistic": statistic,
            "name": candidate.name,
            "column": candidate.column,
            "kind": candidate.kind,
            "cost": candidate.cost,
            "role": ", ".join(roles[place]),
            "exploration": _numbers(halves[0], explored, place, place),
            "held_out": _numbers(halves[1], held, place, number),
            "against": None,
        }
        entry["verdict"] = _verdict(entry["exploration"], entry["held_out"])
        if entry["verdict"] == CONFIRMED and candidate.kind == T_ZERO:
            entry["against"] = against_training(table, place, explored.value, halves[1], resamples)
        entries.append(entry)
    return {
        "rule": RULE,
        "exploration_seeds": halves[0].units,
        "held_out_seeds": halves[1].units,
        "exploration_family": explored.family,
        "held_out_family": held.family,
        "entries": entries,
    }


def _roles(table: Table, explored: Simultaneous, leading: str) -> dict[int, list[str]]:
    """Columns taken to the held-out half, with why: selected ones by size, then references."""
    roles: dict[int, list[str]] = {}
    size = np.abs(explored.value)
    clear = (explored.low > 0) | (explored.high < 0)
    for statistic in dict.fromkeys(statistic for _, statistic in table.places):
        kinds = {table.place(k, statistic): candidate.kind for k, candidate in enumerate(table.candidates)}
        chosen = sorted((p for p, kind in kinds.items() if kind == T_ZERO and clear[p]), key=lambda p: -size[p])
        for place in chosen[:MOST_SELECTED]:
            roles.setdefault(place, []).append(SELECTED)
        for k, candidate in enumerate(table.candidates):
            place = table.place(k, statistic)
            if candidate.column == leading and np.isfinite(size[place]):
                roles.setdefault(place, []).append(PRIMARY)
        early = [p for p, kind in kinds.items() if kind == EARLY and np.isfinite(size[p])]
        if early:
            roles.setdefault(max(early, key=lambda p: size[p]), []).append(BEST_EARLY)
    return roles


def _numbers(columns: Columns, found: Simultaneous, place: int, number: int) -> dict[str, Any]:
    ends = {name: getattr(found, name)[number] for name in ("value", "low", "high")}
    plain = {name: float(end) if np.isfinite(end) else None for name, end in ends.items()}
    return plain | {"n": int(columns.present[place].sum()), "reason": found.reason[number]}


def _verdict(exploration: dict[str, Any], held_out: dict[str, Any]) -> str:
    if held_out["low"] is None or exploration["value"] is None:
        return UNDECIDED
    near = held_out["low"] if exploration["value"] > 0 else -held_out["high"]
    return CONFIRMED if near > 0 else NOT_CONFIRMED


def against_training(table: Table, place: int, explored: Array, held_out: Columns, resamples: int) -> dict[str, Any]:
    """A confirmed predictor against the best early-training loss of the same or lower cost, on the held-out seeds.

    Where none is as cheap, against the cheapest. What is compared is r in the direction that the exploration found; the
    interval of the difference is over seeds, for this comparison alone.

    Returns:
        plain data: `rival`, `affordable` (whether it costs no more), `difference`, `low`, `high`, `says`; and `matched_by`, the
        cheapest early-training loss with at least the same |r| there, with its cost, or None.
    """
    k, statistic = table.places[place]
    early = {
        table.place(j, statistic): candidate.cost
        for j, candidate in enumerate(table.candidates)
        if candidate.kind == EARLY and candidate.cost is not None and np.isfinite(explored[table.place(j, statistic)])
    }
    if not early or table.candidates[k].cost is None:
        return {"rival": None, "says": "no early training to compare with" if not early else "its cost was not measured"}
    own_cost = float(table.candidates[k].cost or 0.0)
    cheap = [p for p, cost in early.items() if cost <= own_cost]
    rivals = cheap or [p for p, cost in early.items() if cost == min(early.values())]
    rival = max(rivals, key=lambda p: abs(explored[p]))
    columns = held_out.take([place, rival, *early])
    signs = np.sign(explored[[place, rival]]) * np.array([1.0, -1.0])
    values = correlations(columns, np.ones((1, columns.units)))[0][0]
    matching = sorted(((cost, p) for (p, cost), r in zip(early.items(), values[2:], strict=True) if abs(r) >= abs(values[0])))
    name = {p: table.candidates[table.places[p][0]].name for p in early}
    difference = _difference(columns.take([0, 1]), signs, values, resamples)
    return difference | {
        "rival": name[rival],
        "rival_cost": early[rival],
        "affordable": bool(cheap),
        "matched_by": {"name": name[matching[0][1]], "cost": matching[0][0]} if matching else None,
    }


def _difference(columns: Columns, signs: Array, values: Array, resamples: int) -> dict[str, Any]:
    """Own directed r minus the rival's (whose sign is turned), with a BCa interval over seeds."""
    units = columns.units
    value = float(signs @ values[:2])
    draws, left_out = (correlations(columns, w)[0] @ signs for w in (resampling(units, resamples, 0), 1.0 - np.eye(units)))
    low, high, reason = bca(value, draws, left_out)
    if reason or not np.isfinite(value):
        return {"difference": None, "low": None, "high": None, "says": f"not compared: {reason or 'constant'}"}
    says = "beats" if low > 0 else "does worse than" if high < 0 else "cannot be told from"
    return {"difference": value, "low": low, "high": high, "says": says}


def confirmed(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Confirmed t = 0 predictors."""
    return [e for e in entries if e["verdict"] == CONFIRMED and e["kind"] == T_ZERO]
