"""What is learned when: half-times, plateaus, the mode that leads a kernel, switches, and drops of the loss.

Modes are numbered from 1, the largest singular value first. Curves have the recorded steps on their last axis but one or
last, as said; a time that never came is NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Steps = NDArray[np.int64]

ONSET, HALF = 0.1, 0.5  # how much of a tier the loss has lost when its drop begins, and when it is half done


def crossing(steps: Steps, curve: Array, level: float) -> float:
    """When a curve (K,) first reaches a level from below, interpolated; NaN where it never does."""
    reached = np.flatnonzero(curve >= level)
    if not len(reached):
        return float("nan")
    k = int(reached[0])
    if k == 0:
        return float(steps[0])
    part = (level - curve[k - 1]) / (curve[k] - curve[k - 1])
    return float(steps[k - 1] + part * (steps[k] - steps[k - 1]))


def half_times(steps: Steps, strengths: Array, values: Array) -> Array:
    """When each mode has half its singular value, (M,), from strengths (K, M) and singular values (M,)."""
    return np.array([crossing(steps, curve, value / 2) for curve, value in zip(strengths.T, values, strict=True)])


def drops(steps: Steps, loss: Array, values: Array, part: float, first_level: float) -> Array:
    """When the loss has lost a part of each tier, (M,).

    With the first i modes learned the loss stands at the sum of the squares of the others: tier i lies between two such
    levels.

    Args:
        loss: (K,) as recorded.
        part: of the tier's height, see ONSET and HALF.
        first_level: the loss with nothing learned, which sets the scale of the tiers.
    """
    left = np.append(np.cumsum(values[::-1] ** 2)[::-1], 0.0)  # with 0, 1, ... modes learned
    levels = (left[:-1] - part * (left[:-1] - left[1:])) * first_level / left[0]
    return np.array([crossing(steps, -loss, -level) for level in levels])


def leading(cosines: Array) -> Steps:
    """The mode that a vector is closest to: (..., M) cosines to (...) numbers from 1."""
    return np.asarray(cosines.argmax(axis=-1) + 1)


def plateau_step(half: Array, mode: int, part: float) -> float:
    """A part of the way along the plateau before a mode is learned: from the half-time of the mode before it (step 0 for
    the first) to its own."""
    start = 0.0 if mode == 1 else half[mode - 2]
    return float(start + part * (half[mode - 1] - start))


def at(steps: Steps, step: float) -> int | None:
    """The last record at or before a step; None where the step never came."""
    return None if np.isnan(step) else int(np.searchsorted(steps, step, side="right") - 1)


def switch(steps: Steps, leads: Steps, half: Array, mode: int) -> float:
    """The first recorded step at which a mode leads, from the half-time of the mode before it on; NaN if none."""
    before = half[mode - 2] if mode > 1 else 0.0
    if np.isnan(before):
        return float("nan")
    led = steps[(steps >= before) & (leads == mode)]
    return float(led[0]) if len(led) else float("nan")


def secondary_pattern(steps: Steps, primary: Steps, secondary: Steps, half: Array, mode: int) -> dict[str, float]:
    """What the second singular vector does where the first one switches to a mode (source study, Fig. 4).

    Args:
        primary, secondary: (K,) leading modes of the two vectors.
        mode: the one that the first vector switches to, at least 2.

    Returns:
        1 or 0 each, NaN without a switch:
        pattern: over the stretch that the mode before led, the second vector was mostly at `mode`; over the stretch that
            `mode` leads, it is mostly at the mode after it. The source study's statement.
        at_once: the same of the last record before the switch and the first one after it.
        swap: at the first record the second vector takes over the mode that the first one leaves.
        delay: not 1 or 0 but the steps from the switch until the second vector first leads with the mode after `mode`.
    """
    nothing = dict.fromkeys(("pattern", "at_once", "swap", "delay"), float("nan"))
    when = switch(steps, primary, half, mode)
    if np.isnan(when):
        return nothing
    k = int(np.searchsorted(steps, when))
    before = _stretch(primary, k - 1, -1)
    after = _stretch(primary, k, 1)
    if not len(before) or primary[before[0]] != mode - 1:
        return nothing
    reached = steps[k:][secondary[k:] == mode + 1]
    mostly = [_most(secondary[stretch]) for stretch in (before, after)]
    return {
        "pattern": float(mostly == [mode, mode + 1]),
        "at_once": float((secondary[k - 1], secondary[k]) == (mode, mode + 1)),
        "swap": float((secondary[k - 1], secondary[k]) == (mode, mode - 1)),
        "delay": float(reached[0]) - when if len(reached) else float("nan"),
    }


def _stretch(leads: Steps, start: int, direction: int) -> Steps:
    """Records from `start` on in a direction while the same mode leads."""
    k = start
    while 0 <= k < len(leads) and leads[k] == leads[start]:
        k += direction
    return np.arange(start, k, direction) if 0 <= start < len(leads) else np.arange(0)


def _most(leads: Steps) -> int:
    return int(np.bincount(leads).argmax())
