"""Maps over initial scale and learning rate: the measure, the final loss, and whether one predicts the other."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from study.figures.study import Drawn, Missing, Study, listed, short
from study.figures.style import WIDTH
from study.statistics.intervals import FEWEST_PAIRS
from study.sweep import Settings

MOST_COLUMNS = 3
AXES = ("init_scale", "learning_rate")


def _groups(study: Study) -> dict[str, pd.DataFrame]:
    """Rows that differ in nothing but scale and rate, by what makes them differ from other groups; maps of 2 x 2 or more."""
    rows = study.rows
    if "diverged" in rows:
        rows = rows[~rows["diverged"].astype("boolean").fillna(False).astype(bool)]
    fields = [name for name in Settings.model_fields if name not in AXES and name in rows and rows[name].nunique() > 1]
    parts = {"all cells": rows}
    if fields:
        parts = {", ".join(map(str, key)): part for key, part in rows.groupby(fields, sort=False, dropna=False)}
    return {name: part for name, part in parts.items() if _crossed(part)}


def _crossed(part: pd.DataFrame) -> bool:
    """Whether at least one scale was run at two rates and one rate at two scales."""
    cells = part[list(AXES)].drop_duplicates()
    return all(cells[axis].duplicated().any() for axis in AXES)


def _map(axis: Axes, part: pd.DataFrame, value: Callable[[pd.DataFrame], float], colours: str, centre: bool) -> list[float]:
    """One heat map, its numbers written in; returns them."""
    scales, rates = (sorted(part[name].unique()) for name in AXES)
    cells = {key: value(group) for key, group in part.groupby(list(AXES))}
    numbers = np.array([[cells.get((scale, rate), np.nan) for scale in scales] for rate in rates])
    reach = np.nanmax(np.abs(numbers)) if np.isfinite(numbers).any() else 1.0
    low, high = (-reach, reach) if centre else (None, None)
    image = axis.pcolormesh(range(len(scales)), range(len(rates)), numbers, cmap=colours, vmin=low, vmax=high)
    for (row, column), number in np.ndenumerate(numbers):
        red, green, blue, _ = image.cmap(image.norm(number)) if np.isfinite(number) else (1, 1, 1, 1)
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        text = f"{number:.2f}" if np.isfinite(number) else "none"
        axis.text(column, row, text, ha="center", va="center", fontsize=7, color="#fefefe" if dark else "#010101")
    axis.set_xticks(range(len(scales)), [f"{scale:g}" for scale in scales])
    axis.set_yticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    return [float(number) for number in numbers[np.isfinite(numbers)]]


def scale_map(study: Study) -> Drawn | Missing:
    """Mean silhouette, mean log10 final loss, and their correlation over seeds, for every scale and rate."""
    if any(name not in study.rows for name in AXES):
        return Missing("the rows do not say their initial scale and learning rate")
    groups = _groups(study)
    if not groups:
        return Missing("needs two initial scales and two learning rates that differ in nothing else")
    predictor, loss = study.predictor, f"loss_{study.phases[-1]}_{study.outcome}"

    def correlation(part: pd.DataFrame) -> float:
        kept = part[[predictor, loss]].astype(float).replace([np.inf, -np.inf], np.nan).dropna()
        constant = len(kept) < FEWEST_PAIRS or (kept.max() - kept.min()).le(1e-12).any()
        return float("nan") if constant else float(np.corrcoef(kept[predictor], kept[loss])[0, 1])

    kinds: dict[str, tuple[Callable[[pd.DataFrame], float], str, bool]] = {
        f"mean silhouette ({short(predictor)})": (lambda part: float(part[predictor].mean()), "viridis", False),
        f"mean log10 {loss}": (lambda part: float(np.log10(part[loss].where(part[loss] > 0)).mean()), "cividis", False),
        "r over seeds of the two": (correlation, "RdBu_r", True),
    }
    shown = list(groups.items())[:MOST_COLUMNS]
    figure, axes = plt.subplots(
        len(kinds), len(shown), figsize=(WIDTH, 2 * len(kinds)), sharex=True, squeeze=False, layout="constrained"
    )
    texts = []
    for row, (title, (value, colours, centre)) in zip(axes, kinds.items(), strict=True):
        for axis, (name, part) in zip(row, shown, strict=True):
            numbers = _map(axis, part, value, colours, centre)
            axis.set_title(f"{name}\n{title}" if row is axes[0] else title, fontsize="small")
            texts.append(f"{name}, {title}: {min(numbers):.2g} to {max(numbers):.2g}" if numbers else f"{name}, {title}: none")
        row[0].set_ylabel("learning rate")
    for axis in axes[-1]:
        axis.set_xlabel("initial scale")
    sizes = study.rows.groupby("cell").size()
    left = list(groups)[MOST_COLUMNS:]
    title = "Initial scale by learning rate."
    caption = (
        f"Each square is a cell of {sizes.min()} to {sizes.max()} networks, those that diverged left out; r over seeds is "
        f"Pearson's within the cell, needs {FEWEST_PAIRS} networks, and has no interval here (the tables give intervals of "
        f"declared contrasts). {f'Not shown: {listed(left)}. ' if left else ''}{study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {'; '.join(texts)}.")
