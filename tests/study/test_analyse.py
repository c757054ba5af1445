"""The `analyse` command: every table again from rows, ours or made elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from study.tables import notes
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
    table = printed[printed.index("small: standard against large") : printed.index("Files:")]
    assert table in done.stdout
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
    assert "a against b, unseen loss" in done.stdout
    assert "could be computed" not in done.stdout
    for column in ("silhouette_mine", "loss_x_unseen"):
        frame.drop(columns=column).to_parquet(tmp_path / "rows" / "mine.parquet")
        refused = study_here("analyse", tmp_path)
        assert refused.returncode == 2
        assert "rows need a column silhouette_<estimator>" in refused.stderr
