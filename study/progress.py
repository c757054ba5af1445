"""Live progress of a run: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

SECONDS_BETWEEN_LINES = 10.0


def duration(seconds: float) -> str:
    """Seconds as a person would say them: 42 s, 3 min 20 s, 2 h 05 min, 3.2 days."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole / 86400:.1f} days"


WINDOW = 180.0  # seconds whose speed the estimate takes
Samples = Sequence[tuple[float, float]]


def seconds_left(samples: Samples, total: float, window: float = WINDOW) -> float | None:
    """What is left at the speed of the last `window` seconds; None while nobody can tell.

    Args:
        samples: (time, work done) in order, the last one now.
    """
    now, done = samples[-1]
    then, before = next((sample for sample in samples if sample[0] >= now - window), samples[-1])
    if now - then <= 1 or done <= before:
        return None
    return (total - done) * (now - then) / (done - before)


def clock(now: datetime, left: float) -> str:
    """When it will be done, as a clock shows it; with the date if that is not today."""
    end = now + timedelta(seconds=left)
    return end.strftime("%H:%M" if end.date() == now.date() else "%Y-%m-%d %H:%M")


class LiveProgress:
    """Work done by all trials, in gradient steps, with an estimate of what is left from the speed of the last minutes."""

    def __init__(self, console: Console, work: int, networks: int) -> None:
        self.console, self.work, self.networks = console, max(work, 1), networks
        self.done_networks = 0
        self._of_trial: dict[str, int] = {}
        self._start = self._last_line = time.monotonic()
        self._samples: list[tuple[float, float]] = []
        self._bar: Progress | None = None
        self._closed = False
        if console.is_terminal:
            columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self._bar = Progress(*columns, console=console)
            self._bar.add_task("starting Ray", total=self.work)
            self._bar.start()

    def update(self, trial: str, work: int, networks: int = 0) -> None:
        """A trial has done this much work so far, and finished this many networks just now."""
        self._of_trial[trial] = max(work, self._of_trial.get(trial, 0))
        self.done_networks += networks
        now = time.monotonic()
        if not self._samples or now - self._samples[-1][0] >= 1:  # Ray's start says nothing about the speed of the work
            self._samples = [sample for sample in self._samples if sample[0] >= now - 2 * WINDOW]
            self._samples.append((now, float(sum(self._of_trial.values()))))
        self._show()

    def _text(self) -> str:
        done = sum(self._of_trial.values())
        known = seconds_left(self._samples, self.work) if self._samples else None
        left = "estimating what is left"
        if known is not None:
            left = f"{duration(known)} left, done about {clock(datetime.now(), known)}"
        return f"{self.done_networks} of {self.networks} networks, {min(done / self.work, 1):.0%} of the work, {left}"

    def _show(self) -> None:
        if self._closed:  # a signal's last line is printed by another thread, and stays the last
            return
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=sum(self._of_trial.values()), description=self._text())
        elif time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            elapsed = duration(time.monotonic() - self._start)
            self.console.print(f"{self._text()} ({elapsed} so far)", highlight=False)

    def close(self) -> None:
        self._closed = True
        if self._bar is not None:
            self._bar.stop()
