"""A saved SVG as a part of a page: its text can be selected, and its black and white follow the page's theme."""

from __future__ import annotations

import re
from collections import Counter
from html import escape

from markupsafe import Markup

from study.text import visible


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
    seen: Counter[str] = Counter()

    def own(found: re.Match[str]) -> str:
        # matplotlib names images by what they show, so two that show the same, such as colour bars, share a name.
        seen[found[1]] += 1
        again = f"-{seen[found[1]]}" if seen[found[1]] > 1 else ""
        return f'id="{name}-{found[1]}{again}"'

    def adapted(found: re.Match[str]) -> str:
        tag = re.sub(r'\bid="([^"]*)"', own, found[0])
        tag = re.sub(r'(xlink:href="|url\()#', rf"\g<1>#{name}-", tag)
        return re.sub(r"#ffffff\b", "var(--page)", re.sub(r"#000000\b", "currentColor", tag))

    text = re.sub(r"<[^>]*>", adapted, text)  # tags only: what stands between them is words, perhaps a name like #000000
    opening, rest = text.split(">", 1)
    opening = re.sub(r'\s(xmlns(:\w+)?|width|height|version)="[^"]*"', "", opening)
    return Markup(f'{opening} role="img" aria-label="{escape(visible(alt))}">{rest}')
