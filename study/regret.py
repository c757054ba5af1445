"""What choosing seeds by a predictor gains: of GROUP seeds the one that is predicted to do best is trained to the end.

The share missed is (loss of the chosen - best) / (mean - best), means over groups of both: 0 where the best is always chosen,
1 where chance would do as well. Only for what predicts a loss, where lower means lower; a silhouette names no direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.candidates import EARLY, candidates_of
from study.ranking import Table

GROUP = 10
FEWEST_GROUPS = 5
LOSSES = ("linear_response", "linearised", "kare", "learning_curve", "initial_loss")  # names of predictors that are losses

Array = NDArray[np.float64]


def predicts_a_loss(name: str, kind: str) -> bool:
    """Whether lower values of a candidate stand for lower losses."""
    return kind == EARLY or name.startswith(LOSSES)


def regrets(frame: pd.DataFrame, table: Table, pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Of every cell of a contrast and every candidate that predicts a loss, on one data set: mean losses of the chosen, the
    best and all seeds, and the standard error of the share missed (jackknife over groups).

    Seeds are taken in their order, GROUP at a time; networks that diverged are never chosen and leave their group.
    """
    extended, candidates = candidates_of(frame, table.phase, pairs, {})
    loss, found = f"loss_{table.phase}_{table.outcome}", []
    for cell in dict.fromkeys(name for pair in pairs for name in pair):
        rows = extended[extended["cell"] == cell].sort_values("seed")
        if "diverged" in rows:
            rows = rows[~rows["diverged"].astype("boolean").fillna(False).to_numpy(dtype=bool)]
        for candidate in candidates:
            if not predicts_a_loss(candidate.name, candidate.kind):
                continue
            both = rows[[candidate.column, loss]].to_numpy(dtype=np.float64)
            groups = len(both) // GROUP
            if groups < FEWEST_GROUPS or not np.isfinite(both).all():
                continue
            chosen, best, mean = _of_groups(*both[: groups * GROUP].T.reshape(2, groups, GROUP))
            parts = {"chosen": float(chosen.mean()), "best": float(best.mean()), "mean": float(mean.mean())}
            named = {"cell": cell, "name": candidate.name, "column": candidate.column, "groups": groups}
            found.append(named | parts | {"error": _error(chosen, best, mean)})
    return found


def share_missed(entry: dict[str, Any]) -> float:
    """(chosen - best) / (mean - best)."""
    return float((entry["chosen"] - entry["best"]) / (entry["mean"] - entry["best"]))


def _of_groups(predicted: Array, losses: Array) -> tuple[Array, Array, Array]:
    """(groups,) losses of the chosen, the best and the mean network of each group."""
    chosen = losses[np.arange(len(losses)), predicted.argmin(axis=1)]
    return chosen, losses.min(axis=1), losses.mean(axis=1)


def _error(chosen: Array, best: Array, mean: Array) -> float:
    """Standard error of the share missed, by the jackknife over groups."""
    count = len(chosen)
    missed, possible = (chosen - best), (mean - best)
    left_out = (missed.sum() - missed) / (possible.sum() - possible)
    return float(np.sqrt((count - 1) / count * ((left_out - left_out.mean()) ** 2).sum()))
