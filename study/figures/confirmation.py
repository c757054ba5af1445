"""What the lower half of the seeds suggested, against what the held-out half says."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from study.candidates import T_ZERO, spoken
from study.confirmation import CONFIRMED, SELECTED, confirmed
from study.figures.ranking import COLOURS, NOTHING, count_of, tables_of
from study.figures.study import Drawn, Missing, Study, listed
from study.figures.style import GREY, WIDTH
from study.ranking import SEED_LEVEL
from study.ranking_sheets import WORDS

MARKERS = dict(zip(SEED_LEVEL, ("D", "^", "v"), strict=True))
Entry = dict[str, Any]


def _drawable(table: dict[str, Any]) -> list[Entry]:
    entries = table["confirmation"]["entries"]
    return [e for e in entries if e["exploration"]["value"] is not None and e["held_out"]["value"] is not None]


def _panel(axis: Axes, entries: list[Entry]) -> None:
    axis.plot([-1, 1], [-1, 1], color=GREY, linewidth=0.6, linestyle=":")
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.axvline(0, color=GREY, linewidth=0.8)
    named = set()
    for entry in entries:
        x, held, colour = entry["exploration"]["value"], entry["held_out"], COLOURS[entry["kind"]]
        if held["low"] is not None:
            axis.plot([x, x], [held["low"], held["high"]], color=colour, linewidth=0.8, alpha=0.6)
        face = colour if entry["verdict"] == CONFIRMED else "#ffffff"
        axis.plot(x, held["value"], MARKERS[entry["statistic"]], color=colour, markerfacecolor=face, markersize=4)
        if entry["column"] not in named and entry["kind"] == T_ZERO:  # each is named once, at its first correlation
            named.add(entry["column"])
            where, side = ((-5, -3), "right") if x > 0 else ((5, -3), "left")
            text = spoken(entry["name"])
            axis.annotate(text, (x, held["value"]), where, textcoords="offset points", ha=side, fontsize="x-small")
    axis.set(xlim=(-1, 1), ylim=(-1, 1), xlabel="exploration r", aspect="equal")


def confirmation(study: Study) -> Drawn | Missing:
    """A panel per phase; a dot per correlation that went on to the held-out seeds."""
    tables = tables_of(study)
    if not tables:
        return Missing(NOTHING)
    drawable = [_drawable(table) for table in tables]
    if not any(drawable):
        return Missing(f"nothing of {study.contrast} could be taken to the held-out seeds: there are too few")
    size = (max(WIDTH, 2.8 * len(tables)), 3.4)
    figure, axes = plt.subplots(1, len(tables), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axis, table, entries in zip(axes[0], tables, drawable, strict=True):
        _panel(axis, entries)
        axis.set_title(f"{table['phase']} {table['outcome']} loss")
    axes[0, 0].set_ylabel("held-out r")
    handles = [Line2D([], [], color=GREY, marker=m, linestyle="", markersize=4, label=WORDS[s]) for s, m in MARKERS.items()]
    handles += [Line2D([], [], color=COLOURS[kind], label=kind) for kind in list(COLOURS)[:2]]
    figure.legend(handles=handles, loc="outside upper center", ncols=5, handlelength=1.2, columnspacing=1)
    halves = [table["confirmation"] for table in tables]
    told = []
    for table in tables:
        entries = table["confirmation"]["entries"]
        good = [f"{spoken(e['name'])} ({WORDS[e['statistic']]} {e['held_out']['value']:.2f})" for e in confirmed(entries)]
        suggested = sum(SELECTED in e["role"] for e in entries)
        told.append(f"{table['phase']}: {suggested} suggested, confirmed {listed(good, 6) or 'none'}")
    title = "What the exploration suggested, on seeds held out."
    here = f"Predictors at t = 0, by phase: {'; '.join(told)}."
    sizes = {half: count_of([h[f"{half}_seeds"] for h in halves]) for half in ("exploration", "held_out")}
    caption = (
        f"{study.contrast}: r on the seeds that explore (n = {sizes['exploration']}) against r on those held out (n = "
        f"{sizes['held_out']}), for what was selected and for the references (the primary estimator, the best early-training "
        f"loss). Filled: confirmed (same sign, interval excludes zero). Bars: {study.analysis['ranking']['interval']}, over "
        f"the {count_of([h['held_out_family'] for h in halves])} correlations taken along in a phase. Dotted: equal r. "
        f"{study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {here}", "", here)
