"""Before work: what a sweep's seeds can say. After it: what more of them would take, and where to look."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.folder import claim
from study.next_steps import next_steps, seconds_per_network, typed
from study.plan import Plan, make_plan
from study.plan_text import what_seeds_can_say
from study.statistics.power import expected_width
from study.sweep_file import load_sweep, parse_sweep
from tests.study.conftest import SMALL


def plan_of(**changes: Any) -> Plan:
    return make_plan(parse_sweep(yaml.safe_load(SMALL) | changes))


@pytest.mark.parametrize("seeds", [1, 2, 4])
def test_fewer_than_five_seeds_are_said_to_answer_nothing_of_seeds(seeds: int) -> None:
    (line,) = what_seeds_can_say(plan_of(seeds=seeds))
    assert line.startswith(f"{seeds} seed{'s' if seeds > 1 else ''} a contrast (small): ")
    assert "neither whether conditions differ nor which seed does better" in line
    assert line.endswith("5 seeds are the least: --set seeds=5.")
    assert "nan" not in line


def test_from_five_seeds_on_the_width_of_intervals_is_said() -> None:
    (few,), (many,) = (what_seeds_can_say(plan_of(seeds=seeds)) for seeds in (5, 400))
    assert f"within about {expected_width(0.0, 5) / 2:.2f}, so only a very strong one" in few
    assert many.endswith(f"within about {expected_width(0.0, 400) / 2:.2f}.")
    (alone,) = what_seeds_can_say(plan_of(seeds=3, contrasts={}, cells={"standard": {}}))
    assert alone.startswith("3 seeds a cell (standard): ")


def test_the_pace_of_a_study_is_read_from_its_files_without_pauses_and_not_from_copies() -> None:
    steady = [100.0 + 8 * k for k in range(10)]  # one trial at a time, two networks each
    assert seconds_per_network(steady, 20, 1) == pytest.approx(4.0)
    paused = [*steady, *(5000.0 + t for t in steady)]
    assert seconds_per_network(paused, 40, 1) == pytest.approx(4.0, rel=0.1)
    pairs = [t for k in range(10) for t in (100.0 + 8 * k, 100.1 + 8 * k)]
    assert seconds_per_network(pairs, 40, 2) == pytest.approx(2.0, rel=0.1)
    assert seconds_per_network([100.0 + k / 1000 for k in range(50)], 100, 2) is None
    assert seconds_per_network([100.0], 2, 2) is seconds_per_network([], 0, 2) is None


def test_the_command_goes_on_from_what_the_folder_keeps_or_as_it_was_typed(tmp_path: Path) -> None:
    out, plan = tmp_path / "a study", plan_of()
    claim(out, plan.sweep)
    steps = next_steps(out, plan, 0)
    assert steps.seeds == 6
    words = shlex.split(steps.command)
    assert words[:2] == ["study", "run"]
    assert words[3:] == ["--out", str(out)]
    assert load_sweep(Path(words[2]), ("seeds=385",)).name == "small"  # what it names can be run
    assert next_steps(out, plan, 0, "study run small").command == "study run small"
    options = argparse.Namespace(sweep=Path("a b.yaml"), out=None, address=None, assignments=["seeds=9", "settings.bias=-1"])
    assert typed(options) == "study run 'a b.yaml' --set settings.bias=-1"
    elsewhere = next_steps(tmp_path, None, 0)
    assert (elsewhere.command, elsewhere.seeds) == ("", None)


def test_a_page_is_linked_to_unless_the_rows_are_newer(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    rows, page = tmp_path / "rows" / "a.parquet", tmp_path / "report.html"
    rows.touch()
    assert next_steps(tmp_path, None, 0).report.startswith(f"study report {tmp_path}")
    page.touch()
    assert next_steps(tmp_path, None, 0).report == page.resolve().as_uri()
    os.utime(page, (1, 1))
    assert next_steps(tmp_path, None, 0).report.startswith("study report ")
