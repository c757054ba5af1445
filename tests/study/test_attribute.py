"""The attribute command on a small sweep, and what its files say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pntk.tasks import Environment
from study.attribution_sheets import task_names
from study.bench import BENCHES
from study.bench import path as path_bench
from study.rows import read_rows
from tests.study.conftest import study_here


def test_attribute_splits_the_change_of_every_output(small_run: tuple[Path, str], tmp_path: Path) -> None:
    out, _ = small_run
    to = tmp_path / "attribution"
    done = study_here("attribute", out, "--cell", "standard", "large", "--seed", "3", "--to", to, "--thin", "2")
    assert done.returncode == 0, done.stderr
    assert "completeness error" in done.stdout
    rows = read_rows(out)
    for cell in ("standard", "large"):
        arrays = np.load(to / f"{cell}-3.npz")
        row = rows.query("cell == @cell and seed == 3").iloc[0]
        summary = json.loads((to / "attribution.json").read_text())["networks"][["standard", "large"].index(cell)]
        for phase, numbers in zip(("single", "multi"), summary, strict=True):
            kernel, change = arrays[f"{phase}_kernel"], arrays[f"{phase}_change"]
            np.testing.assert_allclose(kernel.sum(axis=2), change, rtol=1e-7, atol=1e-11)
            assert arrays[f"{phase}_train_counts"].sum() == 60
            assert kernel.shape == (len(arrays[f"{phase}_test_inputs"]), 9, len(arrays[f"{phase}_train_inputs"]))
            assert numbers["completeness_error"] == float(arrays[f"{phase}_completeness_error"]) < 1e-10
            assert numbers["losses"][2] == pytest.approx(row[f"loss_{phase}_test"], rel=1e-3)  # the study's is in float32
    for name in ("attribution-single.svg", "attribution-multi.png", "attribution.md"):
        assert (to / name).stat().st_size > 1000


def test_turns_of_a_phase_are_summed(small_sweep: Path, tmp_path: Path) -> None:
    interleaved = tmp_path / "turns.yaml"
    interleaved.write_text(small_sweep.read_text().replace("  brief:\n", "  brief:\n    cycles: 2\n"))
    done = study_here("attribute", interleaved, "--cell", "large", "--seed", "0", "--to", tmp_path, "--thin", "8")
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "attribution.json").read_text())["networks"][0]
    for numbers in summary:
        assert numbers["steps"] == 80
        assert sum(numbers["nodes"].values()) == 10
        assert numbers["completeness_error"] < 1e-10


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ("", ("--cell", "huge"), "cell = 'huge': unknown"),
        ("", ("--seed", "99"), "--seed = 99: not in cell 'large'"),
        ("", ("--thin", "0"), "--thin = 0: must be at least 1"),
        ("", ("--workers", "0"), "--workers = 0: must be at least 1"),
        ("", ("--cell", "large", "large"), "names must differ"),
        ("integrator: flow", (), "cells.large.integrator = 'flow': only 'gd'"),
        ("batch_size: 5", (), "phase 'single' has batch_size 5, only full batch"),
    ],
)
def test_what_cannot_be_attributed_is_refused(
    small_sweep: Path, tmp_path: Path, change: str, arguments: tuple[str, ...], message: str
) -> None:
    text = small_sweep.read_text()
    if change.startswith("batch"):
        text = text.replace("task_counts: [1], ", f"task_counts: [1], {change}, ")
    elif change:
        text = text.replace("settings: {", f"settings: {{{change}, ")
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(text)
    options = {"--cell": ("large",), "--seed": ("0",), "--to": (str(tmp_path / "to"),)}
    if arguments:
        options[arguments[0]] = arguments[1:]
    refused = study_here("attribute", sweep, *(word for name, values in options.items() for word in (name, *values)))
    assert refused.returncode == 2
    assert message in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "to").exists()


def test_other_networks_folders_and_environments_are_refused_in_one_line(small_sweep: Path, tmp_path: Path) -> None:
    mixed, linear, file = tmp_path / "mixed.yaml", tmp_path / "linear.yaml", tmp_path / "file"
    mixed.write_text(small_sweep.read_text().replace("cells:\n", "cells:\n  other: {stimulus_pools: 3, response_pools: 4}\n"))
    linear.write_text("name: linear\nnetwork: linear\ncells: {source: {}}\n")
    file.write_text("")
    for sweep, cells, to, message in (
        (linear, ("source",), tmp_path / "to", "of the linear network"),
        (mixed, ("large", "other"), tmp_path / "to", "different pools"),
        (small_sweep, ("large",), file / "to", "cannot be made"),
    ):
        refused = study_here("attribute", sweep, "--cell", *cells, "--seed", "0", "--to", to)
        assert refused.returncode == 2
        assert message in refused.stderr
        assert refused.stderr.count("\n") == 1


def test_a_network_that_never_moves_has_no_completeness_error_and_valid_json(small_sweep: Path, tmp_path: Path) -> None:
    saturated = "settings: {scaled_layers: both, bias: -1000, "
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(small_sweep.read_text().replace("settings: {", saturated))
    done = study_here("attribute", sweep, "--cell", "large", "--seed", "0", "--to", tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "attribution.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["networks"][0][0]["completeness_error"] is None


def test_tasks_are_named_by_their_pools() -> None:
    assert task_names(Environment(2, 2, 3)) == ["1>1", "1>2", "2>1", "2>2"]


def test_bench_path_orders_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"STEPS": 20, "HIDDEN": 20, "PATTERNS": 60, "THINNING": (2, 4), "STEP_ROUNDS": 2}.items():
        monkeypatch.setattr(path_bench, name, value)
    numbers = BENCHES["path"](Console(quiet=True))
    errors = numbers["completeness_error"]
    assert list(errors) == ["euler", "trapezoid", "simpson", "gauss3", "default"]
    assert errors["euler"] > errors["trapezoid"] > errors["simpson"] > errors["gauss3"]
    assert errors["default"] < 1e-10
    thin = numbers["thinning"]
    assert thin["2"]["kernel_error"] < thin["4"]["kernel_error"]
    assert max(entry["completeness_error"] for entry in thin.values()) < 1e-10
    assert set(numbers["step_ratio"]) == set(errors)
