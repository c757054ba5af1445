"""Real runs: Ray, rows, Weights & Biases offline, interruption and resumption."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ray.tune import Result

from study.folder import claim
from study.launch import _outcome, awaited
from study.plan import Draw, make_plan
from study.rows import read_rows
from study.sweep import Compute
from study.sweep_file import load_sweep
from study.trial import run_block
from tests.study.conftest import ENVIRONMENT, ROOT, study, study_here


def wandb_runs(out: Path) -> list[Path]:
    """Those of trials; each analysis leaves one of its own."""
    return [path for path in sorted((out / "wandb").glob("offline-run-*/*.wandb")) if "-analysis-" not in path.name]


def inspect(path: Path, *options: str) -> str:
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", *options, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def same_rows(left: Path, right: Path) -> None:
    pd.testing.assert_frame_equal(read_rows(left), read_rows(right))


def test_a_run_prints_plan_answer_and_files(small_run: tuple[Path, str]) -> None:
    _, printed = small_run
    for text in (
        "2 cells, 12 networks",
        "Estimated time",
        "Do the conditions differ (small: standard against large)?",
        "rows:",
    ):
        assert text in printed
    assert "6 seeds a contrast (small): enough to see whether conditions differ" in printed
    last = printed[printed.index("Do the conditions differ") :].splitlines()
    assert len(last) <= 24  # a terminal's height: the answer, all verdicts in a few rows, the time
    assert "P values:" not in printed
    assert "Configuration for experiment" not in printed  # Tune's own tables


def test_a_run_leaves_a_row_per_network_and_an_analysis(small_run: tuple[Path, str]) -> None:
    out, _ = small_run
    frame = read_rows(out)
    assert sorted(zip(frame["cell"], frame["seed"], strict=True)) == [(c, s) for c in ("large", "standard") for s in range(6)]
    assert not frame["diverged"].any()
    assert (frame["version_torch"] != "").all()
    analysis = json.loads((out / "analysis.json").read_text())
    assert {r["contrast"] for r in analysis["results"]} == {"small"}
    assert len(pd.read_csv(out / "analysis.csv")) == len(analysis["results"])


def test_cells_share_the_data_and_base_draws_of_a_seed(small_run: tuple[Path, str], tmp_path: Path) -> None:
    out, _ = small_run
    arrays = {}
    for cell in ("standard", "large"):
        to = tmp_path / f"{cell}.npz"
        done = study_here("export", out, "--cell", cell, "--seed", "4", "--to", to)
        assert done.returncode == 0, done.stderr
        arrays[cell] = dict(np.load(to))
    standard, large = arrays["standard"], arrays["large"]
    for name in ("base_W1", "base_V2", "single_train_inputs", "multi_test_targets", "initial_V1"):
        np.testing.assert_array_equal(standard[name], large[name])
    np.testing.assert_array_equal(standard["initial_W1"] * 10, large["initial_W1"])
    shapes = {"initial_W1": (12, 20), "initial_W2": (12, 20), "initial_V1": (20, 9), "initial_V2": (12, 9)}
    for name, shape in shapes.items():
        assert standard[name].shape == standard[name.replace("initial", "final_multi")].shape == shape


def test_an_export_can_be_checked_by_hand(small_run: tuple[Path, str], tmp_path: Path) -> None:
    out, _ = small_run
    to = tmp_path / "net.npz"
    done = study_here("export", out, "--cell", "large", "--seed", "2", "--to", to)
    assert "largest relative difference from the losses in the study's rows: 0.0e+00" in done.stdout
    a = np.load(to)
    row = read_rows(out).query("cell == 'large' and seed == 2").iloc[0]

    def sigmoid(z: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-z))

    for phase in ("single", "multi"):
        for kind in ("train", "test"):
            x, t = a[f"{phase}_{kind}_inputs"], a[f"{phase}_{kind}_targets"]
            w1, w2, v1, v2 = (a[f"final_{phase}_{name}"] for name in ("W1", "W2", "V1", "V2"))
            hidden = sigmoid(x[:, :12] @ w1 + x[:, 12:] @ w2 + a["bias"])
            loss = np.mean((sigmoid(hidden @ v1 + x[:, 12:] @ v2 + a["bias"]) - t) ** 2)
            assert loss == pytest.approx(row[f"loss_{phase}_{kind}"], rel=1e-4)


def test_export_refuses_what_is_not_there(small_run: tuple[Path, str], tmp_path: Path) -> None:
    out, _ = small_run
    for arguments in (("--cell", "huge", "--seed", "0"), ("--cell", "large", "--seed", "99")):
        refused = study_here("export", out, *arguments, "--to", tmp_path / "x.npz")
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1


def test_offline_wandb_runs_hold_settings_curves_rows_and_summary(small_run: tuple[Path, str]) -> None:
    out, _ = small_run
    frame = read_rows(out)
    runs = wandb_runs(out)
    assert len(runs) == 6  # 12 networks in blocks of 2
    seen = set()
    for path in runs:
        summary = json.loads(inspect(path, "--summary"))
        config, values = summary["config"], summary["summary"]
        rows = frame[(frame["cell"] == config["cell"]) & frame["seed"].isin(config["seeds"])]
        seen |= {(config["cell"], seed) for seed in config["seeds"]}
        assert summary["project"] == "pntk"
        assert config["init_scale"] == rows["init_scale"].iloc[0]
        for column in ("silhouette_eig", "silhouette_svd_right", "loss_single_test", "loss_multi_test", "loss_multi_unseen"):
            assert values[column] == pytest.approx(rows[column].mean(), rel=1e-6)
        tables = [json.loads(p.read_text()) for p in path.parent.rglob("*.table.json")]
        assert len(tables) == 1
        index = tables[0]["columns"].index("loss_multi_test")
        assert sorted(r[index] for r in tables[0]["data"]) == pytest.approx(sorted(rows["loss_multi_test"]))
    assert len(seen) == 12
    records = [json.loads(line) for line in inspect(runs[0]).splitlines()]
    assert any(r.get("run", {}).get("run_group", "").startswith("small-") for r in records)
    history = [r["history"] for r in records if r["type"] == "history"]
    text = json.dumps(history)
    for name in ("curve_single/test_mean", "curve_multi/train_q90", "step_multi"):
        assert name in text
    summary = json.loads(inspect(runs[0], "--summary"))
    rows = frame[(frame["cell"] == summary["config"]["cell"]) & frame["seed"].isin(summary["config"]["seeds"])]
    for part, quantile in (("q10", 0.1), ("median", 0.5), ("q90", 0.9)):
        expected = np.quantile([curve[-1] for curve in rows["curve_multi_test"]], quantile)
        assert summary["summary"][f"curve_multi/test_{part}"] == pytest.approx(expected, rel=1e-6)


def test_a_finished_run_computes_nothing_again(small_sweep: Path, small_run: tuple[Path, str]) -> None:
    out, _ = small_run
    before = {path: path.stat().st_mtime_ns for path in (out / "rows").rglob("*.parquet")}
    again = study("run", small_sweep, "--out", out)
    assert again.returncode == 0
    assert "left: 0 networks" in again.stdout
    assert before == {path: path.stat().st_mtime_ns for path in (out / "rows").rglob("*.parquet")}
    assert len(wandb_runs(out)) == 6


def test_another_configuration_in_the_same_folder_is_refused_in_one_line(
    small_sweep: Path, small_run: tuple[Path, str]
) -> None:
    out, _ = small_run
    refused = study("run", small_sweep, "--out", out, "--set", "cells.large.init_scale=5")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "cells.large.init_scale: 10 there, 5 here" in refused.stderr
    relaid = study("run", small_sweep, "--out", out, "--set", "compute.block=6")  # layout is no part of it
    assert relaid.returncode == 0


def test_resume_after_losing_rows_gives_the_same_rows_in_other_blocks(
    small_sweep: Path, small_run: tuple[Path, str], tmp_path: Path
) -> None:
    out, _ = small_run
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    for path in sorted((copy / "rows" / "large").glob("*.parquet"))[:2]:
        path.unlink()
    shutil.rmtree(copy / "ray")  # Tune's state is of no importance
    again = study("run", small_sweep, "--out", copy, "--set", "compute.block=3", "--wandb", "disabled")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "left: 4 networks" in again.stdout
    same_rows(copy, out)


LONGER = ("--set", "curricula.brief.phases.0.steps=6000", "--set", "seeds=4", "--set", "compute.block=1")


@pytest.mark.parametrize(
    "sign", [pytest.param(signal.SIGINT, id="ctrl-c"), pytest.param(signal.SIGKILL, id="kill", marks=pytest.mark.slow)]
)
def test_an_interrupted_run_goes_on_where_it_stopped(small_sweep: Path, tmp_path: Path, sign: signal.Signals) -> None:
    out = tmp_path / "out"
    arguments = [sys.executable, "-m", "study", "run", str(small_sweep), "--out", str(out), "--wandb", "disabled", *LONGER]
    process = subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list((out / "rows").rglob("*.parquet")):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    if sign is signal.SIGINT:
        os.killpg(process.pid, sign)  # a terminal sends Ctrl-C to the whole group, Ray's processes included
    else:
        process.send_signal(sign)
    printed, _ = process.communicate(timeout=60)
    if sign is signal.SIGINT:
        assert process.returncode == 1
        assert "the same command goes on from there" in printed
        assert "Traceback" not in printed
    kept = {path: path.stat().st_mtime_ns for path in (out / "rows").rglob("*.parquet")}
    assert 0 < len(kept) < 8
    again = study("run", small_sweep, "--out", out, "--wandb", "disabled", *LONGER)
    assert again.returncode == 0, again.stdout + again.stderr
    after = {path: path.stat().st_mtime_ns for path in (out / "rows").rglob("*.parquet")}
    assert len(after) == 8
    assert kept.items() <= after.items()
    undisturbed = make_plan(load_sweep(small_sweep, tuple(o for o in LONGER if o != "--set")))
    expected = {(b.cell.name, d.seed): run_block(b).losses for b in undisturbed.blocks() for d in b.draws}
    frame = read_rows(out)
    assert len(frame) == len(expected) == 8
    for _, row in frame.iterrows():
        for name, values in expected[row["cell"], row["seed"]].items():
            assert row[f"loss_{name}"] == pytest.approx(values[0], rel=1e-4)


def test_failed_trials_are_named_the_rest_completes_and_wandb_costs_a_warning(small_sweep: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    claim(out, make_plan(load_sweep(small_sweep, ("seeds=4",))))
    (out / "rows").mkdir()
    (out / "rows" / "large").write_text("in the way of the folder of one cell's rows")
    (out / "wandb").write_text("in the way of the folder of W&B")
    done = study("run", small_sweep, "--out", out, "--set", "seeds=4")
    assert done.returncode == 1
    assert "failed: large/0-1:" in done.stdout
    assert "failed: large/2-3:" in done.stdout
    assert "FileExistsError" in done.stdout or "NotADirectoryError" in done.stdout
    assert "4 of 8 networks are finished" in done.stdout
    assert set(read_rows(out)["cell"]) == {"standard"}
    assert done.stdout.count("warning: Weights & Biases") == 1


CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.mark.slow
def test_a_run_on_a_cluster_of_two_nodes_that_is_already_there(small_sweep: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cluster = subprocess.Popen([sys.executable, "-c", CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert cluster.stdin is not None
    assert cluster.stdout is not None
    try:
        address = cluster.stdout.readline().strip()
        done = study("run", small_sweep, "--out", out, "--set", "seeds=2", "--wandb", "disabled", "--address", address)
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(read_rows(out)) == 4
    finally:
        cluster.stdin.close()
        cluster.wait(timeout=60)


def test_what_no_node_of_a_cluster_has_is_said_before_it_is_waited_for() -> None:
    nodes = [
        {"Alive": True, "Resources": {"CPU": 16.0}},
        {"Alive": True, "Resources": {"CPU": 4.0, "GPU": 1.0}},
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
    ]
    assert awaited(Compute(cpus_per_trial=16), nodes) == ""
    assert awaited(Compute(cpus_per_trial=4, gpus_per_trial=0.5), nodes) == ""
    says = "compute.cpus_per_trial = 1, compute.gpus_per_trial = 2: a node of this cluster has 16 CPUs, 1 GPUs at most now"
    assert says in awaited(Compute(gpus_per_trial=2), nodes)
    assert "8, compute.gpus_per_trial = 1:" in awaited(Compute(cpus_per_trial=8, gpus_per_trial=1), nodes)
    assert "has 0 CPUs, 0 GPUs at most" in awaited(Compute(), nodes[2:])


def test_blocks_that_never_started_are_not_called_failed() -> None:
    fields = ("data=crossed", "data_seeds=4", "seeds=1", "compute.block=1", "linear=null")
    crossed = load_sweep(ROOT / "sweeps" / "paper.yaml", fields)
    blocks = [block for block in make_plan(crossed).blocks() if block.cell.name == "large"]
    assert [block.label for block in blocks] == ["large/0-0", "large/0:1-0:1", "large/0:2-0:2", "large/0:3-0:3"]
    failure = Result({"config": {"job": (0, 2)}, "failed": "too large"}, None, None, "")
    ended = _outcome([failure, Result({"config": {"job": (0, 0)}}, None, None, "")], blocks, {("large", Draw(0, 0))})
    assert ended.failed == {"large/0:2-0:2": "too large"}
    assert ended.interrupted
    done = {("large", Draw(0, number)) for number in (0, 1, 3)}
    assert not _outcome([failure], blocks, done).interrupted


@pytest.mark.slow
def test_wandb_that_cannot_be_reached_keeps_its_runs_offline(small_sweep: Path, tmp_path: Path) -> None:
    nowhere = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "0" * 40}
    out = tmp_path / "out"
    command = [sys.executable, "-m", "study", "run", str(small_sweep), "--out", str(out), "--wandb", "online"]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT | nowhere, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("warning: Weights & Biases") == 1
    assert "wandb sync" in done.stdout
    assert len(wandb_runs(out)) >= 6
    assert len(read_rows(out)) == 12


def test_help_is_worth_reading() -> None:
    for command in ((), ("run",), ("analyse",), ("export",), ("bench",)):
        done = study(*command, "--help")
        assert done.returncode == 0
        assert len(done.stdout) > 300
