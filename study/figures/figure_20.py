"""Figure 20 of the source study: figure 7 with three stimulus and four response pools."""

from __future__ import annotations

from study.figures.embedding import embedded
from study.figures.study import Drawn, Missing, Study

PAPER = (
    "with pools swapped the order is the same, inputs before tasks: so the order is not due to there being fewer outputs "
    "than inputs."
)


def figure_20(study: Study) -> Drawn | Missing:
    """As figure 7, of cells with fewer stimulus than response pools."""
    return embedded(study, swapped=True, title="Figure 20: M-PHATE of hidden activity, pools swapped.", paper=PAPER)
