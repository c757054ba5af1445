"""Reading sweep files: YAML, `--set` assignments, and every problem as one line."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from study.assignments import put
from study.meant import did_you_mean
from study.misplaced import hint
from study.plain_yaml import read_yaml
from study.storage import StorageError, open_regular
from study.sweep import (
    AxisRange,
    Compute,
    ContrastSpec,
    CurriculumSpec,
    PaperValues,
    PhaseSpec,
    Primary,
    ScanSpec,
    Sweep,
    SweepError,
    Tracking,
)

LARGEST_FILE = 1_000_000  # bytes; a list of 100,000 seeds fits
OWN_WORDS = r"(function-\w+|list|dict|tuple|lax-or-strict|constrained-\w+)\["  # pydantic's, of one kind of value among several
ALONG = "must be a sweep of linear networks, or the name of a .yaml file of the same folder that holds one"


def _model_at(location: tuple[int | str, ...], model: type[BaseModel]) -> type[BaseModel]:
    """The model that holds the field at a location of an error."""
    names = [str(part) for part in location[:-1]]
    if not names:
        return model
    if names[0] == "linear" and model is Sweep:
        return _model_at(location[1:], model)
    inner: dict[str, type[BaseModel]] = {"compute": Compute, "wandb": Tracking, "primary": Primary, "scan": ScanSpec}
    if names[0] == "curricula":
        return PhaseSpec if "phases" in names[2:] else CurriculumSpec
    if names[0] == "contrasts":
        return PaperValues if "paper" in names[2:] else ContrastSpec
    if names[0] == "scan" and "space" in names:
        return AxisRange
    return inner.get(names[0], model)


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except RecursionError:
        return "what is nested too deeply"


def one_line(error: ValidationError, prefix: str = "", model: type[BaseModel] | None = None) -> str:
    """The first problem of a pydantic error as `field = value: what is allowed`."""
    problem, model = error.errors()[0], model or Sweep
    parts = [str(part) for part in problem["loc"] if not re.match(OWN_WORDS, str(part))]
    field = ".".join([prefix] * bool(prefix) + parts) or "sweep"
    if problem["type"] == "extra_forbidden":
        path = [*prefix.split("."), *parts] if prefix else parts
        return f"{field}: unknown field{hint(path, problem['input'], _model_at(problem['loc'], model))}"
    if problem["type"] == "missing":
        return f"{field}: missing, but required"
    if problem["type"] == "string_pattern_mismatch":
        problem["msg"] = (
            "must be letters and digits, with _ . , = + or - between (phases: lower case, digits and _; "
            "contrasts along an axis: with their place in brackets)"
        )
    if problem["loc"][-2:] == ("scan", "storage") and isinstance(problem["input"], str):  # its value may hold a password
        return f"{field}: {problem['msg'].removeprefix('Value error, ')}"
    if prefix and not problem["loc"]:  # of several fields together: the text names them
        return f"{prefix}.{problem['msg'].removeprefix('Value error, ')}"
    value = _shown(problem["input"])
    if problem["loc"][-1:] == ("linear",):
        problem["msg"] = ALONG
    if problem["type"] == "string_type" and isinstance(problem["input"], int | float | None):
        problem["msg"] += ", and is one in quotes"
    text = problem["msg"].removeprefix("Value error, ").replace("Input should", "must").replace("Tuple should", "must")
    return " ".join(f"{field} = {value if len(value) <= 60 else value[:57] + '...'}: {text}".split())


def parse_sweep(raw: Any, source: str = "sweep") -> Sweep:
    """Validate plain data.

    Raises:
        SweepError: the first problem, in one line.
    """
    if not isinstance(raw, dict):
        raise SweepError(f"{source}: must be a mapping of fields such as name, seeds, curricula, cells")
    try:
        sweep = Sweep.model_validate(raw)
        sweep.model_dump_json()  # what cannot be stored beside the rows cannot be run: bytes, dates, sets, half characters
        return sweep
    except ValidationError as error:
        raise SweepError(f"{source}: {one_line(error)}") from None
    except (PydanticSerializationError, RecursionError, ValueError) as error:
        raise SweepError(f"{source}: holds what is no plain text, number, list or mapping ({error})") from None


def read_text(path: Path, most: int = LARGEST_FILE) -> str:
    """A file's text.

    Raises:
        SweepError: no such file or no regular one, more than `most` bytes, or not UTF-8.
    """
    try:
        with open_regular(path) as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise SweepError(f"{path}: is larger than {most:,} bytes, the most that it may have")
        return data.decode("utf-8")
    except StorageError as error:
        raise SweepError(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SweepError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8 text'})") from None


def find_sweep(path: Path) -> Path:
    """The file; where there is none, that of this checkout or of the installed package with the same name.

    So `sweeps/quick.yaml` is found from any folder, for example by `ray submit`, which starts in the head's home, and
    `quick` is that too where no file has this name.
    """
    if not path.suffix and len(path.parts) == 1 and not path.is_file():
        found = find_sweep(Path("sweeps") / f"{path}.yaml")
        return found if found.is_file() else path
    if path.exists() or path.is_absolute() or path.parts[:1] != ("sweeps",):
        return path
    candidates = [Path(__file__).resolve().parents[1] / path]
    candidates += [file for file in _shipped() if file.parts[-len(path.parts) :] == path.parts]
    return next((candidate for candidate in candidates if candidate.is_file()), path)


def _shipped() -> list[Path]:
    """The sweeps of the installed package."""
    try:
        shipped = files("pntk-study") or []
    except PackageNotFoundError:
        return []
    return [Path(str(f.locate())).resolve() for f in shipped if f.suffix == ".yaml" and f.parts[-2:-1] == ("sweeps",)]


def sweep_files() -> dict[str, Path]:
    """Every sweep that `find_sweep` finds by its name, from this folder before those of the project."""
    folders = Path("sweeps"), Path(__file__).resolve().parents[1] / "sweeps"
    found: dict[str, Path] = {}
    for path in (*(file for folder in folders for file in folder.glob("*.yaml")), *_shipped()):
        found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def _missing(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError):  # there is something to say of it, which reading it says
        return False
    return False


def _near(path: Path) -> str:
    """The sweep or file that may be meant by a path that leads nowhere."""
    beside = path.parent.glob("*.yaml") if path.parent.is_dir() else ()
    meant = did_you_mean(path, sweep_files() if not path.suffix else [*beside, *(f"sweeps/{n}.yaml" for n in sweep_files())])
    return meant or "; `study list` names the sweeps"


def _include(raw: Any, path: Path) -> None:
    """Put what the file says that a sweep names as its `linear`, one of the same folder, in the place of its name.

    Raises:
        SweepError: the name is not that of such a file, or the file cannot be read.
    """
    if not isinstance(raw, dict) or not isinstance(raw.get("linear"), str):
        return
    name = raw["linear"]
    if not re.fullmatch(r"\w[\w.-]*\.yaml", name):
        raise SweepError(f"{path}: linear = {name[:60]!r}: {ALONG}")
    try:
        raw["linear"] = read_yaml(read_text(path.with_name(name)), str(path.with_name(name)))
    except SweepError as error:
        raise SweepError(f"{path}: linear = {name!r}: {error}") from None


def load_sweep(path: Path, assignments: tuple[str, ...] = ()) -> Sweep:
    """Read a sweep file and apply `--set` assignments.

    Raises:
        SweepError: the file cannot be read, or the first problem in it, in one line.
    """
    found = find_sweep(path)
    if _missing(found):
        what = "cannot be read (No such file or directory)" if path.suffix else "no such file, and no sweep has this name"
        raise SweepError(f"{path}: {what}{_near(path)}")
    raw = read_yaml(read_text(found), str(path))
    _include(raw, found)
    for assignment in assignments:
        put(raw, assignment)
        _include(raw, found)
    return parse_sweep(raw, str(path))
