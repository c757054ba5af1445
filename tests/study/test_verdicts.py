"""Verdicts: two questions, by what a contrast expects; and how counts and correlations are printed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from study.analysis import analyse
from study.contrasts import Contrast
from study.figures.curves import PairCurves, lead
from study.statistics.counts import count_of, wilson
from study.statistics.intervals import Estimate
from study.statistics.verdicts import EXCLUDED, NOT_SHOWN, SHOWN, Finding, conditions_differ, judge, predicts_seeds
from study.tables import number, rules, sentence, verdict_sheet, verdict_texts


def estimate(value: float, half: float, p: float = 0.01) -> Estimate:
    return Estimate(value, value - half, value + half, 50, 50, "m", p, "p")


def test_verdicts_follow_their_rules() -> None:
    yes, no, unclear, lucky = estimate(1, 0.5), estimate(-1, 0.5), estimate(0.1, 0.5, 0.7), estimate(1, 0.5, p=0.06)
    assert [conditions_differ(e) for e in (yes, no, unclear, lucky)] == [Finding(SHOWN)] * 2 + [Finding(NOT_SHOWN)] * 2
    assert conditions_differ(no, -1) == conditions_differ(yes, 1) == Finding(SHOWN, True)
    assert conditions_differ(no, 1) == Finding(SHOWN, False)
    strong, weak, wide = estimate(0.5, 0.1), estimate(0.0, 0.1, 0.9), estimate(0.1, 0.5, 0.7)
    lower = estimate(-0.3, 0.4, 0.2)
    assert [predicts_seeds(e).found for e in (strong, weak, wide, lower)] == [SHOWN, EXCLUDED, NOT_SHOWN, NOT_SHOWN]
    assert predicts_seeds(lower, 1) == Finding(EXCLUDED)  # no .3 on the expected side
    assert predicts_seeds(lower, -1) == Finding(NOT_SHOWN)
    assert [predicts_seeds(strong, sign).as_expected for sign in (1, -1, 0)] == [True, False, None]
    assert predicts_seeds(estimate(0.5, 0.1, p=0.2), 1) == Finding(NOT_SHOWN)
    missing = Estimate(None, reason="constant")
    assert predicts_seeds(missing, 1) == conditions_differ(missing, 1) == Finding(NOT_SHOWN)


PAPER = {"silhouette": "higher", "single": "lower", "multi": "higher"}


@pytest.mark.parametrize(
    ("expect", "of_the_paper", "claims", "predicts_as_expected"),
    [
        (PAPER, True, ["standard shares representations more (higher silhouette)",
                       "standard generalises better on single tasks", "large is better on multitasking"], [False, True]),
        (PAPER, False, ["wide has the higher silhouette", "wide has the lower single loss", "wide has the higher multi loss"],
         [False, True]),
        ({"silhouette": "lower", "single": "lower"}, True, ["wide has the lower silhouette",
                                                            "standard generalises better on single tasks", ""], [True, None]),
        ({}, True, ["", "", ""], [None, None]),
    ],
)  # fmt: skip
def test_claims_are_what_the_contrast_expects_and_the_papers_words_are_its_own(
    expect: dict[str, str], of_the_paper: bool, claims: list[str], predicts_as_expected: list[bool | None]
) -> None:
    numbers = {"centred": estimate(0.5, 0.1), "predictor_difference": estimate(1, 0.5), "loss_difference": estimate(1, 0.5)}
    found = [judge(what, "wide", expect, of_the_paper, numbers) for what in ("silhouette", "single", "multi")]
    assert [v["claim"] for v in found] == claims
    assert [v["predicts_as_expected"] for v in found[1:]] == predicts_as_expected
    assert [v["predicts_seeds"] for v in found] == ["", SHOWN, SHOWN]


def wide_and_narrow() -> pd.DataFrame:
    """Cells that differ in both columns and whose seeds say nothing."""
    frame = pd.DataFrame({"cell": np.repeat(["wide", "narrow"], 40), "seed": np.tile(np.arange(40), 2)})
    values = np.random.default_rng(1).normal(size=(3, 80)) + 9 * (frame["cell"] == "wide").to_numpy()
    columns = dict(zip(("silhouette_eig", "loss_single_test", "loss_multi_test"), values, strict=True))
    return frame.assign(data_seed=frame["seed"], **columns)


def test_a_contrast_of_other_cells_gets_neutral_words_and_a_prediction_is_never_supported_by_two_conditions() -> None:
    found = {}
    for expect in ({}, PAPER):
        contrast = Contrast("width", (("wide", "narrow"),), {}, expect=expect)
        analysis = analyse(wide_and_narrow(), (contrast,), resamples=300, permutation_count=300)
        sheet = verdict_sheet(analysis)
        assert list(sheet.headings) == ["contrast", "what", "outcome", "conditions differ", "predicts seeds"]
        text = str([sheet.title, sheet.rows, sentence(analysis), rules(analysis)])
        assert not any(word in text for word in ("standard", "large is", "supported"))
        found[len(expect)] = sheet.rows
    assert [row[1] for row in found[0]] == ["silhouette", "single loss", "multi loss"]
    assert all(row[3].startswith("shown: wide is higher by ") for row in found[0])
    assert [row[1] for row in found[3]][1] == "wide has the lower single loss"
    assert [row[3].split(":")[0] for row in found[3]] == [
        "shown, as expected", "shown, against what is expected", "shown, as expected"
    ]  # fmt: skip
    assert [row[4].split(":")[0] for row in found[0]][1:] == [NOT_SHOWN] * 2


def test_a_lower_first_cell_is_said_to_be_lower_with_its_interval_turned() -> None:
    numbers = {"centred": estimate(0.5, 0.1), "predictor_difference": estimate(-1, 0.5), "loss_difference": estimate(1, 0.5)}
    verdict = {"outcome": "test", **judge("silhouette", "a", {}, False, numbers)}
    assert verdict_texts(verdict) == ["silhouette", "-", "shown: a is lower by 1 [0.5, 1.5]", "-"]


def test_a_large_correlation_against_the_expected_side_is_not_said_to_be_excluded() -> None:
    for r, side in ((-0.4, " on the expected side only"), (-0.05, "")):
        numbers = {"centred": estimate(r, 0.2, p=0.2), "loss_difference": estimate(1, 0.5)}
        verdict = {"outcome": "test", **judge("multi", "a", {"silhouette": "higher", "multi": "higher"}, False, numbers)}
        assert verdict["predicts_seeds"] == EXCLUDED
        assert verdict_texts(verdict)[3].startswith(f"excluded above .3{side}: r = ")


def test_an_interval_without_zero_beside_not_shown_has_the_p_that_says_why() -> None:
    numbers = {"centred": estimate(0.4, 0.2, p=0.215), "loss_difference": estimate(1, 0.5, p=0.06)}
    verdict = {"outcome": "test", **judge("multi", "a", {}, False, numbers)}
    assert verdict_texts(verdict)[2] == "not shown: a is higher by 1 [0.5, 1.5], p = .060"
    assert verdict_texts(verdict)[3] == "not shown: r = .40 [0.20, 0.60], p = .215"


@pytest.mark.parametrize(("count", "n"), [(81, 100), (8, 10), (0, 5), (5, 5), (1, 3)])
def test_counts_have_wilson_intervals(count: int, n: int) -> None:
    theirs = proportion_confint(count, n, alpha=0.05, method="wilson")
    assert wilson(count, n) == pytest.approx(theirs, abs=1e-12)


def test_a_count_is_printed_with_its_interval() -> None:
    assert count_of(81, 100, "pairs") == "81 of 100 pairs (95 % Wilson interval .72 to .87)"
    losses = {"first": np.tile([2.0, 1.0], (10, 1)), "second": np.tile([1.0, 2.0], (10, 1))}
    losses["first"][:2, 1] = 3.0
    text = lead("c", ("a", "b"), "single", PairCurves(np.arange(10), np.array([0, 9]), losses, 0))
    assert "a ends lower in 8 of 10 pairs (95 % Wilson interval .49 to .94)" in text


@pytest.mark.parametrize(
    ("value", "text"), [(0.123, ".12"), (-0.8814, "-.88"), (-0.001, ".00"), (0.9949, ".99"), (0.996, "1.00"), (-1.0, "-1.00")]
)
def test_correlations_are_printed_to_two_decimals(value: float, text: str) -> None:
    assert number(value) == text
