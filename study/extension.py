"""How a study stands to the folder that holds it: the same, grown by seeds, or a view of some of them; and what is said of it.

`identity.json` beside `sweep.json` holds the study's identity and every time that it was extended. Seeds that are added after
a look at the first ones change what p values mean, so an analysis says so.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from study.identity import Identity, Relation, check_rows, counts, identity_of, packed, relation, unpacked
from study.plan import MOST_CELLS, MOST_NETWORKS, Plan
from study.storage import Location, exists, read_bytes
from study.sweep import Sweep, SweepError, plain_line
from study.sweep_file import read_text
from study.wandb_run import study_id

IDENTITY, SWEEP = "identity.json", "sweep.json"
LARGEST = 50_000_000  # bytes: 10,000 cells with every setting
MOST_FIELDS = 200  # of a cell; there are 40
LOOKS = ("analysis.json", "analysis.csv", "analysis.md", "report.html")  # what an analysis leaves behind

Extension = dict[str, Any]


@dataclass(frozen=True)
class Standing:
    """A study before its folder.

    Attributes:
        identity: the folder's from now on: the study's own, but of a view what the folder holds.
        group: what W&B groups the study's runs by, from the first sweep of the folder on, however it is spelled or grows later.
        known: whether the folder keeps all that already.
        extensions: when the folder's study was given more seeds, the last one perhaps now: `when`, `seeds`, `data_seeds` and
            `networks` before and after, and whether it had been `looked_at`.
    """

    relation: Relation
    identity: Identity
    extensions: tuple[Extension, ...]
    group: str
    known: bool = False

    def stored(self, sweep: bytes) -> bytes:
        """As the folder keeps it beside the text of its sweep."""
        held = {"sweep": hashlib.sha256(sweep).hexdigest(), "extensions": list(self.extensions), "group": self.group}
        return (json.dumps(held | {"identity": packed(self.identity)}, allow_nan=False) + "\n").encode()


def standing_of(out: Location, study: Plan | Sweep) -> Standing:
    """How a study stands to a folder that has a sweep.

    Raises:
        SweepError: the folder holds another one, with the first difference.
    """
    from study.folder import stored_sweep  # late: `study.folder` reads this module

    here, kept = identity_of(study), _kept(out)
    group = _group_kept(kept, study if isinstance(study, Sweep) else study.sweep)
    known = bool(group and kept.get("identity") and kept.get("sweep") == hashlib.sha256(text_of(out / SWEEP)).hexdigest())
    if known:
        there = unpacked(kept["identity"])
    else:  # made before identities were kept, or edited since: its sweep as it is read today
        stored = stored_sweep(out)
        there, group = _with_claims_of(here, identity_of(stored)), group or study_id(stored)
    try:
        found = relation(there, here)
        if not known:
            check_rows(out, study)
    except SweepError as error:
        raise SweepError(f"{out}: holds another configuration ({error}); choose another --out") from None
    extensions = tuple(kept.get("extensions", ()))
    if found == "grown":
        before, after = counts(there), counts(here)
        grown = {name: [before[name], after[name]] for name in before}
        looked = any(exists(out / name) for name in LOOKS)
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        extensions += ({"when": when, **grown, "looked_at": looked},)
    return Standing(found, there if found == "view" else here, extensions, group, known and found != "grown")


def group_of(out: Location, sweep: Sweep) -> str:
    """What W&B groups the runs of a folder's study by: all of them, whatever seeds were added since.

    Args:
        sweep: the folder's, or one that is the same or a view.

    Raises:
        SweepError: what the folder keeps cannot be read.
    """
    return _group_kept(_kept(out), sweep) or study_id(sweep)


def _group_kept(kept: dict[str, Any], sweep: Sweep) -> str:
    """The group that a folder keeps; "" where it keeps none, or one of a study of another name."""
    group = kept.get("group")
    ours = isinstance(group, str) and re.fullmatch(rf"{re.escape(sweep.name)}-[0-9a-f]{{7}}", group)
    return str(group) if ours else ""


def _with_claims_of(here: Identity, there: Identity) -> Identity:
    """Contrasts of a folder made before these could say what they expect, with what they are expected to show today."""
    if "contrasts" not in there:  # a scan's
        return there
    compared = there["contrasts"]
    claims = {name: contrast.get("expect") for name, contrast in here.get("contrasts", {}).items()}
    return there | {"contrasts": {n: c | {"expect": c.get("expect") or claims.get(n) or {}} for n, c in compared.items()}}


def text_of(path: Location) -> bytes:
    """A file of a study's folder."""
    return read_text(path, LARGEST).encode() if isinstance(path, Path) else read_bytes(path)


def _kept(out: Location) -> dict[str, Any]:
    """What `identity.json` says; nothing where there is none.

    Raises:
        SweepError: it cannot be read.
    """
    path = out / IDENTITY
    if not exists(path):
        return {}
    try:
        found = json.loads(text_of(path))
        identity, extensions = found.get("identity"), found.get("extensions", [])
        sound = isinstance(extensions, list) and all(_is_extension(extension) for extension in extensions)
        if sound and (identity is None or _fits(identity)):
            return dict(found)
    except (ValueError, AttributeError, TypeError, LookupError, RecursionError):
        pass
    raise SweepError(f"{path}: cannot be read as an identity; remove it, and the folder is judged by its sweep and its rows")


def _fits(identity: Any) -> bool:
    """Whether an identity, which may be anyone's, is of the kind that we write: its seeds are about to be counted out."""
    parts = [identity, identity.get("shared", {}), identity.get("cells", {}), identity.get("contrasts", {})]
    parts += [*parts[2].values(), *parts[3].values()]
    if not all(isinstance(part, dict) for part in parts) or len(parts[1]) > MOST_FIELDS or len(parts[2]) > MOST_CELLS:
        return False  # every cell is about to get what all share
    drawn = [cell[field] or [] for cell in unpacked(identity).get("cells", {}).values() for field in ("seeds", "data_seeds")]
    return all(map(_are_seeds, drawn)) and sum(count for stretches in drawn for _, count in stretches) <= MOST_NETWORKS


def _are_seeds(stretches: Any) -> bool:
    """Whether these are stretches of seeds, [first, count]."""
    pairs = isinstance(stretches, list) and all(isinstance(stretch, list) and len(stretch) == 2 for stretch in stretches)
    return pairs and all(type(number) is int and number >= 0 for stretch in stretches for number in stretch)


def _is_extension(extension: Extension) -> bool:
    pairs = [extension.get(name) for name in ("seeds", "data_seeds", "networks")]
    numbers = all(isinstance(p, list) and len(p) == 2 and all(isinstance(n, int) for n in p) for p in pairs)
    return numbers and isinstance(extension.get("when"), str) and isinstance(extension.get("looked_at"), bool)


def is_view(plan: Plan, out: Location) -> bool:
    """Whether a plan is of some of the networks of a folder's study."""
    return _view_of(plan, _kept(out)) is not None


def _view_of(plan: Plan, kept: dict[str, Any]) -> tuple[dict[str, int], dict[str, int]] | None:
    """What a plan counts of a folder's study and what that has, where it is more."""
    if plan.sweep.scan is not None or not kept.get("identity"):
        return None
    own, held = counts(identity_of(plan)), counts(unpacked(kept["identity"]))
    return (own, held) if own["networks"] < held["networks"] else None


def remarks(frame: pd.DataFrame, out: Location, plan: Plan | None) -> dict[str, Any]:
    """What bears on how an analysis of a folder may be read: `extensions`, whether it is a `view`, the `devices` of its rows
    with how many rows each made, and `remarks`, a line on each that is worth one."""
    kept = _kept(out)
    extensions: list[Extension] = kept.get("extensions", [])
    lines = [_of_extension(extension) for extension in extensions]
    view = None if plan is None else _view_of(plan, kept)
    if view is not None:
        own, held = view
        lines.append(
            f"A view: {_seeds(own)} of the folder's {_seeds(held)}; {own['networks']} of its {held['networks']} networks are "
            "counted, the others are left out."
        )
    devices = frame["device"].dropna().astype(str).value_counts().sort_index() if "device" in frame else pd.Series(dtype=int)
    if len(devices) > 1:
        parts = plain_line(", ".join(f"{count} by {name}" for name, count in devices.items()), 300)
        lines.append(f"Rows were made by different devices ({parts}), whose results differ in their last digits.")
    made = {str(name): int(count) for name, count in devices.items()}
    return {"extensions": extensions, "view": view is not None, "devices": made, "remarks": lines}


def is_of_view(analysis: Location) -> bool:
    """Whether an `analysis.json` counts only some of its folder's networks."""
    try:
        return bool(json.loads(text_of(analysis)).get("view"))
    except (OSError, ValueError, AttributeError, RecursionError, SweepError):
        return False


def _seeds(count: dict[str, int]) -> str:
    return f"{count['seeds']} seeds" + (f" x {count['data_seeds']} data seeds" if count["data_seeds"] > 1 else "")


def _of_extension(extension: Extension) -> str:
    before, after = ({name: extension[name][k] for name in ("seeds", "data_seeds")} for k in (0, 1))
    how = (
        "after it had been analysed: p values and intervals take the number of seeds as settled before any look, so they are "
        "too small and too narrow if the first results decided to go on"
        if extension["looked_at"]
        else "before it had been analysed, so p values and intervals mean what they say"
    )
    return f"This study was extended on {extension['when'][:10]} from {_seeds(before)} to {_seeds(after)}, {how}."
