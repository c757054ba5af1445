"""Studies in which nothing is compared: a single cell, or cells that share no seeds. What their seeds say within each cell.

A cell is taken as a contrast of itself, so that the correlation within its first condition, the permutations and the
rules for networks that are left out are those of every other study.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas as pd

from study.candidates import t_zero_columns
from study.columns import OUTCOMES, phases_of
from study.comparisons import Comparison
from study.contrasts import Contrast
from study.sheets import Sheet
from study.statistics.correlations import CORRELATIONS
from study.statistics.intervals import estimates
from study.statistics.pairs import joined, pairs_of

STATISTIC = "within_first"


def cells_alone(frame: pd.DataFrame) -> list[Comparison]:
    """Every predictor of every cell against every outcome; each network is its own partner."""
    found = []
    for cell in map(str, frame["cell"].unique()):
        contrast = Contrast(cell, ((cell, cell),), {}, declared=False)
        rows = joined(frame, contrast.pairs)
        for phase, outcome in itertools.product(phases_of(frame), OUTCOMES):
            column = f"loss_{phase}_{outcome}"
            if f"{column}_first" not in rows or not rows[f"{column}_first"].notna().any():
                continue
            predictors = [name for name in t_zero_columns(frame, phase).values() if name != "init_scale"]
            found += [Comparison(contrast, phase, outcome, p, pairs_of(rows, p, column), rows) for p in predictors]
    return found


def within_entries(
    comparisons: Sequence[Comparison], joint: Mapping[tuple[str, ...], Mapping[str, float]], resamples: int
) -> list[dict[str, Any]]:
    """The correlation over seeds of each, with interval, p, and the reason for what is missing.

    Args:
        joint: p values by comparison and statistic, from one set of permutations.
    """
    entries = []
    for comparison in comparisons:
        cell, phase, outcome, predictor = comparison.key
        (found,) = estimates([CORRELATIONS[STATISTIC]], comparison.pairs, resamples)
        p = joint.get((*comparison.key, STATISTIC), {})
        if "p" in p:
            found = replace(found, p=p["p"], p_method="permutations of seeds")
        entries.append(
            {"cell": cell, "phase": phase, "outcome": outcome, "predictor": predictor, "statistic": "within"}
            | asdict(found)
            | {"p_fwer": p.get("p_fwer"), "p_fdr": p.get("p_fdr")}
            | {"left_out_diverged": comparison.pairs.diverged, "left_out_undefined": comparison.pairs.undefined}
        )
    return entries


def within_sheet(analysis: Mapping[str, Any], outcome: str) -> Sheet | None:
    """The correlations within cells; None where cells are compared."""
    from study.tables import p_text, pair_count, with_interval  # late: tables are made of this one too

    rows = [
        [e["cell"], e["phase"], _short(e), pair_count(e), with_interval(e), p_text(e["p"]),
         p_text(e["p_fwer"])]
        for e in analysis.get("within", []) if e["outcome"] == outcome
    ]  # fmt: skip
    if not rows:
        return None
    title = f"Within cells: correlation over seeds of what is measured before training with the final {outcome} loss"
    return Sheet(title, ["cell", "phase", "predictor", "networks", "r within", "p", "family-wise p"], rows, 3)


def _short(entry: Mapping[str, Any]) -> str:
    return str(entry["predictor"]).removeprefix("silhouette_").removeprefix(f"predictor_{entry['phase']}_")


def within_sentence(analysis: Mapping[str, Any]) -> str:
    """What a study says in which nothing is compared."""
    entries, cells = analysis["within"], len(analysis["cells"])
    clear = [e for e in entries if e["p_fwer"] is not None and e["p_fwer"] < 0.05]
    which = "One cell" if cells == 1 else f"{cells} cells, of which no two are compared"
    end = f", {len(clear)} of {len(entries)} with a family-wise p below .05" if any(e["p"] is not None for e in entries) else ""
    return f"{which}: no conditions are compared, and every correlation is over the seeds of a cell{end}."
