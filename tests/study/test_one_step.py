"""The `one-step` command for real: its files, its table, its refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.study.conftest import study, study_here


def test_one_step_writes_the_figure_and_numbers_that_belong_together(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "one_step"
    done = study("one-step", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "seed 9" in done.stdout
    for name in ("figure_1.svg", "figure_1.png"):
        assert (out / name).stat().st_size > 5000
    numbers, curves = json.loads((out / "one_step.json").read_text()), pd.read_csv(out / "curves.csv")
    weighted = curves[[f"weighted_{number}" for number in range(1, 7)]]
    np.testing.assert_allclose(weighted.sum(axis=1), curves["predicted"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(curves["before"] + curves["actual"], curves["after"], rtol=1e-12, atol=1e-12)
    largest = (curves["actual"] - curves["predicted"]).abs().max()
    assert numbers["errors"][0]["largest_error"] == pytest.approx(largest, rel=1e-9)
    assert f"{largest / curves['actual'].abs().max():.4%}" in done.stdout
    assert [e["learning_rate"] for e in numbers["errors"]] == [0.03, 0.015, 0.0075, 0.00375]
    assert numbers["slopes"]["smooth_error"] == pytest.approx(2, abs=0.02)
    assert f"{numbers['slopes']['largest_error']:.2f}" in done.stdout
    at_points = np.interp(numbers["points"]["x"], curves["x"], curves["final"])
    np.testing.assert_allclose(at_points, numbers["points"]["target"], atol=0.01)  # "after training" fits its points


def test_one_step_refuses_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for arguments, message in (
        (("--seed", "-1"), "--seed = -1: must be 0 or more"),
        (("--seed", str(2**63)), "below 2^63"),
        (("--out", tmp_path / "file"), "--out"),
    ):
        refused = study_here("one-step", *arguments)
        assert refused.returncode == 2
        assert message in refused.stderr
        assert refused.stderr.count("\n") == 1
