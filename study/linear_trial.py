"""One block of linear networks of one cell: trained, read at every recorded step, scored, turned into rows.

The twin of `study.trial` for sweeps with `network: linear`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pntk.kernels.linear import RANKS, Reading, readings, weight_change
from pntk.linear import LinearData, LinearNetworks, Path, aligned, descend, draw_data, draw_networks
from pntk.structure import modes
from pntk.theory.modes import half_times, mode_rate, start_strengths, strengths
from pntk.training.recorder import Curves
from study.linear_settings import LinearSettings, values_in_rows
from study.plan import Block, LinearCell
from study.work import work_of

PHASE = "linear"
MAIN = "summed"
QUARTERS = {"q25": 0.25, "q75": 0.75}
# The readings in their order, and those of kernels of inputs x inputs: the others have as many values as their smaller side.
READINGS = (
    "summed", "weight_change", "weight_change_outputs", "per_example", "per_example_total", "per_output", "ntk", "pntk",
    "network",
)  # fmt: skip
SQUARE = ("per_example", "per_example_total", "per_output", "ntk")
Progress = Callable[[int], None]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class LinearResult:
    """Everything known of a block after training.

    Attributes:
        path: the recorded training. readings: every kernel at every recorded step.
        learned: (B, K, M) strengths of the target's modes in the network's map.
        theory: the same by the exact solution, from each network's start; modes that cannot be learned are left out.
        theory_half: (B, L) half-times of that solution.
    """

    block: Block[LinearCell]
    data: LinearData
    path: Path
    readings: dict[str, Reading]
    learned: Array
    theory: Array
    theory_half: Array
    losses: dict[str, Array]
    curves: dict[str, Curves]
    diverged: NDArray[np.bool_]


def recorded(settings: LinearSettings) -> list[int]:
    """Every `record_every` steps, the last step and the marks."""
    return sorted({*range(0, settings.steps + 1, settings.record_every), settings.steps, *settings.marks})


def _start(settings: LinearSettings, block: Block[LinearCell]) -> tuple[LinearNetworks, LinearData]:
    s = settings
    whole = s.whitening == "per_example"
    data = draw_data([d.data_seed for d in block.draws], s.inputs, s.outputs, s.examples, s.singular_values, whole)
    drawn = draw_networks([d.seed for d in block.draws], s.inputs, s.hidden, s.outputs, s.init_scale, s.weights)
    return (aligned(drawn, data) if s.start == "aligned" else drawn), data


def run_block(block: Block[LinearCell], device: str = "cpu", progress: Progress | None = None) -> LinearResult:
    """Run a block from its seeds to its readings, in float64.

    Args:
        device: for the caller's sake; matrices this small stay on the CPU.
        progress: called with the work done since the last call, in gradient steps.
    """
    settings = block.cell.settings
    networks, data = _start(settings, block)
    path = descend(networks, data, settings.learning_rate, recorded(settings))
    learnable = settings.learnable
    rate = mode_rate(settings.learning_rate, data.gain, settings.examples, settings.outputs)
    start = start_strengths(networks.first, networks.second, data.left, data.right)[:, :learnable]
    values = data.values[:learnable]
    loss = path.loss.T.numpy()
    curves = Curves(path.steps.numpy(), loss, loss)  # the source study tests on the training examples
    found = readings(path, data)
    if progress is not None:
        progress(work_of(block.cell) * len(block.draws))
    return LinearResult(
        block,
        data,
        path,
        found,
        torch.einsum("bim,kbio,bom->bkm", data.left, path.networks.product, data.right).numpy(),
        strengths(path.steps, values, start, rate).numpy(),
        half_times(values, start, rate).numpy(),
        {f"{PHASE}_train": loss[:, -1], f"{PHASE}_test": loss[:, -1]},
        {PHASE: curves},
        curves.diverged,
    )


def score_names(settings: LinearSettings) -> list[str]:
    """The scores of every network with these settings, in their order."""
    modes = range(1, settings.learnable + 1)
    names = [f"{name}_{m}" for name in ("half_time", "theory_half_time", "half_time_over_theory") for m in modes]
    names.append("distance_from_theory")
    for name in READINGS:
        names += [f"lead_{name}_plateau{m}_{quarter}" for m in modes for quarter in QUARTERS]
        names += [f"lead_{name}_step{mark}" for mark in settings.marks] + [f"mode1_share_{name}"]
    names += [f"ntk_value_half_max_{m}" for m in modes]
    for m in modes:
        names += [f"loss_drop_onset_{m}", f"loss_drop_half_{m}"]
        if m > 1:
            names += [f"{name}_{m}" for name in ("switch", "theory_switch", "ahead_of_onset", "ahead_of_half")]
            patterns = ("pattern", "at_once", "swap", "delay") if m < len(settings.singular_values) else ("swap",)
            names += [f"secondary_{name}_{m}" for name in patterns]
    for mark in settings.marks:
        names += [f"match_{MAIN}_step{mark}", *(f"learned_{m}_step{mark}" for m in modes)]
    return [*names, "incompleteness_euler", "incompleteness_midpoint"]


def curve_names(settings: LinearSettings) -> list[str]:
    """The curves of every network with these settings, in their order."""
    modes = range(1, len(settings.singular_values) + 1)
    names = ["steps", "train", "test", *(f"learned_mode{m}" for m in modes)]
    for name in READINGS:
        names += [f"{name}_{rank}_mode{m}" for rank in RANKS for m in modes]
        values = settings.inputs if name in SQUARE else min(settings.inputs, settings.outputs)
        names += [f"{name}_value{r + 1}" for r in range(values)]
    return names


def scores_of(result: LinearResult, i: int) -> dict[str, float]:
    """The scores of one network by name; NaN where what is asked for never came, and all NaN where it diverged."""
    scores = _scores(result, i)
    return dict.fromkeys(scores, float("nan")) if result.diverged[i] else scores


def _scores(result: LinearResult, i: int) -> dict[str, float]:
    settings, steps = result.block.cell.settings, result.curves[PHASE].steps
    values, learnable = np.array(settings.singular_values), settings.learnable
    half = modes.half_times(steps, result.learned[i], values)[:learnable]
    scores = {f"half_time_{m + 1}": half[m] for m in range(learnable)}
    scores |= {f"theory_half_time_{m + 1}": result.theory_half[i, m] for m in range(learnable)}
    scores |= {f"half_time_over_theory_{m + 1}": half[m] / result.theory_half[i, m] for m in range(learnable)}
    scores["distance_from_theory"] = float(
        (np.abs(result.learned[i, :, :learnable] - result.theory[i]) / values[:learnable]).max()
    )
    leads = {name: modes.leading(reading.cosines[:, i].numpy()) for name, reading in result.readings.items()}
    for name, lead in leads.items():
        for m in range(1, learnable + 1):
            for quarter, part in QUARTERS.items():
                k = modes.at(steps, modes.plateau_step(half, m, part))
                scores[f"lead_{name}_plateau{m}_{quarter}"] = float("nan") if k is None else float(lead[k, 0])
        for mark in settings.marks:
            scores[f"lead_{name}_step{mark}"] = float(lead[modes.at(steps, mark), 0])
        later = steps >= half[0]
        scores[f"mode1_share_{name}"] = float((lead[later, 0] == 1).mean()) if later.any() else float("nan")
    for r in range(learnable):
        values_of_ntk = result.readings["ntk"].values[:, i, r].numpy()
        scores[f"ntk_value_half_max_{r + 1}"] = modes.crossing(steps, values_of_ntk, values_of_ntk.max() / 2)
    scores |= _switches(result, i, half, leads[MAIN])
    return scores | _marks(result, i)


def _switches(result: LinearResult, i: int, half: Array, leads: modes.Steps) -> dict[str, float]:
    """When the first singular vector goes on to the next mode, how long before the loss drops, and what the second does."""
    curves, values = result.curves[PHASE], np.array(result.block.cell.settings.singular_values)
    product_rates = result.theory[i] * (values[: len(half)] - result.theory[i])  # an aligned eNTK's singular values
    scores: dict[str, float] = {}
    falls = {
        name: modes.drops(curves.steps, curves.train[i], values, part, curves.train[i, 0])
        for name, part in (("onset", modes.ONSET), ("half", modes.HALF))
    }
    for m in range(1, len(half) + 1):
        scores |= {f"loss_drop_{name}_{m}": fall[m - 1] for name, fall in falls.items()}
        if m == 1:
            continue
        when = modes.switch(curves.steps, leads[:, 0], half, m)
        scores[f"switch_{m}"] = when
        scores[f"theory_switch_{m}"] = modes.switch(curves.steps, modes.leading(product_rates), result.theory_half[i], m)
        scores |= {f"ahead_of_{name}_{m}": fall[m - 1] - when for name, fall in falls.items()}
        pattern = modes.secondary_pattern(curves.steps, leads[:, 0], leads[:, 1], half, m)
        if m == len(values):  # no further mode that the second vector could go on to
            pattern = {"swap": pattern["swap"]}
        scores |= {f"secondary_{name}_{m}": value for name, value in pattern.items()}
    return scores


def _marks(result: LinearResult, i: int) -> dict[str, float]:
    """What the source study reads at its two steps, and how completely the path-integrated kernel adds up."""
    settings, steps, path = result.block.cell.settings, result.curves[PHASE].steps, result.path
    scores: dict[str, float] = {}
    for number, mark in enumerate(settings.marks):
        k = modes.at(steps, mark)
        scores[f"match_{MAIN}_step{mark}"] = float(result.readings[MAIN].cosines[k, i, 0, number])
        held = torch.einsum("im,io,om->m", result.data.left[i], path.euler[k, i], result.data.right[i])
        for m in range(settings.learnable):
            scores[f"learned_{m + 1}_step{mark}"] = float(held[m] / settings.singular_values[m])
    change = path.networks.product[-1, i] - path.networks.product[0, i]
    for name, kernel in (("euler", path.euler), ("midpoint", path.midpoint)):
        scores[f"incompleteness_{name}"] = float((kernel[-1, i] - change).norm() / change.norm())
    return scores


def rows_of(result: LinearResult, sweep: str, provenance: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row per network: key, outcome, settings, scores, curves, and the matrices that the figures need.

    Curves have one number per recorded step: `curve_linear_<reading>_<primary|secondary>_mode<m>` are cosines rounded to
    four places, `curve_linear_<reading>_value<r>` singular values in single precision. Arrays are matrices row by row.
    """
    settings, steps = result.block.cell.settings, result.curves[PHASE].steps
    shared = values_in_rows(settings)
    change = weight_change(result.path.networks, result.data)
    rows = []
    for i, draw in enumerate(result.block.draws):
        row: dict[str, Any] = {
            "sweep": sweep,
            "cell": result.block.cell.name,
            "seed": draw.seed,
            "data_seed": draw.data_seed,
            "network": "linear",
        }
        row |= {f"loss_{name}": float(values[i]) for name, values in result.losses.items()}
        row["diverged"] = bool(result.diverged[i])
        row |= {f"score_{name}": float(value) for name, value in scores_of(result, i).items()}
        row |= shared
        row[f"curve_{PHASE}_steps"] = steps.tolist()
        row[f"curve_{PHASE}_train"] = row[f"curve_{PHASE}_test"] = result.curves[PHASE].train[i].tolist()
        for m in range(result.learned.shape[2]):
            row[f"curve_{PHASE}_learned_mode{m + 1}"] = result.learned[i, :, m].tolist()
        for name, reading in result.readings.items():
            row |= _curves_of(name, reading, i)
        row["array_inputs"] = result.data.inputs[i].flatten().tolist()
        row["array_target"] = result.data.target[i].flatten().tolist()
        for mark in settings.marks:
            k = modes.at(steps, mark)
            row[f"array_weight_change_step{mark}"] = change[k, i].flatten().tolist()
            row[f"array_pntk_step{mark}"] = result.path.euler[k, i].flatten().tolist()
        rows.append(row | dict(provenance) | {"device": "cpu"})  # see `run_block`
    return rows


def _curves_of(name: str, reading: Reading, i: int) -> dict[str, list[float]]:
    curves = {}
    for rank, label in enumerate(RANKS):
        for m in range(reading.cosines.shape[3]):
            curves[f"curve_{PHASE}_{name}_{label}_mode{m + 1}"] = reading.cosines[:, i, rank, m].numpy().round(4).tolist()
    for r in range(reading.values.shape[2]):
        curves[f"curve_{PHASE}_{name}_value{r + 1}"] = reading.values[:, i, r].float().tolist()
    return curves
