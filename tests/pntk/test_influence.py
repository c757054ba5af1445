"""Linear response against retraining: of single units, of whole networks, and in the limits where it must be exact."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from pntk.data import pattern_block
from pntk.influence.bins import edges_of, places
from pntk.influence.drive import evaluations, influence, own, predict, source, units_of
from pntk.influence.reference import Diverged, Reference, reference
from pntk.influence.units import Patterns, Stage, Units, mean_squared_error
from pntk.network import base_networks, scaled
from pntk.tasks import Environment, legal_patterns
from pntk.training.descent import descend
from pntk.training.workspace import mean_loss

ENVIRONMENT = Environment(2, 2, 2)
IDS = {"single": legal_patterns(ENVIRONMENT, (1,)), "multi": legal_patterns(ENVIRONMENT, (0, 1))}
DRAWN = {name: np.random.default_rng(7).choice(ids, 2 * len(ids) // 3) for name, ids in IDS.items()}
UNSEEN = {name: np.setdiff1d(ids, DRAWN[name]) for name, ids in IDS.items()}
BIAS = -2.0


def patterns(ids: np.ndarray) -> Patterns:
    block = pattern_block(ENVIRONMENT, [ids], multiple=1)
    return Patterns(block.inputs[0], ENVIRONMENT.stimulus_width, block.targets[0], block.counts[0])


def stage(phase: str, steps: int = 60, rate: float = 0.1) -> Stage:
    return Stage(patterns(DRAWN[phase]), (rate,) * steps)


ONE, BOTH = [stage("single")], [stage("single"), stage("multi", 50, 0.08)]
GOALS = {1: patterns(UNSEEN["single"]), 2: patterns(UNSEEN["multi"])}


def wide(count: int, seed: int = 100, scale: float = 10.0) -> Units:
    return units_of(scaled(base_networks(ENVIRONMENT, count, [seed], bias=BIAS), scale, "hidden"))


def zero() -> Tensor:
    return torch.zeros(ENVIRONMENT.tasks, ENVIRONMENT.response_width, dtype=torch.float64)


def trained_loss(units: Units, direct: Tensor, masses: Tensor, stages: list[Stage], goal: Patterns) -> Tensor:
    """The oracle: plain autograd of the loss of a network whose units have masses, step by step."""
    w, v, u = units.incoming, units.outgoing, direct

    def logits(p: Patterns) -> Tensor:
        return torch.sigmoid(p.inputs @ w + BIAS) @ (masses[:, None] * v) + p.tasks @ u + BIAS

    for part in stages:
        p = part.patterns
        for rate in part.rates:
            hidden, y = torch.sigmoid(p.inputs @ w + BIAS), torch.sigmoid(logits(p))
            wrong = 2 * p.counts[:, None] * (y - p.targets) * y * (1 - y)
            back = (wrong @ v.T) * hidden * (1 - hidden)
            w, v, u = w - rate * p.inputs.T @ back, v - rate * hidden.T @ wrong, u - rate * p.tasks.T @ wrong
    return mean_squared_error(logits(goal), goal)


@pytest.mark.parametrize("stages", [ONE, BOTH], ids=["one phase", "both"])
def test_influence_is_the_derivative_of_the_retrained_loss(stages: list[Stage]) -> None:
    """By the mass of every unit, its initial weights, and the direct weights."""
    units, masses, goal = wide(9), torch.full((9,), 0.7, dtype=torch.float64), GOALS[len(stages)]
    direct = 0.1 * torch.randn(zero().shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    leaves = [x.clone().requires_grad_() for x in (units.incoming, units.outgoing, direct, masses)]
    loss = trained_loss(Units(*leaves[:2]), leaves[2], leaves[3], stages, goal)
    by_incoming, by_outgoing, by_direct, by_mass = torch.autograd.grad(loss, leaves)
    found = reference(units, direct, masses, stages, goal, BIAS)
    assert found.loss == pytest.approx(loss.item(), rel=1e-12)
    torch.testing.assert_close(influence(found, units), by_mass, rtol=1e-9, atol=1e-13)
    w, v = units.incoming.clone().requires_grad_(), units.outgoing.clone().requires_grad_()
    psi = _psi(found, Units(w, v))
    torch.testing.assert_close(psi, by_mass, rtol=1e-9, atol=1e-13)
    for have, due in zip(torch.autograd.grad((psi * masses).sum(), [w, v]), (by_incoming, by_outgoing), strict=True):
        torch.testing.assert_close(have, due, rtol=1e-8, atol=1e-12)
    blocks = torch.eye(direct.numel(), dtype=torch.float64).reshape(-1, *direct.shape)
    torch.testing.assert_close(source(found, blocks), by_direct.flatten(), rtol=1e-9, atol=1e-13)


def _psi(found: Reference, units: Units) -> Tensor:
    """Equation (7) written out, without operations in place."""
    w, v, total = units.incoming, units.outgoing, torch.zeros(())
    for response in found.responses:
        x = response.patterns.inputs
        for impulse, weights in zip(response.impulses, response.weights, strict=False):
            hidden = torch.sigmoid(x @ w + BIAS)
            total = total + torch.einsum("pu,ur,pr->u", hidden, v, weights)
            w, v = w - x.T @ ((impulse @ v.T) * hidden * (1 - hidden)), v - hidden.T @ impulse
    return total + torch.einsum("pu,ur,pr->u", torch.sigmoid(found.goal.inputs @ w + BIAS), v, found.weights)


def test_retraining_with_one_unit_more_or_less_of_it() -> None:
    """No autograd on either side: finite differences of the training that studies use."""
    base = scaled(base_networks(ENVIRONMENT, 12, [5], bias=BIAS), 10.0, "hidden")
    train, test = (pattern_block(ENVIRONMENT, [ids[1]["single"] for ids in enumerate([kind])]) for kind in (DRAWN, UNSEEN))
    units, masses = units_of(base), torch.ones(12, dtype=torch.float64)
    found = reference(units, base.V2[0], masses, ONE, GOALS[1], BIAS)
    assert found.loss == pytest.approx(float(mean_loss(descend(base, train, test, 60, 0.1)[0], test)[0]), rel=1e-10)
    losses = []
    for size in (1e-5, -1e-5):
        moved = replace(base, W1=base.W1.clone())
        moved.W1[0, 1, 3] += size
        losses.append(float(mean_loss(descend(moved, train, test, 60, 0.1)[0], test)[0]))
    w = units.incoming.clone().requires_grad_()
    slope = torch.autograd.grad(_psi(found, Units(w, units.outgoing)).sum(), w)[0][1, 3]
    assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(float(slope), rel=1e-5)


def test_units_of_the_reference_give_its_own_loss() -> None:
    base = scaled(base_networks(ENVIRONMENT, 12, [5, 6], bias=BIAS), 3.0, "both")
    units, masses = units_of(base.network(0)), torch.ones(12, dtype=torch.float64)
    for bins in (None, 3):
        found = reference(units, base.V2[0], masses, BOTH, GOALS[2], BIAS, bins)
        mean = own(found, units, base.V2[0], masses)
        mine, other = predict(found, base, mean)
        assert float(mine) == pytest.approx(found.loss, rel=1e-12)
        assert float(other) != pytest.approx(found.loss, rel=1e-3)


def test_what_is_left_out_is_of_second_order() -> None:
    units, masses = wide(20), torch.full((20,), 0.5, dtype=torch.float64)
    found = reference(units, zero(), masses, BOTH, GOALS[2], BIAS)
    direction = torch.randn(20, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    missed = []
    for size in (0.1, 0.01):
        true = trained_loss(units, zero(), masses + size * direction, BOTH, GOALS[2])
        missed.append(abs(float(true - found.loss - size * (influence(found, units) * direction).sum())))
    assert missed[0] / missed[1] == pytest.approx(100, rel=0.3)


def test_lazy_limit_is_the_linearised_network() -> None:
    """Masses so large, and rates so small, that units hardly move while logits do: gradient descent with the first kernel."""
    half = wide(8)
    units = Units(torch.cat([half.incoming] * 2, dim=1), torch.cat([half.outgoing, -half.outgoing]))  # nothing at the start
    large, rate, steps = 1e7, 0.05, 40
    p, goal = patterns(DRAWN["single"]), GOALS[1]
    masses = torch.full((16,), large, dtype=torch.float64)
    found = reference(units, zero(), masses, [Stage(p, (rate / large,) * steps)], goal, BIAS)

    def kernel(x: Tensor, mass: Tensor) -> Tensor:
        """(X, R, P, R): of the units' own weights; direct ones move too slowly to count."""
        at, with_ = (torch.sigmoid(inputs @ units.incoming + BIAS) for inputs in (x, p.inputs))
        by_v = torch.einsum("xu,pu,u,rs->xrps", at, with_, mass, torch.eye(p.targets.shape[1], dtype=torch.float64))
        slopes = (h * (1 - h) for h in (at, with_))
        by_w = torch.einsum("xu,pu,u,ur,us->xrps", *slopes, mass, units.outgoing, units.outgoing)
        return by_v + torch.einsum("xrps,xp->xrps", by_w, x @ p.inputs.T)

    scaled_masses = torch.ones(16, dtype=torch.float64, requires_grad=True)
    at_start = [
        torch.sigmoid(q.inputs @ units.incoming + BIAS) @ ((large * (scaled_masses - 1) + large)[:, None] * units.outgoing)
        for q in (p, goal)
    ]
    own_kernel, other_kernel = kernel(p.inputs, scaled_masses), kernel(goal.inputs, scaled_masses)
    train, test = at_start[0] + BIAS, at_start[1] + BIAS
    for _ in range(steps):
        y = torch.sigmoid(train)
        wrong = 2 * p.counts[:, None] * (y - p.targets) * y * (1 - y)
        train = train - rate * torch.einsum("xrps,ps->xr", own_kernel, wrong)
        test = test - rate * torch.einsum("xrps,ps->xr", other_kernel, wrong)
    loss = mean_squared_error(test, goal)
    assert found.loss == pytest.approx(loss.item(), rel=1e-5)
    by_mass = torch.autograd.grad(loss, scaled_masses)[0] / large
    torch.testing.assert_close(influence(found, units), by_mass, rtol=1e-4, atol=1e-5 * float(by_mass.abs().max()))


def test_equal_training_loss_instead_of_equal_time() -> None:
    """The influence is that on loss - kappa log(training loss), and kappa the slope of the one against the other."""
    units, masses, stages, p = wide(30), torch.ones(30, dtype=torch.float64), [stage("single", 420)], patterns(DRAWN["single"])
    found = reference(units, zero(), masses, stages, GOALS[1], BIAS, equal_loss=True)
    leaf = masses.clone().requires_grad_()
    train, goal = (trained_loss(units, zero(), leaf, stages, q) for q in (p, GOALS[1]))
    due = torch.autograd.grad(goal - found.kappa * torch.log(train), leaf)[0]
    torch.testing.assert_close(influence(found, units), due, rtol=1e-8, atol=1e-12)
    earlier = [stage("single", 419)]
    train_then, goal_then = (trained_loss(units, zero(), masses, earlier, q) for q in (p, GOALS[1]))
    assert found.kappa == pytest.approx(float((goal.detach() - goal_then) / torch.log(train.detach() / train_then)), rel=0.1)


def test_few_bins_tend_to_every_step() -> None:
    units, seeds, masses = wide(40), wide(60, 200), torch.full((40,), 0.5, dtype=torch.float64)
    small = [stage("single", 600, 0.01), stage("multi", 500, 0.008)]  # a step of descent is not a flow's, which bins tend to
    full = influence(reference(units, zero(), masses, small, GOALS[2], BIAS), seeds)
    off = []
    for bins in (2, 8, 32):
        found = reference(units, zero(), masses, small, GOALS[2], BIAS, bins)
        assert evaluations(found) <= 2 * 2 * bins
        off.append(float((influence(found, seeds) - full).norm() / full.norm()))
    assert off[0] > off[1] > off[2]
    assert off[2] < 0.005
    assert evaluations(reference(units, zero(), masses, BOTH, GOALS[2], BIAS)) == 110


def spread(hidden: int, count: int, wide_units: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true losses of networks that share a stage and differ by seed."""
    networks = scaled(base_networks(ENVIRONMENT, hidden, list(range(count)), bias=BIAS), 10.0, "hidden")
    networks = replace(networks, V1=networks.V1 * 20 / hidden, V2=0 * networks.V2)  # outputs of like size at every width
    pool = scaled(base_networks(ENVIRONMENT, wide_units, [999], bias=BIAS), 10.0, "hidden")
    units, masses = units_of(replace(pool, V1=pool.V1 * 20 / hidden)), torch.full((wide_units,), hidden / wide_units)
    stages = [stage("single", 80, 2 / hidden)]
    found = reference(units, zero(), masses.double(), stages, GOALS[1], BIAS, 12)
    predicted = predict(found, networks, own(found, units, zero(), masses.double())).numpy()
    ones = torch.ones(hidden, dtype=torch.float64)
    true = [float(trained_loss(units_of(networks.network(i)), zero(), ones, stages, GOALS[1])) for i in range(len(networks))]
    return predicted, np.array(true)


def test_the_wider_the_networks_the_better() -> None:
    r = [float(np.corrcoef(*spread(hidden, 40))[0, 1]) for hidden in (5, 40, 320)]
    assert r[0] < r[1] < r[2]
    assert r[2] > 0.95


def test_two_references_agree_on_who_matters() -> None:
    seeds, masses = wide(200, 300), torch.full((400,), 20 / 400, dtype=torch.float64)
    one, two = (influence(reference(wide(400, seed), zero(), masses, ONE, GOALS[1], BIAS, 8), seeds) for seed in (1, 2))
    assert np.corrcoef(one, two)[0, 1] > 0.9


def test_a_reference_that_diverges_says_so() -> None:
    units, masses = wide(9), torch.ones(9, dtype=torch.float64)
    with pytest.raises(Diverged, match=r"diverges at step \d+ of 60"):
        reference(Units(units.incoming * float("inf"), units.outgoing), zero(), masses, ONE, GOALS[1], BIAS)


def test_bins_have_equal_path() -> None:
    path = np.random.default_rng(0).exponential(size=1000) * np.exp(-np.arange(1000) / 200)
    edges = edges_of(path, 8)
    lengths = np.add.reduceat(path, edges[:-1])
    assert len(edges) == 9
    assert np.abs(lengths - path.sum() / 8).max() < 2 * path.max()
    number, fraction = places(path, edges)
    assert (fraction[edges[:-1]] == 0).all()
    assert fraction.max() < 1
    assert (np.diff(number) >= 0).all()
    np.testing.assert_array_equal(edges_of(path, None), np.arange(1001))
    assert len(edges_of(np.array([5.0, 1, 1, 1]), 3)) <= 4  # a step longer than a bin
    with pytest.raises(ValueError, match="at least 1"):
        edges_of(path, 0)


def test_memory_of_training_a_reference_does_not_grow_with_its_steps() -> None:
    """Two lengths of training in fresh processes, in which numbers kept of every step once held freed activities fast."""
    script = (
        "import resource, sys, torch\n"
        "from pntk.influence.reference import trained\n"
        "from pntk.influence.units import Patterns, Stage, Units\n"
        "torch.set_num_threads(1)\n"
        "patterns = Patterns(torch.rand(392, 24), 12, torch.rand(392, 9), torch.ones(392))\n"
        "units = Units(torch.rand(24, 4000), torch.rand(4000, 9))\n"
        "stage = Stage(patterns, (1e-6,) * int(sys.argv[1]))\n"
        "trained(units, torch.zeros(12, 9), torch.full((4000,), 0.05), [stage])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )

    def peak(steps: int) -> int:
        command = [sys.executable, "-c", script, str(steps)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert peak(150) < 1.4 * peak(20)
