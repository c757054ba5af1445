"""The `analyse` command: every table again from rows, ours or made elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from study.rows import RowsError, read_rows
from study.running import analysed
from study.tables import both_counts, cell_sheet, condition_sheet, notes, replication_sheet, seed_sheet, sentence
from tests.study.conftest import study, study_here


def test_analyse_rebuilds_the_tables_from_the_rows(small_run: tuple[Path, str], tmp_path: Path) -> None:
    out, printed = small_run
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    before = (copy / "analysis.json").read_text()
    (copy / "analysis.json").unlink()
    done = study("analyse", copy)
    assert done.returncode == 0
    assert (copy / "analysis.json").read_text() == before
    found = printed[printed.index("Do the conditions differ") : printed.index("To know")]
    verdicts = printed[printed.index("All 5 verdicts") : printed.index("Done in")]
    assert found in done.stdout
    assert done.stdout.endswith(verdicts)
    every = study_here("analyse", copy, "--tables").stdout
    for text in ("small: standard against large, test loss. Seed level", "P values: ", "Estimator eig, test loss", found):
        assert text in every
    assert (copy / "analysis.md").read_text().startswith("Do the conditions differ (small: standard against large)?")
    in_file = (copy / "analysis.md").read_text()
    assert "| phase | estimator | pairs | r20 |" in in_file
    assert "unseen loss" in in_file


def test_analyse_works_on_rows_made_elsewhere(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    (tmp_path / "rows").mkdir()
    frame = pd.DataFrame({"cell": ["a"] * 8 + ["b"] * 8, "seed": [*range(8)] * 2})
    frame["silhouette_eig"], frame["loss_single_test"] = generator.normal(size=(2, 16))
    frame.to_parquet(tmp_path / "rows" / "mine.parquet")
    done = study_here("analyse", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a against b" in done.stdout
    analysis = json.loads((tmp_path / "analysis.json").read_text())
    primary = next(r for r in analysis["results"] if r["statistic"] == "centred")
    named = {name: primary[name] for name in ("contrast", "phase", "outcome", "predictor")}
    for p, text in ((0.25, ", p = .250, "), (None, ", 8 pairs")):  # without a p value nothing is said of one
        found = {"primary": named, "results": [primary | {"p": p, "primary": True}]}
        (line,) = [line for line in notes(analysis | found) if line.startswith("Primary comparison")]
        assert text in line
        assert ("p = " in line) == (p is not None)
    assert study_here("analyse", tmp_path / "nothing").returncode == 2


def test_analyse_works_with_unseen_losses_only_and_refuses_rows_without_any(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    (tmp_path / "rows").mkdir()
    frame = pd.DataFrame({"cell": ["a"] * 8 + ["b"] * 8, "seed": [*range(8)] * 2})
    frame["silhouette_mine"], frame["loss_x_unseen"] = generator.normal(size=(2, 16))
    frame.to_parquet(tmp_path / "rows" / "mine.parquet")
    done = study_here("analyse", tmp_path)
    assert done.returncode == 0
    assert "for x loss on unseen patterns, 8 pairs" in " ".join(done.stdout.split())
    assert "a against b, unseen loss" in study_here("analyse", tmp_path, "--tables").stdout
    assert "could be computed" not in done.stdout
    for column in ("silhouette_mine", "loss_x_unseen"):
        frame.drop(columns=column).to_parquet(tmp_path / "rows" / "mine.parquet")
        refused = study_here("analyse", tmp_path)
        assert refused.returncode == 2
        assert "rows need a column silhouette_<estimator>" in refused.stderr


def test_predictors_without_a_silhouette_have_a_sentence_that_is_true_and_a_page(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    (tmp_path / "rows").mkdir()
    frame = pd.DataFrame({"cell": ["a"] * 20 + ["b"] * 20, "seed": [*range(20)] * 2, "data_seed": [*range(20)] * 2})
    frame["predictor_x_trace"], noise = generator.normal(size=(2, 40))
    frame = frame.assign(loss_x_test=(frame["predictor_x_trace"] + noise / 99), predictor_x_none=1.0)
    frame.to_parquet(tmp_path / "rows" / "mine.parquet")
    done = study_here("analyse", tmp_path)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "Not asked: the rows hold no silhouette. Of 2 predictors at t = 0, held-out seeds confirm: trace." in said
    assert "could be computed" not in said  # the ranking is of nothing but correlations
    every = " ".join(study_here("analyse", tmp_path, "--tables").stdout.split())
    assert "of 3 seed-level correlations of predictors at t = 0, in 1 ranking(s), 3 have a family-wise p below .05" in every
    done = study_here("report", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "4: the rows hold no silhouette" in done.stdout
    assert "ranking: not drawn" not in done.stdout
    assert "of 3 seed-level correlations" in (page := (tmp_path / "report.html").read_text())
    assert page.index("Ranking, a against b, x test loss") < page.index("Methods</h2>")


def test_every_table_counts_the_pairs_of_its_own_statistics() -> None:
    """Pairs that are alone on their data set count for what is said of conditions, not for what is said of seeds."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"cell": ["a"] * 40 + ["b"] * 40, "seed": [*range(40)] * 2})
    frame["data_seed"] = np.where(frame["seed"] < 10, frame["seed"] // 2, frame["seed"])
    frame["silhouette_eig"], frame["loss_x_test"] = generator.lognormal(size=(2, 80))
    analysis = analysed(frame, None, Path())
    sheets = [kind(analysis, "a against b", "test") for kind in (condition_sheet, replication_sheet, seed_sheet)]
    assert [sheet and sheet.rows[0][2] for sheet in sheets] == ["40", "40", "10"]
    row = {r["statistic"]: r for r in analysis["results"]}
    assert both_counts(row) == "40; 10 for seeds"
    assert row["r20"]["n"] == 40


def test_a_loss_without_a_phase_is_not_used_and_so_not_shown() -> None:
    frame = pd.DataFrame({"cell": ["a"] * 6, "seed": range(6), "data_seed": 0, "loss_test": 1.0, "silhouette_eig": 0.0})
    analysis = analysed(frame.assign(loss_x_test=np.arange(6.0)), None, Path())
    assert list(analysis["cells"][0]["columns"]) == ["silhouette_eig", "loss_x_test"]
    assert sentence(analysis)


def test_steps_of_measurement_ascend(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    frame = pd.DataFrame({"cell": ["a"] * 2, "seed": [0, 1], "structure_x_silhouette_eig": [[0.1, 0.2]] * 2})
    for steps, fine in (([0, 5], True), ([5, 0], False), ([5, 5], False)):
        frame.assign(structure_x_steps=[steps] * 2).to_parquet(tmp_path / "rows" / "mine.parquet")
        if fine:
            assert len(read_rows(tmp_path)) == 2
            continue
        with pytest.raises(RowsError, match="structure_x_steps must hold steps in ascending order, each once"):
            read_rows(tmp_path)


def test_means_of_cells_say_over_how_many_networks_where_some_are_undefined() -> None:
    frame = pd.DataFrame({"cell": ["a"] * 8, "seed": range(8), "data_seed": 0, "loss_x_test": np.arange(8.0)})
    frame["silhouette_eig"] = [np.nan, np.inf, *np.linspace(0.2, 0.4, 6)]
    (row,) = cell_sheet(analysed(frame.assign(diverged=[False] * 7 + [True]), None, Path())).rows
    assert row[1:3] == ["8", "1"]
    assert row[3].endswith(", n = 5")
    assert "n =" not in row[4]
