"""A study's folder: which sweep it belongs to, so that no two configurations mix their rows."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

from study.extension import IDENTITY, Standing, standing_of, text_of
from study.identity import identity_of
from study.outward import lessened
from study.plan import Plan, planned
from study.storage import (
    FIRST_SECONDS,
    Location,
    StorageError,
    entries,
    exists,
    files,
    not_regular,
    read_bytes,
    regular,
    write_bytes,
)
from study.sweep import Sweep, SweepError, plain_line
from study.sweep_file import parse_sweep, read_text
from study.wandb_run import study_id
from study.written import NAMES

FILE = "sweep.json"
LINEAR = "linear"  # of a study's folder: the study of linear networks that runs along with it
LARGEST_STORED = 50_000_000  # bytes: a sweep file with every default and every seed spelled out
LOCK = "driver.json"  # of who is at work in the folder; see `study.lock`
LARGEST_LOCK = 65_536  # bytes
LOCK_FIELDS = {"id", "pid", "started", "host", "boot", "namespace", "beats", "beat"}
WITHIN = tuple(name for name in NAMES if name)  # folders of ours in which a link could lead a write or a read astray
EMPTY = (*WITHIN, "wandb", "ray", "lost+found")  # folders that may be there, with nothing in
_STARTED = re.compile(rf"\.({re.escape(FILE)}|{re.escape(LOCK)})\..+\.tmp")  # what a start was interrupted in writing


def claim(out: Location, study: Plan | Sweep) -> Standing:
    """Make the folder this study's, or check that it is; with more seeds it grows, fewer leave it as it is.

    Args:
        study: its plan, or the sweep that makes one.

    Raises:
        SweepError: the folder holds another configuration (with the first difference), foreign rows, or cannot be made.
    """
    standing = check_claim(out, study)
    sweep = study.sweep if isinstance(study, Plan) else study
    try:
        if standing.relation != "view":
            text = (sweep.model_dump_json(indent=1) + "\n").encode()
            write_bytes(out / FILE, text, FIRST_SECONDS)
            write_bytes(out / IDENTITY, standing.stored(text), FIRST_SECONDS)
        elif not standing.known:
            write_bytes(out / IDENTITY, standing.stored(text_of(out / FILE)), FIRST_SECONDS)
    except StorageError as error:
        raise SweepError(str(error)) from None
    except OSError as error:
        raise SweepError(f"{out}: cannot be used as --out ({error.strerror})") from None
    return standing


def check_claim(out: Location, study: Plan | Sweep) -> Standing:
    """Refuse a folder that cannot be this study's, as `claim` does, without writing anything into it."""
    try:
        if isinstance(out, Path):
            out.mkdir(parents=True, exist_ok=True)
            check_links(out)
        if exists(out / FILE, FIRST_SECONDS):
            return standing_of(out, study)
        check_new(out)
    except StorageError as error:
        raise SweepError(str(error)) from None
    except OSError as error:
        raise SweepError(f"{out}: cannot be used as --out ({error.strerror})") from None
    return Standing("same", identity_of(study), (), study_id(study.sweep if isinstance(study, Plan) else study))


def check_new(out: Location) -> None:
    """Refuse a folder that is no study's and holds anything but what an interrupted start of ours has left.

    Raises:
        SweepError: names the first thing in it.
        StorageError, OSError: it cannot be looked at.
    """
    if exists(out / FILE, FIRST_SECONDS):
        return
    if (there := _not_ours(out)) is None:
        return
    if there.split("/")[0] == "rows" and files(out / "rows", ".parquet"):
        raise SweepError(f"{out}: has rows but no {FILE}, so they cannot be told to belong here; choose another --out")
    raise SweepError(f"{out}: is not empty (it holds {plain_line(there, 80)!r}) and has no {FILE}, so it is no study's folder; "
                     "choose another --out, or an empty folder")  # fmt: skip


def _not_ours(out: Location, linear: bool = False) -> str | None:
    """The first thing in a folder without a sweep that does not come from a start of ours."""
    for name in entries(out):
        if (name == LOCK and is_lock(out)) or _STARTED.fullmatch(name):
            continue
        if name == LINEAR and not linear:  # its lock is taken, perhaps its sweep written, before this folder's is
            if exists(out / LINEAR / FILE, FIRST_SECONDS) or _not_ours(out / LINEAR, True) is None:
                continue
        elif name in EMPTY and not _anything(out / name):
            continue
        return name
    return None


def _anything(where: Location) -> bool:
    """Whether there is anything but empty folders below. A link counts as nothing: `check_links` has looked where it leads,
    and W&B's files may be kept elsewhere."""
    if not isinstance(where, Path):
        return bool(entries(where))
    if where.is_symlink():
        return where.name != "wandb"
    return not where.is_dir() or any(below.is_symlink() or not below.is_dir() for below in where.rglob("*"))


def is_lock(out: Location) -> bool:
    """Whether `driver.json` is a lock, or one that was being written: no bytes."""
    try:
        if isinstance(out, Path) and (not regular(out / LOCK) or (out / LOCK).stat().st_size > LARGEST_LOCK):
            return False
        data = read_bytes(out / LOCK, FIRST_SECONDS)
        found = json.loads(data) if data.strip() else {"id": ""}
    except StorageError:
        raise
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and bool({"id", "beat"} & set(found)) and set(found) <= LOCK_FIELDS


def linear_part(out: Location) -> Location | None:
    """Where a study's folder holds rows of linear networks that ran along; None where it holds none.

    Raises:
        SweepError: a link would lead out of the folder.
    """
    if isinstance(out, Path):
        check_links(out)
    part = out / LINEAR
    if not files(part / "rows", ".parquet"):
        return None
    if isinstance(part, Path):
        check_links(part)
    return part


def check_links(out: Path) -> None:
    """Refuse a folder, perhaps someone else's, in which a link would lead a write or a read out of it, or in which a file
    that we read or write is none: a pipe that never ends, a device, a folder of that name.

    Raises:
        SweepError: names it. `out` itself may be a link, and so may `wandb`, which a user may keep elsewhere.
    """
    home = out.resolve()
    inside = [*out.glob("*"), *(below for name in WITHIN for below in (out / name).rglob("*"))]
    for path in inside:
        if path.name != "wandb" and path.is_symlink() and (problem := _leads_out(path, home)):
            raise SweepError(f"{path}: is a link {problem}")
        if path.name != "wandb" and (what := _no_file(path)):
            raise SweepError(f"{path}: is {what}, and only regular files are read and written; remove it")


def _leads_out(path: Path, home: Path) -> str:
    """Where a link leads that leads astray; "" where all is well."""
    try:
        return "" if path.resolve().is_relative_to(home) else "out of the folder; copy what it points to, or remove it"
    except (OSError, RuntimeError):  # earlier versions of Python have it the second way
        return "that leads in a circle; remove it"


FILE_ENDINGS = {".json", ".parquet", ".npz", ".md", ".csv", ".html", ".png", ".svg", ".pdf", ".journal", ".log"}


def _no_file(path: Path) -> str | None:
    """What a path is that should be a file; None where all is well."""
    try:
        mode = path.stat().st_mode
    except OSError:  # a link to nowhere, or gone by now
        return None
    return None if stat.S_ISDIR(mode) and path.suffix not in FILE_ENDINGS else not_regular(mode)


def check_file(path: Path, option: str, begins: bytes) -> None:
    """Refuse, before any work, a file that could not be written after it, or one of something else.

    Args:
        begins: what files of this kind begin with.

    Raises:
        SweepError: no such folder or a read-only one, or a folder, a device or a file of another kind of that name.
    """
    if not path.name or path.is_dir():
        raise SweepError(f"{option} {path}: must name a file")
    if what := _no_file(path):
        raise SweepError(f"{option} {path}: is {what}, and only regular files are written over")
    if not path.parent.is_dir():
        raise SweepError(f"{option} {path}: the folder {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise SweepError(f"{option} {path}: the folder {path.parent} cannot be written to (Permission denied)")
    try:
        with path.open("rb") as file:
            there = file.read(len(begins))
    except FileNotFoundError:
        return
    except OSError as error:
        raise SweepError(f"{option} {path}: is there and cannot be read ({error.strerror}); choose another name") from None
    if there not in (b"", begins):
        raise SweepError(f"{option} {path}: is there and holds something else, which would be lost; choose another name")


def stored_sweep(out: Location) -> Sweep:
    """The sweep that a folder belongs to.

    Raises:
        SweepError: no such file, or it is not a valid sweep.
    """
    path = out / FILE
    try:
        if isinstance(path, Path):
            raw = json.loads(read_text(path, LARGEST_STORED))
        else:
            raw = json.loads(read_bytes(path, FIRST_SECONDS, LARGEST_STORED).decode())
    except SweepError:  # which is a ValueError, and names the file already
        raise
    except StorageError as error:
        raise SweepError(str(error)) from None
    except RecursionError:
        raise SweepError(f"{path}: cannot be read (nested too deeply)") from None
    except ValueError as error:  # not JSON, not UTF-8, or a number of thousands of digits
        raise SweepError(f"{path}: cannot be read ({error})") from None
    return parse_sweep(lessened(raw), str(path))


def stored_plan(out: Location) -> Plan | None:
    """The plan that a folder belongs to; None for rows made elsewhere."""
    return planned(stored_sweep(out), out) if exists(out / FILE) else None
