"""Averages over a segment between two points in weight space: rules by name, and a number of nodes fitted to a tolerance.

The Jacobian of the outputs changes along a gradient step. A rule evaluates it at `nodes` (0 is where the step starts, 1
where it ends) and averages with `weights`. Relative error per step of relative size D, for smooth networks:

    euler       D       one node at the start; what the source study does. For comparison only.
    midpoint    D^2     one node; exact in two-layer linear networks. The cheapest that is of any use.
    trapezoid   D^2     two nodes; twice the error of midpoint. For comparison.
    simpson     D^4     three nodes.
    gauss<k>    D^2k    k nodes, k from 1 to 64; gauss1 is midpoint. Always better than the others at equal cost.
    adaptive    -       as many Gauss nodes as the tolerance needs, found anew along the way. The default: large steps early
                        in training need more nodes than small ones later, and nobody has to know how many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

ADAPTIVE = "adaptive"
MOST_NODES = 64
LADDER = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, MOST_NODES)
# Every so many segments a smaller number of nodes gets a chance.
PATIENCE = 16

Found = TypeVar("Found")


@dataclass(frozen=True)
class Rule:
    """Nodes on [0, 1] and their weights, which sum to 1."""

    nodes: tuple[float, ...]
    weights: tuple[float, ...]


_NAMED = {
    "euler": Rule((0.0,), (1.0,)),
    "midpoint": Rule((0.5,), (1.0,)),
    "trapezoid": Rule((0.0, 1.0), (0.5, 0.5)),
    "simpson": Rule((0.0, 0.5, 1.0), (1 / 6, 4 / 6, 1 / 6)),
}


@lru_cache(maxsize=MOST_NODES)
def gauss(count: int) -> Rule:
    """Gauss-Legendre with `count` nodes."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return Rule(tuple(((nodes + 1) / 2).tolist()), tuple((weights / 2).tolist()))


def rule(name: str) -> Rule:
    """The rule of a name (see the module's table; "adaptive" is no single rule).

    Raises:
        ValueError: no rule has this name.
    """
    if name in _NAMED:
        return _NAMED[name]
    count = name.removeprefix("gauss")
    if name.startswith("gauss") and count.isdecimal() and 1 <= int(count) <= MOST_NODES:
        return gauss(int(count))
    raise ValueError(f"rule = {name!r}: allowed: {ADAPTIVE}, {', '.join(_NAMED)}, gauss1 to gauss{MOST_NODES}")


class NodeChoice:
    """Decides segment by segment which rule is used, and counts its choices.

    Attributes:
        used: number of segments by number of nodes.
    """

    def __init__(self, name: str = ADAPTIVE) -> None:
        self._fixed = None if name == ADAPTIVE else rule(name)
        self._rung = LADDER.index(3)
        self._segments = 0
        self.used: Counter[int] = Counter()

    def settle(self, evaluate: Callable[[Rule], tuple[float, Found]]) -> Found:
        """Evaluate rules until one is good enough.

        Args:
            evaluate: gives, for a rule, its error as a multiple of what is allowed (NaN, for a diverged network, is let
                pass: no rule can help) and whatever was computed along with it.

        Returns:
            what came with the accepted rule: a fixed rule is always accepted, and so is the largest number of nodes.
        """
        if self._fixed is not None:
            self.used[len(self._fixed.nodes)] += 1
            return evaluate(self._fixed)[1]
        self._segments += 1
        if self._segments % PATIENCE == 0:
            self._rung = max(self._rung - 1, 0)
        while True:
            excess, found = evaluate(gauss(LADDER[self._rung]))
            if not excess > 1 or self._rung == len(LADDER) - 1:
                break
            self._rung += 1
        self.used[LADDER[self._rung]] += 1
        return found
