"""Simulated pairs with known truth. The slow suite asserts what each method promises; run it with `-m slow`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from study.analysis import _joint_permutation, _r20_null
from study.comparisons import comparisons_of
from study.contrasts import Contrast
from study.statistics.correlations import r20
from study.statistics.intervals import estimates
from study.statistics.mixed import mixed_model
from study.statistics.ranks import rank_correlation
from study.statistics.simulation import (
    SHAPES,
    coverage,
    family_wise_error,
    shift_study,
    simulated_pairs,
    type_one_error,
)
from tests.study.conftest import study_here

REPETITIONS = 2000


@pytest.mark.parametrize("shape", SHAPES)
def test_simulated_pairs_have_their_true_correlation_and_shift(shape: str) -> None:
    pairs = simulated_pairs(np.random.default_rng(0), 200_000, 0.3, 2.0, shape)
    assert np.corrcoef(pairs.dx, pairs.dy)[0, 1] == pytest.approx(0.3, abs=0.02)
    assert (pairs.dx.mean(), pairs.dx.std()) == (pytest.approx(2, abs=0.02), pytest.approx(1, abs=0.02))


def test_r20_grows_with_the_shift_and_the_centred_correlation_does_not() -> None:
    """The figures of the source notes: .51, .81, .91, .97 without any seed-level link."""
    found = {p["shift"]: p for p in shift_study([1.0, 2.0, 3.0, 5.0], [0.0], 10, 400)}
    for shift, expected in {1.0: 0.51, 2.0: 0.81, 3.0: 0.91, 5.0: 0.97}.items():
        assert found[shift]["r20"]["median"] == pytest.approx(expected, abs=0.04)
        assert abs(found[shift]["centred"]["median"]) < 0.06


def test_calibrate_writes_its_pictures_and_numbers(tmp_path: Path) -> None:
    done = study_here("calibrate", "--out", tmp_path, "--repetitions", "8")
    assert done.returncode == 0
    for name in ("shift.svg", "shift.png", "coverage.svg", "coverage.png", "calibration.md"):
        assert (tmp_path / name).stat().st_size > 500
    assert len(json.loads((tmp_path / "calibration.json").read_text())["coverage"]) == 36
    assert study_here("calibrate", "--repetitions", "1").returncode == 2


def test_power_command_says_how_many_pairs() -> None:
    assert "385 pairs" in study_here("power", "--r", "0", "--width", "0.2").stdout
    refused = study_here("power", "--r", "1.5", "--width", "0.2")
    assert refused.returncode == 2
    assert "--r = 1.5: must be above -1 and below 1" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("true_r", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("n", [100, 400])
@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_intervals_cover_what_they_promise(n: int, true_r: float, shift: float) -> None:
    """Normal differences: 93 to 97.5 %, whatever the mean shift."""
    assert 0.93 <= coverage(n, true_r, "normal", shift, REPETITIONS)["coverage"] <= 0.975


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [10, 30, 100, 400])
def test_p_values_reject_five_percent_of_nulls(n: int, shape: str) -> None:
    margin = 0.01 + 2.6 * np.sqrt(0.05 * 0.95 / REPETITIONS)
    errors = type_one_error(n, shape, REPETITIONS)
    assert errors["permutation"] == pytest.approx(0.05, abs=margin)
    if shape != "skewed":  # sign flips promise their level for symmetric differences only
        assert errors["sign_flip"] == pytest.approx(0.05, abs=margin)


@pytest.mark.slow
@pytest.mark.parametrize("dependence", [0.0, 0.5, 0.95])
def test_max_t_keeps_the_family_wise_error_under_dependence(dependence: float) -> None:
    margin = 0.01 + 2.6 * np.sqrt(0.05 * 0.95 / REPETITIONS)
    assert family_wise_error(40, 10, dependence, REPETITIONS) == pytest.approx(0.05, abs=margin)


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 30, 100])
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_every_other_p_value_keeps_its_level_too(n: int, shift: float) -> None:
    """The mixed model's within term, Spearman, Kendall and the place of r20 among permuted pairings; no link, any shift."""
    generator, rejected = np.random.default_rng([n, round(shift)]), np.zeros(4)
    for _ in range(1000):
        pairs = simulated_pairs(generator, n, 0.0, shift)
        (observed,) = estimates([r20], pairs, resamples=50)
        ps = (
            mixed_model(pairs)["within"].p,
            rank_correlation(pairs, "spearman").p,
            rank_correlation(pairs, "kendall").p,
            _r20_null(pairs, observed, 999).p,
        )
        rejected += [p is not None and p < 0.05 for p in ps]
    margin = 0.01 + 2.6 * np.sqrt(0.05 * 0.95 / 1000)
    np.testing.assert_allclose(rejected / 1000, 0.05, atol=margin)


@pytest.mark.slow
def test_the_family_wise_error_of_a_whole_analysis_with_cells_that_lack_seeds() -> None:
    """Two contrasts with different seeds, two predictors, two phases, no link anywhere: any p_fwer below .05?"""
    wrong, repetitions = 0, 300
    for repetition in range(repetitions):
        generator, parts = np.random.default_rng(repetition), []
        for cell, seeds in (("a", 30), ("b", 30), ("c", 12), ("d", 12)):
            part = pd.DataFrame({"cell": cell, "seed": range(seeds), "data_seed": range(seeds)})
            part[["silhouette_x", "silhouette_y", "loss_one_test", "loss_two_test"]] = generator.normal(size=(seeds, 4))
            parts.append(part)
        contrasts = (Contrast("ab", (("a", "b"),), {}), Contrast("cd", (("c", "d"),), {}))
        found = _joint_permutation(comparisons_of(pd.concat(parts), contrasts), np.arange(30), 400, None)
        assert len(found) == 2 * 2 * 2 * 3
        wrong += min(p["p_fwer"] for p in found.values()) < 0.05
    assert wrong / repetitions == pytest.approx(0.05, abs=0.01 + 2.6 * np.sqrt(0.05 * 0.95 / repetitions))
