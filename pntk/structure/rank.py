"""How many directions a kernel really has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def effective_rank(kernel: Array) -> float:
    """exp of the entropy of the eigenvalues as shares of their sum (Roy and Vetterli 2007), of a symmetric positive
    semi-definite (M, M) kernel.

    Returns:
        between 1 (one direction) and M (the identity); NaN for a kernel of zeros. Scale does not matter.
    """
    values = np.linalg.eigvalsh(kernel).clip(min=0)  # a zero may come out negative by rounding
    if not values.sum() > 0:
        return float("nan")
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
