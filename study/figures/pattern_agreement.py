"""Within a network: does a predictor say which unseen patterns will be learned badly?"""

from __future__ import annotations

import matplotlib.pyplot as plt

from study.candidates import spoken
from study.figures.ranking import count_of
from study.figures.study import Drawn, Missing, Study
from study.figures.style import CYCLE, GREY, WIDTH


def pattern_agreement(study: Study) -> Drawn | Missing:
    """A row per phase and predictor, a colour per cell: mean rank correlation within networks, with its interval."""
    found = (study.analysis.get("ranking") or {}).get("agreement")
    if not found:
        return Missing("the rows hold no columns agreement_<phase>_<name>")
    wanted = {cell for pair in study.analysis["contrasts"][study.contrast] for cell in pair}
    shown = [entry for entry in found if entry["cell"] in wanted]
    if not any(entry["mean"] is not None for entry in shown):
        return Missing(f"no agreement is defined in the cells of {study.contrast}")
    rows = list(dict.fromkeys((entry["phase"], entry["name"]) for entry in shown))
    cells = list(dict.fromkeys(entry["cell"] for entry in shown))
    figure, axis = plt.subplots(figsize=(WIDTH, 0.26 * len(rows) + 1.4), layout="constrained")
    for number, cell in enumerate(cells):
        colour, label = CYCLE[number % len(CYCLE)], study.label(cell)
        for entry in (entry for entry in shown if entry["cell"] == cell and entry["mean"] is not None):
            y = rows.index((entry["phase"], entry["name"])) + 0.5 * ((number + 0.5) / len(cells) - 0.5)
            if entry["low"] is not None:
                axis.plot([entry["low"], entry["high"]], [y, y], color=colour, linewidth=1)
            axis.plot(entry["mean"], y, "o", color=colour, markersize=3.5, label=label)
            label = ""
    axis.axvline(0, color=GREY, linewidth=0.8)
    axis.set_yticks(range(len(rows)), [f"{phase}: {spoken(name)}" for phase, name in rows], fontsize="small")
    axis.set(xlabel="mean rank correlation within a network", ylim=(len(rows) - 0.4, -0.6), xlim=(-1.02, 1.02))
    figure.legend(loc="outside upper center", ncols=3)
    methods = sorted({entry["method"] for entry in shown if entry["method"]})
    told = [
        f"{e['phase']}, {spoken(e['name'])}, {e['cell']}: {e['mean']:.2f}"
        + (f" [{e['low']:.2f}, {e['high']:.2f}]" if e["low"] is not None else "")
        for e in shown
        if e["mean"] is not None
    ]
    title = "Within a network: which patterns will be learned badly?"
    caption = (
        f"Spearman's rho between predicted and final error of the unseen patterns of one network, mean over n = "
        f"{count_of([entry['n'] for entry in shown])} networks. Bars: {', '.join(methods) or 'none'}, each alone. "
        f"{study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {'; '.join(told)}.")
