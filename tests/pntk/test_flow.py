"""The stabilised flow against exact solutions, tiny gradient steps, and its own order and stability."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pntk.network import Networks
from pntk.training.chebyshev import chebyshev_step, integrate, largest_curvature, stages_needed
from pntk.training.descent import descend
from pntk.training.flow import follow_flow
from pntk.training.workspace import Workspace
from tests.oracles import naive_training
from tests.pntk.test_descent import ENVIRONMENT, assert_same, encode, setting

RATES = torch.tensor([1.0, 5.0, 5000.0], dtype=torch.float64)


def linear(y: torch.Tensor) -> torch.Tensor:
    return -RATES * y


def test_a_chebyshev_step_is_second_order_accurate() -> None:
    y = torch.ones(1, 3, dtype=torch.float64)

    def field(z: torch.Tensor) -> torch.Tensor:
        return -(z**3) + 0.3 * z.sin()

    def after(h: float, count: int) -> torch.Tensor:
        z = y
        for _ in range(count):
            z = chebyshev_step(field, z, field(z), h, 5)
        return z

    exact = after(1 / 4096, 4096)
    errors = [float((after(1 / n, n) - exact).norm()) for n in (8, 16, 32, 64)]
    assert np.polyfit(np.log([1 / 8, 1 / 16, 1 / 32, 1 / 64]), np.log(errors), 1)[0] == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("s", [2, 5, 12, 40])
def test_a_step_is_stable_up_to_its_limit_and_not_far_beyond(s: int) -> None:
    limit = 0.653 * (s**2 - 1)
    grid = torch.linspace(0.01, 1, 400, dtype=torch.float64)[None] * limit
    once = chebyshev_step(lambda y: -grid * y, torch.ones_like(grid), -grid, 1.0, s)
    assert once.abs().max() <= 1 + 1e-9
    beyond = torch.tensor([[1.6 * limit]], dtype=torch.float64)
    assert chebyshev_step(lambda y: -beyond * y, torch.ones_like(beyond), -beyond, 1.0, s).abs().item() > 1
    assert 0.653 * (stages_needed(1.0, limit) ** 2 - 1) >= limit


def test_a_stiff_linear_flow_is_followed_with_few_evaluations() -> None:
    visited: list[float] = []
    y0 = torch.ones(1, 3, dtype=torch.float64)
    y, evaluations = integrate(linear, y0, 3.0, 1e-3, 1e-4, lambda start, end, at: visited.append(end))
    torch.testing.assert_close(y, torch.exp(-3 * RATES)[None], rtol=1e-3, atol=1e-6)
    assert visited[-1] == pytest.approx(3.0)
    assert evaluations < 3.0 * 5000 / 2 / 3  # a third of what the stability of small steps would ask for


def test_a_network_that_no_step_size_can_follow_is_lost_and_the_others_go_on() -> None:
    """The first runs into a wall at time 1; before, it stopped its whole block there."""

    def field(y: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.where(y[0] < 2, 1.0, torch.nan), -y[1]])

    y, _ = integrate(field, torch.ones(2, 1, dtype=torch.float64), 3.0, 1e-3, 1e-5, lambda start, end, at: None)
    assert bool(y[0].isnan())
    assert y[1].item() == pytest.approx(np.exp(-3.0), rel=1e-3)


def test_dense_output_is_third_order() -> None:
    errors = []
    for tolerance in (1e-3, 1e-6):
        found: list[float] = []

        def visit(start: float, end: float, at: object, found: list[float] = found) -> None:
            middle = (start + end) / 2
            found.append(float((at(middle) - torch.exp(-RATES[:2] * middle)).abs().max()))  # type: ignore[operator]

        integrate(lambda y: -RATES[:2] * y, torch.ones(1, 2, dtype=torch.float64), 2.0, 1e-3, tolerance, visit)
        errors.append(max(found))
    assert errors[0] < 2e-2
    assert errors[1] < errors[0] / 20


def test_largest_curvature_is_found_by_power_iteration() -> None:
    y = torch.ones(1, 3, dtype=torch.float64)
    value, _ = largest_curvature(linear, y, linear(y), torch.ones_like(y))
    assert 5000 <= value <= 1.25 * 5000


def test_downhill_is_minus_the_gradient_of_autograd() -> None:
    networks, train, _, ids = setting([0])
    work = Workspace(networks, train.inputs.shape[1])
    work.load(train.inputs, train.targets, train.counts)
    packed = work.pack()
    work.unpack(packed + 1e-3 * work.downhill(packed))
    inputs, targets = (torch.from_numpy(a) for a in encode(ENVIRONMENT, ids[0]))
    assert_same(work.networks(), naive_training(networks, 0, inputs, targets, 1, 1e-3)[0], rtol=1e-10, atol=1e-13)


def test_flow_is_the_limit_of_small_steps() -> None:
    networks, train, test, _ = setting([0, 1])
    flow, curves = follow_flow(networks, train, test, 50, 0.02, tolerance=1e-7)
    differences = []
    for refinement in (8, 16):
        steps, expected = descend(networks, train, test, 50 * refinement, 0.02 / refinement)
        differences.append(float((steps.W1 - flow.W1).norm() / (flow.W1 - networks.W1).norm()))
    assert differences[1] == pytest.approx(differences[0] / 2, rel=0.15)  # descent is first order
    np.testing.assert_allclose(curves.train[:, -1], expected.train[:, -1], rtol=0.02)
    assert curves.steps[-1] == 50
    np.testing.assert_allclose(curves.train[:, 0], expected.train[:, 0], rtol=1e-12)
    assert curves.train.shape == curves.test.shape == (2, len(curves.steps))
    plain = descend(networks, train, test, 50, 0.02)[1]
    np.testing.assert_allclose(curves.train[:, 10], plain.train[:, 10], rtol=0.1)  # curves share their steps


def test_flow_does_not_depend_on_the_block() -> None:
    together = follow_flow(*setting([4, 9, 2], dtype=torch.float32)[:3], 60, 0.03)
    alone = follow_flow(*setting([9], dtype=torch.float32)[:3], 60, 0.03)
    assert_same(together[0].network(1), alone[0])
    assert np.array_equal(together[1].test[1], alone[1].test[0])


def test_the_block_together_as_on_other_devices_follows_the_same_flow() -> None:
    networks, train, test, _ = setting([0, 1, 2])
    at_once, curves = follow_flow(networks, train, test, 60, 0.02, tolerance=1e-6, together=True)
    one_by_one, expected = follow_flow(networks, train, test, 60, 0.02, tolerance=1e-6)
    np.testing.assert_allclose(curves.train[:, -1], expected.train[:, -1], rtol=1e-4)
    assert_same(at_once, one_by_one, rtol=1e-2, atol=1e-3)


def test_a_network_that_is_not_finite_ends_flagged() -> None:
    networks, train, test, _ = setting([0, 1])
    broken = Networks(*(w.clone() for w in networks.weights), bias=networks.bias)
    broken.W1[0, 0, 0] = float("nan")
    _, curves = follow_flow(broken, train, test, 20, 0.02)
    assert curves.diverged.tolist() == [True, False]


def test_progress_of_the_flow_counts_the_steps_it_stands_for() -> None:
    networks, train, test, _ = setting([0, 1])
    told: list[int] = []
    follow_flow(networks, train, test, 25, 0.01, progress=told.append)
    assert sum(told) == 50
