"""Training that may be left in the middle and taken up again, without knowing where bookmarks are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pntk.network import Networks


@dataclass(frozen=True)
class Bookmark:
    """B networks in the middle, or at the end, of their training.

    Attributes:
        step: gradient steps done.
        networks: after them, in the precision of training.
        train, test: (B, k) losses at the recorded steps up to `step`.
    """

    step: int
    networks: Networks
    train: NDArray[np.float64]
    test: NDArray[np.float64]


@dataclass(frozen=True)
class Bookmarks:
    """Where training is left. What is taken up ends, bit for bit, where it would have ended undisturbed.

    Attributes:
        load: the bookmark of the networks that begin at this place of the block; None for none.
        due: whether it is time for another one.
        save: called with the place and the bookmark when one is due, and at the end of the training always.
    """

    load: Callable[[int], Bookmark | None]
    due: Callable[[], bool]
    save: Callable[[int, Bookmark], None]

    def of(self, index: int) -> Bookmarks:
        """The bookmarks of the network at this place of the block, trained as a block of its own."""
        return replace(
            self, load=lambda first: self.load(index + first), save=lambda first, mark: self.save(index + first, mark)
        )
