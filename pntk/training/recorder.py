"""When losses are recorded, the curves that come of it, and stops to look at networks in training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pntk.network import Networks

Visit = Callable[[int, int, Networks], None]


def recorded_steps(steps: int, records: int = 40) -> list[int]:
    """Log-spaced steps from 0 to `steps`, both included, without repetitions."""
    if steps == 0:
        return [0]
    return sorted({0, *np.unique(np.geomspace(1, steps, records).round().astype(int)).tolist()})


@dataclass(frozen=True)
class Visits:
    """Steps at which networks in training are shown to a function. Training is the same, bit for bit, without them.

    Attributes:
        steps: from 0 (before the first step) to the number of steps of the training.
        visit: called with the place in the block of the first network that is shown, the step, and a copy of the networks.
            On the CPU networks are trained, and so shown, one after another.
    """

    steps: tuple[int, ...]
    visit: Visit

    def of(self, index: int) -> Visits:
        """The visits of the network at this place of the block, trained as a block of its own."""
        return replace(self, visit=lambda first, step, networks: self.visit(index + first, step, networks))


def stops(steps: int, recorded: list[int], visits: Visits | None) -> list[int]:
    """All steps at which something is recorded or visited, ascending.

    Raises:
        ValueError: a visit before the first or after the last step.
    """
    visited = visits.steps if visits is not None else ()
    if visited and not 0 <= min(visited) <= max(visited) <= steps:
        raise ValueError(f"visits must be at steps 0 to {steps}, got {min(visited)} to {max(visited)}")
    return sorted({*recorded, *visited})


@dataclass(frozen=True)
class Curves:
    """Losses of B networks at K recorded steps: squared error averaged over patterns and outputs.

    Attributes:
        steps: (K,) gradient steps done.
        train: (B, K) loss on the training patterns.
        test: (B, K) loss on the test patterns.
    """

    steps: NDArray[np.int64]
    train: NDArray[np.float64]
    test: NDArray[np.float64]

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """(B,) networks with a loss that is not finite, or a final training loss above the first one.

        Outputs are bounded, so a network whose steps are too large often saturates instead of overflowing; ending
        above where it began is the sign of that.
        """
        finite = np.isfinite(self.train).all(axis=1) & np.isfinite(self.test).all(axis=1)
        return ~finite | (self.train[:, -1] > self.train[:, 0])
