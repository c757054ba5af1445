"""What this program wrote into a folder, so that it writes over and removes nothing else.

A study's folder (one with `sweep.json`) was empty when the study began: names of our outputs are ours there. In any other
folder, such as one with rows made elsewhere, a file of such a name is ours if `.written.json` has it with the content that
it still has, or, of analyses made before there was that record, if the folder's `analysis.json` is one of ours. A file that
has become obsolete is removed only if the record has it, unchanged.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from study.storage import regular, write_text
from study.sweep import SweepError

RECORD = ".written.json"
LARGEST = 100_000_000  # bytes of the record, or of an analysis.json that may be ours
STALE_SECONDS = 600.0  # no file takes that long to be written

BLOCK = r"-?\d+--?\d+-[0-9a-f]{12}"  # first seed, last seed, key: see `rows.file_of`
# What is ours by its name, by the part of the folder that it lies in.
NAMES = {
    "": r"((sweep|identity|driver|predictor_costs|analysis|scan|\.written)\.json"
    r"|(analysis|maps|ranking)\.csv|(analysis|scan)\.md|report\.html)",
    "figures": r".+\.(svg|png)",
    "rows": rf"{BLOCK}\.parquet",
    "checkpoints": rf"{BLOCK}\.npz",
    "references": r"[0-9a-f]{16}\.npz",
    "kept": r"-?\d+--?\d+\.(activity|vectors)\.parquet",
}
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d{1,9})(-[0-9a-f]{8})?\.tmp", re.DOTALL)


def check_ours(folder: Path, names: Iterable[str], marker: str, option: str) -> None:
    """Refuse, before any work, a folder in which files would be written over that this program did not write.

    Args:
        names: that are going to be written, relative to the folder.
        marker: the first of them that is written; where it is, the others are ours too.
        option: that names the folder.

    Raises:
        SweepError: names the first such file.
    """
    if not (folder / marker).is_file():
        for name in names:
            if os.path.lexists(folder / name):
                raise SweepError(f"{option} {folder}: {name} is there but no {marker}, so it was not written by this command; "
                                 "choose another folder")  # fmt: skip


def begin(folder: Path, names: Sequence[str]) -> None:
    """Before files are written into a folder: refuse to write over what this program did not write.

    Raises:
        SweepError: names the first such file.
    """
    if (folder / "sweep.json").is_file():
        return
    found = _recorded(folder)
    if found is None:  # an analysis by a version that kept no record: all our names are ours
        found = {"files": {}, "writing": [*_named(folder)]}
    for name in names:
        path = folder / name
        ours = name in found["writing"] or (name in found["files"] and found["files"][name] == _digest(path))
        if os.path.lexists(path) and not ours:
            raise SweepError(f"{path}: was not written by this program, or was changed since, and would be written over; "
                             "move it away")  # fmt: skip
    found["writing"] = sorted({*found["writing"], *names})
    _write(folder, found)


def ended(folder: Path, names: Sequence[str], obsolete: Sequence[str] = ()) -> list[str]:
    """After files were written: remember them, and remove those of an earlier time that are obsolete now.

    Args:
        names: of the files that were written.
        obsolete: what would have been written, had there been anything to put in.

    Returns:
        obsolete files that stay, because they are not known to be ours or were changed.
    """
    found = _recorded(folder) or {"files": {}, "writing": []}
    stay = []
    for name in sorted({*obsolete} - {*names}):
        path = folder / name
        if path.is_file() and not path.is_symlink():
            if found["files"].get(name) == _digest(path):
                path.unlink(missing_ok=True)
            else:
                stay.append(name)
    files = found["files"] | {name: _digest(folder / name) for name in names}
    left = {name: digest for name, digest in files.items() if (folder / name).is_file()}
    done = {*names, *obsolete} - {*stay}
    waiting = [name for name in found["writing"] if name not in done and os.path.lexists(folder / name)]
    _write(folder, {"files": left, "writing": waiting})
    return stay


def _write(folder: Path, found: dict[str, Any]) -> None:
    write_text(folder / RECORD, json.dumps(found, indent=1, sort_keys=True) + "\n")


def _recorded(folder: Path) -> dict[str, Any] | None:
    """`files` (name -> sha256) and `writing` (names); None where there is no record but an analysis of ours."""
    found = _json(folder / RECORD)
    if isinstance(found, dict) and isinstance(found.get("files"), dict) and isinstance(found.get("writing"), list):
        named = (name for name in found["writing"] if isinstance(name, str) and _ours(name))  # it may come from anyone
        return {"files": {n: digest for n, digest in found["files"].items() if _ours(n)}, "writing": [*named]}
    analysis = _json(folder / "analysis.json")
    ours = isinstance(analysis, dict) and {"cells", "results"} <= set(analysis)
    return None if ours else {"files": {}, "writing": []}


def _ours(name: str) -> bool:
    """Whether a file, named from the folder, lies where our outputs do."""
    part, _, own = name.rpartition("/")
    return part in ("", "figures") and own not in ("", ".", "..") and own.isprintable()


def _named(folder: Path) -> Iterator[str]:
    """Files of a folder that bear a name of an output."""
    for part in ("", "figures"):
        for path in (folder / part).glob("*"):
            if re.fullmatch(NAMES[part], path.name):
                yield str(path.relative_to(folder))


def _json(path: Path) -> Any:
    try:
        if not regular(path) or path.stat().st_size > LARGEST:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if regular(path) else None
    except OSError:
        return None


def clean(folder: Path) -> None:
    """Remove temporary files of ours that a process which is no more, or one a long time ago, left behind."""
    for part, pattern in NAMES.items():
        if part and (folder / part).is_symlink():
            continue
        for below, _, names in os.walk(folder / part):
            for name in names:
                found = _TEMPORARY.fullmatch(name)
                if found and re.fullmatch(pattern, found["name"]) and _left(Path(below) / name, int(found["pid"])):
                    with contextlib.suppress(OSError):
                        (Path(below) / name).unlink()
            if not part:
                break  # the folder itself, not below


def _left(path: Path, pid: int) -> bool:
    try:
        if time.time() - path.lstat().st_mtime > STALE_SECONDS:
            return True
        os.kill(pid, 0)
    except ProcessLookupError:
        return True  # perhaps another machine's: then that one writes its file again
    except (OSError, OverflowError):
        pass
    return False
