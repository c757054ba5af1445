"""A saved SVG as a part of a page: its text can be selected, and its black and white follow the page's theme."""

from __future__ import annotations

import re
from html import escape

from markupsafe import Markup


def inline(svg: str, name: str, alt: str) -> Markup:
    """The svg element of a file, ids made the figure's own, with role and name for screen readers.

    Black becomes the page's text colour and white its background, so that a figure is as readable on a dark page.

    Raises:
        ValueError: no svg element.
    """
    start = svg.find("<svg")
    if start < 0:
        raise ValueError(f"{name}: holds no svg element")
    text = re.sub(r"<metadata>.*?</metadata>", "", svg[start:], flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(xlink:href="|url\()#', rf"\g<1>#{name}-", text)
    text = re.sub(r"#000000\b", "currentColor", text)
    text = re.sub(r"#ffffff\b", "var(--page)", text)
    opening, rest = text.split(">", 1)
    opening = re.sub(r'\s(xmlns(:\w+)?|width|height|version)="[^"]*"', "", opening)
    return Markup(f'{opening} role="img" aria-label="{escape(alt)}">{rest}')
