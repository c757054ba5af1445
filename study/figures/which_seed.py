"""Which seed will do better: r against what it costs, and the seeds that linear response puts first and last."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from study.candidates import EARLY, T_ZERO, spoken
from study.figures.study import Drawn, Missing, Study
from study.figures.style import BLUE, GREY, ORANGE, RED, WIDTH
from study.sweep import RESPONSES

NOTHING = "needs a crossed design with predictors (`study.by_data_set`)"
SIDES = {"first": "within_first", "second": "within_second"}
NAMED = (RESPONSES[0], RESPONSES[1], "linearised_logit_1e-2", "kare", "silhouette_svd_right")
EXTREME = 10  # seeds at either end
PAPER = "10 pairs, each on data of its own; whether anything says which seed does better is not asked."


def which_seed(study: Study) -> Drawn | Missing:
    """A row per phase: r within either cell against cost; predicted against true loss, and loss curves of the seeds at the
    ends of the prediction, of the second cell on the first data set."""
    found = study.analysis.get("by_data_set") or {"tables": []}
    tables = [table for table in found["tables"] if table["contrast"] == study.contrast]
    if not tables:
        return Missing(NOTHING)
    cells = study.analysis["contrasts"][study.contrast][0]
    figure, axes = plt.subplots(
        len(tables), 3, figsize=(WIDTH, 2.3 * len(tables)), squeeze=False, layout="constrained", width_ratios=[1.3, 1, 1]
    )
    said = []
    for table, (costs, seeds, curves) in zip(tables, axes, strict=True):
        _costs(costs, table, cells)
        data_seed = table["data_sets"][0]["data_seed"]
        rows = study.rows[(study.rows["cell"] == cells[1]) & (study.rows["data_seed"] == data_seed)]
        column = f"predictor_{table['phase']}_{RESPONSES[0]}"
        if column in rows and len(rows) >= 2 * EXTREME:
            _seeds(seeds, curves, rows.sort_values(column), column, table)
        said.append(_said(table, cells))
    axes[0][0].legend(fontsize="x-small")
    here = " ".join(said)
    pairs = {part["pairs"] for table in tables for part in table["data_sets"]}
    sets = len(tables[0]["data_sets"])
    caption = (
        f"{study.contrast}: n = {min(pairs)} pairs on each of {sets} data sets. Left: r with the final loss over seeds of a "
        f"cell, pooled over data sets ({found['pooled']}), 95 % intervals, against cost in gradient steps of the same network, "
        f"without that of references, which is paid once. Middle: {cells[1]} on data set "
        f"{tables[0]['data_sets'][0]['data_seed']}; right: mean loss curves of the {EXTREME} seeds predicted best and worst, "
        f"and their range. {study.source}"
    )
    title = "Which seed will do better?"
    return Drawn(figure, title, caption, f"{title} {here}", PAPER, here)


def _costs(axis: Axes, table: dict[str, Any], cells: list[str]) -> None:
    for (side, statistic), colour, cell in zip(SIDES.items(), (BLUE, RED), cells, strict=True):
        entries = [e for e in table["pooled"] if e["statistic"] == statistic and "mean" in e and e[f"cost_{side}"]]
        early = sorted((e[f"cost_{side}"], e["mean"]) for e in entries if e["kind"] == EARLY and "test" in e["name"])
        if early:
            axis.plot(*zip(*early, strict=True), color=colour, linewidth=0.8, linestyle=":")
        for e in entries:
            if e["kind"] == T_ZERO and e["name"] in NAMED:
                cost = e[f"cost_{side}"]
                axis.plot([cost, cost], [e["low"], e["high"]], color=colour, linewidth=1)
                axis.plot(cost, e["mean"], "D" if e["name"] == RESPONSES[0] else "o", color=colour, markersize=3.5)
                if e["name"] == RESPONSES[0]:
                    axis.annotate(
                        spoken(e["name"]), (cost, e["mean"]), fontsize="x-small", xytext=(3, 3), textcoords="offset points"
                    )
        axis.plot([], [], color=colour, linestyle=":", label=f"{cell}: test loss so far")
        axis.plot([], [], "o", color=colour, markersize=3.5, label=f"{cell}: before training")
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.set(xscale="log", ylim=(-0.35, 1), xlabel="gradient steps a seed", ylabel=f"r, {table['phase']} loss")


def _seeds(scatter: Axes, curves: Axes, rows: pd.DataFrame, column: str, table: dict[str, Any]) -> None:
    phase, loss = table["phase"], f"loss_{table['phase']}_{table['outcome']}"
    scatter.plot(rows[column], rows[loss], ".", color=GREY, markersize=3)
    for part, colour, name in ((rows.head(EXTREME), BLUE, "best"), (rows.tail(EXTREME), ORANGE, "worst")):
        scatter.plot(part[column], part[loss], "o", color=colour, markersize=3)
        steps = np.asarray(part[f"curve_{phase}_steps"].iloc[0])
        losses = np.stack([np.asarray(curve, dtype=float) for curve in part[f"curve_{phase}_test"]])
        late = steps >= 1
        curves.fill_between(
            steps[late], losses.min(axis=0)[late], losses.max(axis=0)[late], color=colour, alpha=0.25, linewidth=0
        )
        curves.plot(steps[late], losses.mean(axis=0)[late], color=colour, label=f"predicted {name}")
    r = float(np.corrcoef(rows[column], rows[loss])[0, 1])
    scatter.set(xlabel="linear response", ylabel=f"{phase} {table['outcome']} loss", title=f"r = {r:.2f}, n = {len(rows)}")
    for axis in (scatter.xaxis, scatter.yaxis):
        axis.set_major_locator(plt.MaxNLocator(3))
    curves.set(xscale="log", yscale="log", xlabel="step", ylabel=f"{phase} test loss")
    curves.legend(fontsize="x-small")


def _said(table: dict[str, Any], cells: list[str]) -> str:
    """Pooled r of linear response within both cells and of differences."""
    found = {e["statistic"]: e for e in table["pooled"] if e["name"] == RESPONSES[0] and "mean" in e}
    names = {"within_first": f"within {cells[0]}", "within_second": f"within {cells[1]}", "centred": "of pair differences"}
    parts = [
        f"{found[s]['mean']:.2f} [{found[s]['low']:.2f}, {found[s]['high']:.2f}] {name}"
        for s, name in names.items()
        if s in found
    ]
    return f"Linear response, {table['phase']} loss: r {', '.join(parts)}." if parts else ""
