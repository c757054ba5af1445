"""The `scan` command at work: search or bracket, confirm on other seeds, report."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import optuna
import ray
from optuna.exceptions import ExperimentalWarning
from ray import tune
from rich.console import Console

from study import signals
from study.checkpoint import clear
from study.failure import UserError
from study.folder import claim
from study.launch import Outcome, Part, awaited, launch, quiet, shut_down, start_ray
from study.lock import driving
from study.machine import cores
from study.plan import Cell, Plan
from study.progress import duration
from study.provenance import provenance
from study.rows import finished
from study.running import check_resources
from study.running import report as report_folder
from study.scan.crossover import bracket
from study.scan.evaluate import evaluate
from study.scan.points import Point, known, parameters, points_of, rows_for_scores, to_confirm
from study.scan.report import scan_plan
from study.scan.search import ScanSearch
from study.scan.space import Scan, corners
from study.scan.stored import DAMAGE, JOURNAL, answering, check_journal, storage_of
from study.storage import Location, local_folder, spelled
from study.sweep import Tracking
from study.threads import threads
from study.watch import watched

TRIES = 4  # of a point whose worker or node died
SECONDS_BETWEEN_LINES = 5.0

# Tune pickles its callbacks, so what they print to stays behind in this process.
_LIVE: dict[str, Any] = {}


class _Lines(tune.Callback):
    """A line now and then on the points that are done."""

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        _LIVE["done"] += 1
        if result.get("failed"):
            _LIVE["failed"][str(trial.config["values"])] = result["failed"]
        if result.get("tracking"):
            _LIVE["problem"] = result["tracking"]
        if time.monotonic() - _LIVE["last"] > SECONDS_BETWEEN_LINES:
            _LIVE["last"] = time.monotonic()
            names = [name for name in _LIVE["names"] if result.get(name) is not None]
            what = result.get("pruned") or ", ".join(f"{name} {result[name]:.3f}" for name in names)
            values = ", ".join(f"{name} {value}" for name, value in trial.config["values"].items())
            _LIVE["console"].print(
                f"{_LIVE['done']} of {_LIVE['points']} points; {values}: {what}", highlight=False, markup=False
            )


def scan_folder(scan: Scan, out: Location, tracking: Tracking, address: str | None, console: Console, storage: str = "") -> int:
    """Do what a scan asks for and is not done yet, then confirm and report.

    Args:
        storage: URL of Optuna's database, from the command line; "" for the journal in the folder.

    Returns:
        the exit status: 0 done, 1 not all done.

    Raises:
        SweepError: the folder belongs to another configuration or driver, or the storage cannot be used.
        RowsError: rows of the folder cannot be read.
        UserError: points failed.
    """
    check_resources(Plan(scan.sweep, corners(scan), ()), address)
    if not storage:
        check_journal(out)
    start = time.monotonic()
    with driving(out) as driver:
        claim(out, scan.sweep)
        _announce(scan, out, console)
        opened, points = storage_of(scan, out, storage), points_of(scan, rows_for_scores(out))
        with answering(out, storage, *DAMAGE):
            record(scan, opened, points)
        quiet()
        owned = not ray.is_initialized()
        try:
            if owned:
                start_ray(address)
            if address and (waits := awaited(scan.sweep.compute, ray.nodes())):
                console.print(waits, highlight=False, markup=False, soft_wrap=True)
            watch = nullcontext() if address or not owned else watched(lambda why: _stopped(console, f"{why}; "))
            with watch, answering(out, storage):
                ended = _scan(scan, opened, out, tracking, console, address, driver)
        except KeyboardInterrupt:
            ended = False
        finally:
            if owned:
                shut_down()
        if not ended:
            _stopped(console)
            return 1
        clear(out, sorted({cell for cell, _ in finished(out)}))
        report_folder(scan_plan(scan, rows_for_scores(out)), out, console)
        console.print(dashboard_command(out, storage), highlight=False, markup=False, soft_wrap=True)
        console.print(f"Done in {duration(time.monotonic() - start)}.", highlight=False)
    return 0


def _stopped(console: Console, why: str = "") -> None:
    console.print(f"Stopped: {why}finished points are kept; the same command goes on from there.", highlight=False)


def _announce(scan: Scan, out: Location, console: Console) -> None:
    spec = scan.spec
    how = (
        f"bracketed to {spec.tolerance:g}" if scan.is_crossover else f"{spec.points} points by {spec.sampler}, seed {spec.seed}"
    )
    there = sum(point.done for point in points_of(scan, rows_for_scores(out)))
    console.print(
        f"Scan {scan.sweep.name}: {', '.join(spec.objectives)} over {', '.join(spec.space)}; {how}; {len(scan.draws)} seeds a "
        f"point, the final tables from {len(scan.evaluation)} others. {there} points are there. Results go to {out}.",
        highlight=False, markup=False,
    )  # fmt: skip


def _scan(
    scan: Scan, storage: Any, out: Location, tracking: Tracking, console: Console, address: str | None, driver: str
) -> bool:
    """Whether all came to its end."""

    def train(cells: Sequence[Cell]) -> bool:
        plan = Plan(scan.sweep, tuple(cells), ())
        outcome = launch([Part(plan, out, driver)], tracking, provenance(), console, address)[0]
        _complain(console, outcome)
        return {(cell.name, draw) for cell in cells for draw in cell.draws} <= finished(out)

    if scan.is_crossover:
        if not bracket(scan, out, train):
            return False
    elif not _search(scan, storage, out, tracking, console, driver):
        return False
    points = points_of(scan, rows_for_scores(out))
    record(scan, storage, points)
    chosen = [scan.cell(point.values, scan.evaluation) for point in to_confirm(scan, points)]
    if any(objective.paired for objective in scan.objectives):
        held = [scan.cell(scan.reference(point.values), scan.evaluation) for point in to_confirm(scan, points)]
        chosen = list({cell.name: cell for cell in (*chosen, *held)}.values())
    return train(chosen) if chosen else True


def _folder_of(trial: Any) -> str:
    return str(trial.trial_id)


def _complain(console: Console, outcome: Outcome) -> None:
    if outcome.tracking_problem:
        console.print(f"warning: Weights & Biases: {outcome.tracking_problem}", highlight=False, markup=False)
    for label, why in outcome.failed.items():
        console.print(f"failed: {label}: {why}", style="red", highlight=False, markup=False, soft_wrap=True)


def name_objectives(study: optuna.Study, names: Sequence[str]) -> None:
    """Names that optuna-dashboard shows instead of "objective 0"."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(list(names))


def dashboard_command(out: Location, storage: str) -> str:
    """What opens the search in optuna-dashboard, a program of its own; a database is not named again, since its URL may hold a
    password."""
    place = "<the URL of --storage>" if storage else str(local_folder(out) / JOURNAL)
    return f"Every point in the browser: pip install optuna-dashboard; optuna-dashboard {place}"


def record(scan: Scan, storage: Any, points: Sequence[Point]) -> None:
    """Tell the storage of points that have rows and that it does not know: bracketed ones, or all after it was lost."""
    minimise, maximise = optuna.study.StudyDirection.MINIMIZE, optuna.study.StudyDirection.MAXIMIZE
    directions = [minimise if objective.mode == "min" else maximise for objective in scan.objectives]
    study = optuna.create_study(storage=storage, study_name=scan.sweep.name, directions=directions, load_if_exists=True)
    if study.directions != directions:
        raise ValueError(f"its study {scan.sweep.name!r} has other objectives")
    name_objectives(study, [objective.name for objective in scan.objectives])
    space = {axis.name: axis.distribution for axis in scan.axes}
    for trial in study.get_trials(deepcopy=False):
        for name, value in {**trial.params, **trial.system_attrs.get("fixed_params", {})}.items():
            if name in space and not space[name]._contains(space[name].to_internal_repr(value)):
                raise ValueError(f"its trial {trial.number} has {name} = {value!r}, which is not in the space")
    there = {
        str(sorted(scan.values(t.params).items())) for t in study.get_trials(deepcopy=False) if set(t.params) == set(space)
    }
    for point in points:
        if point.done and str(sorted(point.values.items())) not in there:
            pruned = bool(point.score.pruned)
            study.add_trial(
                optuna.trial.create_trial(
                    state=optuna.trial.TrialState.PRUNED if pruned else optuna.trial.TrialState.COMPLETE,
                    values=None if pruned else list(point.score.values or ()),
                    params=parameters(scan, point.values),
                    distributions=space,
                    user_attrs={"cell": point.cell},
                )
            )


def _search(scan: Scan, storage: Any, out: Location, tracking: Tracking, console: Console, driver: str) -> bool:
    """Let the sampler propose points until there are enough; whether there are."""
    frame = rows_for_scores(out)
    points = points_of(scan, frame)
    record(scan, storage, points)
    search = ScanSearch(scan, storage, known(points), {str(cell) for cell in frame["cell"].unique()})
    wanted = min(scan.spec.points, scan.size)
    left = int(wanted) - len(search.known)
    if left <= 0:
        return True
    compute = scan.sweep.compute
    there = int(ray.cluster_resources().get("CPU", cores()))
    _LIVE.update(console=console, done=len(search.known), points=int(wanted), last=0.0, failed={}, problem="",
                 names=scan.spec.objectives)  # fmt: skip
    trainable = tune.with_parameters(
        evaluate, scan=scan, out=spelled(out), tracking=tracking, provenance=provenance(), driver=driver
    )
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": compute.cpus_per_trial, "gpu": compute.gpus_per_trial}),
        tune_config=tune.TuneConfig(
            search_alg=search,
            num_samples=left,
            max_concurrent_trials=max(there // compute.cpus_per_trial, 1),
            reuse_actors=True,
            trial_dirname_creator=_folder_of,  # Tune's own name would hold all losses of the front
        ),
        run_config=tune.RunConfig(
            name=time.strftime("%Y-%m-%d_%H-%M-%S"),
            storage_path=str((local_folder(out) / "ray").resolve()),
            callbacks=[_Lines()],
            failure_config=tune.FailureConfig(max_failures=TRIES - 1),
            verbose=0,
        ),
    )
    with threads(1):  # a model of the points is small: more threads than that cost more than they bring
        tuner.fit()
    if signals.received():
        return False
    _complain(console, Outcome(_LIVE["failed"], _LIVE["problem"] or None, False))
    done = len(known(points_of(scan, rows_for_scores(out))))
    if done < wanted and _LIVE["failed"]:
        raise UserError(f"{len(_LIVE['failed'])} points failed; the same command tries others in their place")
    return done >= wanted
