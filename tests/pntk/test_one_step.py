"""One gradient step: the kernel's prediction against explicit gradients, the sum of its parts, and the true step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pntk.one_step import descended, one_step, rate_errors, relu_network, slope, step_data

RATES = [0.03 / 2**k for k in range(4)]
GRID = torch.linspace(-1, 1, 101, dtype=torch.float64)[:, None]


def smooth_network(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(1, 30), nn.Tanh(), nn.Linear(30, 1)).double()


def gradient(network: nn.Module, x: Tensor) -> Tensor:
    """dy(x)/d theta of one input, by one backward pass."""
    network.zero_grad()
    network(x[None]).squeeze().backward()
    return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])  # type: ignore[union-attr]


def test_influence_and_weights_equal_explicit_jacobians() -> None:
    network, (inputs, targets) = relu_network(3, hidden=20), step_data()
    grid = GRID[::10]
    step = one_step(network, inputs, targets, grid, 0.03)
    for n, x in enumerate(grid):
        for m, point in enumerate(inputs):
            kernel = gradient(network, x) @ gradient(network, point)
            sensitivity = 2 * (network(point[None]).item() - targets[m].item()) / len(inputs)
            assert step.influence[n, m].item() == pytest.approx(kernel.item(), rel=1e-12)
            assert step.weighted[n, m].item() == pytest.approx(-0.03 * kernel.item() * sensitivity, rel=1e-12)


def test_influence_is_a_closed_form_of_the_relu_network() -> None:
    """K(x, x') = 1 + sum over units on at both of (a a' + v^2 (x x' + 1)), a the unit's arriving activity."""
    network, (inputs, targets) = relu_network(9), step_data()
    step = one_step(network, inputs, targets, GRID, 0.03)
    first, readout = network[0], network[2].weight[0]
    at_grid, at_points = (first(x).detach() for x in (GRID, inputs))
    on_grid, on_points = (at_grid > 0).double(), (at_points > 0).double()
    hidden = (at_grid * on_grid) @ (at_points * on_points).T
    through = ((on_grid * readout.square()) @ on_points.T) * (GRID @ inputs.T + 1)
    torch.testing.assert_close(step.influence, 1 + hidden + through.detach(), rtol=1e-12, atol=1e-12)


def test_prediction_is_the_change_of_the_outputs_along_the_loss_gradient() -> None:
    """Completeness by another route: the sum over points is one Jacobian-vector product with -lr dL/d theta."""
    network, (inputs, targets) = relu_network(1), step_data()
    step = one_step(network, inputs, targets, GRID, 0.03)
    network.zero_grad()
    (network(inputs) - targets).square().mean().backward()
    parameters = {name: p.detach() for name, p in network.named_parameters()}
    direction = {name: -0.03 * p.grad for name, p in network.named_parameters()}  # type: ignore[operator]
    _, change = torch.func.jvp(lambda p: torch.func.functional_call(network, p, (GRID,)), (parameters,), (direction,))
    torch.testing.assert_close(step.weighted.sum(dim=1), change[:, 0].detach(), rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(step.predicted, step.weighted.sum(dim=1))


def test_the_true_change_is_one_step_of_plain_gradient_descent_and_the_network_stays() -> None:
    network, (inputs, targets) = relu_network(2), step_data()
    before = [p.detach().clone() for p in network.parameters()]
    step = one_step(network, inputs, targets, GRID, 0.03)
    for parameter, old in zip(network.parameters(), before, strict=True):
        assert torch.equal(parameter, old)
    start = network(GRID).detach()
    gradients = torch.autograd.grad((network(inputs) - targets).square().mean(), list(network.parameters()))
    with torch.no_grad():
        for parameter, change in zip(network.parameters(), gradients, strict=True):
            parameter -= 0.03 * change
        torch.testing.assert_close(step.actual, (network(GRID) - start)[:, 0], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(step.before, start[:, 0])


def test_a_smooth_network_has_an_error_of_second_order() -> None:
    inputs, targets = step_data()
    errors = rate_errors(smooth_network(), inputs, targets, GRID, RATES)
    assert slope(RATES, [e.largest_error for e in errors]) == pytest.approx(2, abs=0.05)
    assert slope(RATES, [e.relative for e in errors]) == pytest.approx(1, abs=0.05)
    assert all(e.switched == 0 and e.smooth_error == e.largest_error for e in errors)


@pytest.mark.parametrize("seed", [9, 0, 1])
def test_a_relu_network_has_one_where_no_unit_switches_and_a_larger_one_at_its_kinks(seed: int) -> None:
    inputs, targets = step_data()
    errors = rate_errors(relu_network(seed), inputs, targets, torch.linspace(-1, 1, 1000).double()[:, None], RATES)
    assert slope(RATES, [e.smooth_error for e in errors]) == pytest.approx(2, abs=0.02)
    assert 0.9 < slope(RATES, [e.largest_error for e in errors]) < 1.95
    assert errors[0].switched > errors[-1].switched > 0
    assert errors[0].relative < 1e-3


def test_switched_inputs_are_those_whose_units_change_sign() -> None:
    network, (inputs, targets) = relu_network(4), step_data()
    step = one_step(network, inputs, targets, GRID, 0.03)
    moved = descended(network, inputs, targets, 0.03)
    expected = ((network[0](GRID) > 0) != (moved[0](GRID) > 0)).any(dim=1)  # type: ignore[index]
    assert torch.equal(step.switched, expected)
    assert 0 < expected.sum() < len(GRID)


def test_a_seed_is_a_draw_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (relu_network(seed)[0].weight for seed in (7, 7, 8))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_several_outputs_are_refused() -> None:
    inputs, targets = step_data()
    with pytest.raises(ValueError, match="for one output, the module has 2"):
        one_step(nn.Linear(1, 2).double(), inputs, targets, GRID, 0.03)
