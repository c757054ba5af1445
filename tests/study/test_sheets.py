"""A table fits its terminal, whatever the width, and no number of it is ever cut."""

from __future__ import annotations

import re
from collections import Counter
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study.analysis import analyse
from study.answer import verdicts_of
from study.compact import compact_sheet
from study.console import PIPED, CleanConsole, make_console
from study.contrasts import Contrast
from study.linear_sheets import linear_sheets
from study.output import print_answer, print_tables
from study.ranking_sheets import ranking_sheets
from study.sheets import Sheet, print_sheet
from study.tables import cell_sheet, sheets, variance_sheet, verdict_sheet
from study.within_cells import within_sheet

NUMBER = re.compile(r"-?[\d.,]*\d[\d.,]*(?:e[-+]\d+)?")


def printed(sheet: Sheet, width: int) -> str:
    console = CleanConsole(width=width, file=StringIO())
    print_sheet(console, sheet)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def crossed() -> pd.DataFrame:
    """Two cells with predictors, five weights on five data sets."""
    generator = np.random.default_rng(0)
    seeds, data = (part.ravel() for part in np.meshgrid(np.arange(5), np.arange(5)))
    frame = pd.DataFrame(
        {"cell": np.repeat(["standard", "large"], 25), "seed": np.tile(seeds, 2), "data_seed": np.tile(data, 2)}
    )
    names = ["silhouette_eig", "silhouette_svd_right_scaled", "predictor_multi_trace", "predictor_multi_alignment"]
    names += [f"loss_{phase}_{split}" for phase in ("single", "multi") for split in ("test", "unseen")]
    return frame.assign(**{name: generator.lognormal(size=50) * 10.0 ** generator.integers(-4, 3) for name in names})


@pytest.fixture(scope="module")
def analysis() -> dict[str, Any]:
    contrasts = (Contrast("init", (("standard", "large"),), {}, expect={"silhouette": "higher", "multi": "higher"}),)
    return analyse(crossed(), contrasts, resamples=200, permutation_count=200)


@pytest.fixture(scope="module")
def every_kind(analysis: dict[str, Any]) -> list[Sheet]:
    alone = analyse(crossed()[lambda f: f["cell"] == "large"], (), resamples=50, permutation_count=50)
    scores = [
        {"cell": "source", "score": name, "mode": mode, "value": 123.4, "low": -0.0123, "high": 9876.5, "left_out": 2}
        for mode in (1, 2, 3)
        for name in (
            f"half_time_{mode}",
            f"theory_half_time_{mode}",
            f"lead_summed_step{mode}90",
            f"most_summed_plateau{mode}_q25",
        )
    ]
    linear = {"cells": [{"cell": "source", "networks": 20, "diverged": 0}], "results": scores}
    optional = [verdict_sheet(analysis), variance_sheet(analysis), compact_sheet(analysis), within_sheet(alone, "test")]
    optional += [compact_sheet(alone)]
    points = Sheet("Points", [f"axis_{n}" for n in range(12)], [[f"{n}.{k:06d}" for n in range(12)] for k in range(4)], 4)
    found = [cell_sheet(analysis), *sheets(analysis, "test", everything=True), *linear_sheets(linear), points]
    return [*found, *(s for s in optional if s), *ranking_sheets(analysis, everything=True)]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_every_kind_of_table_fits_and_keeps_its_numbers_whole(every_kind: list[Sheet], width: int) -> None:
    assert len(every_kind) >= 14
    for sheet in every_kind:
        text = printed(sheet, width)
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= width, sheet.title
        wanted = Counter(n for row in sheet.rows for cell in row for n in NUMBER.findall(cell))
        there = Counter(n.rstrip(".,") for n in NUMBER.findall(text.replace(sheet.title, "")))
        lacking = {n: count for n, count in wanted.items() if there[n.rstrip(".,")] < count}
        assert not lacking, (sheet.title, width, text)


def test_a_wide_terminal_has_a_line_for_a_row_and_a_narrow_one_says_the_heading_of_each_number(
    analysis: dict[str, Any],
) -> None:
    sheet = cell_sheet(analysis)
    wide = printed(sheet, 300).splitlines()
    assert any(all(cell in line for cell in sheet.rows[0]) for line in wide)
    narrow = " ".join(printed(sheet, 60).split())
    for heading, cell in zip(sheet.headings[1:], sheet.rows[0][1:], strict=True):
        assert f"{heading} = {cell}" in narrow


def test_words_longer_than_the_terminal_are_folded_and_not_lost() -> None:
    name = "n" * 150
    text = printed(Sheet("t", ["cell", "value"], [[name, "1.5"]]), 80)
    assert text.count("n") == 150
    assert "1.5" in text


def test_equal_verdicts_are_one_row_and_none_is_lost(analysis: dict[str, Any]) -> None:
    names = ("one", "two", "three", "four")
    contrasts = tuple(Contrast(name, (("standard", "large"),), {}) for name in names)
    many = analyse(crossed(), contrasts, resamples=100, permutation_count=100)
    sheet = compact_sheet(many)
    assert sheet is not None
    verdicts = verdicts_of(many)
    assert len(sheet.rows) < len(verdicts) == 4 * 5
    assert f"All {len(verdicts)} verdicts" in sheet.title
    assert all(row[4].startswith("all 4 contrasts") for row in sheet.rows)
    (r,) = (v for v in analysis["verdicts"] if v["about"] == "single loss" and v["outcome"] == "test")
    alone = compact_sheet(analysis | {"verdicts": [r]})
    assert alone is not None
    assert alone.rows[0][3].endswith(f"[{r['centred_low']:z.2f}, {r['centred_high']:z.2f}]")


def test_piped_output_is_as_wide_as_a_terminal_of_old_unless_more_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert make_console().width == PIPED == 80
    monkeypatch.setenv("COLUMNS", "132")
    assert make_console().width == 132


def test_the_answer_is_the_end_and_tables_are_before_it(analysis: dict[str, Any]) -> None:
    from study.answer import NOWHERE, answer

    console = CleanConsole(width=80, file=StringIO())
    print_tables(console, analysis)
    before = len(console.file.getvalue())  # type: ignore[attr-defined]
    print_answer(console, analysis, NOWHERE, compact=True)
    lines = console.file.getvalue()[before:].splitlines()  # type: ignore[attr-defined]
    assert lines[1 : 1 + len(answer(analysis))] == list(answer(analysis))
    assert len(lines) <= 24
