"""Figure 17 of the source study: every pair of the baseline regime on its own."""

from __future__ import annotations

import matplotlib.pyplot as plt

from study.figures.curves import COLOURS, SIDES, STYLES, count_text, others, pair_curves, phases_with_curves, regime, steps_axis
from study.figures.study import Drawn, Missing, Study
from study.figures.style import WIDTH
from study.statistics.counts import count_of

COLUMNS, MOST_PAIRS = 3, 12
PAPER = (
    "standard ends lower on single tasks in each of 10 pairs, after more or fewer steps; final losses of pairs differ by "
    "more than a factor of ten."
)


def figure_17(study: Study) -> Drawn | Missing:
    """Test losses of the first phase, a panel per pair, all on the same axes."""
    found = regime(study, tuned=False)
    if isinstance(found, Missing):
        return found
    name, cells = found[0]
    phase = phases_with_curves(study)[0]
    curves = pair_curves(study, cells, phase, "test")
    if curves is None:
        return Missing("fewer than two pairs have loss curves at common steps")
    shown = min(len(curves), MOST_PAIRS)
    lines = -(-shown // COLUMNS)
    figure, axes = plt.subplots(
        lines, COLUMNS, figsize=(WIDTH, 1.6 * lines + 0.4), sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for place, axis in enumerate(axes.flat):
        if place >= shown:
            axis.set_visible(False)
            axes.flat[place - COLUMNS].xaxis.set_tick_params(labelbottom=True)
            continue
        for side, cell in zip(SIDES, cells, strict=True):
            losses = curves.losses[side][place]
            axis.plot(curves.steps, losses, STYLES[side], color=COLOURS[side], label=study.label(cell))
        axis.set_title(f"seed {curves.seeds[place]}")
        axis.set_yscale("log")
    steps_axis(axes[0, 0])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    figure.supxlabel("gradient steps", fontsize="medium")
    figure.supylabel(f"test loss, {phase}", fontsize="medium")
    final = {side: curves.losses[side][:, -1] for side in SIDES}
    wins = int((final["first"] < final["second"]).sum())
    ratios = [f"{losses.max() / losses.min():.3g}" for losses in final.values()]
    here = (
        f"{cells[0]} ends lower in {count_of(wins, len(curves), 'pairs')}; the largest final loss is {ratios[0]} times the "
        f"smallest in {cells[0]}, {ratios[1]} times in {cells[1]}."
    )
    first_of = "" if shown == len(curves) else f"the {shown} lowest seeds of "
    title = "Figure 17: every pair on its own, baseline regime."
    caption = (
        f"Test loss (mean squared error) of the phase {phase} in {name}, a panel per pair of networks, the same axes "
        f"throughout; shown are {first_of}{count_text([len(curves)], curves.diverged)} Single networks: no interval. "
        f"{others(found[1:])}{study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {here}", PAPER, here)
