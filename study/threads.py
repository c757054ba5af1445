"""What a trial runs on: a fixed number of threads, and a device that is there.

Networks this small run fastest on one thread, and sums of several depend on how many there are.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

from study.sweep import SweepError


@contextmanager
def threads(count: int = 1) -> Iterator[None]:
    """Limit torch and the BLAS and OpenMP behind numpy and scikit-learn to `count` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        torch.set_num_threads(before)


def device_of(gpus: float) -> str:
    """The device of a trial that asks for so many GPUs: `cuda`, or `cpu` for none.

    Raises:
        SweepError: a GPU is asked for, and torch finds none here. A CPU in its place would give other numbers.
    """
    if gpus and not torch.cuda.is_available():
        raise SweepError(f"compute.gpus_per_trial = {gpus:g}: torch finds no CUDA device on {socket.gethostname()}")
    return "cuda" if gpus else "cpu"


def device_name(device: str) -> str:
    """What a device is called in rows: `cpu`, or the name of the GPU."""
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else torch.device(device).type
