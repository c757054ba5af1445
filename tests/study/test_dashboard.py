"""The dashboard: real run files offline carry what its panels plot; a stand-in server records what is published."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from study import linear_trial, trial
from study.folder import claim
from study.plan import LinearCell, make_plan
from study.provenance import provenance
from study.rows import read_rows, write_rows
from study.sweep import SweepError
from study.sweep_file import parse_sweep
from study.threads import threads
from study.tracking import log_trial, network_summary
from study.wandb_run import study_id
from tests.study.conftest import ENVIRONMENT, ROOT, SMALL, study_here
from tests.study.wandb_server import ENTITY, wandb_server

TINY = yaml.safe_load(SMALL) | {"seeds": 2, "compute": {"block": 2}}


def make_study(out: Path, changes: dict[str, Any]) -> Path:
    """A study as `run` leaves it, without Ray: trained, written, logged and analysed."""
    sweep = parse_sweep(TINY | changes, "the test's sweep")
    claim(out, sweep)
    for block in make_plan(sweep).blocks():
        kind = linear_trial if isinstance(block.cell, LinearCell) else trial
        with threads(1):
            result = kind.run_block(block)
        rows = kind.rows_of(result, sweep.name, provenance())
        write_rows(out, block, rows)
        assert log_trial(out, sweep.name, study_id(sweep), sweep.wandb, result, rows) is None
    assert study_here("analyse", out).returncode == 0
    return out


@pytest.fixture(scope="module")
def by_trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(
        tmp_path_factory.mktemp("trials") / "small",
        {"seeds": 6, "compute": {"block": 6}, "settings": TINY["settings"] | {"structure_records": 3}},
    )


@pytest.fixture(scope="module")
def by_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("networks") / "small", {"wandb": {"per_seed": True}})


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nothing: dict[str, Any] = {"curricula": {}, "settings": {}, "contrasts": {}}
    cells = {"source": {"record_every": 100}}
    return make_study(tmp_path_factory.mktemp("linear") / "lin", nothing | {"network": "linear", "cells": cells})


def inspect(path: Path, *options: str) -> str:
    """As `wandb leet inspect --json` prints a run file, without the half second that starting Python takes."""
    from wandb.util import get_core_path

    command = [get_core_path(), "leet", "inspect", "--json", *options, "--run-file", str(path), str(path.parents[1])]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def files(out: Path, kind: str = "") -> list[Path]:
    found = sorted((out / "wandb").glob("offline-run-*/*.wandb"))
    return [path for path in found if ("-analysis-" in path.name) == (kind == "analysis")]


def carried(path: Path) -> dict[str, set[str]]:
    """The keys of a run file's configuration, history and summary, nested ones by their whole path."""
    keys: dict[str, set[str]] = {"config": set(), "history": set(), "summary": set(), "group": set()}
    for line in inspect(path).splitlines():
        record = json.loads(line)
        if record["type"] == "run":
            keys["config"] |= set(record["run"]["config"]["update"])
            keys["group"].add(record["run"]["run_group"])
        for kind, field in (("history", "item"), ("summary", "update")):
            if record["type"] == kind:
                keys[kind] |= {name.partition("._")[0] for name in record[kind].get(field, {})}
    return keys


def workspace(out: Path) -> dict[str, Any]:
    done = study_here("dashboard", out)
    assert done.returncode == 0, done.stderr
    return json.loads((out / "wandb" / "workspace.json").read_text())


def panels(spec: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    sections = spec["spec"]["section"]["panelBankConfig"]["sections"]
    return {section["name"]: section["panels"] for section in sections}


def plotted(spec: dict[str, Any]) -> list[tuple[str, str]]:
    """Where each key of each panel must be found: ("config" or "summary" or "history" or "analysis", key)."""
    found = []
    for panel in (panel for section in panels(spec).values() for panel in section):
        config = panel["config"]
        kind = panel["viewType"]
        if kind == "Parallel Coordinates Plot":
            found += [tuple(column["accessor"].split(":")) for column in config["columns"]]
        elif kind == "Scatter Plot":
            found += [tuple(config[axis].split(":")) for axis in ("xAxis", "yAxis", "zAxis")]
        elif kind == "Run History Line Plot":
            found += [("history", config["xAxis"]), *(("history", name) for name in config["metrics"])]
            found.append(("config", config["groupBy"]))
        elif kind == "Media Browser":
            found += [("analysis", name) for name in config["mediaKeys"]]
        else:
            assert kind == "Weave"
            found.append(("analysis", config["panel2Config"]["exp"]["fromOp"]["inputs"]["key"]["val"]))
    return [(where, name.removesuffix(".value") if where == "config" else name) for where, name in found]


@pytest.mark.parametrize("which", ["by_trial", "by_network", pytest.param("linear", marks=pytest.mark.slow)])
def test_runs_carry_every_key_that_a_panel_plots(which: str, request: pytest.FixtureRequest) -> None:
    out = request.getfixturevalue(which)
    spec = workspace(out)
    shown = plotted(spec)
    assert {where for where, _ in shown} == {"config", "summary", "history", "analysis"}
    runs = [carried(path) for path in (files(out)[0], files(out)[-1])]
    (analysis,) = [carried(path) for path in files(out, "analysis")]
    for where, name in shown:
        if where == "analysis":
            assert name in analysis["summary"], name
        else:
            assert all(name in run[where] for run in runs), (where, name)
    (leaf,) = spec["spec"]["section"]["runSets"][0]["filters"]["filters"]
    assert leaf["key"] == {"section": "run", "name": "group"}
    assert all(run["group"] == {leaf["value"]} for run in (*runs, analysis))
    assert ("Verdicts" in panels(spec)) == ("Silhouette against final losses" in panels(spec)) == (which != "linear")


def test_the_workspace_has_the_sections_of_a_study(by_trial: Path) -> None:
    found = panels(workspace(by_trial))
    assert list(found) == [
        "Settings, silhouette and losses", "Silhouette against final losses", "Loss curves by condition", "Verdicts",
        "Tables of the analysis", "Figures",
    ]  # fmt: skip
    scatter = found["Silhouette against final losses"][0]["config"]
    assert (scatter["xAxis"], scatter["zAxis"]) == ("summary:silhouette_eig", "config:init_scale.value")
    losses = {name for name in read_rows(by_trial) if name.startswith("loss_")}
    assert {panel["config"]["yAxis"].removeprefix("summary:") for panel in found["Silhouette against final losses"]} == losses
    assert ("analysis", "verdicts") in plotted(workspace(by_trial))


def test_a_run_per_network_has_its_own_numbers(by_network: Path) -> None:
    frame = read_rows(by_network)
    assert len(files(by_network)) == len(frame) == 4
    path = files(by_network)[-1]
    summary = json.loads(inspect(path, "--summary"))
    config, values = summary["config"], summary["summary"]
    row = frame[(frame["cell"] == config["cell"]) & (frame["seed"] == config["seed"])].iloc[0]
    assert config["data_seed"] == row["data_seed"]
    assert summary["name"] == f"{row['cell']}/{row['seed']}"
    for name in (name for name in frame if name.startswith(("silhouette_", "loss_"))):
        assert values[name] == pytest.approx(row[name]), name
    history = [json.loads(line)["history"]["item"] for line in inspect(path).splitlines() if '"type":"history"' in line]
    curve = [(item["step_multi"], item["curve_multi/test"]) for item in history if "step_multi" in item]
    np.testing.assert_allclose(curve, np.column_stack([row["curve_multi_steps"], row["curve_multi_test"]]))


def test_the_summary_of_a_network_keeps_what_was_measured_when_it_diverged() -> None:
    row = {
        "cell": "a",
        "seed": 1,
        "silhouette_eig": 0.5,
        "predictor_x": 2.0,
        "predictor_y": float("nan"),
        "loss_single_test": 9e9,
    }
    kept = {"silhouette_eig": 0.5, "predictor_x": 2.0}
    assert network_summary(row | {"diverged": True}) == kept | {"diverged": 1}
    assert network_summary(row | {"diverged": False}) == kept | {"loss_single_test": 9e9, "diverged": 0}


def test_the_analysis_run_holds_tables_numbers_and_figures(by_trial: Path) -> None:
    (path,) = files(by_trial, "analysis")
    values = json.loads(inspect(path, "--summary"))["summary"]
    analysis = json.loads((by_trial / "analysis.json").read_text())
    tables = {
        name: json.loads((path.parent / "files" / values[name]["path"]).read_text()) for name in ("verdicts", "correlations")
    }
    verdicts = pd.DataFrame(tables["verdicts"]["data"], columns=tables["verdicts"]["columns"])
    for column in ("conditions_differ", "predicts_seeds"):
        assert verdicts[column].tolist() == [v[column] for v in analysis["verdicts"]]
    rows = pd.DataFrame(tables["correlations"]["data"], columns=tables["correlations"]["columns"])
    assert len(rows) == len(analysis["results"]) / len({r["statistic"] for r in analysis["results"]})
    r20 = {
        (r["phase"], r["outcome"]): r["value"]
        for r in analysis["results"]
        if r["statistic"] == "r20" and "eig" in r["predictor"]
    }
    assert any(value is not None for value in r20.values())
    for (phase, outcome), value in r20.items():
        assert values.get(f"r20/small/{phase}/{outcome}") == pytest.approx(value)
        where = rows.query("phase == @phase and outcome == @outcome and predictor == 'silhouette_eig'")
        assert where["r20"].tolist() == pytest.approx([value])
    assert values["networks"] == 12
    assert {name for name in values if name.startswith("figures/")} == {
        f"figures/{path.stem}" for path in (by_trial / "figures").glob("*.png")
    }
    assert (path.parent / "files" / values["figures/structure"]["path"]).stat().st_size > 1000


def test_analysing_again_gives_the_same_run_and_old_pictures_are_left_out(by_network: Path) -> None:
    picture = by_network / "figures" / "stale.png"
    picture.parent.mkdir(exist_ok=True)
    picture.write_bytes(b"older than the rows")
    os.utime(picture, (0, 0))
    assert study_here("analyse", by_network).returncode == 0
    names = [path.name for path in files(by_network, "analysis")]
    assert len(names) > 1
    assert len(set(names)) == 1
    assert ("analysis", "figures/stale") not in plotted(workspace(by_network))


def test_analyse_can_be_told_not_to_log_and_a_problem_costs_a_warning(by_network: Path, tmp_path: Path) -> None:
    before = len(files(by_network, "analysis"))
    assert study_here("analyse", by_network, "--wandb", "disabled").returncode == 0
    assert len(files(by_network, "analysis")) == before
    copy = tmp_path / "copy"
    shutil.copytree(by_network / "rows", copy / "rows")
    shutil.copy(by_network / "sweep.json", copy)
    (copy / "wandb").write_text("in the way")
    done = study_here("analyse", copy)
    assert done.returncode == 0
    assert done.stdout.count("warning: Weights & Biases") == 1


# One process, since importing costs seconds: publish; add a section as a user would; publish again; be refused; log online.
PUBLISH = """
import json, os, sys
from pathlib import Path
import wandb_workspaces.workspaces as ws
from study.__main__ import main
out = sys.argv[1]
statuses = [main(["dashboard", out, "--publish"])]
view = ws.Workspace.from_url(json.loads(Path(out, "wandb", "dashboard.json").read_text())["url"])
view.sections = [*view.sections, ws.Section(name="Mine")]
view.save()
statuses.append(main(["dashboard", out, "--publish", "--entity", "lab"]))
statuses.append(main(["dashboard", out, "--publish", "--project", "forbidden"]))
statuses.append(main(["analyse", out, "--wandb", "online"]))
path = Path(out, "sweep.json")
stored = json.loads(path.read_text())
path.write_text(json.dumps(stored | {"wandb": {"mode": "online", "entity": "foreign", "project": "pntk"}}))
os.environ["WANDB_MODE"] = "offline"
statuses += [main(["analyse", out, "--wandb", "online"]), main(["dashboard", out, "--publish"])]
del os.environ["WANDB_MODE"]
statuses.append(main(["analyse", out]))
os.environ["WANDB_ENTITY"] = "team"
statuses.append(main(["analyse", out, "--wandb", "online", "--project", "other"]))
path.write_text(json.dumps(stored))
print(statuses)
"""


def test_publishing_creates_then_updates_and_runs_reach_the_server(by_trial: Path) -> None:
    commands = study_here("dashboard", by_trial).stdout
    assert f"wandb sync {by_trial}/wandb/offline-run-*" in commands
    assert f"study dashboard {by_trial} --publish --entity ENTITY" in commands
    with wandb_server() as server:

        def client(*arguments: str) -> subprocess.CompletedProcess[str]:
            environment = ENVIRONMENT | server.environment | {"HOME": str(by_trial)}
            command = [sys.executable, *arguments]
            return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)

        done = client("-c", PUBLISH, str(by_trial))
        assert done.returncode == 0, done.stderr
        created, updated, *_, statuses = [line for line in done.stdout.splitlines() if line.startswith(("Created", "Upd", "["))]
        assert created.startswith(f"Created: {server.url}/{ENTITY}/pntk?nw=")
        assert updated == created.replace("Created", "Updated")
        assert statuses == "[0, 0, 1, 0, 0, 2, 0, 0]"
        assert "offline instead of --wandb online, as WANDB_MODE=offline says" in done.stdout
        refusal, unset = [line for line in done.stderr.splitlines() if line.startswith("error")]
        assert "--publish: WANDB_MODE allows no more than offline" in unset
        # Of the four analyses two were said to go online on the command line, and to where; a foreign entity never.
        places = [(call["entity"], call["project"]) for call in server.called("UpsertBucket")]
        assert {place for place in places if place[0] != ENTITY} == {(None, "pntk"), ("team", "other")}  # it answers ENTITY
        assert places.count((None, "pntk")) == 1
        assert "not published" in refusal
        assert "permission denied" in refusal
        assert server.inserted == [True, False, False]
        (view,) = server.views.values()
        assert (view["entityName"], view["projectName"], view["displayName"]) == (ENTITY, "pntk", "small study")
        names = [section["name"] for section in json.loads(view["spec"])["section"]["panelBankConfig"]["sections"]]
        assert names == [*panels(workspace(by_trial)), "Mine"]
        assert "warning" not in done.stdout
        (online,) = server.streams.values()
        assert any("verdicts" in line for line in online)

        server.streams.clear()
        offline = map(str, (by_trial / "wandb").glob("offline-run-*"))
        done = client("-m", "wandb", "sync", *offline)
        assert done.returncode == 0, done.stderr
        group = study_id(parse_sweep(json.loads((by_trial / "sweep.json").read_text()), ""))
        kinds = {(call["jobType"], call["groupName"]) for call in server.called("UpsertBucket") if call.get("jobType")}
        assert kinds == {("analysis", group), ("trial", group)}
        lines = [line for stream in server.streams.values() for line in stream]
        assert sum("curve_multi/test_mean" in line for line in lines) == 2 * len(read_rows(by_trial)["curve_multi_steps"][0])
        assert any("verdicts" in line for line in lines)
        assert any("figures/structure" in path for path in server.uploads)


def test_what_cannot_be_shown_is_one_line(by_trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = study_here("dashboard", tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    claim(tmp_path / "untracked", parse_sweep(TINY | {"wandb": {"mode": "disabled"}}, ""))
    refused = study_here("dashboard", tmp_path / "untracked")
    assert refused.returncode == 2
    assert "no W&B runs to show" in refused.stderr
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    refused = study_here("dashboard", by_trial)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "pip install '.[dashboard]'" in refused.stderr


def test_a_wrong_tracking_field_is_named() -> None:
    with pytest.raises(SweepError, match="per_seed"):
        parse_sweep(TINY | {"wandb": {"per_seed": "sometimes"}}, "sweep")
