"""What a row holds is known before it is made, and does not depend on the block that its network was in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from study import linear_trial, trial
from study.figures.linear import marks_of
from study.launch import finish
from study.linear_analysis import analyse_linear
from study.linear_settings import LinearSettings, number_text, steps_of_text
from study.plan import Block, Cell, LinearCell, make_plan
from study.provenance import COLUMNS
from study.rows import RowsError, write_rows
from study.schema import columns
from study.sweep import Settings, Tracking
from study.sweep_file import parse_sweep
from study.threads import device_of
from study.tracking import summary
from tests.study.conftest import SMALL

# A world so small that the training patterns of some seeds leave none unseen.
TINY_WORLD = {
    "stimulus_pools": 2, "response_pools": 2, "features": 2, "train_patterns": 48, "test_patterns": 48, "clusters": 3,
    "estimators": ["svd_right", "inputs"], "predictors": ["linearised_logit_1e-2", "ntk_trace"], "structure_records": 3,
    "kmeans_repeats": 1, "kmeans_restarts": 1,
}  # fmt: skip


def tiny_cell(seeds: int = 24, **settings: Any) -> Cell:
    raw = yaml.safe_load(SMALL) | {"seeds": seeds}
    raw["curricula"]["brief"]["phases"] = [
        {"name": "single", "task_counts": [1], "steps": 4}, {"name": "multi", "task_counts": [1, 1], "steps": 4}
    ]  # fmt: skip
    raw["settings"] |= TINY_WORLD | settings
    return make_plan(parse_sweep(raw)).cell("large")


def linear_cell(**settings: Any) -> LinearCell:
    given = {"steps": 30, "record_every": 5, "marks": [10, 20], "examples": 12} | settings
    raw = {"name": "l", "network": "linear", "seeds": 3, "settings": given, "cells": {"a": {}}}
    (cell,) = make_plan(parse_sweep(raw)).cells
    assert isinstance(cell, LinearCell)
    return cell


def some_seen(cell: Cell) -> list[Any]:
    """Draws of which the first and the last leave patterns of single tasks unseen and that between them does not."""
    left = {draw: len(trial.phase_data(cell, cell.curriculum.phases[0], draw).unseen) for draw in cell.draws}
    return [next(d for d in left if left[d]), next(d for d in left if not left[d]), [d for d in left if left[d]][1]]


def test_every_packing_gives_the_same_schema_and_the_same_rows_bit_for_bit(tmp_path: Path) -> None:
    cell = tiny_cell()
    a, b, c = some_seen(cell)
    found, schemas, raws = {}, [], []
    for number, draws in enumerate(((a, b, c), (c, a), (b,), (b, a), (a, b))):
        block, out = Block(cell, draws), tmp_path / str(number)
        rows = trial.rows_of(trial.run_block(block), "small", {"commit": "abc"})
        assert summary(rows)["networks"] == len(draws)
        file = write_rows(out, block, rows)
        schemas.append(pq.read_schema(file))
        raws.append([str(column) for column in pq.ParquetFile(file).schema])
        for row in pq.read_table(file).to_pylist():
            text = repr({name: row[name] for name in row})  # every digit, and NaN like NaN
            assert found.setdefault(row["seed"], text) == text
    assert all(schema.equals(schemas[0], check_metadata=True) for schema in schemas)
    assert all(raw == raws[0] for raw in raws)
    assert [(field.name, field.type) for field in schemas[0]] == columns(cell)
    unseen = {draw.seed: "'agreement_single_linearised_logit_1e-2': nan" not in found[draw.seed] for draw in (a, b, c)}
    assert unseen == {a.seed: True, b.seed: False, c.seed: True}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"predictors": "all", "structure_records": 0, "data_redraws": 1},
        {"integrator": "flow", "keep_seeds": [0], "structure_estimators": ["svd_left", "eig"]},
    ],
    ids=["plain", "predictors", "flow"],
)
def test_rows_of_multitask_networks_have_exactly_their_columns(settings: dict[str, Any]) -> None:
    cell = tiny_cell(2, **settings)
    for row in trial.rows_of(trial.run_block(Block(cell, cell.draws)), "small", provenance_of_all()):
        assert list(row) == [name for name, _ in columns(cell)]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hidden": 1, "singular_values": [9, 4, 1], "marks": [30]},
        {"hidden": 9, "inputs": 5, "outputs": 3, "singular_values": [9, 4], "marks": [0, 7], "weights": "normal"},
        {"learning_rate": 1e5},
    ],
    ids=["source", "narrow", "wide", "diverges"],
)
def test_rows_of_linear_networks_have_exactly_their_columns(settings: dict[str, Any], tmp_path: Path) -> None:
    cell = linear_cell(**settings)
    block = Block(cell, cell.draws)
    rows = linear_trial.rows_of(linear_trial.run_block(block), "l", provenance_of_all())
    assert all(list(row) == [name for name, _ in columns(cell)] for row in rows)
    found = pq.read_table(write_rows(tmp_path, block, rows))
    assert [(field.name, field.type) for field in found.schema] == columns(cell)
    np.testing.assert_equal(found.to_pylist(), rows)


def provenance_of_all() -> dict[str, str]:
    return dict.fromkeys(COLUMNS, "1")


def test_what_a_row_lacks_is_null_and_what_it_has_too_much_is_refused(tmp_path: Path) -> None:
    cell = tiny_cell(1)
    block = Block(cell, cell.draws)
    key = {"cell": cell.name, "seed": 0, "data_seed": 0}
    table = pq.read_table(write_rows(tmp_path, block, [key]))
    assert table.to_pylist() == [dict.fromkeys(table.schema.names) | key]
    with pytest.raises(RowsError, match="large/0-0: its rows have columns that the cell's do not have: los, silhouette_mine"):
        write_rows(tmp_path, block, [key, key | {"silhouette_mine": 0.5, "los": 0.1}])


def test_settings_have_the_types_of_their_fields() -> None:
    kinds = {name: str(kind) for name, kind in columns(tiny_cell(1))}
    chosen = {"bias": "double", "hidden_units": "int64", "precision": "string", "keep_seeds": "string", "data_seed": "int64"}
    assert {name: kinds[name] for name in chosen} == chosen
    assert set(Settings.model_fields) <= set(kinds)
    assert set(LinearSettings.model_fields) <= {name for name, _ in columns(linear_cell())}


def test_cores_of_a_trial_change_no_digit(tmp_path: Path) -> None:
    """Of a network large enough that a product of its matrices is spread over two threads where two are allowed."""
    cell = tiny_cell(
        1, stimulus_pools=4, response_pools=3, features=3, train_patterns=300, test_patterns=300, hidden_units=200,
        clusters=12, estimators=["eig", "svd_right"], predictors=["linearised_logit_1e-2"], kmeans_restarts=2,
    )  # fmt: skip
    block, found = Block(cell, cell.draws), []
    for cpus in (1, 2):
        out = tmp_path / str(cpus)
        config = {"cpus": cpus, "gpus": 0.0, "checkpoint_seconds": 30.0}
        finish(block, out, config, "small", "small", Tracking(mode="disabled"), {}, "", lambda _: None)
        found.append(repr(pq.read_table(next((out / "rows").rglob("*.parquet"))).to_pylist()))
    assert found[0] == found[1]


def test_the_device_is_a_column_and_a_gpu_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for cell in (tiny_cell(1), linear_cell()):
        block = Block(cell, cell.draws[:1])
        config = {"cpus": 1, "gpus": 0.5, "checkpoint_seconds": 30.0}
        with pytest.raises(ValueError, match=r"^compute.gpus_per_trial = 0.5: torch finds no CUDA device on [^\n]*$"):
            finish(block, tmp_path, config, "s", "s", Tracking(mode="disabled"), {}, "", lambda _: None)
        assert not list(tmp_path.rglob("*.parquet"))
        rows, _ = finish(block, tmp_path, config | {"gpus": 0}, "s", "s", Tracking(mode="disabled"), {}, "", lambda _: None)
        shutil.rmtree(tmp_path / "rows")
        assert [row["device"] for row in rows] == ["cpu"]
    assert device_of(0.0) == "cpu"


@pytest.mark.parametrize("mark", [190, 999_999, 1_000_000])
def test_a_mark_is_read_back_as_it_was(mark: int) -> None:
    assert number_text(mark) == str(mark)
    cell = linear_cell()
    rows = linear_trial.rows_of(linear_trial.run_block(Block(cell, cell.draws)), "l", {})
    for old in (f"{10:g},{mark:g}", f"10,{number_text(mark)}"):  # as rows made before have it, and as they have it now
        frame = pd.DataFrame([row | {"marks": old} for row in rows])
        assert marks_of(frame.iloc[0]) == [10, mark]
        frame[f"score_lead_summed_step{mark}"] = 2.0
        led = next(r for r in analyse_linear(frame)["results"] if r["score"] == f"lead_summed_step{mark}")
        assert (led["mode"], led["value"]) == (2, 1.0)


def test_numbers_are_written_as_short_as_they_can_be_read_back() -> None:
    for number in (1e6, 0.1, 90.0, 0.1234567, 1 / 3, 1e-9, 123456789.0):
        assert float(number_text(number)) == number
    assert int(number_text(2**53 + 1)) == 2**53 + 1
    assert (number_text(90.0), number_text(0.1234567)) == ("90", "0.1234567")
    assert steps_of_text("10,nonsense,1e+06,,-3") == [10, 1_000_000]
    cell = linear_cell(singular_values=[90.1234567, 24])
    (row, *_) = linear_trial.rows_of(linear_trial.run_block(Block(cell, cell.draws)), "l", {})
    assert row["singular_values"] == "90.1234567,24"
