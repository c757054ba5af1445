"""The source study against prediction intervals: what a perfect replication gives."""

from __future__ import annotations

import numpy as np
import pytest

from study.analysis import analyse
from study.contrasts import Contrast
from study.statistics.correlations import r20
from study.statistics.intervals import estimates
from study.statistics.pairs import Pairs
from study.statistics.prediction import prediction
from study.sweep import PaperValues
from study.tables import notes, paper_sheet
from tests.study.test_verdicts import wide_and_narrow


def shifted(rng: np.random.Generator, n: int, shift: float, lognormal: bool) -> Pairs:
    """A study of n pairs whose conditions differ and whose seeds say nothing."""
    x, y = rng.normal(size=(2, 2, n))
    x[0] += shift
    y[0] += shift
    y = np.exp(0.7 * y) if lognormal else y
    return Pairs(*x, *y, np.arange(n), np.zeros(n, dtype=int))


def replicated(n: int, shift: float, lognormal: bool, studies: int) -> float:
    """Share of perfect replications of 10 pairs that lie in the prediction interval of n."""
    rng, held = np.random.default_rng(n), 0
    for _ in range(studies):
        found = prediction(r20, shifted(rng, n, shift, lognormal), 10)
        other = float(r20(shifted(rng, 10, shift, lognormal), np.ones(10)))
        held += found.low <= other <= found.high
    return held / studies


def test_prediction_intervals_hold_a_perfect_replication() -> None:
    assert replicated(10, 2.0, lognormal=False, studies=300) > 0.92
    rng = np.random.default_rng(0)
    ours, theirs = (prediction(r20, shifted(rng, 100, 2.0, False), seeds) for seeds in (100_000, 10))
    (alone,) = estimates([r20], shifted(np.random.default_rng(0), 100, 2.0, False), resamples=2000)
    # Against an endless study only our own error is left; against ten pairs the interval is far wider.
    assert (ours.low, ours.high) == pytest.approx((alone.low, alone.high), abs=0.03)
    assert theirs.high - theirs.low > 2 * (ours.high - ours.low)
    assert prediction(r20, shifted(rng, 4, 1.0, False), 10).reason


@pytest.mark.slow
@pytest.mark.parametrize("lognormal", [False, True])
@pytest.mark.parametrize(("n", "shift"), [(10, 0.5), (10, 3.0), (100, 0.5), (100, 3.0)])
def test_prediction_intervals_hold_95_of_100_perfect_replications(n: int, shift: float, lognormal: bool) -> None:
    assert 0.915 <= replicated(n, shift, lognormal, studies=1500) <= 0.985


def test_values_of_the_source_study_count_once_beside_what_a_perfect_replication_gives() -> None:
    stated = {"single": PaperValues(r20=0.97), "multi": PaperValues(r20=-0.5, raw=0.9)}
    pairs = (("wide", "narrow"),)
    contrasts = tuple(Contrast(name, pairs, stated) for name in ("hidden", "both"))
    analysis = analyse(wide_and_narrow(), contrasts, resamples=200, permutation_count=200)
    entries = analysis["replication"]["entries"]
    assert [(e["contrast"], e["phase"], e["statistic"]) for e in entries if e["contrast"] == "both"] == [
        ("both", "single", "r20"), ("both", "multi", "r20"), ("both", "multi", "raw")
    ]  # fmt: skip
    assert [e["inside"] for e in entries] == [True, False, True] * 2
    (line,) = (note for note in notes(analysis) if note.startswith("Source study"))
    assert "of its 3 distinct values (in 6 comparisons) 2 lie" in line
    assert "a perfect replication gives about 2.8 of 3" in line
    assert "Outside: hidden multi r20, both multi r20." in line
    assert len(paper_sheet(analysis, "both", "test").rows) == 3
    assert paper_sheet(analysis, "both", "unseen") is None
