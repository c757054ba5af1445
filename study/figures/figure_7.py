"""Figure 7 of the source study: M-PHATE of hidden activity, standard and large initialisation."""

from __future__ import annotations

from study.figures.embedding import embedded
from study.figures.study import Drawn, Missing, Study

PAPER = (
    "standard: tasks fall into four clusters by stimulus pool, inputs transiently into three by position, outputs into three; "
    "large: groups stay about equally far apart, but for three clusters of outputs."
)


def figure_7(study: Study) -> Drawn | Missing:
    """A row per initialisation; hidden activity by task, input, task by input, and output."""
    return embedded(study, swapped=False, title="Figure 7: M-PHATE of hidden activity through training.", paper=PAPER)
