"""One look for all figures, safe for colour-blind readers, and how they are saved."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from study.figures.words import plain_words
from study.storage import write_bytes

# Okabe and Ito's palette.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY = "#808080"  # stands out from light and from dark pages
CYCLE = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)

WIDTH = 6.5  # inches: a page of text, and a figure that a phone can still show

STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=CYCLE),
    "axes.titlesize": "medium",
    "figure.dpi": 120,
    "svg.fonttype": "none",  # text stays text: it can be selected, searched and edited
    "svg.hashsalt": "pntk",  # the same figure gives the same file
    "legend.frameon": False,
    "text.parse_math": False,  # a cell may be called $\frac{$; what is a formula of ours says so itself
}


def use_our_style() -> None:
    """Draw as this project does from here on, whatever a matplotlibrc, a style file or a notebook has set before."""
    if matplotlib.get_backend().lower() != "agg":
        plt.switch_backend("Agg")
    matplotlib.rcdefaults()
    plt.rcParams.update(STYLE)


use_our_style()


def plain_numbers(axis: Axes) -> None:
    """Ticks at 1, 2 and 5 times powers of ten on a logarithmic y axis, written out, so that a short axis has some."""
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_locator(NullLocator())


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Save as SVG and PNG, each whole or not at all."""
    plain_words(figure)
    paths = [folder / f"{name}.svg", folder / f"{name}.png"]
    as_svg, as_png = io.BytesIO(), io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a name in letters that the font lacks is drawn as boxes
        figure.savefig(as_svg, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
        figure.set_layout_engine("none")  # what the first drawing arranged is kept, in half the time
        figure.savefig(as_png, format="png", bbox_inches="tight", dpi=200)
    for path, sink in zip(paths, (as_svg, as_png), strict=True):
        write_bytes(path, sink.getbuffer())
    close(figure)
    return paths


def close(figure: Figure) -> None:
    """Forget a figure: pyplot keeps those that are open."""
    plt.close(figure)
