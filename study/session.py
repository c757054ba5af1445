"""A program or notebook that uses this project as a library finds its session as it was: what it draws with, how it ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

BACKEND = "MPLBACKEND"


@contextmanager
def own_session() -> Iterator[None]:
    """Meanwhile our figures are drawn off the screen and in our style, warnings of libraries are kept back as on the command
    line, and Ray may take SIGTERM for itself; afterwards all of that is the user's again."""
    wanted, imported = os.environ.pop(BACKEND, None), "matplotlib" in sys.modules
    import matplotlib  # without MPLBACKEND, which ends this import where its backend is not installed

    backend = matplotlib.get_backend() if imported else wanted or matplotlib.rcParamsDefault["backend"]
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with matplotlib.rc_context(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.environ.pop(BACKEND, None)
        if wanted is not None:
            os.environ[BACKEND] = wanted
        with suppress(ImportError, ValueError):  # a backend that is not installed: figures can be saved all the same
            matplotlib.rcParams["backend"] = backend  # before it is loaded: a notebook's own looks here whether it is meant
            if "matplotlib.pyplot" in sys.modules:
                sys.modules["matplotlib.pyplot"].switch_backend(backend)
        if main:
            signal.signal(signal.SIGTERM, handler)
