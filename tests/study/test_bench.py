"""Benches: what they compare must agree; the speeds themselves are for people, not for tests."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from pntk.data import draw_phase_data, pattern_block
from pntk.network import base_networks, scaled
from pntk.predictors.registry import PREDICTORS
from pntk.tasks import Environment
from pntk.training.flow import follow_flow
from pntk.training.workspace import Workspace
from study.bench import BENCHES
from study.bench import analysis as analysis_bench
from study.bench import first as first_bench
from study.bench import flow as flow_bench
from study.bench import fused as fused_bench
from study.bench import predictors as predictors_bench
from study.bench import response as response_bench
from study.bench import scale as scale_bench
from study.bench import silhouette as silhouette_bench
from study.bench import sweep as sweep_bench
from study.bench import train as train_bench
from study.bench.flow import cells_of
from study.bench.jax_baseline import jax_training
from study.cost import DOUBLE, PROBE_PHASE, StepModel, fitted, flow_steps, reference_seconds, steps_of_reference
from study.threads import threads
from tests.study.conftest import study_here


def test_bench_train_compares_equal_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "NAIVE_STEPS": 5,
        "VMAP_STEPS": 2,
        "CHECK_STEPS": 100,
        "BLOCKS": {1: 5, 8: 2, 64: 1},
        "EQUAL_LOSS_STEPS": 300,
    }.items():
        monkeypatch.setattr(train_bench, name, value)
    numbers = BENCHES["train"](Console(quiet=True))
    assert numbers["relative_loss_difference"] < 1e-3
    assert set(numbers["milliseconds_per_step"]) == {"naive", "vmap", "ours_1", "ours_8", "ours_64"}
    assert numbers["ratio_step_to_naive"] > 0
    assert numbers["ratio_to_equal_loss_to_naive"] > 0
    assert numbers["equal_loss_largest_difference"] < 0.05


def test_bench_predictors_solves_what_the_dense_solution_solves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictors_bench, "HIDDEN", 20)
    monkeypatch.setattr(predictors_bench, "PATTERNS", 60)
    numbers = BENCHES["predictors"](Console(quiet=True))
    assert numbers["largest_difference"] < 1e-5
    assert set(numbers["steps"]) == {"standard", "large"}
    assert all(cost > 0 for costs in numbers["steps"].values() for cost in costs.values())
    assert set(PREDICTORS) == {c.removeprefix("predictor_single_") for c in numbers["steps"]["large"] if "_single_" in c}


def test_bench_response_asks_a_reference_and_trains_what_it_speaks_of() -> None:
    numbers = response_bench.bench_response(Console(quiet=True), steps=20, units=30)
    assert set(numbers["seconds"]) == {"a reference", "its answers", "training"}
    assert 0 < numbers["ratio"] < 100
    np.testing.assert_allclose(numbers["predicted"], numbers["true"], rtol=0.1)


def test_the_vmap_baseline_takes_the_naive_steps() -> None:
    networks, _, inputs, targets = train_bench._setting(2)
    modules = [train_bench.MultitaskModule(networks, i) for i in range(2)]
    trained = train_bench.vmapped(modules, inputs, targets, 3)
    for i, module in enumerate(modules):
        train_bench.naive(module, inputs[i], targets[i], 3)
        for name, parameter in module.named_parameters():
            torch.testing.assert_close(trained[name][i], parameter.detach(), rtol=1e-4, atol=1e-6)


def test_bench_silhouette_and_analysis_run_on_small_work(monkeypatch: pytest.MonkeyPatch) -> None:
    short = tuple(replace(phase, steps=5) for phase in silhouette_bench.PHASES)
    monkeypatch.setattr(silhouette_bench, "PHASES", short)
    monkeypatch.setattr(silhouette_bench, "ESTIMATORS", {"svd_right": None, "inputs": None})
    numbers = BENCHES["silhouette"](Console(quiet=True))
    assert numbers["share_of_training"] > 0
    assert len(numbers["vectors"]) == 3
    assert analysis_bench.simulated_rows(20, 2).shape[0] == 40


def test_bench_entk_compares_equal_kernels_and_writes_json(tmp_path: Path) -> None:
    done = study_here("bench", "entk", "--json", tmp_path / "entk.json")
    assert done.returncode == 0
    numbers = json.loads((tmp_path / "entk.json").read_text())
    assert numbers["relative_difference"] < 1e-10
    assert "times faster" in done.stdout


def test_jax_takes_the_same_steps_where_it_is_installed() -> None:
    networks, _, inputs, targets = train_bench._setting(1)
    train = jax_training(networks, inputs[0], targets[0], train_bench.RATE)
    if importlib.util.find_spec("jax") is None:
        assert train is None
        return
    module = train_bench.MultitaskModule(networks)
    train_bench.naive(module, inputs[0], targets[0], 20)
    assert train is not None
    assert train(20) == pytest.approx((module(inputs[0]) - targets[0]).square().mean().item(), rel=1e-4)


def test_bench_flow_compares_the_integrators_on_the_same_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    short = {name: (200, rates) for name, (_, rates) in flow_bench.REGIMES.items()}
    monkeypatch.setattr(flow_bench, "REGIMES", short)
    numbers = flow_bench.bench_flow(Console(quiet=True), seeds=3)
    for name in ("baseline_standard", "baseline_large", "lr_tuned_large"):
        assert numbers[name]["same_silhouettes"]
        assert numbers[name]["single_train"]["relative"] < 0.05
    assert set(numbers["baseline_multi_test"]) == {"gd", "flow"}


@pytest.mark.slow
def test_fused_steps_are_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_bench, "STEPS", 5)
    numbers = BENCHES["fused"](Console(quiet=True))
    compared = {"torch.compile", "numba"} - set(numbers["missing"])
    if not compared:
        pytest.skip(f"nothing to compare with: {numbers['missing']}")
    assert max(numbers["largest_difference"][name] for name in compared) < 1e-5


def test_the_cost_model_fits_what_it_is_made_of_and_workers_work() -> None:
    truth = StepModel(0.1, 2e-6, 3e-7)
    widths, patterns = zip(*[(h, n) for h in (50, 800, 2000) for n in (100, 5000)], strict=True)
    found = fitted(widths, patterns, [truth(h, n) for h, n in zip(widths, patterns, strict=True)])
    assert vars(found) == pytest.approx(vars(truth))
    seconds, distinct = scale_bench.seconds_per_step(20, 100, rounds=1)
    assert seconds > 0
    assert 90 < distinct <= 100
    assert scale_bench._work(0.05) > 0


def test_bench_scale_says_networks_a_minute_by_block_and_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WIDTHS": (50, 200), "PATTERNS": (100, 500), "BLOCKS": (1, 2), "TARGET_SECONDS": 0.01}.items():
        monkeypatch.setattr(scale_bench, name, value)
    monkeypatch.setattr(scale_bench, "workers_speed", lambda: {1: 100.0, 2: 180.0})
    numbers = scale_bench.bench_scale(Console(quiet=True))
    speeds = numbers["networks_a_minute"]
    assert list(speeds) == ["1 core, 1 a block", "1 core, 2 a block", "1 worker, wall time", "2 workers, wall time"]
    assert speeds["2 workers, wall time"] == pytest.approx(60 * 180 / 5_000)
    assert numbers["two_workers"] == pytest.approx(1.8)
    assert speeds["1 core, 2 a block"] == pytest.approx(60 / 5_000 / numbers["seconds_by_block"][2])
    assert len(numbers["points"]) == 4


@pytest.mark.slow
def test_two_workers_do_more_than_one() -> None:
    speeds = scale_bench.workers_speed(1.0, 3)
    assert speeds[2] > speeds[1] > 0


@pytest.mark.parametrize(("steps", "rate", "scale"), [(300, 0.01, 1.0), (2500, 0.01, 10.0)])
def test_the_plan_prices_the_flow_by_what_it_takes(
    monkeypatch: pytest.MonkeyPatch, steps: int, rate: float, scale: float
) -> None:
    phase = replace(PROBE_PHASE, steps=steps, learning_rate=rate)
    drawn = draw_phase_data(Environment(), phase, 0, 500, 500)
    train, test = (pattern_block(Environment(), [ids], torch.float32) for ids in (drawn.train, drawn.test))
    networks = scaled(base_networks(Environment(), 200, [0]), scale, "hidden").to(torch.float32)
    gradients: list[int] = []
    backward = Workspace.backward

    def counted(work: Workspace) -> None:
        gradients.append(1)
        backward(work)

    monkeypatch.setattr(Workspace, "backward", counted)
    with threads(1):
        follow_flow(networks, train, test, steps, rate)
    assert 0.7 < flow_steps(phase) / len(gradients) < 1.6
    assert len(gradients) < 1.5 * steps  # where it does not pay, it does not cost much either


def test_the_plan_prices_cells_by_their_size_and_precision() -> None:
    cells = cells_of("lr_tuned", 1)
    step = steps_of_reference(cells["standard"])
    assert step == pytest.approx(1, rel=0.1)  # the reference network, on fewer distinct patterns in one of two phases
    wide = replace(cells["standard"], settings=cells["standard"].settings.model_copy(update={"hidden_units": 800}))
    assert 3 < steps_of_reference(wide) / step < 4.5
    double = replace(wide, settings=wide.settings.model_copy(update={"precision": "float64"}))
    assert steps_of_reference(double) == pytest.approx(DOUBLE * steps_of_reference(wide))
    assert reference_seconds() > 0


@pytest.mark.slow
def test_bench_sweep_goes_the_way_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SIDE": 2, "SEEDS": 1, "STEPS": 20, "SAMPLED": 2}.items():
        monkeypatch.setattr(sweep_bench, name, value)
    numbers = sweep_bench.bench_sweep(Console(quiet=True), trials=(2,))
    assert numbers["cells"] == 4
    assert 0 < numbers["pure_cpu"] < numbers["real"]["cpu"]
    assert {"driver", "GCS", "raylet", "worker"} <= set(numbers["simulated"][0]["megabytes"])
    assert sweep_bench.simulated_plan(300).networks == len(sweep_bench.simulated_plan(300).blocks()) == 300


def test_bench_first_compares_ways_that_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HIDDEN": 30, "PATTERNS": 90, "STEPS": 5, "STATES": (10, 11)}.items():
        monkeypatch.setattr(first_bench, name, value)
    numbers = BENCHES["first"](Console(quiet=True))
    assert numbers["largest_difference"] < 1e-6
    assert numbers["steps_equal"]
    assert numbers["alone"] > 9
    assert set(numbers["ratios"]) >= {"baseline", "LR-tuned", "a gradient step"}
