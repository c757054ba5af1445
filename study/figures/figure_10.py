"""Figure 10 of the source study: baseline regime, test losses per condition and their paired differences."""

from __future__ import annotations

from study.figures.curves import losses_and_differences
from study.figures.study import Drawn, Missing, Study

PAPER = (
    "on single tasks large is lower at first and standard soon overtakes it; in multitask fine-tuning large is lower "
    "clearly and throughout (10 pairs, 10,000 steps a phase)."
)


def figure_10(study: Study) -> Drawn | Missing:
    """Mean and s.d. of test losses (top) and of paired differences (bottom) in both phases, same learning rates."""
    title = "Figure 10: test losses of the two initialisations, baseline regime."
    return losses_and_differences(study, tuned=False, title=title, paper=PAPER)
