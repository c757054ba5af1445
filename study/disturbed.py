"""A small real sweep that is killed at random moments, given again until it is finished, and compared: see `study.chaos`."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from study.plan import Plan, make_plan
from study.progress import duration
from study.rows import read_rows
from study.sweep import SweepError
from study.sweep_file import load_sweep
from study.victims import NAMES, kill, of_run, victims

VICTIMS = tuple(NAMES)
LONGEST_RUN = 600.0
TOLERANCE = 1e-4  # relative, of losses

SWEEP = """
name: chaos
description: networks to be killed
seeds: 4
curricula:
  brief:
    phases:
      - {name: single, task_counts: [1], steps: 1200}
      - {name: multi, task_counts: [1, 1, 1], steps: 1200}
settings: {curriculum: brief, hidden_units: 100, train_patterns: 300, test_patterns: 300, estimators: [svd_right, inputs]}
cells:
  standard: {init_scale: 1}
  large: {init_scale: 10}
  watched: {init_scale: 10, structure_records: 6, structure_estimators: [svd_right]}
  flow: {integrator: flow}
contrasts:
  chaos: {first: standard, second: large}
compute: {block: 2, checkpoint_seconds: 0.5}
wandb: {mode: disabled}
"""


@dataclass
class Tally:
    """What was done and found so far."""

    kills: Counter[str]
    start_seconds: float = 0.0  # of the undisturbed run, until its first worker
    work_seconds: float = 0.0  # of the same, from there to its end
    runs: int = 0
    studies: int = 0
    missing: int = 0
    duplicated: int = 0
    changed: int = 0


def _command(sweep: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "study", "run", str(sweep), "--out", str(out)]


def _finish(process: subprocess.Popen[str], known: set[tuple[int, str]]) -> None:
    """End what is left of a run. Ray's processes should be gone by themselves some seconds after the driver."""
    deadline = time.monotonic() + 10
    while (left := of_run(process.pid, known)) and time.monotonic() < deadline:
        time.sleep(0.2)
    for orphan in left:
        kill(orphan)


def disturbed_run(sweep: Path, out: Path, wanted: int, chance: random.Random, tally: Tally) -> int | None:
    """Run the command once and kill something in it at random moments, unless `wanted` kills have hit already.

    Half of the moments are counted from the start of the command, half from its first worker, since starting takes longer
    than the work. After a kill that the command survives another moment is drawn.

    Returns:
        its exit status; None where the driver itself was killed.

    Raises:
        SweepError: it did not end.
    """
    log = out.with_suffix(".log").open("a", encoding="utf-8")
    process = subprocess.Popen(_command(sweep, out), stdout=log, stderr=log, text=True, start_new_session=True)
    tally.runs += 1
    known: set[tuple[int, str]] = set()
    start = time.monotonic()
    at_work: float | None = None
    starting, kind = chance.random() < 0.5, chance.choice(VICTIMS)
    moment = start + chance.uniform(0, tally.start_seconds) if starting else None
    try:
        while process.poll() is None:
            time.sleep(0.1)
            now, among = time.monotonic(), of_run(process.pid, known)
            if now - start > LONGEST_RUN:
                raise SweepError(f"chaos: the command did not end within {duration(LONGEST_RUN)}; see its log")
            if at_work is None and victims("worker", process.pid, among):
                at_work = now
            if moment is None and at_work is not None:
                moment = now + chance.uniform(0, tally.work_seconds)
            if tally.kills.total() >= wanted or moment is None or now < moment:
                continue
            if (found := victims(kind, process.pid, among)) and kill(chance.choice(found)):
                tally.kills[kind] += 1
                moment, kind = None, chance.choice(VICTIMS)
        if not wanted and at_work is not None:
            tally.start_seconds, tally.work_seconds = at_work - start, time.monotonic() - at_work
        return None if process.returncode == -signal.SIGKILL else process.returncode
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        _finish(process, known)
        log.close()


def compare(expected: pd.DataFrame, out: Path, plan: Plan, tally: Tally) -> None:
    """Count what is wrong with the rows of a folder."""
    keys = ["cell", "seed", "data_seed"]
    planned = {(cell.name, d.seed, d.data_seed) for cell in plan.cells for d in cell.draws}
    parts = [pd.read_parquet(path) for path in sorted((out / "rows").rglob("*.parquet"))]
    found = pd.concat(parts, ignore_index=True) if parts else expected.iloc[:0]
    tally.duplicated += int(found.duplicated(keys).sum())
    found = found.drop_duplicates(keys).set_index(keys).sort_index()
    tally.missing += len(planned - set(found.index))
    tally.changed += len(set(found.index) - planned)
    reference = expected.set_index(keys).sort_index()
    for key in planned & set(found.index):
        tally.changed += not same(reference.loc[key], found.loc[key])


def same(left: Any, right: Any) -> bool:
    """Whether two rows agree: what comes of training to a tolerance, everything else exactly."""
    if list(left.index) != list(right.index):
        return False
    for name in left.index:
        one, other = left[name], right[name]
        if str(name).startswith(("loss_", "curve_", "structure_")) and not isinstance(one, str):
            if not np.allclose(np.asarray(one, float), np.asarray(other, float), rtol=TOLERANCE, atol=1e-9, equal_nan=True):
                return False
        elif str(np.asarray(one).tolist()) != str(np.asarray(other).tolist()):  # every digit, and NaN like NaN
            return False
    return True


def chaos(kills: int, seed: int, console: Console, folder: Path, text: str = SWEEP) -> dict[str, Any]:
    """Kill until `kills` kills have hit and the study that was hit last is finished.

    Args:
        folder: for sweep, studies and logs.
        text: the sweep.

    Raises:
        SweepError: the undisturbed run failed, or a disturbed one hangs.
    """
    start = time.monotonic()
    sweep = folder / "chaos.yaml"
    sweep.write_text(text, encoding="utf-8")
    plan = make_plan(load_sweep(sweep))
    undisturbed = folder / "undisturbed"
    chance, tally = random.Random(seed), Tally(Counter())
    if disturbed_run(sweep, undisturbed, 0, chance, tally):
        raise SweepError("chaos: the undisturbed run failed; see its log")
    expected = read_rows(undisturbed)
    console.print(f"Undisturbed: {len(expected)} networks in {duration(time.monotonic() - start)}.", highlight=False)
    while tally.kills.total() < kills:
        out = folder / f"study-{tally.studies}"
        status: int | None = None
        fruitless = 0
        while status != 0:
            before = tally.kills.total()
            status = disturbed_run(sweep, out, kills, chance, tally)
            fruitless = fruitless + 1 if tally.kills.total() == before and status != 0 else 0
            if fruitless > 2:
                raise SweepError(f"chaos: the command fails though nothing was killed; see {out.with_suffix('.log')}")
        tally.studies += 1
        compare(expected, out, plan, tally)
        console.print(
            f"{tally.kills.total()} of {kills} kills, {tally.studies} studies finished, {tally.missing} rows missing, "
            f"{tally.duplicated} duplicated, {tally.changed} changed; {duration(time.monotonic() - start)} so far.",
            highlight=False,
        )
    return {
        "kills": tally.kills.total(),
        "missing": tally.missing,
        "duplicated": tally.duplicated,
        "changed": tally.changed,
        "by_kind": {kind: tally.kills[kind] for kind in VICTIMS},
        "studies": tally.studies,
        "runs": tally.runs,
        "networks": len(expected) * tally.studies,
        "seed": seed,
        "seconds": round(time.monotonic() - start, 1),
    }
