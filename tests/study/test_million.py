"""The page of a million networks: its arithmetic, and that it speaks of the cluster of ray_cluster.yaml."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest
import yaml
from rich.console import Console

from study.bench.million import CORES, NETWORKS, limits, print_million, sheet_of, slopes
from study.bench.sweep import real_plan, simulated_plan
from study.checkpoint import key_of
from study.packed import pack
from study.plan import make_plan
from study.rows import file_of
from study.sweep_file import parse_sweep
from tests.study.conftest import ROOT, SMALL


def numbers_of(driver: float = 1.0, row: float = 2e3) -> dict[str, Any]:
    """As `bench_sweep` returns them: 4 core seconds a network, and per trial 0.1 core seconds and some megabytes."""
    points = [
        {"trials": n, "cpu": 20 + 0.1 * n, "cpu_by_kind": {"driver": 8 + 0.01 * n}, "read": 0.01 * n,
         "megabytes": {"driver": 500 + driver * n, "GCS": 50 + 0.01 * n}}
        for n in (10, 100, 1000)
    ]  # fmt: skip
    return {"pure_cpu": 256.0, "networks": 64, "bytes_a_row": 5e3, "frame_bytes_a_row": row, "simulated": points}


def test_what_a_trial_adds_is_told_from_what_is_there_without_any() -> None:
    s = slopes(numbers_of())
    assert s.network_seconds == pytest.approx(4)
    assert (s.trial_seconds, s.driver_seconds, s.file_seconds) == pytest.approx((0.1, 0.01, 0.01))
    assert (s.driver_base, s.driver_bytes, s.gcs_base, s.gcs_bytes) == pytest.approx((500e6, 1e6, 50e6, 1e4))


def test_the_nearest_limit_comes_first_and_its_setting_moves_it() -> None:
    trials = slopes(numbers_of())
    first = limits(trials, 5)[0]
    assert first.name == "driver's memory"
    assert first.share == pytest.approx((500e6 + 200_000 * 1e6) / 16e9)
    assert first.setting == "compute.block (now 5)"
    assert {limit.name: limit.share for limit in limits(trials, 500)}[first.name] < first.share / 50
    rows = slopes(numbers_of(driver=0.0, row=40e3))
    tables = limits(rows, 5)[0]
    assert tables.share == pytest.approx(NETWORKS * 40e3 / 16e9)
    assert "seeds.first" in tables.setting
    assert limits(rows, 5, NETWORKS // 10)[0].share < tables.share
    fed = next(limit for limit in limits(trials, 5) if limit.name == "driver's speed")
    assert fed.share == pytest.approx(CORES / (5 * 4 / 0.01))
    assert len(sheet_of(trials).rows[0]) == len(sheet_of(trials).headings)


def test_the_page_says_what_it_does_not_know() -> None:
    sink = io.StringIO()
    found = print_million(Console(file=sink, width=200), numbers_of())
    assert found["core_hours"] == pytest.approx(NETWORKS * 4 / 3600)
    text = " ".join(sink.getvalue().split())
    assert "1,111 core hours" in text
    assert "GPU hours: not measured" in text
    assert "Extrapolated from at most 1,000 trials" in text


def test_the_cluster_of_the_page_is_that_of_the_cluster_file() -> None:
    types = yaml.safe_load((ROOT / "ray_cluster.yaml").read_text())["available_node_types"]
    assert types["cpu_worker"]["resources"]["CPU"] * types["cpu_worker"]["max_workers"] == CORES
    assert types["head"]["node_config"]["InstanceType"] == "m7i.xlarge"  # with 16 GB


@pytest.mark.parametrize("kind", ["cells", "crossed", "linear"])
def test_packed_blocks_are_the_blocks(kind: str) -> None:
    """A trial sees the same networks, settings, file and checkpoint."""
    crossed = yaml.safe_load(SMALL) | {"data": "crossed", "data_seeds": [5, 2**61]}
    plans = {"cells": real_plan(2, 3, 10), "crossed": make_plan(parse_sweep(crossed)), "linear": simulated_plan(7)}
    blocks = plans[kind].blocks()
    packed = pickle.loads(pickle.dumps(pack(blocks)))
    for number, block in enumerate(blocks):
        found = packed[number]
        assert (found.draws, found.label, file_of(ROOT, found)) == (block.draws, block.label, file_of(ROOT, block))
        assert (found.cell.name, found.cell.settings) == (block.cell.name, block.cell.settings)
        if kind != "linear":
            assert key_of(found, "cpu", {}) == key_of(block, "cpu", {})


def test_a_trial_of_a_large_study_carries_little() -> None:
    blocks = simulated_plan(20_000).blocks()
    assert len(pickle.dumps(pack(blocks))) < 40 * 20_000
