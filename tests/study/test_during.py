"""Structure during training: what is measured, what is kept, and that neither changes what is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from pntk.kernels import autodiff
from pntk.network import MultitaskModule
from pntk.structure.activity import group_means, single_task_groups
from pntk.structure.rank import effective_rank
from pntk.structure.silhouette import ESTIMATORS, Clustering, silhouettes
from pntk.tasks import encode
from study.during import KERNEL_MEASURES, Observer, snapshot_steps, structure_steps, structure_work
from study.kept import read_activity, read_vectors, write_kept
from study.plan import Block, Cell, Draw, make_plan
from study.rows import read_rows
from study.sweep_file import parse_sweep
from study.trial import BlockResult, rows_of, run_block, starts_of
from study.work import work_of
from tests.pntk.test_alignment import naive_cosine
from tests.pntk.test_descent import assert_same
from tests.study.conftest import SMALL, study, study_here
from tests.study.test_run import inspect, wandb_runs

NAMES = ["svd_right", "ntk"]


def cell(**settings: Any) -> Cell:
    raw = yaml.safe_load(SMALL)
    raw["settings"] |= {"structure_records": 5, "structure_estimators": NAMES, "keep_seeds": [1], "snapshots": 5} | settings
    raw["curricula"]["brief"]["cycles"] = raw["settings"].pop("cycles", 1)
    return make_plan(parse_sweep(raw)).cell("large")


def block(seeds: tuple[int, ...] = (0, 1, 2), **settings: Any) -> Block:
    return Block(cell(**settings), tuple(Draw(seed, seed) for seed in seeds))


@pytest.fixture(scope="module", params=["gd", "flow"])
def result(request: pytest.FixtureRequest) -> BlockResult:
    return run_block(block(integrator=request.param))


def test_steps_of_records_and_snapshots() -> None:
    assert structure_steps(2500, 12) == [0, 1, 2, 5, 10, 23, 50, 109, 239, 523, 1143, 2500]
    assert structure_steps(2500, 0) == []
    assert structure_steps(2500, 3) == [0, 1, 2500]
    assert structure_steps(1, 12) == [0, 1]
    assert snapshot_steps(10_000, 101) == list(range(0, 10_001, 100))
    assert snapshot_steps(2, 101) == [0, 1, 2]


def test_training_is_the_same_bit_for_bit_without_it(result: BlockResult) -> None:
    integrator = result.block.cell.settings.integrator
    plain = run_block(block(integrator=integrator, structure_records=0, keep_seeds=[]))
    assert plain.structure == {}
    assert plain.kept == {}
    for phase, networks in plain.final.items():
        assert_same(result.final[phase], networks)
        assert np.array_equal(result.curves[phase].test, plain.curves[phase].test)
    rows = [rows_of(r, "x", {})[0] for r in (result, plain)]
    assert {name for name in rows[0] if name not in rows[1]} == {
        f"structure_{phase}_{measure}"
        for phase in ("single", "multi")
        for measure in ("steps", *(f"silhouette_{name}" for name in NAMES), *KERNEL_MEASURES)
    }


def test_silhouettes_at_step_0_are_those_of_t_0_exactly(result: BlockResult) -> None:
    for i, measured in enumerate(result.measured):
        at_0 = result.structure["single"].measures["silhouette_svd_right"][i, 0]
        assert at_0 == measured.silhouettes["svd_right"]


@pytest.mark.parametrize("phase", ["single", "multi"])
def test_the_last_record_is_that_of_the_final_networks(result: BlockResult, phase: str) -> None:
    here, structure = result.block.cell, result.structure[phase]
    assert structure.steps.tolist() == [0, 1, 3, 12, 40]
    starts = starts_of(here, result.final[phase].to(torch.float64), result.data[phase])
    for i, start in enumerate(starts):
        for name, value in silhouettes(start, NAMES, Clustering()).items():
            assert structure.measures[f"silhouette_{name}"][i, -1] == value
        kernels = []
        for networks in (result.initial.network(i), start.networks):
            full = autodiff.ntk(MultitaskModule(networks), start.train_inputs, start.train_inputs)
            kernels.append(torch.einsum("nomo->nm", full).detach().numpy())
        ideal = start.train_targets @ start.train_targets.mT
        expected = {
            "cosine": naive_cosine(*kernels),
            "cka": naive_cosine(*(k - k.mean(0) - k.mean(1)[:, None] + k.mean() for k in kernels)),
            "alignment": naive_cosine(kernels[1], ideal.numpy()),
            "effective_rank": effective_rank(kernels[1]),
        }
        for name, value in expected.items():
            assert structure.measures[name][i, -1] == pytest.approx(value, rel=1e-6)


def test_kernels_start_where_they_are_and_move(result: BlockResult) -> None:
    single, multi = (result.structure[phase].measures for phase in ("single", "multi"))
    for name in ("cka", "cosine"):
        np.testing.assert_allclose(single[name][:, 0], 1, rtol=1e-12)
        assert (single[name][:, -1] < 0.9999).all()
        assert (multi[name][:, 0] < 0.9999).all()  # the distance is from t = 0, not from the start of the phase
    for measures in (single, multi):
        assert np.isnan(measures["velocity"][:, 0]).all()
        assert (measures["velocity"][:, 1:] > 0).all()


def test_a_kernel_that_is_not_trained_does_not_move() -> None:
    measures = run_block(block((0,), learning_rate=1e-15, precision="float64")).structure["single"].measures
    assert np.abs(measures["velocity"][:, 1:]).max() < 1e-9
    np.testing.assert_allclose(measures["cka"], 1, atol=1e-12)


def test_velocity_is_the_change_between_successive_records() -> None:
    here = block((0,), precision="float64")
    velocities = run_block(here).structure["single"].measures["velocity"][0]
    kernels = []
    for steps in (3, 12):
        raw = yaml.safe_load(SMALL)
        raw["settings"] |= {"precision": "float64"}
        raw["curricula"]["brief"]["phases"][0]["steps"] = steps
        shorter = run_block(Block(make_plan(parse_sweep(raw)).cell("large"), here.draws))
        start = starts_of(here.cell, shorter.final["single"], shorter.data["single"])[0]
        kernels.append(start.ntk.sum(axis=0))
    expected = np.linalg.norm(kernels[1] - kernels[0]) / np.linalg.norm(kernels[0]) / np.log(13 / 4)
    assert velocities[3] == pytest.approx(expected, rel=1e-9)


def test_a_network_is_measured_alike_in_any_block_alone_or_together(result: BlockResult) -> None:
    here = result.block
    alone = run_block(block((1,), integrator=here.cell.settings.integrator))
    for phase, structure in alone.structure.items():
        for name, values in structure.measures.items():
            np.testing.assert_array_equal(values[0], result.structure[phase].measures[name][1])
    told: list[int] = []
    together = Observer(
        here.cell, here.draws, result.initial, result.data, lambda n, d: starts_of(here.cell, n, d), told.append
    )
    visits = together.turn(here.cell.curriculum.phases[0])
    assert visits is not None
    for step in visits.steps:  # as where the whole block advances at once
        visits.visit(0, step, result.initial if step == 0 else result.final["single"])
    for name, values in together.structure()["single"].measures.items():
        places = [0] if name == "velocity" else [0, -1]
        np.testing.assert_allclose(values[:, places], result.structure["single"].measures[name][:, places], rtol=1e-9)
    assert list(together.kept()) == [Draw(1, 1)]


def test_cycles_count_steps_on_and_progress_tells_all_work() -> None:
    told: list[int] = []
    here = block((0, 1), cycles=2)
    turned = run_block(here, progress=told.append)
    assert turned.structure["multi"].steps.tolist() == [0, 1, 3, 12, 40, 41, 43, 52, 80]
    assert np.isfinite(turned.structure["multi"].measures["cka"]).all()
    assert structure_work(here.cell) > 0
    assert sum(told) == 2 * work_of(here.cell)
    assert structure_work(cell(structure_records=0)) == 0
    kept = turned.kept[Draw(1, 1)]
    assert set(kept.phases) == {"single"}
    assert kept.steps.tolist() == [0, 10, 20, 30, 40, 40, 50, 60, 70, 80]


def test_activity_of_several_cycles_is_read_as_it_was_taken(tmp_path: Path) -> None:
    """Where a turn ends and, other phases later, the next one begins, there are two snapshots of one step."""
    done = run_block(block((1,), cycles=2, snapshots=3, structure_records=0))
    kept = done.kept[Draw(1, 1)]
    write_kept(tmp_path, "large", done.kept)
    steps, activity = read_activity(tmp_path, "large", Draw(1, 1), "single", "task")
    assert steps.tolist() == [0, 20, 40, 40, 60, 80]
    places = [g for g, (kind, _) in enumerate(kept.groups.names) if kind == "task"]
    np.testing.assert_array_equal(activity, kept.activity[:, places])
    assert not np.array_equal(activity[2], activity[3])


def test_diverged_networks_have_no_structure_rather_than_no_trial() -> None:
    lost = run_block(block((0,), learning_rate=1e9, structure_estimators=["svd_right", "ntk", "eig"]))
    assert lost.diverged.all()
    assert np.isnan(lost.structure["multi"].measures["silhouette_svd_right"][0, -1])
    here = block((0,))
    data, initial = lost.data, lost.initial
    observer = Observer(here.cell, here.draws, initial, data, lambda n, d: starts_of(here.cell, n, d), lambda _: None)
    visits = observer.turn(here.cell.curriculum.phases[0])
    assert visits is not None
    for step in visits.steps:
        visits.visit(0, step, initial if step == 0 else initial.map(lambda weights: weights * float("nan")))
    for values in observer.structure()["single"].measures.values():
        assert np.isnan(values[0, 1:]).all()


def test_kept_activity_and_vectors_are_those_of_the_networks(result: BlockResult, tmp_path: Path) -> None:
    here, draw = result.block.cell, Draw(1, 1)
    assert list(result.kept) == [draw]
    paths = write_kept(tmp_path, here.name, result.kept)
    assert sorted(path.name for path in (tmp_path / "kept" / "large").iterdir()) == [
        "1-1.activity.parquet",
        "1-1.vectors.parquet",
    ]
    groups = single_task_groups(here.environment)
    first, last = (group_means(networks.network(1), groups)[0] for networks in (result.initial, result.final["single"]))
    for kind, count in (("task", 12), ("input", 12), ("task_input", 36), ("output", 9), ("active_input", 12)):
        places = [g for g, (k, _) in enumerate(groups.names) if k == kind]
        steps, activity = read_activity(tmp_path, here.name, draw, "single", kind)
        assert steps.tolist() == [0, 10, 20, 30, 40]
        assert activity.shape == (5, count, 20)
        np.testing.assert_allclose(activity[0], first[places], rtol=1e-5)
        np.testing.assert_allclose(activity[-1], last[places], rtol=1e-5)
    vectors, start = read_vectors(tmp_path, here.name, draw), starts_of(here, result.initial, result.data["single"])[1]
    np.testing.assert_array_equal(vectors["pattern"], result.data["single"][1].train)
    np.testing.assert_array_equal(encode(here.environment, vectors["pattern"])[0], start.train_inputs.numpy())
    for name in ("svd_right", "eig"):
        np.testing.assert_array_equal(vectors[name], ESTIMATORS[name](start))
    assert write_kept(tmp_path, here.name, result.kept) == paths  # over what is there


def test_vectors_of_uneven_sets_leave_out_what_is_not_defined() -> None:
    uneven = run_block(block((1,), test_patterns=50, estimators=["svd_right"]))
    assert set(uneven.kept[Draw(1, 1)].vectors) == {"svd_right"}


@pytest.fixture(scope="module")
def during_run(small_sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("during") / "out"
    names = "settings.structure_estimators=[svd_right, ntk]"
    settings = ("settings.structure_records=5", names, "settings.keep_seeds=[0]", "settings.snapshots=3", "seeds=5")
    predictor = ("predictors=[linear_response]", "references=2", "reference_units=20", "reference_data_seed=0")
    settings += tuple(f"settings.{assignment}" for assignment in predictor)
    done = study("run", small_sweep, "--out", out, "--set", *settings, "compute.block=5")
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


def test_a_run_trains_references_once_for_its_folder(during_run: tuple[Path, str]) -> None:
    out, printed = during_run
    assert "References of linear response: 4 to train, once for this folder." in printed
    assert "4 of 4 references" in printed
    assert len(list((out / "references").glob("*.npz"))) == 4
    frame = read_rows(out)
    for phase in ("single", "multi"):
        assert frame[f"predictor_{phase}_linear_response"].nunique() == 10
        assert np.isfinite(frame[f"predictor_{phase}_linear_response"]).all()


def test_a_run_leaves_structure_in_rows_tables_pictures_and_kept_files(during_run: tuple[Path, str], tmp_path: Path) -> None:
    out, _ = during_run
    frame = read_rows(out)
    assert len(frame) == 10
    for _, row in frame.iterrows():
        assert row["structure_single_steps"].tolist() == [0, 1, 3, 12, 40]
        assert row["structure_single_silhouette_svd_right"][0] == row["silhouette_svd_right"]
        assert len(row["structure_multi_velocity"]) == 5
        assert row["structure_estimators"] == "svd_right,ntk"
    assert len(list((out / "kept").rglob("*.parquet"))) == 4
    assert read_activity(out, "standard", Draw(0, 0), "single", "task")[1].shape == (3, 12, 20)
    for name in ("over_time", "structure"):
        for kind in ("png", "svg"):
            assert (out / "figures" / f"{name}.{kind}").stat().st_size > 5000
    tables = study_here("analyse", out, "--tables").stdout
    for text in (
        "the silhouette during training against final losses",
        "simultaneous band over the steps",
        "silhouette difference",
    ):
        assert text in tables
    analysis = json.loads((out / "analysis.json").read_text())["over_time"]
    keys = {(c["measured"], c["phase"], c["outcome"], c["estimator"]) for c in analysis["curves"]}
    pairs_of_phases = [("single", "single"), ("single", "multi"), ("multi", "multi")]
    assert keys == {(*phases, outcome, name) for phases in pairs_of_phases for outcome in ("test", "unseen") for name in NAMES}
    assert (out / "analysis.md").read_text().count("the silhouette during training against final losses") == 4
    before = (out / "analysis.json").read_text()
    assert study_here("analyse", out).returncode == 0
    assert (out / "analysis.json").read_text() == before


def test_wandb_has_the_curves_of_structure(during_run: tuple[Path, str]) -> None:
    out, _ = during_run
    frame, runs = read_rows(out), wandb_runs(out)
    summary = json.loads(inspect(runs[0], "--summary"))
    config, values = summary["config"], summary["summary"]
    rows = frame[(frame["cell"] == config["cell"]) & frame["seed"].isin(config["seeds"])]
    for name in ("cka", "velocity", "alignment", "effective_rank", "silhouette_ntk"):
        for phase in ("single", "multi"):
            last = [values[-1] for values in rows[f"structure_{phase}_{name}"]]
            assert values[f"structure_{phase}/{name}_mean"] == pytest.approx(np.mean(last), rel=1e-6)
            assert values[f"structure_{phase}/{name}_q90"] == pytest.approx(np.quantile(last, 0.9), rel=1e-6)
    records = [json.loads(line) for line in inspect(runs[0]).splitlines()]
    assert sum("structure_single/cka_mean" in json.dumps(r) for r in records if r["type"] == "history") == 5
