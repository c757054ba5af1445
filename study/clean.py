"""Names and texts of others, made harmless for where they go: terminal, CSV, Markdown, file names.

Rows come from anywhere, so a cell may be called whatever a string can hold. Text that is ordinary stays as it is.
"""

from __future__ import annotations

import hashlib
import re

import pandas as pd

LONGEST_NAME = 100  # characters of a file's name that come from a name of others; file systems end at 255 bytes

_SECRET_HOST = re.compile(r"(\w://)[^/\s@]*@")  # user:password@
_SECRET_OPTION = re.compile(r"([?&;][\w.-]*(?:secret|password|passwd|token|key)[\w.-]*=)[^&\s'\"]*", re.IGNORECASE)


def visible(text: str, keep: str = "") -> str:
    """The text with everything that steers a terminal or hides (ESC, line breaks, U+202E, lone surrogates) spelled out.

    Args:
        keep: characters that stay as they are, such as a line break.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep or c == "\xa0" else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str, most: int = 2000) -> str:
    """A text, such as that of an exception, as one visible line; line breaks become spaces."""
    line = visible(re.sub(r"\s*[\r\n]\s*", " ", text.strip()))
    return line if len(line) <= most else line[: most - 3] + "..."


def without_secrets(text: str) -> str:
    """The text without passwords and keys of the URIs in it."""
    return _SECRET_OPTION.sub(r"\1...", _SECRET_HOST.sub(r"\1...@", text))


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
    text = re.sub(r"\b(https?|ftp|mailto|javascript|data):", r"\1\\:", text, flags=re.IGNORECASE)
    return re.sub(r"\bwww\.", r"www\\.", text.replace("](", "]\\("), flags=re.IGNORECASE)


def markdown_cell(text: str) -> str:
    """A cell of a Markdown table: no further cell, row or code can begin in it."""
    return markdown_text(visible(text)).replace("|", "\\|").replace("`", "\\`")


def file_name(text: str) -> str:
    """A name that leads nowhere else, from a name of others; names that are plain already stay as they are."""
    plain = re.sub(r"[^A-Za-z0-9_.,=+-]", "_", text)
    plain = "_" + plain[1:] if plain[:1] in (".", "-") else plain
    if plain == text and 0 < len(text) <= LONGEST_NAME:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]  # two names stay two files
    return f"{plain[: LONGEST_NAME - 9]}-{digest}"
