"""A first look at a study while it is trained: the rows that are there, marked INTERIM, cheaply and in a few lines."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import pandas as pd
from rich.console import Console

from study.contrasts import Contrast
from study.plan import Block, Cell, Plan
from study.rows import RowsError, read_rows
from study.statistics.correlations import centred
from study.statistics.intervals import FEWEST_PAIRS, Estimate, estimates
from study.statistics.pairs import make_pairs
from study.storage import Location
from study.tables import number

SECONDS = 45.0  # after which even fewer pairs than an interval needs are shown
LONG = 180.0  # a run that takes longer is looked at again when half of it is done


class Looks:
    """Prints a first look when there are enough pairs, or some time has passed, and another one halfway."""

    def __init__(self, plan: Plan, out: Location, console: Console, done: Iterable[tuple[str, object]]) -> None:
        self.plan, self.out, self.console = plan, out, console
        self.contrast, self.columns = asked_first(plan), columns_of(plan)
        self._done = set(done)
        self._start, self._shown = time.monotonic(), 0

    def finished(self, block: Block[Cell]) -> None:
        """The rows of a block are there."""
        self._done |= {(block.cell.name, draw) for draw in block.draws}
        if self.contrast is None or not self.due(time.monotonic() - self._start):
            return
        self._shown += 1
        try:
            frame = read_rows(self.out, self.columns)
        except (RowsError, OSError):  # the run itself will say so
            return
        for line in first_look(frame, self.plan):
            self.console.print(line, highlight=False, markup=False)

    def due(self, seconds: float) -> bool:
        """Whether it is time for a look."""
        pairs = self._pairs()
        if self._shown == 0:
            return pairs >= FEWEST_PAIRS or (pairs >= 1 and seconds > SECONDS)
        return self._shown == 1 and seconds > LONG and 2 * len(self._done) >= self.plan.networks > len(self._done)

    def _pairs(self) -> int:
        if self.contrast is None:
            return 0
        first, second = ({draw for cell, draw in self._done if cell == name} for name in self.contrast.pairs[0])
        return len(first & second)


def asked_first(plan: Plan) -> Contrast | None:
    """The contrast of the primary comparison, or the first one; None where nothing is compared."""
    named = plan.sweep.primary.contrast if plan.sweep.primary else ""
    return next(iter(sorted(plan.contrasts, key=lambda contrast: contrast.name != named)), None)


def _estimator(plan: Plan, contrast: Contrast) -> str:
    primary = plan.sweep.primary
    return f"silhouette_{primary.estimator if primary else plan.cell(contrast.pairs[0][0]).settings.estimators[0]}"


def _losses(plan: Plan, contrast: Contrast) -> list[tuple[str, str]]:
    """(phase, column) of the final losses that are shown."""
    split = plan.sweep.primary.outcome if plan.sweep.primary else "test"
    phases = dict.fromkeys(phase.name for phase in plan.cell(contrast.pairs[0][0]).curriculum.phases)
    return [(phase, f"loss_{phase}_{split}") for phase in phases]


def columns_of(plan: Plan) -> list[str]:
    """What a look reads of the rows."""
    contrast = asked_first(plan)
    if contrast is None:
        return []
    return ["cell", "seed", "data_seed", "diverged", _estimator(plan, contrast), *(c for _, c in _losses(plan, contrast))]


def first_look(frame: pd.DataFrame, plan: Plan) -> Sequence[str]:
    """At most six lines: means of both conditions, and the correlation of pair differences with its interval."""
    contrast = asked_first(plan)
    if contrast is None or not len(frame):
        return ()
    predictor, names = _estimator(plan, contrast), contrast.pairs[0]
    rows = frame[frame["cell"].isin({name for pair in contrast.pairs for name in pair})]
    means = rows.groupby("cell")[[predictor, *(column for _, column in _losses(plan, contrast))]].mean()

    def both(column: str) -> str:
        return " against ".join(f"{means.loc[name, column]:.2g}" if name in means.index else "none yet" for name in names)

    lines = [
        f"INTERIM, a first look at {len(frame):,} of {plan.networks:,} networks; every number may change.",
        f"  {contrast.name}, {names[0]} against {names[1]}:",
        f"  {predictor.replace('_', ' ', 1)}: {both(predictor)}",
    ]
    for phase, column in _losses(plan, contrast):
        pairs = make_pairs(rows, contrast.pairs, predictor, column)
        found = estimates([centred], pairs)[0]
        lines.append(f"  {phase} loss: {both(column)}; {_spoken(found)}, {found.n} pairs")
    return lines


def _spoken(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return f"r needs {FEWEST_PAIRS}" if found.n < FEWEST_PAIRS else f"no r ({found.reason})"
    return f"r {number(found.value)} [{found.low:z.2f}, {found.high:z.2f}]"
