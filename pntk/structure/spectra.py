"""Leading singular vectors and eigenvectors of stacks of matrices."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import eigsh, svds
from torch import Tensor

Array = NDArray[np.float64]

# A power iteration that has not settled after this many rounds has its two largest singular values too close together:
# settling to TOLERANCE within them bounds the error of the vector by about five times TOLERANCE.
MOST_ROUNDS = 100
TOLERANCE = 1e-10


def leading_singular(matrices: Tensor, together: bool | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """The largest singular value of each matrix and its two vectors, by subspace iteration of one dimension.

    eNTKs have one singular value far above the others (about 20 times), so a handful of rounds settles them. On the CPU
    one matrix at a time stays in cache and beats both the whole stack as batched products and Lanczos (`python -m study
    bench silhouette` shows all three); elsewhere the whole stack advances at once (`tests/study/test_gpu.py`).
    A matrix that does not settle goes to ARPACK.

    Args:
        matrices: (K, N, M).
        together: the whole stack at once; by default off the CPU only.

    Returns:
        left (K, N), values (K,), right (K, M). A matrix of zeros gives zeros, one that is not finite gives NaN. Signs are
        as the iteration leaves them: nothing built on these vectors may depend on them.
    """
    if together is None:
        together = matrices.device.type != "cpu"
    stacks = [matrices] if together else list(matrices.split(1))
    parts = [_power_iteration(stack) for stack in stacks]
    left, values, right = (torch.cat(column) for column in zip(*parts, strict=True))
    return left, values, right


def _power_iteration(matrices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    start = torch.randn(matrices.shape[2], generator=torch.Generator().manual_seed(0), dtype=matrices.dtype)
    right = (start / start.norm()).to(matrices.device).expand(len(matrices), -1)
    tiny = torch.finfo(matrices.dtype).tiny
    for _ in range(MOST_ROUNDS):
        left = torch.bmm(matrices, right[:, :, None])[:, :, 0]
        left = left / left.norm(dim=1, keepdim=True).clamp_min(tiny)
        after = torch.bmm(left[:, None], matrices)[:, 0]
        values = after.norm(dim=1)
        after = after / values[:, None].clamp_min(tiny)
        moved = (after - right).norm(dim=1)
        right = after
        unsettled = moved > TOLERANCE  # never for NaN: no round will mend it
        if not unsettled.any():
            break
    for k in torch.nonzero(unsettled & (values > 0)).flatten().tolist():
        u, s, v = svds(matrices[k].cpu().numpy(), k=1, v0=np.ones(min(matrices.shape[1:])))
        left[k], values[k], right[k] = (torch.from_numpy(a.copy()).to(left) for a in (u[:, 0], s[0:1], v[0]))
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
