"""Does what was confirmed hold there only? Confirmed in one cell or phase and not in another is no difference between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from study.confirmation import confirmed
from study.statistics.differences import differences
from study.statistics.simultaneous import Columns, correlations

if TYPE_CHECKING:
    from study.ranking import Table

OTHER_CELL = {"within_first": "within_second", "within_second": "within_first"}


def confined(table: Table, others: Sequence[Table], entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every confirmed t = 0 predictor against the same one in the other cell, and in the other phases, of its contrast.

    Args:
        others: tables of the other phases of the same contrast.
        entries: of the table's confirmation.

    Returns:
        plain data, one entry per comparison: `name`, `statistic` and where it is compared with (`against_statistic`,
        `against_phase`), and the difference of Fisher's z on the held-out seeds, each interval for itself.
    """
    found = []
    for entry in confirmed(entries):
        for other, statistic in _rivals(table, others, entry["statistic"]):
            place, rival = (t.find(entry["name"], s) for t, s in ((table, entry["statistic"]), (other, statistic)))
            if place is None or rival is None:
                continue
            numbers = _difference(_held_out(table).take([place]), _held_out(other).take([rival]))
            where = {"against_phase": other.phase, "against_statistic": statistic}
            found.append({"name": entry["name"], "statistic": entry["statistic"], **where, **numbers})
    return found


def _rivals(table: Table, others: Sequence[Table], statistic: str) -> Iterator[tuple[Table, str]]:
    if statistic in OTHER_CELL:
        yield table, OTHER_CELL[statistic]
    for other in others:
        if np.array_equal(other.columns.seed, table.columns.seed):
            yield other, statistic


def _held_out(table: Table) -> Columns:
    held = ~np.isin(table.columns.seed, table.seeds[: len(table.seeds) // 2])
    return table.columns.take(range(len(table.columns)), held)


def _difference(here: Columns, there: Columns) -> dict[str, Any]:
    units = here.units
    weights = np.concatenate([np.ones((1, units)), 1.0 - np.eye(units)])
    of, base = (correlations(columns, weights)[0] for columns in (here, there))
    result = differences(of[0], of[1:], base[0], base[1:])
    parts = {"difference": result.value, "low": result.low, "high": result.high, "p": result.p}
    return {name: float(value[0]) if np.isfinite(value[0]) else None for name, value in parts.items()}
