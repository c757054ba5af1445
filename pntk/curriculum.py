"""Curricula as data: what is trained, for how long, in which order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """One phase of training.

    Attributes:
        name: names the data streams and the result columns; two curricula that share a phase name share its data.
        task_counts: relative frequencies of 1, 2, 3, ... simultaneous tasks.
        steps: gradient steps of one turn of the phase.
        learning_rate: multiplies the gradient of the squared error SUMMED over patterns and outputs.
        batch_size: patterns per step; None is full batch.
    """

    name: str
    task_counts: tuple[float, ...]
    steps: int
    learning_rate: float
    batch_size: int | None = None


@dataclass(frozen=True)
class Curriculum:
    """Phases in order, the whole list repeated `cycles` times (more than one makes an interleaved curriculum)."""

    phases: tuple[Phase, ...]
    cycles: int = 1

    @property
    def turns(self) -> tuple[Phase, ...]:
        """The phases in the order in which they are trained."""
        return self.phases * self.cycles

    @property
    def steps(self) -> int:
        return sum(phase.steps for phase in self.turns)
