"""`bench entk`: the eNTK of the paper's network in closed form against torch.func on an nn.Module."""

from __future__ import annotations

from typing import Any

import torch
from rich.console import Console

from pntk.curriculum import Phase
from pntk.data import draw_phase_data
from pntk.kernels import autodiff, multitask
from pntk.network import MultitaskModule, base_networks
from pntk.tasks import Environment, encode
from study.bench.measure import cpu_seconds
from study.threads import threads


def bench_entk(console: Console) -> dict[str, Any]:
    """CPU seconds of both, their ratio, and their largest difference, in float64 on 500 x 500 patterns."""
    environment = Environment()
    data = draw_phase_data(environment, Phase("single", (1.0,), 1, 0.01), 0, 500, 500)
    test = torch.from_numpy(encode(environment, data.test)[0])
    train, targets = (torch.from_numpy(array) for array in encode(environment, data.train))
    networks = base_networks(environment, 200, [0])
    module = MultitaskModule(networks)
    with threads(1):
        closed = multitask.entk(networks, test, train, targets)[0]
        generic = autodiff.entk(module, test, train, targets)
        difference = float((closed - generic).abs().max() / generic.abs().max())
        seconds = cpu_seconds(
            {
                "closed_form": lambda: multitask.entk(networks, test, train, targets),
                "generic": lambda: autodiff.entk(module, test, train, targets),
            },
            rounds=5,
        )
    ratio = seconds["generic"] / seconds["closed_form"]
    console.print(
        f"eNTK, 500 x 9 x 500, float64, one thread: closed form {seconds['closed_form']:.3f} s, torch.func "
        f"{seconds['generic']:.3f} s of CPU: {ratio:.1f} times faster; largest relative difference {difference:.1e}."
    )
    return {"seconds": seconds, "speedup": ratio, "relative_difference": difference}
