"""Figures of kept networks: what they are drawn from, their numbers on cases whose answer is known, and real small studies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from pntk.structure.groups import memberships, stated_groups
from pntk.tasks import Environment, encode, legal_patterns
from study.agreement import PREDICTIONS, SPACES, Inputs, agreements
from study.figures.embedding import _within_share, thinned
from study.figures.figure_7 import figure_7
from study.figures.figure_8 import figure_8
from study.figures.figure_9 import figure_9
from study.figures.figure_15 import figure_15
from study.figures.figure_16 import figure_16
from study.figures.figure_20 import figure_20
from study.figures.kept import kept_cells
from study.figures.study import Drawn, Missing, Study
from study.figures.vectors import by_position, explained
from study.kept import write_kept
from study.plan import Block, make_plan
from study.sweep_file import parse_sweep
from study.trial import rows_of, run_block

ENVIRONMENT = Environment()
SWEEP = {
    "name": "kept",
    "seeds": 2,
    "curricula": {"c": {"phases": [{"name": "single", "task_counts": [1], "steps": 60}]}},
    "settings": {
        "curriculum": "c", "hidden_units": 12, "train_patterns": 200, "test_patterns": 200, "estimators": ["svd_right"],
        "keep_seeds": [0, 1], "snapshots": 31, "learning_rate": 0.03,
    },
    "cells": {
        "standard": {"init_scale": 1},
        "large": {"init_scale": 10},
        "large_both": {"init_scale": 10, "scaled_layers": "both"},
        "standard_swapped": {"init_scale": 1, "stimulus_pools": 3, "response_pools": 4},
        "large_swapped": {"init_scale": 10, "stimulus_pools": 3, "response_pools": 4},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder, rows = tmp_path_factory.mktemp("kept"), []
    for cell in make_plan(parse_sweep(SWEEP)).cells:
        result = run_block(Block(cell, cell.draws))
        write_kept(folder, cell.name, result.kept)
        rows += rows_of(result, "kept", {"commit": "abcdef0123456789"})
    return Study(folder, pd.DataFrame(rows), {}, None, "")


def test_kept_cells_are_one_of_each_initialisation(study: Study) -> None:
    usual, swapped = kept_cells(study, swapped=False), kept_cells(study, swapped=True)
    assert not isinstance(usual, Missing)
    assert not isinstance(swapped, Missing)
    assert [cell.name for cell in usual] == ["standard", "large", "large_both"]
    assert [cell.name for cell in swapped] == ["standard_swapped", "large_swapped"]
    assert [draw.seed for draw in usual[0].draws] == [0, 1]
    steps, activity = usual[0].activity(usual[0].draws[0], "task_input")
    assert activity.shape == (31, 36, 12)
    assert steps[[0, -1]].tolist() == [0, 60]
    assert usual[0].vectors(usual[0].draws[0])[0] == "eig"
    assert usual[0].vectors(usual[0].draws[0], "svd_right")[1].shape == (9, 200)


@pytest.mark.parametrize("figure", [figure_7, figure_8, figure_9, figure_15, figure_16, figure_20])
def test_figures_are_drawn_with_caption_and_numbers(study: Study, figure: object) -> None:
    drawn = figure(study)  # type: ignore[operator]
    assert isinstance(drawn, Drawn)
    plt.close(drawn.figure)
    assert "commit abcdef012345" in drawn.caption
    assert drawn.paper
    assert drawn.here
    assert any(n in drawn.caption for n in ("seed 0", "2 networks"))


def test_a_study_that_kept_nothing_says_so(study: Study, tmp_path: Path) -> None:
    for figure in (figure_7, figure_8, figure_9, figure_15, figure_16, figure_20):
        missing = figure(replace(study, folder=tmp_path))
        assert isinstance(missing, Missing)
        assert "settings.keep_seeds" in missing.reason


def test_thinning_keeps_the_ends_and_bounds_the_points() -> None:
    steps, activity = thinned(np.arange(0, 1010, 10), np.zeros((101, 36, 2)))
    assert (steps[0], steps[-1]) == (0, 1000)
    assert len(steps) == len(activity) == 36
    assert len(thinned(np.arange(20), np.zeros((20, 9, 2)))[0]) == 20


def test_share_of_variance_within_sets() -> None:
    sets = np.array([0, 0, 1, 1])
    assert _within_share(np.array([[0.0], [0.0], [1.0], [1.0]]), sets) == 0
    assert _within_share(np.array([[0.0], [1.0], [0.0], [1.0]]), sets) == 1


def test_explained_tells_position_from_pool() -> None:
    cell = SimpleNamespace(environment=ENVIRONMENT)
    generator = np.random.default_rng(0)
    position, pool = generator.normal(size=(3, 12)), generator.normal(size=(3, 12))
    by_m, by_g = np.tile(position, (3, 1)), np.repeat(pool, 3, axis=0)  # outputs are pool by pool, position within
    assert explained(by_m, cell) == pytest.approx({"m": 1.0, "g2": 0.0}, abs=0.35)  # type: ignore[arg-type]
    centred = by_m - by_m.reshape(3, 3, 12).mean(axis=(0, 1))
    assert explained(centred - centred.mean(axis=1, keepdims=True), cell) == pytest.approx({"m": 1.0, "g2": 0.0})  # type: ignore[arg-type]
    centred = by_g - by_g.reshape(3, 3, 12).mean(axis=(0, 1))
    assert explained(centred - centred.mean(axis=1, keepdims=True), cell) == pytest.approx({"m": 0.0, "g2": 1.0})  # type: ignore[arg-type]
    assert by_position(cell).tolist() == [0, 3, 6, 1, 4, 7, 2, 5, 8]  # type: ignore[arg-type]


def test_agreement_is_one_where_activity_and_kernel_follow_the_stated_groups() -> None:
    """Hidden activity and vectors made so that inputs of one position belong together: predictions come true."""
    generator = np.random.default_rng(1)
    stated = stated_groups(ENVIRONMENT)["input"]
    inputs = encode(ENVIRONMENT, legal_patterns(ENVIRONMENT, (1.0,)))[0]
    labels = memberships(ENVIRONMENT, inputs)["input"]
    centres = generator.normal(size=(3, 8))
    activity = np.stack([centres[stated] * t / 30 + 0.01 * generator.normal(size=(12, 8)) for t in range(31)])
    vectors = np.stack([(stated[labels] == m) + 0.01 * generator.random(len(labels)) for m in (0, 1, 2)] * 3)
    found = agreements([Inputs(ENVIRONMENT, "input", seed, activity, inputs, labels, vectors) for seed in (0, 1)])
    assert found.kernel_against_stated.tolist() == [1, 1]
    for space in SPACES:
        for name in PREDICTIONS:
            assert found.index[space, name].shape == (2, 31)
        assert (found.index[space, "kernel"][:, -1] == 1).all()
        assert (found.index[space, "one_hot"][:, -1] < 0.7).all()
        assert (found.p_peak[space, "kernel"] < 0.02).all()
