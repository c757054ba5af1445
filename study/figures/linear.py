"""What the figures of the linear network (2 to 5, 11 to 14) share: the cell and the seed they show, panels, and scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from study.figures.study import Drawn, Missing, Study
from study.figures.style import BLACK, BLUE, CYCLE, ORANGE, WIDTH
from study.linear_settings import steps_of_text
from study.linear_sheets import score_text

Array = NDArray[np.float64]
Panel = Callable[[Axes, pd.Series], None]
SHOWN_EXAMPLES = 60
DASHES = ("-", "--", "-.", ":")
NEEDED = ("curve_linear_steps", "curve_linear_train", "array_inputs", "array_target", "singular_values")


@dataclass(frozen=True)
class Shown:
    """A cell of a linear study as figures show it.

    Attributes:
        rows: its networks that did not diverge. seed: the typical one, which figures of one network show.
        scores: entries of the analysis by name.
    """

    study: Study
    cell: str
    rows: pd.DataFrame
    seed: int
    diverged: int
    scores: dict[str, dict[str, Any]]

    @property
    def marks(self) -> list[int]:
        return marks_of(self.rows.iloc[0])

    @property
    def row(self) -> pd.Series:
        """The network that figures of one network show."""
        return row_of(self.rows, self.seed)

    def told(self, parts: Sequence[tuple[str, str]]) -> str:
        """Scores in words, "label value [interval]; ..."; those that the cell does not have are left out."""
        return "; ".join(f"{label} {score_text(self.scores[name])}" for label, name in parts if name in self.scores)

    @property
    def count(self) -> str:
        out = f", {self.diverged} more left out because the network diverged" if self.diverged else ""
        return f"n = {len(self.rows)} seeds of the cell {self.cell}{out}."

    def drawn(self, figure: Figure, title: str, what: str, paper: str, here: str, single: bool = True) -> Drawn:
        """A figure with the words that all of them share.

        Args:
            what: the caption's sentences on what is shown. here: medians and shares over seeds.
            single: whether the picture is of one network.
        """
        seed = f"The picture is seed {self.seed}, whose first two half-times are nearest to the medians. " if single else ""
        out = '"Out": seeds in which it is not defined or later than the last step. ' if " out" in here else ""
        caption = f"{what} {seed}{self.count} In brackets: 95 % intervals over seeds. {out}{self.study.source}"
        return Drawn(figure, title, caption, f"{title} {what} {here}", paper, here)


def shown_cell(study: Study) -> Shown | Missing:
    """The first cell of the page's linear study that has networks to show, or why there is none."""
    linear = study.linear_study
    if linear is None:
        return Missing("a figure of the linear network; none ran along with this study (linear: linear.yaml in its sweep)")
    if lacking := [name for name in NEEDED if name not in linear.rows]:
        return Missing(f"the rows of the linear network have no column {lacking[0]}")
    entries = {entry["cell"]: entry for entry in linear.analysis["cells"]}
    planned = [cell.name for cell in linear.plan.cells] if linear.plan else []
    for cell in dict.fromkeys([*planned, *entries]):
        if cell in entries and entries[cell]["seed"] is not None:
            scores = {entry["score"]: entry for entry in linear.analysis["results"] if entry["cell"] == cell}
            rows = kept_rows(linear.rows, cell)
            return Shown(linear, cell, rows, entries[cell]["seed"], entries[cell]["diverged"], scores)
    return Missing("every network of the linear study diverged")


def kept_rows(frame: pd.DataFrame, cell: str) -> pd.DataFrame:
    """The rows of a cell without diverged networks."""
    return frame[(frame["cell"] == cell) & ~frame["diverged"].astype(bool)]


def row_of(rows: pd.DataFrame, seed: int) -> pd.Series:
    return rows[rows["seed"] == seed].iloc[0]


def marks_of(row: pd.Series) -> list[int]:
    """The steps that the source study looks at."""
    return steps_of_text(row["marks"])


def matrix(row: pd.Series, name: str) -> Array:
    """A matrix that a row holds as a list."""
    return np.asarray(row[f"array_{name}"], dtype=float).reshape(-1, int(row["inputs" if name == "inputs" else "outputs"]))


def loss_panel(axis: Axes, row: pd.Series) -> None:
    axis.plot(row["curve_linear_steps"], row["curve_linear_train"], color=BLACK)
    axis.set(ylabel="loss", yscale="log")


def match_panel(axis: Axes, row: pd.Series, vector: str) -> None:
    """Cosines of a kernel's singular vector with every mode of the target over training.

    Args:
        vector: reading and rank, such as "summed_primary".
    """
    for m in range(len(row["singular_values"].split(","))):
        curve = row[f"curve_linear_{vector}_mode{m + 1}"]
        axis.plot(row["curve_linear_steps"], curve, DASHES[m % 4], color=CYCLE[m % 6], label=f"mode {m + 1}")
    axis.set(ylim=(-0.03, 1.03), ylabel="|cosine|")
    axis.legend(loc="center right", fontsize=7)


def values_panel(axis: Axes, row: pd.Series, kernel: str) -> None:
    """The first three singular values of a kernel over training, each as a share of its largest value."""
    for r in range(3):
        if (name := f"curve_linear_{kernel}_value{r + 1}") in row:
            values = np.asarray(row[name], dtype=float)
            axis.plot(row["curve_linear_steps"], values / values.max(), DASHES[r % 4], color=CYCLE[r], label=f"{r + 1}")
    axis.set_ylabel("singular value / its maximum")
    axis.legend(title="singular value", fontsize=7, title_fontsize=7)


def with_loss(row: pd.Series, panels: Sequence[Panel]) -> Figure:
    """The loss above each panel, the marks dotted."""
    width = WIDTH if len(panels) > 1 else 5.2
    figure, axes = plt.subplots(2, len(panels), figsize=(width, 4.2), sharex=True, squeeze=False, layout="constrained")
    for column, panel in enumerate(panels):
        loss_panel(axes[0, column], row)
        panel(axes[1, column], row)
        mark_steps(axes[:, column], row)
    return figure


def mark_steps(axes: Sequence[Axes], row: pd.Series) -> None:
    """Dotted lines at the marks, and what the shared axis counts."""
    for axis in axes:
        for mark in marks_of(row):
            axis.axvline(mark, color="0.4", linewidth=0.8, linestyle=":")
    axes[-1].set_xlabel("gradient step")


def projections(row: pd.Series, kernel: str, follows: bool) -> Figure:
    """Entries of a kernel's first singular vector over examples beside the projections of the inputs on a mode.

    Args:
        follows: whether the mode is that of the mark (1, 2, ...) instead of mode 1 throughout.
    """
    marks, inputs = marks_of(row), matrix(row, "inputs")
    modes = np.linalg.svd(matrix(row, "target"), full_matrices=False)[0]
    size = (max(WIDTH, 3.2 * len(marks)), 3.0)
    figure, axes = plt.subplots(1, len(marks), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for number, (axis, mark) in enumerate(zip(axes[0], marks, strict=True)):
        mode = number if follows else 0
        expected = inputs @ modes[:, mode]
        found = np.linalg.svd(inputs @ matrix(row, f"{kernel}_step{mark}"), full_matrices=False)[0][:, 0]
        expected = expected / np.linalg.norm(expected)
        cosine = float(found @ expected)
        shown = slice(0, SHOWN_EXAMPLES)
        axis.plot(expected[shown], "o", color=ORANGE, markersize=4, label=f"projection on mode {mode + 1}")
        axis.plot(found[shown] * np.sign(cosine), "x", color=BLUE, markersize=4, label="kernel's first vector")
        axis.set(title=f"step {mark}: |cosine| {abs(cosine):.3f}", xlabel="training example")
        axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.1), fontsize=7, ncols=2)
    axes[0, 0].set_ylabel("entry")
    return figure
