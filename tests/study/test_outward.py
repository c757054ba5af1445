"""Nothing leaves the machine unless the command line says so: what files, stored folders and the environment may decide."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from study.folder import claim, stored_sweep
from study.outward import check_no_settings, chosen, less, mode_of_environment, named, remembered
from study.sweep import SweepError, Tracking
from study.sweep_file import load_sweep, parse_sweep
from study.tracking_analysis import LOGGED, logged_analysis
from study.wandb_run import _own_environment, attempt, shortened
from tests.study.conftest import ENVIRONMENT, ROOT, SMALL, study_here
from tests.study.test_dashboard import inspect

TINY: dict[str, Any] = yaml.safe_load(SMALL) | {"seeds": 2, "compute": {"block": 2}}
LINEAR: dict[str, Any] = {"name": "along", "network": "linear", "seeds": 2, "cells": {"source": {}}}
PROJECT_ONLY = {"wandb": {"project": "suggested", "mode": "disabled"}}


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variables of W&B, no settings of the user's, a working folder of the test's own."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"wandb": {"mode": "online"}}, "--wandb online"),
        ({"wandb": {"entity": "someone"}}, "--entity"),
        ({"linear": LINEAR | {"wandb": {"mode": "online"}}}, "--wandb online"),
        ({"linear": LINEAR | {"wandb": {"entity": "someone", "mode": "offline"}}}, "--entity"),
    ],
)
@pytest.mark.parametrize("command", ["run", "scan"])
def test_a_file_that_would_go_online_or_name_an_entity_is_refused(
    changes: dict[str, Any], flag: str, command: str, tmp_path: Path
) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(TINY | changes))
    refused = study_here(command, path, "--out", tmp_path / "out")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert flag in refused.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("assignment", ["wandb.mode=online", "wandb.entity=someone", "wandb.project=a/b", "wandb.project=''"])
def test_an_assignment_is_no_flag(assignment: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(TINY))
    with pytest.raises(SweepError, match="wandb"):
        load_sweep(path, (assignment,))


def test_a_file_may_say_less_and_suggest_a_project() -> None:
    assert parse_sweep(TINY | PROJECT_ONLY).wandb == Tracking(mode="disabled", project="suggested")
    assert parse_sweep(TINY | {"wandb": {"entity": None, "per_seed": True}}).wandb == Tracking(per_seed=True)


def test_a_folder_of_an_earlier_version_is_read_but_takes_nobody_online(tmp_path: Path) -> None:
    claim(tmp_path / "out", parse_sweep(TINY | {"linear": LINEAR}))
    path = tmp_path / "out" / "sweep.json"
    stored = json.loads(path.read_text())
    for part in (stored, stored["linear"]):
        part["wandb"] = {"mode": "online", "project": "a/b", "entity": "someone", "per_seed": True}
    path.write_text(json.dumps(stored))
    sweep = stored_sweep(tmp_path / "out")
    assert sweep.linear is not None
    assert sweep.wandb == sweep.linear.wandb == Tracking(mode="offline", per_seed=True)


def options(**said: str) -> Namespace:
    return Namespace(**{"wandb": None, "entity": None, "project": None} | said)


@pytest.mark.parametrize(
    ("flag", "environment", "file", "mode"),
    [
        (None, None, "offline", "offline"),
        (None, "online", "offline", "offline"),  # the environment can only make it less
        (None, "disabled", "offline", "disabled"),
        (None, "dryrun", "disabled", "disabled"),
        (None, "", "disabled", "disabled"),
        ("online", None, "disabled", "online"),
        ("online", "run", "offline", "online"),
        ("online", "offline", "offline", "offline"),
        ("online", "dryrun", "offline", "offline"),
        ("online", "OFFLINE", "offline", "offline"),
        ("online", "perhaps", "offline", "offline"),
        ("online", "disabled", "offline", "disabled"),
        ("offline", "disabled", "offline", "disabled"),
        ("offline", "online", "disabled", "offline"),
    ],
)
def test_the_least_of_flag_environment_and_file_decides(
    flag: str | None, environment: str | None, file: Any, mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    if environment is not None:
        monkeypatch.setenv("WANDB_MODE", environment)
    said = options() if flag is None else options(wandb=flag)
    assert chosen(said, Tracking(mode=file), tmp_path, Console()).mode == mode
    told = capsys.readouterr().out
    assert (f"{mode} instead of --wandb {flag}, as WANDB_MODE={environment} says" in told) == (flag not in (None, mode))


def test_what_a_folder_remembers_takes_nobody_online() -> None:
    kept = remembered(Tracking(mode="online", entity="me", project="mine"))
    assert kept == Tracking(mode="offline", project="mine")
    assert remembered(Tracking(mode="disabled")).mode == "disabled"


def test_entity_and_project_come_from_flags_then_environment_then_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def found(**said: str) -> tuple[str | None, str]:
        tracking = chosen(options(**said), Tracking(project="suggested"), tmp_path, Console(quiet=True))
        assert named(options(**said), "suggested") == (tracking.entity or "", tracking.project)
        return tracking.entity, tracking.project

    assert found() == (None, "suggested")
    settings = tmp_path / "config" / "settings"
    settings.parent.mkdir()
    settings.write_text("[default]\nentity = team\nproject = theirs\n")
    assert found() == ("team", "theirs")
    local = Path("wandb") / "settings"
    local.parent.mkdir()
    local.write_text("[default]\nproject = here\nmode = offline\n")
    assert found() == ("team", "here")
    assert chosen(options(wandb="online"), Tracking(), tmp_path, Console(quiet=True)).mode == "offline"  # `wandb offline`
    monkeypatch.setenv("WANDB_ENTITY", "lab")
    monkeypatch.setenv("WANDB_PROJECT", "ours")
    assert found() == ("lab", "ours")
    assert found(entity="e", project="p") == ("e", "p")
    for wrong in ("a/b", "a#b", "x" * 129, "a\x1b[2J"):
        with pytest.raises(SweepError, match="--project"):
            found(project=wrong)
    settings.write_bytes(b"\xff[")
    assert found(project="p") == ("lab", "p")


@pytest.mark.parametrize("name", ["wandb", ".wandb"])
def test_a_folder_with_settings_of_wandb_does_not_go_online(name: str, tmp_path: Path) -> None:
    """With it as working folder, W&B would take the server that gets the user's key from there."""
    check_no_settings(tmp_path)
    (tmp_path / name).mkdir()
    (tmp_path / name / "settings").write_text("[default]\nbase_url = http://127.0.0.1:9\n")
    assert chosen(options(), Tracking(), tmp_path, Console(quiet=True)).mode == "offline"
    with pytest.raises(SweepError, match="settings of W&B in a study's folder"):
        chosen(options(wandb="online"), Tracking(), tmp_path, Console(quiet=True))


@pytest.mark.parametrize("line", ["base_url = http://127.0.0.1:9", "api_key = x", "https_proxy = http://127.0.0.1:9"])
def test_a_working_folder_does_not_name_a_server_or_an_account(line: str, tmp_path: Path) -> None:
    """It may be a checkout of someone else's sweeps."""
    settings = Path("wandb") / "settings"
    settings.parent.mkdir()
    settings.write_bytes(f"[default]\n# \xe9\nentity = team\n{line}\n".encode("latin-1"))
    assert chosen(options(), Tracking(), tmp_path, Console(quiet=True)).entity == "team"
    with pytest.raises(SweepError, match=f"wandb/settings: has {line.split()[0]}, which could send"):
        chosen(options(wandb="online"), Tracking(), tmp_path, Console(quiet=True))


def test_a_worker_obeys_the_environment_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    modes: list[str] = []
    for given, allowed, expected in (
        ("online", "offline", ["offline"]), ("offline", "disabled", []), ("online", "disabled", []), ("disabled", "online", []),
        ("offline", "online", ["offline"]), ("online", "online", ["online"]),
    ):  # fmt: skip
        monkeypatch.setenv("WANDB_MODE", allowed)
        modes.clear()
        assert attempt(tmp_path, Tracking(mode=given), modes.append) is None  # type: ignore[arg-type]
        assert modes == expected
    assert list(tmp_path.glob("out")) == []
    assert less("online", "offline") == "offline"
    assert mode_of_environment({}) == "online"


def test_variables_about_other_runs_are_set_aside_and_come_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = {"WANDB_API_KEY": "k", "WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_CACHE_DIR": "elsewhere"}
    aside = {f"WANDB_{name}": "x" for name in ("RUN_ID", "RESUME", "SWEEP_ID", "X_LABEL", "MODE", "NEW_IN_A_LATER_VERSION")}
    for name, value in (kept | aside).items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with _own_environment(tmp_path):
        meanwhile = {name: value for name, value in os.environ.items() if name.startswith("WANDB_")}
        os.environ["WANDB_SERVICE"] = "of W&B itself"
    assert meanwhile == kept | {"WANDB_DATA_DIR": str(tmp_path), "WANDB_CONFIG_DIR": before["WANDB_CONFIG_DIR"]}
    assert os.environ.pop("WANDB_SERVICE") == "of W&B itself"
    assert dict(os.environ) == before


def test_names_are_shortened_to_what_wandb_takes_and_stay_distinct() -> None:
    first, second = (shortened("x" * 80 + end, 64) for end in "ab")
    assert len(first) == len(second) == 64
    assert first != second
    assert shortened("x" * 64, 64) == "x" * 64


# In a process of its own, because W&B reads the environment once: two runs of cells with long names.
LOG = """
import sys
from pathlib import Path
import yaml
from study.plan import make_plan
from study.sweep_file import parse_sweep
from study.tracking import log_trial
from study.trial import rows_of, run_block
from study.wandb_run import study_id
sweep = parse_sweep(yaml.safe_load(sys.stdin))
for block in make_plan(sweep).blocks():
    result = run_block(block)
    print(log_trial(Path(sys.argv[1]), sweep.name, study_id(sweep), sweep.wandb, result, rows_of(result, sweep.name, {})))
"""


def test_real_runs_have_their_own_names_whatever_the_environment_says(tmp_path: Path) -> None:
    leaking = {
        f"WANDB_{name}": "leaked"
        for name in (
            "RUN_ID", "SWEEP_ID", "RUN_GROUP", "NAME", "TAGS", "NOTES", "JOB_TYPE", "PROJECT", "ENTITY", "RUN_DIR", "DIR",
            "X_LABEL", "HOST", "PROGRAM", "LAUNCH_QUEUE_NAME", "SWEEP_PARAM_PATH", "CONFIG_PATHS", "SERVICE", "USER_EMAIL",
        )
    } | {"WANDB_RESUME": "must", "WANDB_LAUNCH": "true", "SM_TRAINING_ENV": "{}", "TRAINING_JOB_NAME": "leaked"}  # fmt: skip
    grid = {"init_scale": [0.1], "learning_rate": [0.01, 0.02], "hidden_units": [20], "train_patterns": [60], "bias": [-2.0]}
    raw = TINY | {"cells": {}, "contrasts": {}, "name": "n" * 120, "grid": grid, "wandb": {"project": "suggested"}}
    raw["settings"] = raw["settings"] | {"test_patterns": 60, "kmeans_repeats": 0, "estimators": ["inputs"]}
    environment = {n: v for n, v in ENVIRONMENT.items() if not n.startswith("WANDB_")} | leaking | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOG, str(tmp_path / "out")], input=yaml.safe_dump(raw), cwd=ROOT, env=environment,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["None", "None"], done.stdout + done.stderr
    files = sorted((tmp_path / "out" / "wandb").glob("offline-run-*/*.wandb"))
    runs = [next(r["run"] for r in map(json.loads, inspect(f).splitlines()) if r["type"] == "run") for f in files]
    assert len({run["run_id"] for run in runs}) == 2
    assert len({run["tags"][0] for run in runs}) == 2
    for run in runs:
        assert "leaked" not in json.dumps(run)
        assert (run["project"], run["job_type"], run.get("entity", "")) == ("suggested", "trial", "")
        (tag,) = run["tags"]
        assert len(tag) == 64
        assert len(run["config"]["update"]["cell"]) > 64
        assert run["config"]["update"]["cell"].endswith(",train_patterns=60")
        assert len(run["display_name"]) <= 128


@pytest.mark.parametrize("kind", ["fifo", "folder", "deep", "large"])
def test_a_note_that_is_none_is_no_note(kind: str, tmp_path: Path) -> None:
    path = tmp_path / LOGGED
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_text("[" * 100_000 if kind == "deep" else '{"leading_predictor": "x", "keys": []}' + " " * 1_000_000)
    assert logged_analysis(tmp_path) == ("", [])
