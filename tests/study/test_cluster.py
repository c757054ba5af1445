"""The cluster file against Ray's own loader, and real clusters of several processes on this machine.

Never `ray stop` here: it would end every Ray on the machine. Clusters of these tests have their own ports and folders and
are ended by the mark in their command lines.
"""

from __future__ import annotations

import copy
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ray.autoscaler._private.util import prepare_config, validate_config

import study as package
from study.provenance import commit
from study.ray_token import private_token
from study.rows import read_rows
from study.sweep import SweepError
from study.sweep_file import find_sweep, load_sweep
from tests.study.conftest import ROOT

TEXT = (ROOT / "ray_cluster.yaml").read_text()
AWS: dict[str, Any] = yaml.safe_load(TEXT)
GOOGLE = AWS | yaml.safe_load("\n".join(line.removeprefix("#gcp") for line in TEXT.splitlines() if line.startswith("#gcp")))
TINY = ("--set", "seeds=2", "--set", "settings.hidden_units=10", "--set", "curricula.brief.phases.0.steps=20")


@pytest.mark.parametrize("config", [AWS, GOOGLE], ids=["aws", "gcp"])
def test_ray_takes_the_cluster_file(config: dict[str, Any]) -> None:
    prepared = prepare_config(copy.deepcopy(config))
    validate_config(prepared)
    types = prepared["available_node_types"]
    assert prepared["head_node_type"] == "head"
    assert types["head"]["resources"] == {"CPU": 0, "GPU": 0}
    assert types["gpu_worker"]["resources"]["GPU"] == 1
    for name in ("cpu_worker", "gpu_worker"):
        assert types[name]["min_workers"] == 0 < types[name]["max_workers"]
        assert "spot" in str(types[name]["node_config"]) or "preemptible" in str(types[name]["node_config"])


def test_the_schema_check_can_fail() -> None:
    with pytest.raises(Exception, match="max_workers"):
        validate_config(prepare_config(copy.deepcopy(AWS) | {"max_workers": "many"}))


def test_versions_are_pinned_to_those_of_this_project() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {Requirement(text).name: Requirement(text) for text in project["dependencies"]}
    install, check = AWS["setup_commands"][1:]
    pinned = {r.name: r for r in map(Requirement, install.split('"')[1:5:2])}
    assert str(pinned["torch"].specifier) == str(asked["torch"].specifier)
    version = str(pinned["ray"].specifier).removeprefix("==")
    assert asked["ray"].specifier.contains(version)
    assert asked["ray"].specifier.contains(ray.__version__)
    assert all(f"ray:{version}-py3" in AWS["docker"][image] for image in ("head_image", "worker_image"))
    assert f"== '{package.__version__}'" in check
    assert project["version"] == package.__version__


def test_the_lock_has_every_package_that_a_node_gets() -> None:
    """The project's requirements and theirs in turn, as they are installed here, each to the version."""
    lines = [line for line in (ROOT / ".ray_cluster_lock.txt").read_text().splitlines() if not line.startswith("#")]
    locked = {canonicalize_name(Requirement(line).name): Requirement(line).specifier for line in lines}
    assert all(str(specifier).startswith("==") for specifier in locked.values())
    assert '-c "$HOME/study-source/.ray_cluster_lock.txt"' in AWS["setup_commands"][1]
    assert AWS["file_mounts"]["~/pntk-study/.ray_cluster_lock.txt"] == ".ray_cluster_lock.txt"
    wanted, seen = [Requirement("pntk-study[cluster]")], set[str]()
    while wanted:
        requirement = wanted.pop()
        name, extras = canonicalize_name(requirement.name), ("", *requirement.extras)
        if name != "pntk-study":
            assert requirement.specifier.contains(str(locked[name]).removeprefix("=="), prereleases=True), requirement
        if f"{name}{extras}" in seen:
            continue
        seen.add(f"{name}{extras}")
        asked = [Requirement(text) for text in distribution(requirement.name).requires or []]
        wanted += [r for r in asked if r.marker is None or any(r.marker.evaluate({"extra": extra}) for extra in extras)]


def test_every_node_asks_for_a_token_that_only_its_user_reads_and_git_stays_at_home(tmp_path: Path) -> None:
    for key in ("head_start_ray_commands", "worker_start_ray_commands"):
        (start,) = [command for command in AWS[key] if "ray start" in command]
        assert "RAY_AUTH_MODE=token ray start" in start
    assert not any(".git" in Path(source).parts for source in AWS["file_mounts"].values())
    assert "**/.git" in AWS["rsync_exclude"]
    (token,) = [target for target, source in AWS["file_mounts"].items() if source == "~/.ray/auth_token"]
    (tmp_path / "pntk-study").mkdir()
    (tmp_path / Path(token).name).write_text("the token")
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("an older one, for everybody")
    for _ in range(2):
        subprocess.run(["bash", "-c", AWS["setup_commands"][0]], env=os.environ | {"HOME": str(tmp_path)}, check=True)
    assert (tmp_path / ".ray" / "auth_token").read_text() == "the token"
    assert (tmp_path / ".ray" / "auth_token").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ".bashrc").read_text() == "export RAY_AUTH_MODE=token\n"


def test_the_token_of_a_local_ray_is_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".ray" / "auth_token"
    for others in ({"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN": "x"}, {"RAY_AUTH_TOKEN_PATH": "x"}):
        private_token(others)
        assert not path.exists()
    private_token({})
    token = path.read_text()
    assert (len(token), path.stat().st_mode & 0o777) == (64, 0o600)
    path.chmod(0o644)  # as Ray makes it
    private_token({"RAY_AUTH_MODE": "token"})
    assert (path.read_text(), path.stat().st_mode & 0o777) == (token, 0o600)
    assert [p.name for p in path.parent.iterdir()] == ["auth_token"]


def test_no_secret_is_in_the_file() -> None:
    keys = {key for path in _paths(AWS) for key in path} | {key for path in _paths(GOOGLE) for key in path}
    for forbidden in ("aws_credentials", "aws_access_key_id", "gcp_credentials", "ssh_private_key", "token"):
        assert forbidden not in keys


def _paths(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    yield path
    for key, value in children:
        yield from _paths(value, (*path, str(key)))


def test_sweeps_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_sweep(Path("sweeps/quick.yaml")).name == "quick"
    (tmp_path / "sweeps").mkdir()
    mine = (ROOT / "sweeps" / "quick.yaml").read_text().replace("name: quick", "name: mine", 1)
    (tmp_path / "sweeps" / "quick.yaml").write_text(mine)
    assert load_sweep(Path("sweeps/quick.yaml")).name == "mine"
    assert find_sweep(Path("elsewhere/quick.yaml")) == Path("elsewhere/quick.yaml")
    with pytest.raises(SweepError, match=r"no\.yaml: cannot be read"):
        load_sweep(Path("sweeps/no.yaml"))


HANDED_OUT: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on and that no earlier call has given."""
    while True:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = int(listener.getsockname()[1])
        if port not in HANDED_OUT:
            HANDED_OUT.add(port)
            return port


def ports(*names: str) -> list[str]:
    """Options that give every server of a node a free port of its own."""
    return [f"--{name}={free_port()}" for name in (*names, "dashboard-agent-listen-port", "dashboard-agent-grpc-port")]


def end_processes(mark: str) -> None:
    """Kill the processes with this mark in their command lines; workers follow their raylet."""
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and mark.encode() in (path / "cmdline").read_bytes() and int(path.name) != os.getpid():
                os.kill(int(path.name), signal.SIGKILL)
        except OSError:
            continue


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short path (Ray's sockets need one), whose name marks the processes of a cluster."""
    place = Path(tempfile.mkdtemp(prefix="study-", dir="/tmp"))
    yield place
    end_processes(str(place))
    time.sleep(0.5)
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def interpreter(place: Path) -> Path:
    """The folder of programs of a Python that has what this one has, except this project; `pip install` works there."""
    environment = place / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    library = next(environment.glob("lib/python*/site-packages"))
    (library / "shared.pth").write_text(str(Path(ray.__file__).parents[1]) + "\n")
    for name, module in {"pip": "pip", "ray": "ray.scripts.scripts"}.items():
        script = environment / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {environment}/bin/python -m {module} "$@"\n')
        script.chmod(0o755)
    return environment / "bin"


def plain_environment(place: Path, programs: Path) -> dict[str, str]:
    """What a new user on a new machine has: no path to this checkout, no Ray address, a home of one's own."""
    home = place / "home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "PYTHONPATH"))}
    offline = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    return kept | offline | {"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}


def run(environment: dict[str, str], *command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_job_runs_a_sweep_on_two_nodes_to_the_end(place: Path, interpreter: Path) -> None:
    """`ray start` twice and `ray job submit`, with a token from the environment; workers import what the job brings."""
    environment = plain_environment(place, interpreter)
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid.uuid4().hex * 2}
    port, dashboard = free_port(), free_port()
    shared = ["--num-cpus=1", "--temp-dir"]
    run(environment, "ray", "start", "--head", f"--port={port}", f"--dashboard-port={dashboard}", *shared, place / "a",
        *ports("ray-client-server-port"))  # fmt: skip
    # Two nodes of one machine must not share a folder, or the second unpacks the job's files over the first's.
    run(environment, "ray", "start", f"--address=127.0.0.1:{port}", *shared, place / "b", *ports())
    out = place / "out"
    job = ["python", "-m", "study", "run", "sweeps/quick.yaml", "--address", "auto", "--out", out, "--wandb", "disabled", *TINY]
    variables = f'{{"env_vars": {{"STUDY_COMMIT": "{commit()}"}}}}'
    submit = ["--address", f"http://127.0.0.1:{dashboard}", "--working-dir", ".", "--runtime-env-json", variables]
    printed = run(environment, "ray", "job", "submit", *submit, "--", *job)
    assert "succeeded" in printed
    frame = read_rows(out)
    assert len(frame) == 4
    assert set(frame["commit"]) == {commit()}
    refused = subprocess.run(
        [interpreter / "ray", "job", "submit", *submit, "--", *map(str, job)],
        cwd=ROOT, env=environment | {"RAY_AUTH_TOKEN": "0" * 64}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert refused.returncode != 0


SSH = """#!/usr/bin/env python3
import os, subprocess, sys
words = sys.argv[1:]
while words[0].startswith("-"):
    words = words[2:] if words[0] in ("-i", "-o", "-p", "-L") else words[1:]
os.chdir(os.environ["HOME"])
sys.exit(subprocess.run(["/bin/sh", "-c", " ".join(words[1:])]).returncode)
"""

RSYNC = """#!/usr/bin/env python3
import fnmatch, os, shutil, sys
from pathlib import Path
words = [w for w in sys.argv[1:]]
patterns = [words[i + 1].replace("**/", "") for i, w in enumerate(words) if w == "--exclude"]
source, target = (os.path.expanduser(w.split(":", 1)[1] if "@" in w.split(":", 1)[0] else w) for w in words[-2:])
ignore = lambda folder, names: [n for n in names if any(fnmatch.fnmatch(n, p) for p in patterns)]
if os.path.isdir(source):
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=ignore)
else:
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
"""


@pytest.mark.slow
def test_ray_up_and_ray_submit_with_stand_ins_for_ssh_and_rsync(place: Path, interpreter: Path) -> None:
    """The cluster file's own mounts and setup commands on a head that is this machine; the entry script is copied alone."""
    # Where Ray notes the cluster that `--address auto` joins: not where other sessions of this machine note theirs.
    environment = plain_environment(place, interpreter) | {"RAY_TMPDIR": str(place)}
    for name, text in {"ssh": SSH, "rsync": RSYNC}.items():
        (interpreter / name).write_text(text)
        (interpreter / name).chmod(0o755)
    home = place / "home"
    (home / ".bashrc").write_text(f"export PATH={interpreter}:$PATH\n")
    port = free_port()
    start = AWS["head_start_ray_commands"][1].replace("--port=6379", f"--port={port}")
    own = [f"--dashboard-port={free_port()}", "--num-cpus=2", *ports("ray-client-server-port")]
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text(uuid.uuid4().hex * 2)
    environment |= {"RAY_AUTH_MODE": "token"}
    kept = ("file_mounts", "rsync_exclude", "setup_commands")
    config = {name: AWS[name] for name in kept} | {
        "cluster_name": place.name,
        "provider": {"type": "local", "head_ip": "127.0.0.1", "worker_ips": []},
        "auth": {"ssh_user": "nobody"},
        "head_start_ray_commands": [" ".join([start, *own])],
    }
    file = place / "cluster.yaml"
    file.write_text(yaml.safe_dump(config))
    assert "ray stop" not in file.read_text()
    run(environment, "ray", "up", "-y", file)
    assert not list(home.rglob(".git"))
    run(environment, "ray", "exec", file, f"echo export STUDY_COMMIT={commit()} >> ~/.bashrc")
    refused = subprocess.run(
        [interpreter / "python", "-c", f"import ray; ray.init('127.0.0.1:{port}')"], capture_output=True, text=True,
        timeout=120, env=environment | {"RAY_AUTH_TOKEN": "0" * 64},
    )  # fmt: skip
    assert refused.returncode != 0
    assert "oken" in refused.stderr
    out = place / "out"
    arguments = ["run", "sweeps/quick.yaml", "--address", "auto", "--out", out, "--wandb", "disabled", *TINY]
    printed = run(environment, "ray", "submit", file, "study/__main__.py", "--", *arguments)
    assert (home / "__main__.py").read_text() == (ROOT / "study" / "__main__.py").read_text()
    assert "4 networks" in printed
    frame = read_rows(out)
    assert len(frame) == 4
    assert set(frame["commit"]) == {commit()}
