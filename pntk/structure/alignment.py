"""How alike two kernels are, how far a kernel has moved, and how well it fits what is to be learned.

Kernels here are symmetric (M, M) matrices over the same M patterns. None of these numbers changes when a kernel is scaled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def cosine(first: Array, second: Array) -> float:
    """<A, B>_F / (|A|_F |B|_F): 1 for kernels that agree but for scale; NaN where one of them is zero."""
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float((first * second).sum()) / size if size > 0 else float("nan")


def centred(kernel: Array) -> Array:
    """H K H with H = 1 - 11'/M: the kernel of features from which their mean over patterns is taken."""
    rows = kernel.mean(axis=1, keepdims=True)
    return kernel - rows - kernel.mean(axis=0, keepdims=True) + rows.mean()


def cka(first: Array, second: Array) -> float:
    """Centred kernel alignment: the cosine of the centred kernels (Cortes, Mohri and Rostamizadeh 2012; Kornblith et al.
    2019). A constant added to all features of a kernel's network does not count."""
    return cosine(centred(first), centred(second))


def target_alignment(kernel: Array, targets: Array) -> float:
    """Kernel-target alignment <K, YY'>_F / (|K|_F |YY'|_F); for one output that is A(K, y) = y'Ky / (|K|_F |y|^2).

    Args:
        targets: (M, R).

    Returns:
        1 for K = YY', the kernel that learns the targets in one step; 0 where the targets lie in its null space.
    """
    size = float(np.linalg.norm(kernel) * np.linalg.norm(targets.T @ targets))
    return float((targets * (kernel @ targets)).sum()) / size if size > 0 else float("nan")


def velocity(before: Array, after: Array, step_before: int, step_after: int) -> float:
    """Mean relative change of a kernel per unit of log(1 + step) between two steps of training:
    |K_after - K_before|_F / (|K_before|_F log((1 + step_after) / (1 + step_before))).

    Per logarithm, since training is recorded, and slows down, on that scale.
    """
    size = float(np.linalg.norm(before)) * float(np.log((1 + step_after) / (1 + step_before)))
    return float(np.linalg.norm(after - before)) / size if size > 0 else float("nan")
