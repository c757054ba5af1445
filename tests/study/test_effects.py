"""Reliability, mixed model, variance components, power and verdicts against truths that are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import yaml
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from study.analysis import analyse
from study.comparisons import contrasts_of_rows
from study.plan import make_plan
from study.statistics.correlations import CONDITION_EFFECTS, centred, raw, raw_between, raw_within, within_first
from study.statistics.f_tests import f_tests
from study.statistics.intervals import Estimate, estimates
from study.statistics.mixed import _closed_form, _statsmodels, mixed_model
from study.statistics.pairs import Pairs
from study.statistics.power import expected_width, pairs_needed
from study.statistics.ranks import rank_correlation
from study.statistics.reliability import attenuation_bound, intraclass, reliability
from study.statistics.simulation import shares_coverage
from study.statistics.variance import components, decompose, design_of, generalised_intervals, mean_squares
from study.sweep_file import parse_sweep
from study.tables import variance_sheet
from study.trial import rows_of, run_block
from tests.study.conftest import SMALL
from tests.study.test_permutation import some_pairs


def test_condition_effects_are_mean_paired_differences() -> None:
    pairs = some_pairs()
    positive = Pairs(pairs.x_first, pairs.x_second, np.exp(pairs.y_first), np.exp(pairs.y_second), pairs.seed, pairs.stratum)
    x, y, log_y = estimates(list(CONDITION_EFFECTS.values()), positive)
    assert x.value == pytest.approx(pairs.dx.mean())
    assert y.value == pytest.approx((np.exp(pairs.y_first) - np.exp(pairs.y_second)).mean())
    assert log_y.value == pytest.approx(pairs.dy.mean() / np.log(10))
    theirs = stats.bootstrap((pairs.dx,), np.mean, n_resamples=10_000, method="BCa", rng=np.random.default_rng(0))
    assert (x.low, x.high) == pytest.approx(tuple(theirs.confidence_interval), abs=1e-8)


def test_the_split_of_the_raw_correlation_adds_up_and_follows_its_parts() -> None:
    pairs, ones = some_pairs(link=0.3), np.ones(12)
    assert raw(pairs, ones) == pytest.approx(float(raw_between(pairs, ones) + raw_within(pairs, ones)))
    shift_only = Pairs(np.full(12, 1.0) + 1e-3 * pairs.dx, 1e-3 * pairs.x_second, np.full(12, 2.0), 0 * pairs.dy,
                       pairs.seed, pairs.stratum)  # fmt: skip
    assert abs(float(raw_within(shift_only, ones))) < 1e-6
    assert raw_between(shift_only, ones) > 0.99


def test_rank_correlations_are_scipys_within_strata() -> None:
    pairs = some_pairs(link=0.4)
    assert rank_correlation(pairs, "spearman").value == pytest.approx(stats.spearmanr(pairs.dx, pairs.dy)[0])
    assert rank_correlation(pairs, "kendall").value == pytest.approx(stats.kendalltau(pairs.dx, pairs.dy)[0])
    ties = Pairs(pairs.x_first * 0, pairs.x_second * 0, pairs.y_first, pairs.y_second, pairs.seed, pairs.stratum)
    assert rank_correlation(ties, "kendall").reason == "constant"


def test_intraclass_correlation_is_the_share_of_true_variance() -> None:
    generator = np.random.default_rng(0)
    repeated = generator.normal(size=(4000, 1)) * 2 + generator.normal(size=(4000, 3))
    assert intraclass(repeated, np.ones(4000)) == pytest.approx(4 / 5, abs=0.02)
    small = repeated[:15]
    k, n = 3, 15
    between = k * small.mean(axis=1).var(ddof=1)
    within = small.var(axis=1, ddof=1).mean()
    assert intraclass(small, np.ones(n)) == pytest.approx((between - within) / (between + (k - 1) * within))


def test_reliability_reads_repeats_from_rows_and_bounds_the_correlation() -> None:
    generator = np.random.default_rng(0)
    true = generator.normal(size=(2, 40))
    again = true[:, :, None] + 0.5 * generator.normal(size=(2, 40, 3))
    rows = pd.DataFrame({"seed": range(40), "stratum": 0})
    for side, values in zip(("first", "second"), again, strict=True):
        rows[f"silhouette_x_{side}"] = values[:, 0]
        rows[f"repeat_data_x_{side}"] = [list(v[1:]) for v in values]
    found = reliability(rows, "silhouette_x", "data")
    assert found.value is not None
    assert found.low is not None
    assert found.low < 0.8 < found.high  # 1 / (1 + .25)
    bound = attenuation_bound(Estimate(0.4, 0.2, 0.6, 40, 40, "m"), found)
    assert bound.value == pytest.approx(0.4 / np.sqrt(found.value))
    assert "bound" in bound.note
    assert "not measured again" in reliability(rows, "silhouette_x", "kmeans").reason


def test_the_within_coefficient_of_the_mixed_model_is_the_slope_of_differences() -> None:
    """With two networks a pair, the within-pair part of the model is the regression of dy on dx with an intercept."""
    pairs = some_pairs(n=40, link=0.5, seed=2)
    found = mixed_model(pairs)
    slope, _, _, p, error = stats.linregress(pairs.dx, pairs.dy)
    scale = pairs.dx.std() / 2 / np.concatenate([pairs.y_first, pairs.y_second]).std()
    assert found["within"].value == pytest.approx(slope * scale, rel=1e-8)
    half = stats.t.ppf(0.975, 38) * error * scale
    assert found["within"].high - found["within"].value == pytest.approx(half, rel=1e-8)
    assert found["within"].p == pytest.approx(p, rel=1e-8)
    constant = Pairs(pairs.x_first * 0, pairs.x_second * 0, pairs.y_first, pairs.y_second, pairs.seed, pairs.stratum)
    assert mixed_model(constant)["within"].reason == "constant"


@pytest.mark.parametrize("shared", [0.0, 3.0], ids=["no common part", "seeds share much"])
def test_the_closed_form_of_the_mixed_model_is_statsmodels(shared: float) -> None:
    pairs = some_pairs(n=30, link=0.4, seed=5)
    common = shared * np.random.default_rng(1).normal(size=30)
    noise = np.random.default_rng(2).normal(size=(2, 30))
    pairs = Pairs(pairs.x_first, pairs.x_second, common + noise[0], common + noise[1] + 1, pairs.seed, pairs.stratum)
    outcomes = np.stack([pairs.y_first, pairs.y_second])
    within, mean = pairs.dx / pairs.dx.std(), (pairs.x_first + pairs.x_second) / 2
    fast, slow = (fit(pairs, outcomes - outcomes.mean(), within, mean - mean.mean()) for fit in (_closed_form, _statsmodels))
    np.testing.assert_allclose(fast[0], slow[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(fast[1], slow[1], rtol=2e-3)


def test_pooled_contrasts_have_a_mixed_model_too() -> None:
    found = mixed_model(some_pairs(n=20, link=0.8, strata=2))
    assert found["within"].value > 0
    assert found["within"].p < 0.05
    assert (found["within"].n, found["within"].seeds) == (40, 20)


def test_variance_components_are_recovered_on_average_and_match_anova() -> None:
    generator = np.random.default_rng(0)
    found = []
    for _ in range(300):
        table = 2 * generator.normal(size=(20, 1)) + 1 * generator.normal(size=(1, 6)) + 0.5 * generator.normal(size=(20, 6))
        found.append(list(components(table).values()))
    np.testing.assert_allclose(np.mean(found, axis=0), [4, 1, 0.25], rtol=0.12)
    additive = np.arange(5.0)[:, None] + np.zeros(3)
    assert components(additive) == pytest.approx({"weights": 2.5, "data": 0, "both": 0})


def test_intervals_of_variance_shares_are_the_exact_ones_where_there_are_such() -> None:
    """The ratio of two mean squares has an F distribution, so a share of two parts has an exact interval."""
    rng = np.random.default_rng(0)
    table = 1.5 * rng.normal(size=(12, 1)) + rng.normal(size=(12, 8))
    of_rows, _, of_rest = mean_squares(table)
    freedom = 11, 77
    ends = of_rows / of_rest / stats.f.ppf([0.975, 0.025], *freedom)
    ratio = np.maximum(ends - 1, 0) / 8  # variance of weights over that of both
    parts = generalised_intervals(table - table.mean(axis=0), draws=200_000)  # columns have no variance of their own
    np.testing.assert_allclose(parts[0], ratio / (1 + ratio), atol=0.004)
    assert parts[1] == pytest.approx([0, 0])
    rows, columns = np.indices(table.shape).reshape(2, -1).astype(str)
    frame = pd.DataFrame({"y": table.ravel(), "a": rows, "b": columns})
    anova = sm.stats.anova_lm(sm.formula.ols("y ~ C(a) + C(b)", frame).fit())
    np.testing.assert_allclose(mean_squares(table), anova["mean_sq"], rtol=1e-9)


def test_effects_of_weights_that_are_not_there_are_not_made_up() -> None:
    found = shares_coverage(20, 4, (0.0, 0.5, 0.5), 200)
    assert found["mean_upper_end"]["weights"] < 0.18  # .66 by resampling rows and columns
    assert min(found["coverage"].values()) > 0.9


def test_crossed_designs_are_decomposed_and_designs_recognised() -> None:
    generator = np.random.default_rng(0)
    weights, data = generator.normal(size=(12, 1)), 0.1 * generator.normal(size=(1, 4))
    table = weights + data + 0.1 * generator.normal(size=(12, 4))
    rows = [(s, d, "a", table[s, d], False) for s in range(12) for d in range(4)]
    frame = pd.DataFrame(rows, columns=["seed", "data_seed", "cell", "loss", "diverged"])
    entry = decompose(frame, "a", "loss")
    assert entry["weights"]["share"] > 0.9
    assert entry["weights"]["low"] <= entry["weights"]["share"] <= entry["weights"]["high"] + 0.05
    assert (entry["left_out"], entry["note"]) == (0, "")
    frame.loc[0, "diverged"] = True
    part = decompose(frame, "a", "loss")
    assert (part["seeds"], part["left_out"]) == (11, 1)
    assert "1 seed(s) that lack a data set" in part["note"]
    few = decompose(frame[~((frame["data_seed"] == 2) & (frame["seed"] > 2))], "a", "loss")
    assert few["reason"].startswith("2 seed(s) with all of 4 data set(s), at least 5")
    assert "weights" not in few
    assert decompose(frame.assign(loss=0.1 + 0.2), "a", "loss")["reason"] == "constant"
    assert design_of(frame) == "crossed"
    assert design_of(frame[frame["data_seed"] == 2]) == "fixed"
    assert design_of(frame.assign(data_seed=frame["seed"])) == "per_seed"


def test_effects_of_weights_and_data_have_the_f_tests_of_a_two_way_analysis() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(20, 1)) + 0.2 * rng.normal(size=(1, 4)) + rng.normal(size=(20, 4))
    frame = pd.DataFrame({"y": table.ravel(), "w": np.repeat(np.arange(20), 4), "d": np.tile(np.arange(4), 20)})
    expected = anova_lm(ols("y ~ C(w) + C(d)", frame).fit())
    found = f_tests(table)
    for name, row in (("weights", "C(w)"), ("data", "C(d)")):
        assert (found[name]["df"], found[name]["df_rest"]) == (expected.loc[row, "df"], 57)
        assert found[name]["f"] == pytest.approx(expected.loc[row, "F"], rel=1e-9)
        assert found[name]["p"] == pytest.approx(expected.loc[row, "PR(>F)"], rel=1e-8)
    assert f_tests(np.arange(5.0)[:, None] + np.zeros((5, 3))) == {}  # nothing is left over to test against
    rows = pd.DataFrame({"cell": "a", "seed": frame["w"], "data_seed": frame["d"], "x": frame["y"]})
    analysis = {"variance": [decompose(rows, "a", "x")]}
    (text,) = (dict(zip(sheet.headings, sheet.rows[0], strict=True)) for sheet in [variance_sheet(analysis)])
    f, p = expected.loc["C(w)", ["F", "PR(>F)"]]
    assert p < 0.001
    assert text["F test of weights"] == f"F(19, 57) = {f:.{0 if f >= 9.95 else 1}f}, p <.001"
    assert text["F test of data"].startswith("F(3, 57) = ")


def test_f_tests_keep_their_level() -> None:
    rng = np.random.default_rng(1)
    p = np.array([[e["p"] for e in f_tests(rng.normal(size=(20, 4))).values()] for _ in range(1000)])
    assert ((p < 0.05).mean(axis=0) < 0.07).all()
    assert ((p < 0.05).mean(axis=0) > 0.03).all()


def test_data_effects_of_a_crossed_design_are_no_link_between_seeds() -> None:
    """Random effects of three data sets on predictor and outcome, seeds that say nothing: intervals must hold zero."""
    held = 0
    for study in range(60):
        generator = np.random.default_rng(study)
        data_effects, values = 3 * generator.normal(size=(4, 1, 3)), generator.normal(size=(4, 20, 3))
        x1, x2, y1, y2 = (values + data_effects).reshape(4, -1)
        pairs = Pairs(x1, x2, y1, y2, np.repeat(np.arange(20), 3), np.tile(np.arange(3), 20))
        (found,) = estimates([within_first], pairs, resamples=500)
        held += found.low <= 0 <= found.high
    assert held / 60 > 0.85


def test_power_inverts_the_expected_width() -> None:
    for r, width in ((0.0, 0.2), (0.5, 0.2), (0.9, 0.05), (-0.3, 1.0)):
        n = pairs_needed(r, width)
        assert expected_width(r, n) <= width < expected_width(r, n - 1)
    assert 370 < pairs_needed(0, 0.2) < 400  # about 385 pairs, as the source notes say
    for r, width in ((1.0, 0.2), (0.5, 0.0), (0.5, 2.0)):
        with pytest.raises(ValueError, match="must be"):
            pairs_needed(r, width)


def test_the_promised_width_is_what_bootstrap_intervals_have() -> None:
    n = pairs_needed(0.5, 0.3)
    widths = []
    for seed in range(60):
        (found,) = estimates([centred], some_pairs(n=n, seed=seed, link=0.5), resamples=1000)
        widths.append(found.high - found.low)
    assert np.mean(widths) == pytest.approx(0.3, rel=0.08)


def test_rounding_is_no_signal_and_contrasts_of_rows_get_no_verdicts() -> None:
    x = np.where(np.arange(12) % 2, 0.3, 0.1 + 0.2)
    y = np.random.default_rng(0).normal(size=12)
    pairs = Pairs(x, np.zeros(12), y, np.zeros(12), np.arange(12), np.zeros(12, dtype=int))
    found = estimates([centred, within_first], pairs)
    assert [e.reason for e in found] == ["constant", "constant"]
    assert rank_correlation(pairs, "spearman").reason == "constant"
    frame = pd.DataFrame({"cell": np.repeat(["large", "standard"], 12), "seed": np.tile(np.arange(12), 2)})
    frame["data_seed"] = frame["seed"]
    frame["silhouette_eig"], frame["loss_single_test"] = np.random.default_rng(1).normal(size=(2, 24))
    analysis = analyse(frame, contrasts_of_rows(frame), resamples=100, permutation_count=100)
    assert analysis["results"]
    assert analysis["verdicts"] == []


def test_strata_are_taken_out_of_every_part() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 2, 40)) + 5 * (np.arange(40) >= 20)
    pairs = Pairs(x[0], x[1] + 1, y[0], y[1] + 1, np.tile(np.arange(20), 2), np.repeat([0, 1], 20))
    assert abs(float(raw_within(pairs, np.ones(40)))) < 0.25
    rows = pd.DataFrame({"seed": np.tile(np.arange(20), 2), "stratum": np.repeat([0, 1], 20)})
    noise = generator.normal(size=(2, 40, 2))
    for side, values, shift in (("first", noise[0], 10.0), ("second", noise[1], 0.0)):
        rows[f"silhouette_x_{side}"] = values[:, 0] + shift * rows["stratum"]
        rows[f"repeat_data_x_{side}"] = [[v] for v in values[:, 1] + shift * rows["stratum"]]
    assert reliability(rows, "silhouette_x", "data").value < 0.5  # the shift between strata is no reliability
    rows["diverged_first"] = [True] + [False] * 39
    assert reliability(rows, "silhouette_x", "data").n == 39


@pytest.mark.parametrize("design", ["per_seed", "fixed", "crossed"])
def test_a_sweep_is_analysed_as_the_design_it_is(design: str) -> None:
    raw = yaml.safe_load(SMALL) | {"data": design, "data_seeds": 3 if design == "crossed" else 1, "seeds": 5}
    raw["settings"] |= {"estimators": ["svd_right", "inputs"], "data_redraws": 1}
    plan = make_plan(parse_sweep(raw))
    rows = [row for block in plan.blocks() for row in rows_of(run_block(block), "small", {})]
    analysis = analyse(pd.DataFrame(rows), plan.contrasts, resamples=300, permutation_count=300)
    assert analysis["design"]["name"] == design
    found = [r for r in analysis["results"] if r["statistic"] == "centred" and r["predictor"] == "silhouette_svd_right"]
    assert {(r["n"], r["seeds"]) for r in found} == {(15, 5) if design == "crossed" else (5, 5)}
    assert bool(analysis["variance"]) == (design == "crossed")
    for entry in analysis["variance"]:
        shares = [entry[name]["share"] for name in ("weights", "data", "both") if name in entry]
        assert sum(shares) == pytest.approx(1) if shares else entry["reason"]
    weightless = [e for e in analysis["variance"] if e["column"] == "silhouette_inputs"]
    for entry in weightless:
        assert entry["data"]["share"] == pytest.approx(1)  # the control knows the data and nothing of the weights
    for result in analysis["results"]:
        numbers = (result["value"], result["low"], result["high"])
        assert all(number is None or np.isfinite(number) for number in numbers)
        assert result["value"] is not None or result["reason"]
        assert result["low"] is not None or result["reason"]
