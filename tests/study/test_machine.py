"""Cores and memory of the job: the least of what affinity, control groups and SLURM say; and what uses them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from study.machine import cores, memory
from study.memory import check_attribution
from study.plan import make_plan
from study.sweep import SweepError
from study.sweep_file import load_sweep
from tests.study.conftest import ENVIRONMENT, ROOT, SMALL, study_here

MANY = 1_000_000


def groups(folder: Path, own: str, files: dict[str, str]) -> tuple[Path, Path]:
    """A tree of control groups, and a process's list of its own."""
    for name, text in files.items():
        (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / name).write_text(text)
    folder.mkdir(exist_ok=True)
    (folder / "own").write_text(own)
    return folder / "tree", folder / "own"


def whole(tmp_path: Path) -> tuple[int, float]:
    """Without any limit."""
    return cores(*groups(tmp_path / "none", "", {}), {}), memory(*groups(tmp_path / "none", "", {}), {})


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("0::/\n", {"cpu.max": "100000 100000\n", "memory.max": "1000000\n"}),
        ("0::/slurm/job/step\n", {"slurm/job/cpu.max": "90000 100000\n", "slurm/job/memory.max": "1000000\n",
                                  "slurm/cpu.max": "max 100000\n", "slurm/job/step/memory.max": "max\n"}),
        ("4:cpu,cpuacct:/j\n5:memory:/j/k\n0::/\n", {"cpu,cpuacct/j/cpu.cfs_quota_us": "50000\n",
            "cpu,cpuacct/j/cpu.cfs_period_us": "100000\n", "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "cpu,cpuacct/cpu.cfs_period_us": "100000\n", "memory/j/memory.limit_in_bytes": "1000000\n",
            "memory/memory.limit_in_bytes": "9223372036854771712\n"}),
        ("2:cpu:/\n3:memory:/docker/unseen\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": "1000000"}),
        ("0::/../../out\n", {"cpu.max": "1000 100000", "memory.max": "1000000"}),
    ],
    ids=["version 2", "nested", "version 1", "a container's root", "another namespace"],
)  # fmt: skip
def test_control_groups_bound_what_is_used(own: str, files: dict[str, str], tmp_path: Path) -> None:
    tree = groups(tmp_path, own, files)
    assert cores(*tree, {}) == 1
    assert memory(*tree, {}) == 1_000_000


def test_what_cannot_be_read_or_says_nothing_is_no_limit(tmp_path: Path) -> None:
    known = whole(tmp_path)
    for number, (own, files) in enumerate([
        ("0::/\n", {"cpu.max": "max 100000", "memory.max": "max"}), ("0::/\n", {"cpu.max": "100000", "memory.max": "plenty"}),
        ("nonsense\n\n::::\n", {"cpu.max/x": ""}), ("0::/\n", {"cpu.max": "0 0", "memory.max": "-1"}),
    ]):  # fmt: skip
        tree = groups(tmp_path / str(number), own, files)
        assert (cores(*tree, {}), memory(*tree, {})) == known
    assert (cores(tmp_path / "no", tmp_path / "no", {}), memory(tmp_path / "no", tmp_path / "no", {})) == known
    assert 1 <= known[0] <= (os.cpu_count() or 1)


def test_slurm_bounds_what_is_used(tmp_path: Path) -> None:
    tree = groups(tmp_path, "", {})
    assert cores(*tree, {"SLURM_CPUS_PER_TASK": "1", "SLURM_CPUS_ON_NODE": "64"}) == 1
    assert cores(*tree, {"SLURM_CPUS_ON_NODE": "1"}) == 1
    assert memory(*tree, {"SLURM_MEM_PER_NODE": "512"}) == 512 * 2**20
    assert memory(*tree, {"SLURM_MEM_PER_CPU": "100", "SLURM_CPUS_ON_NODE": "2"}) == 200 * 2**20
    nothing = {"SLURM_MEM_PER_NODE": "0", "SLURM_CPUS_PER_TASK": "many", "SLURM_CPUS_ON_NODE": "", "SLURM_MEM_PER_CPU": "-1"}
    assert (cores(*tree, nothing), memory(*tree, nothing)) == whole(tmp_path)
    assert cores(*tree, {"SLURM_CPUS_PER_TASK": str(MANY)}) == whole(tmp_path)[0]


ONE_CORE = """
import os
os.sched_setaffinity(0, [sorted(os.sched_getaffinity(0))[0]])
from study.launch import _local_options
from study.machine import cores
print(cores(), _local_options(None)["num_cpus"], _local_options(None)["object_store_memory"], _local_options("there"))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_ray_is_given_the_cores_and_memory_of_the_job() -> None:
    environment = ENVIRONMENT | {"SLURM_MEM_PER_NODE": "2000"}
    done = subprocess.run([sys.executable, "-c", ONE_CORE], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "1", str(200 * 2**20), "{}"], done.stderr


def test_trials_attributions_and_exports_must_fit_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(SMALL)
    plan = make_plan(load_sweep(path))
    cells = [plan.cell("standard"), plan.cell("large")]
    check_attribution(cells, 2, available=2e9)
    with pytest.raises(SweepError, match=r"cells\.standard: needs about .* to be attributed, .* for each of 2 at once"):
        check_attribution(cells, 2, available=1e9)
    check_attribution(cells, 1, available=1e9)
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "400")
    refused = study_here("attribute", path, "--cell", "standard", "--seed", "0", "--to", tmp_path / "to")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "to be attributed" in refused.stderr
    assert not (tmp_path / "to").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sweep.json").write_text(plan.sweep.model_dump_json())
    refused = study_here("export", tmp_path / "out", "--cell", "standard", "--seed", "0", "--to", tmp_path / "x.npz")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "cells.standard: a trial needs about" in refused.stderr
    assert not (tmp_path / "x.npz").exists()
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    refused = study_here("run", path, "--set", "compute.cpus_per_trial=2", "--out", tmp_path / "run")
    assert "compute.cpus_per_trial = 2: this machine has 1 cores" in refused.stderr
    refused = study_here("run", path, "--out", tmp_path / "run")
    assert "cells.standard: a trial needs about" in refused.stderr
    assert not (tmp_path / "run").exists()
