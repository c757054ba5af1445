"""A study's folder: which sweep it belongs to, so that no two configurations mix their rows."""

from __future__ import annotations

import json
from pathlib import Path

from study.extension import IDENTITY, Standing, standing_of, text_of
from study.identity import identity_of
from study.plan import Plan, planned
from study.storage import Location, StorageError, exists, files, read_bytes, write_bytes
from study.sweep import Sweep, SweepError
from study.sweep_file import parse_sweep, read_text

FILE = "sweep.json"
LINEAR = "linear"  # of a study's folder: the study of linear networks that runs along with it
LARGEST_STORED = 50_000_000  # bytes: a sweep file with every default and every seed spelled out
FIRST_SECONDS = 20  # of patience with storage that was never reached: the URI may be wrong


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
        if files(out / "rows", ".parquet"):
            raise SweepError(f"{out}: has rows but no {FILE}, so they cannot be told to belong here; choose another --out")
    except StorageError as error:
        raise SweepError(str(error)) from None
    except OSError as error:
        raise SweepError(f"{out}: cannot be used as --out ({error.strerror})") from None
    return Standing("same", identity_of(study), ())


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
    """Refuse a folder, perhaps someone else's, in which a link would lead a write or a read out of it.

    Raises:
        SweepError: names the link. `out` itself may be one, and so may `wandb`, which a user may keep elsewhere.
    """
    home = out.resolve()
    inside = [*out.glob("*"), *(out / "rows").rglob("*"), *(out / "figures").rglob("*")]
    for path in inside:
        if path.name != "wandb" and path.is_symlink() and not path.resolve().is_relative_to(home):
            raise SweepError(f"{path}: is a link out of the folder; copy what it points to, or remove it")


def check_file(path: Path, option: str) -> None:
    """Refuse, before any work, a file that could not be written after it.

    Raises:
        SweepError: no such folder, or a folder of that name.
    """
    if not path.name or path.is_dir():
        raise SweepError(f"{option} {path}: must name a file")
    if not path.parent.is_dir():
        raise SweepError(f"{option} {path}: the folder {path.parent} does not exist")


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
            raw = json.loads(read_bytes(path, FIRST_SECONDS).decode())
    except StorageError as error:
        raise SweepError(str(error)) from None
    except RecursionError:
        raise SweepError(f"{path}: cannot be read (nested too deeply)") from None
    except ValueError as error:  # not JSON, not UTF-8, or a number of thousands of digits
        raise SweepError(f"{path}: cannot be read ({error})") from None
    return parse_sweep(raw, str(path))


def stored_plan(out: Location) -> Plan | None:
    """The plan that a folder belongs to; None for rows made elsewhere."""
    return planned(stored_sweep(out), out) if exists(out / FILE) else None
