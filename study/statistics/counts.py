"""How many of n seeds, with what that says of others: a Wilson interval."""

from __future__ import annotations

import math

Z = 1.959963984540054


def wilson(count: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); (0, 1) without trials."""
    if n == 0:
        return 0.0, 1.0
    share, wide = count / n, Z * Z / n
    middle, half = share + wide / 2, math.sqrt(wide * share * (1 - share) + (wide / 2) ** 2)
    low, high = (middle - half) / (1 + wide), (middle + half) / (1 + wide)
    return (0.0 if count == 0 else low), (1.0 if count == n else high)


def count_of(count: int, n: int, things: str = "") -> str:
    """`81 of 100 pairs (95 % Wilson interval .72 to .87)`."""
    low, high = (f"{end:.2f}".replace("0.", ".", 1) for end in wilson(count, n))
    return f"{count} of {n}{f' {things}' if things else ''} (95 % Wilson interval {low} to {high})"
