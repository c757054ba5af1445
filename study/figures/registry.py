"""Every figure of a study, in the order of the report.

A figure is a function from a `Study` to a `Drawn`, or to a `Missing` that says what the folder lacks. Its name is the
function's, its module has the same name, and so have its files: `figure_10` is `study/figures/figure_10.py` and
`figures/figure_10.svg`. To add one, write the module and put its function in this list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import matplotlib.pyplot as plt

from study.figures.confirmation import confirmation
from study.figures.figure_1 import figure_1
from study.figures.figure_2 import figure_2
from study.figures.figure_3 import figure_3
from study.figures.figure_4 import figure_4
from study.figures.figure_5 import figure_5
from study.figures.figure_7 import figure_7
from study.figures.figure_8 import figure_8
from study.figures.figure_9 import figure_9
from study.figures.figure_10 import figure_10
from study.figures.figure_11 import figure_11
from study.figures.figure_12 import figure_12
from study.figures.figure_13 import figure_13
from study.figures.figure_14 import figure_14
from study.figures.figure_15 import figure_15
from study.figures.figure_16 import figure_16
from study.figures.figure_17 import figure_17
from study.figures.figure_18 import figure_18
from study.figures.figure_19 import figure_19
from study.figures.figure_20 import figure_20
from study.figures.forest import forest
from study.figures.half_times import half_times
from study.figures.init_scale_lines import init_scale_lines
from study.figures.init_scale_map import init_scale_map
from study.figures.init_scale_pairs_map import init_scale_pairs_map
from study.figures.over_time import over_time
from study.figures.pareto import pareto
from study.figures.pattern_agreement import pattern_agreement
from study.figures.predictors import predictors
from study.figures.ranking import ranking
from study.figures.scale_map import scale_map
from study.figures.scatter import scatter
from study.figures.shift import shift
from study.figures.structure import structure
from study.figures.study import Drawn, Missing, Study
from study.figures.which_seed import which_seed

FIGURES: tuple[Callable[[Study], Drawn | Missing], ...] = (
    pareto, scatter, shift, forest, predictors, which_seed, ranking, confirmation, pattern_agreement,
    init_scale_map, init_scale_pairs_map, init_scale_lines, scale_map, over_time, structure,
    figure_1, figure_2, figure_3, figure_4, figure_5,
    figure_7, figure_8, figure_9, figure_10,
    figure_11, figure_12, figure_13, figure_14, half_times,
    figure_15, figure_16, figure_17, figure_18, figure_19, figure_20,
)  # fmt: skip

# Those that compare cells: a study of a single cell, or of cells that share no seeds, has none.
COMPARING = (scatter, shift, forest, predictors, which_seed, ranking, confirmation, pattern_agreement, over_time)

# Those of a silhouette: rows of other predictors have none.
OF_SILHOUETTES = (scatter, shift, forest, predictors)

# Those of the linear network: a report of a linear study alone has no others.
LINEAR = (figure_2, figure_3, figure_4, figure_5, figure_11, figure_12, figure_13, figure_14, half_times)


def draw_all(study: Study) -> Iterator[tuple[str, Drawn | Missing]]:
    """Every figure by name, one at a time; who takes it closes it."""
    for function in LINEAR if study.is_linear else FIGURES:
        yield function.__name__, draw_one(study, function)


def draw_one(study: Study, function: Callable[[Study], Drawn | Missing]) -> Drawn | Missing:
    """One figure, or why the study has none; what an error ends half drawn is closed, and a session's own stay open."""
    if missing := why_not(study, function):
        return missing
    before = plt.get_fignums()
    try:
        return function(study)
    except BaseException:
        for number in set(plt.get_fignums()).difference(before):
            plt.close(number)
        raise


def why_not(study: Study, function: Callable[[Study], Drawn | Missing]) -> Missing | None:
    """Why a study cannot have a figure, whatever its numbers; None where it may."""
    if not study.contrast and function in COMPARING:
        return Missing("no two cells of the study are compared")
    if study.contrast and not study.predictor and function in OF_SILHOUETTES:
        return Missing("the rows hold no silhouette")
    return None
