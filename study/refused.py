"""What is refused, in one line for the user. Light: the command line catches these before it imports what computes."""

from __future__ import annotations


class SweepError(ValueError):
    """A sweep that cannot be run; its text is one line for the user."""

    def __init__(self, text: str) -> None:
        super().__init__(plain_line(text))


class RowsError(ValueError):
    """Rows that cannot be used; its text is one line for the user."""

    def __init__(self, text: str) -> None:
        super().__init__(plain_line(text))


def plain_line(text: str, most: int = 500) -> str:
    """Text that may quote a foreign file as one line: no line breaks, no control characters, no end in sight cut off."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most]).split())
    return line if len(line) <= most else line[: most - 3] + "..."
