"""The estimate of a trial's memory: never below what a real block takes, not far above it, and refused by name."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import yaml

from study.memory import check_memory, parts_of
from study.plan import Plan, make_plan
from study.scan.space import corners, make_scan
from study.sweep import SweepError
from study.sweep_file import load_sweep, parse_sweep
from tests.study.conftest import ROOT, SMALL


def plan_of(block: int = 1, **settings: Any) -> Plan:
    raw = yaml.safe_load(SMALL)
    raw["curricula"]["brief"]["phases"] = [{"name": "single", "task_counts": [1], "steps": 2}]
    raw["settings"] |= settings
    return make_plan(parse_sweep(raw | {"compute": {"block": block}, "seeds": block, "contrasts": {}}))


# Grown memory of one process that runs a block, by the kernel's own account of its peak.
PEAK = """
import json, resource, sys
from study.plan import make_plan
from study.sweep_file import parse_sweep
from study.launch import kind_of
from study.threads import threads
raw, warm = json.loads(sys.argv[1]), json.loads(sys.argv[2])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
with threads(1):
    kind_of(make_plan(parse_sweep(warm)).blocks()[0]).run_block(make_plan(parse_sweep(warm)).blocks()[0])
    before = peak()
    kind_of(make_plan(parse_sweep(raw)).blocks()[0]).run_block(make_plan(parse_sweep(raw)).blocks()[0])
print(peak() - before)
"""
LINEAR = {"name": "l", "network": "linear", "seeds": 4, "compute": {"block": 4}}
SHAPES: dict[str, Plan] = {
    "kernels": plan_of(train_patterns=1000, test_patterns=1000, estimators=["svd_right", "ntk"]),
    "weights": plan_of(block=4, hidden_units=30_000, estimators=["inputs"]),
    "unseen": plan_of(features=11, estimators=["inputs"]),
    "predictors": plan_of(features=6, train_patterns=500, test_patterns=500, estimators=["inputs"], predictors="all"),
    "linear": make_plan(parse_sweep(LINEAR | {"cells": {"a": {"inputs": 8, "outputs": 8, "steps": 200, "marks": [190]}}})),
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_the_estimate_holds_for_real_blocks(shape: str) -> None:
    plan = SHAPES[shape]
    raw = plan.sweep.model_dump_json(exclude_defaults=True)
    brief = {"steps": 4, "record_every": 4, "marks": [2]}
    small = LINEAR | {"cells": {"a": brief}} if shape == "linear" else yaml.safe_load(SMALL)
    warm = parse_sweep(small).model_dump_json(exclude_defaults=True)
    command = [sys.executable, "-c", PEAK, raw, warm]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    taken, estimated = float(done.stdout.split()[-1]), sum(parts_of(plan.blocks()[0]).values())
    assert taken < estimated < 6 * taken


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"train_patterns": 20_000, "test_patterns": 20_000, "estimators": ["svd_right"]}, "train_patterns = 20000"),
        (
            {"hidden_units": 100_000, "features": 2, "stimulus_pools": 2, "response_pools": 12, "block": 1000},
            "hidden_units = 100000",
        ),
        ({"hidden_units": 50_000, "features": 14}, "stimulus_pools = 4"),
    ],
)
def test_a_cell_that_cannot_fit_is_refused_and_names_the_setting(settings: dict[str, Any], setting: str) -> None:
    plan = plan_of(**settings)
    says = rf"cells\.standard: a trial needs about .* GB of memory, .* most of it is for {setting}"
    with pytest.raises(SweepError, match=says):
        check_memory(plan, 2, available=8e9)
    check_memory(plan, 2, available=8e13)


def test_workers_share_the_machine() -> None:
    plan = plan_of(train_patterns=1500, test_patterns=1500)
    check_memory(plan, 1, available=4e9)
    with pytest.raises(SweepError, match="for each of 2 at once"):
        check_memory(plan, 2, available=3e9)


def test_the_sweeps_of_this_project_fit_a_small_machine() -> None:
    for path in sorted((ROOT / "sweeps").glob("*.yaml")):
        sweep = load_sweep(path)
        plan = make_plan(sweep) if sweep.scan is None else Plan(sweep, corners(make_scan(sweep)), ())
        check_memory(plan, 2, available=8e9)
