"""Nothing of the user's is lost: outputs are whole or as they were, and what this program did not write stays."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study.checkpoint import clear
from study.export import check_file
from study.folder import check_claim, claim
from study.lock import driving
from study.storage import StorageError, write_bytes, write_text
from study.sweep import Sweep, SweepError
from study.sweep_file import parse_sweep
from study.written import RECORD, STALE_SECONDS, begin, clean, ended
from tests.study.conftest import ENVIRONMENT, ROOT, SMALL, study_here

KEY = "0123456789ab"


def rows_elsewhere(folder: Path) -> Path:
    """Rows made elsewhere, as a study's folder without `sweep.json`."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"cell": ["standard"] * 8 + ["large"] * 8, "seed": list(range(8)) * 2})
    for name in ("silhouette_ntk", "loss_single_test", "loss_multi_test"):
        frame[name] = rng.lognormal(size=16)
    (folder / "rows").mkdir(parents=True)
    frame.to_parquet(folder / "rows" / "a.parquet")
    return folder


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    import yaml

    return parse_sweep(yaml.safe_load(SMALL))


@pytest.mark.parametrize(
    "make",
    [
        lambda out: (out / "notes.txt").write_text("mine"),
        lambda out: (out / ".hidden").write_text("mine"),
        lambda out: (out / "driver.json").write_text('{"printer": "laser"}'),
        lambda out: os.mkfifo(out / "driver.json"),
        lambda out: (out / "maps.csv").write_text("here,there"),
        lambda out: rows_elsewhere(out),
        lambda out: write_text(out / "checkpoints" / "run1" / "step.npz", "weights"),
        lambda out: write_text(out / "figures" / "scatter.svg", "<svg/>"),
        lambda out: write_text(out / "linear" / "model.bin", "weights"),
        lambda out: (out / "rows").symlink_to(out.parent),
    ],
    ids=["file", "hidden", "driver.json", "FIFO", "maps", "rows", "checkpoints", "figures", "linear", "link"],
)
def test_a_folder_that_is_not_empty_and_no_studys_is_refused_and_left_as_it_is(
    make: Callable[[Path], Any], sweep: Sweep, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    make(out)
    before = contents(out)
    why = "choose another --out|is a link out of the folder|is a pipe, and only regular files are read"
    with pytest.raises(SweepError, match=f"^{out}.*({why})") as refused:
        check_claim(out, sweep)
    assert "\n" not in str(refused.value)
    with pytest.raises(SweepError), driving(out):
        pass
    assert contents(out) == before


@pytest.mark.parametrize("command", ["run", "scan"])
def test_run_and_scan_refuse_such_a_folder(command: str, tmp_path: Path) -> None:
    """The folder of a project, in which checkpoints of other programs lie."""
    write_text(tmp_path / "checkpoints" / "resnet" / f"0-9-{KEY}.npz", "weights")
    before = contents(tmp_path)
    file = "scan_quick.yaml" if command == "scan" else "quick.yaml"
    refused = study_here(command, ROOT / "sweeps" / file, "--out", tmp_path, "--wandb", "disabled")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "is not empty (it holds 'checkpoints') and has no sweep.json" in refused.stderr
    assert contents(tmp_path) == before


def test_a_first_start_that_was_interrupted_goes_on(sweep: Sweep, tmp_path: Path) -> None:
    """Killed anywhere between the making of the folder and that of `sweep.json`."""
    lock = json.dumps({"id": "x", "host": "here", "pid": 1})
    for name in ("driver.json", ".driver.json.77-0123abcd.tmp", ".sweep.json.77.tmp", "linear/driver.json"):
        write_text(tmp_path / name, lock)
    for name in ("rows/standard", "lost+found"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "wandb").symlink_to(tmp_path.parent)  # kept elsewhere by the user
    claim(tmp_path, sweep)
    (tmp_path / "notes.txt").write_text("on the study")  # what comes later is no reason to refuse
    claim(tmp_path, sweep)


def test_only_checkpoints_of_our_blocks_are_cleared(tmp_path: Path) -> None:
    ours = [f"standard/0-5-{KEY}.npz", f"large/12-12-{KEY}.npz"]
    theirs = [f"resnet/0-5-{KEY}.npz", "standard/step-100.npz", "standard/best.npz", f"standard/deeper/0-5-{KEY}.npz",
              f"0-5-{KEY}.npz", f"large/0-5-{KEY}.npz.bak", f"large/0-5-{KEY}0.npz"]  # fmt: skip
    for name in (*ours, *theirs):
        write_text(tmp_path / "checkpoints" / name, name)
    clear(tmp_path, ["standard", "large"])
    left = {str(p.relative_to(tmp_path / "checkpoints")) for p in (tmp_path / "checkpoints").rglob("*") if p.is_file()}
    assert left == set(theirs)


@pytest.mark.parametrize("command", ["analyse", "report"])
@pytest.mark.parametrize(
    "name", ["analysis.csv", "report.html", "figures/scatter.svg", "maps.csv", "ranking.csv", "analysis.json"]
)
def test_rows_made_elsewhere_are_analysed_without_touching_what_is_beside_them(command: str, name: str, tmp_path: Path) -> None:
    out = rows_elsewhere(tmp_path)
    write_text(out / name, "mine")
    before = contents(out)
    done = study_here(*([command, out, "--wandb", "disabled"] if command == "analyse" else [command, out]))
    assert (out / name).read_text() == "mine"
    collides = name.startswith("analysis") if command == "analyse" else name in ("report.html", "figures/scatter.svg")
    assert done.returncode == (2 if collides else 0), done.stderr
    if collides:
        assert f"{out / name}: was not written by this program" in done.stderr
        assert contents(out) == before


def test_what_became_obsolete_is_removed_only_if_we_wrote_it_and_nobody_changed_it(tmp_path: Path) -> None:
    begin(tmp_path, ["a", "b", "c"])
    for name in ("a", "b", "c"):
        write_text(tmp_path / name, name)
    assert ended(tmp_path, ["a", "b", "c"]) == []
    write_text(tmp_path / "b", "notes of mine")
    write_text(tmp_path / "d", "mine")
    begin(tmp_path, ["a"])
    assert ended(tmp_path, ["a"], ["a", "b", "c", "d", "e"]) == ["b", "d"]
    assert {path.name for path in tmp_path.iterdir()} == {".written.json", "a", "b", "d"}
    with pytest.raises(SweepError, match=r"b: was not written by this program, or was changed since"):
        begin(tmp_path, ["a", "b"])
    begin(tmp_path, ["a", "e"])  # killed while it wrote: what it began to write is its own
    write_text(tmp_path / "a", "half")
    begin(tmp_path, ["a", "e"])


def test_an_earlier_versions_analysis_of_rows_made_elsewhere_is_made_again(tmp_path: Path) -> None:
    out = rows_elsewhere(tmp_path)
    assert study_here("analyse", out).returncode == 0
    assert study_here("analyse", out).returncode == 0
    (out / ".written.json").unlink()  # which earlier versions did not write
    assert study_here("analyse", out).returncode == 0
    (out / "analysis.md").write_text("notes of mine")
    refused = study_here("analyse", out)
    assert refused.returncode == 2
    assert "analysis.md" in refused.stderr
    assert (out / "analysis.md").read_text() == "notes of mine"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("calibrate", "--repetitions", "2", "--out"), "shift.png"),
        (("one-step", "--out"), "curves.csv"),
        (("attribute", ROOT / "sweeps" / "quick.yaml", "--cell", "large", "--seed", "0", "--to"), "large-0.npz"),
    ],
)
def test_commands_that_write_into_a_folder_do_not_write_over_what_is_there(
    arguments: tuple[Any, ...], name: str, tmp_path: Path
) -> None:
    write_text(tmp_path / name, "mine")
    refused = study_here(*arguments, tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert f"{name} is there but no" in refused.stderr
    assert contents(tmp_path) == {name: b"mine"}


def test_a_named_output_is_no_other_file_and_no_device(tmp_path: Path) -> None:
    """As root, a rename over /dev/null would leave every program of the machine without it."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / "old.npz").write_bytes(b"PK\x03\x04")
    for path, words in (
        (Path("/dev/null"), "is a device"),
        (tmp_path / "pipe", "is a pipe"),
        (tmp_path / "thesis.tex", "holds something else"),
        (tmp_path, "must name a file"),
        (tmp_path / "nowhere" / "x.npz", "does not exist"),
    ):
        with pytest.raises(SweepError, match=words):
            check_file(path, "--to", b"PK")
    check_file(tmp_path / "old.npz", "--to", b"PK")
    check_file(tmp_path / "new.npz", "--to", b"PK")
    with pytest.raises(StorageError, match="null: is a device, and only regular files are written over"):
        write_bytes(Path("/dev/null"), b"")
    with pytest.raises(StorageError, match="is a folder, and only regular files are written over"):
        write_bytes(tmp_path, b"")
    assert not Path("/dev/null").is_file()


def test_what_another_name_leads_to_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "outside.csv").write_text("mine")
    (tmp_path / "analysis.csv").hardlink_to(tmp_path / "outside.csv")
    (tmp_path / "analysis.md").symlink_to(tmp_path / "outside.csv")
    for name in ("analysis.csv", "analysis.md"):
        write_text(tmp_path / name, "ours")
        assert (tmp_path / name).read_text() == "ours"
    assert (tmp_path / "outside.csv").read_text() == "mine"


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


@pytest.mark.parametrize("full", ["limit", "disk"])
def test_a_full_disk_leaves_the_good_old_outputs(full: str, tmp_path: Path) -> None:
    """A limit on the size of files, and a real small disk."""
    out = tmp_path / "disk"
    out.mkdir()
    mounted = full == "disk"
    if mounted and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(out)], capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        rows_elsewhere(out)
        assert study_here("analyse", out).returncode == 0
        if mounted:
            assert study_here("report", out).returncode == 0
        before = {name: data for name, data in contents(out).items() if name != ".written.json"}
        if mounted:
            with contextlib.suppress(OSError), (out / "filler").open("wb", buffering=0) as filler:
                while filler.write(b"x" * 4096):
                    pass
            before["filler"] = (out / "filler").read_bytes()
        for command in ("analyse", "report") if mounted else ("analyse",):
            alone = [sys.executable, "-W", "ignore", "-m", "study", command, str(out)]
            done = study_here(command, out) if mounted else subprocess.run(
                alone, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, preexec_fn=limited
            )  # fmt: skip
            assert done.returncode == 1, done.stdout + done.stderr
            assert done.stderr.count("\n") == 1
            assert "cannot be written (No space left" in done.stderr or "cannot be written (File too large)" in done.stderr
            assert "make room" in done.stderr or "ulimit" in done.stderr
        assert {name: data for name, data in contents(out).items() if name != ".written.json"} == before
    finally:
        if mounted:
            subprocess.run(["umount", str(out)], check=True)


@pytest.mark.parametrize(
    "record",
    ['{"files": {"a\\u0000b": 1, "report.html": [3]}, "writing": [1, "a", ["b"], {}, null, "../mine.txt", "figures/../x.svg"]}',
     '{"files": {}, "writing": ["../mine.txt"]}', "[" * 100_000, '{"files": {"maps.csv": 1e999}, "writing": 1}', "\\ud800"],
)  # fmt: skip
def test_a_record_of_anyone_is_no_error_and_makes_nothing_ours_but_names_of_outputs(record: str, tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text(record)
    (tmp_path / "report.html").write_text("<p>mine")
    begin(tmp_path, ["analysis.json"])
    write_text(tmp_path / "analysis.json", "{}")
    assert ended(tmp_path, ["analysis.json"], ["maps.csv"]) == []
    with pytest.raises(SweepError, match=r"report\.html: was not written by this program"):
        begin(tmp_path, ["report.html"])
    kept = json.loads((tmp_path / RECORD).read_text())
    assert set(kept["files"]) <= {"analysis.json", "report.html"}
    assert kept["writing"] == []


def test_temporary_files_of_dead_processes_are_cleaned_and_only_those(tmp_path: Path) -> None:
    dead = int(subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True).stdout)
    ours = [f"rows/standard/.0-5-{KEY}.parquet.{dead}.tmp", f"checkpoints/standard/.0-5-{KEY}.npz.{dead}-0123abcd.tmp",
            f".analysis.json.{dead}.tmp", f"figures/.scatter.png.{dead}-0123abcd.tmp",
            f"kept/large/.3-3.vectors.parquet.{dead}.tmp", f".driver.json.{dead}-0123abcd.tmp",
            f"references/.0123456789abcdef.npz.{dead}-0123abcd.tmp",
            f".identity.json.{dead}-0123abcd.tmp"]  # fmt: skip
    theirs = [f".thesis.tex.{dead}.tmp", f"rows/.notes.{dead}.tmp", f"deeper/.analysis.json.{dead}.tmp", "analysis.json.tmp",
              f".report.html.{os.getpid()}.tmp", ".analysis.json.swp"]  # fmt: skip
    old = f".sweep.json.{os.getpid()}-0123abcd.tmp"  # a number that another process has by now
    for name in (*ours, *theirs, old):
        write_text(tmp_path / name, "")
    long_ago = (tmp_path / old).stat().st_mtime - STALE_SECONDS - 10
    os.utime(tmp_path / old, (long_ago, long_ago))
    clean(tmp_path)
    assert {name for name, data in contents(tmp_path).items() if data is not None} == set(theirs)
    shutil.rmtree(tmp_path / "deeper")
    write_text(tmp_path / "sweep.json", "{}")
    write_text(tmp_path / ours[0], "")
    with driving(tmp_path):
        assert not (tmp_path / ours[0]).exists()


def test_nothing_is_written_but_whole() -> None:
    """Every output goes through `storage`; what writes by itself is named here with its reason."""
    allowed = {
        ("storage.py", "_replace"), ("lock.py", "_made_alone"),  # the two that make files
        ("disturbed.py", "disturbed_run"), ("disturbed.py", "chaos"),  # a log, and a sweep in a temporary folder
        ("stored.py", "_drop_half_a_line"),  # Optuna's journal, which only grows
        ("ray_token.py", "_make"),  # Ray's own file, linked into place when it is whole
        ("style.py", "save"), ("checkpoint.py", "write"), ("reference_files.py", "write"),
        ("export.py", "export"), ("attribute.py", "attribute_study"),
        ("seal.py", "sealed"), ("unpack.py", "_answer"),  # these into memory
    }  # fmt: skip
    writers = {"write_text", "write_bytes", "savefig", "savez", "savez_compressed", "to_parquet", "write_table", "tofile"}
    found = set()
    for path in sorted((ROOT / "study").rglob("*.py")):
        for function in (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)):
            for call in (n for n in ast.walk(function) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)):
                name, modes = call.func.attr, [a.value for a in call.args if isinstance(a, ast.Constant)]
                opened = name == "open" and any(isinstance(m, str) and set(m) & set("wax+") and len(m) < 4 for m in modes)
                table = name in ("to_csv", "to_json", "to_html") and call.args
                if name in writers or opened or table or (name == "dump" and len(call.args) > 1):
                    found.add((path.name, function.name))
    assert found <= allowed
    assert ("storage.py", "_replace") in found
