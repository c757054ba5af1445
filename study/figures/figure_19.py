"""Figure 19 of the source study: training losses beside test losses, both regimes and both phases."""

from __future__ import annotations

import matplotlib.pyplot as plt

from study.figures.curves import COLOURS, SIDES, count_text, others, pair_curves, phases_with_curves, regime, steps_axis
from study.figures.study import Drawn, Missing, Study, folded
from study.figures.style import WIDTH

PAPER = (
    "training losses are below test losses, and who trains lower need not test lower: baseline, single tasks: large fits the "
    "training set faster and does not generalise better; LR-tuned, multitasking: standard trains lower and does not test lower."
)


def figure_19(study: Study) -> Drawn | Missing:
    """Mean test (solid) and training (dotted) losses; a row per regime, a column per phase."""
    regimes = {text: regime(study, tuned) for text, tuned in (("baseline", False), ("LR-tuned", True))}
    found = {text: value for text, value in regimes.items() if not isinstance(value, Missing)}
    if not found:
        return Missing(" and ".join(value.reason for value in regimes.values() if isinstance(value, Missing)))
    phases = phases_with_curves(study)
    figure, axes = plt.subplots(
        len(found), len(phases), figsize=(WIDTH, 2.7 * len(found)), sharey="row", squeeze=False, layout="constrained"
    )
    texts, sizes, diverged = [], [], 0
    for row, (text, contrasts) in zip(axes, found.items(), strict=True):
        name, cells = contrasts[0]
        for axis, phase in zip(row, phases, strict=True):
            axis.set_title(folded(f"{name}, {phase}"))
            ends = {}
            for kind, style in (("test", "-"), ("train", ":")):
                curves = pair_curves(study, cells, phase, kind)
                if curves is None:
                    continue
                for side, cell in zip(SIDES, cells, strict=True):
                    mean = curves.losses[side].mean(axis=0)
                    axis.plot(curves.steps, mean, style, color=COLOURS[side], label=f"{study.label(cell)}, {kind}")
                    ends[kind, cell] = mean[-1]
                sizes.append(len(curves))
                diverged = max(diverged, curves.diverged)
            if ends:
                axis.set_yscale("log")
                steps_axis(axis)
                lower = [min((ends[kind, cell], cell) for cell in cells)[1] for kind in ("train", "test")]
                losses = ", ".join(f"{cell} {ends['train', cell]:.2g} / {ends['test', cell]:.2g}" for cell in cells)
                texts.append(f"{name}, {phase}: {lower[0]} trains lower, {lower[1]} tests lower (train / test: {losses}).")
        row[0].set_ylabel(f"loss, {text} regime")
        row[0].legend(loc="lower left", fontsize="small")
    for axis in axes[-1]:
        axis.set_xlabel("gradient steps")
    if not texts:
        plt.close(figure)
        return Missing("fewer than two pairs have loss curves at common steps")
    title = "Figure 19: training and test losses."
    rest = [item for contrasts in found.values() for item in contrasts[1:]]
    caption = (
        f"Mean squared error, mean over networks: test solid, training dotted, the spread left out for legibility as in the "
        f"source study (figures 10 and 18 show it). {count_text(sizes, diverged)} {others(rest)}{study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {' '.join(texts)}", PAPER, " ".join(texts))
