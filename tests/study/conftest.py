"""One real run of a small sweep, shared by the tests that look at what a run leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import pytest

from study.__main__ import main
from study.figures.style import use_our_style

ROOT = Path(__file__).resolve().parents[2]

SMALL = """
name: small
seeds: 6
curricula:
  brief:
    phases:
      - {name: single, task_counts: [1], steps: 40}
      - {name: multi, task_counts: [1, 1, 1], steps: 40}
settings: {curriculum: brief, hidden_units: 20, train_patterns: 60, test_patterns: 60, estimators: [eig, svd_right, inputs]}
cells:
  standard: {init_scale: 1}
  large: {init_scale: 10}
contrasts:
  small: {first: standard, second: large, paper: {single: {r20: -0.5}}}
compute: {block: 2}
"""


# Nobody is at this address: a run that joined whatever cluster the environment names would fail.
# Sentences are looked for in what is printed, so lines are long; `test_sheets` looks at narrow ones.
WIDE = {"COLUMNS": "1000"}
ENVIRONMENT = os.environ | {"RAY_ADDRESS": "192.0.2.1:6379"} | WIDE


@pytest.fixture(autouse=True, scope="module")
def environment_of_ray() -> Iterator[None]:
    """Ray that starts in this process leaves variables behind, by which a cluster started later asks for a token."""
    before = dict(os.environ)
    yield
    for name in {name for name in os.environ if name.startswith("RAY_")} - set(before):
        del os.environ[name]
    os.environ.update({name: value for name, value in before.items() if name.startswith("RAY_")})


@pytest.fixture(autouse=True, scope="module")
def style_of_figures() -> None:
    """Figures that tests draw themselves look as those of a report, whatever style a module before has left behind."""
    use_our_style()


def study(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "study", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)


def study_here(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same in this process, which saves the seconds that importing takes; not for `run`, which starts Ray."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err, patch.dict(os.environ, WIDE):
        status = main([str(argument) for argument in arguments])
    return subprocess.CompletedProcess([], status, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def small_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweeps") / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="session")
def small_run(small_sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a finished run, and what it printed."""
    out = tmp_path_factory.mktemp("run") / "small"
    done = study("run", small_sweep, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout
