"""The last resort of the command line: whatever goes wrong ends in one line, and its traceback in a file of our own.

Light on purpose: it is imported before anything that could fail or take long.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from study.text import one_line, visible, without_secrets

FAILED = 1
LONGEST = 300  # characters of what an exception says

_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.ENOTEMPTY}
_HINTS = {
    errno.EACCES: "change its permissions, or name another place",
    errno.EPERM: "change its permissions, or name another place",
    errno.EROFS: "the file system is read-only: name another place",
    errno.ENOSPC: "free some space and give the same command again",
    errno.EDQUOT: "your quota is used up: free some space and give the same command again",
    errno.EFBIG: "the file system or a limit (ulimit -f) takes no larger files",
    errno.EISDIR: "it is a folder: name a file",
    errno.ENOTDIR: "a part of the path is a file: name another place",
    errno.ENOENT: "it, or a folder of its path, does not exist",
    errno.EEXIST: "something of another kind is there: remove it, or name another place",
    errno.ENAMETOOLONG: "a part of the path is too long: choose shorter names",
    errno.EMFILE: "too many open files: raise ulimit -n",
    errno.ENFILE: "too many open files on this machine",
    errno.ENOMEM: "not enough memory",
    errno.ELOOP: "links that lead in a circle",
}
_OTHER_HINTS: tuple[tuple[type[BaseException], str], ...] = (
    (MemoryError, "not enough memory: fewer patterns, units or resamples, or fewer workers"),
    (RecursionError, "something is nested too deeply"),
    (UnicodeError, "text that is not UTF-8"),
    (ImportError, "a package is missing or broken: install this project again (pip install .)"),
    (OverflowError, "a number is too large"),
)


class UserError(Exception):
    """What failed for a reason outside this project; its text is one line for the user."""


def without_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """The arguments without `--debug`, which may stand before or after the command, and whether it was there."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    rest = [argument for argument in arguments[:end] if argument != "--debug"]
    return [*rest, *arguments[end:]], len(rest) < end


def last_resort(error: BaseException, doing: Sequence[str], debug: bool) -> str:
    """The one line for an exception that nothing else named: what was being done, with which file, what to do.

    Args:
        doing: the command and its arguments.
        debug: the traceback goes to stderr instead of a file.
    """
    command = " ".join(doing)
    what = command if len(command) <= LONGEST else command[: LONGEST - 3] + "..."
    text = without_secrets("".join(traceback.format_exception(error)))
    if debug:
        with suppress(OSError, ValueError):
            print(visible(text, keep="\n"), file=sys.stderr)
        where = "the traceback is above"
    else:
        where = _kept(text)
    return one_line(without_secrets(f"{what or 'study'}: {reason(error)}; {where}"))


def reason(error: BaseException) -> str:
    """What an exception says, with its file and what can be done about it."""
    if isinstance(error, OSError) and error.errno is not None:
        file = error.filename2 or error.filename
        hint = _HINTS.get(error.errno)
        name = f"{os.fsdecode(file)[-LONGEST:]}: " if isinstance(file, str | bytes | os.PathLike) else ""
        text = f"{name}cannot be {_deed(error)} ({error.strerror or error})"
        return f"{text}: {hint}" if hint else text
    said = " ".join(str(error).split())
    said = said if len(said) <= LONGEST else said[: LONGEST - 3] + "..."
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    hint = next((hint for kind, hint in _OTHER_HINTS if isinstance(error, kind)), None)
    return f"{text} ({hint})" if hint else text


def _deed(error: OSError) -> str:
    """Whether it was reading or writing that failed, as far as the file tells."""
    if error.errno in _WRITING:
        return "written"
    if error.errno in (errno.EACCES, errno.EPERM) and isinstance(error.filename, str | bytes | os.PathLike):
        path = Path(os.fsdecode(error.filename))
        try:
            return "written" if not path.exists() or os.access(path, os.R_OK) else "read"
        except OSError:  # a folder on the way may not be looked into
            return "used"
    return "used"


def _kept(text: str) -> str:
    """Where the traceback was written: the temporary folder, or a folder of the user's, never where the command was given."""
    problem: object = "no folder for it"
    for place in _places():
        try:
            folder = place()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(prefix="pntk-", suffix=".traceback", dir=folder)  # readable by its owner only
            try:
                with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as sink:
                    sink.write(text)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
            return f"the traceback is in {name} (--debug shows it)"
        except (OSError, RuntimeError, ValueError) as error:
            problem = error.strerror or error if isinstance(error, OSError) else error
    return f"the traceback could not be written ({problem}); --debug shows it"


def _places() -> list[Callable[[], Path]]:
    # tempfile.gettempdir ends at the working folder, which may be a results folder.
    chosen = [Path(text) for name in ("TMPDIR", "TEMP", "TMP") if (text := os.environ.get(name)) and Path(text).is_absolute()]
    fixed = [lambda path=path: path for path in [*chosen, Path("/tmp"), Path("/var/tmp")] if path.is_dir()]
    return [*fixed, lambda: Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "pntk"]


def traced(work: Callable[[], int], doing: Sequence[str], debug: bool) -> int:
    """The exit status of some work, whatever happens in it.

    SystemExit passes: it is how the parser refuses and how a closed pipe ends. Warnings of libraries are not for users of
    the command line, unless they ask for them by --debug or -W.
    """
    try:
        from study.console import any_encoding

        any_encoding()
        with warnings.catch_warnings():
            if not debug and not sys.warnoptions:
                warnings.simplefilter("ignore")
            status = work()
            sys.stdout.flush()
            return status
    except SystemExit:
        raise
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        from study.console import PIPE_CLOSED, discard_output

        discard_output()
        return PIPE_CLOSED
    except BaseException as error:
        line = f"error: {last_resort(error, doing, debug)}"
        with suppress(OSError, ValueError):  # nobody may be there to hear it
            print(line, file=sys.stderr)
        return FAILED
