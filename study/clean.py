"""Names and texts of others, made harmless for where they go: terminal, CSV, Markdown, file names.

Rows come from anywhere, so a cell may be called whatever a string can hold. Text that is ordinary stays as it is.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from study.text import visible

if TYPE_CHECKING:
    import pandas as pd  # a name for types here: --help need not load it

LONGEST_NAME = 100  # characters of a file's name that come from a name of others; file systems end at 255 bytes


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def csv_cell(value: object) -> object:
    """A value for a table that a spreadsheet may open: text that it would take for a formula gets a leading apostrophe."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    start = value.lstrip(" \xa0\u3000")[:1]
    # The full-width signs are signs to spreadsheets of some languages.
    formula = start in ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20") and start != ""
    return f"'{text}" if formula and not _is_number(value) else text


def csv_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts, headings too, are `csv_cell`s; numbers stay numbers. The frame itself is left alone."""
    texts = {name: frame[name].map(csv_cell) for name in frame if frame[name].dtype.kind not in "biufcmM"}
    return frame.assign(**{str(name): column for name, column in texts.items()}).rename(
        columns=lambda name: csv_cell(str(name))
    )


def markdown_text(text: str) -> str:
    """A line of Markdown in which names cannot become HTML or links; its own code and emphasis stay."""
    text = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", visible(text, keep="\n"))
    text = re.sub(r"\b(https?|ftp)(?=://)|\b(mailto|xmpp)(?=:\S)", r"\g<0>\\", text, flags=re.IGNORECASE)
    return re.sub(r"\bwww\.", r"www\\.", text.replace("](", "]\\("), flags=re.IGNORECASE)


def markdown_cell(text: str) -> str:
    """A cell of a Markdown table: no further cell, row or code can begin in it."""
    return markdown_text(visible(text)).replace("|", "\\|").replace("`", "\\`")


def file_name(text: str) -> str:
    """A name that leads nowhere else, from a name of others; names that are plain already stay as they are."""
    plain = re.sub(r"[^A-Za-z0-9_.,=+-]", "_", text)
    plain = "_" + plain[1:] if plain[:1] in ("", ".", "-") else plain
    if plain == text and 0 < len(text) <= LONGEST_NAME:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]  # two names stay two files
    return f"{plain[: LONGEST_NAME - 9]}-{digest}"
