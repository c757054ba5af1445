"""A study of the linear network for the report's template: what it shows in a sentence, and its tables."""

from __future__ import annotations

from typing import Any

from study.figures.linear import shown_cell
from study.figures.study import Missing, Study
from study.linear_sheets import linear_sheets, score_text
from study.report.view import Group, filled
from study.sheets import Sheet

METHODS = (
    "a network without hidden nonlinearity learns a linear target, whose singular modes it learns one after another. Every "
    "kernel is measured as training goes on; the mode that a singular vector of it is closest to (absolute cosine over "
    "training examples) is said to lead. Seeds are the independent units: shares have 95 % Wilson intervals, medians 95 % "
    "order-statistic intervals, and a time that lies beyond the last step counts as late. Settings are those of `sweep.json`."
)


def linear_sentence(study: Study) -> str:
    """What the source study claims of the linear network, in numbers of the cell that figures show."""
    shown = shown_cell(study)
    if isinstance(shown, Missing):
        return f"No scores can be shown: {shown.reason}."
    parts = [(f"mode {m} at step {mark}:", f"lead_summed_step{mark}") for m, mark in enumerate(shown.marks, start=1)]
    text = (
        f"In {len(shown.rows)} networks of the cell {shown.cell}, share of seeds in which the first singular vector of the "
        f"eNTK is the mode that is being learned, {shown.told(parts)}."
    )
    if "ahead_of_onset_2" in shown.scores:
        text += " It switches to mode 2 ahead of the first tenth of the loss's drop by " + shown.told(
            [("", "ahead_of_onset_2")]
        )
        text += f" steps, {shown.told([('and of half of it by', 'ahead_of_half_2')])} (medians)."
    return text.replace("  ", " ")


def linear_main(study: Study) -> Sheet:
    """For the first screen: what the source study says happens, and how often it does, in every cell."""
    cells = [entry["cell"] for entry in _cells(study)]
    scores: dict[str, dict[str, Any]] = {}
    for entry in study.analysis["results"]:
        scores.setdefault(entry["score"], {})[entry["cell"]] = entry
    labels = {
        name: f"mode {_mode(found)} leads at step {name.removeprefix('lead_summed_step')} (share)"
        for name, found in scores.items()
        if _is_mark(name)
    }
    labels |= {
        "ahead_of_onset_2": "switch to mode 2 ahead of 10 % of the loss drop (steps)",
        "ahead_of_half_2": "ahead of 50 % of it (steps)",
        "secondary_pattern_2": "second vector goes from mode 2 to mode 3 (share)",
        "secondary_at_once_2": "at the very switch (share)",
        "mode1_share_ntk": "plain NTK: steps after half-time 1 led by mode 1 (share)",
    }
    labels |= {f"half_time_over_theory_{m}": f"half-time {m}, measured / theory" for m in (1, 2, 3)}
    rows = []
    for name, label in labels.items():
        if name in scores:
            paper = next(iter(scores[name].values()))["paper"]
            rows.append([label, "" if paper is None else f"{paper:g}", *(score_text(scores[name].get(cell)) for cell in cells)])
    return Sheet(f"Linear network ({study.name}): shares and medians over seeds, 95 % intervals", ["", "paper", *cells], rows)


def _cells(study: Study) -> list[dict[str, Any]]:
    """The analysis's cells, the one that figures show first."""
    shown = shown_cell(study)
    return sorted(study.analysis["cells"], key=lambda entry: isinstance(shown, Missing) or entry["cell"] != shown.cell)


def _is_mark(name: str) -> bool:
    return name.startswith("lead_summed_step")


def _mode(found: dict[str, dict[str, Any]]) -> int:
    return int(next(iter(found.values()))["mode"])


def linear_groups(study: Study) -> list[Group]:
    """Every table, cell by cell."""
    groups = []
    for entry in _cells(study):
        tables = [filled(sheet) for sheet in linear_sheets({**study.analysis, "cells": [entry]})]
        groups.append(Group(f"Linear network: cell {entry['cell']}", tables))
    return groups
