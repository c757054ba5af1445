"""The `dashboard` command: a saved workspace of Weights & Biases in which to look at a study.

It shows the runs of the study and no others: parallel coordinates of settings, silhouette and losses; the leading silhouette
against each final loss, coloured by initial scale; loss curves by condition; and, from the run of the analysis, the verdicts,
tables and figures. By default it stays on this machine: it writes DIR/wandb/workspace.json and prints the command that uploads
the runs and the one that publishes the workspace. With --publish it creates the workspace, or updates the one it made before;
sections that you added to it in the browser stay.
"""

from __future__ import annotations

import argparse
import json
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.outward import check_no_settings, mode_of_environment, named
from study.storage import local_folder, location, spelled, write_text

if TYPE_CHECKING:
    from rich.console import Console

FAILED = 1
SPEC, PUBLISHED = "workspace.json", "dashboard.json"


def add_command(commands: Any) -> None:
    """Add `dashboard` to the command line."""
    parser = commands.add_parser(
        "dashboard",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="a Weights & Biases workspace to look at a study in",
        description=__doc__.partition("\n\n")[2],
    )
    parser.add_argument("out", type=location, metavar="DIR")
    parser.add_argument("--entity", metavar="E", help="user or team in W&B (default: WANDB_ENTITY, else your own)")
    parser.add_argument("--project", metavar="P", help="project in W&B (default: WANDB_PROJECT, W&B's own, else the sweep's)")
    parser.add_argument("--publish", action="store_true", help="create or update the workspace in W&B, which needs a login")


def command(options: argparse.Namespace, console: Console) -> int:
    """Run `dashboard`.

    Raises:
        SweepError: wandb-workspaces is not installed, or the folder is no study's or has no runs.
        RowsError: no usable rows.
    """
    from study.meant import check_folder

    check_folder(options.out)
    from study.extension import group_of
    from study.folder import stored_sweep  # late: pandas and torch take seconds that --help need not spend
    from study.rows import read_rows
    from study.sweep import SweepError
    from study.tracking_analysis import logged_analysis

    if find_spec("wandb_workspaces") is None:
        raise SweepError("dashboard: needs wandb-workspaces; install it with pip install '.[dashboard]'")
    sweep = stored_sweep(options.out)
    group = group_of(options.out, sweep)
    home = local_folder(options.out) / "wandb"
    if sweep.wandb.mode == "disabled" and not any(home.glob("*run-*")):
        raise SweepError(f"{options.out}: has no W&B runs to show; it was run with wandb.mode = disabled")
    from study.workspace import make_workspace, shown

    leading, analysis = logged_analysis(home)
    keys = shown(read_rows(options.out), sweep, leading, analysis)
    if not analysis:
        console.print(f"No analysis has been logged, so no verdicts are shown: study analyse {options.out}")
    entity, project = named(options, sweep.wandb.project)
    if options.publish:
        if (mode := mode_of_environment()) != "online":
            raise SweepError(f"--publish: WANDB_MODE allows no more than {mode}; unset it to publish")
        check_no_settings(options.out)
        return _publish(lambda owner: make_workspace(sweep, group, keys, owner, project), entity, home, console)
    home.mkdir(parents=True, exist_ok=True)
    workspace = make_workspace(sweep, group, keys, entity, project)
    write_text(home / SPEC, json.dumps(workspace._spec, indent=1) + "\n")
    _print_commands(options, home, console)
    return 0


def _print_commands(options: argparse.Namespace, home: Path, console: Console) -> None:
    """The spec, and what to type to publish it: nothing has left the machine yet."""
    from study.folder import LINEAR

    elsewhere = [f"--{name} {shlex.quote(value)}" for name in ("entity", "project") if (value := getattr(options, name))]
    homes = [home, *(part for part in [local_folder(options.out / LINEAR) / "wandb"] if part.exists())]  # of what ran along
    sync = ["wandb sync", *elsewhere, *(f"{shlex.quote(str(one))}/offline-run-*" for one in homes)]
    where = str(options.out) if isinstance(options.out, Path) else spelled(options.out)
    publish = ["study dashboard", shlex.quote(where), "--publish", *elsewhere]
    if not options.entity:
        publish.append("--entity ENTITY")
    lines = [f"Workspace: {home / SPEC}", f"Upload the runs: {' '.join(sync)}", f"Publish the workspace: {' '.join(publish)}"]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _publish(make: Any, entity: str, home: Path, console: Console) -> int:
    """Save the workspace in W&B and remember where it is."""
    from study.console import complain

    try:
        workspace, created = _save(make, entity, home)
    except Exception as error:  # no login, no network, no such project, no permission
        why = " ".join(str(error).split())[:300]
        complain(f"error: not published: {type(error).__name__}: {why}")
        return FAILED
    console.print(f"{'Created' if created else 'Updated'}: {workspace.url}", highlight=False, markup=False, soft_wrap=True)
    return 0


def _save(make: Any, entity: str, home: Path) -> tuple[Any, bool]:
    """The saved workspace, and whether it is new."""
    import wandb

    workspace = make(entity or str(wandb.Api().default_entity))
    before = _published(home, workspace)
    if before is not None:
        ours = {section.name for section in workspace.sections}
        before.sections = workspace.sections + [s for s in before.sections if s.name not in ours]
        before.settings, before.runset_settings = workspace.settings, workspace.runset_settings
        before.save()
        return before, False
    workspace.save()
    home.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"url": workspace.url, "name": workspace.name}, indent=1) + "\n"
    write_text(home / PUBLISHED, text)
    return workspace, True


def _published(home: Path, workspace: Any) -> Any:
    """The workspace that was published before, as it is in W&B now; None where there is none in this project any more."""
    import wandb_workspaces.workspaces as ws

    from study.tracking_analysis import read_note

    try:
        url = str(read_note(home / PUBLISHED)["url"])
        found = ws.Workspace.from_url(url)
    except (OSError, ValueError, KeyError, TypeError):  # never published, an unreadable note, or deleted in the browser
        return None
    # The note may be someone else's: it must not name a workspace of the user's that shows another study.
    same = (found.entity, found.project, found.name) == (workspace.entity, workspace.project, workspace.name)
    return found if same else None
