"""An unfinished folder says so wherever its numbers are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from study import linear_trial
from study.folder import claim, stored_plan
from study.interim import interim, interim_note, missing
from study.plan import Plan, make_plan
from study.report.read import read_study
from study.rows import read_rows, write_rows
from study.scan.space import make_scan
from study.statistics.verdicts import NOT_SHOWN, SHOWN
from study.sweep_file import load_sweep, parse_sweep
from study.tracking_analysis import numbers_of, tables_of
from study.trial import rows_of, run_block
from tests.study.conftest import ROOT, SMALL, study_here

NOTE = "INTERIM: 11 of 12 networks of the plan are finished (large 5 of 6)"


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of twelve networks, one of which has no row yet."""
    out = tmp_path_factory.mktemp("unfinished") / "study"
    plan = make_plan(parse_sweep(yaml.safe_load(SMALL) | {"compute": {"block": 1}}))
    claim(out, plan.sweep)
    for block in plan.blocks()[:-1]:
        write_rows(out, block, rows_of(run_block(block), "small", {}))
    return out


def test_terminal_json_markdown_page_and_captions_say_interim_with_the_counts(unfinished: Path) -> None:
    done = study_here("analyse", unfinished)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(NOTE)
    assert "INTERIM: 11 of 12 networks are finished; every number may change." in done.stdout
    tables = study_here("analyse", unfinished, "--tables")
    assert tables.stdout.startswith(NOTE)
    assert "INTERIM, 11 of 12 networks: With up to 5 pairs" in " ".join(tables.stdout.split())
    assert "5 of 6" in tables.stdout
    analysis = json.loads((unfinished / "analysis.json").read_text())
    assert (analysis["interim"]["finished"], analysis["interim"]["planned"]) == (11, 12)
    assert analysis["interim"]["cells"][1] == {"cell": "large", "finished": 5, "planned": 6}
    assert NOTE in (unfinished / "analysis.md").read_text()
    assert study_here("report", unfinished).returncode == 0
    page = (unfinished / "report.html").read_text(encoding="utf-8")
    assert f"<strong>small: {NOTE}" in page
    assert page.count("INTERIM, 11 of 12 networks: Sweep small") > 3
    assert numbers_of(analysis)["planned"] == 12
    assert {record["finished"] for record in tables_of(analysis)["interim"]} == {5, 6}


def test_a_whole_study_says_nothing_of_it_and_rows_outside_the_plan_do_not_make_it_whole(unfinished: Path) -> None:
    frame, plan = read_rows(unfinished), stored_plan(unfinished)
    assert plan is not None
    asked = {cell.name: {(draw.seed, draw.data_seed) for draw in cell.draws} for cell in plan.cells}
    whole = pd.DataFrame([(c, s, d) for c, draws in asked.items() for s, d in draws], columns=["cell", "seed", "data_seed"])
    assert missing(whole, asked) is None
    others = pd.DataFrame({"cell": ["large", "unknown"], "seed": [77, 0], "data_seed": [77, 0]})
    found = missing(pd.concat([frame, others]), asked)
    assert found is not None
    assert (found["finished"], found["planned"], found["outside"]) == (11, 12, 2)
    assert "2 more rows are outside the plan and not counted" in interim_note({"interim": found})
    assert interim(frame, None, unfinished.parent) is None  # rows made elsewhere: nobody knows


def test_contrasts_from_another_file_do_not_change_what_the_folder_was_to_hold(unfinished: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(yaml.safe_load(SMALL) | {"seeds": 100}))
    plan = make_plan(parse_sweep(yaml.safe_load(other.read_text())))
    found = interim(read_rows(unfinished), plan, unfinished)
    assert found is not None
    assert found["planned"] == 12


def test_fewer_of_the_folders_seeds_are_a_whole_study_of_their_own(unfinished: Path) -> None:
    frame = read_rows(unfinished)
    fewer, more = (make_plan(parse_sweep(yaml.safe_load(SMALL) | {"seeds": seeds})) for seeds in (4, 6))
    assert interim(frame[frame["seed"] < 4], fewer, unfinished) is None
    assert interim(frame, more, unfinished) is not None


def test_an_unfinished_study_of_linear_networks_says_so(tmp_path: Path) -> None:
    sweep = {"name": "line", "network": "linear", "seeds": 3, "cells": {"one": {}}}
    sweep["settings"] = {"steps": 40, "marks": [10, 20]}
    plan = make_plan(parse_sweep(sweep | {"compute": {"block": 1}}))
    claim(tmp_path, plan.sweep)
    for block in plan.blocks()[:-1]:
        write_rows(tmp_path, block, linear_trial.rows_of(linear_trial.run_block(block), "line", {}))
    done = study_here("analyse", tmp_path)
    assert done.returncode == 0, done.stderr
    note = "INTERIM: 2 of 3 networks of the plan are finished (one 2 of 3)"
    assert note in done.stdout
    assert json.loads((tmp_path / "analysis.json").read_text())["interim"]["planned"] == 3
    assert read_study(tmp_path).analysis["interim"]["finished"] == 2
    assert note in (tmp_path / "analysis.md").read_text()


def test_a_scan_counts_the_evaluation_seeds_of_the_points_that_are_confirmed(tmp_path: Path) -> None:
    sweep = load_sweep(ROOT / "sweeps" / "scan_quick.yaml")
    draws = make_scan(sweep).evaluation
    keys = [(cell, draw.seed, draw.data_seed) for cell in "ab" for draw in draws]
    frame = pd.DataFrame(keys, columns=["cell", "seed", "data_seed"])
    assert interim(frame, Plan(sweep, (), ()), tmp_path) is None
    found = interim(frame[1:], Plan(sweep, (), ()), tmp_path)
    assert found is not None
    assert found["cells"][0] == {"cell": "a", "finished": len(draws) - 1, "planned": len(draws)}


def test_an_analysis_of_an_earlier_version_is_made_again(unfinished: Path) -> None:
    old = {"schema": 4, "verdicts": [{"claim": "c", "verdict": "supported at condition level", "seed_level": "", "rule": "r"}]}
    (unfinished / "analysis.json").write_text(json.dumps(old))
    verdicts = read_study(unfinished).analysis["verdicts"]
    assert {v["conditions_differ"] for v in verdicts} <= {SHOWN, NOT_SHOWN}
    assert "supported" not in str(verdicts)
