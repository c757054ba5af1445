"""Kills at random moments, for real, a few of them; and that the comparison after them sees what it should."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml
from rich.console import Console

from study.disturbed import SWEEP, Tally, chaos, compare
from study.plan import make_plan
from study.rows import read_rows
from study.sweep_file import load_sweep
from study.victims import kill, of_run, victims
from tests.study.conftest import study_here


def small_text() -> str:
    sweep = yaml.safe_load(SWEEP)
    sweep["seeds"] = 2
    sweep["compute"]["block"] = 2
    return yaml.safe_dump(sweep)


def clean(numbers: dict[str, object]) -> None:
    assert (numbers["missing"], numbers["duplicated"], numbers["changed"]) == (0, 0, 0)


@pytest.mark.slow
def test_kills_lose_nothing(tmp_path: Path) -> None:
    numbers = chaos(2, seed=3, console=Console(quiet=True), folder=tmp_path, text=small_text())
    assert numbers["kills"] == sum(numbers["by_kind"].values()) == 2
    assert numbers["runs"] > 1
    clean(numbers)


@pytest.mark.slow
def test_many_kills_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "chaos.json"
    done = study_here("chaos", "--kills", "10", "--seed", "7", "--json", file)
    assert done.returncode == 0, done.stdout + done.stderr
    numbers = json.loads(file.read_text())
    assert numbers["kills"] == 10
    clean(numbers)


def test_what_is_wrong_with_rows_is_counted(small_sweep: Path, small_run: tuple[Path, str], tmp_path: Path) -> None:
    out, plan, expected = tmp_path / "out", make_plan(load_sweep(small_sweep)), read_rows(small_run[0])

    def counted() -> tuple[int, int, int]:
        tally = Tally(Counter())
        compare(expected, out, plan, tally)
        return tally.missing, tally.duplicated, tally.changed

    shutil.copytree(small_run[0] / "rows", out / "rows")
    assert counted() == (0, 0, 0)
    first, second, third, *_ = sorted((out / "rows" / "large").glob("*.parquet"))
    frame = pd.read_parquet(second)
    frame.assign(loss_multi_test=frame["loss_multi_test"] * (1 + 1e-6)).to_parquet(second)  # another order of summation
    assert counted() == (0, 0, 0)
    frame.assign(loss_multi_test=frame["loss_multi_test"] * 1.01).to_parquet(second)
    assert counted() == (0, 0, 2)
    frame.assign(silhouette_eig=frame["silhouette_eig"] * (1 + 1e-12)).to_parquet(second)  # measured before training: exact
    assert counted() == (0, 0, 2)
    shutil.copy(first, out / "rows" / "large" / "again.parquet")
    assert counted() == (0, 2, 2)
    third.unlink()
    assert counted() == (2, 2, 2)


def test_only_processes_of_the_run_are_victims() -> None:
    sleeper = [sys.executable, "-c", "import sys; sys.stdin.read()", "gcs_server"]
    nested = [sys.executable, "-c", f"import subprocess; subprocess.run({sleeper!r})"]
    ours = subprocess.Popen(nested, stdin=subprocess.PIPE, start_new_session=True)
    other = subprocess.Popen(sleeper, stdin=subprocess.PIPE, start_new_session=True)
    try:
        known: set[tuple[int, str]] = set()
        while not (found := victims("head", ours.pid, of_run(ours.pid, known))):
            assert ours.poll() is None
        assert other.pid not in {p.pid for p in of_run(ours.pid, known)}
        assert [p.pid for p in victims("driver", ours.pid, of_run(ours.pid, known))] == [ours.pid]
        assert kill(found[0])
        assert ours.wait(timeout=30) == 0
        assert not kill(found[0])
        assert not of_run(ours.pid, known)
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.communicate()


def test_a_bad_number_of_kills_is_refused() -> None:
    refused = study_here("chaos", "--kills", "0")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
