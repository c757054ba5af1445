"""What may be meant by a field that a sweep file does not have there: one spelled nearly so, or one of another section."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from study.linear_settings import LinearCellSpec, LinearSettings
from study.meant import did_you_mean
from study.sweep import CellSpec, Compute, CurriculumSpec, PhaseSpec, Primary, ScanSpec, Settings, Sweep, Tracking

SECTIONS: dict[str, tuple[type[BaseModel], ...]] = {
    "settings": (Settings, LinearSettings),
    "": (Sweep,),
    "compute": (Compute,),
    "scan": (ScanSpec,),
    "wandb": (Tracking,),
    "primary": (Primary,),
    "curricula.NAME.phases.0": (PhaseSpec,),
    "curricula.NAME": (CurriculumSpec,),
}
KNOWN = {CellSpec, LinearCellSpec, *(model for models in SECTIONS.values() for model in models)}
MOST_NAMES = 12  # beside the one that is meant
LONGEST = 40  # characters of a value that is repeated


def hint(path: Iterable[str], value: Any, model: type[BaseModel]) -> str:
    """What follows `unknown field`: where it belongs and how to set it there, or what is allowed and the nearest name.

    Args:
        path: of the field, as `--set` has it.
        model: that has no such field.
    """
    *above, name = path
    inner = "linear." if above[:1] == ["linear"] else ""
    names, meant = list(model.model_fields), did_you_mean(name, model.model_fields)
    for section, models in SECTIONS.items() if model in KNOWN else ():
        if model not in models and any(name in other.model_fields for other in models):
            field = f"{inner}{section}.{name}" if section else f"{inner}{name}"
            belongs = f"to `{inner}{section}`" if section else "to the sweep itself"
            return f"{meant}; `{name}` belongs {belongs}: --set {field}={_shown(value)}"
    if not meant and model is Sweep:
        meant = did_you_mean(name, Settings.model_fields, "settings.")
    more = f", ... ({len(names)} in all)" if meant and len(names) > MOST_NAMES else ""
    return f"; allowed: {', '.join(names[:MOST_NAMES] if more else names)}{more}{meant}"


def _shown(value: Any) -> str:
    """A value as one types it after `--set`."""
    try:
        text = value if isinstance(value, str) else json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return "VALUE"
    return shlex.quote(text) if len(text) <= LONGEST and text.isprintable() else "VALUE"
