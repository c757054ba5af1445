"""The console of the command line: whatever is printed through it is text, neither markup nor commands to a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.text import Text

from study.text import one_line, visible, without_secrets

PIPED = 80  # columns
PIPE_CLOSED = 128 + 13  # as a shell reports a program that SIGPIPE ended


class CleanConsole(Console):
    """Every string, of a table too, becomes visible text on its one line; square brackets and colons stay what they are."""

    verbose = False  # whether notes on method are printed too

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)

    def on_broken_pipe(self) -> None:
        """Who read the output has gone (`| head`): end quietly, as other programs do."""
        self.quiet = True
        discard_output()
        raise SystemExit(PIPE_CLOSED)


def make_console(quiet: bool = False, verbose: bool = False) -> CleanConsole:
    """As wide as the terminal; what goes elsewhere is as wide as one of old, or as COLUMNS asks for.

    Args:
        quiet: nothing is printed but inside `always`.
        verbose: those who print may say more, such as notes on method.
    """
    console = CleanConsole()
    asked = os.environ.get("COLUMNS", "").isdigit()
    console = console if console.is_terminal or asked else CleanConsole(width=PIPED)
    console.quiet, console.verbose = quiet, verbose
    return console


@contextmanager
def always(console: Console) -> Iterator[None]:
    """What is printed inside is printed by a quiet console too: the answer, and what went wrong."""
    quiet, console.quiet = console.quiet, False
    try:
        yield
    finally:
        console.quiet = quiet


def any_encoding() -> None:
    """Let the output take every character: one that its encoding lacks (LANG=C) is spelled out instead of ending the work."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def discard_output() -> None:
    """What is still to be printed goes nowhere, and the interpreter does not complain of it at its end."""
    with suppress(OSError, ValueError):  # there may be no file behind it
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def complain(text: str) -> None:
    """One line on stderr."""
    show(one_line(without_secrets(text)))


def show(text: str) -> None:
    """Several lines on stderr, such as a traceback."""
    with suppress(OSError, ValueError):  # nobody may be there to hear it
        print(visible(text, keep="\n"), file=sys.stderr)
