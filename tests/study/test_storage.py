"""A study on object storage: a real local S3, and a network that fails."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from study import lock
from study.kept import file_of as kept_file_of
from study.kept import read_vectors, write_table
from study.lock import FILE, driving, holds
from study.plan import Draw
from study.rows import read_rows
from study.storage import (
    Location,
    Remote,
    StorageError,
    as_folder,
    exists,
    files,
    local_folder,
    location,
    read_bytes,
    remove,
    spelled,
    write_bytes,
)
from study.sweep import SweepError
from tests.study.conftest import ENVIRONMENT, ROOT, study, study_here
from tests.study.network import CREDENTIALS, Storage, object_storage


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    with pytest.MonkeyPatch.context() as patch, object_storage() as found:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        for name, value in CREDENTIALS.items():
            patch.setitem(ENVIRONMENT, name, value)
        yield found


@pytest.fixture(params=["local", "file", "s3"])
def place(request: pytest.FixtureRequest, storage: Storage, tmp_path: Path) -> Location:
    texts = {"local": str(tmp_path), "file": tmp_path.as_uri(), "s3": storage.uri(f"places/{tmp_path.name}")}
    return location(texts[request.param])


def test_files_are_written_listed_read_and_removed(place: Location) -> None:
    assert files(place / "rows", ".parquet") == []
    write_bytes(place / "rows" / "a" / "2.parquet", b"two")
    write_bytes(place / "rows" / "a,b=1" / "1.parquet", b"one")
    write_bytes(place / "rows" / "note.txt", b"not asked for")
    write_bytes(place / "rows" / "a" / "2.parquet", b"two again")
    assert [(str(f).removeprefix(str(place)), read_bytes(f)) for f in files(place / "rows", ".parquet")] == [
        ("/rows/a/2.parquet", b"two again"),
        ("/rows/a,b=1/1.parquet", b"one"),
    ]
    one = location(spelled(place)) / "rows" / "a" / "2.parquet"
    assert exists(one)
    remove(one)
    remove(one)
    assert not exists(one)
    with pytest.raises(FileNotFoundError):
        read_bytes(one)
    with as_folder(place) as folder:
        (folder / "figures").mkdir()
        (folder / "figures" / "one.svg").write_text("<svg/>")
    assert read_bytes(place / "figures" / "one.svg") == b"<svg/>"


def test_places_are_named_without_options_and_credentials() -> None:
    place = location("s3://key:secret@bucket/a/b?endpoint_override=host:9000") / "rows"
    assert isinstance(place, Remote)
    assert str(place) == "s3://bucket/a/b/rows"
    assert place.name == "rows"
    assert location(spelled(place)) == Remote("s3://key:secret@bucket/a/b/rows?endpoint_override=host:9000")
    assert local_folder(place).is_absolute()
    assert location("file:///tmp/with%20space") == Path("/tmp/with space")


def test_an_outage_is_waited_for(storage: Storage) -> None:
    where = location(storage.uri("outage")) / "rows" / "1.parquet"
    write_bytes(where, b"before")
    storage.wire.cut()
    mend = threading.Timer(3, storage.wire.mend)
    mend.start()
    try:
        write_bytes(where, b"during")
        assert not mend.is_alive()
        assert read_bytes(where) == b"during"
    finally:
        mend.join()


def test_storage_that_stays_away_or_refuses_is_named_in_one_line(storage: Storage) -> None:
    storage.wire.cut()
    try:
        with pytest.raises(StorageError, match=r"^s3://studies/gone: cannot be reached \([^\n]+\)$"):
            write_bytes(location(storage.uri("gone")), b"", seconds=1)
    finally:
        storage.wire.mend()
    start = time.monotonic()
    with pytest.raises(StorageError, match="cannot be reached"):
        write_bytes(location(storage.uri("x").replace("studies", "no-such-bucket")), b"")
    assert time.monotonic() - start < 60  # waiting does not make a bucket; not a measurement


def test_what_is_kept_of_networks_lives_there_too(storage: Storage) -> None:
    out, draw = location(storage.uri("kept")), Draw(3, 4)
    write_table(kept_file_of(out, "large", draw, "vectors"), pa.table({"pattern": [1, 2], "eig": [[0.5, 1.0], [2.0, 3.0]]}))
    found = read_vectors(out, "large", draw)
    np.testing.assert_array_equal(found["eig"], [[0.5, 1.0], [2.0, 3.0]])


def test_a_study_on_object_storage_is_the_local_one(
    storage: Storage, small_sweep: Path, small_run: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "HOME", str(tmp_path))
    uri = storage.uri("small")
    done = study("run", small_sweep, "--out", uri, "--set", "compute.block=6")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rows: s3://studies/small/rows" in done.stdout
    assert f"W&B: {tmp_path}" in done.stdout
    assert len(list(tmp_path.rglob("offline-run-*/*.wandb"))) == 3  # two trials and the analysis
    local, remote = read_rows(small_run[0]), read_rows(location(uri))
    pd.testing.assert_frame_equal(local, remote)
    analysis = json.loads(read_bytes(location(uri) / "analysis.json"))
    assert analysis["results"] == json.loads((small_run[0] / "analysis.json").read_text())["results"]
    assert not exists(location(uri) / FILE)
    again = study_here("analyse", uri)
    assert again.returncode == 0
    exported = study_here("export", uri, "--cell", "large", "--seed", "2", "--to", tmp_path / "net.npz")
    assert "largest relative difference from the losses in the study's rows: 0.0e+00" in exported.stdout


def test_a_bucket_that_is_not_there_is_refused_before_any_work(storage: Storage, small_sweep: Path) -> None:
    refused = study_here("run", small_sweep, "--out", storage.uri("x").replace("studies", "no-such-bucket"))
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "s3://no-such-bucket/x" in refused.stderr
    nonsense = study_here("run", small_sweep, "--out", "ftp://somewhere/x")
    assert nonsense.returncode == 2
    assert nonsense.stderr.count("\n") == 1


HOLD = """
import sys
from study.lock import driving
from study.storage import location
with driving(location(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_driver_is_refused_and_the_lock_of_a_dead_one_taken_over(place: Location, small_sweep: Path) -> None:
    command = [sys.executable, "-c", HOLD, spelled(place)]
    first = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    refused = study_here("run", small_sweep, "--out", spelled(place))
    assert refused.returncode == 2
    assert f"is being run by process {first.pid} on " in refused.stderr
    assert refused.stderr.count("\n") == 1
    first.kill()
    first.communicate(timeout=60)
    assert exists(place / FILE)
    held = json.loads(read_bytes(place / FILE))["id"]
    with driving(place) as identity:
        assert holds(place, identity)
        assert not holds(place, held)  # what the dead driver left running may write no more
    assert not exists(place / FILE)


def test_a_lock_from_elsewhere_is_stale_when_its_beat_stands_still(place: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of this in `test_lock`; here on object storage too."""
    for name, seconds in (("STALE_SECONDS", 2.0), ("LOOK_SECONDS", 0.1), ("SETTLE_SECONDS", 0.1)):
        monkeypatch.setattr(lock, name, seconds)
    found = {"id": "x", "host": "another", "pid": 1, "started": "1", "beat": time.time() + 1e6}
    write_bytes(place / FILE, json.dumps(found).encode())
    beat = threading.Timer(0.5, lambda: write_bytes(place / FILE, json.dumps(found | {"beat": 0.0}).encode()))
    beat.start()
    with pytest.raises(SweepError, match="by process 1 on another"), driving(place):
        pass
    beat.join()
    with driving(place) as identity:
        assert holds(place, identity)
        assert not holds(place, "x")


def test_of_many_drivers_at_once_one_drives(tmp_path: Path) -> None:
    barrier, held, stop = threading.Barrier(8), [], threading.Event()

    def drive() -> None:
        barrier.wait()
        try:
            with driving(tmp_path) as identity:
                held.append(identity)
                stop.wait(30)
        except SweepError:
            pass

    threads = [threading.Thread(target=drive) for _ in range(8)]
    for thread in threads:
        thread.start()
    while sum(thread.is_alive() for thread in threads) > 1:
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert len(held) == 1
