"""The `run` command: plan, launch, analyse."""

from __future__ import annotations

import shlex
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from rich.console import Console

from study.analysis import analyse
from study.answer import NOWHERE
from study.belonging import belonging
from study.candidates import has_predictors
from study.checkpoint import clear
from study.columns import phases_of
from study.comparisons import contrasts_of_rows, predictors_of
from study.console import always
from study.contrasts import Contrast
from study.declared import Declared, checked
from study.extension import group_of, is_of_view, remarks
from study.folder import LINEAR, check_claim, check_links, claim
from study.interim import interim
from study.linear_analysis import check_linear, is_linear
from study.lock import driving
from study.machine import cores
from study.memory import check_memory
from study.next_steps import next_steps
from study.output import ANALYSIS, SOMETIMES, print_answer, print_cautions, print_tables, write_analysis
from study.plan import Plan
from study.plan_text import print_plan
from study.predictor_cost import costs_of
from study.progress import duration
from study.provenance import provenance
from study.rows import RowsError, finished, read_rows
from study.storage import Location, as_folder, exists, local_folder
from study.sweep import Primary, Sweep, SweepError, Tracking
from study.tracking_analysis import log_analysis
from study.wandb_run import unreachable
from study.written import begin, clean, ended

if TYPE_CHECKING:
    from study.launch import Outcome

Compared = tuple[tuple[Contrast, ...], Primary | None]
LARGEST = 1e70  # of a number in the rows: its fourth power is still a number


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


def run(
    plan: Plan,
    out: Location,
    tracking: Tracking,
    address: str | None,
    console: Console,
    tables: bool = False,
    command: str = "",
    started: float | None = None,
) -> int:
    """The exit status of `attempt`: 0 done, 1 not all done."""
    return attempt(plan, out, tracking, address, console, tables, command, started).status


def attempt(
    plan: Plan,
    out: Location,
    tracking: Tracking,
    address: str | None,
    console: Console,
    tables: bool = False,
    command: str = "",
    started: float | None = None,
) -> Ended:
    """Do what the plan asks for and is not done yet, then what runs along with it; then analyse all rows.

    Args:
        tables: whether to print every table before the answer.
        command: that a user typed, without the number of seeds.
        started: when, by `time.monotonic`, the user asked for it; now unless given.

    Raises:
        SweepError: the folder belongs to another configuration, or another driver is at it.
        RowsError: rows of the folder cannot be read.
    """
    start = time.monotonic()
    _check(plan, address)
    parts = [(plan, out), *([(plan.linear, out / LINEAR)] if plan.linear else [])]
    with ExitStack() as held:
        drivers = []
        for part, place in parts:
            drivers.append(held.enter_context(driving(place)))
            check_claim(place, part)
        every = []
        for (part, place), driver in zip(parts, drivers, strict=True):
            standing = claim(place, part)
            whole = standing.relation == "same" and not part.blocks(finished(place))
            untouched = whole and exists(place / "analysis.json") and not is_of_view(place / "analysis.json")
            every.append(_Part(part, place, driver, standing.relation == "view", untouched))
            print_plan(console, part, place, address)
        trained = _train(every, tracking, address, console)
        worst = Ended(0)
        for study, ended in reversed(list(zip(every, trained, strict=False))):  # the main study's answer last
            if ended.status == 0 and not (study.plan is not plan and study.untouched):  # `analyse` prints its tables again
                main = study.plan is plan
                tracked, typed = study.plan.sweep.model_copy(update={"wandb": tracking}), command if main else ""
                report(study.plan, study.out, console, tracked, tables, typed, pictures=main)
            worst = ended if ended.status > worst.status else worst
        if worst.status == 0:
            console.print(f"Done in {duration(time.monotonic() - (started or start))}.", highlight=False)
    return worst


@dataclass(frozen=True)
class _Part:
    """A study, or the linear networks that run along with it.

    Attributes:
        view: it is asked for with fewer seeds than the folder has.
        untouched: all of it stood there before, with its analysis.
    """

    plan: Plan
    out: Location
    driver: str
    view: bool
    untouched: bool


def _train(parts: Sequence[_Part], tracking: Tracking, address: str | None, console: Console) -> list[Ended]:
    """Train what is not done yet, the trials of the main study first, in one Ray."""
    from study.launch import Part, launch  # late: importing Ray takes seconds that a refused run need not spend

    launched = [Part(part.plan, part.out, part.driver) for part in parts]
    outcomes = launch(launched, tracking, provenance(), console, address)
    return [_ended(part, outcome, console) for part, outcome in zip(parts, outcomes, strict=True)]


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
    """How a run ended, or that of one part of a study: its exit status, whether the user stopped it, and what is not done and
    why, in one line."""

    status: int
    interrupted: bool = False
    problem: str = ""


def _ended(part: _Part, outcome: Outcome, console: Console) -> Ended:
    """What became of a launch, with what the user needs to know of it printed."""
    plan, out = part.plan, part.out
    _print_problem(outcome.tracking_problem, console)
    unreachable(outcome.tracking_problem)
    left = sum(len(block.draws) for block in plan.blocks(finished(out)))
    for label, why in outcome.failed.items():
        with always(console):
            console.print(f"failed: {label}: {why}", style="red", highlight=False, markup=False, soft_wrap=True)
    if left:
        state, done = "Stopped" if outcome.interrupted else "Not complete", plan.networks - left
        with always(console):
            console.print(f"{state}: {done} of {plan.networks} networks are finished; the same command goes on from there.")
        why = "".join(f"; {label} failed: {reason}" for label, reason in list(outcome.failed.items())[:1])
        return Ended(1, outcome.interrupted, f"{done} of {plan.networks} networks of {plan.sweep.name} are finished{why}")
    if not part.view:  # the folder's study may have begun more
        clear(out, [cell.name for cell in plan.cells])
    return Ended(0, outcome.interrupted)


def analysed(frame: pd.DataFrame, plan: Plan | None, out: Location, declared: Compared | None = None) -> dict[str, Any]:
    """The analysis of a folder's rows: the contrasts of the plan or those that are declared, or every two cells that share
    seeds; where there are none, what seeds say within each cell.

    Args:
        declared: contrasts and a primary comparison, in place of the plan's.

    Raises:
        RowsError: no column of a predictor or an outcome.
    """
    if declared is not None:
        contrasts, primary = declared
    else:
        contrasts = plan.contrasts if plan is not None and plan.contrasts else contrasts_of_rows(frame)
        primary = plan.sweep.primary if plan is not None else None
    check_columns(frame, out)
    costs = costs_of(frame, plan, out) if has_predictors(frame) else {}
    found = analyse(frame, contrasts, primary, costs=costs)
    found["warnings"] += frame.attrs.get("notes", ())
    return found | remarks(frame, out, plan) | {"interim": interim(frame, plan, out)}


def check_columns(frame: pd.DataFrame, out: Location | str) -> None:
    """Refuse rows of which nothing can be said, or whose numbers are too large.

    Raises:
        RowsError: names what is missing, or the number.
    """
    if not phases_of(frame) or not (predictors_of(frame) or has_predictors(frame)):
        raise RowsError(
            f"{out}: rows need a column silhouette_<estimator> or predictor_<phase>_<name>, and one of loss_<phase>_test, "
            "loss_<phase>_unseen"
        )
    check_sizes(frame, out)


def check_sizes(frame: pd.DataFrame, out: Location | str) -> None:
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


def report(
    plan: Plan | None,
    out: Location,
    console: Console,
    tracked: Sweep | None = None,
    tables: bool = False,
    command: str = "",
    declared: Declared | None = None,
    pictures: bool = True,
) -> None:
    """Analyse all rows of a folder, write the analysis, log it to W&B and print its answer.

    Args:
        tracked: the sweep whose runs in W&B the analysis joins, as its `wandb` says; None for rows made elsewhere.
        tables: whether to print every table before the answer.
        command: that ran the study, for the answer to name; by default one that goes on from what the folder keeps.
        declared: what is compared in rows made elsewhere.
        pictures: whether to draw those of linear networks; those of an earlier time are removed otherwise.

    Raises:
        RowsError: no usable rows, or no column of a predictor or an outcome.
        SweepError: what is declared does not fit the rows.
    """
    if isinstance(out, Path):
        check_links(out)
    frame = belonging(read_rows(out), plan, out)
    compared = checked(declared, frame, "--contrasts") if declared is not None else None
    group = group_of(out, tracked) if tracked is not None else ""
    if isinstance(out, Path):
        begin(out, ANALYSIS)
        clean(out)
    analysis: Mapping[str, Any] | None
    figures: list[str] = []
    if is_linear(frame):
        check_linear(frame, out)
        from study.linear_report import report_linear  # late: matplotlib takes a second that other studies need not spend

        with as_folder(out) as folder:
            said = remarks(frame, out, plan) | {"interim": interim(frame, plan, out)}
            analysis, written, figures = report_linear(frame, folder, said, pictures)
            files = _below(folder, written)
            problem = log_analysis(local_folder(out), folder, tracked, group)
        analysis |= {"warnings": frame.attrs["notes"]}
    elif plan is not None and plan.sweep.scan is not None:
        from study.scan.final import report_scan  # late, as above

        with as_folder(out) as folder:
            analysis, written = report_scan(plan, frame, folder, out, console, tables)
            files, problem = _below(folder, written), None
    else:
        analysis = analysed(frame, plan, out, compared)
        with as_folder(out) as folder:
            files = _below(folder, write_analysis(folder, analysis, next_steps(out, plan, len(frame), command)))
            if analysis["over_time"] and analysis["results"]:
                from study.figures.training import write_figures  # late, as above

                files += _below(folder, write_figures(folder, frame, analysis, plan))
            problem = log_analysis(local_folder(out), folder, tracked, group)
    if analysis is not None:
        print_cautions(console, analysis)
        if tables:
            print_tables(console, analysis)
    _end(out, files, figures, console)
    _print_problem(problem, console)
    _print_places(out, files, console)
    if not pictures:
        console.print(f"Its figures: study analyse {shlex.quote(str(out))}", highlight=False, markup=False, soft_wrap=True)
    if analysis is not None:
        steps = NOWHERE if out.name == LINEAR else next_steps(out, plan, len(frame), command)
        print_answer(console, analysis, steps, compact=not tables)


def _end(out: Location, files: Sequence[str], figures: Sequence[str], console: Console) -> None:
    """Remember what was written here, and remove what is obsolete and known to be ours."""
    if isinstance(out, Path):
        for name in ended(out, files, [*SOMETIMES, *figures]):
            console.print(f"{out / name}: not of these rows; it is not known to be of this program, so it stays",
                          highlight=False, markup=False, soft_wrap=True)  # fmt: skip


def _print_problem(problem: str | None, console: Console) -> None:
    if problem:
        with always(console):
            console.print(f"warning: Weights & Biases: {problem}", highlight=False, markup=False)


def _below(folder: Path, files: Sequence[Path]) -> list[str]:
    return [str(file.relative_to(folder)) for file in files]


def _print_places(out: Location, files: Sequence[str], console: Console) -> None:
    places = [f"rows: {out / 'rows'}", *(str(out / file) for file in files if "/" not in file)]
    if any("/" in file for file in files):
        places.append(f"figures: {out / 'figures'}")
    if (folder := local_folder(out) / "wandb").exists():
        places.append(f"W&B: {folder}")
        places.append(f"to look at its runs in a terminal: wandb leet {folder}")
    console.print("Files: " + ", ".join(places), highlight=False, markup=False, soft_wrap=True)
