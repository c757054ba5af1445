"""SIGTERM and SIGHUP end a command as Ctrl-C does: in one line, with its lock released, with a status of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from study.lock import FILE
from study.signals import kept_from_children
from tests.study.conftest import ENVIRONMENT, ROOT, SMALL

ENDINGS = [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 1)]

COMMAND = """
import signal, sys, time
from pathlib import Path
from study.lock import driving
from study.signals import obedient

@obedient
def main():
    try:
        with driving(Path(sys.argv[1])):
            print("at work", flush=True)
            time.sleep(float(sys.argv[2]))
            return 0
    except KeyboardInterrupt:
        print("stopped", flush=True)
        time.sleep(float(sys.argv[3]))  # it takes its time to end
        return 1

sys.exit(main())
"""


def started(*command: object, **how: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", *map(str, command)], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True, **how,
    )  # type: ignore[call-overload]  # fmt: skip


def wait_for(process: subprocess.Popen[str], there: Callable[[], object]) -> None:
    deadline = time.monotonic() + 200
    while not there():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(("number", "status"), ENDINGS)
def test_a_signal_ends_a_command_with_its_lock_released(number: signal.Signals, status: int, tmp_path: Path) -> None:
    process = started("-c", COMMAND, tmp_path, 60, 0)
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    process.send_signal(number)
    assert (*process.communicate(timeout=30), process.returncode) == ("stopped\n", "", status)
    assert not (tmp_path / FILE).exists()


def test_what_comes_after_the_first_signal_changes_nothing(tmp_path: Path) -> None:
    """Also where Ctrl-C is ignored, as shells make it for what they start in the background."""
    process = started("-c", COMMAND, tmp_path, 60, 1, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    process.send_signal(signal.SIGHUP)
    assert process.stdout.readline() == "stopped\n"
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGHUP)
    assert (*process.communicate(timeout=30), process.returncode) == ("", "", 129)


def test_a_hangup_that_nohup_has_ignored_stays_ignored(tmp_path: Path) -> None:
    process = started("-c", COMMAND, tmp_path, 1, 0, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    process.send_signal(signal.SIGHUP)
    assert (*process.communicate(timeout=30), process.returncode) == ("", "", 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_report_ends_in_one_line(number: signal.Signals, small_run: tuple[Path, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "rows").mkdir(parents=True)
    for path in (small_run[0] / "rows").rglob("*.parquet"):
        os.link(path, out / "rows" / f"{path.parent.name}-{path.name}")
    process = started("-m", "study", "report", out)
    assert process.stdout is not None
    assert "drawing figures" in process.stdout.readline()
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert (error, process.returncode) == ("stopped\n", 128 + number)
    assert not list(out.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("number", "to_all", "when"),
    [
        (signal.SIGTERM, True, "rows"),  # as batch systems do: Ray's processes are sent it too
        pytest.param(signal.SIGTERM, False, "rows", marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, True, "rows", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, False, "start", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, True, "start", marks=pytest.mark.slow),
    ],
)
def test_a_run_ends_in_one_line(number: signal.Signals, to_all: bool, when: str, tmp_path: Path) -> None:
    sweep = yaml.safe_load(SMALL)
    for phase in sweep["curricula"]["brief"]["phases"]:
        phase["steps"] = 20_000
    sweep["cells"]["large"]["seeds"] = [0]  # quick, so that there is a row
    sweep["cells"]["quick"] = {"curriculum": "quick", "seeds": [0]}
    sweep["curricula"]["quick"] = {"phases": [dict(phase, steps=40) for phase in sweep["curricula"]["brief"]["phases"]]}
    file, out = tmp_path / "long.yaml", tmp_path / "out"
    file.write_text(json.dumps(sweep | {"contrasts": {}}))  # without YAML's aliases
    process = started("-m", "study", "run", file, "--out", out, "--wandb", "disabled", "--set", "compute.block=1")
    try:
        if when == "rows":
            wait_for(process, lambda: list((out / "rows").rglob("*.parquet")))
        else:
            wait_for(process, lambda: (out / "sweep.json").exists())
            time.sleep(3)
        (os.killpg if to_all else os.kill)(process.pid, number)
        printed, error = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 128 + number, printed + error
    assert "Traceback" not in printed + error
    last = printed.splitlines()[-1] if printed else ""
    assert (last.startswith("Stopped: ") and not error) or error == "stopped\n"
    if last.startswith("Stopped: "):
        assert last.endswith("the same command goes on from there.")
        assert printed.count("Stopped") == 1
    assert not (out / FILE).exists()


def test_ray_would_not_hear_a_signal_to_the_whole_job() -> None:
    """Else its processes may end before the driver does, which Ray then ends with a status of its own."""
    sleep = [sys.executable, "-c", "import time; print('asleep', flush=True); time.sleep(60)"]
    with kept_from_children():
        kept = subprocess.Popen(sleep, stdout=subprocess.PIPE)
    other = subprocess.Popen(sleep, stdout=subprocess.PIPE)
    for process in (kept, other):
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
    assert other.wait(timeout=30) == -signal.SIGTERM
    kept.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        kept.wait(timeout=0.5)
    kept.kill()
    assert kept.wait(timeout=30) == -signal.SIGKILL
