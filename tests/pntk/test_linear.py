"""The linear network: training, kernels in every reading and the exact solution, each against a naive twin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from pntk.kernels import autodiff
from pntk.kernels.linear import Reading, entk, readings, weight_change
from pntk.linear import LinearData, LinearModule, LinearNetworks, aligned, descend, draw_data, draw_networks
from pntk.theory.modes import half_times, mode_rate, start_strengths, strengths

VALUES = (9.0, 4.0, 2.0)
RATE = 0.05


def setting(seeds: tuple[int, ...] = (0, 1), whitened: bool = True) -> tuple[LinearNetworks, LinearData]:
    data = draw_data(seeds, 4, 5, 12, VALUES)
    if not whitened:
        mixing = torch.randn(len(seeds), 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        data = replace(data, inputs=data.inputs @ mixing)
    return draw_networks(seeds, 4, 3, 5, 1.0), data


def module_at(networks: LinearNetworks, i: int) -> LinearModule:
    return LinearModule(networks, i)


def test_inputs_are_whitened_and_the_target_has_its_singular_values() -> None:
    for per_example, gain in ((False, 1.0), (True, 12.0)):
        data = draw_data((3, 4), 4, 5, 12, VALUES, per_example)
        torch.testing.assert_close(data.gram, gain * torch.eye(4).double().expand(2, 4, 4), rtol=0, atol=1e-12)
        torch.testing.assert_close(torch.linalg.svdvals(data.target)[:, :3], torch.tensor([VALUES] * 2).double())
        assert torch.linalg.svdvals(data.target)[:, 3].max() < 1e-12
    assert not torch.allclose(data.target[0], data.target[1])
    with pytest.raises(ValueError, match="cannot be whitened"):
        draw_data((0,), 4, 5, 3, VALUES)


def test_a_seed_draws_the_same_whatever_else_is_in_the_block() -> None:
    torch.testing.assert_close(draw_networks((7, 8), 4, 3, 5, 1.0).first[1], draw_networks((8,), 4, 3, 5, 1.0).first[0])
    normal = draw_networks(range(400), 4, 3, 5, 0.5, "normal").first
    assert float(normal.std()) == pytest.approx(0.5, rel=0.03)
    assert float(draw_networks(range(400), 4, 3, 5, 0.1).second.abs().max()) == pytest.approx(0.1 / np.sqrt(3), rel=0.01)


@pytest.mark.parametrize("whitened", [True, False])
def test_training_equals_autograd_on_the_mean_squared_error(whitened: bool) -> None:
    networks, data = setting(whitened=whitened)
    path = descend(networks, data, RATE, [0, 7, 20])
    for i in range(2):
        module = module_at(networks, i)
        optimiser = torch.optim.SGD(module.parameters(), lr=RATE)
        x, target = data.inputs[i], data.inputs[i] @ data.target[i]
        for step in range(21):
            loss = torch.nn.functional.mse_loss(module(x), target)
            if step in (0, 7, 20):
                k = [0, 7, 20].index(step)
                torch.testing.assert_close(path.loss[k, i], loss.detach(), rtol=1e-10, atol=1e-14)
                torch.testing.assert_close(path.networks.first[k, i], module.first.detach(), rtol=1e-10, atol=1e-13)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def explicit_entk(module: LinearModule, inputs: Tensor, target: Tensor, test: Tensor | None = None) -> Tensor:
    entries = len(inputs) * target.shape[1]
    test = inputs if test is None else test
    outputs = inputs @ target
    return autodiff.entk(module, test, inputs, outputs, loss=lambda y, t: (y - t).square().sum() / entries)


@pytest.mark.parametrize("whitened", [True, False])
def test_closed_form_equals_explicit_jacobians(whitened: bool) -> None:
    networks, data = setting(whitened=whitened)
    kernel, change = entk(networks, data), weight_change(networks, data)
    for i in range(2):
        expected = explicit_entk(module_at(networks, i), data.inputs[i], data.target[i])
        torch.testing.assert_close(kernel[i], expected, rtol=1e-10, atol=1e-13)
        torch.testing.assert_close(data.inputs[i] @ change[i], expected.sum(dim=2), rtol=1e-10, atol=1e-13)


def test_weight_change_is_the_kernel_of_single_input_dimensions_divided_by_the_input() -> None:
    """Appendix A.3.2: switch on one input dimension of any test example, sum over training examples, divide by it."""
    networks, data = setting((0,))
    module = module_at(networks, 0)
    for k in (0, 5):
        x = data.inputs[0, k]
        single = explicit_entk(module, data.inputs[0], data.target[0], torch.diag(x)).sum(dim=2)
        torch.testing.assert_close(single / x[:, None], weight_change(networks, data)[0], rtol=1e-9, atol=1e-12)


def naive_reading(matrix: Tensor, modes: Tensor) -> tuple[Tensor, Tensor]:
    left, values, _ = torch.linalg.svd(matrix, full_matrices=False)
    modes = modes / modes.norm(dim=0)
    return (left[:, :2].T @ modes).abs(), values


@pytest.mark.parametrize("whitened", [True, False])
def test_every_reading_equals_singular_vectors_over_examples(whitened: bool) -> None:
    networks, data = setting(whitened=whitened)
    rate, steps = (RATE, 40) if whitened else (0.002, 40)
    path = descend(networks, data, rate, [0, steps])
    found = readings(path, data)
    for k in range(2):
        for i in range(2):
            now = LinearNetworks(path.networks.first[k], path.networks.second[k])
            x, module = data.inputs[i], module_at(now, i)
            kernel = explicit_entk(module, x, data.target[i])  # (N, O, N)
            plain = torch.einsum("nomo->nm", autodiff.ntk(module, x, x))
            seen, change = x @ data.left[i], weight_change(now, data)[i]
            matrices = {
                "summed": (kernel.sum(dim=2), seen),
                "weight_change": (change, data.left[i]),
                "weight_change_outputs": (change.T, data.right[i]),
                "per_example": (kernel.flatten(1), seen),
                "per_example_total": (kernel.sum(dim=1), seen),
                "ntk": (plain, seen),
                "network": (now.product[i], data.left[i]),
            }
            for name, (matrix, modes) in matrices.items():
                check(found[name], k, i, *naive_reading(matrix, modes))
            if k:  # at step 0 the path-integrated kernel is zero
                check(found["pntk"], k, i, *naive_reading(x @ path.euler[k, i], seen))
            each = [naive_reading(kernel[:, o], seen) for o in range(5)]
            check(found["per_output"], k, i, *(torch.stack(part).mean(dim=0) for part in zip(*each, strict=True)))


def check(reading: Reading, k: int, i: int, cosines: Tensor, values: Tensor) -> None:
    torch.testing.assert_close(reading.cosines[k, i], cosines, rtol=1e-6, atol=1e-6)
    width = min(4, len(values))
    torch.testing.assert_close(reading.values[k, i, :width], values[:width], rtol=1e-6, atol=1e-6 * float(values[0]))


def test_path_integrated_kernel_recovers_the_learned_map() -> None:
    networks, data = setting()
    errors = []
    for halvings in range(3):
        path = descend(networks, data, RATE / 2**halvings, [0, 400 * 2**halvings])
        change = path.networks.product[-1] - path.networks.product[0]
        assert float(change.norm()) > 5
        torch.testing.assert_close(path.midpoint[-1], change, rtol=1e-11, atol=1e-12)  # complete: exact for two layers
        errors.append(float((path.euler[-1] - change).norm()))
        if not halvings:  # the sum over steps of the closed form is what is accumulated
            every = descend(networks, data, RATE, list(range(401)))
            total = -RATE * weight_change(every.networks, data)[:-1].sum(dim=0)
            torch.testing.assert_close(path.euler[-1], total, rtol=1e-10, atol=1e-12)
    assert np.polyfit(np.log([1, 0.5, 0.25]), np.log(errors), 1)[0] == pytest.approx(1, abs=0.1)


def learned(path_product: Tensor, data: LinearData) -> Tensor:
    return torch.einsum("bim,kbio,bom->bkm", data.left, path_product, data.right)


def test_exact_solution_against_training_from_an_aligned_start() -> None:
    """The error is first order in the learning rate: what is left is that descent takes steps."""
    data = draw_data((0, 1), 4, 5, 12, VALUES)
    start = aligned(draw_networks((0, 1), 4, 3, 5, 0.1), data)
    begin = start_strengths(start.first, start.second, data.left, data.right)
    errors, sizes = [], (0.2, 0.1, 0.05)
    for size in sizes:
        record = list(range(0, int(400 / size) + 1, round(2 / size)))  # the same times
        path = descend(start, data, size, record)
        exact = strengths(path.steps, data.values, begin, mode_rate(size, 1.0, 12, 5))
        found = learned(path.networks.product, data)
        errors.append(float(((found - exact).abs() / data.values).max()))
    assert float((found[:, -1] / data.values).min()) > 0.99  # all modes were learned on the way
    assert errors[-1] < 0.02
    assert np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(1, abs=0.1)


def test_an_aligned_start_keeps_strengths_and_crosses_no_modes() -> None:
    data = draw_data((0, 1), 4, 5, 12, VALUES)
    for hidden in (2, 3, 6):
        drawn = draw_networks((0, 1), 4, hidden, 5, 0.1)
        wanted = start_strengths(drawn.first, drawn.second, data.left, data.right)
        assert wanted.shape == (2, min(hidden, 3))
        start = aligned(drawn, data)
        assert start.first.shape == drawn.first.shape
        torch.testing.assert_close(start_strengths(start.first, start.second, data.left, data.right), wanted)
        crossed = data.left.mT @ start.product @ data.right
        torch.testing.assert_close(crossed, torch.diag_embed(torch.nn.functional.pad(wanted, (0, 3 - wanted.shape[1]))))


def test_half_times_of_random_starts_follow_the_theory() -> None:
    seeds = tuple(range(12))
    data = draw_data(seeds, 4, 5, 200, (3.5, 0.75, 0.4), per_example=True)
    networks = draw_networks(seeds, 4, 3, 5, 0.01, "normal")
    rate = mode_rate(0.02, data.gain, 200, 5)
    theory = half_times(data.values, start_strengths(networks.first, networks.second, data.left, data.right), rate)
    path = descend(networks, data, 0.02, list(range(2501)))
    found = learned(path.networks.product, data)
    measured = (found < data.values / 2).sum(dim=1).double()
    reached = measured < 2501
    assert reached[:, :2].all()
    ratio = (measured / theory)[reached]
    assert float((ratio - 1).abs().max()) < 0.04
    # the strength of the exact solution at its half-time is half the singular value
    at_half = strengths(theory[0, :1], data.values, torch.full((1, 3), 1e-4).double(), rate)
    assert at_half.shape == (1, 1, 3)
    begin = torch.tensor([[1e-4, 1e-3, 1e-3]]).double()
    for m, time in enumerate(half_times(data.values, begin, rate)[0]):
        assert float(strengths(time[None], data.values, begin, rate)[0, 0, m] / data.values[m]) == pytest.approx(0.5)


def test_a_network_that_diverges_disturbs_no_other() -> None:
    networks, data = setting()
    wild = LinearNetworks(networks.first * torch.tensor([1.0, 300.0])[:, None, None], networks.second)
    both = readings(descend(wild, data, RATE, [0, 100, 200]), data)
    alone = readings(descend(*setting((0,)), RATE, [0, 100, 200]), setting((0,))[1])
    assert both["summed"].cosines[-1, 1].isnan().all()
    for name, reading in alone.items():
        if name == "pntk":  # nothing to compare at step 0, where it is zero
            reading, both[name] = (Reading(r.cosines[1:], r.values[1:]) for r in (reading, both[name]))
        torch.testing.assert_close(both[name].values[:, :1], reading.values, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(both[name].cosines[:, :1], reading.cosines, rtol=1e-6, atol=1e-6)
