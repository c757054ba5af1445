"""Completion by the tab key, asked for in the shells that are installed here."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from study.__main__ import main, make_parser

HOSTILE = "$(touch pwned).yaml"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a sweep of its own, one whose name is a command, and results."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweeps").mkdir()
    for name in ("own.yaml", HOSTILE):
        (tmp_path / "sweeps" / name).write_text("")
    for name in ("paper", "my run"):
        (tmp_path / "results" / name).mkdir(parents=True)
    return tmp_path


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def asked(shell: str, text: str, here: Path) -> list[str]:
    """What a shell prints that runs some lines."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here")
    ran = subprocess.run([shell, "-c", text], capture_output=True, text=True, cwd=here, timeout=20, check=True)
    assert ran.stderr == ""
    return ran.stdout.splitlines()


@pytest.mark.parametrize(
    ("typed", "offers"),
    [
        ("an", {"analyse"}),
        ("run qu", {"quick"}),
        ("run o", {"own"}),
        ("run --ta", {"--tables"}),
        ("run quick --wandb o", {"offline", "online"}),
        ("scan scan_", {"scan_quick"}),
        ("analyse ", {"results/paper", "results/my run"}),
        ("report results/m", {"results/my run"}),
        ("--v", {"--version"}),
        ("bench tr", {"train"}),
    ],
)
def test_bash_completes_commands_options_sweeps_and_folders(
    typed: str, offers: set[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["study", *typed.split(" ")]
    typing = f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}"
    line = typing + "; _study 2>/dev/null; printf '%s\\n' \"${COMPREPLY[@]}\""
    assert set(asked("bash", f"{script('bash', capsys)}\n{line}", here)) == offers


def test_a_sweep_whose_name_is_a_command_is_not_run_by_the_tab_key(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "COMP_WORDS=(study run ''); COMP_CWORD=2; _study 2>/dev/null; printf '%s\\n' \"${COMPREPLY[@]}\""
    offered = asked("bash", f"{script('bash', capsys)}\n{line}", here)
    assert {"own", "quick", "paper"} <= set(offered)
    assert not (here / "pwned").exists()


def test_fish_completes_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = script("fish", capsys)
    said = asked(
        "fish", f"{text}\ncomplete -C 'study run o'; complete -C 'study analyse re'; complete -C 'study run --ta'", here
    )
    assert {"own", "results/paper/", "results/my run/", "--tables"} <= {line.split("\t")[0] for line in said}
    assert not (here / "pwned").exists()


def test_zsh_reads_the_script(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (
        "compdef() { :; }", script("zsh", capsys), "compadd() { print -l -- ${(P)2}; }; _files() { :; }",
        "words=(study run q); CURRENT=3; PREFIX=q; _study",
    )  # fmt: skip
    assert {"quick", "own"} <= set(asked("zsh", "\n".join(lines), here))
    assert not (here / "pwned").exists()


def test_every_script_knows_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    commands = make_parser().commands()
    for shell in ("bash", "zsh", "fish"):
        text = script(shell, capsys)
        assert all(f" {name} " in text or f" {name})" in text for name in commands)
        assert "@" not in text.replace('"${COMPREPLY[@]}"', "")
