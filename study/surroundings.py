"""What the environment of a command may lack or say, mended before anything is imported that minds."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def mend() -> None:
    """Make sure of a home folder and of a way to draw.

    Ray, matplotlib and others ask for the home folder and the user's name when they are imported, and a container's user
    often has neither HOME nor a passwd entry. They get a folder that goes when the command ends, unless a study on object
    storage has put its local files there (`study.storage.local_folder`).
    """
    os.environ["MPLBACKEND"] = "Agg"  # figures are files, whatever a notebook draws with
    if not _has_home():
        home = tempfile.mkdtemp(prefix="pntk-home-")
        atexit.register(_remove, Path(home))
        os.environ["HOME"] = home
    if not _has_name() and not any(os.environ.get(name) for name in ("LOGNAME", "USER", "LNAME", "USERNAME")):
        os.environ["USER"] = f"user-{os.getuid()}"


def _remove(home: Path) -> None:
    if not (home / ".pntk").exists():
        shutil.rmtree(home, ignore_errors=True)


def _has_home() -> bool:
    try:
        return Path.home().is_absolute()
    except RuntimeError:  # neither HOME nor a passwd entry
        return False


def _has_name() -> bool:
    try:
        import pwd

        return bool(pwd.getpwuid(os.getuid()).pw_name)
    except (ImportError, KeyError):
        return False
