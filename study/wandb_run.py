"""One run of Weights & Biases, offline or online, under the study's folder. Whatever fails costs a warning, never a study."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from study.outward import less, mode_of_environment
from study.sweep import Sweep, Tracking

INIT_TIMEOUT_SECONDS = 20
LONGEST = {"tags": 64, "name": 128, "group": 128, "job_type": 64}  # characters that W&B takes

# Of W&B's environment variables those stay that say how to reach it and as whom. All others (RUN_ID, SWEEP_ID, RESUME, NAME,
# TAGS, LAUNCH, ...) are about one run, which is not ours: a job's or a notebook's.
KEPT = {
    f"WANDB_{name}"
    for name in (
        "API_KEY", "BASE_URL", "APP_URL", "IDENTITY_TOKEN_FILE", "CREDENTIALS_FILE", "CONFIG_DIR", "CACHE_DIR", "DATA_DIR",
        "HTTP_TIMEOUT", "FILE_PUSHER_TIMEOUT", "HTTP_PROXY", "HTTPS_PROXY", "INSECURE_DISABLE_SSL", "X_EXTRA_HTTP_HEADERS",
        "_EXTRA_HTTP_HEADERS", "X_PROXIES", "_PROXIES", "ERROR_REPORTING", "SILENT", "QUIET", "DEBUG", "CORE_DEBUG",
        "DISABLE_GIT",
    )
}  # fmt: skip

# Why W&B could not be reached from this process: later runs go offline at once instead of waiting again.
_UNREACHABLE: list[str] = []


def study_id(sweep: Sweep) -> str:
    """The group of a study's runs: also two studies of one sweep's name differ. W&B takes 128 characters, names have 120."""
    identity = json.dumps(sweep.identity(), sort_keys=True)
    return f"{sweep.name}-{hashlib.sha256(identity.encode()).hexdigest()[:7]}"


def attempt(folder: Path, tracking: Tracking, log: Callable[[str], None]) -> str | None:
    """Log one run by calling `log` with the mode, or less if WANDB_MODE says so; an online run that cannot start is kept
    offline, to be synced later.

    Returns:
        None, or what went wrong in one line.
    """
    mode = less(tracking.mode, mode_of_environment(), "offline" if _UNREACHABLE else "online")
    if mode == "disabled":
        return None
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


def unreachable(problem: str | None) -> None:
    """What trials complained of: runs of this process are kept offline too, instead of waiting for the same once more."""
    if problem:
        _UNREACHABLE.append(problem)


@contextmanager
def _own_environment(home: Path) -> Iterator[None]:
    """Variables about other runs set aside; tables that wait to be synced, and caches, below `home` unless the user's
    environment says otherwise. Only meanwhile, because what this process starts inherits its environment and may log runs of
    another study."""
    aside = {name: value for name, value in os.environ.items() if name.startswith("WANDB_") and name not in KEPT}
    ours = {"WANDB_DATA_DIR": str(home), "WANDB_CACHE_DIR": str(home / "cache")}
    ours = {name: place for name, place in ours.items() if name not in os.environ}
    for name in aside:
        del os.environ[name]
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
        os.environ.update(aside)


def shortened(text: str, most: int) -> str:
    """Text of at most `most` characters, what is cut off as a few that differ where it does."""
    return text if len(text) <= most else f"{text[: most - 8]}-{hashlib.sha256(text.encode()).hexdigest()[:7]}"


def _fitting(what: dict[str, Any]) -> dict[str, Any]:
    """What a run is called, within W&B's limits; the configuration has it whole."""
    names = {name: shortened(what[name], LONGEST[name]) for name in ("name", "group", "job_type") if name in what}
    return what | names | {"tags": [shortened(tag, LONGEST["tags"]) for tag in what.get("tags", ())]}


@contextmanager
def started(folder: Path, tracking: Tracking, mode: Any, **what: Any) -> Iterator[Any]:
    """A run that is finished at the end.

    Args:
        folder: on this machine, for the files of W&B.
        what: the run's own name, group, configuration and so on, for `wandb.init`.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with _own_environment(folder / "wandb"):
        import wandb  # imported late: it reads the environment, and costs a second that an untracked study saves

        run = wandb.init(
            project=tracking.project,
            entity=tracking.entity,
            dir=str(folder),
            mode=mode,
            reinit="create_new",
            save_code=False,
            settings=wandb.Settings(
                silent=True,
                init_timeout=INIT_TIMEOUT_SECONDS,
                x_disable_stats=True,
                # Reading every package's version takes as long as logging a trial: once a study, with its analysis, will do.
                x_save_requirements=what.get("job_type") not in ("trial", "network"),
                console="off",
                use_dot_wandb=False,
                sagemaker_disable=True,  # which would give all runs of a job one id
            ),
            **{"id": uuid.uuid4().hex[:12]} | _fitting(what),
        )
        try:
            yield run
        finally:
            run.finish()
