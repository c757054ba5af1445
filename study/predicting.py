"""Predictors of a block's networks at t = 0, and how well they say which unseen patterns will be wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from pntk.data import PhaseData
from pntk.network import Networks, forward
from pntk.predictors.case import Case
from pntk.predictors.registry import PREDICTORS
from study.plan import Cell

Array = NDArray[np.float64]
# A kernel that cannot be decomposed or inverted: the predictor is not defined.
UNDEFINED = (ArithmeticError, np.linalg.LinAlgError, torch.linalg.LinAlgError)  # type: ignore[attr-defined]
Errors = dict[tuple[str, str], Array]  # phase and predictor to the error predicted for each unseen pattern

# What a network of the paper costs for each of its phases, in gradient steps; `study bench predictors` measures it.
STEPS_PER_REGRESSION = 600
STEPS_PER_PREDICTOR = 60


def predictor_work(cell: Cell) -> int:
    """Work of one network's predictors, in gradient steps."""
    names = [name for name in cell.settings.predictors if name in PREDICTORS]
    regressions = sum(PREDICTORS[name].errors is not None for name in names)
    patterns = cell.settings.train_patterns / 500
    once = (STEPS_PER_REGRESSION * regressions + STEPS_PER_PREDICTOR * (len(names) - regressions)) * patterns
    return round(once * len(cell.curriculum.phases))


def predict(cell: Cell, network: Networks, data: Mapping[str, PhaseData]) -> tuple[dict[str, float], Errors]:
    """Every predictor of one network with the data of each phase, but those that need references (`study.references`).

    Args:
        network: a block of one before training, float64.
        data: phase name to its data.

    Returns:
        "<phase>_<predictor>" to its value, NaN where it is not defined; and the errors predicted pattern by pattern.
    """
    values: dict[str, float] = {}
    errors: Errors = {}
    for phase, drawn in data.items():
        case = Case(network, cell.environment, drawn.train, drawn.unseen)
        for name in cell.settings.predictors:
            if name not in PREDICTORS:
                continue
            predictor, value = PREDICTORS[name], float("nan")
            with contextlib.suppress(*UNDEFINED):
                if predictor.errors is not None and len(drawn.unseen):
                    errors[phase, name] = predictor.errors(case)
                    value = float(errors[phase, name].mean())
                else:
                    value = predictor.function(case)
            values[f"{phase}_{name}"] = value
    return values, errors


def predicted_errors(cell: Cell, network: Networks, data: Mapping[str, PhaseData]) -> Errors:
    """The second part of `predict` alone."""
    names = [name for name in cell.settings.predictors if name in PREDICTORS and PREDICTORS[name].errors is not None]
    if not names:
        return {}
    settings = cell.settings.model_copy(update={"predictors": tuple(names)})
    return predict(replace(cell, settings=settings), network, data)[1]


def agreement(cell: Cell, final: Networks, unseen: NDArray[np.int64], predicted: Array) -> float:
    """Rank correlation (Spearman), within one trained network, of predicted and true squared errors of its unseen patterns.

    Args:
        final: a block of one at the end of the phase.

    Returns:
        NaN where one of the two is constant or not finite.
    """
    case = Case(final.map(lambda w: w.double()), cell.environment, unseen[:0], unseen)
    outputs = forward(case.networks, case.unseen_inputs)[1][0]
    true = (outputs - case.unseen_targets).square().mean(dim=1).cpu().numpy()
    if not (np.isfinite(true).all() and np.isfinite(predicted).all()) or np.ptp(true) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(spearmanr(true, predicted).statistic)


def agreements(
    cell: Cell,
    initial: Networks,
    final: Mapping[str, Networks],
    data: Mapping[str, Sequence[PhaseData]],
    predicted: Mapping[int, Errors],
) -> tuple[dict[str, float], ...]:
    """Of each network of a block, "<phase>_<predictor>" to its agreement.

    Args:
        initial: B networks before training, float64. final: phase name to the B networks at its end.
        data: phase name to the data of each network.
        predicted: place in the block to what `predict` gave; computed again where it is missing, as in a resumed block.
    """
    found = []
    for place in range(len(initial)):
        drawn = data_of(data, place)
        errors = predicted[place] if place in predicted else predicted_errors(cell, initial.network(place), drawn)
        agreed = {
            f"{phase}_{name}": agreement(cell, final[phase].network(place), drawn[phase].unseen, error)
            for (phase, name), error in errors.items()
        }
        found.append(agreed)
    return tuple(found)


def data_of(data: Mapping[str, Sequence[PhaseData]], place: int) -> dict[str, PhaseData]:
    """Phase name to the data of one network of a block."""
    return {phase: drawn[place] for phase, drawn in data.items()}
