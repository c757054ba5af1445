"""A table as data: headings and rows of text, printed to a terminal or as Markdown.

Printed, a table fits its terminal whatever the width: side by side where there is room; where there is not, with text broken
between words, or each row as a paragraph of `heading value` pairs, whichever takes fewer lines. No number is ever cut.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from study.clean import markdown_cell, markdown_text
from study.text import visible

BETWEEN = 3  # characters between two columns
MOST_NAMES = 3  # columns of text that name a row; further ones are said with their headings
TABLE_WORTH = 2  # a table may be so many times as long as paragraphs: it is easier to read
UNIT = re.compile(r"\[[^\]]*\]\S*|\S+")  # a word, or an interval, which stays on one line


@dataclass(frozen=True)
class Sheet:
    """A titled table.

    Attributes:
        left: how many columns from the left hold text; the others are aligned to the right.
        sections: rows above which a line is drawn.
        strong: rows that stand out.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    sections: frozenset[int] = frozenset()
    strong: frozenset[int] = frozenset()


def print_sheet(console: Console, sheet: Sheet) -> None:
    """Print to a terminal of any width."""
    shown = _visible(sheet)
    widths = _widths(shown, console.width)
    if widths is not None and widths == _natural(shown):
        console.print(_table(shown, widths))
        return
    paragraphs = [Text(shown.title, "table.title"), *_paragraphs(shown, console.width), Text("")]
    if widths is not None:
        table = _table(shown, widths)
        if len(console.render_lines(table)) <= TABLE_WORTH * len(paragraphs):
            console.print(table)
            return
    console.print(Text("\n").join(paragraphs), overflow="fold")


def _visible(sheet: Sheet) -> Sheet:
    rows = [[visible(cell) for cell in row] for row in sheet.rows]
    return replace(sheet, title=visible(sheet.title), headings=list(map(visible, sheet.headings)), rows=rows)


def _columns(sheet: Sheet) -> list[list[str]]:
    return [[heading, *(row[place] for row in sheet.rows)] for place, heading in enumerate(sheet.headings)]


def _natural(sheet: Sheet) -> list[int]:
    """How wide columns are if nothing is broken."""
    return [max(map(cell_len, texts)) for texts in _columns(sheet)]


def _widths(sheet: Sheet, most: int) -> list[int] | None:
    """How wide columns are so that all fit into `most` characters with text broken between words only; None where they cannot.

    Room beyond the longest words goes to where most is broken.
    """
    natural = _natural(sheet)
    widths = [max((cell_len(unit) for text in texts for unit in UNIT.findall(text)), default=0) for texts in _columns(sheet)]
    room = most - 1 - BETWEEN * len(widths) - sum(widths)
    if room < 0:
        return None
    while room and widths != natural:
        place = max(range(len(widths)), key=lambda p: natural[p] / max(widths[p], 1) if widths[p] < natural[p] else 0)
        widths[place] += 1
        room -= 1
    return widths


def _table(sheet: Sheet, widths: Sequence[int]) -> Table:
    table = Table(title=Text(sheet.title, "table.title"), box=box.SIMPLE_HEAD, title_justify="left")

    def broken(text: str, width: int) -> Text:
        return Text(text if cell_len(text) <= width else "\n".join(_filled([text], width)))

    for number, (heading, width) in enumerate(zip(sheet.headings, widths, strict=True)):
        table.add_column(broken(heading, width), justify="left" if number < sheet.left else "right", width=max(width, 1))
    for number, row in enumerate(sheet.rows):
        if number in sheet.sections:
            table.add_section()
        table.add_row(*map(broken, row, widths), style="bold" if number in sheet.strong else None)
    return table


def _paragraphs(sheet: Sheet, most: int) -> list[Text]:
    """Every row as what names it, then `heading = value` pairs, broken between pairs; what is empty is left out."""
    lines: list[Text] = []
    named = min(sheet.left, MOST_NAMES)
    above: list[str] = [""] * named
    for number, row in enumerate(sheet.rows):
        above = [name or (before if row[0] == "" else "") for name, before in zip(row[:named], above, strict=True)]
        pairs = [(heading, value) for heading, value in zip(sheet.headings[named:], row[named:], strict=True)]
        told = [f"{heading} = {value}" if heading else value for heading, value in pairs if value not in ("", "-")]
        names = ", ".join(name for name in above if name not in ("", "-"))
        if number in sheet.sections:
            lines.append(Text(""))
        style = "bold" if number in sheet.strong else ""
        lines += [Text(line, style) for line in _filled([*([names] if names else []), *told], most, " ", "    ")]
    return lines


def _filled(parts: Sequence[str], most: int, first: str = "", further: str = "") -> list[str]:
    """Parts with `; ` between, broken between parts where one fits on a line, else between words and intervals.

    Args:
        first, further: what the first line and the others begin with.
    """
    lines, line = [], first
    for place, part in enumerate(parts):
        text = part + (";" if place + 1 < len(parts) else "")
        begun = line not in (first, further)
        whole = cell_len(line) + begun + cell_len(text) <= most or cell_len(further) + cell_len(text) <= most
        for unit in [text] if whole else UNIT.findall(text):
            begun = line not in (first, further)
            if begun and cell_len(line) + 1 + cell_len(unit) > most:
                lines.append(line)
                line, begun = further, False
            line += f" {unit}" if begun else unit
    return [*lines, line]


def markdown(sheet: Sheet) -> str:
    """The table as Markdown, its title above it."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(map(markdown_cell, cells)) + " |"

    rule = ["---" if number < sheet.left else "---:" for number in range(len(sheet.headings))]
    rows = [[f"**{c}**" if c and number in sheet.strong else c for c in row] for number, row in enumerate(sheet.rows)]
    title = markdown_text(visible(sheet.title))
    return "\n".join([f"**{title}**", "", line(sheet.headings), line(rule), *map(line, rows)]) + "\n"
