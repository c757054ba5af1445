"""Text of others as one visible line, without secrets; nothing here takes long to import."""

from __future__ import annotations

import re

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
