"""What is compared with what: contrasts, phases, outcomes and predictors that the rows allow."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from study.columns import OUTCOMES, phases_of
from study.contrasts import Contrast
from study.statistics.pairs import Pairs, joined, pairs_of

FAITHFUL_ESTIMATOR = "eig"


@dataclass(frozen=True)
class Comparison:
    """One predictor against one outcome in one contrast."""

    contrast: Contrast
    phase: str
    outcome: str
    predictor: str
    pairs: Pairs
    rows: pd.DataFrame

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.contrast.name, self.phase, self.outcome, self.predictor


def contrasts_of_rows(frame: pd.DataFrame) -> tuple[Contrast, ...]:
    """For rows without a sweep file: every two cells that share seeds."""
    keys = {cell: set(zip(part["seed"], part["data_seed"], strict=True)) for cell, part in frame.groupby("cell")}
    return tuple(
        Contrast(f"{first} against {second}", ((str(first), str(second)),), {}, declared=False)
        for first, second in itertools.combinations(sorted(keys), 2)
        if keys[first] & keys[second]
    )


def predictors_of(frame: pd.DataFrame) -> list[str]:
    """Silhouette columns, the source study's first."""
    names = [name for name in frame.columns if name.startswith("silhouette_")]
    return sorted(names, key=lambda name: name != f"silhouette_{FAITHFUL_ESTIMATOR}")


def comparisons_of(frame: pd.DataFrame, contrasts: Sequence[Contrast]) -> list[Comparison]:
    """Every comparison that the rows allow."""
    present, found = set(frame["cell"]), []
    for contrast in contrasts:
        if any(name not in present for pair in contrast.pairs for name in pair):
            continue
        rows = joined(frame, contrast.pairs)
        for phase, outcome, predictor in itertools.product(phases_of(frame), OUTCOMES, predictors_of(frame)):
            column = f"loss_{phase}_{outcome}"
            if f"{column}_first" in rows and rows[f"{column}_first"].notna().any():
                found.append(Comparison(contrast, phase, outcome, predictor, pairs_of(rows, predictor, column), rows))
    return found
