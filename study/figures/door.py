"""A figure by name, for `study.door`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from study.figures.registry import FIGURES, LINEAR, draw_one
from study.figures.study import Missing, Study, leading_contrast
from study.figures.style import close, use_our_style
from study.figures.words import plain_words
from study.meant import did_you_mean
from study.report.read import with_linear
from study.text import one_line

if TYPE_CHECKING:
    from study.door import Study as Door

NO_FOLDER = Path(os.devnull)  # of rows that lie in no folder: nothing is below it


def draw(door: Door, name: str, contrast: str | None) -> Figure:
    """The figure, closed for pyplot, which would show it a second time.

    Raises:
        ValueError: no such figure or contrast, or the study lacks what it is drawn from; in one line.
    """
    is_linear = door.analysis.get("network") == "linear"
    functions = {function.__name__: function for function in (LINEAR if is_linear else FIGURES)}
    if name not in functions:
        raise _problem(f"figure {name!r}: unknown{did_you_mean(name, functions)}; allowed: {', '.join(functions)}")
    analysis = dict(door.analysis)
    compared = list(analysis.get("contrasts", []))
    if contrast is not None and contrast not in compared:
        raise _problem(
            f"contrast {contrast!r}: unknown{did_you_mean(contrast, compared)}; allowed: {', '.join(compared) or 'none'}"
        )
    shown = "" if is_linear else contrast or leading_contrast(analysis)
    study = Study(door.folder or NO_FOLDER, door.rows, analysis, door.plan, shown)
    if door.folder is not None:
        study = with_linear(study, door.folder)
    use_our_style()
    drawn = draw_one(study, functions[name])
    if isinstance(drawn, Missing):
        raise _problem(f"figure {name!r}: not drawn, because {drawn.reason}")
    plain_words(drawn.figure)
    close(drawn.figure)
    return drawn.figure


def _problem(text: str) -> ValueError:
    return ValueError(one_line(text))
