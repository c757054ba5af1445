"""Kernels: closed form against explicit Jacobians and torch.func, and the sum rule that defines the eNTK."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pntk.curriculum import Phase
from pntk.data import draw_phase_data, pattern_block
from pntk.kernels import autodiff, multitask
from pntk.network import MultitaskModule, Networks, base_networks, forward, scaled
from pntk.tasks import Environment, encode
from pntk.training.descent import descend
from tests.oracles import naive_entk, output_gradients

ENVIRONMENT = Environment(3, 2, 2)
PHASE = Phase("both", (1.0, 1.0), 1, 0.01)


def setting(scale: float = 10.0, seeds: tuple[int, ...] = (0, 1)) -> tuple[Networks, torch.Tensor, torch.Tensor, torch.Tensor]:
    networks = scaled(base_networks(ENVIRONMENT, 11, seeds), scale, "both")
    data = draw_phase_data(ENVIRONMENT, PHASE, 0, 13, 9)
    test = torch.from_numpy(encode(ENVIRONMENT, data.test)[0])
    train, targets = (torch.from_numpy(array) for array in encode(ENVIRONMENT, data.train))
    return networks, test, train, targets


@pytest.mark.parametrize("scale", [1.0, 10.0, 30.0])
def test_closed_form_equals_explicit_jacobians(scale: float) -> None:
    networks, test, train, targets = setting(scale)
    kernel = multitask.entk(networks, test, train, targets)
    for i in range(len(networks)):
        expected = naive_entk(MultitaskModule(networks, i), test, train, targets)
        torch.testing.assert_close(kernel[i], expected, rtol=1e-10, atol=1e-14)


def test_generic_kernels_equal_explicit_jacobians() -> None:
    networks, test, train, targets = setting()
    module = MultitaskModule(networks, 1)
    torch.testing.assert_close(autodiff.jacobian(module, test), output_gradients(module, test), rtol=1e-10, atol=1e-14)
    expected = naive_entk(module, test, train, targets)
    torch.testing.assert_close(autodiff.entk(module, test, train, targets, chunk=4), expected, rtol=1e-10, atol=1e-14)


def test_unweighted_ntk_is_the_diagonal_of_the_generic_one_and_symmetric() -> None:
    networks, test, train, _ = setting()
    diagonal = multitask.ntk_diagonal(networks, test, train)
    full = autodiff.ntk(MultitaskModule(networks, 0), test, train)
    torch.testing.assert_close(diagonal[0], torch.einsum("nomo->nom", full), rtol=1e-10, atol=1e-14)
    square = multitask.ntk_diagonal(networks, train, train)
    torch.testing.assert_close(square, square.transpose(1, 3), rtol=1e-12, atol=1e-15)
    assert torch.linalg.eigvalsh(square.transpose(1, 2)).min() > -1e-12


def test_the_sum_over_training_patterns_is_the_velocity_of_the_outputs() -> None:
    """Against a one-step difference the error is first order in the step, against a central difference second order."""
    networks, test, train, targets = setting(1.0, seeds=(0,))
    velocity = multitask.output_velocity(networks, test, train, targets)
    block = pattern_block(ENVIRONMENT, [draw_phase_data(ENVIRONMENT, PHASE, 0, 13, 9).train])

    def outputs_after(time: float) -> torch.Tensor:
        moved, _ = descend(networks, block, block, 1, time)
        return forward(moved, test)[1]

    steps = np.array([4e-2, 2e-2, 1e-2, 5e-3])
    before = forward(networks, test)[1]
    one_sided = [float(((outputs_after(s) - before) / s - velocity).norm()) for s in steps]
    central = [float(((outputs_after(s) - outputs_after(-s)) / (2 * s) - velocity).norm()) for s in steps]
    assert np.polyfit(np.log(steps), np.log(one_sided), 1)[0] == pytest.approx(1, abs=0.1)
    assert np.polyfit(np.log(steps), np.log(central), 1)[0] == pytest.approx(2, abs=0.1)


def test_sum_rule_holds_for_any_module_and_frozen_parameters_stay_out() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3)).double()
    module[0].bias.requires_grad_(False)
    train, targets, test = torch.randn(6, 5).double(), torch.randn(6, 3).double(), torch.randn(4, 5).double()
    assert autodiff.jacobian(module, test).shape == (4, 3, 5 * 7 + 7 * 3 + 3)
    velocity = -autodiff.entk(module, test, train, targets).sum(dim=2)
    before, step = module(test).detach(), 1e-6
    (module(train) - targets).square().sum().backward()
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter -= step * parameter.grad
    torch.testing.assert_close((module(test).detach() - before) / step, velocity, rtol=1e-4, atol=1e-5)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(ValueError, match="no trainable parameter"):
        autodiff.entk(module, test, train, targets)


def test_any_loss_enters_through_its_gradient_at_the_outputs() -> None:
    networks, test, train, targets = setting()
    module = MultitaskModule(networks, 0)
    half = autodiff.entk(module, test, train, targets, loss=lambda y, t: 0.5 * (y - t).square().sum())
    torch.testing.assert_close(2 * half, autodiff.entk(module, test, train, targets))
    assert (autodiff.entk(module, test, train, module(train).detach()).abs() < 1e-15).all()  # no error, nothing moves
