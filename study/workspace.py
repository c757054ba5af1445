"""The dashboard as a saved workspace of Weights & Biases: which panels show which keys of a study's runs.

The keys are those that `study.tracking` and `study.tracking_analysis` log; a panel without keys is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws
from wandb_workspaces import expr

from study.comparisons import predictors_of
from study.sweep import Sweep

AXES = ("init_scale", "learning_rate")
COLOUR = "init_scale"
MOST_RUNS = 100  # that a panel draws; the library's default of 10 would hide most of a study
GRADIENT = (("#440154", 0.0), ("#21918c", 50.0), ("#fde725", 100.0))  # dark for small scales, light for large ones
MEDIA = "figures/"


@dataclass(frozen=True)
class Shown:
    """What the runs of a study carry.

    Attributes:
        predictor: summary key of the leading predictor; "" where there is none, as in a linear study.
        losses: summary keys of final losses.
        curves: title, step key and curve key of each phase and kind of loss.
        axes: configuration keys to show, positive numbers on log axes.
        analysis: keys of the analysis run, tables and figures; () where there is none.
    """

    predictor: str
    losses: tuple[str, ...]
    curves: tuple[tuple[str, str, str], ...]
    axes: tuple[str, ...]
    analysis: tuple[str, ...]


def shown(frame: pd.DataFrame, sweep: Sweep, leading: str, analysis: Sequence[str]) -> Shown:
    """The keys, from the rows that the runs were logged with.

    Args:
        leading: the leading predictor; "" to take the first.
        analysis: keys of the analysis run.
    """
    predictor = leading if leading in frame else next(iter(predictors_of(frame)), "")
    losses = [name for name in frame.columns if name.startswith("loss_") and np.isfinite(frame[name].astype(float)).any()]
    end = "" if sweep.wandb.per_seed else "_mean"
    phases = [name.removeprefix("curve_").removesuffix("_steps") for name in frame if _is_steps(name)]
    curves = [
        (f"{phase}: {kind} loss", f"step_{phase}", f"curve_{phase}/{kind}{end}")
        for phase in phases
        for kind in ("train", "test")
    ]
    axes = [name for name in AXES if name in frame]
    return Shown(predictor, tuple(losses), tuple(curves), tuple(axes), tuple(analysis))


def _is_steps(name: str) -> bool:
    return name.startswith("curve_") and name.endswith("_steps")


def make_workspace(sweep: Sweep, group: str, keys: Shown, entity: str, project: str) -> ws.Workspace:
    """The workspace, not yet saved: only the runs of this study, which have its group, one section per question."""
    columns = [f"summary:{name}" for name in (keys.predictor, *keys.losses) if name]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"{sweep.name} study",
        sections=sections_of(keys),
        settings=ws.WorkspaceSettings(max_runs=MOST_RUNS),
        runset_settings=ws.RunsetSettings(
            filters=[expr.Metric("Group") == group],
            pinned_columns=["run:displayName", "config:cell", *(f"config:{axis}" for axis in keys.axes), *columns],
        ),
    )


def sections_of(keys: Shown) -> list[ws.Section]:
    """The sections that have something to show."""
    found: dict[str, list[Any]] = {
        "Settings, silhouette and losses": _parallel(keys),
        "Silhouette against final losses": _scatters(keys),
        "Loss curves by condition": [_curve(*curve) for curve in keys.curves],
        "Verdicts": [wr.WeavePanelSummaryTable(table_name=name) for name in keys.analysis if name == "verdicts"],
        "Tables of the analysis": [
            wr.WeavePanelSummaryTable(table_name=name)
            for name in keys.analysis
            if name != "verdicts" and not name.startswith(MEDIA)
        ],
        "Figures": _figures([name for name in keys.analysis if name.startswith(MEDIA)]),
    }
    wide = {"Settings, silhouette and losses", "Verdicts", "Tables of the analysis", "Figures"}
    return [
        ws.Section(
            name=name,
            panels=panels,
            is_open=True,
            layout_settings=ws.SectionLayoutSettings(columns=1 if name in wide else 2, rows=1 if name in wide else 2),
        )
        for name, panels in found.items()
        if panels
    ]


def _figures(names: list[str]) -> list[Any]:
    return [wr.MediaBrowser(title="Figures of the analysis", media_keys=names, num_columns=2)] if names else []


def _parallel(keys: Shown) -> list[Any]:
    columns = [wr.ParallelCoordinatesPlotColumn(metric=wr.Config(name), log=True) for name in keys.axes]
    measured = [name for name in (keys.predictor, *keys.losses) if name]
    columns += [wr.ParallelCoordinatesPlotColumn(metric=wr.SummaryMetric(name)) for name in measured]
    return [wr.ParallelCoordinatesPlot(title="From settings to losses", columns=columns)] if measured else []


def _scatters(keys: Shown) -> list[Any]:
    """The leading predictor against each final loss; the third axis of a scatter plot is its colour."""
    if not keys.predictor:
        return []
    colour = wr.Config(COLOUR) if COLOUR in keys.axes else None
    gradient = [wr.GradientPoint(color=code, offset=offset) for code, offset in GRADIENT]
    x = wr.SummaryMetric(keys.predictor)
    return [
        wr.ScatterPlot(
            title=f"{loss} against {keys.predictor}", x=x, y=wr.SummaryMetric(loss), z=colour, log_z=True, gradient=gradient
        )
        for loss in keys.losses
    ]


def _curve(title: str, step: str, key: str) -> Any:
    """One line per condition: the mean of its runs, in a band from the lowest to the highest."""
    return wr.LinePlot(
        title=title,
        x=step,
        y=[key],
        log_x=True,
        log_y=True,
        groupby=wr.Config("cell"),
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
        max_runs_to_show=MOST_RUNS,
    )
