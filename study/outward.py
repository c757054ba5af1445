"""What may leave this machine: the command line alone says so, the user's environment and W&B's own settings can make it less.

A sweep file or a folder may come from anyone. Of Weights & Biases it may ask for less (`offline`, `disabled`) and suggest a
project; `online` and an entity, under which rows and configuration would be uploaded with the user's key, it may not.
"""

from __future__ import annotations

import argparse
import configparser
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.storage import Location, local_folder

if TYPE_CHECKING:  # late: they take long, and --help need not wait for them
    from rich.console import Console

    from study.sweep import Tracking

MODES = ("offline", "online", "disabled")
SPELLED = {"run": "online", "shared": "online", "dryrun": "offline"}  # W&B's older names, and online from several writers
HARMLESS = {"entity", "project", "mode", "silent", "quiet", "console", "anonymous"}  # settings of W&B
LARGEST_SETTINGS = 100_000  # bytes


def project_problem(name: str) -> str:
    """Why W&B would not take a project of this name; "" where it would."""
    if 1 <= len(name) <= 128 and name.isprintable() and not set(name) & set("/\\#?%:"):
        return ""
    return "must be 1 to 128 characters, without / \\ # ? % :"


def of_a_file(tracking: Any) -> Any:
    """What a file says of W&B, which may come from anyone: it cannot have anything uploaded."""
    if isinstance(tracking, dict) and tracking.get("mode") == "online":
        raise ValueError("a file cannot say mode online; say --wandb online on the command line")
    if isinstance(tracking, dict) and tracking.get("entity") is not None:
        raise ValueError("a file cannot say an entity; say --entity on the command line, or WANDB_ENTITY in the environment")
    return tracking


def less(*modes: str) -> str:
    """The mode of these in which the least leaves the machine; one that is not known counts as offline."""
    return min((mode if mode in MODES else "offline" for mode in modes), key=("disabled", "offline", "online").index)


def mode_of_environment(environment: Mapping[str, str] | None = None) -> str:
    """What WANDB_MODE allows at most: "online" where it says nothing."""
    given = (os.environ if environment is None else environment).get("WANDB_MODE", "").strip().lower() or "online"
    return less(SPELLED.get(given, given))


def own_settings(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """W&B's own settings of this user, those of the working folder (`wandb init`) before those of the home."""
    environment = os.environ if environment is None else environment
    return _settings_of(Path(environment.get("WANDB_CONFIG_DIR") or "~/.config/wandb")) | _settings_of(Path("wandb"))


def _settings_of(folder: Path) -> dict[str, str]:
    """What W&B's file of settings in a folder says; nothing where it cannot be read, as W&B has it too."""
    parser = configparser.RawConfigParser()
    try:
        path = folder.expanduser() / "settings"
        if not path.exists():
            return {}
        if not path.is_file() or path.stat().st_size > LARGEST_SETTINGS:
            return {"what cannot be read": ""}  # and is not harmless
        parser.read_string(path.read_text(encoding="utf-8", errors="surrogateescape"))
        return dict(parser.items("default"))
    except (OSError, ValueError, RuntimeError, configparser.Error):  # a RuntimeError: no home
        return {}


def add_flags(parser: Any, default: str) -> None:
    """`--wandb`, `--entity` and `--project`."""
    parser.add_argument("--wandb", choices=MODES, help=f"Weights & Biases (default: {default})")
    parser.add_argument("--entity", metavar="E", help="user or team in W&B (default: WANDB_ENTITY, else W&B's own)")
    parser.add_argument("--project", metavar="P", help="project in W&B (default: WANDB_PROJECT, W&B's own, else the sweep's)")


def chosen(options: argparse.Namespace, given: Tracking, out: Location, console: Console) -> Tracking:
    """How W&B is used by a command.

    Args:
        options: with `wandb`, `entity` and `project`, each None unless the command line says it.
        given: what the sweep's file or the folder asks for.
        out: the study's folder.

    Raises:
        SweepError: a project that W&B does not take, or settings of W&B in the folder.
    """
    settings = own_settings()
    limit = mode_of_environment()
    mode = less(options.wandb or less(given.mode, "offline"), limit, less(settings.get("mode", "online")))
    if options.wandb is not None and mode != options.wandb:
        where = f"WANDB_MODE={os.environ['WANDB_MODE']}" if mode == limit else "a settings file of W&B"
        console.print(f"W&B: {mode} instead of --wandb {options.wandb}, as {where} says.", highlight=False, markup=False)
    if mode == "online":
        check_no_settings(out)
    entity, project = named(options, given.project, settings)
    return given.model_copy(update={"mode": mode, "entity": entity or None, "project": project})


def named(options: argparse.Namespace, suggested: str, settings: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Entity ("" for the user's own) and project: from the flags, the environment, or W&B's settings; a file's suggestion last.

    Raises:
        SweepError: a project that W&B does not take.
    """
    from study.sweep import SweepError

    settings = own_settings() if settings is None else settings
    entity = options.entity or os.environ.get("WANDB_ENTITY") or settings.get("entity") or ""
    for source, project in (
        ("--project", options.project),
        ("WANDB_PROJECT", os.environ.get("WANDB_PROJECT")),
        ("project of W&B's settings", settings.get("project")),
    ):
        if project:
            if problem := project_problem(project):
                raise SweepError(f"{source} = {project!r}: {problem}")
            return entity, project
    return entity, suggested


def check_no_settings(out: Location) -> None:
    """Refuse to go online where a file that may be someone else's could name another server or account: settings of W&B in the
    study's folder, or in the working folder more of them than an entity, a project and a mode.

    Raises:
        SweepError: names the file.
    """
    from study.sweep import SweepError

    for folder in (Path("wandb"), Path(".wandb")):
        if more := sorted(set(_settings_of(folder)) - HARMLESS):
            raise SweepError(
                f"{folder / 'settings'}: has {more[0]}, which could send runs and your key elsewhere; remove it (servers and "
                "keys come from the environment, as WANDB_BASE_URL, and from W&B's settings in your home)"
            )
    for name in ("wandb", ".wandb"):
        path = local_folder(out) / name / "settings"
        if path.exists() or path.is_symlink():
            raise SweepError(f"{path}: settings of W&B in a study's folder could send runs and your key elsewhere; remove them")


def remembered(tracking: Tracking) -> Tracking:
    """What the folder keeps of it for `analyse`: nothing by which another user would go online, or under another's name."""
    return tracking.model_copy(update={"mode": less(tracking.mode, "offline"), "entity": None})


def lessened(raw: Any) -> Any:
    """A stored sweep as plain data, without what earlier versions wrote there and a file may not say any more."""
    if not isinstance(raw, dict):
        return raw
    raw = dict(raw)
    if isinstance(tracking := raw.get("wandb"), dict):
        kept = {name: value for name, value in tracking.items() if name != "entity"}
        if kept.get("mode") == "online":
            kept["mode"] = "offline"
        if isinstance(kept.get("project"), str) and project_problem(kept["project"]):
            del kept["project"]
        raw["wandb"] = kept
    if isinstance(raw.get("linear"), dict):
        raw["linear"] = lessened(raw["linear"])
    return raw
