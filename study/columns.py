"""What the names of columns mean: <prefix>_<phase>_<name> taken apart in one place, and which columns nothing is made of.

A phase may be called `multi` and another `multi_ntk`, so that `predictor_multi_ntk_trace` can be read in two ways. What is
measured is measured for every phase: the reading whose name other phases have too is the right one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import pandas as pd

OUTCOMES = ("test", "unseen")
LOSS = re.compile(r"loss_(.+)_(train|test|unseen)")
CURVE = re.compile(r"curve_(.+)_(steps|train|test)")
STEPS = re.compile(r"structure_(.+)_steps")
REPEAT = re.compile(r"repeat_(kmeans|data)_(.+)")
SETTINGS = ("structure_records", "structure_estimators")  # begin like what is measured during training

# Not read for numbers, but said on a page, in a caption, or by which rows are told apart.
NAMED = ("sweep", "network", "cell", "seed", "data_seed", "diverged", "phases", "cycles", "commit", "device")


def phases_of(frame: pd.DataFrame) -> list[str]:
    """Phases in the order of the columns: every x with a column loss_x_test or loss_x_unseen."""
    found = (LOSS.fullmatch(str(name)) for name in frame.columns)
    return list(dict.fromkeys(match[1] for match in found if match and match[2] in OUTCOMES))


def measured_phases(frame: pd.DataFrame) -> list[str]:
    """Phases with structure measured during training, in the order of the columns."""
    found = (STEPS.fullmatch(str(name)) for name in frame.columns)
    return [match[1] for match in found if match]


def split_names(
    columns: Iterable[str], prefix: str, phases: Sequence[str], declared: Collection[str] = ()
) -> dict[str, dict[str, str]]:
    """Columns <prefix>_<phase>_<name> as phase -> name -> column, each in one place.

    Of several readings of a column, that whose name is declared; else that whose name most phases have; else that of the
    longest phase.

    Args:
        declared: names that the rows themselves say were measured.
    """
    readings: dict[str, list[tuple[str, str]]] = {}
    known = set(phases)
    for column in (column for column in map(str, columns) if column.startswith(f"{prefix}_")):
        rest = column.removeprefix(f"{prefix}_")
        breaks = [place for place, letter in enumerate(rest) if letter == "_"]  # the longest phase first
        if fits := [(rest[:p], rest[p + 1 :]) for p in reversed(breaks) if rest[:p] in known and rest[p + 1 :]]:
            readings[column] = fits
    having = Counter(name for fits in readings.values() for _, name in set(fits))
    found: dict[str, dict[str, str]] = {phase: {} for phase in phases}
    for column, fits in readings.items():
        phase, name = max(fits, key=lambda fit: (fit[1] in declared, having[fit[1]]))  # the first of equals
        found[phase][name] = column
    return found


def declared_in(frame: pd.DataFrame, setting: str) -> set[str]:
    """Names that a setting of the rows lists, such as `predictors`."""
    if setting not in frame:
        return set()
    return {name for text in frame[setting].dropna().unique() if isinstance(text, str) for name in text.split(",") if name}


def columns_by_phase(frame: pd.DataFrame, prefix: str) -> dict[str, dict[str, str]]:
    """Columns <prefix>_<phase>_<name> of phases with a loss, as phase -> name -> column."""
    return split_names(frame.columns, prefix, phases_of(frame), declared_in(frame, "predictors"))


def structure_by_phase(frame: pd.DataFrame) -> dict[str, dict[str, str]]:
    """What was measured during each phase, as phase -> name (silhouette_<estimator>, cka, ..., steps) -> column."""
    names = [name for name in map(str, frame.columns) if name not in SETTINGS]
    return split_names(names, "structure", measured_phases(frame), {"steps"})


def unused(frame: pd.DataFrame, settings: Collection[str]) -> list[str]:
    """Columns of which nothing is made.

    Args:
        settings: names of settings, which tell cells apart.
    """
    phases = set(phases_of(frame))
    used = {*NAMED, *settings}
    for prefix in ("predictor", "agreement"):
        used |= {column for found in columns_by_phase(frame, prefix).values() for column in found.values()}
    used |= {column for found in structure_by_phase(frame).values() for column in found.values()}
    return [name for name in map(str, frame.columns) if name not in used and not _known(name, phases, frame)]


def _known(name: str, phases: Collection[str], frame: pd.DataFrame) -> bool:
    if name.startswith("version_") or (name.startswith("silhouette_") and name != "silhouette_"):
        return True
    loss, curve, repeat = LOSS.fullmatch(name), CURVE.fullmatch(name), REPEAT.fullmatch(name)
    if loss:
        return loss[1] in phases
    if curve:
        return curve[1] in phases and f"curve_{curve[1]}_steps" in frame
    return repeat is not None and f"silhouette_{repeat[2]}" in frame
