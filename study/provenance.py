"""What a result was made with: versions of packages and the commit of this code."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from urllib.parse import unquote, urlparse

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "ray", "wandb", "pyarrow")
COLUMNS = ("commit", "version_python", *(f"version_{package.replace('-', '_')}" for package in PACKAGES))
HERE = Path(__file__).resolve().parent


def commit() -> str:
    """The git commit of this code, "-dirty" with uncommitted changes, "unknown" where nothing says it.

    From the checkout that the code is in; else from the environment variable STUDY_COMMIT, for copies of a checkout such
    as the working directory of a Ray job; else from what pip noted of where the installed package came from.
    """
    return _of_checkout(HERE.parent) or os.environ.get("STUDY_COMMIT") or _of_installation() or "unknown"


def _of_checkout(root: Path) -> str | None:
    """The commit of a checkout of this project; None where `root` is none, though it may lie within another's."""
    try:
        git = ["git", "-C", str(root)]
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
        subprocess.run([*git, "cat-file", "-e", "HEAD:./study"], capture_output=True, check=True, timeout=10)
        changed = [*git, "status", "--porcelain", "--untracked-files=no", "--", "pntk", "study"]
        dirty = subprocess.run(changed, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("-dirty" if dirty.stdout.strip() else "")


def _of_installation() -> str | None:
    """From pip's direct_url.json (PEP 610): the commit it cloned, or that of the folder it installed from."""
    try:
        installed = distribution("pntk-study")
        if Path(str(installed.locate_file("study"))).resolve() != HERE:
            return None  # this code is a copy and not what is installed
        origin = json.loads(installed.read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, json.JSONDecodeError):
        return None
    if "vcs_info" in origin:
        return str(origin["vcs_info"].get("commit_id", "")) or None
    url = urlparse(origin.get("url", ""))
    return _of_checkout(Path(unquote(url.path))) if url.scheme == "file" and "dir_info" in origin else None


def provenance() -> dict[str, str]:
    """Columns that every row carries."""
    versions = {f"version_{package.replace('-', '_')}": version(package) for package in PACKAGES}
    return {"commit": commit(), "version_python": platform.python_version(), **versions}
