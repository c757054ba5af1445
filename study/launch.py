"""Ray Tune: one trial per block of networks, on an embedded local Ray or a cluster.

Tune places the trials and reports on them; it does not decide what is left to do. Every launch asks the rows which
networks are finished and makes trials of the others, so an interrupted study goes on with the same command, whatever
became of Ray's own state.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import ray
from ray import tune
from rich.console import Console

from study import linear_trial, signals, trial
from study.checkpoint import Checkpoint, key_of, place_of
from study.extension import group_of
from study.failure import UserError
from study.first_look import Looks
from study.kept import write_kept
from study.lock import holds
from study.machine import cores, memory
from study.memory import SHARE, check_block, machine_memory
from study.packed import PackedBlocks, pack
from study.plan import Block, Cell, Draw, LinearCell, Plan
from study.preparing import prepare
from study.progress import LiveProgress
from study.ray_token import private_token
from study.reference_files import References
from study.references import wanted_by
from study.rows import finished, write_rows
from study.storage import Location, local_folder, location, spelled
from study.sweep import Compute, Tracking
from study.threads import device_name, device_of, threads
from study.tracking import log_trial, summary
from study.trial import BlockResult
from study.watch import watched
from study.work import work_of

SECONDS_BETWEEN_REPORTS = 2.0
# Of Ray's shared memory, which holds the plan's blocks and what else trials share: little.
OBJECT_STORE_SHARE, SMALLEST_OBJECT_STORE, LARGEST_OBJECT_STORE = 0.1, 100e6, 2e9
TRIES = 4  # of a trial whose worker or node died; a cell that kills its worker every time is given up and reported

# Tune pickles its callbacks, so the progress that they feed stays behind in this process.
_LIVE: dict[str, Any] = {}


class _Feed(tune.Callback):
    """Passes what trials report on to the live progress."""

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        _LIVE["progress"].update(trial.trial_id, result["work"], result["finished"])
        if result["finished"] and "looks" in _LIVE and not signals.received():
            part, block = trial.config["job"]
            _LIVE["looks"][part].finished(_LIVE["blocks"][part][block])


def in_a_line(error: Exception) -> str:
    """An error for the one line that names a failed trial."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def finish(
    block: Block[Any],
    folder: Location,
    config: Mapping[str, Any],
    sweep: str,
    study: str,
    tracking: Tracking,
    provenance: Mapping[str, str],
    driver: str,
    tell: Callable[[int], None],
) -> tuple[list[dict[str, Any]], str | None]:
    """In a worker: run a block from its checkpoint or its seeds, write its rows and log it.

    Args:
        config: `gpus` and `checkpoint_seconds` of the trial.

    Returns:
        the rows, and what tracking complained of.

    Raises:
        RuntimeError: another driver has taken the folder over; nothing was written.
        SweepError: the block does not fit, or asks for a GPU that is not there.
    """
    kind = kind_of(block)
    check_block(block, SHARE * machine_memory(), f"this worker's machine has {machine_memory() / 1e9:.3g} GB")
    device = device_of(float(config["gpus"]))
    with threads(1):  # whatever `cpus` are reserved: sums of two threads end in other digits
        if isinstance(block.cell, Cell):
            where, key = place_of(folder, block), key_of(block, device_name(device), provenance)
            checkpoint = Checkpoint(where, key, config["checkpoint_seconds"]).read(block.cell.settings.bias)
            result = trial.run_block(block, device, tell, checkpoint, References(folder, device))
        else:
            result = kind.run_block(block, device, tell)
        rows = kind.rows_of(result, sweep, provenance)
        if driver and not holds(folder, driver):
            raise RuntimeError(f"{folder}: another driver has taken over")
        if isinstance(result, BlockResult):
            write_kept(folder, block.cell.name, result.kept)  # before the rows: a network with a row is finished
        write_rows(folder, block, rows)
        if isinstance(block.cell, Cell):
            checkpoint.remove()
        return rows, log_trial(local_folder(folder), sweep, study, tracking, result, rows)


@dataclass(frozen=True)
class Outcome:
    """How a launch ended: which trials failed and why, what tracking complained of, whether the user stopped it."""

    failed: dict[str, str]
    tracking_problem: str | None
    interrupted: bool


def kind_of(block: Block[Any]) -> Any:
    """The module with `run_block` and `rows_of` for this kind of network."""
    return linear_trial if isinstance(block.cell, LinearCell) else trial


@dataclass(frozen=True)
class Part:
    """A plan of a launch: where its rows go, and who holds the folder's lock; trials of one that no longer does write nothing;
    empty for no lock."""

    plan: Plan
    out: Location
    driver: str = ""


@dataclass(frozen=True)
class _Home:
    """What a worker knows of a part: its blocks, its folder as text, and the names under which it is logged."""

    blocks: PackedBlocks
    out: str
    sweep: str
    study: str
    driver: str


def run_trial(config: Mapping[str, Any], homes: Sequence[_Home], tracking: Tracking, provenance: Mapping[str, str]) -> None:
    """The trainable: run the block of the part that `config` names, write its rows, log it, report its summary."""
    part, number = config["job"]
    home = homes[part]
    block, folder = home.blocks[number], location(home.out)
    done, reported = 0, time.monotonic()

    def tell(work: int) -> None:
        nonlocal done, reported
        done += work
        if time.monotonic() - reported > SECONDS_BETWEEN_REPORTS:
            reported = time.monotonic()
            tune.report({"work": done, "finished": 0, "label": block.label})

    work = work_of(block.cell) * len(block.draws)
    told: dict[str, Any] = {"work": work, "finished": 0, "label": block.label}
    try:
        rows, problem = finish(block, folder, config, home.sweep, home.study, tracking, provenance, home.driver, tell)
    except Exception as error:  # would be the same again, unlike the death of a worker, which Tune mends by another try
        tune.report(told | {"failed": in_a_line(error)})
        return
    tune.report(told | {"finished": len(rows), "tracking": problem or ""} | summary(rows))


def launch(
    parts: Sequence[Part], tracking: Tracking, provenance: Mapping[str, str], console: Console, address: str | None = None
) -> list[Outcome]:
    """Run every block of every part that has no rows yet, in one Ray and its trials in the order of the parts: what ends a
    part leaves no core idle while another has work.

    Args:
        address: of a running Ray cluster; None starts a Ray of our own on this machine and never joins another.

    Returns:
        for each part, what became of it.
    """
    done = [finished(part.out) for part in parts]
    blocks = [part.plan.blocks(there) for part, there in zip(parts, done, strict=True)]
    every = [block for its in blocks for block in its]
    if not every:
        return [Outcome({}, None, False) for _ in parts]
    quiet()
    owned, unprepared = not ray.is_initialized(), dict[int, dict[str, str]]()
    progress = LiveProgress(console, sum(work_of(b.cell) * len(b.draws) for b in every), sum(len(b.draws) for b in every))
    looks = [Looks(part.plan, part.out, console, there) for part, there in zip(parts, done, strict=True)]
    _LIVE.update(progress=progress, looks=looks, blocks=blocks)
    try:
        if owned:
            try:
                start_ray(address)
            except RayError as error:
                return [Outcome({"Ray": str(error).removeprefix("Ray ")}, None, False) for _ in parts]
        for number, part in enumerate(parts):
            compute = part.plan.sweep.compute
            if failed := prepare(wanted_by(blocks[number]), part.out, compute, console):
                unprepared[number], blocks[number] = failed, []  # the other parts go on
            if address and blocks[number] and (waits := awaited(compute, ray.nodes())):
                console.print(waits, highlight=False, markup=False, soft_wrap=True)
        if not any(blocks):
            return [Outcome(unprepared.get(number, {}), None, False) for number in range(len(parts))]
        tuner = tune.Tuner(
            tune.with_resources(
                tune.with_parameters(run_trial, homes=_homes(parts, blocks), tracking=tracking, provenance=dict(provenance)),
                lambda config: {"cpu": config["cpus"], "gpu": config["gpus"]},
            ),
            param_space=tune.grid_search(_jobs(parts, blocks)),
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(
                name=time.strftime("%Y-%m-%d_%H-%M-%S"),
                storage_path=str((local_folder(parts[0].out) / "ray").resolve()),
                callbacks=[_Feed()],
                failure_config=tune.FailureConfig(max_failures=TRIES - 1),
                verbose=0,
            ),
        )
        with nullcontext() if address or not owned else watched(lambda why: _last_words(console, progress, why)):
            grid = tuner.fit()
    except KeyboardInterrupt:
        return [Outcome({}, None, True) for _ in parts]
    finally:
        progress.close()
        if owned:
            shut_down()
    if signals.received():  # a batch system signals every process of a job: workers that ended have not failed
        return [Outcome({}, None, True) for _ in parts]
    results = list(grid)
    return [
        Outcome(unprepared[number], None, False) if number in unprepared
        else _outcome([result for result in results if _job(result)[0] == number], blocks[number], finished(part.out))
        for number, part in enumerate(parts)
    ]  # fmt: skip


def _homes(parts: Sequence[Part], blocks: Sequence[Sequence[Block[Any]]]) -> list[_Home]:
    return [
        _Home(
            pack(its),
            spelled(part.out),
            part.plan.sweep.name,
            group_of(part.out, part.plan.sweep),
            part.driver,
        )
        for part, its in zip(parts, blocks, strict=True)
    ]


def _jobs(parts: Sequence[Part], blocks: Sequence[Sequence[Block[Any]]]) -> list[dict[str, Any]]:
    """What a trial is told: which block of which part, and what its sweep reserves."""
    computes = [part.plan.sweep.compute for part in parts]
    return [
        {
            "job": (part, number),
            "cpus": compute.cpus_per_trial,
            "gpus": compute.gpus_per_trial,
            "checkpoint_seconds": compute.checkpoint_seconds,
        }
        for part, (compute, its) in enumerate(zip(computes, blocks, strict=True))
        for number in range(len(its))
    ]


def shut_down() -> None:
    """Leave Ray, and end its processes if they are ours: at once, since they do not hear SIGTERM (`kept_from_children`)."""
    node = ray._private.worker._global_node
    if node is not None:
        kill = node.kill_all_processes
        node.kill_all_processes = lambda **how: kill(**how | {"allow_graceful": False})
    ray.shutdown()


def awaited(compute: Compute, nodes: Sequence[Mapping[str, Any]]) -> str:
    """What trials will wait for, perhaps for ever, because no node of a cluster has it now; "" where one has all.

    No refusal: a cluster that grows may have only its head yet, and a GPU is never replaced.
    """
    there = [node.get("Resources", {}) for node in nodes if node.get("Alive")]
    asked = {"CPU": compute.cpus_per_trial, "GPU": compute.gpus_per_trial}
    if any(all(node.get(kind, 0) >= count for kind, count in asked.items()) for node in there):
        return ""
    named = ", ".join(f"compute.{kind.lower()}s_per_trial = {count:g}" for kind, count in asked.items() if count)
    has = f"has {', '.join(f'{max((n.get(k, 0) for n in there), default=0):g} {k}s' for k in asked)} at most"
    return f"Waiting for a node with {named}: a node of this cluster {has} now. If it does not grow, stop with Ctrl-C."


def _last_words(console: Console, progress: LiveProgress, why: str) -> None:
    progress.close()
    console.print(f"Stopped: {why}; finished networks are kept, the same command goes on from there.", soft_wrap=True)


class RayError(UserError, RuntimeError):
    """Ray that does not start."""


def start_ray(address: str | None) -> None:
    """Join the cluster at an address, or start a Ray of our own that joins none.

    Raises:
        RayError: it did not start; one of its processes died on the way, or there is no room for its files.
    """
    signals.obey()
    if address is None:
        private_token()
    try:
        with nullcontext() if address else signals.kept_from_children():
            ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **_local_options(address))
    except SystemExit:  # Ray's own handler of SIGTERM, which it installs on the way
        signals.note(signal.SIGTERM)
        raise KeyboardInterrupt from None
    except Exception as error:  # Ray raises plain Exceptions, too
        if signals.received():  # its processes were sent the signal too
            raise KeyboardInterrupt from None
        said = " ".join(str(error).split())[:300]
        raise RayError(f"Ray did not start: {said or type(error).__name__}: {_way_out(said, address)}") from error
    signals.obey()


def _way_out(said: str, address: str | None) -> str:
    """What may help when Ray has not started."""
    if address:
        return f"is a cluster of this version of Ray at --address {address}?"
    if "AF_UNIX" in said:
        return "the path of its temporary folder is too long for its sockets; set RAY_TMPDIR to a short one, such as /tmp/r"
    return "is there memory, and space in its temporary folder (RAY_TMPDIR names another)? The same command tries again"


def _local_options(address: str | None) -> dict[str, Any]:
    """Ray counts the machine's cores and memory itself; a batch job or a container may have fewer."""
    if address:
        return {}
    given = memory()
    shared = int(min(max(OBJECT_STORE_SHARE * given, SMALLEST_OBJECT_STORE), LARGEST_OBJECT_STORE))
    own = {"_memory": int(given)} if math.isfinite(given) else {}
    return {"include_dashboard": False, "num_cpus": cores(), "object_store_memory": shared, **own}


def quiet() -> None:
    """Ray and Tune talk at length about themselves; the study's own progress says what a user needs."""
    # Tune's own loggers write a CSV, a JSON and an event file per trial; rows and W&B hold the same and more.
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the newer reporter prints a table even when told to be silent
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    for name, level in (("ray", logging.ERROR), ("ray.train", logging.ERROR), ("ray.tune", logging.CRITICAL)):
        logging.getLogger(name).setLevel(level)  # Tune's errors are tracebacks of trials, which the run names in a line
    warnings.filterwarnings("ignore", category=FutureWarning, module="ray")


def _job(result: Any) -> tuple[int | None, int | None]:
    """The numbers of the part and of its block that a result is of; None for one that Tune knows nothing of."""
    return (result.config or {}).get("job", (None, None))


def _outcome(grid: Iterable[Any], blocks: list[Block[Any]], done: set[tuple[str, Draw]]) -> Outcome:
    """What became of the trials; those that Tune never started have no result to speak of, only no rows."""
    failed, problems = dict[int, str](), []
    for result in grid:
        number = _job(result)[1]
        if number is not None and result.error is not None:
            why = str(result.error).strip().splitlines() or [type(result.error).__name__]
            failed[number] = f"{why[-1]} ({TRIES} tries)"
        elif number is not None and (result.metrics or {}).get("failed"):
            failed[number] = result.metrics["failed"]
        if (result.metrics or {}).get("tracking"):
            problems.append(result.metrics["tracking"])
    unfinished = [n for n, b in enumerate(blocks) if any((b.cell.name, draw) not in done for draw in b.draws)]
    named = {blocks[number].label: why for number, why in failed.items()}
    return Outcome(named, problems[0] if problems else None, any(number not in failed for number in unfinished))
