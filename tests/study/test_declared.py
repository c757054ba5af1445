"""Contrasts, a primary and claims for rows made elsewhere: from Python and by `analyse DIR --contrasts FILE`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import study
from study.declared import load_declared
from study.rows import RowsError
from study.sweep import SweepError
from tests.study.conftest import study_here

FILE = """
contrasts:
  size:
    first: small
    second: large
    expect: {silhouette: higher, final: lower}
primary: {contrast: size, phase: final}
"""


def rows(cells: tuple[str, ...] = ("large", "small"), seeds: int = 12) -> pd.DataFrame:
    """Cells whose silhouettes are higher, and losses lower, in `small`."""
    generator = np.random.default_rng(3)
    frame = pd.DataFrame([{"cell": cell, "seed": seed} for cell in cells for seed in range(seeds)])
    up = (frame["cell"] == "small").astype(float)
    frame["silhouette_mine"] = 0.3 + 0.4 * up + 0.05 * generator.normal(size=len(frame))
    frame["loss_final_test"] = 0.5 - 0.2 * up + 0.05 * generator.normal(size=len(frame))
    return frame


def test_pairs_of_a_frame_are_compared_with_what_is_expected() -> None:
    frame = rows()
    before = frame.copy()
    found = study.analyse(frame, {"size": ("small", "large")}, {"silhouette": "higher", "final": "higher"})
    pd.testing.assert_frame_equal(frame, before)
    assert frame.attrs == {}
    by_what = found.verdicts.set_index("about")
    assert by_what.loc["silhouette", "conditions_differ"] == "shown"
    assert by_what.loc["silhouette", "differ_as_expected"]
    assert not by_what.loc["final loss", "differ_as_expected"]
    said = " ".join(found.answer.split())
    assert "small has the higher silhouette" in said
    assert "against what is expected" in said
    r20 = found.results.query("statistic == 'predictor_difference'")
    assert r20["value"].iloc[0] == pytest.approx(0.4, abs=0.05)
    assert found.figure("scatter").axes
    assert found.name == "rows"


def test_without_pairs_every_two_cells_are_compared_and_nothing_is_expected() -> None:
    found = study.analyse(rows(("a", "b", "small")))
    assert len(set(found.results["contrast"])) == 3
    assert set(found.verdicts["differ_as_expected"]) == {None}
    assert "<td>a against b</td>" in found._repr_html_()


def test_rows_of_predictors_alone_have_a_ranking() -> None:
    frame = rows().rename(columns={"silhouette_mine": "predictor_final_mine"})
    found = study.analyse(frame, {"size": ("small", "large")})
    assert "mine" in set(found.results["name"])
    assert found.verdicts.empty
    assert "predictors at t = 0" in found.answer
    assert found._repr_html_()


def test_claims_may_be_of_one_pair_and_a_pair_what_a_sweep_file_says() -> None:
    pairs = {"size": ("small", "large"), "again": {"first": "large", "second": "small"}}
    pairs["both"] = {"pooled": ["size", "again"]}
    claims = {"again": {"silhouette": "lower"}}
    found = study.analyse(rows(), pairs, claims, {"contrast": "size", "phase": "final"})
    of_silhouettes = found.verdicts.query("about == 'silhouette'").set_index("contrast")["differ_as_expected"]
    assert of_silhouettes["again"]
    assert of_silhouettes["size"] is None
    assert set(found.results.query("primary")["contrast"]) == {"size"}


def test_rows_are_read_from_a_folder_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    file = tmp_path / "rows" / "mine.parquet"
    rows().to_parquet(file)
    tables = [study.analyse(place, {"size": ("small", "large")}).results for place in (rows(), tmp_path, str(file))]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], table)
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pairs": {"size": ("smal", "large")}}, "contrasts.size.first = 'smal': no such cell; did you mean 'small'?"),
        ({"pairs": {"size": ("large", "large")}}, "compares the cell 'large' with itself"),
        ({"pairs": {"size": ("large",)}}, "pairs['size'] = ('large',): must be two cells"),
        ({"pairs": {"size": {"first": "large", "second": "small", "axis": "x"}}}, "axis: only a sweep's grid has axes"),
        (
            {"pairs": {"size": ("small", "large")}, "expect": {"finel": "lower"}},
            "expect.finel: no such phase; did you mean 'final'?",
        ),
        ({"pairs": {"size": ("small", "large")}, "expect": {"final": "less"}}, "contrasts.size.expect.final = 'less': must be"),
        ({"pairs": {"size": ("small", "large")}, "expect": {"sze": {}}}, "expect['sze']: no such pair; did you mean 'size'?"),
        ({"expect": {"final": "lower"}}, "expect: says something of pairs, and none are given"),
        (
            {"pairs": {"size": ("small", "large")}, "primary": {"contrast": "sise", "phase": "final"}},
            "primary.contrast = 'sise': allowed: size; did you mean 'size'?",
        ),
        (
            {"pairs": {"size": ("small", "large")}, "primary": {"contrast": "size", "phase": "final", "outcome": "unseen"}},
            "primary.outcome = 'unseen': allowed: test",
        ),
    ],
)
def test_what_the_rows_do_not_have_is_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SweepError, match=re.escape(message)) as caught:
        study.analyse(rows(), **arguments)
    assert "\n" not in str(caught.value)


def test_rows_that_cannot_be_used_are_one_line() -> None:
    for frame, message in (
        (rows().rename(columns={"cell": "Cells"}), "rows: has no column cell; did you mean 'Cells'?"),
        (rows().iloc[:0], "rows: has no rows"),
        (pd.concat([rows(), rows()]), "rows: cell 'large' has seed 0 twice"),
        (rows().assign(loss_final_test="low"), "rows: column loss_final_test must hold numbers"),
        (rows().drop(columns="silhouette_mine"), "rows: rows need a column silhouette_<estimator>"),
        ([1], "rows: must be a DataFrame, or the path"),
    ):
        with pytest.raises(RowsError, match=re.escape(message)):
            study.analyse(frame)


def test_analyse_takes_contrasts_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    rows().to_parquet(tmp_path / "rows" / "mine.parquet")
    file = tmp_path.parent / "contrasts.yaml"
    file.write_text(FILE)
    done = study_here("analyse", tmp_path, "--contrasts", file)
    assert done.returncode == 0, done.stderr
    analysis = json.loads((tmp_path / "analysis.json").read_text())
    assert analysis["contrasts"] == {"size": [["small", "large"]]}
    assert analysis["primary"]["predictor"] == "silhouette_mine"
    assert {v["differ_as_expected"] for v in analysis["verdicts"]} == {True}
    claims = {"silhouette": "higher", "final": "lower"}
    same = study.analyse(rows(), {"size": ("small", "large")}, claims, {"contrast": "size", "phase": "final"})
    assert json.loads(json.dumps(same.analysis)) == analysis
    assert study.open(tmp_path).verdicts.equals(same.verdicts)
    file.write_text(FILE.replace("second: large", "second: lagre"))
    refused = study_here("analyse", tmp_path, "--contrasts", file)
    assert refused.returncode == 2
    assert "contrasts.size.second = 'lagre': no such cell; did you mean 'large'?" in refused.stderr


def test_contrasts_of_a_file_are_refused_where_a_sweep_says_them(small_run: tuple[Path, str], tmp_path: Path) -> None:
    file = tmp_path / "contrasts.yaml"
    file.write_text(FILE)
    refused = study_here("analyse", small_run[0], "--contrasts", file)
    assert refused.returncode == 2
    assert "holds the sweep small, which says what is compared" in refused.stderr
    for text, message in (
        ("primary: {contrast: a, phase: b}", "contrasts: missing, but required"),
        ("contrasts: {}", "contrasts"),
        (FILE + "seeds: 3", "seeds: unknown field; allowed: contrasts, primary"),
        ("contrasts: {a: {first: 010, second: x}}", "is read as"),
        ("contrasts: &x {a: *x}", "aliases are not allowed"),
    ):
        file.write_text(text)
        with pytest.raises(SweepError, match=re.escape(message)):
            load_declared(file)
