"""The `idea` command: the picture that explains what the study asks, drawn from one real network before training."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

DESCRIPTION = """\
Draws the question as a picture: one network of the source study before training, its kernel, the groups found in it, and
what they may say of the loss. Seconds. Writes idea.svg and idea.png."""
OUTPUTS = ("idea.svg", "idea.png")


def add_command(commands: Any) -> None:
    """Register the command's options."""
    parser = commands.add_parser("idea", help="the question as a picture", description=DESCRIPTION)
    parser.add_argument("--out", type=Path, default=Path("results/idea"), metavar="DIR")


def command(options: argparse.Namespace, console: Console) -> int:
    """Draw and say where.

    Raises:
        SweepError: a folder that cannot be made, or with files of these names that are not ours.
    """
    from study.figures.idea import idea
    from study.figures.style import save
    from study.sweep import SweepError
    from study.written import check_ours

    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SweepError(f"{options.out}: cannot be used as --out ({error.strerror})") from None
    check_ours(options.out, OUTPUTS, OUTPUTS[0], "--out")
    files = save(idea(), options.out, "idea")
    console.print("Files: " + ", ".join(map(str, files)), highlight=False, markup=False)
    return 0
