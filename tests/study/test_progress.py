"""What a run says while it works: what is left, when it will be done, and a first look at its rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from rich.console import Console

from study.figures.study import Missing
from study.first_look import Looks, asked_first, columns_of, first_look
from study.plan import FIRST_PAIRS, Plan, make_plan
from study.progress import WINDOW, LiveProgress, clock, seconds_left
from study.report.build import folded
from study.sweep_file import load_sweep, parse_sweep
from tests.study.conftest import ROOT, SMALL


def small(**changed: object) -> Plan:
    return make_plan(parse_sweep(yaml.safe_load(SMALL) | changed))


def test_the_estimate_is_from_the_speed_of_the_last_minutes() -> None:
    """Fast at first, then ten times slower: the average from the start would promise far too little."""
    samples = [(float(t), 10.0 * t) for t in range(0, 300, 10)] + [(300.0 + t, 3000.0 + t) for t in range(0, 200, 10)]
    assert seconds_left(samples, 4190.0) == pytest.approx(1000.0)
    assert seconds_left(samples[:1], 100.0) is None
    assert seconds_left([(0.0, 0.0), (50.0, 0.0)], 100.0) is None  # nothing is done yet
    assert seconds_left([(0.0, 0.0), (WINDOW + 50, 40.0), (WINDOW + 60, 50.0)], 100.0) == pytest.approx(50.0)


def test_the_end_is_said_by_the_clock() -> None:
    now = datetime(2026, 11, 26, 22, 50)
    assert clock(now, 1200) == "23:10"
    assert clock(now, 7200) == "2026-11-27 00:50"


def test_live_progress_says_what_is_left_and_until_when(monkeypatch: pytest.MonkeyPatch) -> None:
    at = [0.0]
    monkeypatch.setattr("study.progress.time.monotonic", lambda: at[0])
    sink = StringIO()
    progress = LiveProgress(Console(file=sink, width=200), 1000, 10)
    for second in range(0, 60, 5):
        at[0] = float(second)
        progress.update("one", 5 * second, int(second == 55))
    progress.close()
    text = sink.getvalue()
    assert "estimating what is left" not in text.splitlines()[-1]
    assert "2 min 35 s left, done about " in text  # 22 % in 45 s
    assert text.splitlines()[-1].startswith("0 of 10 networks, 22% of the work")


def test_nothing_follows_a_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal's line comes from another thread while trials may still report."""
    now, sink = 1000.0, StringIO()
    monkeypatch.setattr("study.progress.time.monotonic", lambda: now)
    progress = LiveProgress(Console(file=sink, width=200), 1000, 10)
    now += 60
    progress.update("a", 500, 5)
    said = sink.getvalue()
    assert "5 of 10 networks" in said
    progress.close()
    now += 60
    progress.update("a", 900, 9)
    assert sink.getvalue() == said


def test_the_first_pairs_of_the_primary_contrast_come_first_and_blocks_stay_as_they_are() -> None:
    plan = make_plan(load_sweep(ROOT / "sweeps" / "paper.yaml"))
    blocks = plan.blocks()
    contrast = asked_first(plan)
    assert contrast is not None
    assert contrast.name == "lr_tuned"
    count = 2 * -(-FIRST_PAIRS // plan.sweep.compute.block)
    assert {block.cell.name for block in blocks[:count]} == {"standard_lr", "large_lr"}
    assert {draw.seed for block in blocks[:count] for draw in block.draws} == set(range(FIRST_PAIRS))
    steps = [len(block.draws) * block.cell.steps for block in blocks[count:]]
    assert steps == sorted(steps, reverse=True)
    cut = {block.label for block in replace(plan, contrasts=()).blocks()}
    assert {block.label for block in blocks} == cut


COLUMNS = ("silhouette_eig", "loss_single_test", "loss_multi_test")


def rows(seeds: int) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    found = []
    for cell, level in (("standard", 0.8), ("large", 0.6)):
        for seed in range(seeds):
            numbers = dict(zip(COLUMNS, generator.normal(level, 0.1, 3), strict=True))
            found.append({"cell": cell, "seed": seed, "data_seed": seed, "diverged": False} | numbers)
    return pd.DataFrame(found)


def test_a_first_look_is_marked_and_fits_a_terminal() -> None:
    plan = small()
    lines = first_look(rows(6), plan)
    assert lines[0] == "INTERIM, a first look at 12 of 12 networks; every number may change."
    assert "standard against large" in lines[1]
    assert lines[2].startswith("  silhouette eig: 0.")
    assert len(lines) == 5
    assert all(len(line) <= 80 for line in lines)
    dx, dy = (rows(6).pivot(index="seed", columns="cell", values=v) for v in ("silhouette_eig", "loss_single_test"))
    r = np.corrcoef(dx["standard"] - dx["large"], dy["standard"] - dy["large"])[0, 1]
    assert f"{r:.2f}".replace("0.", ".") in lines[3]
    assert "6 pairs" in lines[3]
    assert "[" in lines[3]
    few = first_look(rows(2), plan)
    assert "2 pairs" in few[3]
    assert "[" not in few[3]
    assert first_look(rows(6).head(0), plan) == ()
    assert set(columns_of(plan)) <= set(rows(2).columns)


def test_looks_come_when_there_are_pairs_or_after_a_while() -> None:
    plan = small(seeds=20, compute={"block": 5})
    blocks = {block.label: block for block in plan.blocks()}
    looks = Looks(plan, Path("nowhere"), Console(quiet=True), [])
    looks._done |= {("standard", draw) for draw in blocks["standard/0-4"].draws}
    assert not looks.due(1000)
    looks._done |= {("large", blocks["standard/0-4"].draws[0])}
    assert not looks.due(1)
    assert looks.due(46)
    looks._done |= {("large", draw) for draw in blocks["large/0-4"].draws}
    assert looks.due(1)
    looks._shown = 1
    assert not looks.due(1000)
    looks._done |= {("large", draw) for label in ("large/5-9", "large/10-14") for draw in blocks[label].draws}
    assert looks.due(1000)
    assert not looks.due(10)  # short runs are looked at once


def test_figures_not_drawn_are_one_line() -> None:
    missing = {"a": Missing("no rows"), "b": Missing("no rows"), "c": Missing("nothing was kept")}
    assert folded(missing) == "3 figures not drawn. 2: no rows. c: nothing was kept."
