"""Rows as data of others: regular files of bounded size, whole and undamaged, counted once and only where they belong."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from study import foreign
from study.attribute import check as check_attribute
from study.belonging import belonging
from study.checkpoint import Checkpoint
from study.columns import columns_by_phase, phases_of, split_names, structure_by_phase, unused
from study.export import export
from study.figures.kept import kept_cells
from study.figures.study import Missing
from study.folder import FILE, check_file, check_links, stored_sweep
from study.kept import read_vectors
from study.lock import _started
from study.memory import check_alone
from study.plan import Block, Draw, Plan, make_plan
from study.predictor_cost import costs_of
from study.report.read import read_study
from study.report.view import settings_sheets
from study.rows import RowsError, read_rows, write_table
from study.running import analysed
from study.schema import setting_values
from study.seal import broken, sealed
from study.statistics.variance import design_of
from study.storage import StorageError, files, read_bytes, write_bytes
from study.sweep import SweepError
from study.sweep_file import load_sweep, parse_sweep
from study.unpack import MOST_COLUMNS
from tests.study.conftest import ROOT, SMALL, study_here


def frame_of(cells: tuple[str, ...] = ("one", "two"), seeds: int = 8, **columns: Any) -> pd.DataFrame:
    """Rows made elsewhere."""
    rng, count = np.random.default_rng(0), seeds * len(cells)
    frame = pd.DataFrame({"cell": np.repeat(cells, seeds), "seed": list(range(seeds)) * len(cells)})
    for name in ("silhouette_eig", "loss_x_test"):
        frame[name] = rng.lognormal(size=count)
    return frame.assign(**columns)


def put(out: Path, frame: pd.DataFrame, name: str = "a.parquet") -> Path:
    path = out / "rows" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path)
    return path


def refusal(error: pytest.ExceptionInfo[Any]) -> str:
    text = str(error.value)
    assert text.isprintable(), text
    return text


# Regular files only.

NOT_FILES = ["pipe", "folder", "device", "socket"]


@pytest.fixture(params=NOT_FILES)
def what(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Puts something that is no file at a path, and says how it is called."""
    kept: list[socket.socket] = []

    def put_it(path: Path) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        if request.param == "pipe":
            os.mkfifo(path)
        elif request.param == "folder":
            path.mkdir()
        elif request.param == "device":
            path.symlink_to("/dev/zero")
        else:
            kept.append(socket.socket(socket.AF_UNIX))
            here = Path.cwd()
            os.chdir(path.parent)  # names of sockets are short
            kept[0].bind(path.name)
            os.chdir(here)
        return str(request.param)

    yield put_it
    for one in kept:
        one.close()


def test_only_regular_files_are_read_and_written_over(what: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    said = what(path)
    with pytest.raises(StorageError, match=f"{said}.*only regular files are read") as refused:
        read_bytes(path)
    refusal(refused)
    with pytest.raises(SweepError, match="only regular files are read"):
        load_sweep(path)
    with pytest.raises(OSError, match="only regular files are written over"):
        write_bytes(path, b"new")
    with pytest.raises(SweepError, match=r"must name a file|only regular files are written over"):
        check_file(path, "--to", b"PK")
    assert os.path.lexists(path)


def test_a_row_file_that_is_none_is_named(what: Any, tmp_path: Path) -> None:
    put(tmp_path, frame_of())
    what(tmp_path / "rows" / "b.parquet")
    with pytest.raises(RowsError, match=r"b\.parquet: is a .*only regular files") as refused:
        read_rows(tmp_path)
    refusal(refused)


@pytest.mark.parametrize("name", [FILE, "analysis.json", "report.html", "figures/figure.png"])
def test_files_of_a_folder_that_are_none_are_named_before_work(name: str, what: Any, tmp_path: Path) -> None:
    what(tmp_path / name)
    with pytest.raises(SweepError, match=f"{Path(name).name}: is a") as refused:
        check_links(tmp_path)
    refusal(refused)
    if name == FILE:
        with pytest.raises(SweepError, match=r"sweep\.json: is a .*only regular files") as refused:
            stored_sweep(tmp_path)
        assert refusal(refused).count(FILE) == 1


@pytest.mark.parametrize("folder", ["rows", "figures", "checkpoints", "kept", "references"])
def test_a_folder_of_a_cell_that_leads_elsewhere_is_named_before_work(folder: str, tmp_path: Path) -> None:
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    (out / folder).mkdir(parents=True)
    (out / folder / "standard").symlink_to(elsewhere)
    with pytest.raises(SweepError, match="standard: is a link out of the folder") as refused:
        check_links(out)
    refusal(refused)


@pytest.mark.parametrize("name", [FILE, "identity.json", ".written.json", "rows/a.parquet", "figures", "wandb/x", "kept/one"])
def test_a_link_in_a_circle_is_named_before_work(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(path.name)
    if name.startswith("wandb"):  # which is W&B's own
        check_links(tmp_path)
        return
    with pytest.raises(SweepError, match=f"{path.name}: is a link that leads in a circle") as refused:
        check_links(tmp_path)
    refusal(refused)


def test_kept_files_and_checkpoints_that_are_none_do_not_hang(what: Any, tmp_path: Path) -> None:
    what(tmp_path / "kept" / "one" / "0-0.vectors.parquet")
    with pytest.raises(RowsError, match="only regular files"):
        read_vectors(tmp_path, "one", Draw(0, 0))
    what_else = tmp_path / "c.npz"
    os.mkfifo(what_else)
    checkpoint = Checkpoint(what_else, "key", 0.0).read(0.0)
    assert checkpoint.measured == []
    checkpoint.write()  # not a trial is lost for it


def test_a_stored_analysis_that_is_a_pipe_is_one_line(tmp_path: Path) -> None:
    put(tmp_path, frame_of())
    os.mkfifo(tmp_path / "analysis.json")
    with pytest.raises(SweepError, match="a pipe, and only regular files are read"):
        read_study(tmp_path)


def test_hidden_files_and_folders_are_not_rows(tmp_path: Path) -> None:
    put(tmp_path, frame_of())
    for name in (".ipynb_checkpoints/a-checkpoint.parquet", "deep/.trash/a.parquet", ".a.parquet"):
        put(tmp_path, frame_of(silhouette_eig=0.5), name)
    assert [path.name for path in files(tmp_path / "rows", ".parquet")] == ["a.parquet"]
    assert len(read_rows(tmp_path)) == 16


# Whole and undamaged.


def whole_table() -> pa.Table:
    rng = np.random.default_rng(0)
    curve = [list(rng.normal(size=20)) for _ in range(8)]
    columns: dict[str, Any] = {"cell": ["a"] * 8, "seed": range(8), "data_seed": range(8), "commit": ["abc"] * 8}
    columns |= {name: rng.normal(size=8) for name in ("loss_x_test", "silhouette_eig")}
    return pa.table(columns | {"curve_x_steps": [list(range(20))] * 8, "curve_x_test": curve})


def flips(out: Path, data: bytes, bits: list[tuple[int, int]]) -> dict[str, int]:
    """How often a flipped bit is refused and how often all values are as before; never anything else."""
    path, counts = out / "rows" / "a.parquet", {"refused": 0, "same": 0}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    right = read_rows(out)
    for at, bit in bits:
        damaged = bytearray(data)
        damaged[at] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            pd.testing.assert_frame_equal(read_rows(out), right, check_exact=True)
            counts["same"] += 1
        except RowsError:
            counts["refused"] += 1
    return counts


def every_bit(data: bytes) -> list[tuple[int, int]]:
    return [(at, bit) for at in range(len(data)) for bit in range(8)]


def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    data = bytes(sealed(whole_table()))
    assert not broken(data)
    counts = flips(tmp_path, data, random.Random(0).sample(every_bit(data), 400))
    assert counts["refused"] > 380  # all but those of the mark itself
    # A digest of half a file, or of another one, is none.
    assert broken(data[:-9] + b"x" + data[-8:])


@pytest.mark.slow
def test_every_flipped_bit_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    data = bytes(sealed(whole_table()))
    counts = flips(tmp_path, data, every_bit(data))
    assert counts["same"] <= 8 * len("pntk.sha256=")


def test_a_row_file_is_plain_parquet_with_page_checksums(tmp_path: Path) -> None:
    path = Path(str(write_table(tmp_path / "rows" / "a.parquet", whole_table())))
    table = pq.ParquetFile(path, page_checksum_verification=True).read()
    assert table.equals(whole_table())
    data = bytearray(path.read_bytes())
    chunk = pq.read_metadata(path).row_group(0).column(4)
    data[(chunk.dictionary_page_offset or chunk.data_page_offset) + chunk.total_compressed_size - 2] ^= 1
    with pytest.raises(OSError, match="CRC"):
        pq.ParquetFile(pa.BufferReader(bytes(data)), page_checksum_verification=True).read()


def old_file(path: Path) -> bytes:
    """A file without a digest, as earlier versions and others write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(whole_table(), path, compression="zstd")
    return path.read_bytes()


def test_what_ends_its_reader_does_not_end_us(tmp_path: Path) -> None:
    data = old_file(tmp_path / "rows" / "a.parquet")
    size = int.from_bytes(data[-8:-4], "little")
    footer = [(at, bit) for at, bit in every_bit(data) if at >= len(data) - 8 - size]
    said = set()
    for at, bit in random.Random(3).sample(footer, 150):
        damaged = bytearray(data)
        damaged[at] ^= 1 << bit
        (tmp_path / "rows" / "a.parquet").write_bytes(damaged)
        try:
            read_rows(tmp_path)
        except RowsError as error:
            said.add(str(error).partition(": ")[2])
    (tmp_path / "rows" / "a.parquet").write_bytes(data)
    assert len(read_rows(tmp_path)) == 8
    assert said


def test_a_reader_that_is_killed_is_replaced(tmp_path: Path) -> None:
    old_file(tmp_path / "rows" / "a.parquet")
    read_rows(tmp_path)
    process = foreign._here().process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    assert len(read_rows(tmp_path)) == 8


def test_a_reader_that_is_busy_ends_with_the_one_who_asked() -> None:
    """Killed by signal 9, that one closes nothing; a file may keep its reader busy for minutes."""
    busy = "import os, time; from study.unpack import end_with; end_with(os.getppid(), 0.05); print(os.getpid(), flush=True); "
    asks = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy + 'time.sleep(60)'!r}])"
    with subprocess.Popen([sys.executable, "-c", asks], stdout=subprocess.PIPE, text=True, cwd=ROOT) as asking:
        assert asking.stdout is not None
        reader = int(asking.stdout.readline())
        assert _started(reader) is not None
        asking.kill()
        asking.wait()
        deadline = time.monotonic() + 10
        while _started(reader) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _started(reader) is None


def test_a_fork_has_a_reader_of_its_own(tmp_path: Path) -> None:
    old_file(tmp_path / "rows" / "a.parquet")
    read_rows(tmp_path)
    ours = foreign._here()
    if (child := os.fork()) == 0:
        os._exit(0 if foreign._here() is not ours and len(read_rows(tmp_path)) == 8 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(read_rows(tmp_path)) == 8


# Sizes.


def bomb(path: Path, rows: int, length: int) -> int:
    """Text that is repeated: a small file that unpacks to rows x length bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), ["x" * length])
    cell = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), ["a"])
    table = pa.table({"cell": cell, "seed": pa.array(np.arange(rows)), "note": long})
    pq.write_table(table, path, compression="zstd", store_schema=False)
    return path.stat().st_size


def test_repeated_text_is_counted_before_it_is_written_out(tmp_path: Path) -> None:
    size = bomb(tmp_path / "rows" / "a.parquet", 20_000, 2_000_000)  # 40 GB
    assert size < 1_000_000
    with pytest.raises(RowsError, match=r"a\.parquet: unpacks to more than .* too many for this machine's memory"):
        read_rows(tmp_path)
    assert len(read_rows(tmp_path, ["cell", "seed"])) == 20_000


def test_files_of_a_folder_are_counted_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        put(tmp_path, frame_of((f"cell{number}",), seeds=100), f"{number}.parquet")
    one = 100 * (4 * 64 + 8 * 4)
    monkeypatch.setattr("study.foreign.machine_memory", lambda: 2.5 * one / foreign.LARGEST_SHARE)
    with pytest.raises(RowsError, match=r"2\.parquet: .* too many for this machine's memory beside the files before it"):
        read_rows(tmp_path)
    assert len(read_rows(tmp_path, cell=None, columns=["cell", "seed"])) == 400


def test_a_file_that_is_larger_than_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "rows.bin").open("wb") as hole:
        hole.truncate(10**12)
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows.bin").rename(tmp_path / "rows" / "a.parquet")
    with pytest.raises(RowsError, match=r"a\.parquet: is larger than"):
        read_rows(tmp_path)


def test_kept_files_have_the_same_bounds(tmp_path: Path) -> None:
    where = tmp_path / "kept" / "one" / "0-0.vectors.parquet"
    bomb(where, 20_000, 2_000_000)
    with pytest.raises(RowsError, match="has no column pattern"):
        read_vectors(tmp_path, "one", Draw(0, 0))
    write_table(where, pa.table({"pattern": [1, 2], "eig": [[0.5, 1.0], [2.0]]}))
    with pytest.raises(RowsError, match="column eig must have rows, and lists of one length"):
        read_vectors(tmp_path, "one", Draw(0, 0))


def test_checkpoints_that_lie_about_their_size_count_as_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    shape = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,), }"
    header = b"\x93NUMPY\x01\x00v\x00" + shape.ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("key.npy", header)
    assert Checkpoint(path, "key", 0.0).read(0.0).measured == []
    with pytest.raises(foreign.Refused, match=r"not a readable \.npz file"):
        foreign.read_arrays(path.read_bytes(), 1e9)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("key.npy", b"0" * 10_000_000)
    with pytest.raises(foreign.Refused, match="unpacks to 10,000,000 bytes"):
        foreign.read_arrays(path.read_bytes(), 1e6)


@pytest.fixture
def plan() -> Plan:
    return make_plan(parse_sweep(yaml.safe_load(SMALL)))


def test_a_network_that_does_not_fit_is_not_trained_again(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = Block(plan.cells[0], plan.cells[0].draws[:1])
    check_alone(block)
    monkeypatch.setattr("study.memory.machine_memory", lambda: 6e8)
    cell, draw = plan.cells[0], plan.cells[0].draws[0]
    sizes = {name: [value] for name, value in setting_values(cell).items()}
    frame = pd.DataFrame({"cell": [cell.name], "loss_single_test": [1.0], "predictor_single_snip": [1.0]} | sizes)
    again: list[tuple[Callable[[], Any], str]] = [
        (lambda: check_alone(block), "a trial needs about .* GB of memory"),
        (lambda: export(plan, tmp_path, cell.name, draw.seed, None, tmp_path / "x.npz"), "a trial needs about .* GB of memory"),
        (
            lambda: check_attribute(plan, [cell.name], draw.seed, None, tmp_path / "to", 1, 1),
            "needs about .* GB of memory to be attributed",
        ),
        (lambda: costs_of(frame, plan, tmp_path), "a trial needs about .* GB of memory"),  # of `analyse` and `report`
    ]
    for work, why in again:
        with pytest.raises(SweepError, match=why):
            work()
    assert list(tmp_path.iterdir()) == []


# What belongs, and what is there twice.


def test_what_is_there_twice_with_equal_values_is_read_once(tmp_path: Path) -> None:
    frame = frame_of(curve_x_steps=[[0, 1]] * 16, curve_x_test=[[1.0, np.nan]] * 16, commit="new")
    put(tmp_path, frame)
    put(tmp_path, frame[4:].assign(commit="old"), "a (conflicted copy).parquet")
    read = read_rows(tmp_path)
    assert len(read) == 16
    (note,) = read.attrs["notes"]
    assert "a (conflicted copy).parquet and" in note
    assert "a.parquet hold 12 network(s) twice with equal values" in note


def test_what_is_there_twice_with_different_values_is_refused_with_both_files(tmp_path: Path) -> None:
    frame = frame_of()
    put(tmp_path, frame)
    other = frame.copy()
    other.loc[3, "loss_x_test"] += 1e-9
    put(tmp_path, other, "b.parquet")
    with pytest.raises(RowsError) as refused:
        read_rows(tmp_path)
    text = refusal(refused)
    assert "a.parquet and" in text
    assert "b.parquet: cell 'one' has seed 3 twice, with different values of loss_x_test" in text


def test_rows_outside_the_plan_are_named_and_not_counted(plan: Plan, tmp_path: Path) -> None:
    names = [cell.name for cell in plan.cells]
    put(tmp_path, frame_of((*names, "strange"), seeds=8, data_seed=list(range(8)) * (len(names) + 1)))
    kept = belonging(read_rows(tmp_path), plan, tmp_path)
    assert len(kept) == plan.networks
    assert set(kept["cell"]) == set(names)
    (note,) = kept.attrs["notes"]
    outside = 8 * (len(names) + 1) - plan.networks
    assert f"not counted, {outside} of {8 * (len(names) + 1)}: unknown cells strange; cell " in note
    assert "other seeds 6, 7" in note
    for path in (tmp_path / "rows").iterdir():
        path.unlink()
    put(tmp_path, frame_of(("strange",)))
    with pytest.raises(RowsError, match=r"none of its rows is of the sweep small \(unknown cells strange\)"):
        belonging(read_rows(tmp_path), plan, tmp_path)


def test_everything_counts_where_there_is_no_plan(tmp_path: Path) -> None:
    put(tmp_path, frame_of())
    kept = belonging(read_rows(tmp_path), None, tmp_path)
    assert len(kept) == 16
    assert kept.attrs["notes"] == ()


# What columns mean.


@pytest.mark.parametrize(
    ("names", "phases", "declared", "expected"),
    [
        (["trace"], ["multi", "multi_ntk"], (), {"multi": ["trace"], "multi_ntk": ["trace"]}),
        (["ntk_trace"], ["multi", "multi_ntk"], (), {"multi": ["ntk_trace"], "multi_ntk": ["ntk_trace"]}),
        (["a", "ntk_trace"], ["multi_ntk", "multi"], (), {"multi": ["a", "ntk_trace"], "multi_ntk": ["a", "ntk_trace"]}),
        (["trace", "x"], ["m", "m_n", "m_n_p"], (), {name: ["trace", "x"] for name in ("m", "m_n", "m_n_p")}),
        (["ntk_trace"], ["multi", "multi_ntk", "single"], ("ntk_trace",), {n: ["ntk_trace"] for n in ("multi", "multi_ntk")}),
    ],
)  # fmt: skip
def test_columns_of_phases_that_begin_alike_are_told_apart(
    names: list[str], phases: list[str], declared: tuple[str, ...], expected: dict[str, list[str]]
) -> None:
    columns = [f"predictor_{phase}_{name}" for phase in expected for name in names]
    found = split_names(columns, "predictor", phases, declared)
    assert {phase: sorted(split) for phase, split in found.items() if split} == expected
    assert {c for split in found.values() for c in split.values()} == set(columns)


def test_rows_say_which_predictors_they_hold() -> None:
    frame = pd.DataFrame({"loss_multi_test": [1.0], "loss_multi_ntk_test": [1.0], "predictor_multi_ntk_trace": [2.0]})
    assert columns_by_phase(frame, "predictor") == {"multi": {}, "multi_ntk": {"trace": "predictor_multi_ntk_trace"}}
    frame["predictors"] = "ntk_trace"
    assert columns_by_phase(frame, "predictor") == {"multi": {"ntk_trace": "predictor_multi_ntk_trace"}, "multi_ntk": {}}


def test_structure_of_phases_that_begin_alike_is_told_apart() -> None:
    names = [f"structure_{p}_{m}" for p in ("multi", "multi_ntk") for m in ("steps", "cka", "silhouette_ntk_x")]
    found = structure_by_phase(pd.DataFrame(columns=[*names, "structure_records", "structure_estimators"]))
    assert found == {p: {m: f"structure_{p}_{m}" for m in ("steps", "cka", "silhouette_ntk_x")} for p in ("multi", "multi_ntk")}


def test_a_loss_without_a_phase_is_none() -> None:
    assert phases_of(pd.DataFrame(columns=["loss_test", "loss__test", "loss_multi_test_test", "loss_a_unseen"])) == [
        "multi_test",
        "a",
    ]


def test_a_loss_without_a_phase_is_one_line(tmp_path: Path) -> None:
    put(tmp_path, frame_of().rename(columns={"loss_x_test": "loss_test"}))
    with pytest.raises(RowsError, match="rows need a column silhouette_<estimator> or predictor_"):
        analysed(belonging(read_rows(tmp_path), None, tmp_path), None, tmp_path)


def test_lists_in_the_place_of_settings_are_named_and_not_read(tmp_path: Path) -> None:
    names = ("init_scale", "commit", "structure_records", "phases", "version_torch")
    put(tmp_path, frame_of(**{name: [[1.0, 2.0]] * 16 for name in names}))
    frame = read_rows(tmp_path)
    assert not set(names) & set(frame.columns)
    (note,) = frame.attrs["notes"]
    assert all(name in note for name in names)


@pytest.mark.parametrize(
    "phases",
    ['[{"name": "x"}]', '[{"name": 3, "steps": 1, "learning_rate": 1, "task_counts": [1]}]',
     '[{"name": "x", "steps": "many", "learning_rate": 1, "task_counts": [1]}]',
     '[{"name": "x", "steps": 1, "learning_rate": NaN, "task_counts": ["1"]}]'],
)  # fmt: skip
def test_settings_of_anyone_are_shown_only_where_they_are_of_their_kind(phases: str, tmp_path: Path) -> None:
    put(tmp_path, frame_of(phases=phases, init_scale="large", stimulus_pools="x", response_pools=3, features=3,
                           scaled_layers="both"))  # fmt: skip
    (tmp_path / "kept" / "one").mkdir(parents=True)
    (tmp_path / "kept" / "one" / "0-0.activity.parquet").write_bytes(b"")
    study = read_study(tmp_path)
    cell = str(study.rows["cell"].iloc[0])
    assert study.phase_settings(cell) == []
    assert study.label(cell) == cell
    assert isinstance(kept_cells(study, False), Missing)
    assert settings_sheets(study)


def test_a_file_of_a_huge_number_of_columns_is_refused_before_they_are_read(tmp_path: Path) -> None:
    table = pa.table({"cell": ["a"], "seed": [0], **{f"loss_p{number}_test": [1.0] for number in range(MOST_COLUMNS)}})
    (tmp_path / "rows").mkdir()
    pq.write_table(table, tmp_path / "rows" / "a.parquet", store_schema=False)
    with pytest.raises(RowsError, match=r"a\.parquet: has 20,002 columns, more than the 20,000"):
        read_rows(tmp_path)


def test_names_of_thousands_of_phases_are_taken_apart_in_seconds() -> None:
    phases = [f"p{number}" for number in range(20_000)]
    found = split_names([f"predictor_{phase}_snip" for phase in phases], "predictor", phases)
    assert found["p77"] == {"snip": "predictor_p77_snip"}


def test_every_column_that_is_not_used_is_named_once(tmp_path: Path) -> None:
    used = {"curve_x_steps": [[0, 1]] * 16, "curve_x_test": [[1.0, 2.0]] * 16, "predictor_x_snip": 1.0, "version_torch": "2",
            "hidden_units": 10, "structure_x_steps": [[0]] * 16, "structure_x_cka": [[0.5]] * 16, "commit": "abc"}  # fmt: skip
    lost = {"mood": 1, "loss_test": 1.0, "predictor_y_snip": 1.0, "curve_y_test": [[1.0]] * 16, "repeat_data_q": [[1.0]] * 16,
            "a\x1b[31mb": 2, "silhouette_": 1.0}  # fmt: skip
    unread = {"when": pd.Timestamp(0), "raw": b"x"}
    put(tmp_path, frame_of(**used, **lost, **unread))
    frame = belonging(read_rows(tmp_path), None, tmp_path)
    assert set(unused(frame, {"hidden_units"})) == set(lost)
    notes = " ".join(frame.attrs["notes"])
    assert notes.isprintable()
    for name in (*lost, *unread):
        assert notes.count(f" {name.replace(chr(27), ' ')}") == 1, name
    assert not any(f" {name}," in notes or f" {name}." in notes for name in used)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"structure_x_steps": ["a"] * 16}, "structure_x_steps must hold lists of numbers"),
        ({"structure_x_steps": [[0, 1]] * 16, "structure_x_cka": [0.5] * 16}, "structure_x_cka must hold lists of numbers"),
        ({"structure_x_steps": [[0, 1]] * 16, "structure_x_cka": [[0.5]] * 16}, "structure_x_cka must have as many values"),
        ({"curve_x_steps": [[0, 1]] * 16, "curve_x_test": [[0.5]] * 15 + [None]}, "curve_x_test must have as many values"),
    ],
)
def test_lists_of_rows_are_checked(columns: dict[str, Any], says: str, tmp_path: Path) -> None:
    put(tmp_path, frame_of(**columns))
    with pytest.raises(RowsError, match=says):
        read_rows(tmp_path)


@pytest.mark.parametrize("text", ["not JSON", "[" * 10_000, '{"name": "x"}', '[{"steps": 1}]'])
def test_phases_of_rows_are_checked(text: str, tmp_path: Path) -> None:
    put(tmp_path, frame_of(phases=text))
    with pytest.raises(RowsError, match="column phases must hold a list of phases"):
        read_rows(tmp_path)


def test_settings_that_begin_like_structure_are_read(tmp_path: Path) -> None:
    put(tmp_path, frame_of(structure_records=5, structure_estimators="eig,inputs"))
    assert set(read_rows(tmp_path)["structure_estimators"]) == {"eig,inputs"}


def test_an_infinite_loss_is_a_divergence_and_counted(tmp_path: Path) -> None:
    frame = frame_of()
    frame.loc[2, "loss_x_test"] = np.inf
    frame.loc[9, "loss_x_test"] = -np.inf
    put(tmp_path, frame)
    analysis = analysed(read_rows(tmp_path), None, tmp_path)
    assert [cell["diverged"] for cell in analysis["cells"]] == [1, 1]
    assert {result["left_out_diverged"] for result in analysis["results"]} == {2}
    assert {result["left_out_undefined"] for result in analysis["results"]} == {0}
    put(tmp_path, frame.assign(diverged=[True] + [False] * 15))
    assert list(read_rows(tmp_path)["diverged"]) == [k in (0, 2, 9) for k in range(16)]


def test_rows_without_data_seeds_do_not_say_whose_data(tmp_path: Path) -> None:
    put(tmp_path, frame_of())
    frame = belonging(read_rows(tmp_path), None, tmp_path)
    assert design_of(frame) == "unknown"
    assert "not known whether seeds share data" in analysed(frame, None, tmp_path)["design"]["question"]
    put(tmp_path, frame_of(data_seed=list(range(8)) * 2))
    assert design_of(read_rows(tmp_path)) == "per_seed"


def test_rows_of_predictors_alone_are_analysed(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = frame_of(seeds=12).drop(columns="silhouette_eig")
    put(tmp_path, frame.assign(predictor_x_snip=rng.normal(size=24), predictor_x_mine=rng.normal(size=24)))
    done = study_here("analyse", tmp_path, "--wandb", "disabled")
    assert done.returncode == 0, done.stderr
    analysis = json.loads((tmp_path / "analysis.json").read_text())
    (table,) = analysis["ranking"]["tables"]
    assert {entry["name"] for entry in table["entries"]} == {"snip", "mine", "condition"}
    assert "mine" in done.stdout


def test_what_does_not_count_is_said_on_the_terminal_and_in_the_files(tmp_path: Path) -> None:
    put(tmp_path, frame_of(mood=1.0))
    put(tmp_path, frame_of(mood=1.0), "b.parquet")
    done = study_here("analyse", tmp_path, "--wandb", "disabled")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Columns of the rows that are not used, 1: mood.") == 1
    written = (tmp_path / "analysis.md").read_text()
    assert "b.parquet hold 16 network(s) twice with equal values" in written
    assert "not used, 1: mood." in written
