"""Where a study lives: a local folder, or a place that pyarrow reaches by URI (`s3://bucket/prefix`, `gs://`, `abfs://`).

A file is written whole or not at all: locally by a temporary file, fsync and rename, on object storage by one put to a fixed
key. Storage that cannot be reached for a while is waited for, then named in one line. Options travel in the URI as pyarrow
reads them (`s3://bucket/prefix?endpoint_override=host:9000&scheme=http`), credentials in the environment.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import re
import stat
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:  # imported where an object store is met: it takes longer than a mistyped path may
    from pyarrow import fs

FIRST_SECONDS = 20  # of patience with storage that was never reached: the URI may be wrong
PATIENCE_SECONDS = 180.0  # with storage that cannot be reached in the middle of a study
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
TEMPORARY_LENGTH = 200  # bytes of a name within that of its temporary file, which may have 255

# What waiting does not mend. Amazon's names; others say it by FileNotFoundError or PermissionError.
_LASTING = ("ACCESS_DENIED", "NO_SUCH_BUCKET", "INVALID_ACCESS_KEY", "INVALID_SIGNATURE", "SIGNATURE_DOES_NOT_MATCH")
_LASTING_STATUS = re.compile(r"HTTP status (400|401|403|404)\b")
_PASSING = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENETDOWN}  # of network file systems

T = TypeVar("T")


class StorageError(OSError):
    """Storage that cannot be used; its text is one line for the user."""


HINTS = {  # what to do about what waiting does not mend
    errno.ENOSPC: "make room and give the same command again",
    errno.EDQUOT: "make room within the quota and give the same command again",
    errno.EFBIG: "the limit on the size of files (ulimit -f) is too small",
    errno.EACCES: "ask for the right to write there, or choose another place",
    errno.EPERM: "ask for the right to write there, or choose another place",
    errno.EROFS: "choose a place that is not read-only",
    errno.EISDIR: "choose another name, or remove the folder",
    errno.ENOTDIR: "a part of the path is a file; choose another place",
    errno.EEXIST: "a part of the path is a file; choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def unwritable(where: Location, error: OSError) -> StorageError:
    """One line that names the file, what is wrong with it, and what to do."""
    hint = HINTS.get(error.errno or 0)
    return StorageError(f"{where}: cannot be written ({error.strerror or error})" + (f"; {hint}" if hint else ""))


@dataclass(frozen=True)
class Remote:
    """A place by URI. Like a path it takes `/`, and names itself without options or credentials."""

    uri: str
    parts: tuple[str, ...] = ()

    def __truediv__(self, part: str) -> Remote:
        return replace(self, parts=(*self.parts, part))

    def __str__(self) -> str:
        split = urlsplit(self.uri)
        return "/".join([f"{split.scheme}://{split.netloc.rpartition('@')[2]}{split.path}".rstrip("/"), *self.parts])

    @property
    def name(self) -> str:
        return str(self).rpartition("/")[2]


Location = Path | Remote


def location(text: str) -> Location:
    """A local path, also as `file:///path`, or a URI."""
    split = urlsplit(text)
    if "://" not in text:
        return Path(text)
    return Path(unquote(split.path)) if split.scheme == "file" else Remote(text)


def spelled(where: Location) -> str:
    """What `location` reads as this place, from any working folder."""
    if isinstance(where, Path):
        return str(where.resolve())
    split = urlsplit(where.uri)
    return split._replace(path="/".join([split.path.rstrip("/"), *where.parts])).geturl()


def local_folder(where: Location) -> Path:
    """The folder on this machine for what cannot live on object storage: W&B's and Ray's own files."""
    if isinstance(where, Path):
        return where
    try:
        home = Path.home()
    except RuntimeError:
        raise StorageError(f"{where}: its local files need a home folder; set HOME to a folder that you can write") from None
    return home / ".pntk" / re.sub(r"[^A-Za-z0-9.-]+", "_", str(where))


@lru_cache(maxsize=64)
def _opened(uri: str) -> tuple[fs.FileSystem, str]:
    from pyarrow import fs

    return fs.FileSystem.from_uri(uri)


def _at(where: Remote) -> tuple[fs.FileSystem, str]:
    system, base = _opened(where.uri)
    return system, "/".join([base.rstrip("/"), *where.parts])


def _is_there(system: fs.FileSystem, path: str) -> bool:
    return bool(system.get_file_info(path).type.name != "NotFound")


def _passes(error: Exception) -> bool:
    """Whether waiting may mend it."""
    lasting = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError, ValueError, NotImplementedError)
    if isinstance(error, lasting):  # the last two: a URI that pyarrow does not understand
        return False
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _PASSING
    text = str(error)
    return not any(word in text for word in _LASTING) and not _LASTING_STATUS.search(text)


def _arrow_errors() -> tuple[type[Exception], ...]:
    """pyarrow's own errors, which nothing raises while it is not imported."""
    arrow = sys.modules.get("pyarrow")
    return () if arrow is None else (arrow.ArrowException,)


def patiently(work: Callable[[], T], where: Location, seconds: float | None = None) -> T:
    """The result of `work`, tried again with growing pauses while storage cannot be reached.

    Args:
        seconds: how long; PATIENCE_SECONDS unless given.

    Raises:
        StorageError: not within that time.
        OSError: what waiting does not mend, such as a full disk or a missing file.
    """
    deadline, pause = time.monotonic() + (PATIENCE_SECONDS if seconds is None else seconds), FIRST_PAUSE
    while True:
        try:
            return work()
        except (FileNotFoundError, StorageError):
            raise
        except Exception as error:
            if not isinstance(error, (OSError, *_arrow_errors())):
                raise
            passes = _passes(error)
            if not passes and isinstance(where, Path):
                raise
            if not passes or time.monotonic() + pause > deadline:
                raise StorageError(f"{where}: cannot be reached ({' '.join(str(error).split())[:300]})") from error
        time.sleep(pause * random.uniform(0.7, 1.0))  # workers that lost storage together do not come back together
        pause = min(2 * pause, LONGEST_PAUSE)


def write_bytes(where: Location, data: bytes | memoryview, seconds: float | None = None) -> None:
    """Write a file, whole or not at all, over one that may be there; whatever else has a link to that one keeps it.

    Raises:
        StorageError: in one line, with the file and what to do.
    """
    try:
        if isinstance(where, Path):
            patiently(lambda: _write_local(where, data), where, seconds)
        else:
            patiently(lambda: _put(where, data), where, seconds)
    except StorageError:
        raise
    except OSError as error:
        raise unwritable(where, error) from error


def write_text(where: Location, text: str) -> None:
    """The same of a text, as UTF-8."""
    write_bytes(where, text.encode())


def regular(path: Path) -> bool:
    """Whether there is nothing, or a file: no folder, device, FIFO or socket, nor a link to one."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def temporary_of(path: Path) -> Path:
    """A new hidden name beside a file, which says whose it is: `.<name>.<process>-<8 hex digits>.tmp`."""
    name = path.name.encode()[:TEMPORARY_LENGTH].decode(errors="ignore")
    return path.with_name(f".{name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")


def check_output(path: Path) -> None:
    """Refuse to put a file in the place of something that is none, such as a pipe, a device or a folder.

    Raises:
        StorageError: names it.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if what := not_regular(path.stat().st_mode):
            raise StorageError(f"{path}: is {what}, and only regular files are written over; remove it or choose another place")


def _write_local(path: Path, data: bytes | memoryview) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    check_output(path)
    try:
        _replace(path, data)
    except FileNotFoundError:  # whoever clears up there may have taken the temporary file for a dead one's
        _replace(path, data)


def _replace(path: Path, data: bytes | memoryview) -> None:
    temporary = temporary_of(path)
    try:
        with temporary.open("xb") as sink:
            sink.write(data)
            sink.flush()
            os.fsync(sink.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):  # what went wrong with writing is what must be told
            temporary.unlink(missing_ok=True)


def _put(where: Remote, data: bytes | memoryview) -> None:
    system, path = _at(where)
    with system.open_output_stream(path) as sink:
        sink.write(data)


_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFDIR: "a folder",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def not_regular(mode: int) -> str | None:
    """What something is that is no regular file, by its mode; None for a regular file."""
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no regular file")


def open_regular(path: Path) -> BinaryIO:
    """A regular file for reading; a pipe is not waited for, and a device is not read.

    Raises:
        StorageError: it is something else.
        OSError: it is not there or cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a device without a driver
            raise StorageError(f"{path}: is a socket or a device, and only regular files are read") from None
        raise
    if what := not_regular(os.fstat(handle).st_mode):
        os.close(handle)
        raise StorageError(f"{path}: is {what}, and only regular files are read")
    return os.fdopen(handle, "rb")


def read_bytes(where: Location, seconds: float | None = None, most: int | None = None) -> bytes:
    """The contents of a file.

    Args:
        most: bytes that it may have.

    Raises:
        FileNotFoundError: there is nothing.
        StorageError: it is no regular file, is larger, or cannot be reached.
    """

    def limited(size: int | None) -> None:
        if most is not None and size is not None and size > most:
            raise StorageError(f"{where}: is larger than {most:,} bytes, the most that it may have")

    if isinstance(where, Path):

        def whole() -> bytes:
            with open_regular(where) as source:
                limited(os.fstat(source.fileno()).st_size)
                return source.read()

        return patiently(whole, where, seconds)

    def get() -> bytes:
        system, path = _at(where)
        with system.open_input_file(path) as source:
            limited(source.size())
            return bytes(source.read())

    return patiently(get, where, seconds)


def exists(where: Location, seconds: float | None = None) -> bool:
    """Whether there is a file, or locally a folder."""
    if isinstance(where, Path):
        return where.exists()

    def look() -> bool:
        system, path = _at(where)
        return _is_there(system, path)

    return patiently(look, where, seconds)


def files(folder: Location, suffix: str) -> list[Location]:
    """All files below a folder with this ending, sorted; hidden ones and those of hidden folders, such as an editor's copies
    or what was never finished, left out."""
    if isinstance(folder, Path):
        found = sorted(folder.rglob(f"*{suffix}"))
        below: list[Location] = [p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
        return below

    def listed() -> list[list[str]]:
        from pyarrow import fs

        system, path = _at(folder)
        found = system.get_file_info(fs.FileSelector(path, allow_not_found=True, recursive=True))
        return sorted(info.path[len(path) + 1 :].split("/") for info in found if info.type == fs.FileType.File)

    return [replace(folder, parts=(*folder.parts, *parts)) for parts in patiently(listed, folder) if _shown(parts, suffix)]


def _shown(parts: list[str], suffix: str) -> bool:
    return parts[-1].endswith(suffix) and not any(part.startswith(".") for part in parts)


def entries(folder: Location) -> list[str]:
    """The names in a folder, hidden ones too, sorted; none where there is no folder."""
    if isinstance(folder, Path):
        return sorted(os.listdir(folder)) if folder.exists() else []  # noqa: PTH208

    def listed() -> list[str]:
        from pyarrow import fs

        system, path = _at(folder)
        found = system.get_file_info(fs.FileSelector(path, allow_not_found=True))
        return sorted(info.base_name for info in found if info.base_name)

    return patiently(listed, folder, FIRST_SECONDS)


def remove(where: Location) -> None:
    """Remove a file that may be there."""
    if isinstance(where, Path):
        where.unlink(missing_ok=True)
        return

    def delete() -> None:
        system, path = _at(where)
        if _is_there(system, path):
            system.delete_file(path)

    patiently(delete, where)


@contextmanager
def as_folder(where: Location) -> Iterator[Path]:
    """A local folder to write files into, which are put to the place at the end."""
    if isinstance(where, Path):
        try:
            where.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(where, error) from error
        yield where
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield folder
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
            write_bytes(replace(where, parts=(*where.parts, *path.relative_to(folder).parts)), path.read_bytes())
