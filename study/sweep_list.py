"""The `list` command: which sweeps there are, what each asks, how much work it is, and whether it has results here."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.refused import SweepError
from study.text import visible

if TYPE_CHECKING:
    from rich.console import Console

    from study.sweep import Sweep

INDENT = 14  # columns of a name
WIDEST = 100  # columns of a line that is easy to read
RESULTS = Path("results")


def add_command(commands: Any) -> None:
    """Add `list` to the command line."""
    commands.add_parser(
        "list", help="the sweeps that there are: what they ask, how much work they are, whether they have results",
        description="The sweeps of ./sweeps and of this project. Each runs by its name: study run NAME, or study scan NAME.",
    )  # fmt: skip


def command(options: argparse.Namespace, console: Console) -> int:
    """Run `list`. A sweep that is not valid is named with what is wrong, and does not hide the others."""
    from study.sweep_file import sweep_files

    found = sweep_files()
    if not found:
        raise SweepError("no sweeps: there is no folder sweeps here, and none was installed")
    width = min(console.width, WIDEST)
    for name, path in found.items():
        for line in entry(name, described(path), width):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    return 0


def entry(name: str, said: list[str], width: int) -> list[str]:
    """A sweep as lines of at most `width` columns: its name before what is said of it."""
    name, said = visible(name), list(map(visible, said))  # before they are broken into lines: it makes them longer
    lines = [line for text in said for line in textwrap.wrap(text, max(width - INDENT, 20))]
    head = f"{name:<{INDENT - 1}} "
    if len(head) > INDENT:  # a long name has a line of its own
        return [name, *(" " * INDENT + line for line in lines)]
    return [head + lines[0], *(" " * INDENT + line for line in lines[1:])]


def described(path: Path) -> list[str]:
    """What a sweep asks, how much work it is and what it has in results/, or what is wrong with it."""
    from study.sweep_file import load_sweep

    try:
        sweep = load_sweep(path)
        return [sweep.description or "(no description)", f"{work(sweep)}. {results_of(sweep)}."]
    except SweepError as error:
        return [f"not valid: {error}"]


def work(sweep: Sweep) -> str:
    """How many networks and gradient steps.

    Raises:
        SweepError: an impossible design.
    """
    from study.plan import make_plan
    from study.sweep import seed_list

    if (scan := sweep.scan) is not None:
        networks = scan.points * len(seed_list(sweep.seeds))
        again = scan.confirm * len(seed_list(scan.evaluation_seeds))
        return f"A scan: {scan.points:,} points, at most {networks + again:,} networks"
    plan = make_plan(sweep)
    beside = f", and {plan.linear.networks:,} linear ones" if plan.linear else ""
    return f"{plan.networks:,} networks{beside}, {_steps(plan.steps)} steps"


def _steps(count: int) -> str:
    return f"{count / 1e6:.3g} million" if count >= 1_000_000 else f"{count:,}"


def results_of(sweep: Sweep) -> str:
    """What results/NAME holds."""
    folder = RESULTS / sweep.name
    if not folder.is_dir() or not (folder / "sweep.json").is_file():
        return "Not run here"
    if (folder / "report.html").is_file():
        return f"Report: {folder / 'report.html'}"
    return f"Results: {folder}" if (folder / "analysis.json").is_file() else f"Begun: {folder}"
