"""Who says which seed does better? Every candidate's seed-level correlations with simultaneous intervals, and its cost."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from study.candidates import CONDITION, EARLY, T_ZERO, spoken
from study.figures.study import Drawn, Missing, Study, listed
from study.figures.style import BLUE, GREY, ORANGE, WIDTH
from study.ranking import SEED_LEVEL
from study.ranking_sheets import WORDS, by_candidate, cost_text, excluded_above

NOTHING = "the rows hold no predictors to rank (columns predictor_<phase>_<name>)"
COLOURS = {T_ZERO: BLUE, EARLY: ORANGE, CONDITION: GREY}
MOST = 30
PAPER = "10 pairs of one predictor; whether it says which seed does better is not asked."
Found = dict[str, dict[str, dict[str, Any]]]


def tables_of(study: Study) -> list[dict[str, Any]]:
    """The ranking of the report's contrast, a table per phase; [] without one."""
    found = study.analysis.get("ranking")
    return [table for table in found["tables"] if table["contrast"] == study.contrast] if found else []


def count_of(values: list[int]) -> str:
    """A number, or the range of several."""
    ends = sorted(set(values))
    return f"{ends[0]}" if len(ends) == 1 else f"{ends[0]} to {ends[-1]}"


def _shown(table: dict[str, Any], leading: str) -> Found:
    """Candidates with a number, by centred |r|; where they are many the first, and the primary estimator."""
    with_numbers = {
        column: found
        for column, found in by_candidate(table).items()
        if any(found[statistic]["value"] is not None for statistic in SEED_LEVEL)
    }
    return {c: found for place, (c, found) in enumerate(with_numbers.items()) if place < MOST or c == leading}


def _panel(axis: Axes, shown: Found, statistic: str, leading: str) -> None:
    for place, (column, found) in enumerate(shown.items()):
        entry = found[statistic]
        if entry["value"] is None:
            continue
        colour = COLOURS[entry["kind"]]
        if entry["low"] is not None:
            axis.plot([entry["low"], entry["high"]], [place, place], color=colour, linewidth=1)
        axis.plot(entry["value"], place, "D" if column == leading else "o", color=colour, markersize=3.2)
    axis.axvline(0, color=GREY, linewidth=0.8)
    axis.set(xlim=(-1.02, 1.02), xticks=[-1, 0, 1], ylim=(len(shown) - 0.4, -0.6))


def ranking(study: Study) -> Drawn | Missing:
    """A row of panels per phase, one panel per seed-level correlation; candidates by the size of the centred one."""
    tables = tables_of(study)
    if not tables:
        return Missing(NOTHING)
    shown = [_shown(table, study.predictor) for table in tables]
    heights = [max(len(part), 3) for part in shown]
    size = (WIDTH, 0.165 * sum(heights) + 0.75 * len(tables) + 0.5)
    figure, axes = plt.subplots(
        len(tables), len(SEED_LEVEL), figsize=size, height_ratios=heights, sharey="row", squeeze=False, layout="constrained"
    )
    for table, part, row in zip(tables, shown, axes, strict=True):
        for axis, statistic in zip(row, SEED_LEVEL, strict=True):
            _panel(axis, part, statistic, study.predictor)
            axis.set_title(WORDS[statistic], fontsize="small")
        row[0].set_yticks(range(len(part)), [spoken(found["centred"]["name"]) for found in part.values()], fontsize="x-small")
        row[0].set_ylabel(f"{table['phase']} {table['outcome']} loss")
        for place, found in enumerate(part.values()):
            text = cost_text(found["centred"]["cost"])
            row[-1].text(1.08, place, text, fontsize="x-small", va="center", ha="left", transform=row[-1].get_yaxis_transform())
        row[-1].text(1.08, 1.0, "cost\n(steps)", fontsize="x-small", va="bottom", ha="left", transform=row[-1].transAxes)
    handles = [Line2D([], [], color=COLOURS[kind], marker="o", markersize=3.2, label=kind) for kind in (T_ZERO, EARLY)]
    handles.append(Line2D([], [], color=BLUE, marker="D", linestyle="", markersize=3.2, label="primary estimator"))
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    figure.supxlabel("correlation with the final loss", fontsize="medium")
    return _worded(study, tables, shown, figure)


def _worded(study: Study, tables: list[dict[str, Any]], shown: list[Found], figure: plt.Figure) -> Drawn:
    found = study.analysis["ranking"]
    clear, excluded = [], []
    for table in tables:
        held = [e for e in table["entries"] if e["kind"] == T_ZERO and e["statistic"] == "centred" and e["low"] is not None]
        names = [f"{spoken(e['name'])} ({e['value']:.2f})" for e in held if e["low"] > 0 or e["high"] < 0]
        clear.append(f"{table['phase']}: {listed(names, 6) or 'none'} of {len(held)}")
        if (out := table["excluded"]["centred"]) is not None:
            excluded.append(f"{table['phase']}: {excluded_above(out)}")
    cut = sum(table["candidates"] for table in tables) - sum(map(len, shown))
    others = [name for name in study.analysis["contrasts"] if name != study.contrast]
    title = "Which predictor says which seed does better?"
    here = f"Predictors at t = 0 whose centred r excludes zero, by phase: {'; '.join(clear)}."
    if excluded:
        here += f" Excluded for all of them, at once within a phase only: {'; '.join(excluded)}."
    caption = (
        f"{study.contrast}: n = {count_of([table['pairs'] for table in tables])} pairs. Dots: correlation over pairs of "
        f"differences (centred r), and over seeds within the first and within the second condition. Bars: {found['interval']}, "
        f"over the {count_of([table['family'] for table in tables])} correlations of a phase; not corrected for the number of "
        f"phases and contrasts. Right: cost in gradient steps of the same network. {cut} candidates are constant or beyond the "
        f"first {MOST} and not drawn. {f'Not shown: {listed(others)} (`report --contrast`). ' if others else ''}{study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {here}", PAPER, here)
