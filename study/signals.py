"""SIGTERM and SIGHUP, which batch systems and closed terminals send, end a command as Ctrl-C does: in one line, with its lock
released. Its exit status is then 128 plus the signal's number, unless all was done by then."""

from __future__ import annotations

import functools
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, ParamSpec

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
SECONDS_TO_END = 10.0  # batch systems kill what has not ended some 30 s after they asked
P = ParamSpec("P")

_RECEIVED: list[int] = []  # the first that came is what counts
_OBEYED: set[int] = set()  # those of ENDING that this process does not ignore, as nohup makes it ignore SIGHUP
_AT_ONCE: list[threading.Thread] = []


def received() -> int | None:
    """The signal that asked this process to end, if one did."""
    return _RECEIVED[0] if _RECEIVED else None


def note(number: int) -> None:
    """A signal asked this process to end, as somebody else's handler found out."""
    if not _RECEIVED:
        _RECEIVED.append(number)


def _end(number: int, frame: FrameType | None) -> Any:
    """Do what Ctrl-C does at this place, such as Tune's orderly end; what comes after the first signal changes nothing."""
    if _RECEIVED:
        return
    note(number)
    if _AT_ONCE:
        return  # another thread is ending this process
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):  # it may be ignored, as a shell does for what it starts in the background
        handler(signal.SIGINT, frame)
    else:
        raise KeyboardInterrupt


@contextmanager
def kept_from_children() -> Iterator[None]:
    """Meanwhile start processes that SIGTERM and SIGHUP do not end: a signal to a whole job must not reach them before this
    process, which cannot live without them, has ended in its own way. It then ends them by SIGKILL. (They inherit the mask.)"""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)  # one that came meanwhile is delivered now


@contextmanager
def at_once(end: Callable[[int], None]) -> Iterator[None]:
    """Meanwhile do not wait until Python's main thread hears of a signal: it may be in a call that others do not let end, and
    processes that this one cannot live without may have been sent the same signal.

    Args:
        end: called with the signal's number in a thread of its own; then the process ends.
    """
    if threading.current_thread() is not threading.main_thread() or not _OBEYED:
        yield
        return
    told, teller = socket.socketpair()
    teller.setblocking(False)
    before = signal.set_wakeup_fd(teller.fileno(), warn_on_full_buffer=False)

    def listen() -> None:
        while data := told.recv(1):
            if data[0] in _OBEYED:
                note(data[0])
                last = threading.Timer(SECONDS_TO_END, os._exit, (128 + data[0],))
                last.daemon = True
                last.start()
                with suppress(Exception):
                    end(data[0])
                os._exit(128 + data[0])

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    _AT_ONCE.append(listener)
    try:
        yield
    finally:
        _AT_ONCE.remove(listener)
        signal.set_wakeup_fd(before)
        teller.close()
        listener.join()
        told.close()


def obey() -> None:
    """Take over again what others, such as Ray, have taken for themselves."""
    if threading.current_thread() is threading.main_thread():
        for number in _OBEYED:
            signal.signal(number, _end)


def obedient(command: Callable[P, int]) -> Callable[P, int]:
    """Make a command, which returns its exit status, end on SIGTERM and SIGHUP as on Ctrl-C."""

    @functools.wraps(command)
    def obeying(*arguments: P.args, **named: P.kwargs) -> int:
        if threading.current_thread() is not threading.main_thread():
            return command(*arguments, **named)
        before = {number: signal.getsignal(number) for number in ENDING}
        _OBEYED.update(number for number, handler in before.items() if handler is not signal.SIG_IGN)
        _RECEIVED.clear()
        obey()
        try:
            status = command(*arguments, **named)
        except KeyboardInterrupt:  # while the command's own modules were being imported
            print("stopped", file=sys.stderr)
            status = 1
        except SystemExit as error:
            if error.code != signal.SIGTERM:
                raise
            note(signal.SIGTERM)  # Ray's own handler, between its import and the next `obey`
            print("stopped", file=sys.stderr)
            status = 1
        except OSError:  # the terminal that hung up cannot be written to
            if not _RECEIVED:
                raise
            status = 1
        finally:
            _OBEYED.clear()
            for number, handler in before.items():
                signal.signal(number, handler)
        return 128 + _RECEIVED[0] if status and _RECEIVED else status

    return obeying
