"""One driver per folder: a lock file with who drives, and a heartbeat.

A second driver is refused. The lock of a driver that died on this machine, or that has not been heard of for some minutes,
is taken over. Locally the lock is made by a hard link, which only one of two can make. Object storage has no such thing that
pyarrow shows, nor has a takeover, so there a driver looks again after a moment whether the lock is still its own: two that
start within the same moment are told apart, unless storage takes longer than that moment to show what was put.

Workers look at the lock before they write (`holds`), so what an old driver left running cannot write into a study that
another has taken over and may have laid out in other blocks.
"""

from __future__ import annotations

import _thread
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from study.folder import FIRST_SECONDS
from study.storage import Location, StorageError, read_bytes, remove, write_bytes
from study.sweep import SweepError

FILE = "driver.json"
BEAT_SECONDS = 15.0
STALE_SECONDS = 180.0  # an outage of a minute must not cost a living driver its lock
SETTLE_SECONDS = 2.0


def _started(pid: int) -> str | None:
    """When a process of this machine started, in a unit of its own; None for one that is dead, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except OSError:
        return None
    else:
        return None if fields[0] == "Z" else fields[19]
    try:  # no /proc: whether there is a process of this number
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return ""


def _mine(identity: str) -> dict[str, Any]:
    pid = os.getpid()
    here = {"id": identity, "host": socket.gethostname(), "pid": pid, "started": _started(pid)}
    return here | {"beat": time.time()}


def _read(out: Location, seconds: float | None = FIRST_SECONDS) -> dict[str, Any] | None:
    """Who holds the lock; None for nobody, and for what is no lock."""
    try:
        found = json.loads(read_bytes(out / FILE, seconds))
        return found if isinstance(found, dict) and isinstance(found.get("beat"), int | float) else None
    except StorageError:
        raise
    except (OSError, ValueError):
        return None


def _stale(found: dict[str, Any]) -> bool:
    if found.get("host") == socket.gethostname() and isinstance(found.get("pid"), int):
        return _started(found["pid"]) is None or _started(found["pid"]) != found.get("started")
    return time.time() - found["beat"] > STALE_SECONDS


def _write(out: Location, identity: str) -> None:
    write_bytes(out / FILE, (json.dumps(_mine(identity)) + "\n").encode(), FIRST_SECONDS)


def _made(path: Path, identity: str) -> bool:
    """Whether a lock could be made where there was none."""
    temporary = path.with_name(f".{path.name}.{identity}.tmp")
    write_bytes(temporary, (json.dumps(_mine(identity)) + "\n").encode())
    try:
        os.link(temporary, path)
        return True
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)


def _take(out: Location, identity: str) -> None:
    found = _read(out)
    if found is None and isinstance(out, Path) and _made(out / FILE, identity):
        return
    found = found or _read(out)
    if found is not None and not _stale(found):
        raise _refusal(out, found)
    _write(out, identity)
    time.sleep(SETTLE_SECONDS)
    found = _read(out)
    if found is not None and found.get("id") != identity:
        raise _refusal(out, found)


def _refusal(out: Location, found: dict[str, Any]) -> SweepError:
    ago = max(time.time() - found["beat"], 0)
    return SweepError(
        f"{out}: is being run by process {found.get('pid')} on {found.get('host')} (heard of {ago:.0f} s ago); "
        f"wait for it, or stop it first"
    )


def holds(out: Location, identity: str) -> bool:
    """Whether what the driver of this identity started may still write. Waits for storage as long as rows do."""
    found = _read(out, None)
    return found is not None and found.get("id") == identity


@contextmanager
def driving(out: Location) -> Iterator[str]:
    """Hold the folder's lock; gives the identity of this driver.

    Raises:
        SweepError: another driver holds it, or the folder cannot be used.
    """
    identity = uuid.uuid4().hex
    try:
        _take(out, identity)
    except StorageError as error:
        raise SweepError(str(error)) from None
    except OSError as error:
        raise SweepError(f"{out}: cannot be used as --out ({error.strerror or error})") from None
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(out, identity, stop), daemon=True)
    heart.start()
    try:
        yield identity
    finally:
        stop.set()
        heart.join(FIRST_SECONDS)
        try:
            if (_read(out) or {}).get("id") == identity:
                remove(out / FILE)
        except OSError:
            pass  # a lock left behind is stale soon


def _beat(out: Location, identity: str, stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        try:
            if (_read(out) or {"id": identity}).get("id") != identity:
                _thread.interrupt_main()  # taken over, after this process was not heard of for minutes
                return
            if not stop.is_set():
                _write(out, identity)
        except OSError:
            continue  # storage may come back; until then nobody else can take the lock either
