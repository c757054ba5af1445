"""The `run` command: plan, launch, analyse."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.console import Console

from study import linear_trial
from study.analysis import analyse
from study.belonging import belonging
from study.candidates import has_predictors
from study.checkpoint import clear
from study.columns import phases_of
from study.comparisons import contrasts_of_rows, predictors_of
from study.cost import reference_seconds, steps_of_reference
from study.extension import group_of, is_of_view, remarks
from study.folder import LINEAR, check_claim, check_links, claim
from study.interim import interim
from study.linear_analysis import check_linear, is_linear
from study.lock import driving
from study.machine import cores
from study.memory import check_memory
from study.output import ANALYSIS, SOMETIMES, print_analysis, write_analysis
from study.plan import Block, Cell, LinearCell, Plan
from study.predictor_cost import costs_of
from study.progress import duration
from study.provenance import provenance
from study.rows import RowsError, finished, read_rows
from study.sheets import Sheet, print_sheet
from study.statistics.power import expected_width
from study.storage import Location, as_folder, exists, local_folder
from study.sweep import Sweep, SweepError, Tracking
from study.threads import threads
from study.tracking_analysis import log_analysis
from study.wandb_run import unreachable
from study.work import work_of
from study.written import begin, clean, ended

START_SECONDS = 12  # of Ray and its workers; a trial costs about a second on top of its training
PROBE_STEPS = 60
LARGEST = 1e70  # of a number in the rows: its fourth power is still a number


def seconds_per_linear_step(block: Block[LinearCell]) -> float:
    """The same of the linear network, whose blocks advance together."""
    settings = block.cell.settings
    marks = tuple(mark for mark in settings.marks if mark <= PROBE_STEPS)
    short = settings.model_copy(update={"steps": PROBE_STEPS, "marks": marks})
    with threads(1):
        start = time.perf_counter()
        linear_trial.run_block(Block(LinearCell(block.cell.name, short, block.draws), block.draws))
        return (time.perf_counter() - start) / PROBE_STEPS / len(block.draws)


def _plan_row(cell: Cell | LinearCell, ready: int) -> list[str]:
    networks = [str(len(cell.draws)), str(ready)]
    if isinstance(cell, LinearCell):
        s = cell.settings
        return [cell.name, f"linear ({s.steps:,})", f"{s.learning_rate:g}", f"{s.init_scale:g}", s.start, *networks]
    phases = ", ".join(f"{phase.name} ({phase.steps:,})" for phase in cell.curriculum.phases)
    cycles = f" x {cell.curriculum.cycles}" if cell.curriculum.cycles > 1 else ""
    rates = ", ".join(dict.fromkeys(f"{phase.learning_rate:g}" for phase in cell.curriculum.phases))
    return [cell.name, phases + cycles, rates, f"{cell.settings.init_scale:g}", cell.settings.scaled_layers, *networks]


def print_plan(console: Console, plan: Plan, out: Location, address: str | None) -> None:
    """What is going to be done, and how long it may take."""
    done = finished(out)
    cells = plan.cells if len(plan.cells) <= 30 else plan.cells[:30]
    rows = [_plan_row(cell, sum((cell.name, draw) in done for draw in cell.draws)) for cell in cells]
    start = "start" if plan.sweep.network == "linear" else "scaled"
    headings = ["cell", "phases (steps)", "learning rate", "init scale", start, "networks", "finished"]
    print_sheet(console, Sheet(f"Sweep {plan.sweep.name}: {plan.sweep.description}", headings, rows, left=5))
    if len(cells) < len(plan.cells):
        console.print(f"... and {len(plan.cells) - len(cells)} more cells")
    for line in _expected_widths(plan):
        console.print(line, highlight=False)
    blocks = plan.blocks(done)
    networks = sum(len(block.draws) for block in blocks)
    steps = sum(len(block.draws) * block.cell.steps for block in blocks)
    console.print(
        f"{len(plan.cells)} cells, {plan.networks} networks, {plan.steps:,} gradient steps; "
        f"left: {networks} networks in {len(blocks)} trials, {steps:,} steps. Results go to {out}.",
        highlight=False,
        markup=False,
    )
    if blocks:
        seconds = _estimated_seconds(plan, blocks)
        workers = max(cores() // plan.sweep.compute.cpus_per_trial, 1)
        workers = min(workers, len(blocks))
        text = f"Estimated time: {duration(seconds)} of one core"
        console.print(
            text
            + (
                "."
                if address
                else f", about {duration(seconds / workers + START_SECONDS + len(blocks) / workers)} on {workers} cores."
            ),
            highlight=False,
        )


def _expected_widths(plan: Plan) -> list[str]:
    """What the sweep's seeds can say: the width of intervals of the centred correlation, one line per number of seeds."""
    seeds: dict[int, list[str]] = {}
    for contrast in plan.contrasts:
        common = [{d.seed for d in plan.cell(a).draws} & {d.seed for d in plan.cell(b).draws} for a, b in contrast.pairs]
        seeds.setdefault(len(set.union(*common)), []).append(contrast.name)
    lines = []
    for count, names in seeds.items():
        widths = " and ".join(f"{expected_width(r, count):.2f} at r = {r:g}" for r in (0.0, 0.5))
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        lines.append(f"{count} seeds a contrast ({shown}): 95 % intervals of the centred r about {widths} wide.")
    return lines


def _estimated_seconds(plan: Plan, blocks: list[Block[Any]]) -> float:
    """One core's time for the blocks: a probe of this machine, and the model of `study.cost`."""
    if plan.sweep.network == "linear":
        return seconds_per_linear_step(blocks[0]) * sum(block.cell.steps * len(block.draws) for block in blocks)
    steps = {cell.name: steps_of_reference(cell) * work_of(cell) for cell in {b.cell.name: b.cell for b in blocks}.values()}
    return reference_seconds() * sum(steps[block.cell.name] * len(block.draws) for block in blocks)


def check_resources(plan: Plan, address: str | None) -> None:
    """Refuse what would wait for ever or cannot fit: more than this machine has, or a cluster that does not answer.

    The memory of a cluster's machines is not known here: there every trial looks at its own before it starts.

    Raises:
        SweepError: in one line.
    """
    if address is None:
        compute = plan.sweep.compute
        usable, gpus = cores(), torch.cuda.device_count()
        if compute.cpus_per_trial > usable:
            has = f"this machine has {usable} cores, or this job may use so many of them"
            raise SweepError(f"compute.cpus_per_trial = {compute.cpus_per_trial}: {has}")
        if compute.gpus_per_trial > gpus:
            raise SweepError(f"compute.gpus_per_trial = {compute.gpus_per_trial:g}: this machine has {gpus}")
        check_memory(plan, usable // compute.cpus_per_trial)
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError as error:
            raise SweepError(f"--address {address}: no Ray cluster answers there ({error.strerror or error})") from None


def run(plan: Plan, out: Location, tracking: Tracking, address: str | None, console: Console) -> int:
    """Do what the plan asks for and is not done yet, then analyse all rows; first the same of what runs along with it.

    Returns:
        the exit status: 0 done, 1 not all done.

    Raises:
        SweepError: the folder belongs to another configuration, or another driver is at it.
        RowsError: rows of the folder cannot be read.
    """
    _check(plan, address)
    parts = [(plan, out), *([(plan.linear, out / LINEAR)] if plan.linear else [])]
    with ExitStack() as held:
        drivers = []
        for part, place in parts:
            drivers.append(held.enter_context(driving(place)))
            check_claim(place, part)
        same, views = [], []
        for part, place in parts:
            standing = claim(place, part)
            views.append(standing.relation == "view")
            same.append(standing.relation == "same" and not is_of_view(place / "analysis.json"))
            print_plan(console, part, place, address)
        status = 0
        for (part, place), driver, known, view in reversed(
            list(zip(parts, drivers, same, views, strict=True))
        ):  # main tables last
            if part is not plan and known and exists(place / "analysis.json") and not part.blocks(finished(place)):
                continue  # `analyse` prints its tables again
            ended = _run(part, place, tracking, address, console, driver, view)
            status = max(status, ended.status)
            if ended.interrupted and part is not plan:
                return 1
    return status


def _check(plan: Plan, address: str | None) -> None:
    """`check_resources` for the plan and what runs along with it, whose fields are named as the sweep has them."""
    check_resources(plan, address)
    if plan.linear is not None:
        try:
            check_resources(plan.linear, address)
        except SweepError as error:
            raise SweepError(f"linear.{error}") from None


@dataclass(frozen=True)
class Ended:
    """How the run of one part of a study ended: its exit status, and whether the user stopped it."""

    status: int
    interrupted: bool = False


def _run(
    plan: Plan, out: Location, tracking: Tracking, address: str | None, console: Console, driver: str, view: bool
) -> Ended:
    from study.launch import launch  # late: importing Ray takes seconds that a refused run need not spend

    start = time.monotonic()
    outcome = launch(plan, out, tracking, provenance(), console, address, driver)
    _print_problem(outcome.tracking_problem, console)
    unreachable(outcome.tracking_problem)
    left = sum(len(block.draws) for block in plan.blocks(finished(out)))
    for label, why in outcome.failed.items():
        console.print(f"failed: {label}: {why}", style="red", highlight=False, markup=False, soft_wrap=True)
    if left:
        state, done = "Stopped" if outcome.interrupted else "Not complete", plan.networks - left
        console.print(f"{state}: {done} of {plan.networks} networks are finished; the same command goes on from there.")
        return Ended(1, outcome.interrupted)
    if not view:  # the folder's study may have begun more
        clear(out, [cell.name for cell in plan.cells])
    report(plan, out, console, plan.sweep.model_copy(update={"wandb": tracking}))
    console.print(f"Done in {duration(time.monotonic() - start)}.", highlight=False)
    return Ended(0, outcome.interrupted)


def analysed(frame: pd.DataFrame, plan: Plan | None, out: Location) -> dict[str, Any]:
    """The analysis of a folder's rows: the plan's contrasts, or every two cells that share seeds; where there are none,
    what seeds say within each cell.

    Raises:
        RowsError: no column of a predictor or an outcome.
    """
    contrasts = plan.contrasts if plan is not None and plan.contrasts else contrasts_of_rows(frame)
    if not phases_of(frame) or not (predictors_of(frame) or has_predictors(frame)):
        raise RowsError(
            f"{out}: rows need a column silhouette_<estimator> or predictor_<phase>_<name>, and one of loss_<phase>_test, "
            "loss_<phase>_unseen"
        )
    check_sizes(frame, out)
    costs = costs_of(frame, plan, out) if has_predictors(frame) else {}
    found = analyse(frame, contrasts, plan.sweep.primary if plan is not None else None, costs=costs)
    found["warnings"] += frame.attrs.get("notes", ())
    return found | remarks(frame, out, plan) | {"interim": interim(frame, plan, out)}


def check_sizes(frame: pd.DataFrame, out: Location) -> None:
    """Refuse numbers whose powers overflow, and with them every statistic of their column.

    Raises:
        RowsError: names the column, the value and its network; networks that diverged take no part and may hold any.
    """
    if "diverged" in frame:
        frame = frame[~frame["diverged"].astype("boolean").fillna(False).to_numpy(dtype=bool)]
    for name in frame.columns:
        if name.startswith(("silhouette_", "loss_", "predictor_")) and pd.api.types.is_numeric_dtype(frame[name]):
            values = frame[name].to_numpy(dtype=float, na_value=np.nan)
            large = np.flatnonzero(np.isfinite(values) & (np.abs(values) > LARGEST))
            if len(large):
                row = frame.iloc[large[0]]
                raise RowsError(
                    f"{out}: {name} = {values[large[0]]:g} of cell {row['cell']}, seed {row['seed']}: must be at most "
                    f"{LARGEST:g} in size; set its column diverged to true, or leave it out"
                )


def report(plan: Plan | None, out: Location, console: Console, tracked: Sweep | None = None) -> None:
    """Analyse all rows of a folder, write the analysis, log it to W&B and print it.

    Args:
        tracked: the sweep whose runs in W&B the analysis joins, as its `wandb` says; None for rows made elsewhere.

    Raises:
        RowsError: no usable rows, or no column of a predictor or an outcome.
    """
    if isinstance(out, Path):
        check_links(out)
    frame = belonging(read_rows(out), plan, out)
    group = group_of(out, tracked) if tracked is not None else ""
    if isinstance(out, Path):
        begin(out, ANALYSIS)
        clean(out)
    if is_linear(frame):
        check_linear(frame, out)
        from study.linear_report import report_linear  # late: matplotlib takes a second that other studies need not spend

        with as_folder(out) as folder:
            said = remarks(frame, out, plan) | {"interim": interim(frame, plan, out)}
            files = _below(folder, report_linear(frame, folder, console, said))
            for note in frame.attrs["notes"]:
                console.print(f"Warning: {note}", highlight=False, markup=False)
            problem = log_analysis(local_folder(out), folder, tracked, group)
        _end(out, files, console)
        _print_problem(problem, console)
        _print_places(out, files, console)
        return
    if plan is not None and plan.sweep.scan is not None:
        from study.scan.final import report_scan  # late, as above

        with as_folder(out) as folder:
            files = _below(folder, report_scan(plan, frame, folder, out, console))
        _end(out, files, console)
        _print_places(out, files, console)
        return
    analysis = analysed(frame, plan, out)
    with as_folder(out) as folder:
        files = _below(folder, write_analysis(folder, analysis))
        if analysis["over_time"] and analysis["results"]:
            from study.figures.training import write_figures  # late, as above

            files += _below(folder, write_figures(folder, frame, analysis, plan))
        problem = log_analysis(local_folder(out), folder, tracked, group)
    print_analysis(console, analysis)
    _end(out, files, console)
    _print_problem(problem, console)
    _print_places(out, files, console)


def _end(out: Location, files: Sequence[str], console: Console) -> None:
    """Remember what was written here, and remove what is obsolete and known to be ours."""
    if isinstance(out, Path):
        for name in ended(out, files, SOMETIMES):
            console.print(f"{out / name}: not of these rows; it is not known to be of this program, so it stays",
                          highlight=False, markup=False, soft_wrap=True)  # fmt: skip


def _print_problem(problem: str | None, console: Console) -> None:
    if problem:
        console.print(f"warning: Weights & Biases: {problem}", highlight=False, markup=False)


def _below(folder: Path, files: Sequence[Path]) -> list[str]:
    return [str(file.relative_to(folder)) for file in files]


def _print_places(out: Location, files: Sequence[str], console: Console) -> None:
    places = [f"rows: {out / 'rows'}", *(str(out / file) for file in files if "/" not in file)]
    if any("/" in file for file in files):
        places.append(f"figures: {out / 'figures'}")
    if (folder := local_folder(out) / "wandb").exists():
        places.append(f"W&B: {folder}")
    console.print("Files: " + ", ".join(places), highlight=False, markup=False, soft_wrap=True)
