"""What the processes of a Ray session take, watched from the driver that started it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import ray  # noqa: F401  brings its own psutil

import psutil  # type: ignore[import-untyped,unused-ignore]  # isort: skip

KINDS = {"gcs_server": "GCS", "raylet": "raylet", "ray::": "worker"}


@dataclass
class Watch:
    """Samples the driver and all its descendants until the `with` block ends.

    Attributes:
        megabytes: largest resident memory by kind of process: of one driver, one worker, and so on.
        cpu: CPU seconds by process, up to the last sample that saw it. kinds: what each of these processes was.
    """

    interval: float = 0.5
    megabytes: dict[str, float] = field(default_factory=dict)
    cpu: dict[tuple[int, float], float] = field(default_factory=dict)
    kinds: dict[tuple[int, float], str] = field(default_factory=dict)

    def __enter__(self) -> Watch:
        self._driver = psutil.Process()
        self._before = sum(self._driver.cpu_times()[:2])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._start = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.wall = time.monotonic() - self._start

    @property
    def cpu_seconds(self) -> float:
        """Of all processes together since the `with` block began."""
        return sum(self.cpu.values()) - self._before

    @property
    def cpu_by_kind(self) -> dict[str, float]:
        """The same by kind of process."""
        found = {"driver": -self._before}
        for process, seconds in self.cpu.items():
            found[self.kinds[process]] = found.get(self.kinds[process], 0.0) + seconds
        return found

    def _run(self) -> None:
        while not self._stop.wait(self.interval):
            for process in [self._driver, *self._driver.children(recursive=True)]:
                try:
                    self._look(process)
                except psutil.Error:
                    continue  # it has just ended

    def _look(self, process: Any) -> None:
        words = " ".join(process.cmdline())
        kind = "driver" if process.pid == self._driver.pid else "other"
        for mark, name in KINDS.items():
            if kind != "driver" and mark in words.split(" --")[0]:
                kind = name
                break
        self.megabytes[kind] = max(self.megabytes.get(kind, 0.0), process.memory_info().rss / 1e6)
        key = process.pid, process.create_time()
        self.cpu[key], self.kinds[key] = sum(process.cpu_times()[:2]), kind
