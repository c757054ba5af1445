"""Each data set by itself and all pooled: against the functions that answer one data set, and a known truth."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from study.analysis import analyse
from study.by_data_set import by_data_set, of
from study.by_data_sheets import data_set_notes, data_set_sheets
from study.contrasts import Contrast
from study.ranking import ranking
from study.regret import predicts_a_loss
from study.sheets import print_sheet
from study.statistics.pooling import pool_correlations

SEEDS, DATA = 60, 4
TRUE = 0.7


def frame_of(data: int = DATA, seeds: int = SEEDS) -> pd.DataFrame:
    """Seeds that meet every data set; the loss has a part of the seed and data set that one predictor knows and another not."""
    generator = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for cell in ("standard", "large"):
        for data_seed in range(data):
            known, unknown, other = generator.normal(size=(3, seeds))
            level = generator.normal()
            for seed in range(seeds):
                loss = 10 + level + TRUE * known[seed] + np.sqrt(1 - TRUE**2) * unknown[seed]
                rows.append({"cell": cell, "seed": seed, "data_seed": data_seed, "loss_single_unseen": loss,
                             "predictor_single_linear_response": 10 + known[seed], "predictor_single_ntk_trace": other[seed],
                             "silhouette_svd_right": generator.normal(), "loss_single_test": loss + generator.normal(),
                             "diverged": False})  # fmt: skip
    return pd.DataFrame(rows)


CONTRASTS = (Contrast("hidden", (("standard", "large"),), {}),)
FEW = {"resamples": 100, "permutation_count": 99}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    answer = by_data_set(frame_of(), CONTRASTS, {"large": {"predictor_single_linear_response": 24.0}}, 100, 99)
    assert answer is not None
    return answer


def test_each_data_set_is_the_ranking_of_its_rows(found: dict[str, Any]) -> None:
    frame = frame_of()
    alone = ranking(frame[frame["data_seed"] == 2], CONTRASTS, "silhouette_svd_right", {}, 100, 99)
    assert alone is not None
    mine = found["tables"][0]["data_sets"][2]
    assert (mine["data_seed"], mine["pairs"]) == (2, SEEDS)
    theirs = {(e["column"], e["statistic"]): e for e in alone["tables"][0]["entries"]}
    assert len(mine["entries"]) > 6
    for entry in mine["entries"]:
        same = theirs[entry["column"], entry["statistic"]]
        for name in ("value", "low", "high", "p_fwer", "n"):
            assert entry[name] == pytest.approx(same[name]), name


def test_pooled_is_random_effects_over_data_sets_and_finds_the_truth(found: dict[str, Any]) -> None:
    table = found["tables"][0]
    for statistic, truth in (("within_first", TRUE), ("within_second", TRUE), ("centred", TRUE)):
        entry = of(table, statistic, "predictor_single_linear_response")
        assert entry is not None
        values = np.array(entry["by_data_set"])
        assert len(values) == DATA
        oracle = pool_correlations(values, np.full(DATA, 1 / np.sqrt(SEEDS - 3)))
        assert oracle is not None
        assert entry["mean"] == pytest.approx(oracle.mean, abs=0.02)
        assert entry["low"] < truth < entry["high"]
        assert entry["predicted_low"] <= entry["low"]
        assert entry["largest_p_fwer"] <= 0.03
        assert (entry["cost_first"], entry["cost_second"]) == (None, 24.0)
    other = of(table, "centred", "predictor_single_ntk_trace")
    assert other is not None
    assert other["low"] < 0 < other["high"]
    assert of(table, "centred", "condition_label") is None
    assert all("silhouette" not in e["name"] and e["name"] != "ntk_trace" for e in table["regret"])


def test_regret_of_choosing_the_best_of_ten(found: dict[str, Any]) -> None:
    """Against a loop; chance would miss all of the gain."""
    table, frame = found["tables"][0], frame_of()
    entry = next(e for e in table["regret"] if e["cell"] == "large" and e["name"] == "linear_response")
    assert entry["groups"] == SEEDS // 10
    shares = []
    for data_seed in range(DATA):
        rows = frame[(frame["cell"] == "large") & (frame["data_seed"] == data_seed)].sort_values("seed")
        missed = possible = 0.0
        for first in range(0, SEEDS, 10):
            group = rows.iloc[first : first + 10]
            losses = group["loss_single_unseen"]
            chosen = losses.iloc[int(group["predictor_single_linear_response"].argmin())]
            missed, possible = missed + chosen - losses.min(), possible + losses.mean() - losses.min()
        shares.append(missed / possible)
    assert min(shares) <= entry["mean"] <= max(shares)
    assert entry["mean"] < 0.6
    assert predicts_a_loss("early_test_10", "early training")
    assert not predicts_a_loss("silhouette_svd_right", "t = 0")


def test_the_figure_draws_what_the_tables_say() -> None:
    from study.figures.study import Drawn, Missing, Study
    from study.figures.style import plt
    from study.figures.which_seed import which_seed

    frame = frame_of()
    frame["curve_single_steps"] = [[0, 1, 10]] * len(frame)
    frame["curve_single_test"] = [[1.0, 0.5, loss] for loss in frame["loss_single_test"]]
    frame["sweep"], frame["commit"] = "made up", ""
    analysis = analyse(frame, CONTRASTS, resamples=100, permutation_count=99)
    drawn = which_seed(Study(Path("made up"), frame, analysis, None, "hidden"))
    assert isinstance(drawn, Drawn)
    entry = of(analysis["by_data_set"]["tables"][0], "within_second", "predictor_single_linear_response")
    assert entry is not None
    assert f"{entry['mean']:.2f} [{entry['low']:.2f}, {entry['high']:.2f}] within large" in drawn.here
    rows = frame[(frame["cell"] == "large") & (frame["data_seed"] == 0)]
    r = np.corrcoef(rows["predictor_single_linear_response"], rows["loss_single_unseen"])[0, 1]
    assert drawn.figure.axes[1].get_title() == f"r = {r:.2f}, n = {SEEDS}"
    plt.close(drawn.figure)
    assert isinstance(which_seed(Study(Path("x"), frame, analysis | {"by_data_set": None}, None, "hidden")), Missing)


def test_only_crossed_designs_with_enough_seeds_and_data_sets() -> None:
    assert by_data_set(frame_of(data=2), CONTRASTS, None, 100, 99) is None
    assert by_data_set(frame_of(seeds=9), CONTRASTS, None, 100, 99) is None
    frame = frame_of()
    own = frame[frame["data_seed"] == frame["seed"]]
    assert by_data_set(own, CONTRASTS, None, 100, 99) is None
    bare = frame.drop(columns=[name for name in frame if str(name).startswith("predictor_")])
    assert by_data_set(bare, CONTRASTS, None, 100, 99) is None


def test_tables_and_the_answer_say_it() -> None:
    analysis = analyse(frame_of(), CONTRASTS, resamples=100, permutation_count=99)
    sink = StringIO()
    console = Console(file=sink, width=200)
    for everything in (False, True):
        for sheet in data_set_sheets(analysis, everything):
            print_sheet(console, sheet)
    text = sink.getvalue()
    assert "Which seed will do better: hidden, single unseen loss, 60 pairs on each of 4 data sets, pooled" in text
    assert "share of the gain that is missed" in text
    assert "data set 3" in text
    assert "not measured" in text
    assert any(line.startswith("By data set: random effects") for line in data_set_notes(analysis))
    assert list(data_set_sheets({"by_data_set": None}, True)) == []
    assert data_set_notes({}) == []
