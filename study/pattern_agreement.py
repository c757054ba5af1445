"""Within a network: does a predictor say which unseen patterns will be learned badly? Means over networks, by seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from study.columns import columns_by_phase
from study.statistics.intervals import FEWEST_PAIRS, METHOD, bca, resampling
from study.statistics.simultaneous import RESAMPLES


def pattern_agreement(frame: pd.DataFrame, resamples: int = RESAMPLES) -> list[dict[str, Any]]:
    """For every cell and column agreement_<phase>_<name>: the mean rank correlation, with an interval over seeds.

    Each value is already Spearman's rho within one network between predicted and final error of its unseen patterns;
    networks of one seed are averaged first, diverged ones are left out and counted.
    """
    found = []
    for phase, columns in columns_by_phase(frame, "agreement").items():
        for cell, part in frame.groupby("cell", sort=False):
            diverged = (
                part["diverged"].astype("boolean").fillna(False).to_numpy(dtype=bool)
                if "diverged" in part
                else np.zeros(len(part), dtype=bool)
            )
            for name, column in columns.items():
                values = part[column].astype(float)
                kept = ~diverged & np.isfinite(values).to_numpy()
                by_seed = values[kept].groupby(part.loc[kept, "seed"]).mean().to_numpy(dtype=np.float64)
                counts = {"n": int(kept.sum()), "seeds": len(by_seed), "left_out": int((~kept).sum())}
                found.append({"cell": str(cell), "phase": phase, "name": name} | counts | _mean(by_seed, resamples))
    return found


def _mean(values: np.ndarray[Any, np.dtype[np.float64]], resamples: int) -> dict[str, Any]:
    seeds = len(values)
    nothing: dict[str, Any] = {"mean": None, "low": None, "high": None, "method": "", "reason": ""}
    if seeds < FEWEST_PAIRS:
        return nothing | {"reason": f"{seeds} seed(s), at least {FEWEST_PAIRS} needed"}
    mean = float(values.mean())
    left_out = (values.sum() - values) / (seeds - 1)
    low, high, reason = bca(mean, resampling(seeds, resamples, 0) @ values / seeds, left_out)
    if reason:
        return nothing | {"mean": mean, "reason": reason}
    return nothing | {"mean": mean, "low": low, "high": high, "method": METHOD}
