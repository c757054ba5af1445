"""Words in figures: names of others are shown as they are, neither as formulas nor as commands, and take no page of room."""

from __future__ import annotations

import re
from typing import Any

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import Formatter, LogFormatterMathtext, NullFormatter

from study.text import visible

LONGEST_LINE, MOST_LINES = 160, 12
_RAISED = str.maketrans("0123456789-+.", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207a\u00b7")


def plain(text: str) -> str:
    """Text for a figure: visible, and short enough not to make a picture of it larger than any page."""
    lines = visible(text, keep="\n").split("\n")
    lines = [*lines[: MOST_LINES - 1], "..."] if len(lines) > MOST_LINES else lines
    return "\n".join(line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 3]}..." for line in lines)


def unraised(formula: str) -> str:
    """A tick's formula, such as $\\mathdefault{10^{-3}}$, in plain letters."""
    text = re.sub(r"\\mathdefault|[$]", "", formula).replace(r"\times", "\u00d7")
    text = re.sub(r"\^\{([^{}]*)\}", lambda found: found[1].translate(_RAISED), text)
    return text.replace("{", "").replace("}", "")


class _PlainTicks(Formatter):
    """Labels of ticks as another formatter makes them, in plain words."""

    def __init__(self, inner: Formatter) -> None:
        self.inner = inner

    def set_axis(self, axis: Any) -> None:
        super().set_axis(axis)
        self.inner.set_axis(axis)

    def set_locs(self, locs: list[float]) -> None:
        self.inner.set_locs(locs)

    def _plain(self, text: str) -> str:
        return plain(unraised(text) if isinstance(self.inner, LogFormatterMathtext) else text)

    def __call__(self, x: float, pos: int | None = None) -> str:
        return self._plain(self.inner(x, pos))

    def format_ticks(self, values: list[float]) -> list[str]:
        return [self._plain(text) for text in self.inner.format_ticks(values)]

    def get_offset(self) -> str:
        return plain(self.inner.get_offset())


def plain_words(figure: Figure) -> None:
    """Make every word of a figure plain, those included that are written only when it is drawn."""
    for axis in figure.findobj(Axis):
        for get, put in (
            (axis.get_major_formatter, axis.set_major_formatter),
            (axis.get_minor_formatter, axis.set_minor_formatter),
        ):
            if not isinstance(get(), _PlainTicks | NullFormatter):
                put(_PlainTicks(get()))
    for text in figure.findobj(Text):
        if text.get_text() != plain(text.get_text()):
            text.set_text(plain(text.get_text()))
