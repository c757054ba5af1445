"""Forest plot: every correlation of the analysis with its interval."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from study.figures.study import Drawn, Missing, Study, short
from study.figures.style import BLUE, GREEN, GREY, PURPLE, RED, WIDTH

PANELS = {
    "source study's": (("r20", "r20", BLUE), ("raw", "raw r", GREEN)),
    "seed level": (("centred", "centred r", RED),),
    "within conditions": (("within_first", "first", PURPLE), ("within_second", "second", GREEN)),
}
MOST_ROWS = 120
Row = tuple[str, str, str]
HEADER = ""  # in place of a predictor: the row that names contrast and phase


def _rows(study: Study, predictors: list[str]) -> list[Row]:
    """(contrast, phase, predictor) that have results, in order."""
    found = {(r["contrast"], r["phase"]): None for r in study.analysis["results"] if r["predictor"] in predictors}
    return [(*group, predictor) for group in found for predictor in (HEADER, *predictors)]


def _panel(axis: Axes, study: Study, rows: list[Row], statistics: tuple[tuple[str, str, str], ...]) -> tuple[int, int]:
    """Draw the statistics of a panel, test losses filled and unseen losses hollow; returns how many are drawn and not."""
    drawn = missing = 0
    series = [(outcome, *statistic) for statistic in statistics for outcome in study.analysis["outcomes"]]
    for number, (outcome, statistic, label, colour) in enumerate(series):
        offset = (number + 0.5) / len(series) - 0.5
        places, values, arms = [], [], []
        for place, (contrast, phase, predictor) in enumerate(rows):
            result = study.result(contrast, phase, outcome, predictor, statistic)
            if result is None or result["value"] is None:
                missing += predictor != HEADER
                continue
            value = result["value"]
            low, high = (value, value) if result["low"] is None else (result["low"], result["high"])
            places.append(place + 0.8 * offset)
            values.append(value)
            arms.append((max(value - low, 0), max(high - value, 0)))
        face = colour if outcome == "test" else "#ffffff"
        if values:
            axis.errorbar(
                values, places, xerr=list(zip(*arms, strict=True)), fmt="o" if outcome == "test" else "s", color=colour,
                markerfacecolor=face, markersize=3, elinewidth=0.9, label=f"{label}, {outcome}",
            )  # fmt: skip
        drawn += len(values)
    axis.axvline(0, color=GREY, linewidth=0.8)
    axis.set_xlim(-1.02, 1.02)
    axis.set_xticks([-1, 0, 1])
    return drawn, missing


def forest(study: Study) -> Drawn | Missing:
    """A row per contrast, phase and predictor; a panel each for the source study's, seed-level and within correlations."""
    predictors = study.predictors
    rows = _rows(study, predictors)
    if not rows:
        return Missing("the analysis holds no correlations")
    cut = ""
    if len(rows) > MOST_ROWS:
        predictors = [study.predictor]
        cut, rows = (
            f"Only {short(study.predictor)} of {len(study.predictors)} predictors, for legibility. ",
            _rows(study, predictors),
        )
    height = 0.22 * len(rows) * (1 if len(rows) > 30 else 1.25) + 1.9
    figure, axes = plt.subplots(1, len(PANELS), figsize=(WIDTH, height), sharey=True, layout="constrained")
    drawn = missing = 0
    for axis, (title, statistics) in zip(axes, PANELS.items(), strict=True):
        here = _panel(axis, study, rows, statistics)
        drawn, missing = drawn + here[0], missing + here[1]
        axis.set_title(title, fontsize="medium")
        if axis.get_legend_handles_labels()[1]:  # nothing could be computed of a study of very few pairs
            axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1 + 0.3 / height), fontsize="small", handletextpad=0.2)
    named = [(place, short(predictor)) for place, (*_, predictor) in enumerate(rows) if predictor != HEADER]
    axes[0].set_yticks(*zip(*named, strict=True), fontsize="small")
    for place, (contrast, phase, predictor) in enumerate(rows):
        if predictor == HEADER:
            heading = axes[0].text(
                -1, place, f"{contrast}, {phase}", va="center", fontsize="small", fontweight="bold", zorder=9
            )
            heading.set_in_layout(False)
            for axis in axes[: len(axes) * (place > 0)]:
                axis.axhline(place - 0.5, color=GREY, linewidth=0.4)
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    figure.supxlabel("correlation", fontsize="medium")
    sizes = sorted({result["n"] for result in study.analysis["results"] if result["statistic"] == "centred"})
    count = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    clear = {}
    for statistic in ("r20", "centred"):
        held = [r for r in study.analysis["results"] if r["statistic"] == statistic and r["low"] is not None]
        clear[statistic] = f"{sum(r['low'] > 0 or r['high'] < 0 for r in held)} of {len(held)}"
    summary = f"the interval of r20 excludes zero in {clear['r20']}, that of the centred correlation in {clear['centred']}."
    title = "Every correlation with its interval."
    caption = (
        f"Filled circles: test loss; hollow squares: loss on all patterns never trained on. n = {count} pairs. Bars: "
        f"{study.analysis['interval']}, not corrected for the number of comparisons. {drawn} correlations drawn, {missing} "
        f"that could not be computed (the tables say why). {cut}{study.source}"
    )
    return Drawn(figure, title, caption, f"{title} Over all contrasts, phases, outcomes and predictors {summary}")
