"""What the t = 0 measurement of a network is made of, and what a process remembers of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from pntk.network import base_networks
from pntk.structure.silhouette import ESTIMATORS, Clustering, plain_silhouette, silhouettes_again
from study import trial
from study.plan import Cell, make_plan
from study.sweep_file import parse_sweep

ESTIMATED = ("svd_right", "inputs")


def cell_of(**settings: object) -> Cell:
    phases = [{"name": "single", "task_counts": [1], "steps": 1}]
    small = {"hidden_units": 20, "train_patterns": 60, "test_patterns": 60, "clusters": 6, "curriculum": "only"}
    again = {"kmeans_repeats": 2, "data_redraws": 1, "estimators": list(ESTIMATED)}
    raw = {"name": "t", "seeds": 1, "curricula": {"only": {"phases": phases}}, "cells": {"one": small | again | settings}}
    (cell,) = make_plan(parse_sweep(raw)).cells
    assert isinstance(cell, Cell)
    return cell


def measured(cell: Cell) -> trial.Measured:
    draw = cell.draws[0]
    networks = base_networks(cell.environment, cell.settings.hidden_units, [draw.seed])
    start = trial.starts_of(cell, networks, [trial.phase_data(cell, cell.curriculum.phases[0], draw)])[0]
    return trial.measure(cell, start, draw)


def test_a_measurement_is_each_silhouette_by_scikit_learn_alone() -> None:
    cell = cell_of()
    found, draw = measured(cell), cell.draws[0]
    networks = base_networks(cell.environment, 20, [draw.seed])
    for redraw in (0, 1):
        data = trial.phase_data(cell, cell.curriculum.phases[0], draw, redraw)
        start = trial.starts_of(cell, networks, [data])[0]
        for name in ESTIMATED:
            features = ESTIMATORS[name](start)
            plain = [plain_silhouette(features, Clustering(6, 10, state)) for state in (10, 11, 12)]
            if redraw:
                assert found.data[name] == pytest.approx(plain[:1], abs=1e-9)
            else:
                assert [found.silhouettes[name], *found.kmeans[name]] == pytest.approx(plain, abs=1e-9)


def test_features_that_were_met_before_are_not_clustered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def counted(features: np.ndarray, clustering: Clustering, states: Sequence[int]) -> list[float]:
        taken.append(clustering.clusters)
        return silhouettes_again(features, clustering, states)

    monkeypatch.setattr(trial, "silhouettes_again", counted)
    monkeypatch.setattr(trial, "_KNOWN", {})
    first = measured(cell_of())
    assert len(taken) == 4  # two estimators, on the data and on data drawn again
    assert measured(cell_of(learning_rate=0.5)) == first
    assert len(taken) == 4
    assert measured(cell_of(clusters=5)).silhouettes != first.silhouettes
    assert measured(cell_of(kmeans_random_state=3)).kmeans != first.kmeans
    assert len(taken) == 12
    monkeypatch.setattr(trial, "MOST_KNOWN", 3)
    assert measured(cell_of()) == first
