"""How many directions a kernel really has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def effective_rank(kernel: Array) -> float:
    """Effective rank of a symmetric positive semi-definite (M, M) kernel, see `entropy_rank`."""
    return entropy_rank(np.linalg.eigvalsh(kernel).clip(min=0))  # a zero may come out negative by rounding


def entropy_rank(values: Array) -> float:
    """exp of the entropy of non-negative eigenvalues or singular values as shares of their sum (Roy and Vetterli 2007).

    Args:
        values: (M,).

    Returns:
        between 1 (one direction) and M (all alike); NaN where all are zero. Scale does not matter.
    """
    if not values.sum() > 0:
        return float("nan")
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
