"""Two questions of every contrast, each answered by a rule that is stated beside it: do the conditions differ, and does the
predictor say which seed does better? Two conditions that differ are two points, so the first answers nothing of the second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from study.statistics.intervals import Estimate

# A seed-level correlation that its interval keeps below this size is called excluded above it.
SMALL = 0.3

SHOWN, NOT_SHOWN, EXCLUDED = "shown", "not shown", "excluded above .3"
CONDITION_RULE = (
    "Conditions differ: shown where the 95 % interval of the mean paired difference excludes zero and its sign-flip p is below "
    ".05; as expected, or against it, where the sweep expects a side."
)
SEED_RULE = (
    "Predicts seeds: shown where the 95 % interval of the centred correlation of pair differences excludes zero and its "
    "permutation p (family-wise for all but the primary comparison) is below .05. If not shown, it is excluded above .3 where "
    "the interval holds no correlation of .3 or more: on the expected side where the sweep expects one for the silhouette and "
    "the loss, in size otherwise. Conditions that differ in both are two points, no evidence of a prediction."
)
HIGHER = {"higher": 1, "lower": -1}
PAPER_EXPECTS = {"silhouette": "higher", "single": "lower", "multi": "higher"}
PAPER_WORDS = {
    "silhouette": "standard shares representations more (higher silhouette)",
    "single": "standard generalises better on single tasks",
    "multi": "large is better on multitasking",
}


@dataclass(frozen=True)
class Finding:
    """An answer.

    Attributes:
        found: `SHOWN`, `NOT_SHOWN`, or of a prediction `EXCLUDED`.
        as_expected: of what is shown, whether it has the expected sign; None where nothing is shown or nothing expected.
    """

    found: str
    as_expected: bool | None = None


def side(estimate: Estimate) -> int:
    """1 where the interval lies wholly above zero and p is below .05, -1 below, 0 otherwise."""
    if estimate.low is None or estimate.high is None or estimate.p is None or estimate.p >= 0.05:
        return 0
    return 1 if estimate.low > 0 else -1 if estimate.high < 0 else 0


def _shown(where: int, expected: int) -> Finding:
    return Finding(SHOWN, where == expected if expected else None)


def conditions_differ(difference: Estimate, expected: int = 0) -> Finding:
    """By `CONDITION_RULE`.

    Args:
        difference: mean paired difference, first minus second.
        expected: its expected sign; 0 for none.
    """
    return _shown(where, expected) if (where := side(difference)) else Finding(NOT_SHOWN)


def predicts_seeds(centred: Estimate, expected: int = 0) -> Finding:
    """By `SEED_RULE`; the p of `centred` is the one that counts.

    Args:
        expected: sign of the correlation, the product of those of the predictor and the loss; 0 for none.
    """
    if where := side(centred):
        return _shown(where, expected)
    if centred.low is None or centred.high is None:
        return Finding(NOT_SHOWN)
    ends = (expected * centred.low, expected * centred.high) if expected else (-centred.low, centred.high)
    return Finding(EXCLUDED if max(ends) < SMALL else NOT_SHOWN)


def claim_of(what: str, first: str, expect: Mapping[str, str], of_the_paper: bool) -> str:
    """What a sweep expects of the first cell of a contrast as a claim, or "" where it expects nothing.

    Args:
        what: `silhouette`, or a phase, whose loss is meant.
        of_the_paper: whether the contrast is the source study's, which has words of its own.
    """
    if what not in expect:
        return ""
    if of_the_paper and expect[what] == PAPER_EXPECTS.get(what):
        return PAPER_WORDS[what]
    return f"{first} has the {expect[what]} {what if what == 'silhouette' else f'{what} loss'}"


def judge(
    what: str, first: str, expect: Mapping[str, str], of_the_paper: bool, numbers: Mapping[str, Estimate]
) -> dict[str, Any]:
    """Both answers, on the silhouette (`what`), which is no prediction, or on the loss of a phase, with their numbers.

    Args:
        first: the name of the first cell.
        numbers: `predictor_difference`, `loss_difference`, and `centred` with the p value that counts for it.
    """
    of_predictor = what == "silhouette"
    signs = [HIGHER.get(expect.get(name, ""), 0) for name in ("silhouette", what)]
    difference, r = numbers["predictor_difference" if of_predictor else "loss_difference"], numbers["centred"]
    differ = conditions_differ(difference, signs[1])
    predicts = None if of_predictor else predicts_seeds(r, signs[0] * signs[1])
    entry: dict[str, Any] = {"about": what if of_predictor else f"{what} loss", "first": first}
    entry |= {"claim": claim_of(what, first, expect, of_the_paper)}
    entry |= {"conditions_differ": differ.found, "differ_as_expected": differ.as_expected}
    entry |= _plain("difference", difference)
    entry |= {"predicts_seeds": predicts.found if predicts else "", "predicts_as_expected": predicts and predicts.as_expected}
    entry |= _plain("centred", r) if predicts else {}
    return entry | {"rule": CONDITION_RULE if of_predictor else SEED_RULE}


def _plain(name: str, estimate: Estimate) -> dict[str, Any]:
    ends = {f"{name}_{part}": getattr(estimate, part) for part in ("low", "high", "p", "n", "reason")}
    return {name: estimate.value} | ends
