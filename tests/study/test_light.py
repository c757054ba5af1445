"""What is refused, and what only asks, needs nothing that computes: neither imported nor waited for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pntk.names import ESTIMATOR_NAMES, PREDICTOR_NAMES
from pntk.predictors.registry import PREDICTORS
from pntk.structure.silhouette import ESTIMATORS

HEAVY = ("torch", "sklearn", "scipy", "ray", "wandb", "pandas", "matplotlib", "optuna", "pyarrow", "statsmodels")
QUICK = "sweeps/quick.yaml"
REFUSED = [
    ["run", "nowhere.yaml"],
    ["run", QUICK, "--set", "seeds=none"],
    ["run", QUICK, "--set", "settings.estimators=[eigg]"],
    ["run", QUICK, "--set", "settings.predictors=[linear_respons]"],
    ["run", QUICK, "--set", "cells.large.hidden_unit=4"],
    ["run", QUICK, "--set", "primary.contrast=nothing"],
    ["scan", "nowhere.yaml"],
    ["analyse", "nowhere"],
    ["analyse", ".", "--sweep", "nowhere.yaml"],
    ["report", "nowhere"],
    ["dashboard", "nowhere"],
    ["export", "nowhere", "--cell", "a", "--seed", "1", "--to", "a.npz"],
    ["attribute", "nowhere", "--cell", "a", "--seed", "1", "--to", "a"],
    ["rum"],
]
SCRIPT = """
import json, sys, time
from study.__main__ import main
for command in json.loads(sys.argv[1]):
    try:
        status = main(command)
    except SystemExit as ended:
        status = ended.code
    print(json.dumps([status, [name for name in json.loads(sys.argv[2]) if name in sys.modules], time.process_time()]))
"""


def test_registries_have_the_names_that_are_validated() -> None:
    assert tuple(ESTIMATORS) == ESTIMATOR_NAMES
    assert tuple(PREDICTORS) == PREDICTOR_NAMES


def test_refused_commands_import_nothing_that_computes() -> None:
    commands = [["run", "--help"], *REFUSED]
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(commands), json.dumps(HEAVY)],
        capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2], check=True,
    )  # fmt: skip
    said = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[")]
    assert [status for status, _, _ in said] == [0] + [2] * len(REFUSED)
    for command, (_, imported, _) in zip(commands, said, strict=True):
        assert not imported, command
    errors = ran.stderr.splitlines()
    assert len(errors) == len(REFUSED)
    assert all(line.startswith("error: ") for line in errors)
    assert said[-1][2] < 3, "CPU seconds of all of them together, on a machine that may be busy; .5 without torch"
