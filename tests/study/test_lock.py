"""The lock of a folder: clocks, host names, process numbers and hard links are not to be trusted."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from study import lock
from study.folder import LOCK_FIELDS
from study.lock import FILE, driving, holds, release_all
from study.storage import write_bytes
from study.sweep import SweepError
from tests.study.conftest import ENVIRONMENT, ROOT

ELSEWHERE = {"id": "x", "host": "another", "pid": 1, "started": "1", "beat": 0.0}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes takes a second."""
    for name, seconds in (("STALE_SECONDS", 1.0), ("LOOK_SECONDS", 0.05), ("SETTLE_SECONDS", 0.05)):
        monkeypatch.setattr(lock, name, seconds)


def taken(folder: Path) -> list[str]:
    """What is said while the lock is taken and given back."""
    said: list[str] = []
    with driving(folder, said.append) as identity:
        assert holds(folder, identity)
    assert not (folder / FILE).exists()
    return said


@pytest.mark.parametrize(
    "beat",
    [time.time() + 86400, time.time() - 1e6, float("nan"), float("inf"), "soon", None, 10**400],
    ids=["tomorrow", "last week", "NaN", "inf", "text", "none", "huge"],
)
def test_a_lock_from_elsewhere_is_taken_over_only_if_its_beat_does_not_change(beat: Any, tmp_path: Path) -> None:
    """Whatever the other machine's clock says: a beat of tomorrow does not hold for ever, one of last week is not robbed."""
    (tmp_path / FILE).write_text(json.dumps(ELSEWHERE | {"beat": beat}))
    stop = threading.Event()

    def heart() -> None:
        count = 0
        while not stop.wait(0.1):
            count += 1
            write_bytes(tmp_path / FILE, json.dumps(ELSEWHERE | {"beat": beat, "beats": count}).encode())

    thread = threading.Thread(target=heart)
    thread.start()
    try:
        with pytest.raises(SweepError, match=r"by process 1 on another.* alive.* stop it .*at most$"), driving(tmp_path, str):
            pass
    finally:
        stop.set()
        thread.join()
    start = time.monotonic()
    said = taken(tmp_path)
    assert time.monotonic() - start >= 1.0
    assert len(said) == 1
    assert "waiting up to 1 s to see whether process 1 on another" in said[0]
    assert f"remove {tmp_path / FILE}" in said[0]


def test_the_fields_of_a_lock_are_known_to_the_folder() -> None:
    assert set(lock._mine("x")) == LOCK_FIELDS


@pytest.mark.parametrize("changed", ["boot", "namespace", "host", "started", "pid", None])
def test_a_process_is_looked_at_only_where_its_number_means_something(changed: str | None, tmp_path: Path) -> None:
    """The lock of a living process of this machine; then of one that merely looks like it."""
    mine = lock._mine("x")
    (tmp_path / FILE).write_text(json.dumps(mine | ({changed: -1 if changed == "pid" else "other"} if changed else {})))
    if changed is None:
        with pytest.raises(SweepError, match=f"by process {os.getpid()} on .*kill {os.getpid()}"), driving(tmp_path, str):
            pass
    else:
        assert len(taken(tmp_path)) == (changed != "started")  # another process of this number: dead, no need to wait


def test_the_lock_of_a_process_that_died_here_is_taken_over_at_once(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)
    (tmp_path / FILE).write_text(json.dumps(lock._mine("x") | {"pid": int(done.stdout)}))
    assert taken(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 5000, '{"id": 1, "pid": true, "host": ["\\u202e"]}', "9" * 5000])
def test_what_is_no_lock_in_a_studys_folder_is_watched_and_replaced(text: str, tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text("{}")
    (tmp_path / FILE).write_text(text)
    assert len(taken(tmp_path)) == 1


def test_a_lock_that_is_no_file_or_too_large_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text("{}")
    os.mkfifo(tmp_path / FILE)
    with pytest.raises(SweepError, match=r"driver\.json: is no regular file"), driving(tmp_path, str):
        pass
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    with pytest.raises(SweepError, match=r"driver\.json: is no regular file"), driving(tmp_path, str):
        pass
    (tmp_path / FILE).rmdir()
    (tmp_path / FILE).write_bytes(b" " * 100_000)
    with pytest.raises(SweepError, match="too large"), driving(tmp_path, str):
        pass
    assert (tmp_path / FILE).stat().st_size == 100_000


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK])
def test_of_many_drivers_one_drives_where_there_are_no_hard_links(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*arguments: Any, **named: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)
    barrier, held, refused, over = threading.Barrier(6), [], [], threading.Event()

    def drive() -> None:
        barrier.wait()
        try:
            with driving(tmp_path, str) as identity:
                held.append(identity)
                over.wait(30)
        except SweepError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=drive) for _ in range(6)]
    for thread in threads:
        thread.start()
    while len(held) + len(refused) < 6:
        time.sleep(0.01)
    over.set()
    for thread in threads:
        thread.join()
    assert (len(held), len(refused)) == (1, 5)
    assert sorted(path.name for path in tmp_path.iterdir()) == []


def test_a_driver_that_was_taken_over_hears_of_it_and_leaves_the_lock_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.05)
    other = json.dumps(ELSEWHERE).encode()
    with pytest.raises(KeyboardInterrupt), driving(tmp_path, str) as identity:  # noqa: PT012
        first = (tmp_path / FILE).read_bytes()
        deadline = time.monotonic() + 20
        while (tmp_path / FILE).read_bytes() == first:  # it beats, and no two beats are alike
            assert time.monotonic() < deadline
        write_bytes(tmp_path / FILE, other)
        while time.monotonic() < deadline:
            time.sleep(0.01)
    assert not holds(tmp_path, identity)
    assert (tmp_path / FILE).read_bytes() == other


def test_all_locks_are_given_up_where_a_process_ends_without_another_word(tmp_path: Path) -> None:
    with driving(tmp_path, str):
        assert (tmp_path / FILE).exists()
        release_all()
        assert not (tmp_path / FILE).exists()
        (tmp_path / FILE).write_text(json.dumps(ELSEWHERE))
    assert json.loads((tmp_path / FILE).read_text()) == ELSEWHERE


def test_a_container_of_the_same_host_name_does_not_take_the_lock_of_a_living_driver(tmp_path: Path) -> None:
    """A process in a namespace of its own, where the driver's number is nobody's."""
    space = ["unshare", "--pid", "--fork", "--mount-proc"]
    if shutil.which("unshare") is None or subprocess.run([*space, "true"], capture_output=True).returncode:
        pytest.skip("a namespace of process numbers needs root")
    script = (
        "import sys\nfrom pathlib import Path\nfrom study import lock\nfrom study.sweep import SweepError\n"
        "lock.STALE_SECONDS, lock.LOOK_SECONDS = 20.0, 0.05\n"
        "try:\n    with lock.driving(Path(sys.argv[1])): print('held')\nexcept SweepError as error: print(error)"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock, "BEAT_SECONDS", 0.2)
        with driving(tmp_path) as identity:
            done = subprocess.run(
                [*space, sys.executable, "-c", script, tmp_path], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True
            )
            assert holds(tmp_path, identity)
    assert f"is being run by process {os.getpid()} on {socket.gethostname()}, which is alive" in done.stdout
    assert done.stderr.count("\n") == 1
