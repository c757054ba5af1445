"""What a figure is drawn from, and what drawing gives."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from study.interim import interim_mark
from study.plan import Plan
from study.statistics.pairs import Pairs, make_pairs
from study.storage import Location

UNKNOWN = "unknown"


def _is_phase(phase: dict[str, Any]) -> bool:
    """Whether a row, which may be anyone's, says of a phase what we show of it."""
    counts, numbers = phase.get("task_counts"), [phase.get("steps"), phase.get("learning_rate")]
    numbers += counts if isinstance(counts, list) else [None]
    return isinstance(phase["name"], str) and all(isinstance(n, int | float) and math.isfinite(n) for n in numbers)


@dataclass(frozen=True)
class Drawn:
    """A figure and the words that belong to it.

    Attributes:
        caption: what is shown, with n, the kind of interval, sweep and commit.
        alt: for readers who do not see the figure: what it shows, and the numbers it shows.
        paper, here: what the source study states of this figure, and what these data say; or "".
    """

    figure: Figure
    title: str
    caption: str
    alt: str
    paper: str = ""
    here: str = ""


@dataclass(frozen=True)
class Missing:
    """Why a figure is not drawn."""

    reason: str


@dataclass(frozen=True)
class Study:
    """A study's folder, read.

    Attributes:
        rows: one per network, as `study.rows.read_rows` gives them.
        analysis: as `study.analysis.analyse` gives it.
        plan: None for rows made elsewhere.
        contrast: the contrast that figures of one contrast show; "" for a linear study, and where nothing is compared.
        beside: the study of linear networks that ran along with this one.
    """

    folder: Location
    rows: pd.DataFrame
    analysis: dict[str, Any]
    plan: Plan | None
    contrast: str
    beside: Study | None = None

    @property
    def is_linear(self) -> bool:
        """Whether the networks are linear: other rows, scores instead of contrasts (`study.linear_analysis`)."""
        return self.analysis.get("network") == "linear"

    @property
    def linear_study(self) -> Study | None:
        """The linear study that a report shows: this one, or the one beside it."""
        return self if self.is_linear else self.beside

    @property
    def predictor(self) -> str:
        """The column of the leading predictor: the primary comparison's, or the faithful one."""
        return str(self.analysis["leading_predictor"])

    @property
    def outcome(self) -> str:
        """The outcome of the primary comparison where there is one, else the first."""
        primary = self.analysis["primary"]
        return str(primary["outcome"] if primary else self.analysis["outcomes"][0])

    @cached_property
    def phases(self) -> list[str]:
        """Phases with results, in order."""
        return list(dict.fromkeys(result["phase"] for result in self._any_results or self._ranked))

    @cached_property
    def predictors(self) -> list[str]:
        """Predictor columns with results, in order."""
        return list(dict.fromkeys(result["predictor"] for result in self._any_results))

    @property
    def _any_results(self) -> list[dict[str, Any]]:
        """Those of contrasts, or within cells where nothing is compared."""
        return self.analysis["results"] or self.analysis.get("within", [])

    @property
    def _ranked(self) -> list[dict[str, Any]]:
        return list((self.analysis["ranking"] or {}).get("tables", []))

    @property
    def name(self) -> str:
        """The sweep's name; "unknown" for rows made elsewhere."""
        if self.plan is not None:
            return self.plan.sweep.name
        return ", ".join(self.values("sweep")) or UNKNOWN

    def values(self, column: str) -> list[str]:
        """Distinct values of a column as text; [] where the rows do not have it."""
        return [str(value) for value in self.rows[column].dropna().unique()] if column in self.rows else []

    @property
    def source(self) -> str:
        """The end of every caption: which sweep, and which commit made the rows."""
        commits = [commit[:12] + ("-dirty" if commit.endswith("-dirty") else "") for commit in self.values("commit")]
        return f"{interim_mark(self.analysis)}Sweep {self.name}, commit {', '.join(commits) or UNKNOWN}."

    def setting(self, cell: str, name: str) -> Any:
        """A setting of a cell as its rows have it; None where they do not."""
        if name not in self.rows:
            return None
        values = self.rows.loc[self.rows["cell"] == cell, name].dropna()
        return values.iloc[0] if len(values) else None

    def phase_settings(self, cell: str) -> list[dict[str, Any]]:
        """Phases of a cell with steps and learning rate; [] where the rows do not say."""
        text = self.setting(cell, "phases")
        found = list(json.loads(text)) if isinstance(text, str) else []
        return found if all(map(_is_phase, found)) else []

    def label(self, cell: str) -> str:
        """A cell's name and its initial scale."""
        scale = self.setting(cell, "init_scale")
        return f"{cell} (scale {scale:g})" if isinstance(scale, Real) else cell

    def pairs(self, contrast: str, phase: str, outcome: str, predictor: str) -> Pairs:
        """The pairs of one comparison."""
        return make_pairs(self.rows, self.analysis["contrasts"][contrast], predictor, f"loss_{phase}_{outcome}")

    def result(self, contrast: str, phase: str, outcome: str, predictor: str, statistic: str) -> dict[str, Any] | None:
        """One entry of the analysis; None where there is none."""
        return self._results.get((contrast, phase, outcome, predictor, statistic))

    @cached_property
    def _results(self) -> dict[tuple[str, ...], dict[str, Any]]:
        names = ("contrast", "phase", "outcome", "predictor", "statistic")
        return {tuple(result[name] for name in names): result for result in self.analysis["results"]}


def leading_contrast(analysis: dict[str, Any]) -> str:
    """The contrast that figures of one contrast show unless told otherwise: the primary's where it has results, else the
    first; "" where nothing is compared."""
    ranked = (analysis["ranking"] or {}).get("tables", [])  # rows of predictors without a silhouette have no other results
    compared = list(dict.fromkeys(result["contrast"] for result in analysis["results"] or ranked)) or [""]
    leading = analysis["primary"]["contrast"] if analysis["primary"] else compared[0]
    return str(leading if leading in compared else compared[0])


def short(predictor: str) -> str:
    """A predictor's name without the prefix of its column."""
    return predictor.removeprefix("silhouette_")


def folded(text: str, width: int = 32) -> str:
    """A text in lines that fit above a panel: names of grid cells are long."""
    return fill(text.replace(",", ", ").replace(",  ", ", "), width)


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names in a sentence, many of them cut."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
