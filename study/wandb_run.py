"""One run of Weights & Biases, offline or online, under the study's folder. Whatever fails costs a warning, never a study."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from study.sweep import Sweep, Tracking

INIT_TIMEOUT_SECONDS = 20

# Why W&B could not be reached from this process: later runs go offline at once instead of waiting again.
_UNREACHABLE: list[str] = []


def study_id(sweep: Sweep) -> str:
    """The group of a study's runs: also two studies of one sweep's name differ. W&B takes 128 characters, names have 120."""
    identity = json.dumps(sweep.identity(), sort_keys=True)
    return f"{sweep.name}-{hashlib.sha256(identity.encode()).hexdigest()[:7]}"


def attempt(folder: Path, tracking: Tracking, log: Callable[[str], None]) -> str | None:
    """Log one run by calling `log` with the mode; an online run that cannot start is kept offline, to be synced later.

    Returns:
        None, or what went wrong in one line.
    """
    if tracking.mode == "disabled":
        return None
    mode = "offline" if _UNREACHABLE else tracking.mode
    try:
        log(mode)
        return None
    except Exception as error:
        problem = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    if mode == "online":
        _UNREACHABLE.append(problem)
        try:
            log("offline")
            return f"{problem}; kept offline under {folder / 'wandb'}, publish with `wandb sync`"
        except Exception as error:
            problem += f"; offline too: {type(error).__name__}"
    return problem


@contextmanager
def _own_folders(home: Path) -> Iterator[None]:
    """Tables that wait to be synced, and caches, below `home` unless the user's environment says otherwise; only meanwhile,
    because what this process starts inherits its environment and may log runs of another study."""
    ours = {"WANDB_DATA_DIR": str(home), "WANDB_CACHE_DIR": str(home / "cache")}
    ours = {name: place for name, place in ours.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


@contextmanager
def started(folder: Path, tracking: Tracking, mode: Any, **what: Any) -> Iterator[Any]:
    """A run that is finished at the end.

    Args:
        folder: on this machine, for the files of W&B.
        what: the run's own name, group, configuration and so on, for `wandb.init`.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with _own_folders(folder / "wandb"):
        import wandb  # imported late: it reads the environment, and costs a second that an untracked study saves

        run = wandb.init(
            project=tracking.project,
            entity=tracking.entity,
            dir=str(folder),
            mode=mode,
            reinit="create_new",
            save_code=False,
            settings=wandb.Settings(silent=True, init_timeout=INIT_TIMEOUT_SECONDS, x_disable_stats=True, console="off"),
            **what,
        )
        try:
            yield run
        finally:
            run.finish()
