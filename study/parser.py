"""The parser of the command line: refuses in one line and says what may be meant; versions, and how much is printed."""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NoReturn

REFUSED = 2
VERSIONS = ("torch", "ray", "optuna", "wandb")  # of what results depend on, or who is asked for help asks for


class Parser(argparse.ArgumentParser):
    """Refuses in one line; of a mistyped command, option or choice it says which is near."""

    def error(self, message: str) -> NoReturn:
        from study.console import complain

        complain(f"error: {message} (see {self.prog} --help)")
        raise SystemExit(REFUSED)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        from study.meant import did_you_mean

        found, extra = self.parse_known_args(args, namespace)
        if extra:
            options = self._options(getattr(found, "command", None))
            mistyped = next((one.partition("=")[0] for one in extra if one.startswith("-")), "")
            self.error(f"unrecognized arguments: {' '.join(extra)}{did_you_mean(mistyped, options) if mistyped else ''}")
        return found

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        from study.meant import did_you_mean

        if action.choices is not None and value not in action.choices:
            known = list(action.choices)
            meant = did_you_mean(value, map(str, known))
            allowed = meant or f" (choose from {', '.join(map(str, known))})"
            raise argparse.ArgumentError(action, f"invalid choice: {value!r}{allowed}")

    def _options(self, command: str | None) -> list[str]:
        """Its own options, and those of a command."""
        inner = self.commands().get(command or "")
        return [*self._option_string_actions, *(inner._option_string_actions if inner is not None else ())]

    def commands(self) -> dict[str, Parser]:
        """The parsers of its commands, by name."""
        found: dict[str, Parser] = {}
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found |= action.choices
        return found

    def help_of(self, command: str) -> str:
        """The line that help has for a command."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                return next((str(one.help) for one in action._choices_actions if one.dest == command), "")
        return ""


class Versions(argparse.Action):
    """`--version`: of this program, and of what it computes with, without importing that."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from study import __version__

        print(f"study {__version__} ({', '.join(f'{name} {_version(name)}' for name in VERSIONS)})")
        parser.exit()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def add_verbosity(parser: argparse.ArgumentParser) -> None:
    """`-q` and `-v`, which `study.console.make_console` is made by."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-q", "--quiet", action="store_true", help="print nothing but the answer, warnings and errors")
    group.add_argument("-v", "--verbose", action="store_true", help="print the notes on method too, which analysis.md has")
