"""The processes of a run, and how one of them is killed: never one that the run did not start."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

NAMES = {
    "worker": "worker in a trial",
    "node": "Ray's node (raylet)",
    "head": "Ray's head (gcs_server)",
    "driver": "driver",
}
COMMANDS = {"node": b"/raylet/raylet", "head": b"gcs_server", "worker": b"ray::ImplicitFunc"}


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    session: int
    started: str
    command: bytes


def processes() -> Iterator[Process]:
    """All living processes of this machine, zombies left out."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if fields[0] != "Z":
            yield Process(int(folder.name), int(fields[1]), int(fields[3]), fields[19], command)


def of_run(leader: int, known: set[tuple[int, str]]) -> list[Process]:
    """The processes of a run: those of its session, their descendants, and what was one of them before."""
    everyone = list(processes())
    mine = {p.pid for p in everyone if p.session == leader or (p.pid, p.started) in known}
    grown = True
    while grown:
        more = {p.pid for p in everyone if p.parent in mine} - mine
        mine, grown = mine | more, bool(more)
    found = [p for p in everyone if p.pid in mine and p.pid != os.getpid()]
    known.update((p.pid, p.started) for p in found)
    return found


def kill(victim: Process) -> bool:
    """Signal 9, unless the process is gone or another one has its number by now."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{victim.pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        if fields[19] == victim.started and fields[0] != "Z":
            os.kill(victim.pid, signal.SIGKILL)
            return True
    return False


def victims(kind: str, leader: int, among: Sequence[Process]) -> list[Process]:
    """The processes of a kind."""
    if kind == "driver":
        return [p for p in among if p.pid == leader]
    return [p for p in among if COMMANDS[kind] in p.command and p.pid != leader]
