"""Parquet files that may come from anyone, read in a process of their own (`study.unpack`).

Parquet holds no code, and nothing here unpickles; what a hostile or broken file can do is be of another kind than it should,
be enormous once unpacked, or end the process that reads it, which is then not this one.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from study.memory import machine_memory

LARGEST_SHARE = 0.25  # of this machine's memory that the rows of a folder may take
LONGEST_SECONDS = 300.0  # that unpacking one file may take
TRIES = 2  # a reader that was killed from outside is no fault of the file
ROOT = Path(__file__).resolve().parents[1]


class Refused(ValueError):
    """Why a file cannot be used, in words; the one who reads says which file."""


class _Ended(Exception):
    """The reader's process ended before it answered."""


class _Reader:
    """A process that unpacks files, started when the first one is read."""

    def __init__(self) -> None:
        self.owner, self.process, self.most = os.getpid(), None, 0.0  # type: int, subprocess.Popen[bytes] | None, float
        self.turn = threading.Lock()

    def ask(self, request: dict[str, Any], data: memoryview) -> tuple[dict[str, Any], bytes]:
        """The answer to one file.

        Raises:
            _Ended: the process ended over it, or took too long.
        """
        most = request["limit"]
        if self.process is None or self.most != most or self.process.poll() is not None:
            self._start(most)
        process = self.process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        clock = threading.Timer(LONGEST_SECONDS, process.kill)
        clock.daemon = True
        clock.start()
        try:
            process.stdin.write(json.dumps(request | {"bytes": len(data)}).encode() + b"\n")
            process.stdin.write(data)
            process.stdin.flush()
            header: dict[str, Any] = json.loads(process.stdout.readline() or b"null") or {}
            packed = process.stdout.read(header.get("bytes", 0))
        except OSError:
            header, packed = {}, b""
        except BaseException:  # stopped in the middle of an answer: what is left of it must not be the next one's
            self.close()
            raise
        finally:
            clock.cancel()
        if not header or len(packed) < header.get("bytes", 0):
            self.close()
            raise _Ended
        return header, packed

    def _start(self, most: float) -> None:
        self.close()
        found = [str(ROOT), *(path for path in sys.path if path and path != str(ROOT))]
        settings = {"PYTHONPATH": os.pathsep.join(found), "ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "study.unpack", str(most), str(self.owner)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # of C++ that ends itself
            env=os.environ | settings | {"OMP_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for us; it ends with its input
        )
        self.most = most

    def close(self) -> None:
        """End the process."""
        process, self.process = self.process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()
        process.kill()
        process.wait()


_reader = _Reader()


def _here() -> _Reader:
    """The reader of this process: a fork must not share its parent's."""
    global _reader
    if _reader.owner != os.getpid():
        _reader = _Reader()
    return _reader


@atexit.register
def _close() -> None:
    if _reader.owner == os.getpid():
        _reader.close()


def memory_for_rows() -> float:
    """Bytes that all rows of a folder may take together, as a data frame."""
    return LARGEST_SHARE * machine_memory()


def read_parquet(
    data: bytes | memoryview, columns: Sequence[str] | None, needed: Sequence[str], budget: float
) -> tuple[pa.Table, list[str], int]:
    """A file's rows: numbers, text, truth values and lists of numbers.

    Args:
        columns: only these, where the file has them; None for all. needed: those that it must have.
        budget: bytes that they may still take.

    Returns:
        the table; names of the columns that it has beside and that were left unread, of kinds that no study has use for;
        and the bytes that the rows take as a data frame.

    Raises:
        Refused: in words.
    """
    whole = memory_for_rows()
    limit = whole if whole < float("inf") else 1e15
    request = {"columns": None if columns is None else list(columns), "needed": list(needed), "budget": min(budget, limit)}
    for _ in range(TRIES):
        reader = _here()
        with reader.turn:
            try:
                header, packed = reader.ask(request | {"limit": limit}, memoryview(data))
                break
            except _Ended:
                continue
    else:
        raise Refused("not a readable Parquet file (it ends the process that reads it)")
    if "problem" in header:
        raise Refused(header["problem"])
    with pa.ipc.open_stream(pa.py_buffer(packed)) as stream:
        return stream.read_all(), list(header["unread"]), int(header["size"])


def read_arrays(data: bytes, most: float) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; nothing is unpickled.

    Raises:
        Refused: it is none, or takes more than `most` bytes once unpacked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            stated = sum(member.file_size for member in packed.infolist())
        if stated > most:
            raise Refused(f"unpacks to {stated:,} bytes, too many for this machine's memory")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Refused:
        raise
    except (OSError, ValueError, LookupError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error) as why:
        raise Refused(f"not a readable .npz file ({why})") from None
