"""The token of this user's local Ray, in a file that nobody else may read.

Ray 2.60 asks for a token on local clusters and makes one where there is none, in `~/.ray/auth_token`, readable by everybody who
shares the machine: whoever has it can run code as this user. So the file is made here first, or its permissions are mended.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

BYTES = 32
OTHERS = 0o077  # permission bits of everybody but the owner


def private_token(environment: Mapping[str, str] | None = None) -> None:
    """Make the token, or take others' permissions on it away; nothing where the environment has another token or none is used.

    What cannot be done here (no home, a read-only one) Ray says itself, if it needs the token.
    """
    environment = os.environ if environment is None else environment
    if environment.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    if environment.get("RAY_AUTH_TOKEN") or environment.get("RAY_AUTH_TOKEN_PATH"):
        return
    try:
        path = Path.home() / ".ray" / "auth_token"
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(path)
        if path.is_file() and path.stat().st_mode & OTHERS:
            path.chmod(path.stat().st_mode & 0o700)
    except (OSError, RuntimeError):
        return


def _make(path: Path) -> None:
    """The file, whole from the first moment that it has its name, unless there is one."""
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.touch(mode=0o600, exist_ok=False)
        temporary.write_text(secrets.token_hex(BYTES), encoding="ascii")
        if not path.exists():
            temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
