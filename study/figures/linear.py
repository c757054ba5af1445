"""The source study's figures of the linear network (2 to 5, 11 to 14), drawn from the rows of one cell.

Each takes the rows of a cell and the seed to show; lines over seeds are medians with the middle eight tenths as a band.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from study.figures.style import BLACK, BLUE, CYCLE, ORANGE

Array = NDArray[np.float64]
SHOWN_EXAMPLES = 60
DASHES = ("-", "--", "-.", ":")


def _row(rows: pd.DataFrame, seed: int) -> pd.Series:
    return rows[rows["seed"] == seed].iloc[0]


def _marks(row: pd.Series) -> list[int]:
    return [int(mark) for mark in row["marks"].split(",") if mark]


def _matrix(row: pd.Series, name: str) -> Array:
    return np.asarray(row[f"array_{name}"], dtype=float).reshape(-1, int(row["inputs" if name == "inputs" else "outputs"]))


def _mode_lines(axis: Axes, row: pd.Series, prefix: str) -> None:
    """Cosines with every mode of the target over training."""
    for m in range(len(row["singular_values"].split(","))):
        curve = row[f"curve_linear_{prefix}_mode{m + 1}"]
        axis.plot(row["curve_linear_steps"], curve, DASHES[m % 4], color=CYCLE[m % 6], label=f"mode {m + 1}")
    axis.set(ylim=(-0.03, 1.03), ylabel="|cosine|")


def _loss_panel(axis: Axes, row: pd.Series) -> None:
    axis.plot(row["curve_linear_steps"], row["curve_linear_train"], color=BLACK)
    axis.set(ylabel="loss", yscale="log")


def _dotted(axes: Sequence[Axes], row: pd.Series) -> None:
    for axis in axes:
        for mark in _marks(row):
            axis.axvline(mark, color="0.4", linewidth=0.8, linestyle=":")
    axes[-1].set_xlabel("gradient step")


def figure_2_loss(rows: pd.DataFrame, seed: int) -> Figure:
    """Tiered loss: the shown seed, and all seeds. Training and test loss are the same examples."""
    figure, axis = plt.subplots(figsize=(4.5, 2.8))
    row = _row(rows, seed)
    low, middle, high = np.quantile(np.stack(rows["curve_linear_train"].to_list()), [0.1, 0.5, 0.9], axis=0)
    axis.fill_between(row["curve_linear_steps"], low, high, color=BLUE, alpha=0.25, linewidth=0)
    axis.plot(row["curve_linear_steps"], middle, color=BLUE, label=f"median of {len(rows)} seeds")
    axis.plot(row["curve_linear_steps"], row["curve_linear_train"], "--", color=BLACK, label=f"seed {seed}")
    axis.set(yscale="log", xlabel="gradient step", ylabel="loss (train = test)")
    axis.legend()
    return figure


def _projections(rows: pd.DataFrame, seed: int, kernel: str, follows: bool) -> Figure:
    """Entries of a kernel's first singular vector over examples beside the projections of the inputs on a mode."""
    row = _row(rows, seed)
    marks, inputs = _marks(row), _matrix(row, "inputs")
    modes = np.linalg.svd(_matrix(row, "target"), full_matrices=False)[0]
    figure, axes = plt.subplots(1, len(marks), figsize=(4 * len(marks), 2.8), sharey=True, squeeze=False)
    for number, (axis, mark) in enumerate(zip(axes[0], marks, strict=True)):
        mode = number if follows else 0
        expected = inputs @ modes[:, mode]
        found = np.linalg.svd(inputs @ _matrix(row, f"{kernel}_step{mark}"), full_matrices=False)[0][:, 0]
        expected = expected / np.linalg.norm(expected)
        cosine = float(found @ expected)
        shown = slice(0, SHOWN_EXAMPLES)
        axis.plot(expected[shown], "o", color=ORANGE, markersize=4, label=f"projection on mode {mode + 1}")
        axis.plot(found[shown] * np.sign(cosine), "x", color=BLUE, markersize=4, label="kernel's first vector")
        axis.set(title=f"step {mark}: |cosine| {abs(cosine):.3f}", xlabel="training example")
    axes[0, 0].set_ylabel("entry")
    axes[0, -1].legend(loc="upper right", fontsize=7)
    return figure


def figure_3_projections(rows: pd.DataFrame, seed: int) -> Figure:
    """The eNTK's first singular vector over examples against mode 1 at the first mark, mode 2 at the second."""
    return _projections(rows, seed, "weight_change", follows=True)


def figure_4_match(rows: pd.DataFrame, seed: int) -> Figure:
    """Which mode the first and the second singular vector of the summed eNTK match over training."""
    figure, axes = plt.subplots(2, 1, figsize=(5, 4), sharex=True)
    row = _row(rows, seed)
    for axis, rank in zip(axes, ("primary", "secondary"), strict=True):
        _mode_lines(axis, row, f"summed_{rank}")
        axis.set_title(f"{rank} singular vector of the eNTK", fontsize=9)
    _dotted(axes, row)
    axes[0].legend(loc="center right", fontsize=7)
    return figure


def figure_5_loss_and_match(rows: pd.DataFrame, seed: int) -> Figure:
    """The loss above, the match of the summed eNTK's first singular vector below: switches come before drops."""
    return _with_loss(rows, seed, "summed_primary")


def _with_loss(rows: pd.DataFrame, seed: int, prefix: str) -> Figure:
    figure, axes = plt.subplots(2, 1, figsize=(5, 4), sharex=True)
    row = _row(rows, seed)
    _loss_panel(axes[0], row)
    _mode_lines(axes[1], row, prefix)
    axes[1].legend(loc="center right", fontsize=7)
    _dotted(axes, row)
    return figure


def figure_11_vector_differences(rows: pd.DataFrame, seed: int) -> Figure:
    """Absolute differences between left singular vectors of the target and of both kernels; the eNTK's are compared with
    the target's from the mode on that is being learned at the mark."""
    row = _row(rows, seed)
    marks = _marks(row)
    modes = np.linalg.svd(_matrix(row, "target"), full_matrices=False)[0][:, : len(row["singular_values"].split(","))]
    figure, axes = plt.subplots(len(marks), 2, figsize=(5.5, 2.4 * len(marks)), squeeze=False, layout="constrained")
    for number, mark in enumerate(marks):
        for axis, kernel, first in zip(axes[number], ("weight_change", "pntk"), (number, 0), strict=True):
            found = np.linalg.svd(_matrix(row, f"{kernel}_step{mark}"), full_matrices=False)[0]
            wanted = modes[:, first:]
            found = found[:, : wanted.shape[1]]
            image = axis.imshow(np.abs(wanted - found * np.sign((wanted * found).sum(axis=0))), vmin=0, vmax=1, cmap="cividis")
            axis.set_xticks(range(wanted.shape[1]), [str(first + m + 1) for m in range(wanted.shape[1])])
            axis.set(title=f"{'ePNTK' if kernel == 'pntk' else 'eNTK'}, step {mark}", yticks=range(len(wanted)))
            axis.set(xlabel="target mode", ylabel="entry")
    figure.colorbar(image, ax=axes, label="|difference|", shrink=0.7)
    return figure


def figure_12_pntk_projections(rows: pd.DataFrame, seed: int) -> Figure:
    """The same for the path-integrated kernel, which keeps mode 1 once it is learned."""
    return _projections(rows, seed, "pntk", follows=False)


def _values_with_loss(rows: pd.DataFrame, seed: int, kernel: str, count: int) -> Figure:
    """The loss above, singular values of a kernel below, each as a share of its largest value."""
    figure, axes = plt.subplots(2, 1, figsize=(5, 4), sharex=True)
    row = _row(rows, seed)
    _loss_panel(axes[0], row)
    for r in range(count):
        values = np.asarray(row[f"curve_linear_{kernel}_value{r + 1}"], dtype=float)
        axes[1].plot(row["curve_linear_steps"], values / values.max(), DASHES[r % 4], color=CYCLE[r], label=f"{r + 1}")
    axes[1].set_ylabel("singular value / its maximum")
    axes[1].legend(title="singular value", fontsize=7, title_fontsize=7)
    _dotted(axes, row)
    return figure


def figure_13_pntk_values(rows: pd.DataFrame, seed: int) -> Figure:
    """Singular values of the path-integrated kernel jump when the loss drops."""
    return _values_with_loss(rows, seed, "pntk", 3)


def figure_14_ntk_match(rows: pd.DataFrame, seed: int) -> Figure:
    """Control: the plain NTK's first singular vector stays on one mode."""
    return _with_loss(rows, seed, "ntk_primary")


def figure_14_ntk_values(rows: pd.DataFrame, seed: int) -> Figure:
    """Control: the plain NTK's first three singular values."""
    return _values_with_loss(rows, seed, "ntk", 3)


def half_times_against_theory(rows: pd.DataFrame, seed: int) -> Figure:
    """Measured half-times of every seed against the exact solution from its start."""
    figure, axis = plt.subplots(figsize=(3.4, 3.2))
    names = [name for name in rows.columns if re.fullmatch(r"score_half_time_\d+", name)]
    for m, name in enumerate(names):
        theory = rows[name.replace("half_time", "theory_half_time")]
        axis.plot(theory, rows[name], "osD^"[m % 4], color=CYCLE[m % 6], markersize=3, alpha=0.7, label=f"mode {m + 1}")
    axis.plot(axis.get_xlim(), axis.get_xlim(), color="0.4", linewidth=0.8, linestyle=":")
    axis.set(xlabel="half-time by theory (steps)", ylabel="measured (steps)")
    axis.legend()
    return figure


FIGURES: dict[str, Callable[[pd.DataFrame, int], Figure]] = {
    function.__name__: function
    for function in (
        figure_2_loss,
        figure_3_projections,
        figure_4_match,
        figure_5_loss_and_match,
        figure_11_vector_differences,
        figure_12_pntk_projections,
        figure_13_pntk_values,
        figure_14_ntk_match,
        figure_14_ntk_values,
        half_times_against_theory,
    )
}
