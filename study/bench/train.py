"""`bench train`: a gradient step of the paper's network, ours against nn.Module + autograd + SGD and torch.func.vmap."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from rich.console import Console
from torch.func import functional_call, grad, stack_module_state, vmap

from pntk.curriculum import Phase
from pntk.data import PatternBlock, draw_phase_data, pattern_block
from pntk.network import MultitaskModule, Networks, base_networks, scaled
from pntk.tasks import Environment, encode
from pntk.training.descent import descend
from pntk.training.flow import follow_flow
from pntk.training.workspace import Workspace, mean_loss
from study.bench.jax_baseline import jax_training
from study.bench.measure import cpu_seconds
from study.sheets import Sheet, print_sheet
from study.threads import threads

HIDDEN, PATTERNS, RATE = 200, 500, 0.01
VMAP_NETWORKS = 20
BLOCKS = {1: 400, 8: 100, 64: 40}  # networks a block: steps timed
NAIVE_STEPS, VMAP_STEPS, CHECK_STEPS, EQUAL_LOSS_STEPS = 150, 15, 500, 10_000


def naive(module: MultitaskModule, inputs: torch.Tensor, targets: torch.Tensor, steps: int) -> None:
    """The loop that most people would write: one network, autograd, SGD."""
    optimiser = torch.optim.SGD(module.parameters(), lr=RATE)
    for _ in range(steps):
        optimiser.zero_grad()
        (module(inputs) - targets).square().sum().backward()
        optimiser.step()


def vmapped(modules: list[MultitaskModule], inputs: torch.Tensor, targets: torch.Tensor, steps: int) -> dict[str, torch.Tensor]:
    """Many networks at once through torch.func, (B, N, ...) data; returns their stacked parameters."""
    parameters, buffers = stack_module_state(modules)
    parameters = {name: p.detach() for name, p in parameters.items()}

    def loss(p: dict[str, torch.Tensor], b: dict[str, torch.Tensor], x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return (functional_call(modules[0], (p, b), (x,)) - t).square().sum()

    gradient = vmap(grad(loss))
    for _ in range(steps):
        slopes = gradient(parameters, buffers, inputs, targets)
        parameters = {name: p - RATE * slopes[name] for name, p in parameters.items()}
    return parameters


def _setting(count: int) -> tuple[Networks, PatternBlock, torch.Tensor, torch.Tensor]:
    """Networks, their merged patterns, and the same patterns unmerged for the baselines."""
    environment, phase = Environment(), Phase("single", (1.0,), 1, RATE)
    ids = [draw_phase_data(environment, phase, seed, PATTERNS, PATTERNS).train for seed in range(count)]
    encoded = [[torch.from_numpy(array).float() for array in encode(environment, i)] for i in ids]
    networks = base_networks(environment, HIDDEN, range(count)).to(torch.float32)
    inputs, targets = (torch.stack(column) for column in zip(*encoded, strict=True))
    return networks, pattern_block(environment, ids, torch.float32), inputs, targets


def workspace_of_the_paper() -> Workspace:
    """One network of the paper and its merged patterns, ready to take steps."""
    networks, merged, _, _ = _setting(1)
    work = Workspace(networks, merged.inputs.shape[1])
    work.load(merged.inputs, merged.targets, merged.counts)
    return work


def _equal_loss(console: Console) -> dict[str, float]:
    """CPU time to the losses of the baseline regime's single-task phase: naive steps, our steps, the flow, jax."""
    environment, phase = Environment(), Phase("single", (1.0,), EQUAL_LOSS_STEPS, RATE)
    drawn = draw_phase_data(environment, phase, 0, PATTERNS, PATTERNS)
    train, test = (pattern_block(environment, [ids], torch.float32) for ids in (drawn.train, drawn.test))
    inputs, targets = (torch.from_numpy(array).float() for array in encode(environment, drawn.train))
    rows, totals, worst = [], dict.fromkeys(("naive", "descent", "flow", "jax"), 0.0), 0.0
    for name, scale in (("standard", 1.0), ("large", 10.0)):
        networks = scaled(base_networks(environment, HIDDEN, [0]), scale, "hidden").to(torch.float32)
        module = MultitaskModule(networks)
        seconds = {"naive": _cpu(partial(naive, module, inputs, targets, phase.steps))[0]}
        expected, expected_test = (mean_loss(module.networks(), data).item() for data in (train, test))
        seconds["descent"], (_, curves) = _cpu(partial(descend, networks, train, test, phase.steps, RATE))
        seconds["flow"], (_, flow) = _cpu(partial(follow_flow, networks, train, test, phase.steps, RATE))
        jax_train = jax_training(networks, inputs, targets, RATE)
        if jax_train is not None:
            jax_train(phase.steps)  # compiles
            seconds["jax"], _ = _cpu(partial(jax_train, phase.steps))
        off = [flow.train[0, -1] / expected - 1, flow.test[0, -1] / expected_test - 1]
        worst = max(worst, abs(off[0]), abs(off[1]), abs(curves.train[0, -1] / expected - 1))
        for method, value in seconds.items():
            totals[method] += value
        texts = [f"{seconds[m]:.2f} s" if m in seconds else "not installed" for m in totals]
        rows.append([name, *texts, f"{expected:.3g}", *(f"{100 * value:+.2f} %" for value in off)])
    headings = ["network", "naive steps", "our steps", "our flow", "jax jit + scan", "training loss"]
    title = f"CPU time to equal losses: {EQUAL_LOSS_STEPS:,} full-batch steps of {RATE}, or the flow for as long"
    print_sheet(console, Sheet(title, [*headings, "flow, train", "flow, test"], rows))
    numbers = {"ratio_to_equal_loss_to_naive": totals["flow"] / totals["naive"], "equal_loss_largest_difference": worst}
    if totals["jax"]:
        numbers |= {
            "ratio_to_equal_loss_to_jax": totals["flow"] / totals["jax"],
            "ratio_step_to_jax": totals["descent"] / totals["jax"],
        }
    return numbers


def _cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def bench_train(console: Console) -> dict[str, Any]:
    """CPU milliseconds per gradient step and network, CPU time to equal losses, and their ratios to the naive loop."""
    settings = {count: _setting(count) for count in (*BLOCKS, VMAP_NETWORKS)}
    networks, merged, inputs, targets = settings[1]
    module = MultitaskModule(networks)
    with threads(1):
        naive(module, inputs[0], targets[0], CHECK_STEPS)
        final = ((module(inputs[0]) - targets[0]).square().mean()).item()
        ours = mean_loss(descend(networks, merged, merged, CHECK_STEPS, RATE)[0], merged).item()
        many = settings[VMAP_NETWORKS]
        modules = [MultitaskModule(many[0], i) for i in range(VMAP_NETWORKS)]
        methods: dict[str, Callable[[], object]] = {
            "naive": partial(naive, MultitaskModule(networks), inputs[0], targets[0], NAIVE_STEPS),
            "vmap": partial(vmapped, modules, many[2], many[3], VMAP_STEPS),
        }
        for count, steps in BLOCKS.items():
            block = settings[count]
            methods[f"ours_{count}"] = partial(descend, block[0], block[1], block[1], steps, RATE, records=2)
        seconds = cpu_seconds(methods)
        equal = _equal_loss(console)
    work = {"naive": NAIVE_STEPS, "vmap": VMAP_STEPS * VMAP_NETWORKS} | {f"ours_{c}": c * s for c, s in BLOCKS.items()}
    milliseconds = {name: 1e3 * seconds[name] / work[name] for name in methods}
    names = {"naive": "nn.Module + autograd + SGD (naive)", "vmap": f"torch.func.vmap, {VMAP_NETWORKS} networks"}
    names |= {f"ours_{count}": f"ours, {count} network(s) a block" for count in BLOCKS}
    rows = [[names[k], f"{v:.3f}", f"{v / milliseconds['naive']:.2f}"] for k, v in milliseconds.items()]
    title = "CPU time per gradient step and network, one thread, float32"
    print_sheet(console, Sheet(title, ["method", "ms", "ratio to naive"], rows))
    difference = abs(ours - final) / final
    console.print(
        f"Training loss after {CHECK_STEPS} steps: naive {final:.6g}, ours {ours:.6g}, relative difference {difference:.1e}."
    )
    return {
        "milliseconds_per_step": milliseconds,
        "ratio_step_to_naive": milliseconds["ours_8"] / milliseconds["naive"],
        "relative_loss_difference": difference,
        **equal,
    }
