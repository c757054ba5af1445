"""What training costs: a model of the time of a gradient step, relative to the source study's network.

`study bench scale` measures the points, fits the model and prints how far it is off. Only ratios are kept here,
because they travel between machines better than times: `run` times the source study's network on the machine at hand and
scales from there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pntk.curriculum import Phase
from pntk.data import draw_phase_data, pattern_block
from pntk.network import base_networks
from pntk.tasks import Environment
from pntk.training.descent import descend
from study.curricula import expected_distinct
from study.plan import Cell
from study.threads import threads

PROBE_STEPS = 150
PROBE_PHASE = Phase("multi", (1.0, 1.0, 1.0), 1, 0.01)
REFERENCE_HIDDEN, REFERENCE_DISTINCT = 200, 472  # the source study's network on 500 multitask patterns
CACHE = 1e6  # hidden units x distinct patterns beyond which buffers leave the cache of a core
DOUBLE = 2.1  # a float64 step in float32 steps


@dataclass(frozen=True)
class StepModel:
    """Cost of a step = constant + slope w + spill w max(0, log(w / CACHE)), w = hidden units x distinct patterns."""

    constant: float
    slope: float
    spill: float

    def __call__(self, hidden: float, distinct: float) -> float:
        work = hidden * distinct
        return self.constant + self.slope * work + self.spill * work * max(0.0, float(np.log(work / CACHE)))


# Fitted by `bench scale`, in steps of the reference network.
FITTED = StepModel(constant=0.142, slope=9.94e-6, spill=5.21e-6)


def fitted(hidden: Sequence[float], distinct: Sequence[float], costs: Sequence[float]) -> StepModel:
    """The model of measured costs, by least squares on relative errors."""
    work, cost = np.array(hidden, float) * np.array(distinct, float), np.array(costs, float)
    design = np.stack([np.ones_like(work), work, work * np.log(np.maximum(work / CACHE, 1))], axis=1) / cost[:, None]
    constant, slope, spill = np.linalg.lstsq(design, np.ones_like(cost), rcond=None)[0]
    return StepModel(float(constant), float(slope), float(spill))


def steps_of_reference(cell: Cell) -> float:
    """What a gradient step of one of the cell's networks costs, in steps of the reference network; a mean over phases."""
    settings, phases = cell.settings, cell.curriculum.phases
    costs = [FITTED(settings.hidden_units, expected_distinct(p, cell.environment, settings.train_patterns)) for p in phases]
    weights = [phase.steps for phase in phases]
    double = DOUBLE if settings.precision == "float64" else 1.0
    return double * float(np.average(costs, weights=weights)) / FITTED(REFERENCE_HIDDEN, REFERENCE_DISTINCT)


def flow_steps(phase: Phase) -> float:
    """What following the flow through a phase costs, in gradient steps of its networks.

    Gradients grow with the logarithm of the time followed (counted on networks of the source study, times from 3 to 300);
    each costs a little more than a step.
    """
    time_followed = phase.steps * phase.learning_rate
    gradients = 250 * min(1.0, float(np.sqrt(time_followed / 3))) + 150 * max(0.0, float(np.log(time_followed / 3)))
    return 1.3 * gradients


def reference_seconds() -> float:
    """A gradient step of the reference network, measured here and now on one core."""
    environment = Environment()
    networks = base_networks(environment, REFERENCE_HIDDEN, [0]).to(torch.float32)
    drawn = draw_phase_data(environment, PROBE_PHASE, 0, 500, 500)
    data = pattern_block(environment, [drawn.train], torch.float32)
    with threads(1):
        descend(networks, data, data, 20, 1e-6, records=2)
        start = time.perf_counter()
        descend(networks, data, data, PROBE_STEPS, 1e-6, records=2)
        return (time.perf_counter() - start) / PROBE_STEPS
