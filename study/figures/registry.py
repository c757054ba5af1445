"""Every figure of a study, in the order of the report.

A figure is a function from a `Study` to a `Drawn`, or to a `Missing` that says what the folder lacks. Its name is the
function's, its module has the same name, and so have its files: `figure_10` is `study/figures/figure_10.py` and
`figures/figure_10.svg`. To add one, write the module and put its function in this list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from study.figures.figure_10 import figure_10
from study.figures.figure_17 import figure_17
from study.figures.figure_18 import figure_18
from study.figures.figure_19 import figure_19
from study.figures.forest import forest
from study.figures.predictors import predictors
from study.figures.scale_map import scale_map
from study.figures.scatter import scatter
from study.figures.shift import shift
from study.figures.study import Drawn, Missing, Study

FIGURES: tuple[Callable[[Study], Drawn | Missing], ...] = (
    scatter, shift, forest, predictors, scale_map,
    figure_10, figure_17, figure_18, figure_19,
)  # fmt: skip


def draw_all(study: Study) -> Iterator[tuple[str, Drawn | Missing]]:
    """Every figure by name, one at a time; who takes it closes it."""
    for function in FIGURES:
        yield function.__name__, function(study)
