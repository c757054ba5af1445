"""Learning mode by mode in a two-layer linear network: the exact solution of Saxe, McClelland and Ganguli (2013).

With whitened inputs (X'X = c I), N examples, O outputs and the loss averaged over N x O entries, a start that is aligned
with the target's singular vectors keeps the modes apart, and the strength a of a mode with singular value s obeys

    da/dt = 2 rate a (s - a),   a(t) = s / (1 + (s / a(0) - 1) exp(-2 rate s t)),   rate = 2 c learning_rate / (N O)

with t in gradient steps, as long as steps are small (rate s << 1).
"""

from __future__ import annotations

import torch
from torch import Tensor


def mode_rate(learning_rate: float, gain: float, examples: int, outputs: int) -> float:
    """The rate of the equations above, per gradient step; `gain` is c in X'X = c I."""
    return 2 * gain * learning_rate / (examples * outputs)


def strengths(steps: Tensor, values: Tensor, start: Tensor, rate: float) -> Tensor:
    """Exact strengths of modes that start aligned.

    Args:
        steps: (K,) gradient steps.
        values: (M,) singular values of the target, positive.
        start: (B, M) strengths at step 0, above 0 and below the singular values.

    Returns:
        (B, K, M).
    """
    decay = torch.exp(-2 * rate * steps[:, None] * values)
    return values / (1 + (values / start - 1)[:, None] * decay)


def half_times(values: Tensor, start: Tensor, rate: float) -> Tensor:
    """Steps until a mode has half its singular value, (B, M): log(s / a(0) - 1) / (2 rate s); NaN where a(0) is 0."""
    times = torch.log(values / start - 1) / (2 * rate * values)
    return torch.where(start > 0, times, torch.nan)


def start_strengths(first: Tensor, second: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """The strength at which an aligned start would have to begin in order to learn when a small random one does.

    While weights are small, the hidden vectors u_i'W1 and W2 v_i of mode i pull each other along: their mean g_i grows as
    exp(rate s_i t) and their difference dies out. Once an earlier mode is learned it holds its hidden direction, so only
    the part of g_i that is orthogonal to the earlier ones counts: the strengths are the squared diagonal of R in the QR
    decomposition of (g_1, g_2, ...). Derived for this project; good for starts far below the singular values.

    Args:
        first: (B, I, H). second: (B, H, O).
        left: (B, I, M) and right: (B, O, M), singular vectors of the target, the largest first.

    Returns:
        (B, min(H, M)): a bottleneck of H units learns at most H modes.
    """
    pulled = (first.mT @ left + second @ right) / 2
    return torch.linalg.qr(pulled).R.diagonal(dim1=-2, dim2=-1).square()
