"""The correlation within cells as lines against initial scale, with both intervals."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from study.figures.init_scale_map import NO_MAPS, PAPER, axis_runs, value_text
from study.figures.study import Drawn, Missing, Study, short
from study.figures.style import CYCLE, GREY, WIDTH
from study.map_sheets import MEANING, answer, entries_along
from study.maps import SCALE

STATISTIC = "within"
SPREAD = 1.14  # lines of a panel stand beside each other: a factor on the logarithmic axis


def _line(axis: Axes, along: dict[float, dict[str, Any]], place: float, colour: str, label: str) -> None:
    """Values, their own intervals (thick) and those that hold for the whole map (thin)."""
    known = {scale: entry for scale, entry in along.items() if entry["value"] is not None}
    x = [scale * SPREAD**place for scale in known]
    axis.plot(x, [entry["value"] for entry in known.values()], marker="o", markersize=3, color=colour, linewidth=1, label=label)
    for prefix, width in (("", 1.6), ("simultaneous_", 0.5)):
        ends = [(at, e[f"{prefix}low"], e[f"{prefix}high"]) for at, e in zip(x, known.values(), strict=True)]
        for at, low, high in ends:
            if low is not None:
                axis.plot([at, at], [low, high], color=colour, linewidth=width)


def init_scale_lines(study: Study) -> Drawn | Missing:
    """A row per axis with a line per value, a column per phase."""
    found = study.analysis.get("maps")
    if not found:
        return Missing(NO_MAPS)
    entries = [entry for entry in found["entries"] if entry["statistic"] == STATISTIC]
    if not any(entry["value"] is not None for entry in entries):
        return Missing("no cell has a correlation of this kind")
    phases, runs = list(dict.fromkeys(entry["phase"] for entry in entries)), axis_runs(found)
    figure, axes = plt.subplots(
        len(runs), len(phases), figsize=(WIDTH, 1.75 * len(runs) + 0.4), sharex=True, sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for place, (row, (name, rests)) in enumerate(zip(axes, runs.items(), strict=True)):
        for axis, phase in zip(row, phases, strict=True):
            for number, rest in enumerate(rests):
                label = value_text(rest[name]) if name else "all cells"
                along = entries_along(found, STATISTIC, phase, rest)
                _line(axis, along, number - (len(rests) - 1) / 2, CYCLE[number % len(CYCLE)], label)
            axis.axhline(0, color=GREY, linewidth=0.8)
            outcome = next(entry["outcome"] for entry in entries if entry["phase"] == phase)
            axis.set_title(f"{phase} {outcome} loss" if place == 0 else "", fontsize="medium")
        row[0].set_ylabel("r")
        row[-1].legend(
            title=name.replace("_", " ") or None, fontsize="x-small", title_fontsize="small", loc="center left",
            bbox_to_anchor=(1, 0.5),
        )  # fmt: skip
    axes[0, 0].set_ylim(-1, 1)
    axes[0, 0].set_xscale("log")
    axes[0, 0].set_xticks(found["axes"][SCALE], [f"{scale:g}" for scale in found["axes"][SCALE]])
    axes[0, 0].minorticks_off()
    figure.supxlabel("initial scale", fontsize="medium")
    here = answer(found, STATISTIC)
    title = "The correlation against initial scale."
    sizes = sorted({entry["n"] for entry in entries if entry["value"] is not None})
    caption = (
        f"{short(found['predictor'])} at t = 0 with the final loss, {MEANING[STATISTIC]}; "
        f"n = {' to '.join(map(str, sizes[:: max(len(sizes) - 1, 1)]))}. Thick bars: {found['interval']}; thin: "
        f"{found['simultaneous']}, over all {len(entries)} cells and phases. Lines of a panel stand beside each other to be "
        f"told apart; lines join cells and are no model. {study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {here}", PAPER, here)
