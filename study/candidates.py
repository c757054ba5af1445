"""What could say which seed will do better: predictors at t = 0, a little training, and the condition itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from study.columns import columns_by_phase, phases_of
from study.comparisons import predictors_of

T_ZERO, EARLY, CONDITION = "t = 0", "early training", "condition"
SHARES = (1, 3, 10, 30)  # per cent of a phase's own steps
LABEL = "condition_label"


@dataclass(frozen=True)
class Candidate:
    """A column that is ranked.

    Attributes:
        name: as tables show it. column: as the frame has it.
        kind: `t = 0`, `early training` or `condition`.
        cost: in gradient steps of the same network (the cells' mean where they differ); None where it was not measured.
        step: of early training, the step of the phase at which the loss was recorded, as text.
    """

    name: str
    column: str
    kind: str
    cost: float | None = None
    step: str = ""


def has_predictors(frame: pd.DataFrame) -> bool:
    """Whether rows hold predictors to rank."""
    return any(columns_by_phase(frame, "predictor").values())


def t_zero_columns(frame: pd.DataFrame, phase: str) -> dict[str, str]:
    """Name -> column of everything measured before training that could speak of a phase."""
    found = dict(columns_by_phase(frame, "predictor").get(phase, {}))
    found |= {name: name for name in predictors_of(frame)}
    return found | ({"init_scale": "init_scale"} if "init_scale" in frame else {})


def candidates_of(
    frame: pd.DataFrame, phase: str, cells: Sequence[tuple[str, str]], costs: Mapping[str, Mapping[str, float]]
) -> tuple[pd.DataFrame, list[Candidate]]:
    """The candidates of one contrast and phase, and the frame of its cells with the columns that they need added.

    Args:
        cells: the (first, second) pairs of the contrast.
        costs: cell -> column -> gradient steps, where that was measured; `init_scale` costs nothing.
    """
    first, second = ({pair[side] for pair in cells} for side in (0, 1))
    frame = frame[frame["cell"].isin(first | second)].copy()
    free = {"init_scale": 0.0}
    found = [
        Candidate(name, column, T_ZERO, free.get(column, _mean([costs.get(cell, {}).get(column) for cell in first | second])))
        for name, column in t_zero_columns(frame, phase).items()
    ]
    for kind in ("train", "test"):
        if {f"curve_{phase}_steps", f"curve_{phase}_{kind}"} <= set(frame):
            found += [_early(frame, phase, kind, shares) for shares in _distinct_shares(frame, phase)]
    # A cell that is first in one pair and second in another has no label.
    frame[LABEL] = np.where(frame["cell"].isin(first & second), np.nan, frame["cell"].isin(first).astype(float))
    return frame, [*found, Candidate("condition", LABEL, CONDITION, 0.0)]


def _distinct_shares(frame: pd.DataFrame, phase: str) -> list[tuple[int, ...]]:
    """Shares of a phase, those together that fall on the same recorded step in every network: they are one loss."""
    recorded = [np.asarray(steps) for steps in frame[f"curve_{phase}_steps"] if _is_list(steps) and len(steps)]
    alike: dict[tuple[int, ...], list[int]] = {}
    for share in SHARES:
        alike.setdefault(tuple(_nearest(steps, share) for steps in recorded), []).append(share)
    return [tuple(shares) for shares in alike.values()]


def _nearest(recorded: Any, share: int) -> int:
    """The place of the recorded step nearest to a share of the last one."""
    return int(np.argmin(np.abs(np.asarray(recorded) - share / 100 * recorded[-1])))


def _early(frame: pd.DataFrame, phase: str, kind: str, shares: Sequence[int]) -> Candidate:
    """The loss at the recorded step nearest to a share (or shares) of a phase's own steps, added to the frame."""
    name = f"early_{kind}_{'_'.join(map(str, shares))}"
    losses, steps, costs = [], [], []
    phases = phases_of(frame)
    for row in frame.to_dict("records"):
        recorded, curve = row[f"curve_{phase}_steps"], row[f"curve_{phase}_{kind}"]
        if not _is_list(recorded) or not _is_list(curve) or len(recorded) == 0:
            losses.append(np.nan)
            continue
        place = _nearest(recorded, shares[0])
        losses.append(float(curve[place]))
        steps.append(int(recorded[place]))
        costs.append(_cost(row, phases, phase, int(recorded[place])))
    frame[name] = losses
    at = sorted(set(steps))
    text = " to ".join(f"{step:,}" for step in at[:: max(len(at) - 1, 1)])
    return Candidate(name, name, EARLY, _mean(costs), text)


def _mean(costs: Sequence[float | None]) -> float | None:
    """Of costs that are all known; None otherwise."""
    known = [cost for cost in costs if cost is not None]
    return float(np.mean(known)) if known and len(known) == len(costs) else None


def _cost(row: Mapping[str, Any], phases: Sequence[str], phase: str, step: int) -> float | None:
    """Gradient steps from the start to a step of a phase's curve, whose turns are joined where a curriculum has cycles."""
    order = [p["name"] for p in json.loads(row["phases"])] if isinstance(row.get("phases"), str) else list(phases)
    turns = int(row["cycles"]) if np.isfinite(row.get("cycles", np.nan)) else 1
    ends: dict[str, Any] = {name: row.get(f"curve_{name}_steps") for name in order}
    if phase not in order or not all(_is_list(recorded) and len(recorded) for recorded in ends.values()):
        return None
    a_turn = {name: recorded[-1] / turns for name, recorded in ends.items()}
    turn = min(max(int(np.ceil(step / a_turn[phase])) - 1, 0), turns - 1) if a_turn[phase] else 0
    before = sum(a_turn[name] for name in order[: order.index(phase)])
    return float(turn * sum(a_turn.values()) + before + step - turn * a_turn[phase])


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple, np.ndarray))


def spoken(name: str) -> str:
    """A candidate in words."""
    early = re.fullmatch(r"early_(train|test)_(\d+(?:_\d+)*)", name)
    return f"{early[1]} loss at {early[2].replace('_', ', ')} %" if early else name.replace("_", " ")
