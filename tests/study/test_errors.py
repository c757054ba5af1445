"""Every error is one line, and names of others are harmless wherever they go."""

from __future__ import annotations

import argparse
import csv
import errno
import io
import os
import re
import stat
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from study import __main__ as command_line
from study import surroundings
from study.clean import csv_cell, csv_frame, file_name, markdown_cell, markdown_text
from study.console import CleanConsole, any_encoding
from study.failure import UserError, reason, without_debug
from study.figures.style import plt, save, use_our_style
from study.figures.words import unraised
from study.launch import RayError, start_ray
from study.report.svg import inline
from study.sheets import Sheet, markdown, print_sheet
from study.storage import StorageError, local_folder, location
from study.text import one_line, visible, without_secrets
from tests.study.conftest import ENVIRONMENT, ROOT, study_here

# ---------------------------------------------------------------------------------------------------- one line


def raising(error: BaseException) -> object:
    def command(options: argparse.Namespace, console: object) -> int:
        raise error

    return command


ERRORS = {
    "full disk": (OSError(errno.ENOSPC, "No space left on device", "out/a.json"), r"out/a\.json: cannot be written \(No space"),
    "full disk of no name": (OSError(errno.ENOSPC, "No space left on device"), r"cannot be written .*free some space"),
    "quota": (OSError(errno.EDQUOT, "Disk quota exceeded", "f"), "quota is used up"),
    "folder": (IsADirectoryError(errno.EISDIR, "Is a directory", "out/report.html"), r"out/report\.html: .*name a file"),
    "not allowed": (PermissionError(errno.EACCES, "Permission denied", "/none/x"), r"/none/x: cannot be written \(Permission"),
    "any": (Exception("what Ray raises"), "Exception: what Ray raises"),
    "lines": (ValueError("one\ntwo\r\n three"), "ValueError: one two three;"),
    "nothing said": (AssertionError(), "AssertionError;"),
    "memory": (MemoryError(), "not enough memory"),
    "depth": (RecursionError("maximum recursion depth exceeded"), "nested too deeply"),
    "text": (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "not UTF-8"),
    "hostile": (KeyError("\x1b[31m\u202e"), r"KeyError: .*\\x1b"),
    "group": (ExceptionGroup("several", [ValueError("a")]), "several"),
    "no Exception": (type("Panic", (BaseException,), {})("of a library"), "Panic: of a library"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_any_exception_is_one_line_and_its_traceback_a_file_of_the_users(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, expected = ERRORS[name]
    temporary, results = tmp_path / "temporary", tmp_path / "results"
    temporary.mkdir(), results.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.chdir(results)
    monkeypatch.setitem(command_line.COMMANDS, "power", raising(error))
    done = study_here("power", "--width", "0.3")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert re.search(r"^error: power --width 0\.3: .*" + expected, done.stderr)
    assert "\x1b" not in done.stderr
    (kept,) = temporary.iterdir()
    assert f"the traceback is in {kept} (--debug shows it)" in done.stderr
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "Traceback" in kept.read_text()
    assert not list(results.iterdir())


@pytest.mark.parametrize("place", [0, 1, 3])
def test_debug_prints_the_traceback_wherever_it_stands(place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setitem(command_line.COMMANDS, "power", raising(ValueError("x")))
    arguments = ["power", "--width", "0.3"]
    done = study_here(*arguments[:place], "--debug", *arguments[place:])
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1] == "error: power --width 0.3: ValueError: x; the traceback is above"
    assert not list(tmp_path.iterdir())
    assert without_debug(["run", "--", "--debug"]) == (["run", "--", "--debug"], False)


def test_a_traceback_that_cannot_be_written_is_said_to_be_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.mkstemp", lambda **options: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
    monkeypatch.setitem(command_line.COMMANDS, "power", raising(ValueError("x")))
    done = study_here("power", "--width", "0.3")
    assert done.stderr == (
        "error: power --width 0.3: ValueError: x; the traceback could not be written (No space left); --debug shows it\n"
    )


@pytest.mark.parametrize("error", [StorageError("s3://x: cannot be reached"), UserError("Ray did not start"), RayError("so")])
def test_what_is_no_fault_of_ours_needs_no_traceback(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(command_line.COMMANDS, "power", raising(error))
    done = study_here("power", "--width", "0.3")
    assert (done.returncode, done.stderr) == (1, f"error: {error}\n")


def test_passwords_of_addresses_are_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    secret = "postgresql://me:hunter2@host/db?sslpassword=hunter2&x=1"
    monkeypatch.setitem(command_line.COMMANDS, "report", raising(ValueError(f"no driver for {secret}")))
    done = study_here("report", secret)
    (kept,) = tmp_path.iterdir()
    assert "postgresql://...@host/db?sslpassword=...&x=1" in done.stderr
    assert "hunter2" not in done.stderr + kept.read_text()


@pytest.mark.parametrize(("number", "says"), [("1", "= 1: must be at least 2"), ("9" * 400, "must be at most 1,000,000")])
def test_repetitions_that_no_machine_ends_are_refused(number: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["calibrate", "--repetitions", number]) == 2
    assert says in capsys.readouterr().err


def test_reading_and_writing_are_told_apart(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("x")
    assert "cannot be written" in reason(PermissionError(errno.EACCES, "Permission denied", str(there)))
    assert "cannot be written" in reason(PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "new")))
    assert "cannot be written" in reason(OSError(errno.EROFS, "Read-only file system", str(there)))


@pytest.mark.parametrize("when", ["importing", "working"])
def test_an_interruption_is_one_line_even_while_modules_are_imported(when: str) -> None:
    name = {"importing": "rich", "working": "study.statistics"}[when]
    program = f"""
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name.startswith({name!r}): raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from study.__main__ import main
sys.exit(main(["power", "--width", "0.3"]))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode not in (0, 2)
    assert done.stderr == "stopped\n"


def test_a_package_that_is_missing_is_one_line() -> None:
    program = (
        "import sys; sys.modules['rich'] = None; from study.__main__ import main; sys.exit(main(['power', '--width', '1']))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "install this project again" in done.stderr


def test_help_loads_nothing_that_takes_long() -> None:
    program = """
import sys
from study.__main__ import main
try:
    main(["--help"])
finally:
    print(sorted({"pandas", "torch", "ray", "optuna", "scipy", "pydantic"} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "[]\n")


@pytest.mark.parametrize("arguments", [("--help",), ("power", "--width", "0.3")])
def test_output_that_nobody_reads_ends_quietly(arguments: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "study", *arguments], cwd=ROOT, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert done.returncode == (141 if arguments[0] == "power" else done.returncode)
    assert done.stderr == b""


def test_a_terminal_of_few_letters_gets_the_others_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(sink, "ascii"))
    any_encoding()
    CleanConsole(width=80).print("caf\u00e9 \u2193")
    sys.stdout.flush()
    assert sink.getvalue() == b"caf\\xe9 \\u2193\n"


def test_numbers_whose_powers_overflow_are_refused_by_name(tmp_path: Path) -> None:
    frame = rows_of(["a", "b"])
    frame.loc[3, "loss_multi_test"] = 1.7e308
    folder = foreign(tmp_path, frame)
    done = study_here("analyse", folder, "--wandb", "disabled")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "loss_multi_test = 1.7e+308 of cell a, seed 3: must be at most 1e+70" in done.stderr
    foreign(tmp_path, frame.assign(diverged=frame.index == 3))
    assert study_here("analyse", folder, "--wandb", "disabled").returncode == 0


def test_ray_that_cannot_start_names_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(long))
    for name in ("RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED"):  # Ray sets them on the way; they must not outlive the test
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    with pytest.raises(RayError, match=r"AF_UNIX.*set RAY_TMPDIR to a short one"):
        start_ray(None)


def test_a_user_without_home_and_name_gets_both(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> object:
        raise KeyError(uid)

    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "")  # so that what is set meanwhile goes with the test
        monkeypatch.delenv(name)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(StorageError, match="set HOME to a folder"):
        local_folder(location("s3://bucket/study"))
    monkeypatch.setattr("atexit.register", lambda *work: None)
    surroundings.mend()
    home = Path.home()
    assert home.is_dir()
    assert os.environ["USER"] == f"user-{os.getuid()}"
    surroundings._remove(home)
    assert not home.exists()


# ---------------------------------------------------------------------------------------------------- names

HOSTILE = {
    "formula": '=HYPERLINK("http://evil","x")',
    "mathtext": r"$\frac{$",
    "escape": "\x1b[31m\u202ecod.exe\x1b]0;title\x07",
    "markup": "[bold red]x[/bold] :smile: [/]",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "markdown": "a|b `c` [d](http://evil) \\",
    "lines": "a\nDone in 3 s.\r\n# Verdict",
    "path": "../../up/\x00name",
    "long": "x" * 3000,
    "svg": '#000000 id="x" url(#y) --> ]]>',
    "surrogate": "\ud800@x",
}
WRITTEN = {name: visible(text) for name, text in HOSTILE.items()}


def rows_of(cells: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"cell": np.repeat(cells, 6), "seed": list(range(6)) * len(cells)})
    for column in ("silhouette_ntk", "loss_single_test", "loss_multi_test"):
        frame[column] = rng.lognormal(size=len(frame))
    return frame


def foreign(folder: Path, frame: pd.DataFrame) -> Path:
    (folder / "study" / "rows").mkdir(parents=True, exist_ok=True)
    frame.to_parquet(folder / "study" / "rows" / "a.parquet")
    return folder / "study"


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = foreign(tmp_path_factory.mktemp("ordinary"), rows_of(["large", "standard"]))
    assert study_here("report", folder).returncode == 0
    return folder


# Two to a study, which takes seconds; Parquet holds no surrogates.
@pytest.mark.parametrize(
    "names", [("formula", "mathtext"), ("escape", "html"), ("markup", "long"), ("markdown", "lines"), ("path", "svg")]
)
def test_hostile_names_are_harmless_everywhere(names: tuple[str, str], ordinary: Path, tmp_path: Path) -> None:
    folder = foreign(tmp_path, rows_of([HOSTILE[name] for name in names]))
    analysed, reported = study_here("analyse", folder, "--wandb", "disabled"), study_here("report", folder)
    assert analysed.returncode == reported.returncode == 0, analysed.stderr + reported.stderr
    printed = analysed.stdout + analysed.stderr + reported.stdout + reported.stderr
    written = {path: path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.suffix in (".csv", ".md", ".html")}
    assert {path.name for path in written} == {"analysis.csv", "analysis.md", "report.html"}
    for text in (printed, *written.values(), *(path.read_text() for path in folder.rglob("*.svg"))):
        assert all(letter.isprintable() or letter in "\n\xa0" for letter in text)
    assert "Done in 3 s." not in printed.splitlines()
    with (folder / "analysis.csv").open(newline="") as source:
        cells = [cell for row in csv.reader(source) for cell in row if cell]
    assert any(names[0] == "path" or WRITTEN[names[0]] in cell for cell in cells)
    for cell in cells:
        assert cell[0] not in "=+@\t\r"
        assert cell[0] != "-" or float(cell) < 0
    lines = written[folder / "analysis.md"].splitlines()
    assert not re.search(r"<[a-z/!]|\]\(|http://", "\n".join(lines))
    assert not any(re.search(r"(?<!\\)`", line) for line in lines if line.startswith("|"))
    ours, theirs = (Page((one / "report.html").read_text()) for one in (folder, ordinary))
    assert set(ours.tags) == set(theirs.tags)
    assert {key for key, _ in ours.attributes} == {key for key, _ in theirs.attributes}
    assert all(visible(HOSTILE[name], keep="\n") in ours.text for name in names if name != "lines")
    assert {path.name for path in (folder / "figures").iterdir()} == {path.name for path in (ordinary / "figures").iterdir()}
    assert {path.name for path in tmp_path.iterdir()} == {"study"}
    for path in folder.rglob("*.svg"):
        ElementTree.parse(path)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_console_prints_names_as_they_are_on_their_line(name: str) -> None:
    sink = io.StringIO()
    console = CleanConsole(file=sink, width=10_000, force_terminal=True, color_system=None)
    console.print(f"cell {HOSTILE[name]}", highlight=False)
    print_sheet(console, Sheet(HOSTILE[name], [HOSTILE[name]], [[HOSTILE[name]]]))
    assert sink.getvalue().splitlines()[0] == f"cell {WRITTEN[name]}"
    assert sum(WRITTEN[name] in line for line in sink.getvalue().splitlines()) == 4
    assert "\x1b" not in sink.getvalue()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_name_leads_nowhere_and_stays_distinct(name: str, tmp_path: Path) -> None:
    made = file_name(HOSTILE[name])
    assert re.fullmatch(r"[A-Za-z0-9_=+,][A-Za-z0-9_.,=+-]{0,99}", made)
    (tmp_path / f"{made}_figure_14_ntk_values.svg").touch()
    assert file_name(HOSTILE[name] + "!") != made
    for plain in ("standard", "init_scale=0.1,learning_rate=0.01", "a+b-c"):
        assert file_name(plain) == plain


def test_cells_of_a_spreadsheet_are_text_or_numbers() -> None:
    numbers = ["-0.5", "+3", "-1e-05", "-inf", "12", ""]
    assert [csv_cell(text) for text in numbers] == numbers
    for text in ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "-"):
        assert str(csv_cell(text)).startswith("'")
    frame = pd.DataFrame({"=a": ["=x", "y", None], "b": [-0.5, 1.0, np.nan], "c": [True, False, True]})
    assert csv_frame(frame).to_csv(index=False) == "'=a,b,c\n'=x,-0.5,True\ny,1.0,False\n,,True\n"
    assert list(frame) == ["=a", "b", "c"]


def test_markdown_of_ordinary_text_stays_as_it_is() -> None:
    for text in ("Data: per seed, p < .001, r = -.3 [-.5, .1]* of `ntk`", "**silhouette_ntk** (n = 3)", "a > b"):
        assert markdown_text(text) == text
    assert markdown_cell("a|b`\n") == r"a\|b\`\n"
    table = markdown(Sheet("t", ["<b>", "n"], [["[x](javascript:y)", "www.z.org https://z.org"]]))
    assert not re.search(r"<b>|\]\(|\bwww\.|https://", table)


def test_one_line_is_one_line() -> None:
    assert one_line("a\n  b\tc\x1b") == "a b\\tc\\x1b"
    assert len(one_line("x" * 10_000)) == 2000
    assert visible("\u202e\ud800\x00 caf\u00e9 \u4e2d\U0001f600") == "\\u202e\\ud800\\x00 caf\u00e9 \u4e2d\U0001f600"
    assert without_secrets("see https://host/x?a=1") == "see https://host/x?a=1"


# ---------------------------------------------------------------------------------------------------- figures


def test_our_style_whatever_was_set_before(tmp_path: Path) -> None:
    """As a matplotlibrc, a style file or a notebook may have it: usetex would need LaTeX, others change the picture."""

    def drawn() -> bytes:
        use_our_style()
        figure, axis = plt.subplots()
        axis.plot([1, 10, 100], [1e-3, 1, 1e3], label=r"$\frac{$")
        axis.set_yscale("log")
        axis.set_title("$5 and $6 " + "x" * 100_000)
        axis.set_xticks([1, 100], [r"$\badcommand{$", "a\x1bb"])
        axis.legend()
        return save(figure, tmp_path, "figure")[0].read_bytes()

    expected = drawn()
    plt.rcParams.update({"text.usetex": True, "axes.facecolor": "black", "font.size": 30, "svg.fonttype": "path"})
    plt.style.use("dark_background")
    assert drawn() == expected
    words = "".join(ElementTree.fromstring(expected).itertext())
    assert all(word in words for word in (r"$\frac{$", r"$\badcommand{$", r"a\x1bb", "10\u207b\u00b3", "$5 and $6"))
    assert "mathdefault" not in words
    width = float(re.search(rb'viewBox="0 0 ([\d.]+)', expected)[1])  # type: ignore[index]
    assert width < 3000
    plt.close("all")


def test_powers_of_ticks_in_plain_letters() -> None:
    assert unraised(r"$\mathdefault{10^{-3}}$") == "10\u207b\u00b3"
    assert unraised(r"$\mathdefault{-2\times10^{12}}$") == "-2\u00d710\u00b9\u00b2"
    assert unraised("") == ""


@pytest.mark.parametrize(
    "environment",
    [
        {"MPLBACKEND": "module://matplotlib_inline.nowhere"},
        {"MPLBACKEND": "TkAgg", "MPLCONFIGDIR": "/proc/none"},
        {"MATPLOTLIBRC": "RC"},
    ],
    ids=str,
)
def test_figures_do_not_mind_the_users_matplotlib(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("backend: TkAgg\ntext.usetex: True\nfont.size: 40\nnonsense: 3\n")
    surrounding = ENVIRONMENT | {key: value.replace("RC", str(tmp_path / "matplotlibrc")) for key, value in environment.items()}
    program = (
        "import study.report.build, study.scan.final; from study.figures.style import *; "
        "f, a = plt.subplots(); a.set_title('t'); save(f, Path('.'), 'x'); "
        "print(matplotlib.get_backend(), plt.rcParams['font.size'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=surrounding | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.lower() == "agg 9.0\n"
    assert (tmp_path / "x.svg").stat().st_size


def test_words_between_tags_stay_when_a_figure_joins_a_page() -> None:
    svg = '<svg width="1" viewBox="0 0 1 1"><path id="p" style="fill: #000000"/><text>#000000 id="p" url(#p)</text></svg>'
    page = inline(svg, "f", 'a "b" <c>\u202e')
    assert '<path id="f-p" style="fill: currentColor"/><text>#000000 id="p" url(#p)</text>' in page
    assert 'aria-label="a &quot;b&quot; &lt;c&gt;\\u202e"' in page
