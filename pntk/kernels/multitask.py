"""eNTK and NTK of the multitask network in closed form: matrix products only, no Jacobian in memory.

With stimulus inputs x1, task inputs x2, hidden activity h, its slope d = h (1 - h), outputs y with slope s = y (1 - y),
Gram matrices G1 = x1 x1', G2 = x2 x2', Gh = h h', and loss sensitivity eps = dL/dy = 2 (y - target):

    K[n,o;m,k] = s_no s_mk { delta_ok (Gh + G2)_nm + (G1 + G2)_nm sum_j V1_jo V1_jk d_nj d_mj }
    E[n,o,m]   = sum_k K[n,o;m,k] eps_mk
               = s_no { (Gh + G2)_nm s_mo eps_mo + (G1 + G2)_nm sum_j d_nj V1_jo b_mj },   b = d * ((s eps) V1')

so that gradient flow on the summed squared error obeys dy_no/dt = -sum_m E[n,o,m] (source study, eqs. 5 and 6; the sum
over outputs k makes the loss gradient run over all outputs). Use this for the multitask network and
`pntk.kernels.autodiff` for any other architecture: both agree to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pntk.network import Networks, forward


@dataclass(frozen=True)
class _Side:
    stimuli: Tensor  # (B, N, S)
    tasks: Tensor  # (B, N, T)
    hidden: Tensor  # (B, N, H)
    hidden_slope: Tensor  # (B, N, H)
    outputs: Tensor  # (B, N, R)
    slope: Tensor  # (B, N, R)


def _side(networks: Networks, inputs: Tensor) -> _Side:
    inputs = inputs.to(networks.W1).expand(len(networks), *inputs.shape[-2:])
    hidden, outputs = forward(networks, inputs)
    split = networks.W1.shape[1]
    return _Side(inputs[..., :split], inputs[..., split:], hidden, hidden * (1 - hidden), outputs, outputs * (1 - outputs))


def _grams(rows: _Side, columns: _Side) -> tuple[Tensor, Tensor]:
    """Gh + G2 and G1 + G2, each (B, N, 1, M)."""
    tasks = rows.tasks @ columns.tasks.mT
    readout = rows.hidden @ columns.hidden.mT + tasks
    return readout[:, :, None], (rows.stimuli @ columns.stimuli.mT + tasks)[:, :, None]


def _through_hidden(networks: Networks, rows: _Side) -> Tensor:
    """d_nj V1_jo as (B, N * R, H): the rows of one product that serves all outputs."""
    through = rows.hidden_slope[:, :, None, :] * networks.V1.mT[:, None]
    return through.flatten(1, 2)


def entk(networks: Networks, test_inputs: Tensor, train_inputs: Tensor, train_targets: Tensor) -> Tensor:
    """E[n,o,m]: how much training pattern m pushes output o of test pattern n, negated, per unit of gradient-flow time.

    Args:
        networks: B networks; computed in their dtype (float64 for measurements).
        test_inputs: (B, N, S + T), or (N, S + T) shared by the block. Give the training inputs for the train x train kernel.
        train_inputs: (B, M, S + T) or (M, S + T).
        train_targets: (B, M, R) or (M, R).

    Returns:
        (B, N, R, M). Cost N M H R per network; memory N M R.
    """
    rows, columns = _side(networks, test_inputs), _side(networks, train_inputs)
    readout, reading = _grams(rows, columns)
    delta = columns.slope * 2 * (columns.outputs - train_targets.to(networks.W1))  # s eps, (B, M, R)
    arriving = columns.hidden_slope * (delta @ networks.V1.mT)  # b, (B, M, H)
    kernel = (_through_hidden(networks, rows) @ arriving.mT).unflatten(1, rows.slope.shape[1:])
    kernel *= reading
    kernel.addcmul_(readout, delta.mT[:, None])
    kernel *= rows.slope[..., None]
    return kernel


def ntk_diagonal(networks: Networks, test_inputs: Tensor, train_inputs: Tensor) -> Tensor:
    """K[n,o;m,o], the unweighted NTK of each output with itself.

    Returns:
        (B, N, R, M); symmetric in n and m where test and training inputs are the same.
    """
    rows, columns = _side(networks, test_inputs), _side(networks, train_inputs)
    readout, reading = _grams(rows, columns)
    squared = rows.hidden_slope[:, :, None, :] * networks.V1.mT.square()[:, None]
    kernel = (squared.flatten(1, 2) @ columns.hidden_slope.mT).unflatten(1, rows.slope.shape[1:])
    kernel *= reading
    kernel += readout
    kernel *= rows.slope[..., None]
    kernel *= columns.slope.mT[:, None]
    return kernel


def output_velocity(networks: Networks, test_inputs: Tensor, train_inputs: Tensor, train_targets: Tensor) -> Tensor:
    """dy/dt of gradient flow at the test points, (B, N, R): minus the sum of E over training patterns."""
    return -entk(networks, test_inputs, train_inputs, train_targets).sum(dim=-1)
