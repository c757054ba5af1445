"""Reading sweep files: YAML, `--set` assignments, and every problem as one line."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

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
MOST_DIGITS = 30
ALONG = "must be a sweep of linear networks, or the name of a .yaml file of the same folder that holds one"


class _UniqueKeyLoader(yaml.SafeLoader):
    """Safe YAML (plain data, no object tags) that refuses what a sweep never needs and a careless or hostile file has.

    A key given twice would silently drop a cell; aliases can make a small file enormous.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise SweepError(f"alias *{event.anchor} in line {event.start_mark.line + 1}: aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise SweepError(f"line {key_node.start_mark.line + 1}: a key must be text or a number")
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise SweepError(f"{key}: given twice in line {node.start_mark.line + 1} and below")
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > MOST_DIGITS:
            raise SweepError(f"line {node.start_mark.line + 1}: a number of {len(node.value)} digits")
        return super().construct_yaml_int(node)


_UniqueKeyLoader.add_constructor("tag:yaml.org,2002:int", _UniqueKeyLoader.construct_yaml_int)


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
    field = ".".join([prefix] * bool(prefix) + [str(part) for part in problem["loc"]]) or "sweep"
    if problem["type"] == "extra_forbidden":
        return f"{field}: unknown field; allowed: {', '.join(_model_at(problem['loc'], model).model_fields)}"
    if problem["type"] == "missing":
        return f"{field}: missing, but required"
    if problem["type"] == "string_pattern_mismatch":
        problem["msg"] = "must be letters and digits, with _ . , = + or - between (phases: lower case, digits and _)"
    if problem["loc"][-2:] == ("scan", "storage") and isinstance(problem["input"], str):  # its value may hold a password
        return f"{field}: {problem['msg'].removeprefix('Value error, ')}"
    if prefix and not problem["loc"]:  # of several fields together: the text names them
        return f"{prefix}.{problem['msg'].removeprefix('Value error, ')}"
    value = _shown(problem["input"])
    if problem["loc"][-1:] == ("linear",):
        problem["msg"] = ALONG
    text = problem["msg"].removeprefix("Value error, ").replace("Input should", "must").replace("Tuple should", "must")
    return " ".join(f"{field} = {value if len(value) <= 60 else value[:57] + '...'}: {text}".split())


def _put(tree: Any, assignment: str) -> None:
    """Apply one `--set a.b.0.c=value`; the value is read as YAML.

    Raises:
        SweepError: no such place, or not of the form key=value.
    """
    path, equals, text = assignment.partition("=")
    if not equals or not path:
        raise SweepError(f"--set {assignment}: expected key=value, for example seeds=20 or settings.hidden_units=100")
    value = _yaml(text, f"--set {path}")
    *parents, last = path.split(".")
    for part in parents:
        if isinstance(tree, dict):
            if tree.get(part) is None:
                tree[part] = {}
            tree = tree[part]
        elif isinstance(tree, list) and part.isdigit() and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            raise SweepError(f"--set {path}: there is no {part} to set a field of")
    if isinstance(tree, list) and last.isdigit() and int(last) < len(tree):
        tree[int(last)] = value
    elif isinstance(tree, dict):
        tree[last] = value
    else:
        raise SweepError(f"--set {path}: there is no {last} to set")


def _yaml(text: str, source: str) -> Any:
    try:
        return yaml.load(text, Loader=_UniqueKeyLoader)
    except SweepError as error:
        raise SweepError(f"{source}: {error}") from None
    except yaml.YAMLError as error:
        raise SweepError(f"{source}: not valid YAML: {error}") from None
    except RecursionError:
        raise SweepError(f"{source}: not valid YAML: nested too deeply") from None
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # a date such as 2026-13-40, a tag on the wrong kind
        raise SweepError(f"{source}: not valid YAML: {error}") from None


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
        SweepError: no such file, more than `most` bytes, or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise SweepError(f"{path}: is larger than {most:,} bytes, the most that it may have")
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SweepError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8 text'})") from None


def find_sweep(path: Path) -> Path:
    """The file; where there is none, that of this checkout or of the installed package with the same name.

    So `sweeps/quick.yaml` is found from any folder, for example by `ray submit`, which starts in the head's home.
    """
    if path.exists() or path.is_absolute() or path.parts[:1] != ("sweeps",):
        return path
    candidates = [Path(__file__).resolve().parents[1] / path]
    try:
        shipped = files("pntk-study") or []
        candidates += [Path(str(f.locate())).resolve() for f in shipped if f.parts[-len(path.parts) :] == path.parts]
    except PackageNotFoundError:
        pass
    return next((candidate for candidate in candidates if candidate.is_file()), path)


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
        raw["linear"] = _yaml(read_text(path.with_name(name)), str(path.with_name(name)))
    except SweepError as error:
        raise SweepError(f"{path}: linear = {name!r}: {error}") from None


def load_sweep(path: Path, assignments: tuple[str, ...] = ()) -> Sweep:
    """Read a sweep file and apply `--set` assignments.

    Raises:
        SweepError: the file cannot be read, or the first problem in it, in one line.
    """
    found = find_sweep(path)
    raw = _yaml(read_text(found), str(path))
    _include(raw, found)
    for assignment in assignments:
        _put(raw, assignment)
        _include(raw, found)
    return parse_sweep(raw, str(path))
