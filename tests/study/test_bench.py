"""Benches: what they compare must agree; the speeds themselves are for people, not for tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from study.bench import BENCHES
from study.bench import train as train_bench
from tests.study.conftest import study_here


def test_bench_train_compares_equal_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"NAIVE_STEPS": 5, "VMAP_STEPS": 2, "CHECK_STEPS": 100, "BLOCKS": {1: 5, 8: 2, 64: 1}}.items():
        monkeypatch.setattr(train_bench, name, value)
    numbers = BENCHES["train"](Console(quiet=True))
    assert numbers["relative_loss_difference"] < 1e-3
    assert set(numbers["milliseconds_per_step"]) == {"naive", "vmap", "ours_1", "ours_8", "ours_64"}
    assert numbers["ratio_step_to_naive"] > 0


def test_vmapped_baseline_is_the_naive_one() -> None:
    networks, _, inputs, targets = train_bench._setting(2)
    modules = [train_bench.MultitaskModule(networks, i) for i in range(2)]
    before = [m.W1.detach().clone() for m in modules]
    train_bench.naive(modules[1], inputs[1], targets[1], 3)
    assert not (before[1] == modules[1].W1).all()


def test_bench_entk_compares_equal_kernels_and_writes_json(tmp_path: Path) -> None:
    done = study_here("bench", "entk", "--json", tmp_path / "entk.json")
    assert done.returncode == 0
    numbers = json.loads((tmp_path / "entk.json").read_text())
    assert numbers["relative_difference"] < 1e-10
    assert "times faster" in done.stdout
