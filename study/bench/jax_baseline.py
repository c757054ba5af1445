"""The same training in jax, jit + scan, where jax is installed (`pip install -e '.[bench]'`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import torch

from pntk.network import Networks


def jax_training(networks: Networks, inputs: torch.Tensor, targets: torch.Tensor, rate: float) -> Callable[[int], float] | None:
    """A function that trains network 0 for some steps and returns its mean loss; None without jax.

    Compilation happens once for each number of steps, at its first call.
    """
    if importlib.util.find_spec("jax") is None:
        return None
    import jax
    import jax.numpy as jnp

    stimuli = networks.W1.shape[1]
    weights = [jnp.asarray(w[0].numpy()) for w in networks.weights]
    x, t = jnp.asarray(inputs.numpy()), jnp.asarray(targets.numpy())

    def loss(w: list[jax.Array]) -> jax.Array:
        hidden = jax.nn.sigmoid(x[:, :stimuli] @ w[0] + x[:, stimuli:] @ w[1] + networks.bias)
        outputs = jax.nn.sigmoid(hidden @ w[2] + x[:, stimuli:] @ w[3] + networks.bias)
        return ((outputs - t) ** 2).sum()

    def step(w: list[jax.Array], _: None) -> tuple[list[jax.Array], None]:
        return [a - rate * g for a, g in zip(w, jax.grad(loss)(w), strict=True)], None

    compiled = jax.jit(lambda w, n: jax.lax.scan(step, w, None, length=n)[0], static_argnums=1)
    return lambda steps: float(loss(compiled(weights, steps)) / t.size)
