"""When losses are recorded, and the curves that come of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def recorded_steps(steps: int, records: int = 40) -> list[int]:
    """Log-spaced steps from 0 to `steps`, both included, without repetitions."""
    if steps == 0:
        return [0]
    return sorted({0, *np.unique(np.geomspace(1, steps, records).round().astype(int)).tolist()})


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
