"""Timing that holds on a noisy machine: CPU time on one thread, methods in turn, medians over rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median


def cpu_seconds(methods: Mapping[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """Median CPU seconds of each method over rounds in which all take their turn, after one warm-up of each."""
    times: dict[str, list[float]] = {name: [] for name in methods}
    for method in methods.values():
        method()
    for _ in range(rounds):
        for name, method in methods.items():
            start = time.process_time()
            method()
            times[name].append(time.process_time() - start)
    return {name: median(values) for name, values in times.items()}
