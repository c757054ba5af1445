"""Figure 18 of the source study: figure 10 in the LR-tuned regime."""

from __future__ import annotations

from study.figures.curves import losses_and_differences
from study.figures.study import Drawn, Missing, Study

PAPER = (
    "with the learning rate tuned, standard is lower on single tasks without the early stretch in which large led; large "
    "stays lower in multitask fine-tuning (10 pairs, 2,500 steps a phase)."
)


def figure_18(study: Study) -> Drawn | Missing:
    """Mean and s.d. of test losses (top) and of paired differences (bottom) in both phases, tuned learning rates."""
    title = "Figure 18: test losses of the two initialisations, LR-tuned regime."
    return losses_and_differences(study, tuned=True, title=title, paper=PAPER)
