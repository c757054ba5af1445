"""`bench analysis`: a full analysis of many pairs, against the same intervals by scipy's bootstrap one at a time."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from scipy.stats import bootstrap, pearsonr

from study.analysis import analyse
from study.contrasts import Contrast
from study.statistics.intervals import RESAMPLES

PAIRS, PREDICTORS, PHASES = 400, 10, ("single", "multi")


def simulated_rows(pairs: int = PAIRS, predictors: int = PREDICTORS) -> pd.DataFrame:
    """Rows of two cells with random predictors, repeats and losses."""
    generator = np.random.default_rng(0)
    parts = []
    for cell in ("first", "second"):
        part: dict[str, Any] = {"cell": cell, "seed": np.arange(pairs), "data_seed": np.arange(pairs), "diverged": False}
        for i in range(predictors):
            part[f"silhouette_{i}"] = generator.normal(size=pairs)
            part[f"repeat_data_{i}"] = list(generator.normal(size=(pairs, 2)))
            part[f"repeat_kmeans_{i}"] = list(generator.normal(size=(pairs, 3)))
        for phase in PHASES:
            part |= {f"loss_{phase}_{outcome}": np.exp(generator.normal(size=pairs)) for outcome in ("test", "unseen")}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def bench_analysis(console: Console) -> dict[str, Any]:
    """Seconds for the analysis of 400 pairs, 10 predictors, 2 phases, both losses; and for one scipy interval."""
    frame = simulated_rows()
    start = time.perf_counter()
    analysis = analyse(frame, (Contrast("bench", (("first", "second"),), {}),))
    ours = time.perf_counter() - start
    x, y = np.random.default_rng(1).normal(size=(2, PAIRS))
    start = time.perf_counter()
    bootstrap((x, y), lambda a, b, axis: pearsonr(a, b, axis=axis).statistic, paired=True, n_resamples=RESAMPLES, method="BCa")
    one = time.perf_counter() - start
    intervals = sum(result["low"] is not None for result in analysis["results"])
    console.print(
        f"{PAIRS} pairs, {PREDICTORS} predictors, {len(PHASES)} phases, 2 losses, {RESAMPLES:,} resamples and permutations: "
        f"{ours:.1f} s for {len(analysis['results'])} numbers, {intervals} with intervals ({1e3 * ours / intervals:.0f} ms "
        f"each, permutations included); scipy.stats.bootstrap takes {1e3 * one:.0f} ms for one."
    )
    return {"seconds": ours, "intervals": intervals, "seconds_scipy_one_interval": one}
