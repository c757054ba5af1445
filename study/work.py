"""How much work a network is, in gradient steps: for progress and estimates of time, never for results."""

from __future__ import annotations

from study.cost import flow_steps
from study.during import structure_work
from study.plan import Cell, LinearCell
from study.predicting import predictor_work
from study.references import response_work

# What the t = 0 measurement of one network of the paper (200 hidden units, 500 patterns) costs in gradient steps. Only
# for progress and estimates of time; `study bench silhouette` measures it. `eig` costs twenty times as much where
# saturated networks leave zeros in their kernels.
STEPS_PER_MEASUREMENT = 700
STEPS_PER_EIG = 120
STEPS_PER_CLUSTERING = 300
# Steps of a linear network of the source study in the time of one of the paper's network, by the times that `run paper` prints
# for both in its plan: they share one bar.
LINEAR_STEPS_PER_STEP = 13


def work_of(cell: Cell | LinearCell) -> int:
    """Work of one network of a cell, in gradient steps."""
    if isinstance(cell, LinearCell):
        return max(cell.settings.steps // LINEAR_STEPS_PER_STEP, 1)
    return training_work(cell) + measurement_work(cell) + structure_work(cell)


def training_work(cell: Cell) -> int:
    """The training of one network, in gradient steps."""
    if cell.settings.integrator == "gd":
        return cell.curriculum.steps
    return max(round(sum(flow_steps(phase) for phase in cell.curriculum.turns)), 1)


def measurement_work(cell: Cell) -> int:
    """The t = 0 measurement of one network, in gradient steps: a step costs N H, kernels N^2 H, eigenvectors N^3."""
    settings = cell.settings
    patterns = settings.train_patterns / 500
    eig = STEPS_PER_EIG * patterns**2 * 200 / settings.hidden_units if "eig" in settings.estimators else 0
    once = STEPS_PER_MEASUREMENT * patterns + eig
    again = STEPS_PER_CLUSTERING * patterns * settings.kmeans_repeats
    return round(once * (1 + settings.data_redraws) + again) + predictor_work(cell) + response_work(cell)
