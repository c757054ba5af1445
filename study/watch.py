"""A Ray of our own that dies takes the run with it at once, in one line; left alone, Tune waits for it for ever."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ray

from study import signals
from study.lock import release_all

FAILED = 1
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_TO_END = 10.0  # for a process that was asked to end together with its Ray
VITAL = ("gcs_server", "raylet")  # Ray's head process, and its node on this machine


@contextmanager
def watched(last_words: Callable[[str], None]) -> Iterator[None]:
    """End this process if one of Ray's own dies.

    Args:
        last_words: called with what happened, before the end.
    """
    stop = threading.Event()
    node = ray._private.worker._global_node

    def look() -> None:
        while not stop.wait(SECONDS_BETWEEN_LOOKS):
            dead = [kind for kind, _ in node.dead_processes() if kind in VITAL]
            if dead and not stop.is_set():
                if stop.wait(SECONDS_BETWEEN_LOOKS):  # the main thread may be about to hear of a signal that both were sent
                    return
                number = signals.received()
                if number and stop.wait(SECONDS_TO_END):  # it ends by itself
                    return
                if not number:
                    last_words(f"Ray's {dead[0]} has died")
                release_all()
                node.kill_all_processes(check_alive=False, allow_graceful=False)
                os._exit(128 + number if number else FAILED)  # every call into Ray would wait; rows and checkpoints are on disk

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
