"""From rows to numbers: every contrast, phase, predictor and statistic with its interval, as plain data."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from study.plan import Contrast, Plan
from study.statistics.correlations import STATISTICS
from study.statistics.intervals import METHOD, RESAMPLES, estimates
from study.statistics.pairs import make_pairs

SCHEMA = 1
FAITHFUL_ESTIMATOR = "eig"
OUTCOMES = ("test", "unseen")


def contrasts_of_rows(frame: pd.DataFrame) -> tuple[Contrast, ...]:
    """For rows without a sweep file: every two cells that share seeds."""
    keys = {cell: set(zip(part["seed"], part["data_seed"], strict=True)) for cell, part in frame.groupby("cell")}
    return tuple(
        Contrast(f"{first} against {second}", ((str(first), str(second)),), {})
        for first, second in itertools.combinations(sorted(keys), 2)
        if keys[first] & keys[second]
    )


def phases_of(frame: pd.DataFrame) -> list[str]:
    """Phases in the order of the columns: every x with a column loss_x_test or loss_x_unseen."""
    found = [
        name.removeprefix("loss_").removesuffix(f"_{outcome}")
        for name in frame.columns
        for outcome in OUTCOMES
        if name.startswith("loss_") and name.endswith(f"_{outcome}")
    ]
    return list(dict.fromkeys(found))


def predictors_of(frame: pd.DataFrame) -> list[str]:
    """Silhouette columns, the source study's first."""
    names = [name for name in frame.columns if name.startswith("silhouette_")]
    return sorted(names, key=lambda name: name != f"silhouette_{FAITHFUL_ESTIMATOR}")


def analyse(frame: pd.DataFrame, contrasts: tuple[Contrast, ...], resamples: int = RESAMPLES) -> dict[str, Any]:
    """Every correlation of every contrast.

    Returns:
        plain data: `cells` (counts and means per cell) and `results`, one entry per contrast, phase, outcome, predictor
        and statistic, with value, low, high, n, seeds, method, reason, pairs left out, and the paper's value if any.
    """
    results = []
    present = set(frame["cell"])
    for contrast, phase, outcome, predictor in itertools.product(contrasts, phases_of(frame), OUTCOMES, predictors_of(frame)):
        column = f"loss_{phase}_{outcome}"
        missing = [name for pair in contrast.pairs for name in pair if name not in present]
        if column not in frame or missing:
            continue
        pairs = make_pairs(frame, contrast.pairs, predictor, column)
        paper = contrast.paper.get(phase)
        faithful = predictor == f"silhouette_{FAITHFUL_ESTIMATOR}" and outcome == "test"
        for name, estimate in zip(STATISTICS, estimates(list(STATISTICS.values()), pairs, resamples), strict=True):
            results.append(
                {
                    "contrast": contrast.name,
                    "phase": phase,
                    "outcome": outcome,
                    "predictor": predictor,
                    "statistic": name,
                    **asdict(estimate),
                    "left_out_diverged": pairs.diverged,
                    "left_out_undefined": pairs.undefined,
                    "paper": getattr(paper, name, None) if paper is not None and faithful else None,
                }
            )
    return {
        "schema": SCHEMA,
        "interval": METHOD,
        "resamples": resamples,
        "contrasts": {c.name: [list(pair) for pair in c.pairs] for c in contrasts},
        "cells": _cells(frame),
        "results": results,
    }


def _cells(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Networks, diverged networks, and means and standard deviations over those that did not diverge."""
    columns = predictors_of(frame) + [name for name in frame.columns if name.startswith("loss_")]
    cells = []
    for name, part in frame.groupby("cell", sort=False):
        diverged = part["diverged"].fillna(False).astype(bool) if "diverged" in part else pd.Series(False, index=part.index)
        kept = part.loc[~diverged, columns]
        numbers = {
            column: {
                "mean": float(values.mean()),
                "sd": float(values.std()) if len(values) > 1 else None,
                "n": len(values),
            }
            for column in columns
            if len(values := kept[column][np.isfinite(kept[column].to_numpy(dtype=float))])
        }
        cells.append({"cell": str(name), "networks": len(part), "diverged": int(diverged.sum()), "columns": numbers})
    return cells


def write_analysis(out: Path, analysis: dict[str, Any]) -> list[Path]:
    """`analysis.json`, and its results as a flat `analysis.csv`."""
    as_json, as_csv = out / "analysis.json", out / "analysis.csv"
    as_json.write_text(json.dumps(analysis, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    pd.DataFrame(analysis["results"]).to_csv(as_csv, index=False)
    return [as_json, as_csv]


def contrasts_of(plan: Plan | None, frame: pd.DataFrame) -> tuple[Contrast, ...]:
    """The sweep's contrasts, or every two cells with common seeds where no sweep names any."""
    return plan.contrasts if plan is not None and plan.contrasts else contrasts_of_rows(frame)
