"""Precision: how many pairs an interval of a given width needs, and what width a number of pairs gives. Power, the chance
that an interval excludes zero, is another question."""

from __future__ import annotations

import numpy as np

LEVEL_Z = 1.959963984540054
MOST_PAIRS = 10_000_000


def expected_width(r: float, pairs: int) -> float:
    """Width of the 95 % interval of a correlation r of `pairs` pair differences (Fisher's z; nan below 4 pairs)."""
    if pairs < 4:
        return float("nan")
    half = LEVEL_Z / np.sqrt(pairs - 3)
    return float(np.tanh(np.arctanh(r) + half) - np.tanh(np.arctanh(r) - half))


def pairs_needed(r: float, width: float) -> int:
    """The fewest pairs whose expected 95 % interval is at most `width` wide.

    Raises:
        ValueError: r is not between -1 and 1, or the width is not between 0 and 2.
    """
    if not -1 < r < 1:
        raise ValueError(f"--r = {r}: must be above -1 and below 1")
    if not 0 < width < 2:
        raise ValueError(f"--width = {width}: must be above 0 and below 2")
    low, high = 4, 8
    while expected_width(r, high) > width:
        low, high = high, high * 2
        if high > MOST_PAIRS:
            raise ValueError(f"--width = {width}: needs more than {MOST_PAIRS:,} pairs")
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if expected_width(r, middle) <= width else (middle + 1, high)
    return low
