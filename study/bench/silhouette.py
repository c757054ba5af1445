"""`bench silhouette`: the t = 0 measurement of a network of the paper against its LR-tuned training."""

from __future__ import annotations

from typing import Any

import torch
from rich.console import Console
from scipy.sparse.linalg import svds
from torch import Tensor

from pntk.curriculum import Phase
from pntk.data import draw_phase_data, pattern_block
from pntk.kernels.multitask import entk
from pntk.network import Networks, base_networks, scaled
from pntk.structure.silhouette import ESTIMATORS, Clustering, Start, silhouettes
from pntk.structure.spectra import leading_singular
from pntk.tasks import Environment, encode
from pntk.training.descent import descend
from study.bench.measure import cpu_seconds
from study.sheets import Sheet, print_sheet
from study.threads import threads

ENVIRONMENT = Environment()
PHASES = (Phase("single", (1.0,), 2500, 0.01), Phase("multi", (1.0, 1.0, 1.0), 2500, 0.01))


def _train(networks: Networks) -> None:
    networks = networks.to(torch.float32)
    for phase in PHASES:
        data = draw_phase_data(ENVIRONMENT, phase, 0, 500, 500)
        train, test = (pattern_block(ENVIRONMENT, [ids], torch.float32) for ids in (data.train, data.test))
        networks, _ = descend(networks, train, test, phase.steps, phase.learning_rate)


def _vectors(networks: Networks, test: Tensor, train: Tensor, targets: Tensor) -> dict[str, float]:
    """CPU seconds a network for the leading singular vectors of its eNTKs, three ways."""
    block = 8
    kernels = entk(networks, test, train, targets)[0].transpose(0, 1).contiguous()
    many = kernels.repeat(block, 1, 1)

    def lanczos() -> None:
        for kernel in kernels.numpy():
            svds(kernel, k=1)

    methods = {
        "power iteration, matrix by matrix (ours)": lambda: leading_singular(kernels),
        f"power iteration, {block} networks at once": lambda: leading_singular(many, together=True),
        "ARPACK": lanczos,
    }
    seconds = cpu_seconds(methods, rounds=5)
    return {name: value / (block if "at once" in name else 1) for name, value in seconds.items()}


def bench_silhouette(console: Console) -> dict[str, Any]:
    """CPU seconds of every estimator alone, of all but `eig` together, and of 2 x 2,500 steps of training."""
    data = draw_phase_data(ENVIRONMENT, PHASES[0], 0, 500, 500)
    arrays = (encode(ENVIRONMENT, data.test)[0], *encode(ENVIRONMENT, data.train))
    test, train, targets = (torch.from_numpy(array) for array in arrays)
    networks = scaled(base_networks(ENVIRONMENT, 200, [0]), 10, "hidden")

    def measure(*names: str) -> dict[str, float]:
        return silhouettes(Start(networks, test, train, targets), names, Clustering())

    rest = tuple(name for name in ESTIMATORS if name != "eig")
    with threads(1):
        methods = {name: lambda name=name: measure(name) for name in ESTIMATORS}
        seconds = cpu_seconds(
            {**methods, "all but eig": lambda: measure(*rest), "training": lambda: _train(networks)}, rounds=3
        )
        vectors = _vectors(networks, test, train, targets)
    rows = [[name, f"{value:.3f}", f"{value / seconds['training']:.3f}"] for name, value in seconds.items()]
    title = "t = 0 measurement of one network, CPU, one thread"
    print_sheet(console, Sheet(title, ["what", "seconds", "share of LR-tuned training"], rows))
    lines = ", ".join(f"{name} {1e3 * value:.0f} ms" for name, value in vectors.items())
    console.print(f"Leading singular vectors of the nine eNTKs of a network, CPU: {lines}.", highlight=False)
    return {"seconds": seconds, "vectors": vectors, "share_of_training": seconds["all but eig"] / seconds["training"]}
