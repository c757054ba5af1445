"""Leading singular vectors and eigenvectors of stacks of matrices."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import eigsh, svds

Array = NDArray[np.float64]
Side = Literal["left", "right"]


def leading_singular(matrices: Array) -> tuple[Array, Array, Array]:
    """The largest singular value of each matrix and its two vectors, by Lanczos iteration (ARPACK).

    Args:
        matrices: (K, N, M).

    Returns:
        left (K, N), values (K,), right (K, M). A matrix of zeros gives zeros. Signs are as the iteration leaves them:
        nothing built on these vectors may depend on them.
    """
    left, values, right = np.zeros(matrices.shape[:2]), np.zeros(len(matrices)), np.zeros(matrices.shape[::2])
    for k, matrix in enumerate(matrices):
        if matrix.any():
            start = np.ones(min(matrix.shape))
            u, s, v = svds(matrix, k=1, v0=start)
            left[k], values[k], right[k] = u[:, 0], s[0], v[0]
    return left, values, right


def leading_eigenvectors(matrix: Array, count: int) -> Array:
    """The eigenvectors of the `count` largest eigenvalues of a symmetric (N, N) matrix, (N, count), largest first."""
    if not matrix.any():
        return np.zeros((len(matrix), count))
    _, vectors = eigsh(matrix, k=count, which="LA", v0=np.ones(len(matrix)))
    return np.asarray(vectors[:, ::-1])


def unsorted_first_eigenvector(matrix: Array) -> Array:
    """Column 0 of an unsorted full eigendecomposition, real part, as the source study's scripts take it, (N,).

    LAPACK promises no order, so this need not belong to the largest eigenvalue. A full decomposition: slow.
    """
    return np.asarray(np.linalg.eig(matrix)[1][:, 0].real)
