"""The Parquet store: whole files or nothing, readable from anywhere, honest about what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from study.plan import Block, Draw, Plan, make_plan
from study.rows import RowsError, file_of, finished, read_rows, write_rows
from study.sweep_file import parse_sweep
from study.trial import BlockResult, rows_of, run_block
from study.work import work_of
from tests.study.conftest import SMALL


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(parse_sweep(yaml.safe_load(SMALL)))


@pytest.fixture(scope="module")
def result(plan: Plan) -> BlockResult:
    return run_block(plan.blocks()[0])


def test_rows_have_the_fixed_names_and_types(result: BlockResult, tmp_path: Path) -> None:
    rows = rows_of(result, "small", {"commit": "abc"})
    write_rows(tmp_path, result.block, rows)
    schema = pq.read_schema(next((tmp_path / "rows").rglob("*.parquet")))
    expected = {"cell": pa.string(), "seed": pa.int64(), "diverged": pa.bool_(), "commit": pa.string()}
    expected |= {f"silhouette_{name}": pa.float64() for name in ("eig", "svd_right", "inputs")}
    expected |= {f"loss_{p}_{k}": pa.float64() for p in ("single", "multi") for k in ("train", "test", "unseen")}
    expected |= {"init_scale": pa.float64(), "hidden_units": pa.int64(), "curve_multi_test": pa.list_(pa.float64())}
    for name, kind in expected.items():
        assert schema.field(name).type == kind
    frame = read_rows(tmp_path)
    assert len(frame) == len(result.block.draws)
    assert frame["loss_single_test"].iloc[0] == frame["curve_single_test"].iloc[0][-1]
    assert finished(tmp_path) == {(result.block.cell.name, draw) for draw in result.block.draws}


def test_a_row_does_not_depend_on_its_block(plan: Plan, result: BlockResult) -> None:
    rows = {row["seed"]: row for row in rows_of(result, "small", {})}
    for draw in result.block.draws:
        (alone,) = rows_of(run_block(Block(result.block.cell, (draw,))), "small", {})
        assert alone == rows[draw.seed]


def test_work_is_told_completely(plan: Plan) -> None:
    block, told = plan.blocks()[0], []
    run_block(block, progress=told.append)
    assert sum(told) == work_of(block.cell) * len(block.draws)


def test_interleaved_phases_join_their_curves_keep_their_data_and_are_read(tmp_path: Path) -> None:
    raw = yaml.safe_load(SMALL)
    raw["curricula"]["brief"]["cycles"] = 3
    block = make_plan(parse_sweep(raw)).blocks()[0]
    result = run_block(block)
    curves = result.curves["single"]
    assert curves.steps[-1] == 3 * 40
    assert (np.diff(curves.steps) >= 0).all()
    assert curves.train.shape == (len(block.draws), len(curves.steps))
    assert result.losses["multi_test"][0] == result.curves["multi"].test[0, -1]
    write_rows(tmp_path, block, rows_of(result, "small", {}))
    assert list(read_rows(tmp_path)["curve_single_steps"][0]) == curves.steps.tolist()  # with 40 and 80 twice


def test_a_block_written_twice_is_there_once_and_leaves_no_scraps(result: BlockResult, tmp_path: Path) -> None:
    rows = rows_of(result, "small", {})
    assert write_rows(tmp_path, result.block, rows) == write_rows(tmp_path, result.block, rows)
    assert len(read_rows(tmp_path)) == len(rows)
    assert [path.name for path in (tmp_path / "rows").rglob("*") if path.is_file()] == [file_of(tmp_path, result.block).name]


def test_a_write_that_fails_leaves_nothing(result: BlockResult, tmp_path: Path) -> None:
    rows = rows_of(result, "small", {})
    with pytest.raises((pa.ArrowException, TypeError)):
        write_rows(tmp_path, result.block, [rows[0], rows[0] | {"seed": "not a number"}])
    assert not [path for path in (tmp_path / "rows").rglob("*") if path.is_file()]
    assert finished(tmp_path) == set()


def test_rows_made_elsewhere_need_only_their_keys(tmp_path: Path) -> None:
    (tmp_path / "rows" / "deep").mkdir(parents=True)
    for name, cells in {"a": ["one"], "deep/b": ["two"]}.items():
        frame = pd.DataFrame({"cell": cells, "seed": [0], "silhouette_mine": [0.5], "loss_x_test": [0.1]})
        frame.to_parquet(tmp_path / "rows" / f"{name}.parquet")
    frame = read_rows(tmp_path)
    assert list(frame["cell"]) == ["one", "two"]
    assert list(frame["data_seed"]) == [0, 0]


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("diverged", ["no", "no"], "diverged must hold true or false"),
        ("silhouette_x", ["a", "b"], "silhouette_x must hold numbers"),
        ("seed", [0.5, 1.0], "seed must hold whole numbers"),
        ("seed", [None, 1], "no cell or no seed"),
    ],
)
def test_columns_of_the_wrong_kind_are_named(column: str, values: list[object], says: str, tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    frame = pd.DataFrame({"cell": ["a", "b"], "seed": [0, 0], "loss_x_test": [0.1, 0.2]})
    frame[column] = values
    frame.to_parquet(tmp_path / "rows" / "a.parquet")
    with pytest.raises(RowsError, match=says):
        read_rows(tmp_path)


def test_foreign_keys_are_read_as_they_were_meant(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    pd.DataFrame({"cell": [1, 2], "seed": [0, 0]}).to_parquet(tmp_path / "rows" / "a.parquet")
    frame = read_rows(tmp_path)
    assert list(frame["cell"]) == ["1", "2"]
    (tmp_path / "rows" / "a.parquet").unlink()
    pd.DataFrame({"cell": ["a"], "seed": [3]}).to_parquet(tmp_path / "rows" / "b.parquet")
    pd.DataFrame({"cell": ["b"], "seed": [3], "data_seed": [3]}).to_parquet(tmp_path / "rows" / "c.parquet")
    assert list(read_rows(tmp_path)["data_seed"]) == [3, 3]


def test_the_measurement_is_repeated_on_other_starts_and_on_other_data() -> None:
    raw = yaml.safe_load(SMALL)
    raw["settings"] |= {"kmeans_repeats": 2, "data_redraws": 2, "kmeans_restarts": 1}
    block = make_plan(parse_sweep(raw)).blocks()[0]
    result = run_block(block)
    for measured, row in zip(result.measured, rows_of(result, "small", {}), strict=True):
        for name in ("svd_right", "inputs"):
            assert len({measured.silhouettes[name], *measured.data[name]}) == 3  # three draws of the data
        assert len({measured.silhouettes["svd_right"], *measured.kmeans["svd_right"]}) > 1
        assert row["repeat_data_svd_right"] == measured.data["svd_right"]
        assert row["repeat_kmeans_inputs"] == measured.kmeans["inputs"]
    plain = yaml.safe_load(SMALL)
    assert run_block(make_plan(parse_sweep(plain)).blocks()[0]).losses["multi_test"] == pytest.approx(
        result.losses["multi_test"]
    )


def test_a_wobble_in_a_later_turn_is_no_divergence() -> None:
    raw = yaml.safe_load(SMALL)
    raw["curricula"]["brief"] = {
        "cycles": 60,
        "phases": [{"name": "single", "task_counts": [1], "steps": 10, "batch_size": 10}],
    }
    result = run_block(make_plan(parse_sweep(raw)).blocks()[0])
    assert result.losses["single_train"].max() < result.curves["single"].train[:, 0].min()
    assert not result.diverged.any()


def test_unusable_rows_are_named(tmp_path: Path) -> None:
    with pytest.raises(RowsError, match="has no rows"):
        read_rows(tmp_path)
    (tmp_path / "rows").mkdir()
    path = tmp_path / "rows" / "a.parquet"
    pd.DataFrame({"cell": ["a"]}).to_parquet(path)
    with pytest.raises(RowsError, match="no column seed"):
        read_rows(tmp_path)
    pd.DataFrame({"cell": ["a", "a"], "seed": [1, 1]}).to_parquet(path)
    with pytest.raises(RowsError, match="seed 1 twice"):
        read_rows(tmp_path)
    path.write_bytes(b"PAR1 but not really")
    with pytest.raises(RowsError, match="not a readable Parquet file"):
        read_rows(tmp_path)


def test_finished_networks_are_those_with_rows(plan: Plan, result: BlockResult, tmp_path: Path) -> None:
    write_rows(tmp_path, result.block, rows_of(result, "small", {}))
    left = plan.blocks(finished(tmp_path))
    assert sum(len(block.draws) for block in left) == plan.networks - len(result.block.draws)
    assert isinstance(next(iter(finished(tmp_path)))[1], Draw)
