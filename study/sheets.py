"""A table as data: headings and rows of text, printed to a terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from study.clean import markdown_cell, markdown_text
from study.text import visible


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
    """Print to a terminal."""
    table = Table(title=Text(visible(sheet.title), "table.title"), box=box.SIMPLE_HEAD, title_justify="left")
    for number, heading in enumerate(sheet.headings):
        table.add_column(Text(visible(heading)), justify="left" if number < sheet.left else "right")
    for number, row in enumerate(sheet.rows):
        if number in sheet.sections:
            table.add_section()
        table.add_row(*(Text(visible(cell)) for cell in row), style="bold" if number in sheet.strong else None)
    console.print(table)


def markdown(sheet: Sheet) -> str:
    """The table as Markdown, its title above it."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(map(markdown_cell, cells)) + " |"

    rule = ["---" if number < sheet.left else "---:" for number in range(len(sheet.headings))]
    rows = [[f"**{c}**" if c and number in sheet.strong else c for c in row] for number, row in enumerate(sheet.rows)]
    title = markdown_text(visible(sheet.title))
    return "\n".join([f"**{title}**", "", line(sheet.headings), line(rule), *map(line, rows)]) + "\n"
