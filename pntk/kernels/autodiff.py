"""eNTK and NTK of any `torch.nn.Module` through torch.func: the oracle, and the door to other architectures.

Parameters with requires_grad=False are frozen and no part of the kernel; shared ones count once, with the sum of their
gradients. The module must treat samples independently (no batch statistics) and give the same outputs at every call:
`pntk.kernels.module_check` refuses others. Its outputs may have any shape after the axis of samples: (N,) is one output,
(N, L, V) are L x V of them, in the order of `flatten`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev

from pntk.kernels.module_check import check_kind, check_outputs, mapped, one_tensor

SampleLoss = Callable[[Tensor, Tensor], Tensor]
SampleOutputs = Callable[[Mapping[str, Tensor], Tensor], Tensor]


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Loss of one sample: squared error summed over its outputs.

    Raises:
        ValueError: targets of another shape, such as class numbers, which would be stretched over the outputs.
    """
    if outputs.shape != targets.shape and not outputs.numel() == targets.numel() == 1:
        raise ValueError(
            f"targets of a sample have shape {tuple(targets.shape)}, its outputs {tuple(outputs.shape)}: the squared error "
            "needs the same; for class numbers give a loss that takes them, such as loss=torch.nn.functional.cross_entropy"
        )
    return (outputs - targets.reshape(outputs.shape).to(outputs.dtype)).square().sum()


def trainable(module: nn.Module, inputs: Tensor) -> tuple[dict[str, Tensor], SampleOutputs]:
    """The parameters that are differentiated, and the outputs of one sample under them, in the module's own shape.

    Raises:
        ValueError: no trainable parameter, or a module that has no tangent kernel at these inputs.
    """
    check_kind(module)
    parameters = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    frozen = {name: p.detach() for name, p in module.named_parameters() if not p.requires_grad} | dict(module.named_buffers())
    if not parameters:
        raise ValueError("the module has no trainable parameter, so it has no tangent kernel")

    def outputs(trained: Mapping[str, Tensor], sample: Tensor) -> Tensor:
        return one_tensor(functional_call(module, {**trained, **frozen}, (sample[None],)))[0]

    check_outputs(module, {**parameters, **frozen}, outputs, inputs)
    return parameters, outputs


def flat(outputs: SampleOutputs) -> SampleOutputs:
    """The same outputs as a vector (O,)."""
    return lambda trained, sample: outputs(trained, sample).reshape(-1)


def sample_gradients(
    parameters: Mapping[str, Tensor], outputs: SampleOutputs, loss: SampleLoss, inputs: Tensor, targets: Tensor
) -> Callable[[Mapping[str, Tensor], Tensor], dict[str, Tensor]]:
    """d (count x loss) / d theta of every sample, as a function of the parameters and of counts (M,).

    Raises:
        ValueError: inputs and targets of different lengths, or a loss that does not take them or gives more than a number.
    """
    if not isinstance(targets, Tensor) or targets.dim() == 0 or len(targets) != len(inputs):
        what = f"shape {tuple(targets.shape)}" if isinstance(targets, Tensor) else type(targets).__name__
        raise ValueError(f"targets must be a tensor with one row for each of {len(inputs)} training samples; got {what}")

    def sample_loss(trained: Mapping[str, Tensor], sample: Tensor, target: Tensor, count: Tensor) -> Tensor:
        found = loss(outputs(trained, sample), target)
        if not isinstance(found, Tensor) or found.numel() != 1:
            what = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(f"the loss of a sample must be one number, got {what}; sum over its outputs")
        return count * found.reshape(())

    with torch.no_grad():
        shown = outputs(parameters, inputs[0])
        try:
            sample_loss(parameters, inputs[0], targets[0], shown.new_ones(()))
        except ValueError:
            raise
        except Exception as error:
            said = " ".join(str(error).split())[:200]
            shapes = f"outputs {tuple(shown.shape)} and a target {tuple(targets.shape[1:])} of {targets.dtype}"
            raise ValueError(f"the loss does not take a sample's {shapes} ({type(error).__name__}: {said})") from error
    return lambda trained, counts: mapped(grad(sample_loss), trained, inputs, targets, counts)


def jacobian_at(parameters: Mapping[str, Tensor], outputs: SampleOutputs, inputs: Tensor) -> Tensor:
    """`jacobian` at given parameters, of outputs as `trainable` returns them."""
    whole, by_one = jacrev(flat(outputs)), jacrev(flat(outputs), chunk_size=1)

    def one(trained: Mapping[str, Tensor], sample: Tensor) -> dict[str, Tensor]:
        try:
            return whole(trained, sample)
        except (RuntimeError, NotImplementedError):  # a layer has no rule for several directions at once
            return by_one(trained, sample)

    blocks = mapped(one, parameters, inputs)
    return torch.cat([blocks[name].flatten(2) for name in parameters], dim=2)


def jacobian(module: nn.Module, inputs: Tensor) -> Tensor:
    """d y_o(x_n) / d theta as (N, O, P), parameters in the order of `module.named_parameters()`.

    Raises:
        ValueError: see `trainable`.
    """
    return jacobian_at(*trainable(module, inputs), inputs)


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
        module: maps (N, ...) to (N, ...); O is the number of outputs of a sample.
        train_targets: (M, ...) in whatever form the loss takes; the default takes the shape of the outputs.
        loss: loss of one sample (its outputs in the module's own shape, its target).
        chunk: test points whose Jacobian is in memory at once (chunk x O x P numbers).

    Returns:
        (N, O, M).

    Raises:
        ValueError: see `trainable`; targets that the loss does not take.
    """
    if chunk < 1:
        raise ValueError(f"chunk = {chunk}: must be at least 1")
    parameters, outputs = trainable(module, train_inputs)
    check_outputs(module, {**dict(module.named_buffers()), **dict(module.named_parameters())}, outputs, test_inputs)
    gradients = sample_gradients(parameters, outputs, loss, train_inputs, train_targets)
    found = gradients(parameters, next(iter(parameters.values())).new_ones(len(train_inputs)))
    columns = torch.cat([found[name].flatten(1) for name in parameters], dim=1)
    return torch.cat([jacobian_at(parameters, outputs, part) @ columns.T for part in test_inputs.split(chunk)])


def ntk(module: nn.Module, test_inputs: Tensor, train_inputs: Tensor) -> Tensor:
    """K[n,o;m,k] = <d y_o(x_n)/d theta, d y_k(x_m)/d theta> as (N, O, M, O).

    Raises:
        ValueError: see `trainable`.
    """
    return torch.einsum("nop,mkp->nomk", jacobian(module, test_inputs), jacobian(module, train_inputs))
