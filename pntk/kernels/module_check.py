"""Is a module one whose tangent kernel means something? Each sample by itself, the same outputs at every call, one tensor.

What torch would refuse deep inside its transforms, or take in silence and compute something else from, is refused here in
one line that says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

_BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)
_BY_CHANCE = (nn.modules.dropout._DropoutNd, nn.RReLU)
_WITH_DROPOUT = (nn.RNNBase, nn.MultiheadAttention)  # which drop units by an option of their own
_HALF = 0.5  # of a number type's digits: how far rounding may carry outputs of a batch from those of its samples


def check_kind(module: nn.Module) -> None:
    """Refuse layers that make outputs a matter of chance or of the other samples.

    Raises:
        ValueError: names the layer; also parameters that do not exist yet or are complex.
    """
    if not isinstance(module, nn.Module):
        raise ValueError(f"must be a torch.nn.Module, got {type(module).__name__}")
    for name, part in module.named_modules():
        what = f"{name or 'the module'} ({type(part).__name__})"
        if isinstance(part, _BATCH_NORMS) and part.running_mean is None:
            raise ValueError(f"{what} normalises over the batch even in evaluation mode, so samples are not independent")
        if not part.training:
            continue
        if isinstance(part, (*_BATCH_NORMS, nn.modules.instancenorm._InstanceNorm)) and part.track_running_stats:
            raise ValueError(f"{what} is in training mode, where it counts over the batch; call module.eval() first")
        chance = part.p if isinstance(part, nn.modules.dropout._DropoutNd) else 1.0
        if (isinstance(part, _BY_CHANCE) and chance > 0) or (isinstance(part, _WITH_DROPOUT) and part.dropout > 0):
            raise ValueError(f"{what} is in training mode, where it draws at random; call module.eval() first")
    for name, parameter in module.named_parameters():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise ValueError(f"the parameter {name} has no shape yet; run the module on a batch first")
        if parameter.requires_grad and not parameter.is_floating_point():
            raise ValueError(f"the parameter {name} is {parameter.dtype}; only real floating-point parameters are supported")


def one_tensor(found: object) -> Tensor:
    """What a module has returned, if it is a tensor of real numbers, samples first.

    Raises:
        ValueError: says what it is, and how to make it one.
    """
    if isinstance(found, Mapping):
        keys = ", ".join(map(repr, found))
        key = next((key for key in found if isinstance(found[key], Tensor)), "logits")
        raise ValueError(
            f"the module returns a dict ({keys}), not one tensor; wrap it in a module whose forward returns one of them, "
            f"such as network(x)[{key!r}]"
        )
    if not isinstance(found, Tensor):
        what = f"{type(found).__name__} of {len(found)}" if isinstance(found, tuple | list) else type(found).__name__
        raise ValueError(f"the module returns a {what}, not one tensor; wrap it in a module whose forward returns one")
    if not found.is_floating_point():
        raise ValueError(f"the module returns {found.dtype}; only real floating-point outputs have a tangent kernel")
    return found


def check_outputs(
    module: nn.Module, weights: Mapping[str, Tensor], outputs: Callable[[Mapping[str, Tensor], Tensor], Tensor], inputs: Tensor
) -> None:
    """Run the module on two samples together and one by one: its outputs must be the same.

    Args:
        weights: all parameters and buffers by name.
        outputs: of one sample, under the weights that are differentiated.

    Raises:
        ValueError: no samples, outputs that are no tensor or not one row per sample, that depend on other samples of the
            batch, on chance or on how often the module was called, or a module that cannot be run on these inputs.
    """
    if not isinstance(inputs, Tensor) or inputs.dim() == 0 or not len(inputs):
        what = f"shape {tuple(inputs.shape)}" if isinstance(inputs, Tensor) else type(inputs).__name__
        raise ValueError(f"inputs must be a tensor with one row per sample, and at least one; got {what}")
    two = inputs[:2]
    copies = {name: value.clone() for name, value in weights.items()}
    together = _run(lambda: one_tensor(functional_call(module, copies, (two,))), two)
    if together.dim() == 0 or len(together) != len(two):
        raise ValueError(
            f"for {len(two)} samples the module returns shape {tuple(together.shape)}; the first axis must be that of samples"
        )
    changed = [name for name, value in weights.items() if not torch.equal(value.nan_to_num(), copies[name].nan_to_num())]
    if changed:
        raise ValueError(f"a call of the module changes its {changed[0]}; call module.eval() first")
    alone = _run(lambda: torch.stack([outputs(copies, sample) for sample in two]), two)
    _check_chance(lambda: vmap(lambda sample: outputs(copies, sample))(two))
    scale = together.abs().nan_to_num(0, 0, 0).max()
    near = torch.finfo(together.dtype).eps ** _HALF
    if alone.shape != together.shape or not torch.allclose(alone, together, near, near * float(scale), equal_nan=True):
        raise ValueError(
            "the module's outputs for a sample change with the other samples of the batch, or from call to call, so they have "
            "no tangent kernel; call module.eval() first, take out what mixes samples, or put samples on the first axis"
        )


@torch.no_grad()
def _run(work: Callable[[], Tensor], inputs: Tensor) -> Tensor:
    try:
        return work()
    except ValueError:
        raise
    except Exception as error:
        said = " ".join(str(error).split(". ")[0].split())[:200]
        what = f"samples of shape {tuple(inputs.shape[1:])} and {inputs.dtype}"
        raise ValueError(f"the module cannot be run on {what}, each by itself ({type(error).__name__}: {said})") from error


@torch.no_grad()
def _check_chance(work: Callable[[], Tensor]) -> None:
    """vmap finds every random draw; what else it does not take, `mapped` does sample by sample."""
    try:
        work()
    except (RuntimeError, NotImplementedError) as error:
        if "random" in str(error):
            raise ValueError("the module draws at random at every call; call module.eval() first") from error


def mapped(one: Callable[..., Any], weights: Mapping[str, Tensor], *batches: Tensor) -> Any:
    """A function of the weights and of one sample, for every sample: by vmap, or one by one where a layer has no rule for it.

    Returns:
        what `one` returns, a tensor or a dictionary of tensors, with an axis of samples in front.
    """
    try:
        return vmap(one, in_dims=(None, *(0 for _ in batches)))(weights, *batches)
    except (RuntimeError, NotImplementedError):  # no batching rule, or a way that depends on the data
        found = [one(weights, *sample) for sample in zip(*batches, strict=True)]
        if isinstance(found[0], Tensor):
            return torch.stack(found)
        return {name: torch.stack([each[name] for each in found]) for name in found[0]}
