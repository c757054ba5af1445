"""Predictors at t = 0 against naive twins: explicit Jacobians, autograd, loops, and cases whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hvp

from pntk.kernels.multitask import ntk_diagonal
from pntk.network import MultitaskModule, Networks, base_networks, forward, scaled
from pntk.predictors import alignment, controls, initialisation, spectrum
from pntk.predictors.case import Case
from pntk.predictors.linearised import CLIP, linearised_loss, solution, unseen_errors
from pntk.predictors.registry import PREDICTORS, measure
from pntk.structure.rank import effective_rank
from pntk.tasks import Environment, encode, legal_patterns
from tests.oracles import naive_entk, output_gradients

SMALL = Environment(stimulus_pools=2, response_pools=2, features=2)


def case_of(scale: float = 3.0, hidden: int = 6, several: bool = False, environment: Environment = SMALL) -> Case:
    """A small case with repeated training patterns, its weights large enough to bend the units."""
    legal = legal_patterns(environment, (1.0, 1.0) if several else (1.0,))
    train = np.random.default_rng(5).choice(legal, 12)
    networks = scaled(base_networks(environment, hidden, [4], 0.5, -0.5), scale, "hidden")
    return Case(networks, environment, train, np.setdiff1d(legal, train))


def drawn(case: Case) -> tuple[MultitaskModule, Tensor, Tensor]:
    """The module, and its training patterns as drawn, repeats included."""
    inputs, targets = (torch.from_numpy(part) for part in encode(case.environment, case.train))
    return MultitaskModule(case.networks), inputs, targets


def loss_gradient(case: Case) -> tuple[Tensor, Tensor]:
    """All weights and dL/dtheta by autograd, flat."""
    module, inputs, targets = drawn(case)
    (module(inputs) - targets).square().sum().backward()
    weights = list(module.parameters())
    return torch.cat([w.detach().flatten() for w in weights]), torch.cat(
        [w.grad.flatten() for w in weights if w.grad is not None]
    )


def flat(networks: Networks) -> Tensor:
    return torch.cat([w.flatten() for w in networks.weights])


@pytest.mark.parametrize("logits", [False, True])
def test_jacobian_products_are_those_of_the_explicit_jacobian(logits: bool) -> None:
    case = case_of()
    at = case.at_unseen.of_logits if logits else case.at_unseen
    explicit = output_gradients(MultitaskModule(case.networks), case.unseen_inputs)
    if logits:
        explicit = explicit / (at.outputs * (1 - at.outputs))[..., None]
    numbers = torch.randn(at.outputs.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    back = at.backward(numbers)
    torch.testing.assert_close(flat(back), torch.einsum("nop,no->p", explicit, numbers))
    torch.testing.assert_close(at.forward(back), explicit @ flat(back))


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("ridge", [1e-1, 1e-4])
def test_linearised_training_is_ridge_regression_on_the_patterns_as_drawn(logits: bool, ridge: float) -> None:
    case = case_of(several=True)
    module, inputs, targets = drawn(case)
    with torch.no_grad():
        start, before = module(inputs), module(case.unseen_inputs)
    rows, unseen = (output_gradients(module, x).flatten(0, 1) for x in (inputs, case.unseen_inputs))
    if logits:
        rows, unseen = rows / (start * (1 - start)).flatten()[:, None], unseen / (before * (1 - before)).flatten()[:, None]
        wanted = torch.logit(targets.clamp(CLIP, 1 - CLIP)) - torch.logit(start)
    else:
        wanted = targets - start
    kernel = rows @ rows.T
    lam = ridge * kernel.diagonal().mean()
    change = unseen @ rows.T @ torch.linalg.solve(kernel + lam * torch.eye(len(kernel)).double(), wanted.flatten())
    change = change.reshape(before.shape)
    predicted = torch.sigmoid(torch.logit(before) + change) if logits else before + change
    expected = (predicted - case.unseen_targets).square().mean(dim=1).numpy()
    np.testing.assert_allclose(unseen_errors(case, ridge, logits), expected, rtol=1e-5, atol=1e-9)
    assert linearised_loss(case, ridge, logits) == pytest.approx(expected.mean(), rel=1e-5)


def test_linearised_training_without_ridge_learns_the_training_patterns_by_heart() -> None:
    case = case_of(hidden=30)
    wanted = case.train_targets - case.at_train.outputs
    torch.testing.assert_close(case.at_train.forward(solution(case, wanted, 1e-10, False)), wanted, atol=1e-5, rtol=0)
    assert np.isnan(linearised_loss(replace(case, unseen=case.unseen[:0]), 1e-2, False))


def test_kernels_weighted_by_counts_are_the_kernels_of_the_patterns_as_drawn() -> None:
    case = case_of()
    module, inputs, targets = drawn(case)
    gradients = output_gradients(module, inputs)
    per_output = torch.einsum("nop,mop->onm", gradients, gradients)
    summed = per_output.sum(dim=0)
    values = torch.linalg.eigvalsh(summed).flip(0)[: len(case.counts)]
    np.testing.assert_allclose(case.ntk_eigenvalues, values.numpy().clip(min=0), atol=1e-12)
    entk = naive_entk(module, inputs, inputs, targets).transpose(0, 1)
    singular = torch.linalg.svdvals(entk)[:, : len(case.counts)]
    np.testing.assert_allclose(case.entk_singular_values, singular.numpy(), atol=1e-12)
    assert spectrum.ntk_trace(case) == pytest.approx(float(summed.trace()) / len(inputs))
    assert spectrum.ntk_top_eigenvalue(case) == pytest.approx(float(values[0]) / len(inputs))
    assert spectrum.ntk_effective_rank(case) == pytest.approx(effective_rank(summed.numpy()))
    assert spectrum.spectral_gap(case) == pytest.approx(float((singular[:, 0] / singular[:, 1]).mean()))
    ranks = [effective_rank(np.diag(values)) for values in singular.numpy()]
    assert spectrum.entk_effective_rank(case) == pytest.approx(np.mean(ranks))
    flat_targets = targets.numpy()
    outer = flat_targets @ flat_targets.T
    expected = (summed.numpy() * outer).sum() / np.linalg.norm(summed.numpy()) / np.linalg.norm(outer)
    assert alignment.kernel_target_alignment(case) == pytest.approx(expected)
    aligned = np.array([[t @ k.numpy() @ t / np.linalg.norm(k.numpy()) / (t @ t) for t in flat_targets.T] for k in per_output])
    assert alignment.specialisation(case) == pytest.approx(np.mean(np.diag(aligned) / aligned.mean(axis=0)))
    movement, wanted = -entk.sum(dim=2).T, targets - module(inputs).detach()
    cosine = float((movement * wanted).sum() / movement.norm() / wanted.norm())
    assert alignment.entk_target_alignment(case) == pytest.approx(cosine)
    elsewhere = -naive_entk(module, case.unseen_inputs, inputs, targets).sum(dim=2)
    missing = case.unseen_targets - case.at_unseen.outputs
    cosine = float((elsewhere * missing).sum() / elsewhere.norm() / missing.norm())
    assert alignment.entk_unseen_alignment(case) == pytest.approx(cosine)


def test_specialisation_is_one_where_heads_are_alike() -> None:
    case = case_of()
    alike = case.networks.V1[:, :, :1].expand_as(case.networks.V1), case.networks.V2[:, :, :1].expand_as(case.networks.V2)
    same = replace(case, networks=replace(case.networks, V1=alike[0].clone(), V2=alike[1].clone()))
    assert alignment.specialisation(same) == pytest.approx(1, abs=1e-12)
    assert alignment.specialisation(case) != pytest.approx(1, abs=1e-6)


def test_kare_is_its_formula_on_distinct_patterns() -> None:
    """Explicit gradients, inverses and traces; repeated patterns change nothing."""
    case = case_of()
    module = MultitaskModule(case.networks)
    rows, count = output_gradients(module, case.train_inputs), len(case.counts)
    kernel = torch.einsum("mop,nop->mn", rows, rows)
    lam = spectrum.KARE_RIDGE * float(torch.linalg.eigvalsh(kernel / count).mean())
    inverse = torch.linalg.inv(kernel / count + lam * torch.eye(count, dtype=torch.float64))
    wanted = case.train_targets - module(case.train_inputs).detach()
    top = torch.einsum("mo,mn,no->o", wanted, inverse @ inverse, wanted).mean() / count
    assert spectrum.kare(case) == pytest.approx(float(top / (inverse.trace() / count) ** 2), rel=1e-8)
    once = replace(case, train=np.unique(case.train))
    assert spectrum.kare(once) == pytest.approx(spectrum.kare(case), rel=1e-9)
    assert len(once.train) < len(case.train)


def test_learning_curve_of_isotropic_features_is_known() -> None:
    features, samples = 50, 20
    eigenvalues = np.r_[np.full(features, 1 / features), np.zeros(10)]
    power = np.r_[np.random.default_rng(0).uniform(size=features), np.zeros(10)]
    error = spectrum.expected_error(eigenvalues, power, samples, 1e-12)
    assert error == pytest.approx((1 - samples / features) * power.sum(), rel=1e-6)
    assert spectrum.expected_error(eigenvalues, power, 1e-9, 1e-12) == pytest.approx(power.sum(), rel=1e-6)
    assert spectrum.expected_error(eigenvalues, power, 1000, 1e-12) < 1e-6 * power.sum()


def test_learning_curve_predicts_kernel_regression_on_random_draws() -> None:
    """The theory against what it is about: regression with the summed NTK on draws of training patterns."""
    environment = Environment(stimulus_pools=3, response_pools=3, features=3)
    legal = legal_patterns(environment, (1.0,))
    case = case_of(scale=2.0, hidden=40, environment=environment)
    inputs, targets = (torch.from_numpy(part) for part in encode(environment, legal))
    kernel = ntk_diagonal(case.networks, inputs, inputs)[0].sum(dim=1)
    residual = targets - forward(case.networks, inputs)[1][0]
    size, errors = 60, []
    for seed in range(30):
        chosen = np.random.default_rng(seed).choice(len(legal), size, replace=False)
        lam = spectrum.RIDGE * float(kernel.trace()) / len(legal)
        weights = torch.linalg.solve(kernel[chosen][:, chosen] + lam * torch.eye(size).double(), residual[chosen])
        errors.append(float((kernel[:, chosen] @ weights - residual).square().mean()))
    train = np.random.default_rng(0).choice(legal, size, replace=False)
    theory = spectrum.learning_curve(replace(case, train=train, unseen=np.setdiff1d(legal, train)))
    assert theory == pytest.approx(np.mean(errors), rel=0.3)
    half = train[: size // 2]
    assert spectrum.learning_curve(replace(case, train=half, unseen=np.setdiff1d(legal, half))) > 1.2 * theory


def test_cumulative_power_is_one_where_the_leading_mode_holds_all() -> None:
    assert spectrum.area_of_power(np.array([[3.0], [0], [0], [0]])) == 1
    assert spectrum.area_of_power(np.array([[0.0], [0], [0], [3.0]])) == pytest.approx(0.25)
    assert spectrum.area_of_power(np.ones((4, 2))) == pytest.approx((0.25 + 0.5 + 0.75 + 1) / 4)
    case = case_of()
    values, vectors = np.linalg.eigh(case.summed_ntk)
    wanted = (case.root[:, None] * (case.train_targets - case.at_train.outputs)).numpy()
    shares = [np.linalg.norm(vectors[:, -p:].T @ wanted) ** 2 / np.linalg.norm(wanted) ** 2 for p in range(1, len(values) + 1)]
    assert spectrum.cumulative_power(case) == pytest.approx(np.mean(shares))


def test_scores_at_initialisation_by_autograd() -> None:
    case = case_of()
    weights, slope = loss_gradient(case)
    assert initialisation.gradient_norm(case) == pytest.approx(float(slope.norm()))
    assert initialisation.snip(case) == pytest.approx(float((weights * slope).abs().sum()))
    module, inputs, targets = drawn(case)
    assert initialisation.initial_loss(case) == pytest.approx((module(inputs) - targets).square().mean().item())
    shapes = [w.shape for w in module.parameters()]

    def loss(*parts: Tensor) -> Tensor:
        w1, w2, v1, v2 = parts
        split = w1.shape[0]
        hidden = torch.sigmoid(inputs[:, :split] @ w1 + inputs[:, split:] @ w2 + module.bias)
        return (torch.sigmoid(hidden @ v1 + inputs[:, split:] @ v2 + module.bias) - targets).square().sum()

    parts = tuple(w.detach() for w in module.parameters())
    pieces = tuple(p.reshape(s) for p, s in zip(slope.split([s.numel() for s in shapes]), shapes, strict=True))
    curved = hvp(loss, parts, pieces)[1]
    expected = -sum(float((p * c).sum()) for p, c in zip(parts, curved, strict=True))
    assert initialisation.grasp(case) == pytest.approx(expected)
    hidden = torch.sigmoid(
        inputs[:, : module.W1.shape[0]] @ module.W1 + inputs[:, module.W1.shape[0] :] @ module.W2 + module.bias
    )
    hidden.retain_grad()
    outputs = torch.sigmoid(hidden @ module.V1 + inputs[:, module.W1.shape[0] :] @ module.V2 + module.bias)
    (outputs - targets).square().sum().backward()
    assert hidden.grad is not None
    assert initialisation.fisher(case) == pytest.approx(float(((hidden * hidden.grad) ** 2).sum() / 2 / len(inputs)))


def test_gradient_norm_is_what_the_kernel_says_the_loss_falls_by() -> None:
    """dL/dt = -|g|^2 under gradient flow, and = sum of eps E over patterns and outputs, with a minus."""
    case = case_of()
    module, inputs, targets = drawn(case)
    sensitivity = 2 * (module(inputs) - targets).detach()
    fall = float((sensitivity * naive_entk(module, inputs, inputs, targets).sum(dim=2)).sum())
    assert initialisation.gradient_norm(case) ** 2 == pytest.approx(fall)


def test_synflow_counts_paths() -> None:
    case = case_of()
    parts = [w.abs()[0].clone().requires_grad_() for w in case.networks.weights]
    ones = [torch.ones(p.shape[0], dtype=torch.float64) for p in parts]
    (((ones[0] @ parts[0] + ones[1] @ parts[1]) @ parts[2] + ones[3] @ parts[3]).sum()).backward()
    score = sum(float((p * p.grad).sum()) for p in parts if p.grad is not None)
    assert initialisation.synflow(case) == pytest.approx(np.log(score))
    assert initialisation.synflow(replace(case, train=case.train[:3])) == initialisation.synflow(case)
    doubled = replace(case, networks=case.networks.map(lambda w: 2 * w))
    direct = float(parts[3].detach().sum())
    assert np.exp(initialisation.synflow(doubled)) == pytest.approx(4 * (score - direct) + 2 * direct)


def test_naswot_counts_agreeing_units() -> None:
    case = case_of()
    hidden = case.at_train.hidden.numpy()
    codes = hidden > hidden.mean(axis=0)
    agree = np.array([[sum(a == b) for b in codes] for a in codes], float) + 1e-6 * np.eye(len(codes))
    assert initialisation.naswot(case) == pytest.approx(np.linalg.slogdet(agree)[1])


def test_jacobian_covariance_by_autograd() -> None:
    case = case_of()
    module, slopes = MultitaskModule(case.networks), []
    for sample in case.train_inputs:
        sample = sample.clone().requires_grad_()
        slopes.append(torch.autograd.grad(module(sample).sum(), sample)[0].numpy())
    values = np.linalg.eigvalsh(np.corrcoef(np.array(slopes))).clip(min=0) + 1e-5
    assert initialisation.jacobian_covariance(case) == pytest.approx(-(np.log(values) + 1 / values).sum(), rel=1e-6)


def test_controls_know_the_data_only() -> None:
    case = case_of()
    other = replace(case, networks=scaled(case.networks, 7.0, "both"))
    for name in ("distinct_patterns", "coverage", "input_regression"):
        assert measure(case, [name]) == measure(other, [name])
    assert controls.distinct_patterns(case) == len(set(case.train.tolist()))
    _, inputs, _ = drawn(case)

    def asked(sample: np.ndarray) -> set[tuple[int, int]]:
        stimulus, tasks = sample[:4].reshape(2, 2).argmax(axis=1), np.flatnonzero(sample[4:])
        return {(int(task), int(stimulus[task // 2])) for task in tasks}

    seen = [pair for sample in inputs.numpy() for pair in asked(sample)]
    wanted = [1 / (1 + seen.count(pair)) for sample in case.unseen_inputs.numpy() for pair in asked(sample)]
    assert controls.coverage(case) == pytest.approx(np.mean(wanted))
    gram = (inputs @ inputs.T).square()
    lam = controls.RIDGE * gram.diagonal().mean()
    weights = torch.linalg.solve(gram + lam * torch.eye(len(gram)).double(), drawn(case)[2])
    predicted = (case.unseen_inputs @ inputs.T).square() @ weights
    assert controls.input_regression(case) == pytest.approx(float((predicted - case.unseen_targets).square().mean()))


def test_task_groups_are_of_single_tasks_only() -> None:
    full = Environment()
    train = np.random.default_rng(0).choice(legal_patterns(full, (1.0,)), 500)
    networks = base_networks(full, 50, [0])
    single = Case(networks, full, train, np.setdiff1d(legal_patterns(full, (1.0,)), train))
    # By response pool, which shares no pair of tasks with the grouping by stimulus pool: below chance.
    assert alignment.task_group_ari(single) < 0
    several = np.random.default_rng(0).choice(legal_patterns(full, (1.0, 1.0)), 500)
    assert np.isnan(alignment.task_group_ari(Case(networks, full, several, train[:0])))


def test_every_predictor_is_a_number_and_blind_to_the_order_of_patterns() -> None:
    case = case_of(several=True)
    shuffled = replace(case, train=np.random.default_rng(1).permutation(case.train))
    first, second = measure(case, list(PREDICTORS)), measure(shuffled, list(PREDICTORS))
    assert list(first) == list(PREDICTORS)
    assert {name for name, value in first.items() if not np.isfinite(value)} == {"task_group_ari"}
    assert first == pytest.approx(second, nan_ok=True)
    assert all(predictor.source for predictor in PREDICTORS.values())
