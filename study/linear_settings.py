"""What a cell of a sweep of the linear network may say (`network: linear`)."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, Literal

from pydantic import Field, model_validator

from study.sweep import Positive, Seeds, Strict


def number_text(number: float) -> str:
    """A number as short as it can be read back: `:g` where that loses nothing."""
    short = f"{number:g}"
    return str(number) if isinstance(number, int) or float(short) != number else short


def steps_of_text(text: str) -> list[int]:
    """Steps from the text of a row, those parts that are one; rows made before have 1000000 as 1e+06."""
    return [int(float(step)) for step in text.split(",") if re.fullmatch(r"\d{1,9}|\d(\.\d+)?e\+0?\d", step)]


class LinearSettings(Strict):
    """Everything that makes a cell; the defaults are the source study's."""

    learning_rate: Positive = 0.2
    steps: int = Field(default=2500, ge=1, le=1_000_000)
    inputs: int = Field(default=4, ge=1, le=64)
    hidden: int = Field(default=3, ge=1, le=64)
    outputs: int = Field(default=5, ge=1, le=64)
    examples: int = Field(default=250, ge=2, le=100_000)
    singular_values: tuple[Positive, ...] = Field(default=(90.0, 24.0, 7.0, 1.0), min_length=1)
    whitening: Literal["total", "per_example"] = "total"  # X'X = I, or X'X = N I
    weights: Literal["torch", "normal"] = "torch"  # times init_scale: torch.nn.Linear's default, or standard normal
    init_scale: Positive = 0.1
    start: Literal["drawn", "aligned"] = "drawn"  # aligned with the target's singular vectors, as the exact solution needs
    record_every: int = Field(default=5, ge=1)
    marks: tuple[int, ...] = Field(
        default=(190, 770), min_length=1
    )  # steps that the source study looks at: modes 1, 2, ... are expected to lead there

    @model_validator(mode="after")
    def _possible(self) -> LinearSettings:
        most = min(self.inputs, self.outputs)
        values = self.singular_values
        if len(values) > most:
            raise ValueError(f"singular_values: {len(values)} given, at most min(inputs, outputs) = {most}")
        if any(second >= first for first, second in pairwise(values)):
            raise ValueError(f"singular_values = {list(values)}: must fall from one to the next")
        if self.examples < self.inputs:
            raise ValueError(f"examples = {self.examples}: must be at least inputs ({self.inputs}) to be whitened")
        if self.record_every > self.steps:
            raise ValueError(f"record_every = {self.record_every}: must be at most steps ({self.steps})")
        if any(not 0 <= mark <= self.steps for mark in self.marks) or len(self.marks) > len(values):
            raise ValueError(f"marks = {list(self.marks)}: at most one per singular value, each from 0 to steps ({self.steps})")
        if list(self.marks) != sorted(set(self.marks)):
            raise ValueError(f"marks = {list(self.marks)}: must rise from one to the next")
        return self

    @property
    def learnable(self) -> int:
        """How many modes a bottleneck of this width can learn."""
        return min(self.hidden, len(self.singular_values))


def values_in_rows(settings: LinearSettings) -> dict[str, Any]:
    """Settings as every row has them: lists are text."""
    found = settings.model_dump()
    return found | {name: ",".join(map(number_text, found[name])) for name in ("singular_values", "marks")}


class LinearCellSpec(LinearSettings):
    seeds: Seeds | None = None  # the sweep's seeds unless given
