"""eNTK and NTK of any `torch.nn.Module` through torch.func: the oracle, and the door to other architectures.

Parameters with requires_grad=False are frozen and no part of the kernel. The module must treat samples independently
(no batch statistics).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, vmap

SampleLoss = Callable[[Tensor, Tensor], Tensor]


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Loss of one sample: squared error summed over its outputs."""
    return (outputs - targets).square().sum()


def _trainable(module: nn.Module) -> tuple[dict[str, Tensor], Callable[[dict[str, Tensor], Tensor], Tensor]]:
    parameters = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    frozen = {name: p.detach() for name, p in module.named_parameters() if not p.requires_grad} | dict(module.named_buffers())
    if not parameters:
        raise ValueError("the module has no trainable parameter, so it has no tangent kernel")

    def outputs(trained: dict[str, Tensor], sample: Tensor) -> Tensor:
        return functional_call(module, trained | frozen, (sample[None],))[0]

    return parameters, outputs


def jacobian(module: nn.Module, inputs: Tensor) -> Tensor:
    """d y_o(x_n) / d theta as (N, O, P), parameters in the order of `module.named_parameters()`."""
    parameters, outputs = _trainable(module)
    blocks = vmap(jacrev(outputs), in_dims=(None, 0))(parameters, inputs)
    return torch.cat([blocks[name].flatten(2) for name in parameters], dim=2)


def entk(
    module: nn.Module,
    test_inputs: Tensor,
    train_inputs: Tensor,
    train_targets: Tensor,
    loss: SampleLoss = squared_error,
    chunk: int = 64,
) -> Tensor:
    """E[n,o,m] = <d y_o(x_n)/d theta, d L_m/d theta> for a loss summed over samples.

    Args:
        module: maps (N, ...) to (N, O).
        loss: loss of one sample (its outputs, its target).
        chunk: test points whose Jacobian is in memory at once (chunk x O x P numbers).

    Returns:
        (N, O, M).

    Raises:
        ValueError: the module has no trainable parameter.
    """
    parameters, outputs = _trainable(module)

    def sample_loss(trained: dict[str, Tensor], sample: Tensor, target: Tensor) -> Tensor:
        return loss(outputs(trained, sample), target)

    gradients = vmap(grad(sample_loss), in_dims=(None, 0, 0))(parameters, train_inputs, train_targets)
    columns = torch.cat([gradients[name].flatten(1) for name in parameters], dim=1)
    return torch.cat([jacobian(module, part) @ columns.T for part in test_inputs.split(chunk)])


def ntk(module: nn.Module, test_inputs: Tensor, train_inputs: Tensor) -> Tensor:
    """K[n,o;m,k] = <d y_o(x_n)/d theta, d y_k(x_m)/d theta> as (N, O, M, O)."""
    return torch.einsum("nop,mkp->nomk", jacobian(module, test_inputs), jacobian(module, train_inputs))
