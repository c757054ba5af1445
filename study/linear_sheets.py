"""The tables of a linear sweep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from study.sheets import Sheet

Scores = dict[str, dict[str, Any]]

READINGS = {
    "summed": "eNTK summed over training examples (main)",
    "weight_change": "4 x 5 weight change, input side",
    "weight_change_outputs": "4 x 5 weight change, output side",
    "per_example": "eNTK per example, all outputs",
    "per_example_total": "eNTK per example, summed over outputs",
    "per_output": "eNTK per example and output",
    "ntk": "plain NTK",
    "pntk": "ePNTK summed over training examples",
    "network": "the network's own map",
}
TIMES = {
    "half_time": "half-time, measured",
    "theory_half_time": "half-time, theory",
    "half_time_over_theory": "measured / theory",
    "switch": "first vector switches to the mode",
    "theory_switch": "switch, theory",
    "loss_drop_onset": "loss has lost 10 % of the tier",
    "loss_drop_half": "loss has lost 50 % of the tier",
    "ntk_value_half_max": "plain NTK: singular value of this rank at half its maximum",
    "ahead_of_onset": "switch ahead of the 10 % (steps)",
    "ahead_of_half": "switch ahead of the 50 % (steps)",
}
SECONDARY = {
    "pattern": "mostly at the new mode before, at the next one after (Fig. 4)",
    "at_once": "the same at the very switch",
    "delay": "steps until it leads with the next one (median)",
    "swap": "takes over the mode that the first vector leaves",
}
OTHER = {
    "distance_from_theory": "largest distance of a strength from the exact solution / singular value",
    "incompleteness_euler": "ePNTK by forward Euler: relative error of the learned map",
    "incompleteness_midpoint": "ePNTK by midpoint: relative error of the learned map",
}


def score_text(score: dict[str, Any] | None) -> str:
    """A value with its interval, or why there is none."""
    if score is None:
        return ""
    if score["value"] is None:
        return f"none: {score['reason']}"

    def number(value: float | None) -> str:
        if value is None:
            return "end"
        return (
            f"{value:.2f}" if 0.01 <= abs(value) < 10 or value == 0 else f"{value:.3g}" if abs(value) < 0.01 else f"{value:.0f}"
        )

    mode = f"{score['mode']}: " if score["score"].startswith("most_") else ""
    left = f", {score['left_out']} out" if score["left_out"] else ""
    return f"{mode}{number(score['value'])} [{number(score['low'])}, {number(score['high'])}]{left}"


def _sheet(cell: str, what: str, headings: list[str], rows: list[tuple[str, list[dict[str, Any] | None]]]) -> Sheet:
    shown = [[label, *map(score_text, scores)] for label, scores in rows if any(score is not None for score in scores)]
    return Sheet(f"{cell}: {what}", headings, shown)


def linear_sheets(analysis: dict[str, Any]) -> Iterator[Sheet]:
    """Every table, cell by cell."""
    for entry in analysis["cells"]:
        cell = entry["cell"]
        scores: Scores = {r["score"]: r for r in analysis["results"] if r["cell"] == cell}
        modes = [m for m in range(1, 65) if f"half_time_{m}" in scores]
        marks = [name.removeprefix("lead_summed_") for name in scores if name.startswith("lead_summed_step")]
        places = [f"plateau{m}_{q}" for m in modes for q in ("q25", "q75")]
        seeds = f"{entry['networks']} seeds" + (f", {entry['diverged']} diverged and left out" if entry["diverged"] else "")
        yield _sheet(
            cell,
            f"the mode that the first singular vector is closest to in most seeds: their share ({seeds})",
            ["reading", *(p.replace("plateau", "plateau ").replace("_q25", ", 1/4").replace("_q75", ", 3/4") for p in places)],
            [(label, [scores.get(f"most_{name}_{place}") for place in places]) for name, label in READINGS.items()],
        )
        yield _sheet(
            cell,
            "steps, medians over seeds; out: later than the end",
            ["", *(f"mode {m}" for m in modes)],
            [(label, [scores.get(f"{name}_{m}") for m in modes]) for name, label in TIMES.items()],
        )
        yield _sheet(
            cell,
            "share of seeds: what the second singular vector does when the first one switches",
            ["second vector", *(f"switch to mode {m}" for m in modes[1:])],
            [(label, [scores.get(f"secondary_{name}_{m}") for m in modes[1:]]) for name, label in SECONDARY.items()],
        )
        at = [
            (f"leads with mode {n + 1} at {mark} (share)", [scores.get(f"lead_summed_{mark}")]) for n, mark in enumerate(marks)
        ]
        at += [(f"cosine with mode {n + 1} at {mark}", [scores.get(f"match_summed_{mark}")]) for n, mark in enumerate(marks)]
        at += [
            (f"mode {m} held by ePNTK at {mark} / singular value", [scores.get(f"learned_{m}_{mark}")])
            for mark in marks
            for m in modes
        ]
        at += [(label, [scores.get(name)]) for name, label in OTHER.items()]
        at += [
            (f"share of steps after half-time 1 led by mode 1: {label}", [scores.get(f"mode1_share_{n}")])
            for n, label in READINGS.items()
        ]
        yield _sheet(cell, "the source study's steps, and controls (medians unless said)", ["", "value [95 % interval]"], at)
