"""A fixed number of threads: networks this small run fastest on one, and sums do not depend on the machine's cores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


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
