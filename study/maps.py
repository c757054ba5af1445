"""Where does the silhouette predict? The seed-level correlation of every cell of a study along initial scale and other axes.

Two maps, each over all cells and phases: `within`, the correlation over the seeds of a cell between the leading silhouette
and the final loss; `pairs`, that of the differences from the same seeds at initial scale 1, settings otherwise the same
(the centred correlation). All squares of a map share their seeds, so intervals that hold all of them at once and
family-wise p values come from one resampling and one set of permutations.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.columns import OUTCOMES, phases_of
from study.statistics.chance import chance_of_exclusion
from study.statistics.correlations import CORRELATIONS, Statistic
from study.statistics.intervals import CORRELATION_METHOD, RESAMPLES, estimates
from study.statistics.pairs import Pairs, own_data
from study.statistics.permutation import PERMUTATIONS
from study.statistics.simultaneous import SIMULTANEOUS, columns_of, family_wise, simultaneous
from study.sweep import Settings

Array = NDArray[np.float64]

SCALE, REFERENCE = "init_scale", 1.0
FEWEST_SCALES = 4
AXES = ("learning_rate", "curriculum", "hidden_units", "scaled_layers")  # the usual ones, in reading order
# How cells are computed and what else is measured, not what they are.
MANNER = (
    "integrator", "precision", "estimators", "kmeans_repeats", "data_redraws",
    "structure_records", "structure_estimators", "keep_seeds", "snapshots",
)  # fmt: skip
STATISTICS: dict[str, Statistic] = {"within": CORRELATIONS["within_first"], "pairs": CORRELATIONS["centred"]}


@dataclass(frozen=True)
class Square:
    """One correlation of a map: which cell, which phase, its pairs, and where they stand among all seeds of the study.

    Attributes:
        against: the cell at initial scale 1; "" within a cell.
        kept: (n,) rows of the study's seeds that have a pair.
    """

    cell: str
    phase: str
    outcome: str
    against: str
    pairs: Pairs
    kept: NDArray[np.bool_]


def axes_of_rows(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Cell to the settings in which cells differ (its place on the axes of the study), initial scale the first."""
    fields = [name for name in dict.fromkeys([SCALE, *AXES, *Settings.model_fields]) if name not in MANNER]
    cells = frame.drop_duplicates("cell").set_index("cell")
    axes = [name for name in fields if name in cells and (name == SCALE or cells[name].nunique(dropna=False) > 1)]
    return {str(cell): {axis: row[axis] for axis in axes} for cell, row in cells.iterrows()}


def same_networks(place: Mapping[str, Any]) -> tuple[Any, ...]:
    """A place on the axes as a key; at scale 1 it does not matter which layers are scaled."""
    unscaled = place[SCALE] == REFERENCE
    return tuple("-" if unscaled and axis == "scaled_layers" else value for axis, value in place.items())


def maps(
    frame: pd.DataFrame, predictor: str, resamples: int = RESAMPLES, permutation_count: int = PERMUTATIONS
) -> dict[str, Any] | None:
    """Both maps; None for rows in which no four cells differ in initial scale alone.

    Args:
        frame: rows as `study.rows.read_rows` gives them.
        predictor: the column of the leading silhouette.

    Returns:
        plain data: `entries` with one correlation per statistic, cell and phase, each with n, interval, simultaneous
        interval, p, family-wise p and the reason for what is missing; `axes` with the values of each axis in order;
        `centre`, the value of every axis that most cells share.
    """
    if predictor not in frame or SCALE not in frame or frame[SCALE].isna().any():
        return None
    places = axes_of_rows(frame)
    runs = Counter(tuple(value for axis, value in place.items() if axis != SCALE) for place in places.values())
    if max(runs.values()) < FEWEST_SCALES:
        return None
    axes = {axis: _ordered(place[axis] for place in places.values()) for axis in next(iter(places.values()))}
    centre = {axis: Counter(place[axis] for place in places.values()).most_common(1)[0][0] for axis in axes if axis != SCALE}
    entries: list[dict[str, Any]] = []
    for statistic, squares in _squares(frame, places, predictor).items():
        found = list(_entries(statistic, squares, frame, resamples, permutation_count))
        entries += [
            {"statistic": statistic, **_plain(places[square.cell]), **entry}
            for square, entry in zip(squares, found, strict=True)
        ]
    return {
        "predictor": predictor,
        "interval": CORRELATION_METHOD,
        "simultaneous": SIMULTANEOUS,
        "axes": {axis: list(_plain(dict(enumerate(values))).values()) for axis, values in axes.items()},
        "centre": _plain(centre),
        "entries": entries,
    }


def _ordered(values: Iterator[Any]) -> list[Any]:
    """Distinct values: numbers by size, names as they come."""
    distinct = list(dict.fromkeys(values))
    return distinct if any(isinstance(value, str) for value in distinct) else sorted(distinct)


def _plain(values: Mapping[Any, Any]) -> dict[Any, Any]:
    """Numbers of numpy as numbers of Python, which JSON knows."""
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in values.items()}


def _squares(frame: pd.DataFrame, places: Mapping[str, dict[str, Any]], predictor: str) -> dict[str, list[Square]]:
    """The correlations of both maps."""
    outcomes = {phase: _outcome(frame, phase) for phase in phases_of(frame)}
    losses = [f"loss_{phase}_{outcome}" for phase, outcome in outcomes.items()]
    keys = pd.MultiIndex.from_frame(frame[["seed", "data_seed"]].drop_duplicates().sort_values(["seed", "data_seed"]))
    columns = [predictor, *losses, *(["diverged"] if "diverged" in frame else [])]
    tables = {
        str(cell): part.set_index(["seed", "data_seed"])[columns].reindex(keys)
        for cell, part in frame.groupby("cell", sort=False)
    }
    own = own_data(frame)
    stratum = np.zeros(len(keys), dtype=np.int64) if own else keys.get_level_values("data_seed").to_numpy(dtype=np.int64)
    at_reference = {same_networks(place): cell for cell, place in places.items() if place[SCALE] == REFERENCE}
    found: dict[str, list[Square]] = {statistic: [] for statistic in STATISTICS}
    for (cell, place), (phase, outcome) in itertools.product(places.items(), outcomes.items()):
        column = f"loss_{phase}_{outcome}"
        if tables[cell][column].notna().any():
            found["within"].append(_square(tables, (cell, ""), phase, outcome, predictor, stratum))
            partner = at_reference.get(same_networks(place | {SCALE: REFERENCE}), "")
            if partner and place[SCALE] != REFERENCE:
                found["pairs"].append(_square(tables, (cell, partner), phase, outcome, predictor, stratum))
    return found


def _outcome(frame: pd.DataFrame, phase: str) -> str:
    """The loss on all patterns never trained on where there is one, else that of the test draw."""
    known = [name for name in OUTCOMES if f"loss_{phase}_{name}" in frame and frame[f"loss_{phase}_{name}"].notna().any()]
    return "unseen" if "unseen" in known else "test"


def _square(
    tables: Mapping[str, pd.DataFrame],
    cells: tuple[str, str],
    phase: str,
    outcome: str,
    predictor: str,
    stratum: NDArray[np.int64],
) -> Square:
    """The pairs of a cell with its partner, or of a cell with nothing: then the second network is zero."""
    names = [predictor, f"loss_{phase}_{outcome}"]
    sides, diverged, present = [], np.zeros(len(stratum), dtype=bool), np.ones(len(stratum), dtype=bool)
    for cell in filter(None, cells):
        table = tables[cell]
        sides.append(table[names].to_numpy(dtype=np.float64))
        present &= table.index.isin(table.dropna(how="all").index)
        if "diverged" in table:
            diverged |= table["diverged"].astype("boolean").fillna(False).to_numpy(dtype=bool)
    values = np.concatenate([*sides, *([np.zeros_like(sides[0])] if len(sides) == 1 else [])], axis=1)
    defined = np.isfinite(values).all(axis=1)
    kept = present & ~diverged & defined
    x_first, y_first, x_second, y_second = values[kept].T
    seed = tables[cells[0]].index.get_level_values("seed").to_numpy(dtype=np.int64)
    left_out = int((present & diverged).sum()), int((present & ~diverged & ~defined).sum())
    return Square(
        cells[0],
        phase,
        outcome,
        cells[1],
        Pairs(x_first, x_second, y_first, y_second, seed[kept], stratum[kept], *left_out),
        kept,
    )


def _entries(
    statistic: str, squares: Sequence[Square], frame: pd.DataFrame, resamples: int, permutation_count: int
) -> Iterator[dict[str, Any]]:
    """The numbers of a map's squares, one entry each."""
    if not squares:
        return
    keys = frame[["seed", "data_seed"]].drop_duplicates().sort_values(["seed", "data_seed"])
    x, y = (np.full((len(squares), len(keys)), np.nan) for _ in range(2))
    for place, square in enumerate(squares):
        x[place, square.kept], y[place, square.kept] = square.pairs.dx, square.pairs.dy
    seed, data_seed = (keys[name].to_numpy(dtype=np.int64) for name in ("seed", "data_seed"))
    columns = columns_of(x, y, seed, np.zeros_like(seed) if own_data(frame) else data_seed)
    joint = simultaneous(columns, min(resamples, 2_000))
    p, p_fwer = family_wise(columns, permutation_count)
    for place, square in enumerate(squares):
        (found,) = estimates([STATISTICS[statistic]], square.pairs, resamples)
        chance = chance_of_exclusion(STATISTICS[statistic], square.pairs) if found.low is not None else None
        ends = _number(joint.low[place]), _number(joint.high[place])
        yield {
            "cell": square.cell,
            "against": square.against,
            "phase": square.phase,
            "outcome": square.outcome,
            **asdict(found),
            "chance": chance,
            "p": _number(p[place]),
            "p_method": "permutations of seeds" if np.isfinite(p[place]) else "",
            "p_fwer": _number(p_fwer[place]),
            "simultaneous_low": ends[0],
            "simultaneous_high": ends[1],
            "simultaneous_reason": joint.reason[place],
            "widens_all": place == joint.widest,
            "left_out_diverged": square.pairs.diverged,
            "left_out_undefined": square.pairs.undefined,
        }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
