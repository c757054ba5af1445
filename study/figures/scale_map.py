"""Condition level: mean silhouette and mean final loss over initial scale and one other axis at a time."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from study.figures.init_scale_map import value_text
from study.figures.study import Drawn, Missing, Study, folded, listed, short
from study.figures.style import WIDTH
from study.maps import AXES, MANNER, REFERENCE, SCALE
from study.statistics.intervals import FEWEST_PAIRS
from study.sweep import Settings

MOST_ROWS = 6
Part = tuple[str, str, pd.DataFrame]  # an axis, what else marks the cells, their rows


def _parts(study: Study) -> list[Part]:
    """Rows that differ in nothing but scale and one axis, by axis and by what makes them differ from others; maps of 2 x 2
    or more."""
    rows = study.rows
    if "diverged" in rows:
        rows = rows[~rows["diverged"].astype("boolean").fillna(False).astype(bool)]
    varied = [name for name in Settings.model_fields if name in rows and name not in MANNER and rows[name].nunique() > 1]
    found: list[Part] = []
    for axis in (name for name in AXES if name in rows):
        fields = [name for name in varied if name not in (SCALE, axis)]
        groups = rows.groupby(fields, sort=False, dropna=False) if fields else [((), rows)]
        here = [(", ".join(map(str, key)), _unscaled(part, axis)) for key, part in groups if _crossed(part, axis)]
        found += [(axis, name if len(here) > 1 else "", part) for name, part in here]
    return found


def _unscaled(part: pd.DataFrame, axis: str) -> pd.DataFrame:
    """Where layers are the axis: networks at scale 1 are the same whichever layers are scaled, so all values have them."""
    if axis != "scaled_layers":
        return part
    known = part[part[SCALE] == REFERENCE].drop_duplicates(["seed", "data_seed"])
    copies = [known.assign(scaled_layers=layers) for layers in part[axis].unique()]
    return pd.concat([part[part[SCALE] != REFERENCE], *copies])


def _crossed(part: pd.DataFrame, axis: str) -> bool:
    """Whether at least one scale was run at two values of the axis and one value at two scales."""
    cells = part[[SCALE, axis]].drop_duplicates()
    return all(cells[name].duplicated().any() for name in (SCALE, axis))


def _map(
    axis: Axes, part: pd.DataFrame, name: str, value: Callable[[pd.DataFrame], float], colours: str, centre: bool
) -> list[float]:
    """One heat map, its numbers written in; returns them."""
    scales = sorted(part[SCALE].unique())
    others = list(part[name].unique()) if isinstance(part[name].iloc[0], str) else sorted(part[name].unique())
    cells = {key: value(group) for key, group in part.groupby([SCALE, name])}
    numbers = np.array([[cells.get((scale, other), np.nan) for scale in scales] for other in others])
    reach = np.nanmax(np.abs(numbers)) if np.isfinite(numbers).any() else 1.0
    low, high = (-reach, reach) if centre else (None, None)
    image = axis.pcolormesh(range(len(scales)), range(len(others)), numbers, cmap=colours, vmin=low, vmax=high)
    for (row, column), number in np.ndenumerate(numbers):
        red, green, blue, _ = image.cmap(image.norm(number)) if np.isfinite(number) else (1, 1, 1, 1)
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        text = f"{number:.2f}" if np.isfinite(number) else "none"
        axis.text(column, row, text, ha="center", va="center", fontsize=6.5, color="#fefefe" if dark else "#010101")
    axis.set_xticks(range(len(scales)), [f"{scale:g}" for scale in scales])
    axis.set_yticks(range(len(others)), [value_text(other) for other in others], fontsize="small")
    axis.set_ylim(len(others) - 0.5, -0.5)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    return [float(number) for number in numbers[np.isfinite(numbers)]]


def _correlation(part: pd.DataFrame, predictor: str, loss: str) -> float:
    kept = part[[predictor, loss]].astype(float).replace([np.inf, -np.inf], np.nan).dropna()
    constant = len(kept) < FEWEST_PAIRS or (kept.max() - kept.min()).le(1e-12).any()
    return float("nan") if constant else float(np.corrcoef(kept[predictor], kept[loss])[0, 1])


def scale_map(study: Study) -> Drawn | Missing:
    """Mean silhouette and mean log10 final loss for every scale and value of an axis; their correlation over seeds too
    where no map with intervals (`init_scale_map`) shows it."""
    if SCALE not in study.rows:
        return Missing("the rows do not say their initial scale")
    parts = _parts(study)
    if not parts:
        return Missing("needs two initial scales and two values of one other axis that differ in nothing else")
    predictor, loss = study.predictor, f"loss_{study.phases[-1]}_{study.outcome}"
    kinds: dict[str, tuple[Callable[[pd.DataFrame], float], str, bool]] = {
        f"mean silhouette ({short(predictor)})": (lambda part: float(part[predictor].mean()), "viridis", False),
        f"mean log10 {loss}": (lambda part: float(np.log10(part[loss].where(part[loss] > 0)).mean()), "cividis", False),
    }
    if not study.analysis.get("maps"):
        kinds["r over seeds of the two"] = (lambda part: _correlation(part, predictor, loss), "RdBu_r", True)
    shown = parts[:MOST_ROWS]
    heights = [part[axis].nunique() for axis, _, part in shown]
    figure, axes = plt.subplots(
        len(shown), len(kinds), figsize=(WIDTH, 0.3 * sum(heights) + 0.5 * len(shown) + 0.4), sharey="row", squeeze=False,
        layout="constrained", gridspec_kw={"height_ratios": heights},
    )  # fmt: skip
    texts = []
    for place, (row, (name, other, part)) in enumerate(zip(axes, shown, strict=True)):
        for axis, (title, (value, colours, centre)) in zip(row, kinds.items(), strict=True):
            numbers = _map(axis, part, name, value, colours, centre)
            heading = f"{folded(other)}\n" if other and axis is row[0] else ""
            axis.set_title(f"{heading}{title if place == 0 else ''}".strip(), fontsize="small")
            where = f"{name}{f' ({other})' if other else ''}, {title}"
            texts.append(f"{where}: {min(numbers):.2g} to {max(numbers):.2g}" if numbers else f"{where}: none")
        row[0].set_ylabel(name.replace("_", " "), fontsize="small")
    figure.supxlabel("initial scale", fontsize="medium")
    sizes = {size for axis, _, part in shown for size in part.groupby([SCALE, axis]).size()}
    size = " to ".join(f"{number}" for number in sorted({min(sizes), max(sizes)}))
    left = [f"{axis} ({other})" for axis, other, _ in parts[MOST_ROWS:]]
    title = "Initial scale by every other axis, condition level."
    without = f"r over seeds is Pearson's within the cell, needs {FEWEST_PAIRS} networks, and has no interval here. "
    caption = (
        f"Each square is a cell of {size} networks, those that diverged left out. "
        f"{without if len(kinds) == 3 else ''}{f'Not shown: {listed(left)}. ' if left else ''}{study.source}"
    )
    return Drawn(figure, title, caption, f"{title} {'; '.join(texts)}.")
