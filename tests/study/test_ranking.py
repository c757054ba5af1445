"""The ranking of predictors: against corrcoef, against a known truth, and through the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import yaml

from study.analysis import analyse
from study.candidates import candidates_of, columns_by_phase, spoken
from study.contrasts import Contrast
from study.figures.confirmation import confirmation as confirmation_figure
from study.figures.pattern_agreement import pattern_agreement as agreement_figure
from study.figures.ranking import ranking as ranking_figure
from study.figures.study import Drawn, Missing, Study
from study.plan import make_plan
from study.predictor_cost import FILE, STEPS, costs_of, measured_costs
from study.ranking import ranking
from study.ranking_sheets import confined_text, excluded_above, ranking_frame, ranking_notes, ranking_sheets, title_of
from study.statistics.simultaneous import CONSTANT_REASON, columns_of, correlations, family_wise, simultaneous
from study.sweep_file import parse_sweep
from study.trial import rows_of, run_block
from tests.study.conftest import SMALL, study_here

CONTRAST = (Contrast("c", (("a", "b"),), {}),)
STEPS_OF_CURVE = [0, 1, 3, 9, 28, 95, 310, 1000]
PHASES = ("single", "multi")


def rows(n: int = 60, link: float = 1.0, noise: int = 3, seed: int = 0) -> pd.DataFrame:
    """Two cells; `good` says which seed does better in `single` alone, the losses of little training say a part of it."""
    rng = np.random.default_rng(seed)
    parts = []
    for cell in "ab":
        part: dict[str, Any] = {"cell": cell, "seed": np.arange(n), "data_seed": np.arange(n), "diverged": False}
        part |= {"init_scale": 1.0 if cell == "a" else 10.0, "silhouette_eig": rng.normal(size=n), "silhouette_inputs": 0.25}
        for phase in PHASES:
            quality = rng.normal(size=n)
            part[f"loss_{phase}_test"] = rng.normal(size=n)
            part[f"loss_{phase}_unseen"] = quality + 0.5 * rng.normal(size=n) + 5 * (cell == "a")
            part[f"predictor_{phase}_good"] = link * quality * (phase == "single") + 0.5 * rng.normal(size=n)
            part |= {f"predictor_{phase}_noise_{k}": rng.normal(size=n) + 3 * k * (cell == "a") for k in range(noise)}
            part[f"curve_{phase}_steps"] = [STEPS_OF_CURVE] * n
            for kind in ("train", "test"):
                part[f"curve_{phase}_{kind}"] = list(quality[:, None] + (8 - np.arange(8)) * rng.normal(size=(n, 8)))
            part[f"agreement_{phase}_linear"] = 0.4 + 0.1 * rng.normal(size=n)
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def found(frame: pd.DataFrame, costs: dict[str, float] | None = None) -> dict[str, Any]:
    by_cell = {cell: costs or {} for cell in "ab"}
    result = ranking(frame, CONTRAST, "silhouette_eig", by_cell, resamples=400, permutation_count=400)
    assert result is not None
    return result


def entry(table: dict[str, Any], column: str, statistic: str) -> dict[str, Any]:
    (one,) = (e for e in table["entries"] if (e["column"], e["statistic"]) == (column, statistic))
    return one


@pytest.fixture(scope="module")
def ranked() -> dict[str, Any]:
    return found(rows(), {"predictor_single_good": 500.0, "predictor_multi_good": 20.0})


def test_correlations_are_those_of_numpy_and_hold_strata_and_gaps() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 3, 40))
    x[1, 5] = np.nan
    stratum = np.repeat([0, 1], 20)
    x[2] += 100 * stratum
    r = correlations(columns_of(x, y, np.arange(40), np.zeros(40, np.int64)), np.ones((1, 40)))[0][0]
    kept = np.arange(40) != 5
    assert r[:2] == pytest.approx([np.corrcoef(x[0], y[0])[0, 1], np.corrcoef(x[1, kept], y[1, kept])[0, 1]], rel=1e-10)
    by_stratum = correlations(columns_of(x, y, np.arange(40), stratum), np.ones((1, 40)))[0][0, 2]
    rest = [values - np.where(stratum, values[20:].mean(), values[:20].mean()) for values in (x[2], y[2])]
    assert by_stratum == pytest.approx(np.corrcoef(*rest)[0, 1], rel=1e-9)


def test_standard_errors_are_those_of_the_bootstrap_and_take_seeds_as_wholes() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(1, 400))
    y = 0.6 * x + 0.8 * rng.normal(size=x.shape)
    once = columns_of(x, y, np.arange(400), np.zeros(400, np.int64))
    (r,), (error,) = (part[0] for part in correlations(once, np.ones((1, 400))))
    draws = correlations(once, rng.multinomial(400, np.full(400, 1 / 400), size=600).astype(float))[0]
    assert error == pytest.approx(np.arctanh(draws).std(), rel=0.12)
    # Every pair twice under the same seed: no more is known, and the error says so.
    twice = columns_of(*(np.tile(v, 2) for v in (x, y)), np.tile(np.arange(400), 2), np.zeros(800, np.int64))
    again = correlations(twice, np.ones((1, 400)))
    assert (again[0][0, 0], again[1][0, 0]) == pytest.approx((r, error), rel=1e-9)


def simulated(rng: np.random.Generator, n: int, candidates: int) -> tuple[Any, np.ndarray]:
    """Columns of a study in which candidate c correlates with the outcome as truth[c] says, in all three statistics."""
    truth = np.linspace(-0.6, 0.6, candidates)[:, None, None]
    y = rng.normal(size=(2, n))
    x = truth * y + np.sqrt(1 - truth**2) * (
        0.7 * rng.normal(size=(2, n)) + np.sqrt(0.51) * rng.normal(size=(candidates, 2, n))
    )
    both = [np.concatenate([v[..., 0, :] - v[..., 1, :], v[..., 0, :], v[..., 1, :]]) for v in (x, np.broadcast_to(y, x.shape))]
    return columns_of(*both, np.arange(n), np.zeros(n, dtype=np.int64)), np.tile(truth[:, 0, 0], 3)


def coverage(n: int, candidates: int, repetitions: int, resamples: int) -> float:
    rng, held = np.random.default_rng(3), 0
    for repetition in range(repetitions):
        columns, truth = simulated(rng, n, candidates)
        intervals = simultaneous(columns, resamples, repetition % 4)
        held += bool(((intervals.low <= truth) & (truth <= intervals.high)).all())
    return held / repetitions


def test_simultaneous_intervals_hold_all_truths_together() -> None:
    assert 0.87 <= coverage(n=60, candidates=5, repetitions=100, resamples=300) <= 0.995


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 100, 200])
def test_simultaneous_intervals_hold_all_truths_together_in_95_of_100_studies(n: int) -> None:
    assert 0.925 <= coverage(n, candidates=12, repetitions=600, resamples=600) <= 0.98


def test_more_candidates_make_wider_intervals_and_larger_p() -> None:
    columns, _ = simulated(np.random.default_rng(4), 80, 12)
    few, many = simultaneous(columns.take([0]), 400), simultaneous(columns, 400)
    assert few.family == 1
    assert many.family == 36
    assert few.critical < many.critical
    own, adjusted = family_wise(columns, 400)
    assert (own <= adjusted).all()
    assert (own < adjusted).any()


def test_the_column_that_widens_all_intervals_is_named_and_one_of_few_values_left_out() -> None:
    frame = rows(noise=2)
    rng = np.random.default_rng(8)
    frame["predictor_single_switch"] = (rng.random(120) < 0.3).astype(float)
    spikes = frame["seed"].isin([1, 9, 22, 33, 44]) & (frame["cell"] == "a")
    frame["predictor_single_spike"] = 1e-3 * rng.normal(size=120) + spikes
    table = found(frame)["tables"][0]
    binary = entry(table, "predictor_single_switch", "within_first")
    assert binary["reason"] == "2 distinct value(s), simultaneous intervals need 5"
    assert binary["value"] is not None
    assert entry(table, "predictor_single_switch", "centred")["reason"].startswith("3 distinct value(s)")
    widened = table["widened_by"]
    assert widened["name"] == "spike"
    assert widened["critical_without"] < 0.95 * table["critical"]
    quiet = found(frame.drop(columns=["predictor_single_spike"]))["tables"][0]
    assert quiet["widened_by"] is None
    assert quiet["critical"] < 0.95 * table["critical"]
    analysis = {"ranking": found(frame), "leading_predictor": "silhouette_eig"}
    lines = ranking_notes(analysis)
    assert any("spike" in line and "widens every interval of the table" in line for line in lines)
    assert any("too few distinct values for an interval in switch" in line for line in lines)


def test_every_number_of_a_table_is_that_of_its_columns(ranked: dict[str, Any]) -> None:
    frame = rows()
    a, b = (frame[frame["cell"] == cell].reset_index() for cell in "ab")
    table = ranked["tables"][0]
    assert (table["phase"], table["outcome"], table["pairs"]) == ("single", "unseen", 60)
    x, y = (a[name] - b[name] for name in ("predictor_single_good", "loss_single_unseen"))
    e = entry(table, "predictor_single_good", "centred")
    assert e["value"] == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-9)
    assert e["low"] < e["value"] < e["high"]
    within = entry(table, "predictor_single_good", "within_second")
    assert within["value"] == pytest.approx(np.corrcoef(b["predictor_single_good"], b["loss_single_unseen"])[0, 1], rel=1e-9)
    assert entry(table, "predictor_single_noise_2", "d_z")["value"] == pytest.approx(
        (a["predictor_single_noise_2"] - b["predictor_single_noise_2"]).pipe(lambda d: d.mean() / d.std()), rel=1e-9
    )
    # The condition alone gives a large r20 and says nothing of seeds.
    assert entry(table, "condition_label", "r20")["value"] > 0.9
    assert {e["rank"] for e in table["entries"] if e["statistic"] == "centred"} == {None, *range(1, 14)}


def test_what_is_constant_says_so_instead_of_giving_a_number(ranked: dict[str, Any]) -> None:
    for column in ("init_scale", "silhouette_inputs", "condition_label"):
        for statistic in ("centred", "within_first", "within_second"):
            e = entry(ranked["tables"][0], column, statistic)
            assert (e["value"], e["low"], e["p"], e["reason"]) == (None, None, None, CONSTANT_REASON)


def test_early_training_is_read_at_the_nearest_recorded_step_and_costs_all_training_before_it() -> None:
    frame, candidates = candidates_of(rows(), "multi", (("a", "b"),), {})
    early = {c.name: c for c in candidates if c.kind == "early training"}
    assert {name: c.step for name, c in early.items() if "test" in name} == {
        "early_test_1": "9", "early_test_3": "28", "early_test_10": "95", "early_test_30": "310",
    }  # fmt: skip
    assert early["early_train_10"].cost == 1095
    assert frame["early_train_10"].tolist() == [curve[5] for curve in frame["curve_multi_train"]]
    # Two turns a phase: step 310 of 1,000 lies in the first turn, before it half of the other phase.
    _, candidates = candidates_of(rows().assign(cycles=2), "multi", (("a", "b"),), {})
    assert next(c.cost for c in candidates if c.name == "early_test_30") == 810


def test_shares_that_fall_on_the_same_step_are_one_row() -> None:
    frame = rows(12)
    for phase in PHASES:
        frame[f"curve_{phase}_steps"] = [[0, 30, 100]] * len(frame)
        for kind in ("train", "test"):
            frame[f"curve_{phase}_{kind}"] = [curve[:3] for curve in frame[f"curve_{phase}_{kind}"]]
    extended, candidates = candidates_of(frame, "single", (("a", "b"),), {})
    early = [c for c in candidates if c.kind == "early training" and "train" in c.name]
    assert [(c.name, c.step) for c in early] == [("early_train_1_3_10", "0"), ("early_train_30", "30")]
    assert spoken(early[0].name) == "train loss at 1, 3, 10 %"
    assert extended["early_train_1_3_10"].tolist() == [curve[0] for curve in frame["curve_single_train"]]
    # One network in which they differ keeps them apart.
    frame.at[0, "curve_single_steps"] = [0, 1, 10]
    assert len([c for c in candidates_of(frame, "single", (("a", "b"),), {})[1] if c.kind == "early training"]) == 6


def test_costs_are_those_of_the_contrasts_own_networks() -> None:
    column = "predictor_single_good"
    costs = {"a": {column: 10.0}, "b": {column: 30.0}}
    for known, expected in ((costs, 20.0), ({"a": costs["a"]}, None), ({}, None)):
        _, candidates = candidates_of(rows(6), "single", (("a", "b"),), known)
        assert next(c.cost for c in candidates if c.column == column) == expected


def test_networks_that_were_not_measured_have_no_costs(tmp_path: Path) -> None:
    raw = yaml.safe_load(SMALL)
    raw["cells"]["wide"] = {"hidden_units": 40}
    plan = make_plan(parse_sweep(raw))
    (tmp_path / FILE).write_text(json.dumps({f"silhouette_{name}": 298.0 for name in ("eig", "svd_right", "inputs")}))
    frame = pd.DataFrame([row for b in plan.blocks()[::3] for row in rows_of(run_block(b), "small", {})])
    assert set(frame["cell"]) == {"standard", "large", "wide"}
    assert set(costs_of(frame, plan, tmp_path)) == {"standard", "large"}
    # Networks of another kind under the same names, analysed with this sweep's contrasts.
    foreign = frame[["cell", "seed", "data_seed", "silhouette_eig", "loss_single_test"]]
    assert costs_of(foreign, plan, tmp_path) == costs_of(frame.assign(hidden_units=64), plan, tmp_path) == {}


def test_columns_belong_to_the_longest_phase_that_fits() -> None:
    frame = pd.DataFrame(columns=["loss_a_test", "loss_a_b_test", "predictor_a_x", "predictor_a_b_x"])
    assert columns_by_phase(frame, "predictor") == {"a": {"x": "predictor_a_x"}, "a_b": {"x": "predictor_a_b_x"}}


def test_what_the_lower_half_suggests_is_confirmed_on_the_other_only_where_it_is_there(ranked: dict[str, Any]) -> None:
    single, multi = (table["confirmation"] for table in ranked["tables"])
    assert (single["exploration_seeds"], single["held_out_seeds"]) == (30, 30)
    good = [e for e in single["entries"] if e["name"] == "good"]
    assert {(e["role"], e["verdict"]) for e in good} == {("selected", "confirmed")}
    roles = {role for e in multi["entries"] for role in e["role"].split(", ")}
    assert roles >= {"primary estimator", "best early training"}
    # A link that only the lower half has is selected and not confirmed.
    frame = rows()
    frame.loc[frame["seed"] >= 30, "predictor_single_good"] = np.random.default_rng(5).normal(size=60)
    entries = found(frame)["tables"][0]["confirmation"]["entries"]
    assert {e["verdict"] for e in entries if e["name"] == "good" and e["role"] == "selected"} == {"not confirmed"}


def test_confirmed_here_and_not_there_is_told_by_the_difference(ranked: dict[str, Any]) -> None:
    """`good` speaks of single tasks in both cells: its cells cannot be told apart, its phases can."""
    table = ranked["tables"][0]
    told = {(e["statistic"], e["against_phase"], e["against_statistic"]): e
            for e in table["confirmation"]["confined"] if e["name"] == "good"}  # fmt: skip
    cells, phases = told["within_first", "single", "within_second"], told["within_first", "multi", "within_first"]
    assert cells["low"] < 0 < cells["high"]
    assert phases["low"] > 0
    assert phases["p"] < 0.05 < cells["p"]
    frame = rows()
    a, b = (frame[(frame["cell"] == cell) & (frame["seed"] >= 30)] for cell in "ab")
    r = [np.corrcoef(part["predictor_single_good"], part["loss_single_unseen"])[0, 1] for part in (a, b)]
    assert cells["difference"] == pytest.approx(np.arctanh(r[0]) - np.arctanh(r[1]), rel=1e-6)
    assert "good, within first cannot be told from within second" in confined_text(table, cells)
    assert "good, within first differs from multi" in confined_text(table, phases)
    analysis = {"ranking": ranked, "leading_predictor": "silhouette_eig"}
    assert any("hold there only" in line and "good" in line for line in ranking_notes(analysis))


def test_a_confirmed_predictor_is_compared_with_training_of_no_higher_cost(ranked: dict[str, Any]) -> None:
    e = next(e for e in ranked["tables"][0]["confirmation"]["entries"] if e["name"] == "good" and e["statistic"] == "centred")
    against = e["against"]
    assert against["affordable"]
    assert against["rival_cost"] <= e["cost"] == 500
    frame = rows()
    upper = frame[frame["seed"] >= 30]
    a, b = (upper[upper["cell"] == cell].reset_index() for cell in "ab")
    place, kind = STEPS_OF_CURVE.index(int(against["rival_cost"])), against["rival"].split("_")[1]
    loss = [np.stack(part[f"curve_single_{kind}"])[:, place] for part in (a, b)]
    y = a["loss_single_unseen"] - b["loss_single_unseen"]
    rival = np.corrcoef(loss[0] - loss[1], y)[0, 1]
    assert against["difference"] == pytest.approx(e["held_out"]["value"] - rival, rel=1e-8)
    cheap = found(rows(), {"predictor_single_good": 2.0})["tables"][0]["confirmation"]["entries"]
    assert not next(e for e in cheap if e["name"] == "good")["against"]["affordable"]


def test_without_a_link_nothing_is_confirmed_and_the_exclusion_is_the_farthest_end() -> None:
    table = found(rows(link=0.0, seed=6))["tables"][0]
    assert not any(e["verdict"] == "confirmed" and e["kind"] == "t = 0" for e in table["confirmation"]["entries"])
    ends = [
        max(-e["low"], e["high"])
        for e in table["entries"]
        if (e["kind"], e["statistic"]) == ("t = 0", "centred") and e["low"] is not None
    ]
    assert table["excluded"]["centred"]["largest"] == max(ends)
    assert table["excluded"]["centred"]["candidates"] == len(ends) == 5


def test_diverged_networks_leave_with_their_pair_and_gaps_only_where_they_are() -> None:
    frame = rows()
    frame.loc[3, "diverged"] = True
    frame.loc[10, "predictor_single_good"] = np.nan
    table = found(frame)["tables"][0]
    assert (table["pairs"], table["left_out_diverged"]) == (59, 1)
    assert entry(table, "predictor_single_good", "within_second")["n"] == 58
    assert entry(table, "silhouette_eig", "centred")["n"] == 59


def test_too_few_seeds_get_values_with_a_reason_and_no_interval() -> None:
    table = found(rows(n=6))["tables"][0]
    e = entry(table, "predictor_single_good", "centred")
    assert e["value"] is not None
    assert (e["low"], e["p"]) == (None, None)
    assert "need 10" in e["reason"]
    assert table["excluded"]["centred"] is None
    assert {e["verdict"] for e in table["confirmation"]["entries"]} == {"no interval"}


def test_pairs_alone_on_their_data_do_not_count_in_a_ranking() -> None:
    frame = rows()
    own = entry(found(frame)["tables"][0], "predictor_single_good", "centred")
    met_twice = frame.assign(data_seed=frame["data_seed"].replace(1, 0))
    two = entry(found(met_twice)["tables"][0], "predictor_single_good", "centred")
    assert (own["n"], two["n"], two["value"], two["low"], two["p"]) == (60, 2, None, None, None)
    assert "2 seed(s)" in two["reason"]
    shared = frame.assign(data_seed=np.where(frame["seed"] < 30, frame["seed"] % 3 + 100, frame["seed"]))
    part = entry(found(shared)["tables"][0], "predictor_single_good", "centred")
    assert (part["n"], part["seeds"]) == (30, 30)
    assert part["low"] < part["value"] < part["high"]
    assert part["p"] < 0.05


def test_agreement_is_the_mean_over_seeds(ranked: dict[str, Any]) -> None:
    frame = rows()
    one = next(e for e in ranked["agreement"] if (e["cell"], e["phase"]) == ("b", "multi"))
    assert one["mean"] == pytest.approx(frame.loc[frame["cell"] == "b", "agreement_multi_linear"].mean())
    assert one["low"] < one["mean"] < one["high"]
    assert one["n"] == 60


def test_costs_are_in_steps_of_the_network() -> None:
    def once() -> None:
        sum(range(10_000))

    def many() -> None:
        for _ in range(STEPS):
            once()

    assert 0.3 < measured_costs({"x": once}, many)["x"] < 3  # one such computation is one such step


def test_tables_notes_and_figures_say_what_was_found(ranked: dict[str, Any], tmp_path: Path) -> None:
    frame = rows()
    analysis = analyse(frame, CONTRAST, resamples=300, permutation_count=300)
    short, whole = (list(ranking_sheets(analysis, everything)) for everything in (False, True))
    tables = analysis["ranking"]["tables"]
    assert [len(s.rows) for s in whole if s.title.startswith("Ranking")] == [table["candidates"] for table in tables]
    assert all(10 <= len(s.rows) <= 11 for s in short if s.title.startswith("Ranking"))
    assert any("good (centred r:" in line for line in ranking_notes(analysis))
    assert len(ranking_frame(analysis)) == sum(len(table["entries"]) for table in tables)
    study = Study(tmp_path, frame, analysis, None, "c")
    for function in (ranking_figure, confirmation_figure, agreement_figure):
        drawn = function(study)
        assert isinstance(drawn, Drawn)
        assert "n = 60" in drawn.caption or "held out (n = 30)" in drawn.caption
        plt.close(drawn.figure)
    bare = Study(tmp_path, frame, analysis | {"ranking": None}, None, "c")
    assert isinstance(ranking_figure(bare), Missing)


def test_analyse_and_report_rank_whenever_rows_hold_predictors(small_run: tuple[Path, str], tmp_path: Path) -> None:
    out = tmp_path / "study"
    shutil.copytree(small_run[0], out)
    for path in (out / "rows").rglob("*.parquet"):
        part = pd.read_parquet(path)
        for phase in PHASES:
            part[f"predictor_{phase}_weight_{len(part)}"] = part["silhouette_svd_right"]
        part.to_parquet(path)
    done = study_here("analyse", out, "--tables")
    assert done.returncode == 0, done.stderr
    assert "who says which seed does better" in " ".join(done.stdout.split())
    analysis = (out / "analysis.json").read_text()
    costs = json.loads((out / FILE).read_text())
    assert min(costs[f"silhouette_{name}"] for name in ("eig", "svd_right", "inputs")) > 0
    assert {"centred", "r20", "d_z"} <= set(pd.read_csv(out / "ranking.csv")["statistic"])
    assert "Ranking, small, single unseen loss" in (out / "analysis.md").read_text()
    assert study_here("analyse", out).returncode == 0
    assert (out / "analysis.json").read_text() == analysis


def test_titles_say_how_many_seeds_are_behind_pooled_pairs() -> None:
    table = {"contrast": "all", "phase": "multi", "outcome": "unseen", "pairs": 16, "left_out_diverged": 0}
    assert title_of(table | {"seeds": 8}) == "all, multi unseen loss, 16 pairs of 8 seeds"
    assert title_of(table | {"seeds": 16}) == "all, multi unseen loss, 16 pairs"


def test_what_is_excluded_is_not_rounded_into_the_intervals() -> None:
    assert [excluded_above({"largest": r}) for r in (0.474, 0.476, 0.5)] == [f"|r| above {r}" for r in ("0.48", "0.48", "0.50")]
