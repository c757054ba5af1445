"""Things that go wrong for real: dead workers, full disks, storage that is away, cells that cannot be run."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from study.checkpoint import Checkpoint, key_of, place_of
from study.plan import Block, make_plan
from study.rows import read_rows
from study.storage import exists, location
from study.sweep_file import parse_sweep
from study.trial import rows_of, run_block
from tests.study.conftest import ENVIRONMENT, ROOT, SMALL, study
from tests.study.network import CREDENTIALS, object_storage

KINDS = {
    "full batch": {},
    "mini-batches": {"phases.0.batch_size": 16, "phases.1.batch_size": 16},
    "flow": {"integrator": "flow"},
    "watched": {"structure_records": 6, "structure_estimators": ["svd_right"], "keep_seeds": [1], "snapshots": 4},
    "float64, cycles": {"precision": "float64", "cycles": 2},
}


def block_of(changes: dict[str, object]) -> Block:
    sweep = yaml.safe_load(SMALL)
    phases = sweep["curricula"]["brief"]["phases"]
    for phase in phases:
        phase["steps"] = 100
    for name, value in changes.items():
        if name.startswith("phases"):
            _, number, field = name.split(".")
            phases[int(number)][field] = value
        elif name == "cycles":
            sweep["curricula"]["brief"]["cycles"] = value
        else:
            sweep["settings"][name] = value
    cell = make_plan(parse_sweep(sweep)).cell("large")
    return Block(cell, cell.draws[:3])


OUTAGES = [20, 70]  # seconds: longer than anything but storage is waited for


class Died(Exception):
    pass


@pytest.mark.parametrize("kind", KINDS)
def test_a_block_that_is_left_again_and_again_ends_where_it_would_have(kind: str, tmp_path: Path) -> None:
    """The trial dies at every fifth checkpoint it writes: whatever it had in memory is lost, what it wrote is taken up."""
    block = block_of(KINDS[kind])
    key = key_of(block, "cpu", {})
    undisturbed = run_block(block)
    for attempt in itertools.count():
        checkpoint = Checkpoint(place_of(tmp_path, block), key, 0).read(block.cell.settings.bias)
        writes, write = itertools.count(1), checkpoint.write

        def write_and_die(writes: itertools.count[int] = writes, write: object = write) -> None:
            write()  # type: ignore[operator]
            if next(writes) == 5:
                raise Died

        checkpoint.write = write_and_die  # type: ignore[method-assign]
        try:
            result = run_block(block, checkpoint=checkpoint)
            break
        except Died:
            assert attempt < 200
    assert attempt > 0
    ours, theirs = (json.dumps(rows_of(found, "small", {})) for found in (result, undisturbed))  # every digit, and NaN
    assert ours == theirs
    for phase, networks in result.final.items():
        assert all(map(torch.equal, networks.weights, undisturbed.final[phase].weights))
    for draw, kept in result.kept.items():
        np.testing.assert_array_equal(kept.activity, undisturbed.kept[draw].activity)
        np.testing.assert_array_equal(kept.steps, undisturbed.kept[draw].steps)


def test_only_the_checkpoint_of_this_very_block_is_taken_up(tmp_path: Path) -> None:
    block = block_of({})
    where = place_of(tmp_path, block)
    written = Checkpoint(where, key_of(block, "cpu", {"commit": "a"}), 0)
    run_block(block, checkpoint=written)
    read = Checkpoint(where, key_of(block, "cpu", {"commit": "a"}), 0).read(-2.0)
    assert len(read.measured) == 3
    assert sorted(read.marks) == [(turn, place) for turn in (0, 1) for place in range(3)]
    others = [
        key_of(block, "cpu", {"commit": "b"}),
        key_of(block, "cuda", {"commit": "a"}),
        key_of(replace(block, draws=block.draws[:2]), "cpu", {"commit": "a"}),
        key_of(block_of({"init_half_width": 0.2}), "cpu", {"commit": "a"}),
        key_of(block_of({"phases.0.learning_rate": 0.02}), "cpu", {"commit": "a"}),
    ]
    assert len(set(others)) == len(others)
    for key in others:
        assert not Checkpoint(where, key, 0).read(-2.0).marks
    assert isinstance(where, Path)
    whole = where.read_bytes()
    for broken in (b"", whole[: len(whole) // 2], b"PK" + whole[100:]):
        where.write_bytes(broken)
        found = Checkpoint(where, key_of(block, "cpu", {"commit": "a"}), 0).read(-2.0)
        assert not found.marks
        assert not found.measured


def workers_of(session: int) -> list[int]:
    """Processes of a session that run trials."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and b"ray::ImplicitFunc" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def same_networks(ours: pd.DataFrame, undisturbed: Path, seeds: int = 6) -> None:
    """The undisturbed rows of the first seeds: the same networks, exactly but for losses."""
    expected = read_rows(undisturbed)
    expected = expected[expected["seed"] < seeds].reset_index(drop=True)
    trained = [name for name in expected if name.startswith(("loss_", "curve_"))]
    pd.testing.assert_frame_equal(ours.drop(columns=trained), expected.drop(columns=trained), check_exact=True)
    pd.testing.assert_frame_equal(ours[trained], expected[trained], check_exact=False, rtol=1e-5)


@pytest.mark.slow
def test_a_poison_cell_is_reported_and_the_rest_completes(
    small_sweep: Path, small_run: tuple[Path, str], tmp_path: Path
) -> None:
    """One cell wants more memory than there is: its workers are killed as the kernel would, every time."""
    sweep = yaml.safe_load(SMALL)
    sweep["seeds"] = 2
    sweep["cells"]["poison"] = {"train_patterns": 2000, "test_patterns": 2000, "hidden_units": 20000, "seeds": [0]}
    file = tmp_path / "poison.yaml"
    file.write_text(yaml.safe_dump(sweep))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "study", "run", str(file), "--out", str(out), "--wandb", "disabled"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    stop, kills = threading.Event(), []

    def out_of_memory_killer() -> None:
        while not stop.wait(0.05):
            for pid in workers_of(process.pid):
                try:
                    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
                    if resident > 1.1e9:
                        os.kill(pid, signal.SIGKILL)
                        kills.append(pid)
                except OSError:
                    continue

    killer = threading.Thread(target=out_of_memory_killer)
    killer.start()
    try:
        printed, _ = process.communicate(timeout=300)
    finally:
        stop.set()
        killer.join()
    assert process.returncode == 1, printed
    assert len(set(kills)) >= 4
    assert "failed: poison/0-0:" in printed
    assert "4 tries" in printed
    assert "4 of 5 networks are finished" in printed
    assert "Traceback" not in printed
    same_networks(read_rows(out), small_run[0], seeds=2)


def test_a_cell_that_cannot_fit_is_refused_before_any_work(small_sweep: Path, tmp_path: Path) -> None:
    greedy = "cells.greedy={train_patterns: 100000, test_patterns: 100000, seeds: [0]}"
    refused = study("run", small_sweep, "--out", tmp_path / "out", "--set", greedy)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: cells.greedy: a trial needs about 4")
    assert "train_patterns = 100000: make that smaller" in refused.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_full_disk_at_the_row_write_loses_nothing_that_was_written(
    small_sweep: Path, small_run: tuple[Path, str], tmp_path: Path
) -> None:
    """A real small disk: a row of this sweep is a file of 20 kB, and there are four."""
    out = tmp_path / "out"
    (out / "rows").mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(out / "rows")], capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    command = small_sweep, "--out", out, "--wandb", "disabled", "--set", "compute.block=1", "seeds=2"
    try:
        full = study("run", *command)
        assert full.returncode == 1, full.stdout + full.stderr
        assert "No space left on device" in full.stdout
        assert "the same command goes on from there" in full.stdout
        assert not list((out / "rows").rglob("*.tmp"))
        before = {path: path.read_bytes() for path in (out / "rows").rglob("*.parquet")}
        assert 0 < len(before) < 4
        subprocess.run(["mount", "-o", "remount,size=8m", str(out / "rows")], check=True)
        again = study("run", *command)
        assert again.returncode == 0, again.stdout + again.stderr
        assert all(path.read_bytes() == data for path, data in before.items())
        same_networks(read_rows(out), small_run[0], seeds=2)
    finally:
        subprocess.run(["umount", str(out / "rows")], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("outage", OUTAGES)
def test_storage_that_is_away_when_rows_are_to_be_written(
    outage: float, small_sweep: Path, small_run: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (CREDENTIALS | {"HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
        monkeypatch.setitem(ENVIRONMENT, name, value)
    with object_storage() as storage:
        uri = storage.uri("away")
        command = [sys.executable, "-m", "study", "run", str(small_sweep), "--out", uri, "--wandb", "disabled"]
        process = subprocess.Popen(
            command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        deadline = time.monotonic() + 120
        while not exists(location(uri) / "sweep.json"):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.1)
        time.sleep(1)  # the plan is made
        storage.wire.cut()
        time.sleep(outage)
        assert process.poll() is None
        storage.wire.mend()
        printed, _ = process.communicate(timeout=300)
        assert process.returncode == 0, printed
        same_networks(read_rows(location(uri)), small_run[0])
