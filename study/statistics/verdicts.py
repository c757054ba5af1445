"""Each claim of the source study gets a verdict by a rule that is stated beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from study.statistics.intervals import Estimate

# A seed-level correlation that its interval keeps below this size on the claimed side is called small.
SMALL = 0.3

CONDITION_RULE = (
    "Supported at condition level: the 95 % interval of the mean paired difference lies wholly on the claimed side of zero "
    "and its sign-flip p is below .05. Not supported: the same on the other side. Undecided at this n: otherwise."
)
SEED_RULE = (
    "Supported at seed level: the 95 % interval of the centred correlation of pair differences lies wholly on the claimed "
    "side of zero and its permutation p (family-wise for all but the primary comparison) is below .05. Otherwise supported "
    "at condition level, if both mean paired differences lie on the claimed sides of zero by the rule for condition effects. "
    "Its seed level is then: contradicted, where the same holds on the other side; "
    f"below {SMALL:g}, where the interval excludes a correlation of {SMALL:g} on the claimed side; undecided, where it does "
    f"not. Otherwise not supported, where the seed level is contradicted or below {SMALL:g}, and undecided at this n, where "
    "it is not."
)
SUPPORTED_SEED, SUPPORTED_CONDITION = "supported at seed level", "supported at condition level"
NOT_SUPPORTED, UNDECIDED = "not supported", "undecided at this n"
BELOW = f"below {SMALL:g}"


@dataclass(frozen=True)
class Claim:
    """A claim about the first condition (standard) against the second (large).

    Attributes:
        phase: the phase it speaks of; None for the predictor alone.
        kind: "predictor" or "loss" (a condition effect), or "prediction".
        sign: claimed sign of the mean difference, first minus second, or of the correlation.
    """

    text: str
    phase: str | None
    kind: str
    sign: int


CLAIMS = (
    Claim("standard shares representations more (higher silhouette)", None, "predictor", 1),
    Claim("standard generalises better on single tasks", "single", "loss", -1),
    Claim("large is better on multitasking", "multi", "loss", 1),
    Claim("silhouette predicts the single-task loss", "single", "prediction", -1),
    Claim("silhouette predicts the multitask loss", "multi", "prediction", 1),
)


def side(estimate: Estimate, sign: int) -> int:
    """1 where the interval lies wholly on the claimed side of zero and p is below .05, -1 on the other, 0 otherwise."""
    if estimate.low is None or estimate.high is None or estimate.p is None or estimate.p >= 0.05:
        return 0
    low, high = sorted((sign * estimate.low, sign * estimate.high))
    return 1 if low > 0 else -1 if high < 0 else 0


def condition_verdict(difference: Estimate, sign: int) -> str:
    """The verdict on a condition effect, by `CONDITION_RULE`."""
    return {1: SUPPORTED_CONDITION, -1: NOT_SUPPORTED, 0: UNDECIDED}[side(difference, sign)]


def seed_status(centred: Estimate, sign: int) -> str:
    """`supported`, `contradicted`, `below 0.3` or `undecided` at seed level; the p of `centred` is the one that counts."""
    if (where := side(centred, sign)) != 0:
        return "supported" if where == 1 else "contradicted"
    if centred.low is None or centred.high is None:
        return "undecided"
    return BELOW if max(sign * centred.low, sign * centred.high) < SMALL else "undecided"


def prediction_verdict(centred: Estimate, predictor: Estimate, loss: Estimate, sign: int) -> tuple[str, str]:
    """The verdict on a prediction by `SEED_RULE`, and its status at seed level.

    Args:
        predictor, loss: mean paired differences; the claim has the first condition higher in the predictor.
    """
    status = seed_status(centred, sign)
    if status == "supported":
        return SUPPORTED_SEED, status
    if side(predictor, 1) == 1 and side(loss, sign) == 1:
        return SUPPORTED_CONDITION, status
    return (UNDECIDED if status == "undecided" else NOT_SUPPORTED), status


def judge(claim: Claim, numbers: Mapping[str, Estimate]) -> dict[str, str]:
    """A claim's verdict from the estimates of one contrast, phase, outcome and predictor.

    Args:
        numbers: `predictor_difference`, `loss_difference`, and `centred` with the p value that counts for it.
    """
    entry = {"claim": claim.text}
    if claim.kind == "prediction":
        predictor, loss = numbers["predictor_difference"], numbers["loss_difference"]
        verdict, status = prediction_verdict(numbers["centred"], predictor, loss, claim.sign)
        return entry | {"verdict": verdict, "seed_level": status, "rule": SEED_RULE}
    estimate = numbers[f"{claim.kind}_difference"]
    return entry | {"verdict": condition_verdict(estimate, claim.sign), "seed_level": "", "rule": CONDITION_RULE}
