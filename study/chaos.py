"""The `chaos` command: does a study survive being killed at random moments, again and again?

A small real sweep is run once undisturbed. Then the same command is run, killed with signal 9 somewhere, and given again
until the study is finished, and then in a new folder, until enough kills have hit. Victims are drawn at random: a worker in
a trial, Ray's node (raylet), Ray's head (gcs_server), or the driver. Only processes of the session that the command was
started in are ever signalled. In the end rows are compared: keys and what is drawn or measured before training exactly,
losses to what another order of summation may change.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from study.sheets import Sheet

FAILED = 1


def _sheet(numbers: dict[str, Any]) -> Sheet:
    """The numbers as a table."""
    from study.sheets import Sheet
    from study.victims import NAMES

    rows = [[f"kills: {NAMES[kind]}", str(count)] for kind, count in numbers["by_kind"].items()]
    rows += [["kills, all", str(numbers["kills"])], ["studies finished", str(numbers["studies"])]]
    rows += [["commands given", str(numbers["runs"])], ["rows compared", str(numbers["networks"])]]
    rows += [[f"rows {what}", str(numbers[what])] for what in ("missing", "duplicated", "changed")]
    return Sheet("Killed at random moments, resumed with the same command, compared with an undisturbed run", ["", ""], rows)


def add_command(commands: Any) -> None:
    """Add `chaos` to the command line."""
    parser = commands.add_parser(
        "chaos",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="kill a study at random moments and see that nothing is lost",
        description=__doc__.partition("\n\n")[2],
    )
    parser.add_argument("--kills", type=int, default=30, metavar="N", help="kills that hit (default: 30, about 25 minutes)")
    parser.add_argument("--seed", type=int, default=0, help="of victims and moments (default: 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to FILE")


def command(options: argparse.Namespace, console: Console) -> int:
    """Run `chaos`; 1 if any row is missing, double or changed."""
    from study.disturbed import chaos  # late: pandas and torch take seconds that --help need not spend
    from study.folder import check_file
    from study.rows import RowsError
    from study.sheets import print_sheet
    from study.storage import write_text
    from study.sweep import SweepError

    if options.kills < 1:
        raise SweepError(f"--kills = {options.kills}: must be at least 1")
    if not Path("/proc/self/stat").exists():
        raise SweepError("chaos: needs /proc (Linux) to find the processes of a run")
    if options.json:
        check_file(options.json, "--json", b"{")
    with tempfile.TemporaryDirectory(prefix="pntk-chaos-", ignore_cleanup_errors=True) as name:
        try:
            numbers = chaos(options.kills, options.seed, console, Path(name))
        except (SweepError, RowsError):
            for log in sorted(Path(name).glob("*.log")):
                for line in log.read_text(encoding="utf-8")[-3000:].splitlines():
                    console.print(line, highlight=False, markup=False)
            raise
    print_sheet(console, _sheet(numbers))
    if options.json:
        write_text(options.json, json.dumps(numbers, indent=1) + "\n")
    return FAILED if numbers["missing"] or numbers["duplicated"] or numbers["changed"] else 0
