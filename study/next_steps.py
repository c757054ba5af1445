"""What comes after an analysis, from the place where a study is: the command that trains more of it, what a seed costs."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from study.answer import NextSteps
from study.folder import FILE
from study.machine import cores
from study.plan import Plan
from study.storage import Location, exists

PAGE = "report.html"
LEAST_SECONDS = 0.05  # of a network: files that lie closer together were copied, and say nothing of the work
SHORTEST_PAUSE = 30.0  # seconds


def typed(options: argparse.Namespace) -> str:
    """The command that a user typed to run a study, without the number of its seeds."""
    words = ["study", "run", str(options.sweep)]
    for name, value in (("--out", options.out), ("--address", options.address)):
        words += [name, str(value)] if value is not None else []
    for assignment in options.assignments:
        words += [] if assignment.startswith("seeds=") else ["--set", assignment]
    return shlex.join(words)


def next_steps(out: Location, plan: Plan | None, networks: int, command: str = "") -> NextSteps:
    """What an answer says beside what was found.

    Args:
        plan: of the folder; None for rows made elsewhere.
        networks: how many have a row.
        command: that ran the study; by default the one that goes on from what the folder keeps of its sweep.
    """
    folder = shlex.quote(str(out))
    report, tables = _page(out, folder), f"study analyse {folder} --tables"
    if plan is None or plan.sweep.scan is not None or not plan.cells or not (command or exists(out / FILE)):
        return NextSteps(report=report, tables=tables)
    seeds = max(len({draw.seed for draw in cell.draws}) for cell in plan.cells)
    at_once = max(cores() // plan.sweep.compute.cpus_per_trial, 1)
    seconds = seconds_per_network(_times(out), networks, at_once)
    per_seed = None if seconds is None else seconds * plan.networks / seeds
    goes_on = command or f"study run {shlex.quote(str(out / FILE))} --out {folder}"
    return NextSteps(goes_on, seeds, per_seed, report, tables)


def _page(out: Location, folder: str) -> str:
    """The link of a page that is newer than the rows, or the command that makes one."""
    page = out / PAGE
    if isinstance(page, Path) and page.is_file() and page.stat().st_mtime >= max(_times(out), default=0.0):
        return page.resolve().as_uri()
    return f"study report {folder}  (every figure and table on one page)"


def _times(out: Location) -> list[float]:
    """When the files of rows were written; nothing is known of object storage."""
    return [file.stat().st_mtime for file in (out / "rows").rglob("*.parquet")] if isinstance(out, Path) else []


def seconds_per_network(times: Iterable[float], networks: int, at_once: int) -> float | None:
    """Wall time of one network at the speed that a study had, from when its files of rows were written; pauses do not count.

    Args:
        networks: in all of the files.
        at_once: trials that ran beside each other: what the first of them took is not known.

    Returns:
        None where too few files say something.
    """
    written = np.sort(np.fromiter(times, float))
    at_once = min(at_once, len(written) - 1)
    if at_once < 1:
        return None
    gaps = np.diff(written)
    between = gaps[gaps <= max(SHORTEST_PAUSE, 10 * float(np.quantile(gaps, 0.75)))].sum()
    counted = networks * (len(written) - at_once) / len(written)
    seconds = float(between / counted) if counted else 0.0
    return seconds if seconds >= LEAST_SECONDS else None
