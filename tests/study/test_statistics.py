"""Statistics against scipy on reshaped data, and against what they must do by definition."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.analysis import analyse
from study.comparisons import contrasts_of_rows
from study.contrasts import Contrast
from study.statistics.correlations import CORRELATIONS, centred, pearson, r20, raw
from study.statistics.intervals import bca, estimates, occurrences
from study.statistics.pairs import Pairs, make_pairs
from study.sweep import PaperValues


def table(n: int = 12, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows = []
    for cell, shift in (("a", 0.0), ("b", 1.0)):
        for s in range(n):
            x, y = generator.normal(size=2)
            rows.append({"cell": cell, "seed": s, "data_seed": s, "silhouette_eig": x - shift, "diverged": False,
                         "loss_one_test": y + shift, "loss_one_unseen": y})  # fmt: skip
    return pd.DataFrame(rows)


def pairs_of(frame: pd.DataFrame) -> Pairs:
    return make_pairs(frame, [("a", "b")], "silhouette_eig", "loss_one_test")


def test_statistics_equal_scipy_on_reshaped_data() -> None:
    pairs = pairs_of(table())
    x1, x2, y1, y2 = pairs.x_first, pairs.x_second, pairs.y_first, pairs.y_second
    both = np.concatenate([x1, x2])
    expected = {
        "r20": stats.pearsonr(both, np.concatenate([y1 - y2, y2 - y1]))[0],
        "raw": stats.pearsonr(both, np.concatenate([y1, y2]))[0],
        "centred": stats.pearsonr(x1 - x2, y1 - y2)[0],
        "within_first": stats.pearsonr(x1, y1)[0],
        "within_second": stats.pearsonr(x2, y2)[0],
    }
    for name, value in expected.items():
        assert float(CORRELATIONS[name](pairs, np.ones(12))) == pytest.approx(value, abs=1e-12)


def test_weights_are_repetitions() -> None:
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(2, 9))
    chosen = generator.integers(9, size=(50, 9))
    expected = [stats.pearsonr(x[rows], y[rows])[0] for rows in chosen]
    np.testing.assert_allclose(pearson(x, y, occurrences(chosen, 9)), expected, atol=1e-10)


def test_intervals_equal_scipy_on_the_same_resamples() -> None:
    pairs = pairs_of(table(15))
    data = (pairs.x_first - pairs.x_second, pairs.y_first - pairs.y_second)

    def correlation(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        return stats.pearsonr(x, y, axis=axis).statistic

    theirs = stats.bootstrap(data, correlation, paired=True, n_resamples=4000, method="BCa", rng=np.random.default_rng(0))
    leave_one_out = centred(pairs, 1 - np.eye(15))
    low, high, reason = bca(float(centred(pairs, np.ones(15))), theirs.bootstrap_distribution, leave_one_out)
    assert reason == ""
    assert (low, high) == pytest.approx(tuple(theirs.confidence_interval), abs=1e-8)


def test_r20_is_large_without_any_seed_level_link() -> None:
    """Pairs whose conditions differ but whose seeds know nothing of each other (figures of the source notes)."""
    generator = np.random.default_rng(0)
    for shift, expected in ((1, 0.51), (2, 0.81), (3, 0.91), (5, 0.97)):
        values = []
        for _ in range(400):
            dx, dy = generator.normal(size=(2, 10)) + shift
            pairs = Pairs(dx / 2, -dx / 2, dy / 2, -dy / 2, np.arange(10), np.zeros(10, dtype=int))
            values.append((float(r20(pairs, np.ones(10))), float(centred(pairs, np.ones(10)))))
        medians = np.median(values, axis=0)
        assert medians[0] == pytest.approx(expected, abs=0.04)
        assert abs(medians[1]) < 0.06


def test_centred_ignores_condition_effects_and_order_of_cells() -> None:
    frame = table()
    pairs = pairs_of(frame)
    shifted = Pairs(pairs.x_first + 3, pairs.x_second, pairs.y_first, pairs.y_second - 7, pairs.seed, pairs.stratum)
    swapped = make_pairs(frame, [("b", "a")], "silhouette_eig", "loss_one_test")
    ones = np.ones(12)
    assert centred(shifted, ones) == pytest.approx(float(centred(pairs, ones)), abs=1e-12)
    for statistic in (centred, r20, raw):
        assert statistic(swapped, ones) == pytest.approx(float(statistic(pairs, ones)), abs=1e-12)


def test_pairs_join_by_seed_whatever_the_order_of_rows() -> None:
    frame = table()
    shuffled = frame.sample(frac=1, random_state=0)
    for name in ("x_first", "x_second", "y_first", "y_second", "dx", "dy"):
        np.testing.assert_array_equal(np.sort(getattr(pairs_of(frame), name)), np.sort(getattr(pairs_of(shuffled), name)))
    assert float(centred(pairs_of(frame), np.ones(12))) == pytest.approx(float(centred(pairs_of(shuffled), np.ones(12))))
    assert len(pairs_of(frame.drop(index=[3, 20]))) == 10  # seeds 3 and 8 have lost a partner


def test_diverged_and_undefined_networks_leave_with_their_pair_and_are_counted() -> None:
    frame = table()
    frame.loc[0, "diverged"] = True  # seed 0 of a
    frame.loc[13, "silhouette_eig"] = np.nan  # seed 1 of b
    pairs = pairs_of(frame)
    assert (len(pairs), pairs.diverged, pairs.undefined) == (10, 1, 1)
    assert set(pairs.seed) == set(range(2, 12))


def test_pooled_contrasts_resample_seeds_not_pairs() -> None:
    frame = table()
    twice = pd.concat([frame, frame.assign(cell=frame["cell"] + "2")])
    pooled = make_pairs(twice, [("a", "b"), ("a2", "b2")], "silhouette_eig", "loss_one_test")
    assert len(pooled) == 24
    (one,), (two,) = estimates([centred], pairs_of(frame)), estimates([centred], pooled)
    assert (two.n, two.seeds) == (24, 12)
    assert two.value == pytest.approx(one.value)
    # Copying every pair adds no information: the interval must not shrink.
    assert (two.low, two.high) == pytest.approx((one.low, one.high), abs=1e-9)


def test_degenerate_input_gives_a_reason_not_a_number() -> None:
    frame = table()
    constant = estimates([centred], pairs_of(frame.assign(silhouette_eig=1.0)))[0]
    assert (constant.value, constant.reason) == (None, "constant")
    few = estimates([centred], pairs_of(table(4)))[0]
    assert few.value is None
    assert "4 seed(s), at least 5 needed" in few.reason
    enough = estimates([centred], pairs_of(table(5)))[0]
    assert enough.value is not None
    assert enough.low < enough.value < enough.high


def test_intervals_cover_the_true_correlation_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(2)
    covered = 0
    for _ in range(150):
        dx, noise = generator.normal(size=(2, 60))
        dy = 0.5 * dx + np.sqrt(0.75) * noise
        (found,) = estimates([centred], Pairs(dx, 0 * dx, dy, 0 * dy, np.arange(60), np.zeros(60, dtype=int)), resamples=800)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.5 <= found.high
    assert 0.88 < covered / 150 < 0.99


def test_analysis_holds_every_statistic_and_the_papers_values_only_where_they_belong() -> None:
    contrast = Contrast("c", (("a", "b"),), {"one": PaperValues(r20=-0.5, raw=-0.2)})
    frame = table().assign(silhouette_other=lambda f: f["silhouette_eig"] ** 2)
    analysis = analyse(frame, (contrast,), resamples=200)
    results = pd.DataFrame(analysis["results"])
    assert results.groupby(["predictor", "outcome"]).size().to_list() == [results["statistic"].nunique()] * 4
    assert {"centred", "r20", "r20_null", "spearman", "mixed_within", "log10_loss_difference"} <= set(results["statistic"])
    with_paper = results[results["paper"].notna()]
    assert set(zip(with_paper["predictor"], with_paper["outcome"], with_paper["statistic"], strict=True)) == {
        ("silhouette_eig", "test", "r20"), ("silhouette_eig", "test", "raw"),
    }  # fmt: skip


def test_rows_without_a_sweep_are_compared_cell_by_cell() -> None:
    frame = pd.concat([table(), table().assign(cell="c", seed=lambda f: f["seed"] + 100).iloc[:12]])
    frame["data_seed"] = frame["seed"]
    assert [contrast.pairs for contrast in contrasts_of_rows(frame)] == [(("a", "b"),)]
