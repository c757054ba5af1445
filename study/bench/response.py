"""`bench response`: a reference network and what it says of seeds, against training them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from rich.console import Console

from pntk.influence.drive import evaluations, influence, units_of
from pntk.network import Networks, base_networks, scaled
from study.bench.measure import cpu_seconds
from study.plan import Block, make_plan
from study.references import Answer, Wanted, train
from study.sheets import Sheet, print_sheet
from study.sweep_file import parse_sweep
from study.threads import threads
from study.trial import run_block

SEEDS, TRAINED, ASKED = 200, 4, 20  # that are spoken of; trained and asked for the time


def bench_response(console: Console, steps: int = 2500, units: int = 1000) -> dict[str, Any]:
    """The single-task phase of the source study's large network, LR-tuned, on one data set and one thread: CPU time of the
    reference, of its answers, and of training. The baseline is training every seed."""
    phase = {"name": "single", "task_counts": [1], "steps": steps}
    settings = {"curriculum": "short", "estimators": ["svd_right"], "reference_units": units, "references": 1}
    sweep = {"name": "bench", "seeds": TRAINED, "data": "fixed", "settings": settings, "cells": {"large": {"init_scale": 10}}}
    plan = make_plan(parse_sweep(sweep | {"curricula": {"short": {"phases": [phase]}}}))
    cell, known = plan.cell("large"), dict[str, Any]()
    base = base_networks(cell.environment, cell.settings.hidden_units, list(range(ASKED)))
    networks = scaled(base, cell.settings.init_scale, cell.settings.scaled_layers)
    with threads(1):
        wanted = Wanted(replace(cell, draws=()), 0, 0)
        once = _cpu(lambda: known.update(train(wanted)))
        asked = cpu_seconds({"asked": lambda: known.update(losses=known["single"].losses(networks))})["asked"] / ASKED
        block = Block(cell, cell.draws)
        took = _cpu(lambda: known.update(result=run_block(block))) / TRAINED
    every = {"a reference": once, "its answers": SEEDS * asked, "training": SEEDS * took}
    ratio = (once + SEEDS * asked) / (SEEDS * took)
    gradients = evaluations(known["single"].reference)
    rows = [
        ["a reference, once", f"{units:,} hidden units", f"{once:.1f} s", ""],
        [
            f"its answers, {ASKED} seeds",
            f"{gradients} gradients a seed",
            f"{1000 * asked:.0f} ms a seed",
            _s(every["its answers"]),
        ],
        [f"training, {TRAINED} seeds", f"{steps:,} steps", f"{took:.2f} s a seed", _s(every["training"])],
        ["reference and answers / training", "", "", f"{ratio:.3f}"],
    ]
    rows += [[name, "", "", value] for name, value in _shares(wanted, known["single"], networks).items()]
    print_sheet(console, Sheet("Linear response against training, large network, single tasks, CPU time of one thread",
                               ["what", "how much", "measured", f"for {SEEDS} seeds"], rows, 2))  # fmt: skip
    predicted, true = known["losses"][:TRAINED], known["result"].losses["single_unseen"]
    return {"seconds": every, "ratio": ratio, "predicted": list(map(float, predicted)), "true": list(np.asarray(true, float))}


def _shares(wanted: Wanted, answer: Answer, networks: Networks) -> dict[str, str]:
    """Of the units of the seeds that were asked: how few make up most of the influence, and what shows which they are."""
    units = units_of(networks)
    psi = influence(answer.reference, units).double()
    of_all = torch.cumsum((psi - psi.mean()).square().sort(descending=True).values, dim=0)
    share = float((of_all < 0.9 * of_all[-1]).double().mean())
    sizes = {"incoming": units.incoming.norm(dim=0), "outgoing": units.outgoing.norm(dim=1)}
    size = (psi - psi.mean()).abs().numpy()
    r = {name: float(np.corrcoef(size, norm.double().numpy())[0, 1]) for name, norm in sizes.items()}
    return {
        "units that make up 90 % of the squared influence": f"{share:.1%}",
        "r of a unit's influence and its weights, in and out": f"{r['incoming']:z.2f}, {r['outgoing']:z.2f}",
    }


def _cpu(work: Callable[[], object]) -> float:
    """Of what takes many seconds: done once."""
    start = time.process_time()
    work()
    return time.process_time() - start


def _s(seconds: float) -> str:
    return f"{seconds:.0f} s"
