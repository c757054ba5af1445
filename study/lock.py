"""One driver per folder: a lock file with who drives, and a heartbeat.

A second driver is refused. Whether the first one lives is not asked of clocks or host names: on the same machine, started at
the same time, in the same space of process numbers (boot and namespace ids), its process is looked at; anywhere else the
lock is watched for some minutes by a clock of our own, and taken over only if its beat does not change meanwhile.

Locally the lock is made by a hard link, which only one of two can make, and where file systems have none by a file that must
not be there yet (O_EXCL). Object storage has no such thing that pyarrow shows, nor has a takeover, so there a driver looks
again after a moment whether the lock is still its own: two that start within the same moment are told apart, unless storage
takes longer than that moment to show what was put.

Workers look at the lock before they write (`holds`), so what an old driver left running cannot write into a study that
another has taken over and may have laid out in other blocks.
"""

from __future__ import annotations

import _thread
import contextlib
import itertools
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from study.folder import LARGEST_LOCK, check_new
from study.folder import LOCK as FILE
from study.storage import FIRST_SECONDS, Location, StorageError, read_bytes, regular, remove, write_bytes
from study.sweep import SweepError, plain_line
from study.written import clean

BEAT_SECONDS = 15.0
STALE_SECONDS = 180.0  # an outage of a minute must not cost a living driver its lock
LOOK_SECONDS = 1.0  # between two looks at a lock that is watched
SETTLE_SECONDS = 2.0

_BEATS = itertools.count()  # no two beats of this process are written alike
_HELD: dict[str, Location] = {}  # identity of a driver in this process: the folder whose lock it holds


def _boot() -> str:
    """Of this machine since it was started; the same in all its containers. Empty where there is no such thing."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _namespace() -> str:
    """Of process numbers: a container has its own. Empty where there is no such thing."""
    with contextlib.suppress(OSError):
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    return ""


def _started(pid: int) -> str | None:
    """When a process of this namespace started, in a unit of its own; None for one that is dead, or a zombie; empty for one
    that lives and cannot be looked at."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):  # gone, or hidden from this user
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except (OSError, OverflowError):
        pass
    return ""


def _mine(identity: str) -> dict[str, Any]:
    pid = os.getpid()
    place = {"host": socket.gethostname(), "boot": _boot(), "namespace": _namespace()}
    process = {"id": identity, "pid": pid, "started": _started(pid)}
    return process | place | {"beats": next(_BEATS), "beat": time.time()}  # the time is for people and earlier versions


def _bytes(out: Location, seconds: float | None = FIRST_SECONDS) -> bytes | None:
    """What the lock holds; None where there is none.

    Raises:
        SweepError: it is no file that could be a lock.
    """
    try:
        if isinstance(out, Path):
            if not regular(out / FILE):
                raise SweepError(f"{out / FILE}: is no regular file, so no lock; remove it, or choose another --out")
            if (out / FILE).stat().st_size > LARGEST_LOCK:
                raise SweepError(f"{out / FILE}: is too large for a lock; move it away, or choose another --out")
        return read_bytes(out / FILE, seconds)
    except FileNotFoundError:
        return None


def _parsed(data: bytes | None) -> dict[str, Any]:
    """Who holds a lock; {} for what cannot be read as one, such as one that is being written."""
    try:
        found = json.loads(data or b"")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _identity(out: Location, seconds: float | None = FIRST_SECONDS) -> str | None:
    """Of the driver that holds the lock; None for nobody, and for what is no lock."""
    try:
        found = _parsed(_bytes(out, seconds)).get("id")
        return found if isinstance(found, str) else None
    except StorageError:
        raise
    except (OSError, SweepError):
        return None


def _alive(found: dict[str, Any]) -> bool | None:
    """Whether the process that holds a lock lives; None where that cannot be told from here."""
    here, pid = _mine(""), found.get("pid")
    same = all(here[name] and found.get(name) == here[name] for name in ("host", "boot", "namespace"))
    if not same or type(pid) is not int or not 0 < pid < 2**31:
        return None
    started = _started(pid)
    if started == "" or not isinstance(found.get("started"), str):
        return None
    return started == found["started"]


def _write(out: Location, identity: str) -> None:
    write_bytes(out / FILE, (json.dumps(_mine(identity)) + "\n").encode(), FIRST_SECONDS)


def _made(path: Path, identity: str) -> bool:
    """Whether a lock could be made where there was none."""
    data = (json.dumps(_mine(identity)) + "\n").encode()
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{identity[:8]}.tmp")
    try:
        write_bytes(temporary, data)
    except StorageError as error:  # the folder is what the user knows of, not the temporary file
        raise error.__cause__ if isinstance(error.__cause__, OSError) else error from None
    try:
        os.link(temporary, path)
        return True
    except FileExistsError:
        return False
    except OSError:
        return _made_alone(path, data)
    finally:
        temporary.unlink(missing_ok=True)


def _made_alone(path: Path, data: bytes) -> bool:
    """The same without hard links. Who looks before the bytes are there sees no lock, and then one that changes."""
    try:
        sink = path.open("xb")
    except FileExistsError:
        return False
    with sink:
        sink.write(data)
        sink.flush()
        os.fsync(sink.fileno())
    return True


def _take(out: Location, identity: str, say: Callable[[str], None]) -> None:
    """Make the lock, or take over that of a dead driver.

    Raises:
        SweepError: a living driver holds it.
    """
    while True:
        before = _bytes(out)
        if before is None:
            if not isinstance(out, Path):
                break
            if _made(out / FILE, identity):
                return
            continue
        _wait_for_death(out, before, say)
        if _bytes(out) == before:
            break
    _write(out, identity)
    time.sleep(SETTLE_SECONDS)
    if _identity(out) != identity:
        raise _refusal(out, _parsed(_bytes(out)))


def _wait_for_death(out: Location, before: bytes, say: Callable[[str], None]) -> None:
    """Return when the driver of this lock is dead or the lock is gone.

    Raises:
        SweepError: it lives.
    """
    found = _parsed(before)
    alive = _alive(found)
    if alive is not None:
        if alive:
            raise _refusal(out, found)
        return
    say(f"{out}: waiting up to {STALE_SECONDS:.0f} s to see whether {_who(found)}, which holds {FILE}, is alive "
        f"(if you know that it is not: Ctrl-C, and remove {out / FILE})")  # fmt: skip
    start = time.monotonic()
    while time.monotonic() - start < STALE_SECONDS:
        time.sleep(min(LOOK_SECONDS, STALE_SECONDS))
        now = _bytes(out)
        if now is None:
            return
        if now != before:
            raise _refusal(out, _parsed(now))


def _who(found: dict[str, Any]) -> str:
    pid, host = (found.get(name) for name in ("pid", "host"))
    return f"process {pid if type(pid) is int else '?'} on {plain_line(host, 60) if isinstance(host, str) else '?'}"


def _refusal(out: Location, found: dict[str, Any]) -> SweepError:
    how = f"kill {found['pid']}" if _alive(found) else "on its own machine, or in its container"
    return SweepError(
        f"{out}: is being run by {_who(found)}, which is alive; wait for it to end, or stop it ({how}); "
        f"should it die without a word, the folder is free again after {STALE_SECONDS:.0f} s at most"
    )


def holds(out: Location, identity: str) -> bool:
    """Whether what the driver of this identity started may still write. Waits for storage as long as rows do."""
    return _identity(out, None) == identity


def _say(line: str) -> None:
    print(plain_line(line), file=sys.stderr, flush=True)


@contextmanager
def driving(out: Location, say: Callable[[str], None] = _say) -> Iterator[str]:
    """Hold the folder's lock; gives the identity of this driver.

    Args:
        say: told in a line that another's lock is being watched, which takes some minutes.

    Raises:
        SweepError: another driver holds it, the folder holds what is no study's, or it cannot be used.
    """
    identity = uuid.uuid4().hex
    try:
        if isinstance(out, Path):
            out.mkdir(parents=True, exist_ok=True)
        check_new(out)
        _take(out, identity, say)
    except StorageError as error:
        raise SweepError(str(error)) from None
    except OSError as error:
        raise SweepError(f"{out}: cannot be used as --out ({error.strerror or error})") from None
    _HELD[identity] = out
    if isinstance(out, Path):
        clean(out)
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(out, identity, stop), daemon=True)
    heart.start()
    try:
        yield identity
    finally:
        try:
            stop.set()
            heart.join(FIRST_SECONDS)
        finally:
            _release(identity)


def _release(identity: str) -> None:
    out = _HELD.pop(identity, None)
    try:
        if out is not None and _identity(out) == identity:
            remove(out / FILE)
    except OSError:
        pass  # a lock left behind is stale soon


def release_all() -> None:
    """Give up every lock of this process, which is about to end without another word."""
    for identity in list(_HELD):
        _release(identity)


def _beat(out: Location, identity: str, stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        try:
            if (_identity(out) or identity) != identity:
                _thread.interrupt_main()  # taken over, after this process was not heard of for minutes
                return
            if not stop.is_set() and identity in _HELD:
                _write(out, identity)
        except OSError:
            continue  # storage may come back; until then nobody else can take the lock either
