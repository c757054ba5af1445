"""Path-integrated kernels: against explicit Jacobians, orders of convergence, and completeness."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pntk.curriculum import Phase
from pntk.data import PatternBlock, draw_phase_data, pattern_block
from pntk.kernels import autodiff, path, path_autodiff
from pntk.kernels.quadrature import LADDER, NodeChoice, gauss, rule
from pntk.network import MultitaskModule, Networks, base_networks, forward, scaled
from pntk.tasks import Environment, encode
from pntk.training.descent import descend
from tests.oracles import naive_path_kernel

SMALL = Environment(3, 2, 2)
PHASE = Phase("both", (1.0, 1.0), 1, 0.01)


def setting(scale: float = 10.0, seeds: tuple[int, ...] = (0,)) -> tuple[Networks, torch.Tensor, PatternBlock, np.ndarray]:
    networks = scaled(base_networks(SMALL, 11, seeds), scale, "hidden")
    data = draw_phase_data(SMALL, PHASE, 0, 13, 7)
    test = torch.from_numpy(encode(SMALL, data.test)[0])
    train = np.concatenate([data.train, data.train[:3]])  # some patterns occur twice
    return networks, test, pattern_block(SMALL, [train] * len(seeds), multiple=1), train


@pytest.mark.parametrize("name", ["euler", "midpoint", "trapezoid", "simpson", *(f"gauss{k}" for k in (1, 2, 3, 10, 64))])
def test_rules_integrate_polynomials_up_to_their_degree(name: str) -> None:
    chosen = rule(name)
    degree = {"euler": 0, "midpoint": 1, "trapezoid": 1, "simpson": 3}.get(name, 2 * len(chosen.nodes) - 1)

    def integral(power: int) -> float:
        return math.fsum(w * s**power for s, w in zip(chosen.nodes, chosen.weights, strict=True))

    for power in range(degree + 1):
        assert integral(power) == pytest.approx(1 / (power + 1), rel=1e-12)
    if degree < 20:
        assert integral(degree + 1) != pytest.approx(1 / (degree + 2), rel=1e-12)


@pytest.mark.parametrize("name", ["gauss0", "gauss65", "gauss", "simpsons", "adaptive"])
def test_unknown_rules_are_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(ValueError, match="allowed: adaptive, euler, midpoint, trapezoid, simpson, gauss1 to gauss64"):
        rule(name)


def test_the_adaptive_choice_climbs_as_far_as_needed_and_comes_down_again() -> None:
    choice = NodeChoice()
    tried: list[int] = []

    def needs(least: float, rule_nodes: int) -> tuple[float, int]:
        tried.append(rule_nodes)
        return (0.5 if rule_nodes >= least else 2.0), rule_nodes

    assert choice.settle(lambda r: needs(7, len(r.nodes))) == 8
    assert tried == [3, 4, 5, 6, 8]
    assert choice.settle(lambda r: (float("nan"), len(r.nodes))) == 8  # a diverged network does not climb
    assert choice.settle(lambda r: needs(math.inf, len(r.nodes))) == LADDER[-1]
    for _ in range(400):
        last = choice.settle(lambda r: needs(2, len(r.nodes)))
    assert last == 2
    assert sum(choice.used.values()) == 403


@pytest.mark.parametrize("name", ["euler", "trapezoid", "simpson", "gauss2"])
def test_closed_form_equals_explicit_jacobians_step_by_step(name: str) -> None:
    networks, test, train, ids = setting(seeds=(0, 1))
    found = path.path_kernel(networks, test, train, 4, 0.3, name)[1]
    inputs, targets = (torch.from_numpy(a) for a in encode(SMALL, ids))
    merged = torch.from_numpy(np.unique(ids, return_inverse=True)[1])
    nodes = list(zip(rule(name).nodes, rule(name).weights, strict=True))
    assert len(ids) > train.inputs.shape[1]  # repeated patterns are merged, with their counts
    for i in range(2):
        naive = naive_path_kernel(networks, i, test, inputs, targets, 4, 0.3, nodes)
        expected = torch.zeros_like(found.kernel[i]).index_add_(2, merged, naive)
        torch.testing.assert_close(found.kernel[i], expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(("name", "thin"), [("adaptive", 1), ("gauss3", 3), ("euler", 2)])
def test_torch_func_gives_the_closed_form_for_the_same_network(name: str, thin: int) -> None:
    networks, test, train, _ = setting()
    trained, closed = path.path_kernel(networks, test, train, 7, 0.1, name, thin=thin)
    module = MultitaskModule(networks)
    arguments = test, train.inputs[0], train.targets[0], 7, 0.1, name
    weights, generic = path_autodiff.path_kernel(module, *arguments, thin=thin, counts=train.counts[0], chunk=3)
    torch.testing.assert_close(generic.kernel, closed.kernel, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(generic.change, closed.change, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(weights["W1"], trained.W1[0], rtol=1e-12, atol=1e-14)
    assert sum(generic.nodes.values()) == math.ceil(7 / thin)
    torch.testing.assert_close(module.W1, networks.W1[0])  # left as it was


def test_the_path_is_that_of_training() -> None:
    networks, test, train, _ = setting(seeds=(0, 1))
    trained, found = path.path_kernel(networks, test, train, 30, 0.1, thin=4)
    expected = descend(networks, train, train, 30, 0.1)[0]
    for ours, theirs in zip(trained.weights, expected.weights, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found.change, forward(expected, test)[1] - forward(networks, test)[1], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    ("name", "order"), [("euler", 1), ("midpoint", 2), ("trapezoid", 2), ("simpson", 4), ("gauss2", 4), ("gauss3", 6)]
)
def test_completeness_converges_with_the_order_of_the_rule(name: str, order: int) -> None:
    """The same distance with ever smaller steps: the relative error falls as (step size)^order."""
    networks, test, train, _ = setting()
    steps = np.array([4, 8, 16])
    errors = [float(path.path_kernel(networks, test, train, int(n), 0.8 / n, name)[1].completeness_error) for n in steps]
    assert min(errors) > 3e-13  # above rounding
    slope = np.polyfit(np.log(1 / steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(order, abs=0.15 * max(order, 2))


def test_thinning_keeps_completeness_and_converges_to_the_full_path() -> None:
    """At fixed thinning, chords of half the length split the change with a quarter of the error."""
    networks, test, train, _ = setting()
    errors = []
    for steps in (32, 64, 128):
        full = path.path_kernel(networks, test, train, steps, 1.6 / steps)[1]
        thinned = path.path_kernel(networks, test, train, steps, 1.6 / steps, thin=4)[1]
        assert float(thinned.completeness_error) < 1e-10
        errors.append(float((thinned.kernel - full.kernel).norm() / full.kernel.norm()))
    assert np.polyfit(np.log([4, 2, 1]), np.log(errors), 1)[0] == pytest.approx(2, abs=0.2)


def test_paths_add_up_over_steps() -> None:
    networks, test, train, _ = setting()
    total = path.path_kernel(networks, test, train, 6, 0.3)[1]
    parts = torch.zeros_like(total.kernel)
    for _ in range(6):
        networks, one = path.path_kernel(networks, test, train, 1, 0.3)
        parts += one.kernel
    torch.testing.assert_close(total.kernel, parts, rtol=1e-9, atol=1e-12)


def test_memory_does_not_grow_with_steps() -> None:
    networks, test, train, _ = setting()
    integral = path.PathIntegral(networks, test, train)

    def held() -> int:
        tensors = [t for owner in (integral, integral.work) for t in vars(owner).values() if isinstance(t, torch.Tensor)]
        return sum(t.untyped_storage().nbytes() for t in tensors)

    integral.advance(1, 0.1)
    before = held()
    integral.advance(50, 0.1)
    assert held() == before


def test_midpoint_is_exact_in_two_layer_linear_networks_and_euler_is_not() -> None:
    torch.manual_seed(0)
    layers = torch.nn.Linear(4, 3, bias=False), torch.nn.Linear(3, 5, bias=False)
    module = torch.nn.Sequential(*layers).double()
    train, targets, test = torch.randn(9, 4).double(), torch.randn(9, 5).double(), torch.randn(6, 4).double()

    def error(name: str) -> float:
        return float(path_autodiff.path_kernel(module, test, train, targets, 20, 0.005, name)[1].completeness_error)

    assert error("midpoint") < 1e-13
    assert error("trapezoid") < 1e-13
    assert error("euler") > 1e-3
    chosen = path_autodiff.path_kernel(module, test, train, targets, 40, 0.005)[1]
    assert min(chosen.nodes) == 1  # and the adaptive choice finds out


def test_any_loss_and_frozen_parameters() -> None:
    torch.manual_seed(1)
    module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)).double()
    module[0].bias.requires_grad_(False)
    train, targets, test = torch.randn(9, 4).double(), torch.randint(3, (9,)), torch.randn(5, 4).double()
    cross_entropy = torch.nn.functional.cross_entropy
    weights, found = path_autodiff.path_kernel(module, test, train, targets, 15, 0.2, loss=cross_entropy)
    assert "0.bias" not in weights
    assert float(found.completeness_error) < 1e-10
    before = module(test).detach()
    optimiser = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=0.2)
    for _ in range(15):
        optimiser.zero_grad()
        cross_entropy(module(train), targets, reduction="sum").backward()
        optimiser.step()
    torch.testing.assert_close(found.change[0], module(test).detach() - before, rtol=1e-10, atol=1e-12)


def test_a_convolutional_network_with_class_targets_and_weights_that_are_no_whole_numbers() -> None:
    """Against the kernel of the start, whose columns times -learning rate are one Euler step."""
    torch.manual_seed(2)
    layers = torch.nn.Conv2d(1, 2, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(2 * 4, 3)
    module = torch.nn.Sequential(*layers).double()
    train, targets, test = torch.randn(6, 1, 4, 4).double(), torch.randint(3, (6,)), torch.randn(5, 1, 4, 4).double()
    cross_entropy, weights = torch.nn.functional.cross_entropy, torch.linspace(0.5, 1.5, 6)
    arguments = module, test, train, targets, 1, 0.1, "euler"
    euler = path_autodiff.path_kernel(*arguments, counts=weights, loss=cross_entropy)[1].kernel[0]
    expected = -0.1 * autodiff.entk(module, test, train, targets, loss=cross_entropy) * weights.double()
    torch.testing.assert_close(euler, expected, rtol=1e-10, atol=1e-14)
    path = path_autodiff.path_kernel(module, test, train, targets, 10, 0.1, counts=weights, loss=cross_entropy)[1]
    assert float(path.completeness_error) < 1e-10


def test_class_numbers_are_targets_and_counts_are_weights_whatever_the_type_of_the_targets() -> None:
    """Counts took the type of the targets before: with class numbers, 1.5 was taken for 1."""
    torch.manual_seed(2)
    module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)).double()
    train, classes, test = torch.randn(9, 4).double(), torch.randint(3, (9,)), torch.randn(5, 4).double()
    counts = torch.linspace(0.5, 2.5, 9)

    def cross_entropy(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(outputs, target)

    found = path_autodiff.path_kernel(module, test, train, classes, 10, 0.1, counts=counts, loss=cross_entropy)[1]
    assert float(found.completeness_error) < 1e-10
    before = module(test).detach()
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(10):
        optimiser.zero_grad()
        (counts * torch.nn.functional.cross_entropy(module(train), classes, reduction="none")).sum().backward()
        optimiser.step()
    torch.testing.assert_close(found.change[0], module(test).detach() - before, rtol=1e-10, atol=1e-12)
    plain = path_autodiff.path_kernel(module, test, train, classes, 2, 0.1, loss=cross_entropy)[1]
    assert plain.kernel.shape == (1, 5, 3, 9)


def paper_setting(scale: float, hidden: int, patterns: int) -> tuple[Networks, torch.Tensor, PatternBlock]:
    environment = Environment()
    data = draw_phase_data(environment, Phase("single", (1.0,), 1, 0.01), 0, patterns, patterns)
    test, train = (pattern_block(environment, [ids], multiple=1) for ids in (data.test, data.train))
    return scaled(base_networks(environment, hidden, [0]), scale, "hidden"), test.inputs, train


@pytest.mark.parametrize(("scale", "rate"), [(1.0, 0.03), (10.0, 0.01)])
def test_the_default_is_complete_where_lr_tuned_steps_are_large(scale: float, rate: float) -> None:
    """A quarter of the patterns at four times the rate makes the same steps as all of them."""
    networks, test, train = paper_setting(scale, 50, 125)
    found = path.path_kernel(networks, test, train, 60, 4 * rate)[1]
    assert float(found.completeness_error) < 1e-10
    assert float(path.path_kernel(networks, test, train, 60, 4 * rate, "euler")[1].completeness_error) > 1e-3
    many = path.path_kernel(networks, test, train, 60, 4 * rate, "gauss16")[1]
    torch.testing.assert_close(found.kernel, many.kernel, rtol=0, atol=1e-8 * float(many.kernel.abs().max()))


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "rate"), [(1.0, 0.03), (10.0, 0.01)])
def test_the_default_is_complete_over_500_lr_tuned_steps_of_the_papers_network(scale: float, rate: float) -> None:
    networks, test, train = paper_setting(scale, 200, 500)
    assert float(path.path_kernel(networks, test, train, 500, rate)[1].completeness_error) < 1e-10


def test_a_diverged_network_is_told_and_disturbs_no_other() -> None:
    networks, test, train, _ = setting(seeds=(0, 1))
    broken = Networks(*(w.clone() for w in networks.weights), bias=networks.bias)
    broken.W1[0, 0, 0] = float("nan")
    errors = path.path_kernel(broken, test, train, 20, 0.1)[1].completeness_error
    assert bool(errors[0].isnan())
    assert float(errors[1]) < 1e-10


def test_senseless_settings_are_refused_in_one_line() -> None:
    networks, test, train, _ = setting()
    with pytest.raises(ValueError, match=r"^thin = 0: must be at least 1$"):
        path.path_kernel(networks, test, train, 1, 0.1, thin=0)
    with pytest.raises(ValueError, match=r"^tolerance = 0: must be positive$"):
        path.path_kernel(networks, test, train, 1, 0.1, tolerance=0)
    assert gauss(1) == rule("midpoint")
