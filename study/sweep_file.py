"""Reading sweep files: YAML, `--set` assignments, and every problem as one line."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from study.sweep import Compute, ContrastSpec, CurriculumSpec, PaperValues, PhaseSpec, Primary, Sweep, SweepError, Tracking


class _UniqueKeyLoader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, which would silently drop a cell."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise SweepError(f"{key}: given twice in line {node.start_mark.line + 1} and below")
        return super().construct_mapping(node, deep)


def _model_at(location: tuple[int | str, ...], model: type[BaseModel]) -> type[BaseModel]:
    """The model that holds the field at a location of an error."""
    names = [str(part) for part in location[:-1]]
    if not names:
        return model
    inner: dict[str, type[BaseModel]] = {"compute": Compute, "wandb": Tracking, "primary": Primary}
    if names[0] == "curricula":
        return PhaseSpec if "phases" in names[2:] else CurriculumSpec
    if names[0] == "contrasts":
        return PaperValues if "paper" in names[2:] else ContrastSpec
    return inner.get(names[0], model)


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
    if prefix and not problem["loc"]:  # of several fields together: the text names them
        return f"{prefix}.{problem['msg'].removeprefix('Value error, ')}"
    value = repr(problem["input"])
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
    except yaml.YAMLError as error:
        raise SweepError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None


def parse_sweep(raw: Any, source: str = "sweep") -> Sweep:
    """Validate plain data.

    Raises:
        SweepError: the first problem, in one line.
    """
    if not isinstance(raw, dict):
        raise SweepError(f"{source}: must be a mapping of fields such as name, seeds, curricula, cells")
    try:
        return Sweep.model_validate(raw)
    except ValidationError as error:
        raise SweepError(f"{source}: {one_line(error)}") from None


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


def load_sweep(path: Path, assignments: tuple[str, ...] = ()) -> Sweep:
    """Read a sweep file and apply `--set` assignments.

    Raises:
        SweepError: the file cannot be read, or the first problem in it, in one line.
    """
    try:
        text = find_sweep(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SweepError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8 text'})") from None
    raw = _yaml(text, str(path))
    for assignment in assignments:
        _put(raw, assignment)
    return parse_sweep(raw, str(path))
