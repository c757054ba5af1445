"""The command line: study COMMAND."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.failure import FAILED, UserError, traced, without_debug
from study.help import ANALYSE, ATTRIBUTE, BENCH, CALIBRATE, DESCRIPTION, EXAMPLES, EXPORT, POWER, REPORT, RUN
from study.parser import REFUSED, Parser, Versions, add_verbosity
from study.signals import obedient
from study.surroundings import mend

if TYPE_CHECKING:  # what takes long to import is imported inside functions, where an interruption is one line
    from rich.console import Console

    from study.declared import Declared
    from study.plan import Plan

MOST_REPETITIONS = 1_000_000
BENCH_NAMES = (
    "first", "train", "entk", "silhouette", "analysis", "flow", "scale", "fused", "path", "predictors", "response", "scan",
    "sweep",
)  # fmt: skip
TABLES = "print every table too; DIR/analysis.md has them in any case"
PLAIN = argparse.RawDescriptionHelpFormatter


def make_parser() -> Parser:
    """The parser of every command."""
    from study import chaos, completion, dashboard, idea, one_step, sweep_list
    from study.scan import command as scan

    parser = Parser("study", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=PLAIN)
    parser.add_argument(
        "--debug", action="store_true", help="print the traceback of an error, and warnings; also after the command"
    )
    parser.add_argument("--version", action=Versions, nargs=0, help="print the versions of this program and of its libraries")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (
        sweep_list.add_command, _add_study, _add_network, _add_statistics, one_step.add_command, idea.add_command,
        chaos.add_command, dashboard.add_command, scan.add_command, _add_bench, completion.add_command,
    ):  # fmt: skip
        add(commands)
    return parser


def _add_study(commands: Any) -> None:
    """Commands on a whole study."""
    from study import outward
    from study.storage import location

    run = commands.add_parser("run", formatter_class=PLAIN, help="run a sweep, or go on with it", description=RUN)
    run.add_argument("sweep", type=Path, metavar="SWEEP", help="name of a sweep (see study list), or a file of one")
    run.add_argument(
        "--out", type=location, metavar="DIR",
        help="folder of the study, or a URI such as s3://bucket/prefix (default: results/<name of the sweep>)",
    )  # fmt: skip
    run.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments",
        help="override a field of the sweep file, nested fields with dots; several may follow. "
        "seeds=20, settings.hidden_units=100, cells.large.init_scale=5, compute.block=10; "
        'where a name holds dots and may mean two things, cells."a.b".seeds=3',
    )  # fmt: skip
    outward.add_flags(run, "as the sweep says, offline or disabled; else offline")
    run.add_argument(
        "--address", metavar="ADDRESS", help="of a running Ray cluster, or auto; default: a Ray of its own on this machine"
    )

    run.add_argument("--tables", action="store_true", help=TABLES)
    add_verbosity(run)

    analyse = commands.add_parser(
        "analyse", formatter_class=PLAIN, help="rebuild every table from the rows of a folder", description=ANALYSE
    )
    analyse.add_argument("out", type=location, metavar="DIR")
    analyse.add_argument(
        "--sweep", type=Path, metavar="SWEEP.yaml", help="take contrasts from this file (for rows made elsewhere)"
    )
    analyse.add_argument(
        "--contrasts", type=Path, metavar="FILE", help="what is compared in rows made elsewhere: contrasts and primary, as YAML"
    )
    outward.add_flags(analyse, "disabled if `run` had it so, else offline")
    analyse.add_argument("--tables", action="store_true", help=TABLES)
    add_verbosity(analyse)

    page = commands.add_parser(
        "report", formatter_class=PLAIN, help="one self-contained HTML page with every figure and table", description=REPORT
    )
    page.add_argument("out", type=location, metavar="DIR")
    page.add_argument(
        "--contrast",
        metavar="NAME",
        help="for figures of a single contrast (default: the primary comparison's, else the first)",
    )


def _add_network(commands: Any) -> None:
    """Commands on single networks of a study."""
    from study.storage import location

    export = commands.add_parser(
        "export", formatter_class=PLAIN, help="one network's weights and data as .npz", description=EXPORT
    )
    export.add_argument("out", type=location, metavar="DIR")
    export.add_argument("--cell", required=True, metavar="NAME")
    export.add_argument("--seed", required=True, type=int, metavar="N")
    export.add_argument("--data-seed", type=int, metavar="N", help="in a crossed design (default: the first of the seed)")
    export.add_argument("--to", required=True, type=Path, metavar="FILE.npz")

    attribute = commands.add_parser(
        "attribute", formatter_class=PLAIN, help="which training patterns moved which outputs", description=ATTRIBUTE
    )
    attribute.add_argument("study", type=Path, metavar="DIR|SWEEP.yaml")
    attribute.add_argument("--cell", required=True, nargs="+", metavar="NAME", help="one or more, traced side by side")
    attribute.add_argument("--seed", required=True, type=int, metavar="N")
    attribute.add_argument("--data-seed", type=int, metavar="N", help="in a crossed design (default: the first of the seed)")
    attribute.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="for arrays, tables and pictures")
    attribute.add_argument(
        "--thin", type=int, default=1, metavar="S", help="steps that share one set of nodes (default: 1; see bench path)"
    )
    attribute.add_argument("--workers", type=int, metavar="N", help="processes, one network each (default: 2; 1 on one core)")


def _add_statistics(commands: Any) -> None:
    """Commands on the statistics, without a study."""
    power = commands.add_parser(
        "power", formatter_class=PLAIN, help="precision: how many pairs an interval of some width needs", description=POWER
    )
    power.add_argument("--r", type=float, default=0.0, help="the correlation that is expected (default: 0, the widest)")
    power.add_argument("--width", type=float, required=True, help="width of the 95 %% interval, upper minus lower end")

    calibrate = commands.add_parser(
        "calibrate", formatter_class=PLAIN, help="what the statistics do on simulated pairs", description=CALIBRATE
    )
    calibrate.add_argument("--out", type=Path, default=Path("results/calibration"), metavar="DIR")
    calibrate.add_argument(
        "--repetitions", type=int, default=1000, metavar="N", help="simulated studies per setting (default: 1000)"
    )


def _add_bench(commands: Any) -> None:
    bench = commands.add_parser(
        "bench", formatter_class=PLAIN, help="measure speed against a named baseline in the same run", description=BENCH
    )
    bench.add_argument("name", choices=BENCH_NAMES)
    bench.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to FILE")


def _one_set_each(arguments: Sequence[str]) -> list[str]:
    """`--set a=1 b=2` means `--set a=1 --set b=2`; a sweep file may still follow."""
    spelled: list[str] = []
    setting = False
    for argument in arguments:
        follows = setting and "=" in argument and not argument.startswith("-")
        if follows and spelled[-1] != "--set":
            spelled.append("--set")
        setting = argument == "--set" or follows
        spelled.append(argument)
    return spelled


@obedient
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Whatever goes wrong is one line."""
    given, debug = without_debug(sys.argv[1:] if arguments is None else arguments)
    return traced(lambda: _main(given), given, debug)


def _main(arguments: Sequence[str]) -> int:
    start = time.monotonic()
    options = make_parser().parse_args(_one_set_each(arguments))
    options.started = start
    mend()
    from study.console import complain, make_console
    from study.refused import RowsError, SweepError
    from study.storage import StorageError

    console = make_console(getattr(options, "quiet", False), getattr(options, "verbose", False))
    try:
        return COMMANDS[options.command](options, console)
    except (SweepError, RowsError) as error:
        complain(f"error: {error}")
        return REFUSED
    except (StorageError, UserError) as error:
        complain(f"error: {error}")
        return FAILED
    except KeyboardInterrupt:
        complain("stopped")
        return FAILED


def _run(options: argparse.Namespace, console: Console) -> int:
    from study import outward
    from study.sweep_file import load_sweep

    sweep = load_sweep(options.sweep, tuple(options.assignments))
    from study.plan import make_plan

    out = options.out or Path("results") / sweep.name
    tracking = outward.chosen(options, sweep.wandb, out, console)
    sweep = sweep.model_copy(update={"wandb": outward.remembered(tracking)})  # in the folder, for `analyse`
    plan = make_plan(sweep)
    from study.next_steps import typed
    from study.running import run  # late: what computes takes seconds, which a sweep that is refused need not spend

    return run(plan, out, tracking, options.address, console, options.tables, typed(options), options.started)


def _analyse(options: argparse.Namespace, console: Console) -> int:
    from study.meant import check_folder

    check_folder(options.out)
    from study import outward
    from study.plan import make_plan
    from study.sweep_file import load_sweep

    given = make_plan(load_sweep(options.sweep)) if options.sweep else None
    from study.folder import linear_part, stored_plan
    from study.running import report

    stored = stored_plan(options.out)
    declared = _declared(options, stored)
    plan = given or stored
    tracked = stored.sweep if stored is not None else None
    if tracked is not None:
        tracked = tracked.model_copy(update={"wandb": outward.chosen(options, tracked.wandb, options.out, console)})
    if (part := linear_part(options.out)) is not None:
        along = stored_plan(part)
        joined = along.sweep.model_copy(update={"wandb": tracked.wandb}) if along and tracked else None
        report(along, part, console, joined, options.tables)
    report(plan, options.out, console, tracked, options.tables, declared=declared)
    return 0


def _declared(options: argparse.Namespace, stored: Plan | None) -> Declared | None:
    """What `--contrasts` says."""
    from study.declared import load_declared
    from study.sweep import SweepError

    if options.contrasts is None:
        return None
    if options.sweep:
        raise SweepError("--contrasts, --sweep: both say what is compared; give one of them")
    if stored is not None:
        raise SweepError(f"--contrasts: {options.out} holds the sweep {stored.sweep.name}, which says what is compared")
    return load_declared(options.contrasts)


def _report(options: argparse.Namespace, console: Console) -> int:
    from study.meant import check_folder

    check_folder(options.out)
    from study.report.build import build_report

    build_report(options.out, options.contrast, console)
    return 0


def _export(options: argparse.Namespace, console: Console) -> int:
    from study.meant import check_folder

    check_folder(options.out)
    from study.export import export
    from study.folder import stored_sweep
    from study.plan import planned

    plan = planned(stored_sweep(options.out), options.out)
    for line in export(plan, options.out, options.cell, options.seed, options.data_seed, options.to):
        console.print(line, highlight=False, markup=False)
    return 0


def _attribute(options: argparse.Namespace, console: Console) -> int:
    from study.meant import check_folder

    if not options.study.is_file():
        check_folder(options.study)
    from study.plan import make_plan, planned
    from study.sweep_file import load_sweep

    given = make_plan(load_sweep(options.study)) if options.study.is_file() else None
    from study.attribute import attribute_study
    from study.folder import stored_sweep
    from study.machine import cores

    plan = given or planned(stored_sweep(options.study), options.study)
    chosen = plan, options.cell, options.seed, options.data_seed, options.to
    workers = min(cores(), 2) if options.workers is None else options.workers
    attribute_study(*chosen, options.thin, workers, console)
    return 0


def _power(options: argparse.Namespace, console: Console) -> int:
    from study.statistics.power import expected_width, pairs_needed
    from study.sweep import SweepError

    try:
        needed = pairs_needed(options.r, options.width)
    except ValueError as error:
        raise SweepError(str(error)) from None
    what = f"a 95 % interval of width {options.width:g} at r = {options.r:g}"
    console.print(f"Precision: {needed} pairs give {what}.", highlight=False)
    for pairs in (10, 30, 100, 400, 1000):
        console.print(f"{pairs:5d} pairs: width {expected_width(options.r, pairs):.2f}", highlight=False)
    return 0


def _calibrate(options: argparse.Namespace, console: Console) -> int:
    from study.calibrate import calibrate
    from study.sweep import SweepError, plain_line

    if not 2 <= options.repetitions <= MOST_REPETITIONS:
        least = "at least 2" if options.repetitions < 2 else f"at most {MOST_REPETITIONS:,}"
        raise SweepError(f"--repetitions = {plain_line(str(options.repetitions), 40)}: must be {least}")
    calibrate(options.out, options.repetitions, console)
    return 0


def _bench(options: argparse.Namespace, console: Console) -> int:
    from study.bench import BENCHES
    from study.folder import check_file
    from study.storage import write_text

    if options.json:
        check_file(options.json, "--json", b"{")
    numbers = BENCHES[options.name](console)
    if options.json:
        write_text(options.json, json.dumps(numbers, indent=1) + "\n")
    return 0


def _of(module: str) -> Callable[[argparse.Namespace, Console], int]:
    """The command of a module of its own."""
    return lambda options, console: import_module(module).command(options, console)


COMMANDS = {
    "list": _of("study.sweep_list"),
    "run": _run,
    "analyse": _analyse,
    "report": _report,
    "export": _export,
    "attribute": _attribute,
    "power": _power,
    "calibrate": _calibrate,
    "one-step": _of("study.one_step"),
    "idea": _of("study.idea"),
    "chaos": _of("study.chaos"),
    "dashboard": _of("study.dashboard"),
    "scan": _of("study.scan.command"),
    "bench": _bench,
    "completion": _of("study.completion"),
}


if __name__ == "__main__":
    sys.exit(main())
