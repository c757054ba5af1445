"""The README and the pages beside sweeps: their commands parse, and what they name exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import pytest

from study.__main__ import make_parser
from study.plan import make_plan
from study.sweep_file import load_sweep

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "sweeps").glob("*.md")), ROOT / "study" / "README.md",
         *sorted((ROOT / "study" / "bench").glob("*.md"))]  # fmt: skip
MOST_LINES = 150
PROGRAM = re.compile(r"^(?:\S*/)?(?:python3? -m )?study (.*)$", re.DOTALL)
PLACEHOLDER = re.compile(r"\b(DIR|FILE|SWEEP|NAME|ADDRESS|BUCKET|KEY=VALUE)\b|\.\.\.|\||\[")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def spans(text: str) -> Iterator[str]:
    """Code within sentences, lines of code blocks and of indented ones."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from (part.strip() for line in block.splitlines() for part in line.split("&&"))
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from (re.sub(r"\s+", " ", code) for code in re.findall(r"`([^`]+)`", text))
    yield from (line.split("  #")[0].strip() for line in re.findall(r"^    (.+)$", text, re.MULTILINE))


def commands_of(text: str) -> Iterator[list[str]]:
    """Arguments of every whole command of ours."""
    for code in spans(text):
        found = PROGRAM.match(code.split(" -- ")[-1] if code.startswith("ray ") else code)
        if found and not PLACEHOLDER.search(found[1]):
            yield shlex.split(found[1])


def problem_of(arguments: list[str]) -> str:
    """Why a command would be refused before any work; "" for a good one."""
    said = StringIO()
    try:
        with redirect_stderr(said):
            options = make_parser().parse_args(arguments)
        if options.command in ("run", "scan"):
            path = sweep_of(str(options.sweep))
            sweep = load_sweep(path, tuple(options.assignments))
            if options.command == "run":
                make_plan(sweep)
    except SystemExit as ended:
        return said.getvalue() if ended.code else ""
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def sweep_of(given: str) -> Path:
    return ROOT / given if given.endswith(".yaml") else ROOT / "sweeps" / f"{given}.yaml"


def missing(page: Path, text: str) -> list[str]:
    """Links and pictures to what is not there, and files of ours that are named and do not exist."""
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    gone = [link for link in links if not (page.parent / link).exists()]
    files = re.findall(r"`((?:sweeps|study|pntk|tests)/[\w./]+)`", text)
    return gone + [file for file in files if not (ROOT / file).exists()]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_parses(page: Path) -> None:
    for arguments in commands_of(page.read_text(encoding="utf-8")):
        assert not problem_of(arguments), arguments


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_is_named_exists(page: Path) -> None:
    assert missing(page, page.read_text(encoding="utf-8")) == []


def test_planted_mistakes_are_found() -> None:
    text = "Say `study run papper` or\n\n    study run paper --set settings.hidden=3\n\n```sh\nx && study analyse\n```\n"
    text += "![a](b.png) `study/nowhere.py`"
    found = list(commands_of(text))
    assert found == [["analyse"], ["run", "papper"], ["run", "paper", "--set", "settings.hidden=3"]]
    assert all(problem_of(arguments) for arguments in found)
    assert missing(ROOT / "README.md", text) == ["b.png", "study/nowhere.py"]
    assert not problem_of(["run", "paper", "--set", "seeds=4"])


def test_pages_are_many_and_the_readme_is_short() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= MOST_LINES
    assert sum(len(list(commands_of(page.read_text(encoding="utf-8")))) for page in PAGES) > 30
    for sweep in (ROOT / "sweeps").glob("*.yaml"):
        assert sweep.stem in (ROOT / "sweeps" / "README.md").read_text(encoding="utf-8"), sweep
    for page in PAGES[1:]:
        others = "".join(other.read_text(encoding="utf-8") for other in PAGES if other != page)
        assert page.name in others, page


def test_every_picture_is_shown_once() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    shown = [Path(link).name for link in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)]
    assert sorted(shown) == sorted(path.name for path in (ROOT / ".readme").iterdir())
