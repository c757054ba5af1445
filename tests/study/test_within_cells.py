"""Studies in which nothing is compared are complete studies: tables within cells, a page, exit status 0."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from study.analysis import analyse
from study.folder import claim
from study.launch import kind_of
from study.plan import make_plan
from study.rows import read_rows, write_rows
from study.sweep_file import load_sweep
from study.tracking_analysis import numbers_of, tables_of
from tests.study.conftest import SMALL, study_here


def foreign(out: Path, seeds: dict[str, range]) -> pd.DataFrame:
    """Rows of cells made elsewhere, a folder of them."""
    generator = np.random.default_rng(3)
    parts = []
    for cell, own in seeds.items():
        names = ("silhouette_eig", "predictor_multi_coverage", "loss_multi_test")
        parts.append(pd.DataFrame({"cell": cell, "seed": own} | {name: generator.random(len(own)) for name in names}))
    (out / "rows").mkdir(parents=True)
    frame = pd.concat(parts, ignore_index=True)
    frame.to_parquet(out / "rows" / "rows.parquet")
    return frame


@pytest.mark.parametrize(
    ("seeds", "says", "answers"),
    [
        ({"a": range(12)}, "One cell: ", "Not asked: there is one cell, a."),
        (
            {"a": range(12), "b": range(20, 32)},
            "2 cells, of which no two are compared: ",
            "there are 2 cells, no two of them compared",
        ),
    ],
)
def test_cells_that_nothing_is_compared_with_are_analysed_within(
    seeds: dict[str, range], says: str, answers: str, tmp_path: Path
) -> None:
    frame = foreign(tmp_path / "out", seeds)
    done = study_here("analyse", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "Within cells: correlation over seeds" in done.stdout
    assert answers in done.stdout
    assert says in study_here("analyse", tmp_path / "out", "--tables").stdout
    analysis = json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert (analysis["results"], analysis["contrasts"], analysis["outcomes"]) == ([], {}, ["test"])
    assert analysis["family"] == len(analysis["within"]) == 2 * len(seeds)
    for entry in analysis["within"]:
        part = frame[frame["cell"] == entry["cell"]]
        assert entry["value"] == pytest.approx(np.corrcoef(part[entry["predictor"]], part["loss_multi_test"])[0, 1])
        assert entry["low"] < entry["value"] < entry["high"]
        assert 0 < entry["p"] <= entry["p_fwer"] <= 1
        assert entry["n"] == 12
    assert len(pd.read_csv(tmp_path / "out" / "analysis.csv")) == 2 * len(seeds)
    assert len(tables_of(analysis)["within"]) == 2 * len(seeds)
    assert numbers_of(analysis)["within/a/multi/test"] == analysis["within"][1]["value"]
    drawn = study_here("report", tmp_path / "out")
    assert drawn.returncode == 0, drawn.stderr
    page = (tmp_path / "out" / "report.html").read_text()
    assert says in page
    assert "family-wise p" in page
    assert ": no two cells of the study are compared." in drawn.stdout


def test_few_seeds_are_a_reason_and_a_strong_link_is_found(tmp_path: Path) -> None:
    few = analyse(foreign(tmp_path / "few", {"a": range(3)}).assign(data_seed=0), (), resamples=50, permutation_count=50)
    assert {entry["reason"] for entry in few["within"]} == {"3 seed(s), at least 5 needed"}
    frame = foreign(tmp_path / "linked", {"a": range(40)}).assign(data_seed=range(40))
    frame["loss_multi_test"] = 1 - frame["silhouette_eig"] / 10
    (linked,) = (e for e in analyse(frame, ())["within"] if e["predictor"] == "silhouette_eig")
    assert linked["value"] == pytest.approx(-1)
    assert linked["p_fwer"] < 0.001


def test_losses_that_are_all_undefined_are_no_traceback(tmp_path: Path) -> None:
    foreign(tmp_path, {"a": range(6)}).assign(loss_multi_test=np.nan).to_parquet(tmp_path / "rows" / "rows.parquet")
    done = study_here("analyse", tmp_path)
    assert done.returncode == 0
    assert "no correlation with test losses could be computed" in done.stdout
    refused = study_here("report", tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("network", ["multitask", pytest.param("linear", marks=pytest.mark.slow)])
def test_a_sweep_of_one_cell_is_a_complete_study(network: str, tmp_path: Path) -> None:
    raw = {**yaml.safe_load(SMALL), "contrasts": {}, "cells": {"standard": {}}}
    if network == "linear":
        raw = {"name": "small", "network": "linear", "seeds": 6, "cells": {"source": {"steps": 60, "marks": [20, 40]}}}
    path, out = tmp_path / "sweep.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(raw))
    sweep = load_sweep(path)
    claim(out, sweep)
    for block in make_plan(sweep).blocks():  # what is left for `run` is what it does at the end
        kind = kind_of(block)
        write_rows(out, block, kind.rows_of(kind.run_block(block), sweep.name, {}))
    done = study_here("run", path, "--out", out, "--wandb", "disabled")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(read_rows(out)) == 6
    assert (out / "analysis.json").exists()
    drawn = study_here("report", out)
    assert drawn.returncode == 0, drawn.stderr
    if network == "multitask":
        assert "Within cells" in done.stdout
        assert "One cell: no conditions are compared" in (out / "report.html").read_text()
