"""A Ray of our own that dies takes the run with it at once, in one line; left alone, Tune waits for it for ever. So does a
signal that asks the run to end, which Ray's processes may have been sent too: they would take the driver with them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import ray

from study import signals
from study.lock import release_all

FAILED = 1
SECONDS_BETWEEN_LOOKS = 1.0
VITAL = ("gcs_server", "raylet")  # Ray's head process, and its node on this machine
STILL, KILLED = getattr(signal, "SIGSTOP", None), getattr(signal, "SIGKILL", signal.SIGTERM)


def _tell(node: Any, number: int | None) -> None:
    """Send a signal to every process of a Ray of our own, and wait for none."""
    for process in (found.process for kind in node.all_processes.values() for found in kind):
        if number is not None and process.poll() is None:
            with suppress(OSError):  # it ended in between
                process.send_signal(number)


@contextmanager
def watched(last_words: Callable[[str], None]) -> Iterator[None]:
    """End this process if one of Ray's own dies, or it is asked to by SIGTERM or SIGHUP; its lock is released.

    Args:
        last_words: called with what happened, before the end.
    """
    stop = threading.Event()
    node = ray._private.worker._global_node

    def end(why: str, status: int) -> None:
        _tell(node, STILL)  # before all: a driver whose Ray ends is ended by it, with a status of Ray's choice
        with suppress(Exception):  # such as of a terminal that hung up
            last_words(why)
        release_all()
        _tell(node, KILLED)
        os._exit(status)  # every call into Ray would wait; rows and checkpoints are on disk

    def look() -> None:
        while not stop.wait(SECONDS_BETWEEN_LOOKS):
            dead = [kind for kind, _ in node.dead_processes() if kind in VITAL]
            if dead and not stop.is_set() and not signals.received():  # else it was sent the same signal
                end(f"Ray's {dead[0]} has died", FAILED)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        with signals.at_once(lambda number: end(f"{signal.Signals(number).name} was received", 128 + number)):
            yield
    finally:
        stop.set()
        thread.join()
