"""The points of a scan as its rows have them: what is done, what is on the front, what is left out and why."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from study.grid import grid_name
from study.plan import Draw
from study.rows import read_rows
from study.scan.front import front, oriented
from study.scan.objectives import REFERENCE_SCALE, Score, clearly_dominated, score
from study.scan.space import Scan, Values
from study.storage import Location, files


@dataclass(frozen=True)
class Point:
    cell: str
    values: Values
    score: Score

    @property
    def done(self) -> bool:
        return self.score.values is not None or bool(self.score.pruned)


def rows_for_scores(out: Location) -> pd.DataFrame:
    """All rows, without curves; empty where there are none."""
    return read_rows(out) if files(out / "rows", ".parquet") else pd.DataFrame({"cell": []})


def values_of(scan: Scan, rows: pd.DataFrame) -> Values:
    """A cell's place on the axes."""
    first = rows.iloc[0]
    return {axis.name: getattr(first[axis.name], "item", lambda v=first[axis.name]: v)() for axis in scan.axes}


def rows_of_draws(rows: pd.DataFrame, draws: Sequence[Draw]) -> pd.DataFrame:
    wanted = {(draw.seed, draw.data_seed) for draw in draws}
    return rows[[key in wanted for key in zip(rows["seed"], rows["data_seed"], strict=True)]]


def points_of(scan: Scan, frame: pd.DataFrame) -> list[Point]:
    """Every point that has rows of the scan's seeds. References are no points where something is held against them.

    A point without all seeds counts as dominated where by the first of them a whole one is clearly better; else it is not
    finished.
    """
    parts = {str(name): part for name, part in frame.groupby("cell")} if len(frame) else {}
    paired = any(objective.paired for objective in scan.objectives)
    found = []
    for name, part in parts.items():
        rows = rows_of_draws(part, scan.draws)
        if not len(rows):
            continue
        values = values_of(scan, rows)
        if grid_name(values) != name or (paired and rows["init_scale"].iloc[0] == REFERENCE_SCALE):
            continue
        reference = parts.get(grid_name(scan.reference(values))) if paired else None
        cell = scan.cell(values)
        held = rows_of_draws(reference, scan.draws) if reference is not None else None
        found.append(Point(name, values, score(scan.objectives, scan.spec, cell, rows, held)))
    whole = [point.score.per_seed for point in found if point.score.values is not None]
    return [_dropped(point, scan, whole) for point in found]


def _dropped(point: Point, scan: Scan, whole: list[Any]) -> Point:
    paired = any(objective.paired for objective in scan.objectives)
    first = [losses[: scan.first] for losses in point.score.per_seed]
    if point.done or paired or point.score.seeds < scan.first or not clearly_dominated(first, whole):
        return point
    return replace(point, score=replace(point.score, pruned="dominated"))


def known(points: Sequence[Point]) -> dict[str, Score]:
    """The scores of points that need no more training."""
    return {point.cell: point.score for point in points if point.done}


def front_of(scan: Scan, points: Sequence[Point]) -> list[Point]:
    """The points that are best, along the first objective; with one objective from the best down, all of them."""
    scored = [point for point in points if point.score.values is not None and not point.score.pruned]
    if not scored:
        return []
    values = oriented([point.score.values or () for point in scored], [objective.mode for objective in scan.objectives])
    places = front(values) if values.shape[1] > 1 else list(range(len(scored)))
    return [scored[place] for place in sorted(places, key=lambda place: tuple(values[place]))]


def to_confirm(scan: Scan, points: Sequence[Point]) -> list[Point]:
    """At most `confirm` points of the front, evenly along it, both ends among them; with one objective the best ones.

    A front of one point has nothing to be compared with: those join it that are on the front without it.
    """
    best, most = front_of(scan, points), scan.spec.confirm
    if len(best) == 1:
        best += front_of(scan, [point for point in points if point != best[0]])
    if scan.is_crossover:
        ends = bracket_of(points)
        return list(ends) if ends is not None else []
    if len(scan.objectives) == 1 or len(best) <= most:
        return best[:most]
    return [best[round(place)] for place in np.linspace(0, len(best) - 1, most)] if most > 1 else best[:1]


def bracket_of(points: Sequence[Point]) -> tuple[Point, Point] | None:
    """The first two neighbouring scales between which the effect changes sign (`study.scan.crossover`), or None."""
    whole = [point for point in points if point.score.values is not None]
    ordered = sorted(whole, key=lambda point: float(point.values["init_scale"]))
    for lower, upper in itertools.pairwise(ordered):
        if np.mean(lower.score.per_seed[0]) * np.mean(upper.score.per_seed[0]) < 0:
            return lower, upper
    return None


def parameters(scan: Scan, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as Optuna has them."""
    return {a.name: a.choices.index(values[a.name]) if a.ordered else values[a.name] for a in scan.axes}
