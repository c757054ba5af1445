"""The `scan` command on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study import outward
from study.storage import location

if TYPE_CHECKING:
    from rich.console import Console

DESCRIPTION = """\
Search the settings of a sweep file's section `scan` with Optuna, under Ray Tune. Every point is a cell whose networks are
rows like any others; the points that come out best are trained again on evaluation seeds, which the final tables are made
of. Ctrl-C stops it; the same command goes on. The search is kept in DIR/optuna.journal (`optuna-dashboard` opens it) or in
the database that --storage names; a file cannot name one.

objectives   generalisation, multitasking (with several: their Pareto front), seed_level_r, crossover (alone)
samplers     tpe, gp, nsga2, qmc, random"""


def add_command(commands: Any) -> None:
    """Add `scan` to the command line."""
    parser = commands.add_parser(
        "scan",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="search for the best settings, or bracket a crossover",
        description=DESCRIPTION,
    )
    parser.add_argument("sweep", type=Path, metavar="SWEEP", help="name of a sweep (see study list), or a file of one")
    parser.add_argument("--out", type=location, metavar="DIR", help="as of run (default: results/<name of the sweep>)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments",
        help="override a field of the sweep file; scan.points=100, scan.sampler=gp",
    )  # fmt: skip
    outward.add_flags(parser, "as of run")
    parser.add_argument("--address", metavar="ADDRESS", help="as of run")
    parser.add_argument(
        "--storage", default="", metavar="URL",
        help="Optuna's database in place of the folder's journal, such as sqlite:///scan.db; $VARIABLES are filled in",
    )  # fmt: skip


def command(options: argparse.Namespace, console: Console) -> int:
    """Run `scan`; 1 if it did not come to its end."""
    from study.sweep_file import load_sweep

    sweep = load_sweep(options.sweep, tuple(options.assignments))
    out = options.out or Path("results") / sweep.name
    tracking = outward.chosen(options, sweep.wandb, out, console)
    sweep = sweep.model_copy(update={"wandb": outward.remembered(tracking)})
    from study.scan.space import make_scan  # late: optuna and torch take seconds that a mistyped file need not spend

    scan = make_scan(sweep)
    from study.scan.drive import scan_folder  # later still: Ray, which a refused scan need not start

    return scan_folder(scan, out, tracking, options.address, console, options.storage)
