"""Re-randomisation against scipy, and the properties that make its p values valid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.analysis import analyse
from study.contrasts import Contrast
from study.statistics.correlations import centred, r20
from study.statistics.pairs import Pairs, make_pairs
from study.statistics.permutation import (
    centred_under,
    exchangeable,
    grid_of,
    induced,
    layout,
    max_t,
    p_value,
    permutations,
    r20_null,
    sign_flip_p,
    studentised_under,
)


def some_pairs(n: int = 12, seed: int = 0, link: float = 0.0, shift: float = 1.0, strata: int = 1) -> Pairs:
    generator = np.random.default_rng(seed)
    dx, noise = generator.normal(size=(2, n * strata))
    dy = link * dx + np.sqrt(1 - link**2) * noise
    base = generator.normal(size=(2, n * strata))
    which = np.repeat(np.arange(strata), n)
    return Pairs(base[0] + dx + shift, base[0], base[1] + dy + shift + which, base[1], np.tile(np.arange(n), strata), which)


def test_centred_under_the_identity_is_the_statistic_itself() -> None:
    for pairs in (some_pairs(), some_pairs(strata=3)):
        r, count = centred_under([grid_of(pairs)], np.arange(12)[None])
        assert r[0, 0] == pytest.approx(float(centred(pairs, np.ones(len(pairs)))), abs=1e-12)
        assert count[0, 0] == len(pairs)


def test_permuted_correlations_equal_a_loop_also_with_missing_pairs() -> None:
    pairs = some_pairs(strata=2)
    kept = np.ones(len(pairs), dtype=bool)
    kept[[3, 17, 20]] = False
    pairs = Pairs(*(v[kept] for v in (pairs.x_first, pairs.x_second, pairs.y_first, pairs.y_second)),
                  pairs.seed[kept], pairs.stratum[kept])  # fmt: skip
    orders = permutations(12, 20, 3)
    r, _ = centred_under([grid_of(pairs)], orders)
    for order, found in zip(orders, r[:, 0], strict=True):
        x, y, stratum = [], [], []
        for s in (0, 1):
            place = {seed: i for i, seed in enumerate(pairs.seed) if pairs.stratum[i] == s}
            for seed in range(12):
                if seed in place and order[seed] in place:
                    x.append(pairs.dx[place[seed]])
                    y.append(pairs.dy[place[order[seed]]])
                    stratum.append(s)
        table = pd.DataFrame({"x": x, "y": y, "s": stratum})
        within = table[["x", "y"]] - table.groupby("s")[["x", "y"]].transform("mean")
        assert found == pytest.approx(stats.pearsonr(within["x"], within["y"])[0], abs=1e-10)


def test_permutation_p_agrees_with_scipy() -> None:
    pairs = some_pairs(link=0.6, seed=4)
    expected = stats.permutation_test(
        (pairs.dx,),
        lambda x: stats.pearsonr(x, pairs.dy)[0],
        permutation_type="pairings",
        n_resamples=20_000,
        rng=np.random.default_rng(1),
    ).pvalue
    grids = [grid_of(pairs)]
    observed = centred_under(grids, np.arange(12)[None])[0][0, 0]
    assert p_value(observed, centred_under(grids, permutations(12, 20_000, 0))[0][:, 0]) == pytest.approx(expected, abs=0.01)


def test_sign_flip_p_agrees_with_scipy() -> None:
    pairs = some_pairs(n=9, shift=0.5)
    exact = stats.permutation_test((pairs.dy,), np.mean, permutation_type="samples", n_resamples=2**9).pvalue
    assert sign_flip_p(pairs, pairs.dy, 40_000) == pytest.approx(exact, abs=0.01)


def test_r20_null_keeps_the_mean_shift_and_equals_r20_of_permuted_pairs() -> None:
    pairs = some_pairs(shift=3, link=0.9)
    null = r20_null(pairs, 500)
    assert np.median(null) > 0.8  # the shift alone makes r20 large
    order = permutations(12, 500, 0)[7]
    moved = Pairs(pairs.x_first, pairs.x_second, pairs.dy[order], 0 * pairs.dy, pairs.seed, pairs.stratum)
    assert null[7] == pytest.approx(float(r20(moved, np.ones(12))), abs=1e-12)


def test_a_contrast_that_lacks_seeds_gets_the_p_it_would_get_alone() -> None:
    """Shared permutations induce complete permutations of the seeds that are there: nothing is lost with the rest."""
    pairs = some_pairs(n=12, link=0.7, seed=1)
    seeds = np.arange(60)
    orders = induced(permutations(60, 20_000, 0), seeds, np.unique(pairs.seed))
    assert orders.shape == (20_000, 12)
    assert (np.sort(orders, axis=1) == np.arange(12)).all()
    first = np.bincount(orders[:, 0], minlength=12) / 20_000
    np.testing.assert_allclose(first, 1 / 12, atol=0.01)
    grids = [grid_of(pairs)]
    observed = centred_under(grids, np.arange(12)[None])[0][0, 0]
    alone = p_value(observed, centred_under(grids, permutations(12, 20_000, 5))[0][:, 0])
    assert p_value(observed, centred_under(grids, orders)[0][:, 0]) == pytest.approx(alone, abs=0.004)


def test_r20_null_refuses_seeds_that_cannot_be_exchanged() -> None:
    pairs = some_pairs(strata=2)
    lacking = Pairs(
        pairs.x_first[1:], pairs.x_second[1:], pairs.y_first[1:], pairs.y_second[1:], pairs.seed[1:], pairs.stratum[1:]
    )
    with pytest.raises(ValueError, match="lacks a pair"):
        r20_null(lacking, 10)


def test_family_wise_p_of_a_whole_analysis_is_never_below_the_own_p() -> None:
    for seed in range(6):
        pairs = some_pairs(n=5, seed=seed)
        frame = pd.DataFrame(
            {"cell": np.repeat(["a", "b"], 5), "seed": np.tile(np.arange(5), 2), "data_seed": np.tile(np.arange(5), 2)}
        )
        frame["silhouette_x"] = np.concatenate([pairs.x_first, pairs.x_second])
        frame["loss_one_test"] = np.concatenate([pairs.y_first, pairs.y_second])
        analysis = analyse(frame, (Contrast("c", (("a", "b"),), {}),), resamples=200, permutation_count=500)
        for row in analysis["results"]:
            if row["p_fwer"] is not None:
                assert row["p_fwer"] >= row["p"] - 1e-12


def test_max_t_is_never_below_the_own_p_value_and_equals_it_alone() -> None:
    generator = np.random.default_rng(0)
    null, observed = generator.normal(size=(2000, 5)), generator.normal(size=5)
    adjusted = max_t(observed, null)
    own = np.array([p_value(o, null[:, i]) for i, o in enumerate(observed)])
    assert (adjusted >= own).all()
    assert max_t(observed[:1], null[:, :1])[0] == own[0]


def test_copies_of_a_comparison_cost_nothing_in_the_family() -> None:
    """Max-T knows dependence: ten copies of one predictor are corrected like one."""
    pairs = some_pairs(link=0.5, n=20)
    frame = pd.DataFrame(
        {
            "cell": np.repeat(["a", "b"], 20),
            "seed": np.tile(np.arange(20), 2),
            "data_seed": np.tile(np.arange(20), 2),
            "loss_one_test": np.concatenate([pairs.y_first, pairs.y_second]),
        }
        | {f"silhouette_{i}": np.concatenate([pairs.x_first, pairs.x_second]) for i in range(10)}
    )
    analysis = analyse(frame, (Contrast("c", (("a", "b"),), {}),), resamples=200, permutation_count=2000)
    centred_rows = [r for r in analysis["results"] if r["statistic"] == "centred"]
    assert len(centred_rows) == 10
    assert analysis["family"] == 30  # centred, and within both conditions
    for row in centred_rows:
        assert row["p"] <= row["p_fwer"] <= 3.2 * row["p"] + 0.01  # three different comparisons, not thirty


def test_seeds_are_permuted_as_wholes_across_strata() -> None:
    """Two copies of the same pairs in two strata carry no more evidence than one."""
    one = some_pairs(link=0.5)
    two = Pairs(*(np.tile(v, 2) for v in (one.x_first, one.x_second, one.y_first, one.y_second)),
                np.tile(one.seed, 2), np.repeat([0, 1], 12))  # fmt: skip
    orders = permutations(12, 500, 0)
    ps = []
    for pairs in (one, two):
        grids = [grid_of(pairs)]
        ps.append(p_value(centred_under(grids, np.arange(12)[None])[0][0, 0], centred_under(grids, orders)[0][:, 0]))
    assert ps[0] == ps[1]


def test_pooled_strata_do_not_pass_a_shift_for_a_link() -> None:
    """Two regimes that differ in both differences, seeds that know nothing of each other."""
    frames = []
    generator = np.random.default_rng(0)
    for part, shift in (("1", 0.0), ("2", 10.0)):
        for cell, sign in (("a", 1), ("b", 0)):
            x, y = generator.normal(size=(2, 30))
            frames.append(pd.DataFrame({"cell": cell + part, "seed": range(30), "data_seed": range(30),
                                        "x": x + sign * shift, "y": y + sign * shift}))  # fmt: skip
    pairs = make_pairs(pd.concat(frames), [("a1", "b1"), ("a2", "b2")], "x", "y")
    assert stats.pearsonr(pairs.dx, pairs.dy)[0] > 0.8
    assert abs(float(centred(pairs, np.ones(len(pairs))))) < 0.3


def test_the_studentised_correlation_is_that_of_diciccio_and_romano() -> None:
    pairs = some_pairs(n=15, link=0.4)
    orders = np.concatenate([np.arange(15)[None], permutations(15, 5, 0)])
    found = studentised_under([layout(pairs)], orders)[:, 0]
    x = pairs.dx - pairs.dx.mean()
    for t, order in zip(found, orders, strict=True):
        y = (pairs.dy - pairs.dy.mean())[order]
        tau = np.sqrt((x**2 * y**2).mean() / ((x**2).mean() * (y**2).mean()))
        assert t == pytest.approx(np.sqrt(15) * stats.pearsonr(x, y)[0] / tau)


def test_the_pairs_of_a_seed_are_one_term_of_the_studentised_correlation() -> None:
    pairs = some_pairs(n=11, strata=3)
    orders = permutations(11, 6, 0)
    found = studentised_under([layout(pairs)], orders)[:, 0]
    x, y = (d.reshape(3, 11) - d.reshape(3, 11).mean(axis=1, keepdims=True) for d in (pairs.dx, pairs.dy))
    for t, order in zip(found, orders, strict=True):
        terms = (x * y[:, order]).sum(axis=0)
        assert t == pytest.approx(terms.sum() / np.sqrt((terms**2).sum()))


def joint_t4(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = rng.normal(size=(2, n)) * np.sqrt(4 / rng.chisquare(4, size=n))
    return x, y


def growing_noise(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    x, noise = rng.normal(size=(2, n))
    return x, noise * np.sqrt(0.25 + 0.75 * x**2)


@pytest.mark.parametrize("draw", [joint_t4, growing_noise])
def test_p_is_for_a_correlation_of_zero_not_for_independence(draw: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    rng, n, studies = np.random.default_rng(0), 60, 500
    orders, rejected = permutations(n, 199, 0), np.zeros(2)
    seeds, zeros = np.arange(n), np.zeros(n)
    for _ in range(studies):
        x, y = draw(rng, n)
        grids = [layout(Pairs(x, zeros, y, zeros, seeds, np.zeros(n, dtype=np.int64)))]
        for k, under in enumerate((studentised_under, lambda g, o: centred_under(g, o)[0])):
            rejected[k] += p_value(under(grids, seeds[None])[0, 0], under(grids, orders)[:, 0]) <= 0.05
    studentised, plain = rejected / studies
    assert studentised == pytest.approx(0.05, abs=0.03)
    assert plain > 0.1


def test_a_column_that_spreads_more_does_not_make_up_the_maxima_alone() -> None:
    rng = np.random.default_rng(0)
    null, observed = rng.normal(size=(4000, 6)), np.full(6, 2.7)
    wide = np.array([1.0, 1, 1, 1, 1, 1.4])
    np.testing.assert_allclose(max_t(observed * wide, null * wide), max_t(observed, null), atol=1e-3)


def test_seeds_of_different_data_sets_do_not_change_places() -> None:
    """Each seed meets one data set: permutations stay within, and their p is that of a loop over the data sets."""
    pairs = some_pairs(n=24, link=0.6, seed=2)
    nested = Pairs(pairs.x_first, pairs.x_second, pairs.y_first, pairs.y_second, pairs.seed, np.repeat([0, 1, 2], 8))
    orders = exchangeable(permutations(24, 300, 0), nested)
    assert (np.sort(orders, axis=1) == np.arange(24)).all()
    assert (orders // 8 == np.arange(24) // 8).all()
    assert len(np.unique(orders[:, 0])) == 8
    x, y = (d.reshape(3, 8) - d.reshape(3, 8).mean(axis=1, keepdims=True) for d in (nested.dx, nested.dy))
    for t, order in zip(studentised_under([layout(nested)], orders)[:5, 0], orders, strict=False):
        terms = x.ravel() * y.ravel()[order]
        assert t == pytest.approx(terms.sum() / np.sqrt((terms**2).sum()))
    crossed = some_pairs(strata=3)
    same = permutations(12, 20, 0)
    assert exchangeable(same, crossed) is same
