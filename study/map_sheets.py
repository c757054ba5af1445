"""The maps of `study.maps` as tables, and what they say in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from study.maps import REFERENCE, SCALE, STATISTICS, same_networks
from study.sheets import Sheet
from study.tables import with_interval

Entry = dict[str, Any]

MEANING = {
    "within": "over the seeds of a cell",
    "pairs": f"over differences from the same seeds at initial scale {REFERENCE:g} (centred r)",
}
TITLES = {
    "within": "r within cells",
    "pairs": f"centred r of pair differences from initial scale {REFERENCE:g}",
}
CLEAR = "!"


def excludes_zero(entry: Mapping[str, Any], prefix: str = "") -> bool:
    """Whether an interval of an entry excludes zero.

    Args:
        prefix: "simultaneous_" for the interval that holds all squares at once.
    """
    low, high = entry[f"{prefix}low"], entry[f"{prefix}high"]
    return low is not None and (low > 0 or high < 0)


def answer(found: Mapping[str, Any], statistic: str) -> str:
    """In how many squares of a map the interval excludes zero, where, and the largest |r| that is still allowed."""
    entries = [entry for entry in found["entries"] if entry["statistic"] == statistic]
    known = [entry for entry in entries if entry["simultaneous_low"] is not None]
    what = f"{found['predictor'].removeprefix('silhouette_')} against the final loss, {MEANING[statistic]}"
    if not known:
        reason = next((e["simultaneous_reason"] for e in entries), f"no cells at initial scale {REFERENCE:g}")
        return f"Map of {what}: no square has a simultaneous interval ({reason})."
    clear = [entry for entry in known if excludes_zero(entry, "simultaneous_")]
    alone = sum(excludes_zero(entry) for entry in known)
    chance = sum(0.05 if entry.get("chance") is None else entry["chance"] for entry in known if entry["low"] is not None)
    where = "; ".join(
        f"{e['cell']}, {e['phase']} {e['value']:z.2f} [{e['simultaneous_low']:z.2f}, {e['simultaneous_high']:z.2f}]"
        for e in clear
    )
    widest = max(known, key=largest_allowed)
    return (
        f"Map of {what}: of {len(known)} cells and phases the interval that holds all of them at once excludes zero in "
        f"{len(clear)}{f' ({where})' if clear else ''}, and taken alone in {alone}, where chance gives about "
        f"{chance:.0f} (counted with seeds of the losses in random order); the largest |r| that it still allows anywhere is "
        f"{largest_allowed(widest):z.2f} ({widest['cell']}, {widest['phase']})."
    )


def largest_allowed(entry: Mapping[str, Any]) -> float:
    """The largest correlation, in size, inside the simultaneous interval."""
    return float(max(abs(entry["simultaneous_low"]), abs(entry["simultaneous_high"])))


def place_of(found: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry's place on the axes."""
    return {axis: entry[axis] for axis in found["axes"]}


def entries_along(found: Mapping[str, Any], statistic: str, phase: str, rest: Mapping[str, Any]) -> dict[float, Entry]:
    """Initial scale to the entry of a run of cells that differ in nothing else.

    Args:
        rest: the place on the other axes; at scale 1 cells that differ in scaled layers alone are the same networks.
    """
    here = {
        same_networks(place_of(found, entry)): entry
        for entry in found["entries"]
        if entry["statistic"] == statistic and entry["phase"] == phase
    }
    places = {
        scale: same_networks({axis: {**rest, SCALE: scale}[axis] for axis in found["axes"]}) for scale in found["axes"][SCALE]
    }
    return {scale: here[key] for scale, key in places.items() if key in here}


def runs(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The places on all axes but initial scale at which there are cells, in order."""
    places: dict[tuple[Any, ...], dict[str, Any]] = {}
    for entry in found["entries"]:
        rest = {axis: value for axis, value in place_of(found, entry).items() if axis != SCALE}
        places.setdefault(tuple(rest.values()), rest)
    return list(places.values())


def label(found: Mapping[str, Any], rest: Mapping[str, Any]) -> str:
    """A run of cells in words: where it departs from the centre."""
    values = {axis: f"{value:g}" if isinstance(value, float) else str(value) for axis, value in rest.items()}
    return ", ".join(f"{axis} {values[axis]}" for axis in rest if rest[axis] != found["centre"][axis]) or "centre"


def map_sheets(analysis: Mapping[str, Any]) -> Iterator[Sheet]:
    """A table per map and phase: a row per run of cells, a column per initial scale."""
    found = analysis.get("maps")
    if not found:
        return
    name = found["predictor"].removeprefix("silhouette_")
    for statistic, phase in dict.fromkeys((entry["statistic"], entry["phase"]) for entry in found["entries"]):
        rows, outcome = [], ""
        for rest in runs(found):
            along = entries_along(found, statistic, phase, rest)
            outcome = next((entry["outcome"] for entry in along.values()), outcome)
            if along:
                rows.append([label(found, rest), *(_square(along.get(scale)) for scale in found["axes"][SCALE])])
        title = f"Map over initial scale, {phase} {outcome} loss, {name}: {TITLES[statistic]}"
        yield Sheet(title, ["cells", *(f"{scale:g}" for scale in found["axes"][SCALE])], rows)


def _square(entry: Entry | None) -> str:
    if entry is None:
        return ""
    mark = CLEAR if excludes_zero(entry, "simultaneous_") else ""
    return f"{mark}{with_interval(entry)}"


def map_notes(analysis: Mapping[str, Any]) -> list[str]:
    """What the maps answer, and how they were made."""
    found = analysis.get("maps")
    if not found:
        return []
    centre = ", ".join(f"{axis} {value}" for axis, value in found["centre"].items())
    how = (
        f"Maps: centre {centre or 'none, initial scale alone varies'}. Intervals as above; {CLEAR} marks where an interval "
        f"that holds all cells and phases of a map at once ({found['simultaneous']}) excludes zero; both, with p and "
        "family-wise p by max-T over the same, are in maps.csv."
    )
    widest = [
        f"{e['cell']}, {e['phase']} ({TITLES[e['statistic']]}) widens every interval of its map by more than 5 %."
        for e in found["entries"]
        if e.get("widens_all")
    ]
    return [*(answer(found, statistic) for statistic in STATISTICS), how, *widest]
