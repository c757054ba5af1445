"""Intervals of correlations against brute force, and data on which there is none."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.analysis import analyse
from study.contrasts import Contrast
from study.statistics.correlations import centred, r20, raw, within_first
from study.statistics.intervals import CORRELATION_METHOD, estimates
from study.statistics.jackknife import fisher_interval, leave_one_out, null_units
from study.statistics.pairs import Pairs, make_pairs
from study.statistics.ranks import at_the_edge, rank_correlation, tau_without_one
from study.statistics.reliable import reliable
from tests.study.test_permutation import some_pairs

CONTRAST = (Contrast("c", (("a", "b"),), {}),)


def pairs_from(x: np.ndarray, y: np.ndarray) -> Pairs:
    n = len(x)
    return Pairs(x, np.zeros(n), y, np.zeros(n), np.arange(n), np.zeros(n, dtype=np.int64))


@pytest.mark.parametrize("strata", [1, 3])
@pytest.mark.parametrize("statistic", [centred, within_first, raw, r20])
def test_the_jackknife_leaves_out_whole_seeds(strata: int, statistic: object) -> None:
    pairs = some_pairs(n=9, link=0.5, strata=strata)
    expected = []
    for seed in range(9):
        kept = pairs.seed != seed
        part = Pairs(*(v[kept] for v in (pairs.x_first, pairs.x_second, pairs.y_first, pairs.y_second)),
                     pairs.seed[kept], pairs.stratum[kept])  # fmt: skip
        expected.append(float(statistic(part, np.ones(len(part)))))
    np.testing.assert_allclose(leave_one_out(statistic, pairs), expected, atol=1e-12)


def test_the_interval_is_fishers_with_the_jackknife_error_or_the_normal_one() -> None:
    x, y = np.random.default_rng(3).lognormal(size=(2, 25))
    y = y + x
    (found,) = estimates([centred], pairs_from(x, y))
    r = stats.pearsonr(x, y)[0]
    z = np.arctanh([stats.pearsonr(np.delete(x, i), np.delete(y, i))[0] for i in range(25)])
    pull = z.mean() - z
    error = np.sqrt(24 / 25 * (pull**2).sum())
    t = stats.t.ppf(0.975, 23)
    skewness = abs((pull**3).sum()) / (6 * (pull**2).sum() ** 1.5)
    half = max(t / (1 - min(skewness * t, 0.6)) * error, stats.norm.ppf(0.975) / np.sqrt(22))
    assert (found.value, found.low, found.high) == pytest.approx((r, *np.tanh(np.arctanh(r) + np.array([-half, half]))))
    assert (found.method, found.n, found.seeds) == (CORRELATION_METHOD, 25, 25)
    normal = stats.pearsonr(*np.random.default_rng(0).normal(size=(2, 400))).confidence_interval(0.95)
    (ours,) = estimates([centred], pairs_from(*np.random.default_rng(0).normal(size=(2, 400))))
    assert (ours.low, ours.high) == pytest.approx((normal.low, normal.high), abs=0.01)
    assert ours.high - ours.low >= normal.high - normal.low - 1e-12  # never narrower than scipy's for normal values


def test_what_pairs_of_a_seed_have_in_common_decides_how_many_they_are_worth() -> None:
    one = some_pairs(n=20)
    copies = Pairs(*(np.tile(v, 3) for v in (one.x_first, one.x_second, one.y_first, one.y_second)),
                   np.tile(one.seed, 3), np.repeat([0, 1, 2], 20))  # fmt: skip
    assert null_units(one, one.dx, one.dy) == pytest.approx(20)
    assert null_units(copies, copies.dx, copies.dy) == pytest.approx(20)
    independent = some_pairs(n=400, strata=3)
    assert null_units(independent, independent.dx, independent.dy) == pytest.approx(1198, rel=0.1)


def test_kendalls_tau_has_the_interval_of_its_jackknife() -> None:
    pairs = some_pairs(n=14, link=0.5, seed=3)
    x, y = np.round(pairs.dx), pairs.dy  # with ties
    expected = [stats.kendalltau(np.delete(x, i), np.delete(y, i))[0] for i in range(14)]
    np.testing.assert_allclose(tau_without_one(x, y, np.arange(14)), expected, atol=1e-12)
    unit = np.arange(14) // 2
    whole = [stats.kendalltau(x[unit != u], y[unit != u])[0] for u in range(7)]
    np.testing.assert_allclose(tau_without_one(x, y, unit), whole, atol=1e-12)
    found = rank_correlation(pairs, "kendall")
    tau, p = stats.kendalltau(pairs.dx, pairs.dy)
    assert (found.value, found.p) == pytest.approx((tau, p))
    left_out = np.array([stats.kendalltau(np.delete(pairs.dx, i), np.delete(pairs.dy, i))[0] for i in range(14)])
    null = np.sqrt(2 * (2 * 14 + 5) / (9 * 14 * 13))
    low, high, reason = fisher_interval(tau, left_out, stats.norm.ppf(0.975) * null)
    assert (found.low, found.high, found.reason) == (pytest.approx(low), pytest.approx(high), reason)
    assert np.arctanh(found.high) - np.arctanh(tau) >= 1.95 * null


def test_where_there_is_no_interval_there_is_a_reason() -> None:
    x = np.random.default_rng(0).normal(size=12)
    one_off = np.zeros(12)
    one_off[4] = 1.0
    for a, b, value, reason in (
        (x, 2 * x + 1, 1.0, "a correlation of 1"),
        (x, -x, -1.0, "a correlation of 1"),
        (x, np.ones(12), None, "constant"),
        (np.full(12, 0.3), x, None, "constant"),
        (one_off, x, pytest.approx(stats.pearsonr(one_off, x)[0]), "constant without one of its seeds"),
        (one_off, one_off, 1.0, "a correlation of 1"),
    ):
        (found,) = estimates([centred], pairs_from(a, b))
        assert (found.value, found.low, found.high, found.reason) == (value, None, None, reason)
    outlier = np.where(np.arange(12) == 3, 0.0, x)
    (found,) = estimates([centred], pairs_from(x, outlier))
    assert (found.low, found.reason) == (None, "a correlation of 1 without one of its seeds")
    for n in (0, 1, 2, 3, 4):
        (found,) = estimates([centred], pairs_from(x[:n], x[:n] ** 2))
        assert (found.value, found.n) == (None, n)
        assert f"{n} seed(s), at least 5 needed" in found.reason
    assert fisher_interval(0.5, np.array([0.4, 0.5, 0.6]), 0.1)[2] == "3 seed(s), at least 4 needed"
    ties = np.repeat([0.0, 1.0], 6)
    (found,) = estimates([centred], pairs_from(ties, np.tile([0.0, 1.0, 1.0], 4)))
    assert -1 <= found.low < found.value < found.high <= 1


def test_kendalls_tau_has_an_interval_where_every_pair_agrees() -> None:
    """Hoeffding's bound: with every pair concordant, P(share = 1) <= p^k, so that the share is at least .025^(1 / k)."""
    x = np.arange(12.0)
    for y, ends in ((2 * x, (2 * 0.025 ** (1 / 6) - 1, 1.0)), (-x, (-1.0, 1 - 2 * 0.025 ** (1 / 6)))):
        found = rank_correlation(pairs_from(x, y), "kendall")
        assert (found.low, found.high) == pytest.approx(ends, abs=1e-9)
        assert "Hoeffding" in found.method
    one_off = np.where(x == 5, -1.0, x)  # tau is 1 without this seed only
    found = rank_correlation(pairs_from(x, one_off), "kendall")
    assert found.low < found.value < found.high == 1
    assert at_the_edge(found.value, 12)[0] == pytest.approx(found.low)
    k, share, p = 6, (1 + found.value) / 2, (1 + found.low) / 2
    assert np.exp(-k * (share * np.log(share / p) + (1 - share) * np.log((1 - share) / (1 - p)))) == pytest.approx(0.025)


def test_numbers_that_are_not_finite_leave_with_their_pair() -> None:
    frame = rows_of(20)
    for row, (column, value) in enumerate(itertools.product(("silhouette_eig", "loss_one_test"), (np.nan, np.inf, -np.inf))):
        frame.loc[row, column] = value
    pairs = make_pairs(frame, [("a", "b")], "silhouette_eig", "loss_one_test")
    (found,) = estimates([centred], pairs)
    assert (found.n, pairs.undefined) == (14, 6)
    assert np.isfinite([found.value, found.low, found.high]).all()


def rows_of(n: int, link: float = 0.5) -> pd.DataFrame:
    generator, parts = np.random.default_rng(11), []
    for cell in "ab":
        x, noise = generator.normal(size=(2, n))
        part = pd.DataFrame({"cell": cell, "seed": range(n), "data_seed": range(n), "diverged": False})
        parts.append(part.assign(silhouette_eig=x, loss_one_test=link * x + np.sqrt(1 - link**2) * noise))
    return pd.concat(parts, ignore_index=True)


def centred_of(frame: pd.DataFrame) -> tuple[dict[str, object], dict[str, object]]:
    analysis = analyse(frame, CONTRAST, resamples=50, permutation_count=200)
    (found,) = (r for r in analysis["results"] if r["statistic"] == "centred")
    return found, analysis


def test_pairs_alone_on_their_data_are_no_strata() -> None:
    frame = rows_of(200)
    alone, analysis = centred_of(frame)
    sides = [frame[frame["cell"] == cell] for cell in "ab"]
    dx, dy = (sides[0][name].to_numpy() - sides[1][name].to_numpy() for name in ("silhouette_eig", "loss_one_test"))
    assert (alone["value"], alone["n"]) == (pytest.approx(stats.pearsonr(dx, dy)[0]), 200)
    assert analysis["design"]["name"] == "per_seed"
    two = frame.assign(data_seed=frame["data_seed"].replace(1, 0))
    found, analysis = centred_of(two)
    assert (found["value"], found["n"], found["p"]) == (None, 2, None)
    assert found["reason"] == "2 seed(s), at least 5 needed; 198 pair(s) that are alone on their data set do not count"
    assert analysis["design"]["name"] == "shared"
    assert analysis["variance"] == []
    assert any("198 of 200 pairs are alone on their data set" in warning for warning in analysis["warnings"])
    # Forty seeds share four data sets, the others are alone: what counts are the forty.
    forty = frame.assign(data_seed=np.where(frame["seed"] < 40, frame["seed"] % 4 + 1000, frame["seed"]))
    found, _ = centred_of(forty)
    rest = [d[:40] - pd.Series(d[:40]).groupby(np.arange(40) % 4).transform("mean") for d in (dx, dy)]
    assert (found["value"], found["n"], found["seeds"]) == (pytest.approx(stats.pearsonr(*rest)[0]), 40, 40)
    assert found["low"] < found["value"] < found["high"]
    assert found["p"] is not None


def test_the_star_is_for_data_on_which_simulated_intervals_cover_too_little() -> None:
    generator = np.random.default_rng(0)
    normal, lognormal = generator.normal(size=(2, 100)), generator.lognormal(size=(2, 100))
    assert reliable(*normal)
    assert reliable(*np.round(normal))
    assert not reliable(*lognormal)
    assert not reliable(generator.standard_t(2, size=300), normal[0].repeat(3))
    # Noise that is skewed under a strong link does not show in either column, but in what one leaves of the other.
    hidden = 0.95 * normal[0] + 0.3 * (lognormal[0] - 1.6) / 2.2
    assert abs(stats.skew(hidden)) < 1
    assert not reliable(normal[0], hidden)
    (few,) = estimates([centred], pairs_from(*generator.normal(size=(2, 10))))
    (skewed,) = estimates([centred], pairs_from(*lognormal))
    assert (few.note, "covers less" in skewed.note) == ("", True)
