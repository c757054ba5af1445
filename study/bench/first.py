"""`bench first`: what a network of the paper costs before its row is there, by part, the fast way against the plain one.

The plain way is how it was once done, and what tests hold the fast one against: a full eigendecomposition per output, k-means
and silhouettes by scikit-learn call after call, and a gradient step that makes its views anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from pntk.curriculum import Phase
from pntk.data import draw_phase_data
from pntk.network import Networks, base_networks, scaled
from pntk.structure.silhouette import ESTIMATORS, Clustering, Start, plain_silhouette, silhouettes_again
from pntk.structure.spectra import dominant_eigenvector, unsorted_first_eigenvector
from pntk.tasks import Environment, encode
from pntk.training.workspace import Workspace
from study.bench.measure import cpu_seconds
from study.bench.train import RATE, workspace_of_the_paper
from study.sheets import Sheet, print_sheet
from study.threads import threads

Array = NDArray[np.float64]

ENVIRONMENT, PHASE = Environment(), Phase("single", (1.0,), 10_000, 0.01)
HIDDEN, PATTERNS, STEPS = 200, 500, 200
STATES = (10, 11, 12, 13)  # random states of k-means on the same features
DRAWS = 3  # of the data: that of the study and two more
REGIMES = {"baseline": 20_000, "LR-tuned": 5_000}  # steps of both phases


def plain_step(work: Workspace, learning_rate: float) -> None:
    """`Workspace.step` as most would write it."""
    hidden = work.state[:, : work.hidden]
    torch.bmm(work.first.transpose(1, 2), work.inputs, out=hidden)
    torch.sigmoid(hidden, out=hidden)
    outputs = torch.sigmoid(torch.bmm(work.second, work.state))
    torch.sub(outputs, work.targets, out=work.errors)
    work.errors.mul_(work.weighting)
    backward = torch.ops.aten.sigmoid_backward.grad_input
    backward(work.errors, outputs, grad_input=work.errors)
    torch.bmm(work.second[:, :, : work.hidden].transpose(1, 2), work.errors, out=work.gradient)
    backward(work.gradient, hidden, grad_input=work.gradient)
    work.second[:, :, :-1].baddbmm_(work.errors, work.state[:, :-1].transpose(1, 2), alpha=-learning_rate)
    work.first[:, :-1].baddbmm_(work.inputs[:, :-1], work.gradient.transpose(1, 2), alpha=-learning_rate)


def _start(networks: Networks) -> Start:
    data = draw_phase_data(ENVIRONMENT, PHASE, 0, PATTERNS, PATTERNS)
    arrays = (encode(ENVIRONMENT, data.test)[0], *encode(ENVIRONMENT, data.train))
    test_inputs, train_inputs, train_targets = (torch.from_numpy(array) for array in arrays)
    return Start(networks, test_inputs, train_inputs, train_targets)


def _steps(step: Callable[[float], None]) -> None:
    for _ in range(STEPS):
        step(RATE)


def _measured(start: Start) -> tuple[dict[str, dict[str, float]], float, int]:
    """CPU seconds of the two costly parts of a measurement by part and way; the largest difference of a silhouette between
    the ways; and how many of the eigenvectors are computed alone."""
    clustering = Clustering()
    kernels = [kernel.T for kernel in start.entk]
    features = [estimator(start) for estimator in ESTIMATORS.values()]

    def plain(found: Array) -> list[float]:
        return [plain_silhouette(found, replace(clustering, random_state=state)) for state in STATES]

    def fast(found: Array) -> list[float]:
        return silhouettes_again(found, clustering, STATES)

    seconds = {
        "eigenvectors of nine kernels": cpu_seconds(
            {
                "plain": lambda: [np.linalg.eig(kernel)[1][:, 0].real for kernel in kernels],
                "fast": lambda: [unsorted_first_eigenvector(kernel) for kernel in kernels],
            },
            rounds=3,
        ),
        "silhouettes of seven estimators": cpu_seconds(
            {
                "plain": lambda: [plain(found) for found in features],
                "fast": lambda: [fast(found) for found in features],
            },
            rounds=3,
        ),
    }
    by_full = np.stack([np.linalg.eig(kernel)[1][:, 0].real for kernel in kernels], axis=1)
    pairs = [(plain(found), fast(found)) for found in features] + [(plain(by_full), fast(ESTIMATORS["eig"](start)))]
    difference = max(float(np.abs(np.subtract(*pair)).max()) for pair in pairs)
    return seconds, difference, sum(dominant_eigenvector(kernel) is not None for kernel in kernels)


def bench_first(console: Console) -> dict[str, Any]:
    """CPU seconds of a network's costly parts both ways, their sums in both regimes, and how far results differ."""
    base = base_networks(ENVIRONMENT, HIDDEN, [0])
    found, rows, difference, alone = dict[str, dict[str, float]](), list[list[str]](), 0.0, 0
    with threads(1):
        for scale in (1.0, 10.0):
            seconds, off, count = _measured(_start(scaled(base, scale, "hidden")))
            difference, alone = max(difference, off), alone + count
            for part, ways in seconds.items():
                found[part] = {way: found.get(part, {}).get(way, 0.0) + value / 2 for way, value in ways.items()}
        one, other = workspace_of_the_paper(), workspace_of_the_paper()
        methods = {"plain": partial(_steps, partial(plain_step, one)), "fast": partial(_steps, other.step)}
        found["a gradient step"] = {way: value / STEPS for way, value in cpu_seconds(methods).items()}
        equal = torch.equal(one.first, other.first) and torch.equal(one.second, other.second)
    for part, ways in found.items():
        rows.append([part, *(f"{1e3 * ways[way]:.3g}" for way in ("plain", "fast")), f"{ways['fast'] / ways['plain']:.2f}"])
    eigen, groups, step = found.values()
    sums = {
        regime: {
            # Silhouettes of the features above and of one random state on each further draw of the data.
            way: steps * step[way] + DRAWS * eigen[way] + (1 + (DRAWS - 1) / len(STATES)) * groups[way]
            for way in ("plain", "fast")
        }
        for regime, steps in REGIMES.items()
    }
    for regime, ways in sums.items():
        label = f"a {regime} network: all of these"
        rows.append([label, *(f"{1e3 * ways[way]:.0f}" for way in ("plain", "fast")), f"{ways['fast'] / ways['plain']:.2f}"])
    title = "CPU milliseconds of a network of the paper, one thread"
    print_sheet(console, Sheet(title, ["what", "plain", "fast", "ratio"], rows, sections=frozenset({len(found)})))
    console.print(
        f"Largest difference of a silhouette {difference:.1e}; {alone} of 18 eigenvectors are computed alone; "
        f"weights after {STEPS} steps and more are {'equal to the last bit' if equal else 'NOT equal'}.",
        highlight=False,
    )
    ratios = {part: ways["fast"] / ways["plain"] for part, ways in (found | sums).items()}
    return {"seconds": found | sums, "ratios": ratios, "largest_difference": difference, "alone": alone, "steps_equal": equal}
