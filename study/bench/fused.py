"""`bench fused`: would a fused kernel pay? The same gradient step by our torch operations, torch.compile and numba.

Neither fused version is used for training: the matrix products, which no fusion removes, are most of a step, torch's own
sigmoid is vectorised where numba's is not, and both cost what a user must install or wait for (a C++ compiler and a
compilation of many seconds in every worker; numba and LLVM). This bench is there to look again when either changes; numba
takes part where it is installed (`pip install -e '.[bench]'`).
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from pntk.training.workspace import Workspace
from study.bench.measure import cpu_seconds
from study.bench.train import workspace_of_the_paper
from study.sheets import Sheet, print_sheet
from study.threads import threads

STEPS, RATE = 300, 0.01


def compiled_steps(work: Workspace) -> Callable[[int], tuple[Tensor, Tensor]]:
    """The step as one function that torch.compile may fuse as it likes; raises where it cannot compile."""
    inputs, targets, weighting, extra = work.inputs, work.targets, work.weighting, work.state[:, work.hidden :].clone()
    hidden = work.hidden

    @torch.compile
    def step(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        activity = torch.sigmoid(first.mT @ inputs)
        state = torch.cat([activity, extra], dim=1)
        outputs = torch.sigmoid(second @ state)
        errors = (outputs - targets) * weighting * outputs * (1 - outputs)
        gradient = (second[:, :, :hidden].mT @ errors) * activity * (1 - activity)
        second = torch.cat([second[:, :, :-1] - RATE * (errors @ state[:, :-1].mT), second[:, :, -1:]], dim=2)
        first = torch.cat([first[:, :-1] - RATE * (inputs[:, :-1] @ gradient.mT), first[:, -1:]], dim=1)
        return first, second

    def take(steps: int) -> tuple[Tensor, Tensor]:
        first, second = work.first, work.second
        for _ in range(steps):
            first, second = step(first, second)
        return first, second

    return take


def numba_steps(work: Workspace) -> Callable[[int], tuple[Tensor, Tensor]]:
    """The step in numba: BLAS products, element-wise passes in fused loops."""
    import numba

    inputs, targets, weighting = (t[0].numpy().copy() for t in (work.inputs, work.targets, work.weighting))
    state, hidden = work.state[0].numpy().copy(), work.hidden

    def loop(first: Any, second: Any, state: Any, steps: int) -> Any:
        errors, gradient = np.empty_like(targets), np.empty((hidden, targets.shape[1]), np.float32)
        rate, one = np.float32(RATE), np.float32(1)
        for _ in range(steps):
            activity = np.dot(first.T, inputs)
            for i in range(hidden):
                for j in range(activity.shape[1]):
                    state[i, j] = one / (one + np.exp(-activity[i, j]))
            outputs = np.dot(second, state)
            for i in range(errors.shape[0]):
                for j in range(errors.shape[1]):
                    y = one / (one + np.exp(-outputs[i, j]))
                    errors[i, j] = (y - targets[i, j]) * weighting[0, j] * y * (one - y)
            back = np.dot(np.ascontiguousarray(second[:, :hidden]).T, errors)
            for i in range(hidden):
                for j in range(back.shape[1]):
                    gradient[i, j] = back[i, j] * state[i, j] * (one - state[i, j])
            second[:, :-1] -= rate * np.dot(errors, state[:-1].T)
            first[:-1] -= rate * np.dot(inputs[:-1], gradient.T)
        return first, second

    take = numba.njit(fastmath=True)(loop)  # no decorator: numba has no types

    def run(steps: int) -> tuple[Tensor, Tensor]:
        first, second = take(work.first[0].numpy().copy(), work.second[0].numpy().copy(), state.copy(), steps)
        return torch.from_numpy(first)[None], torch.from_numpy(second)[None]

    return run


def our_steps(work: Workspace) -> Callable[[int], tuple[Tensor, Tensor]]:
    def take(steps: int) -> tuple[Tensor, Tensor]:
        first, second = work.first.clone(), work.second.clone()
        work.steps(RATE)(steps)
        after = work.first.clone(), work.second.clone()
        work.first.copy_(first)
        work.second.copy_(second)
        return after

    return take


def bench_fused(console: Console) -> dict[str, Any]:
    """CPU milliseconds a step of each, seconds until the first step, the largest difference of weights from ours, and why
    those that are missing are."""
    makers = {"torch operations (ours)": our_steps, "torch.compile": compiled_steps}
    if importlib.util.find_spec("numba") is not None:
        makers["numba"] = numba_steps
    takes, first_seconds = {}, {}
    problems = {} if "numba" in makers else {"numba": "not installed"}
    with threads(1):
        expected = our_steps(workspace_of_the_paper())(20)
        differences = {}
        for name, make in makers.items():
            start = time.perf_counter()
            try:
                takes[name] = make(workspace_of_the_paper())
                found = takes[name](20)
            except Exception as error:  # no compiler, or a version without support: the row says so
                takes.pop(name, None)
                problems[name] = f"{type(error).__name__}"
                continue
            first_seconds[name] = time.perf_counter() - start
            differences[name] = max(float((a - b).abs().max()) for a, b in zip(found, expected, strict=True))
        seconds = cpu_seconds({name: partial(take, STEPS) for name, take in takes.items()})
    milliseconds = {name: 1e3 * value / STEPS for name, value in seconds.items()}
    ours = milliseconds["torch operations (ours)"]
    rows = [
        [name, f"{value:.3f}", f"{value / ours:.2f}", f"{first_seconds[name]:.1f}", f"{differences[name]:.0e}"]
        for name, value in milliseconds.items()
    ]
    rows += [[name, f"not here: {why}", "", "", ""] for name, why in problems.items()]
    headings = ["step by", "ms", "ratio to ours", "seconds to the first 20 steps", "largest difference"]
    print_sheet(console, Sheet("CPU time of a gradient step, 200 x 500, one thread, float32", headings, rows))
    return {
        "milliseconds_per_step": milliseconds,
        "seconds_to_first": first_seconds,
        "largest_difference": differences,
        "missing": problems,
    }
