"""What a result was made with: versions of packages and the commit of this code."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "ray", "wandb", "pyarrow")


def commit() -> str:
    """The git commit of this checkout, "-dirty" with uncommitted changes; "unknown" outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        git = ["git", "-C", str(here)]
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
        dirty = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return head.stdout.strip() + ("-dirty" if dirty.stdout.strip() else "")


def provenance() -> dict[str, str]:
    """Columns that every row carries."""
    versions = {f"version_{package.replace('-', '_')}": version(package) for package in PACKAGES}
    return {"commit": commit(), "version_python": platform.python_version(), **versions}
