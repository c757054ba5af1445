"""Commands that fit the hand: sweeps by name, their list, what may be meant by a mistyped word, how much is printed."""

from __future__ import annotations

import shutil
import tomllib
from io import StringIO
from pathlib import Path

import pytest
from rich.cells import cell_len

from study import __version__
from study.__main__ import main
from study.answer import NOWHERE
from study.console import CleanConsole
from study.output import print_answer, print_cautions
from study.sweep import SweepError
from study.sweep_file import load_sweep, sweep_files
from study.sweep_list import described, entry
from tests.study.test_answer import judged
from tests.study.test_verdicts import wide_and_narrow

PROJECT = Path(__file__).parents[2]
OWN = sorted(path.stem for path in (PROJECT / "sweeps").glob("*.yaml"))


def refusal(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    """The one line of a command that is refused."""
    try:
        status = main(command)
    except SystemExit as ended:
        status = int(ended.code or 0)
    error = capsys.readouterr().err
    assert status == 2
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("rnu", "did you mean 'run'?"),
        ("run quik", "quik: no such file, and no sweep has this name; did you mean 'quick'?"),
        ("run nothing_like_it", "`study list` names the sweeps"),
        ("run sweeps/qick.yaml", "did you mean 'sweeps/quick.yaml'?"),
        ("run quick --tabels", "did you mean '--tables'?"),
        ("run quick --set hidden_units=100", "`hidden_units` belongs to `settings`: --set settings.hidden_units=100"),
        ("run quick --set hidden_unit=100", "; did you mean 'settings.hidden_units'?"),
        ("run quick --set seed=3", "; did you mean 'seeds'?; `seed` belongs to `scan`: --set scan.seed=3"),
        ("run quick --set cells.large.block=3", "`block` belongs to `compute`: --set compute.block=3"),
        ("run quick --set settings.seeds=[1,2]", "`seeds` belongs to the sweep itself: --set seeds='[1, 2]'"),
        ("run paper --set linear.hidden_units=3", "`hidden_units` belongs to `linear.settings`: --set linear.settings.hidden_"),
        ("run quick --set settings.hiden_units=100", "did you mean 'hidden_units'?"),
        ("run quick --set setings.clusters=3", "did you mean 'settings'?"),
        ("run quick --set cells.larg.init_scale=3", "there is no larg; allowed: standard, large; did you mean 'large'?"),
        ("run quick --set settings.curriculum=breif", "did you mean 'brief'?"),
        ("run quick --set settings.estimators=[egi]", "did you mean 'eig'?"),
        ("run quick --set settings.predictors=[kaer]", "did you mean 'kare'?"),
        ("run quick --set contrasts.quick.second=lagre", "did you mean 'large'?"),
        ("bench trian", "did you mean 'train'?"),
    ],
)
def test_a_mistyped_word_is_answered_by_the_one_that_may_be_meant(
    command: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refusal(capsys, *command.split())


def test_a_folder_that_is_not_there_names_the_one_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "paper").mkdir()
    assert f"did you mean '{tmp_path / 'paper'}'?" in refusal(capsys, "analyse", str(tmp_path / "papre"))


def test_a_sweep_is_found_by_its_name_from_any_folder_and_files_of_this_folder_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_sweep(Path("quick")) == load_sweep(Path("sweeps/quick.yaml")) == load_sweep(PROJECT / "sweeps" / "quick.yaml")
    (tmp_path / "quick").mkdir()  # a folder, such as one of results, is no sweep
    assert load_sweep(Path("quick"), ("seeds=3",)).name == "quick"
    own = (PROJECT / "sweeps" / "quick.yaml").read_text().replace("name: quick", "name: mine")
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "quick.yaml").write_text(own)
    assert load_sweep(Path("quick")).name == "mine"
    assert sweep_files()["quick"] == Path("sweeps/quick.yaml")
    with pytest.raises(SweepError, match="no sweep has this name"):
        load_sweep(Path("mine"))


def test_list_says_what_sweeps_ask_what_they_cost_and_what_they_have_in_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "sweeps").mkdir()
    broken = (PROJECT / "sweeps" / "quick.yaml").read_text().replace("seeds: 6", "seeds: six\nseeds: 7")
    (tmp_path / "sweeps" / "broken.yaml").write_text(broken)
    for name in ("quick", "paper"):
        (tmp_path / "results" / name).mkdir(parents=True)
        shutil.copy(PROJECT / "pyproject.toml", tmp_path / "results" / name / "sweep.json")
    (tmp_path / "results" / "paper" / "report.html").write_text("")
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert [line.split()[0] for line in lines if line[:1] != " "] == sorted([*OWN, "broken"])
    text = " ".join(" ".join(lines).split())
    assert "A quick look at the whole path; not a result. 12 networks, 7,200 steps. Begun: results/quick." in text
    assert "62 networks, and 300 linear ones, 790,000 steps. Report: results/paper/report.html." in text
    assert "A scan: 12 points" in text
    assert "broken not valid: sweeps/broken.yaml: seeds: given twice in line" in text


def test_a_hostile_description_stays_text_within_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    text = (PROJECT / "sweeps" / "quick.yaml").read_text()
    path.write_text(text.replace("A quick look at the whole path; not a result.", '"\\e]0;title\\a[bold]' + "x" * 300 + '"'))
    console = CleanConsole(width=80, file=StringIO(), color_system=None)
    for line in entry("odd", described(path), 80):
        console.print(line, soft_wrap=True)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in printed
    assert "[bold]" in printed
    assert max(map(cell_len, printed.splitlines())) <= 80


def test_quiet_prints_the_answer_and_warnings_alone_and_verbose_the_method_too() -> None:
    analysis = judged(wide_and_narrow()) | {"warnings": ["one network diverged"]}

    def printed(quiet: bool = False, verbose: bool = False) -> str:
        console = CleanConsole(width=80, file=StringIO(), color_system=None)
        console.quiet, console.verbose = quiet, verbose
        console.print("work in progress")
        print_cautions(console, analysis)
        print_answer(console, analysis, NOWHERE, compact=True)
        console.print("Done in 3 s.")
        return console.file.getvalue()  # type: ignore[attr-defined]

    plain, quiet, verbose = printed(), printed(quiet=True), printed(verbose=True)
    assert "one network diverged" in quiet
    assert "which seed does better?" in quiet
    assert "progress" not in quiet
    assert "Done" not in quiet
    assert len(quiet) < len(plain) < len(verbose)
    assert all(line in verbose.splitlines() for line in plain.splitlines())


def test_version_names_what_results_depend_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert not ended.value.code
    said = capsys.readouterr().out
    assert said.startswith(f"study {__version__} (torch 2.")
    assert ", ray 2." in said


def test_the_console_script_is_the_command_line() -> None:
    scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"study": "study.__main__:main"}
