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

# Arnoldi's method for a dominant eigenvector. A residual of SETTLED (relative) is rounding; the next eigenvalue need only
# be known well enough to see that it is clearly smaller.
MOST_PRODUCTS, PRODUCTS_BETWEEN_LOOKS = 60, 5
SETTLED, SETTLED_NEXT = 1e-14, 1e-2
CLEARLY_LESS = 0.8


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

    LAPACK promises no order, so this need not belong to the largest eigenvalue. Where it plainly does, as for almost
    every eNTK, that one vector is computed alone (`dominant_eigenvector`); else by a full decomposition, which is slow.
    The sign is arbitrary either way.
    """
    alone = dominant_eigenvector(matrix)
    return alone if alone is not None else np.asarray(np.linalg.eig(matrix)[1][:, 0].real)


def dominant_eigenvector(matrix: Array) -> Array | None:
    """Column 0 of `numpy.linalg.eig` of a square matrix, real part, without the other columns; None where it may be another.

    LAPACK finds the small eigenvalues of a full matrix first and puts them last: column 0 is of the largest eigenvalue
    unless that is hardly larger than the next, or zeros let LAPACK split the matrix. `python -m study bench first` counts
    how often that holds. The vector is found by Arnoldi's method, which settles in some 15 products on an eNTK, and scaled as
    LAPACK does: to length one, and of a complex pair the entry largest in size to be real.
    """
    if not (np.isfinite(matrix).all() and matrix.all()):
        return None
    size = len(matrix)
    most = min(MOST_PRODUCTS, size - 1)
    basis, projected = np.zeros((most + 1, size)), np.zeros((most + 1, most))
    start = np.random.default_rng(0).normal(size=size)
    basis[0] = start / np.linalg.norm(start)
    for step in range(most):
        grown = matrix @ basis[step]
        for _ in range(2):  # twice is enough for directions at right angles to rounding
            along = basis[: step + 1] @ grown
            grown -= along @ basis[: step + 1]
            projected[: step + 1, step] += along
        left = projected[step + 1, step] = np.linalg.norm(grown)
        if left == 0:
            return None
        basis[step + 1] = grown / left
        if step % PRODUCTS_BETWEEN_LOOKS == PRODUCTS_BETWEEN_LOOKS - 1:
            values, vectors = np.linalg.eig(projected[: step + 1, : step + 1])
            order = np.argsort(-np.abs(values), kind="stable")
            largest = abs(values[order[0]])
            next_one = order[2 if values[order[0]].imag else 1]
            off = left * np.abs(vectors[-1]) / largest if largest else np.full(step + 1, np.inf)
            if off[order[0]] <= SETTLED and off[next_one] <= SETTLED_NEXT:
                found = vectors[:, order[0]] @ basis[: step + 1]
                return _as_lapack(found) if abs(values[next_one]) <= CLEARLY_LESS * largest else None
    return None


def _as_lapack(vector: NDArray[np.complex128] | Array) -> Array | None:
    """The real part after scaling, with the largest entry positive; None where entries equally large differ in phase."""
    sizes = np.abs(vector)
    largest = int(sizes.argmax())
    turned = vector * (vector[largest].conj() / sizes[largest] / np.linalg.norm(vector))
    real = np.asarray(turned.real)
    if np.iscomplexobj(vector) and (np.abs(turned.imag[sizes > sizes[largest] * (1 - 1e-9)]) > 1e-9 * real[largest]).any():
        return None
    return real
