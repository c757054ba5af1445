"""`did you mean`: the known name that a mistyped one is nearest to."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from study.refused import RowsError
from study.storage import Location


def did_you_mean(name: object, known: Iterable[object], where: str = "") -> str:
    """`; did you mean 'scatter'?`, or "" where nothing is near; capitals do not count. `where` is put before what is meant."""
    folded = {str(one).lower(): str(one) for one in known}
    near = difflib.get_close_matches(str(name).lower(), folded, 1)
    return f"; did you mean {where + folded[near[0]]!r}?" if near else ""


def check_folder(out: Location) -> None:
    """Refuse a folder that is not there, before what reads folders is imported; of object storage nothing is known yet.

    Raises:
        RowsError: names it, and the one beside it that may be meant.
    """
    if isinstance(out, Path) and not out.is_dir():
        what = "no such folder" if not out.exists() else "is no folder"
        beside = [str(path) for path in out.parent.iterdir() if path.is_dir()] if out.parent.is_dir() else []
        raise RowsError(f"{out}: {what}{did_you_mean(out, beside)}")
