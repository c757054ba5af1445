"""Where Optuna keeps a search: a journal in the folder, or a database that the command line names. Damage is one line.

Whatever becomes of either, the rows have every finished point: a search that begins with an empty storage is told them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from study.scan.space import Scan
from study.storage import Location, local_folder
from study.sweep import SweepError

JOURNAL = "optuna.journal"
LARGEST_JOURNAL = 500_000_000  # bytes: 100,000 points need a third of it
SHORTEST_SECRET = 3  # characters; shorter values would be found everywhere
# What Optuna raises on records that are JSON but not what it wrote.
DAMAGE = (ValueError, TypeError, LookupError, AssertionError, AttributeError, RecursionError, OverflowError)
VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")


def storage_of(scan: Scan, out: Location, url: str = "") -> BaseStorage:
    """The scan's storage, which is made where there is none.

    Args:
        url: of a database, from the command line, variables of the environment not yet filled in; "" for the journal.

    Raises:
        SweepError: a damaged journal, or a database that cannot be opened.
    """
    if url:
        return _database(url)
    path = local_folder(out) / JOURNAL
    path.parent.mkdir(parents=True, exist_ok=True)
    check_journal(out)
    _drop_half_a_line(path)
    (path.parent / f"{JOURNAL}.lock").unlink(missing_ok=True)  # of a driver that died; Optuna can wait for ever for a moved one
    with answering(out, "", *DAMAGE):
        return JournalStorage(JournalFileBackend(str(path)))


def check_journal(out: Location) -> None:
    """Look at a folder's journal without changing it.

    Raises:
        SweepError: it is no regular file, too large, or has a line that is no record.
    """
    path = local_folder(out) / JOURNAL
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_file():
        raise SweepError(f"{path}: is no regular file; {_REMOVE}")
    if path.stat().st_size > LARGEST_JOURNAL:
        raise SweepError(f"{path}: is larger than {LARGEST_JOURNAL:,} bytes; {_REMOVE}")
    try:
        with path.open("rb") as journal:
            for number, line in enumerate(journal, 1):
                if line.endswith(b"\n") and not _is_record(line):
                    raise SweepError(f"{path}: is damaged in line {number}; {_REMOVE}")
    except OSError as error:
        raise SweepError(f"{path}: cannot be read ({error.strerror})") from None


_REMOVE = "move it away and give the same command: the rows have all finished points, a new journal is made from them"


def _is_record(line: bytes) -> bool:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and isinstance(record.get("op_code"), int)


def _drop_half_a_line(path: Path) -> None:
    """What a driver was writing when its machine died would make the journal unreadable; the rows still have the point."""
    if path.exists() and (data := path.read_bytes()) and not data.endswith(b"\n"):
        with path.open("r+b") as journal:
            journal.truncate(data.rfind(b"\n") + 1)


def _database(url: str) -> BaseStorage:
    filled = os.path.expandvars(url)
    if missing := VARIABLE.search(filled):
        raise SweepError(f"--storage {shown(url)}: the environment has no variable {missing[0][:40]}")
    try:
        storage = RDBStorage(filled)
        for study in storage.get_all_studies():
            storage.get_all_trials(study._study_id, deepcopy=False)
        return storage
    except ImportError as error:
        chain = (error, error.__cause__, error.__context__)
        name = next((one.name for one in chain if isinstance(one, ImportError) and one.name), None)
        why = f"its driver is not installed{f': pip install {name}' if name else ''}"
    except Exception as error:  # a wrong URL, a server that is away, a schema of another version: each its own kind of error
        why = _why(error, url)
    raise SweepError(f"--storage {shown(url)}: cannot be opened ({why})") from None


def shown(url: str) -> str:
    """A URL without user, password and options, its variables not filled in."""
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        return f"{url.partition(':')[0][:20]}:..." if ":" in url else url[:60]
    port = f":{parsed.port}" if parsed.port else ""
    place = f"{parsed.host or ''}{port}/{parsed.database or ''}".rpartition("@")[2]
    return f"{parsed.drivername}://{place}"


def _why(error: BaseException, url: str) -> str:
    """An error's kind and text, what the URL may hold of secrets made unreadable."""
    filled = os.path.expandvars(url)
    secrets = {url, filled, *(os.path.expandvars(found[0]) for found in VARIABLE.finditer(url))}
    for one in (url, filled):
        try:
            parsed = make_url(one)
        except (SQLAlchemyError, ValueError):
            continue
        options = [value if isinstance(value, str) else "&".join(value) for value in parsed.query.values()]
        secrets |= {str(parsed.password or ""), *options, *re.findall(r":([^:@/]+)@", one)}
    text = " ".join(str(error).split())
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return f"{type(error).__name__}: {text[:200]}"


@contextmanager
def answering(out: Location, url: str = "", *others: type[Exception]) -> Iterator[None]:
    """What Optuna's storage raises meanwhile, as one line.

    Args:
        others: further kinds of errors that stand for damage, where nothing else can raise them.

    Raises:
        SweepError: names the journal or the database.
    """
    try:
        yield
    except SweepError:
        raise
    except Exception as error:
        if not isinstance(error, (SQLAlchemyError, optuna.exceptions.OptunaError, *others)):
            raise
        where = f"--storage {shown(url)}" if url else str(local_folder(out) / JOURNAL)
        after = "the rows have all finished points" if url else _REMOVE
        raise SweepError(f"{where}: cannot be used ({_why(error, url)}); {after}") from None
