"""Where does the silhouette predict? The correlation over the seeds of each cell, mapped over initial scale and each axis."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from study.figures.study import Drawn, Missing, Study, short
from study.figures.style import WIDTH
from study.map_sheets import MEANING, answer, entries_along, excludes_zero
from study.maps import SCALE
from study.tables import number

NO_MAPS = "no four cells differ in initial scale alone"
SQUARE = 0.34  # inches of a row of squares
PAPER = "correlates over pairs of networks of two initial scales (1 and 10), all seeds together."


def axis_runs(found: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Every axis beside initial scale with the runs of cells along it, the other axes at the centre of the study."""
    centre = found["centre"]
    return {axis: [{**centre, axis: value} for value in found["axes"][axis]] for axis in centre} or {"": [{}]}


def value_text(value: Any) -> str:
    """A value of an axis in words."""
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")


def _written(axis: Axes, column: int, row: int, entry: dict[str, Any], size: float) -> None:
    """The number of a square, with its interval in small print, framed where all intervals together exclude zero."""
    dark = entry["value"] is not None and abs(entry["value"]) > 0.6
    colour = "#fefefe" if dark else "#010101"
    if entry["value"] is None:
        axis.text(column, row, "none", ha="center", va="center", fontsize=size, color=colour)
        return
    axis.text(column, row - 0.2, number(entry["value"]), ha="center", va="center", fontsize=1.25 * size, color=colour)
    if entry["low"] is not None:
        ends = f"[{entry['low']:.2f}, {entry['high']:.2f}]".replace("0.", ".")
        axis.text(column, row + 0.22, ends, ha="center", va="center", fontsize=size, color=colour)
    if excludes_zero(entry, "simultaneous_"):
        axis.add_patch(Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, linewidth=1.8, edgecolor="#010101"))


def _panel(axis: Axes, found: dict[str, Any], statistic: str, phase: str, name: str) -> None:
    """One heat map: initial scale by the values of an axis; correlations from -1 (blue) to 1 (red)."""
    scales, rests = found["axes"][SCALE], axis_runs(found)[name]
    squares = [entries_along(found, statistic, phase, rest) for rest in rests]
    values = [[_value(along.get(scale)) for scale in scales] for along in squares]
    axis.pcolormesh(range(len(scales)), range(len(rests)), values, cmap="RdBu_r", vmin=-1, vmax=1, edgecolors="#ffffff")
    for row, along in enumerate(squares):
        for column, scale in enumerate(scales):
            if scale in along:
                _written(axis, column, row, along[scale], min(5.2, 26 / len(scales)))
    axis.set_xticks(range(len(scales)), [f"{scale:g}" for scale in scales])
    axis.set_yticks(range(len(rests)), [value_text(rest[name]) if name else "" for rest in rests], fontsize="small")
    axis.set_ylim(len(rests) - 0.5, -0.5)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)


def _value(entry: dict[str, Any] | None) -> float:
    return float("nan") if entry is None or entry["value"] is None else float(entry["value"])


def drawn_map(study: Study, statistic: str, title: str) -> Drawn | Missing:
    """A row of panels per axis, a column per phase."""
    found = study.analysis.get("maps")
    if not found:
        return Missing(NO_MAPS)
    entries = [entry for entry in found["entries"] if entry["statistic"] == statistic]
    if not any(entry["value"] is not None for entry in entries):
        return Missing("no cell has a correlation of this kind")
    phases, names = list(dict.fromkeys(entry["phase"] for entry in entries)), list(axis_runs(found))
    heights = [len(axis_runs(found)[name]) for name in names]
    size = (WIDTH, SQUARE * sum(heights) + 0.45 * len(names) + 0.5)
    figure, axes = plt.subplots(
        len(names), len(phases), figsize=size, squeeze=False, sharey="row", layout="constrained",
        gridspec_kw={"height_ratios": heights},
    )  # fmt: skip
    for place, (row, name) in enumerate(zip(axes, names, strict=True)):
        for axis, phase in zip(row, phases, strict=True):
            _panel(axis, found, statistic, phase, name)
            outcome = next(entry["outcome"] for entry in entries if entry["phase"] == phase)
            axis.set_title(f"{phase} {outcome} loss" if place == 0 else "", fontsize="medium")
        row[0].set_ylabel(name.replace("_", " "), fontsize="small")
    figure.supxlabel("initial scale", fontsize="medium")
    sizes = sorted({entry["n"] for entry in entries if entry["value"] is not None})
    missing = sum(entry["value"] is None for entry in entries)
    here = answer(found, statistic)
    centre = ", ".join(f"{axis.replace('_', ' ')} {value_text(value)}" for axis, value in found["centre"].items())
    caption = (
        f"Each square: correlation of {short(found['predictor'])} at t = 0 with the final loss, {MEANING[statistic]}, "
        f"n = {' to '.join(map(str, sizes[:: max(len(sizes) - 1, 1)]))}; in brackets the {found['interval']}. Red is positive, "
        f"blue negative. A frame: the interval that holds all {len(entries) - missing} cells and phases of this map at once "
        f"excludes zero ({found['simultaneous']}). {f'{missing} not defined. ' if missing else ''}"
        f"{f'Axes that a panel does not show are at the centre: {centre}. ' if centre else ''}{study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {here}", PAPER, here)


def init_scale_map(study: Study) -> Drawn | Missing:
    """The correlation within each cell."""
    return drawn_map(study, "within", "Where does the silhouette say which seed of a cell does better?")
