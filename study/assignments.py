"""`--set a.b.0.c=value`: where in a sweep file's data an assignment goes.

Names of cells, contrasts and curricula may hold dots and equals signs, which also end the parts of a path. So a part is the
key that is there, and one in double quotes is taken as it stands; where two keys fit, neither is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from study.meant import did_you_mean
from study.plain_yaml import read_yaml
from study.sweep import SweepError

NAMED = ("cells", "contrasts", "curricula")  # whose keys are names, of which a mistyped one would be a new thing
SECTIONS = ("settings", "compute", "wandb", "primary")  # a mapping given for one of these sets the fields that it names
QUOTED, PLAIN = re.compile(r'"([^"]*)"([.=])'), re.compile(r"([^.=]+)([.=])")


def put(tree: Any, assignment: str) -> None:
    """Apply one assignment; its value is read as YAML.

    Raises:
        SweepError: no such place, several that may be meant, or not of the form key=value.
    """
    left, path, under = assignment, list[str](), ""
    while True:
        part, follows, left = _part(tree, left, assignment)
        path.append(part)
        if follows == "=":
            break
        tree, under = _below(tree, part, under, ".".join(path)), part
    where = ".".join(path)
    value = read_yaml(left, f"--set {where}", part)
    if isinstance(tree, list) and part.isdecimal() and int(part) < len(tree):
        tree[int(part)] = value
    elif isinstance(tree, dict):
        tree[_key(tree, part)] = value
    else:
        raise SweepError(f"--set {where}: there is no {part} to set{_allowed(tree, part)}")


def _part(tree: Any, text: str, assignment: str) -> tuple[str, str, str]:
    """The next part of a path, whether a dot or an equals sign follows it, and what is left."""
    if found := QUOTED.match(text):
        return found[1], found[2], text[found.end() :]
    keys = [key for key in map(str, tree if isinstance(tree, dict) else ()) if text.startswith((f"{key}.", f"{key}="))]
    if len(keys) > 1:
        quoted = " or ".join(f'"{key}"' for key in sorted(keys, key=len))
        raise SweepError(f"--set {assignment}: may mean {quoted}; put the one that is meant in double quotes")
    if keys:
        end = len(keys[0])
        return keys[0], text[end], text[end + 1 :]
    if found := PLAIN.match(text):
        return found[1], found[2], text[found.end() :]
    raise SweepError(f"--set {assignment}: expected key=value, for example seeds=20 or settings.hidden_units=100")


def _below(tree: Any, part: str, under: str, where: str) -> Any:
    """What a part of a path leads to, made where the file leaves it out."""
    if isinstance(tree, dict):
        key = _key(tree, part)
        if tree.get(key) is None:
            if under in NAMED and key not in tree:
                hint = "a new one is set as a whole, and a name with a dot or an equals sign goes in double quotes"
                raise SweepError(f"--set {where}: there is no {part}{_allowed(tree, part)}; {hint}")
            tree[key] = {}
        return tree[key]
    if isinstance(tree, list) and part.isdecimal() and int(part) < len(tree):
        return tree[int(part)]
    raise SweepError(f"--set {where}: there is no {part} to set a field of{_allowed(tree, part)}")


def _key(tree: dict[Any, Any], part: str) -> Any:
    """The key that is spelled so, which may be a number."""
    return next((key for key in tree if str(key) == part), part)


def _allowed(tree: Any, part: str) -> str:
    if isinstance(tree, list):
        return f"; allowed: 0 to {len(tree) - 1}"
    names = list(map(str, tree)) if isinstance(tree, dict) else []
    allowed = f"; allowed: {', '.join(names[:12])}{', ...' * (len(names) > 12)}" if names else ""
    return allowed + did_you_mean(part, names)


def spelled(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Values from Python as the assignments that `put` takes: {"settings": {"hidden_units": 100}} as
    "settings.hidden_units=100".

    Args:
        given: by the paths that `--set` has; numbers, text, lists and mappings, also of numpy.

    Raises:
        SweepError: a value of another kind.
    """
    fields: dict[str, Any] = {}
    for path, value in given.items():
        if path in SECTIONS and isinstance(value, Mapping):
            fields |= {f"{path}.{name}": inner for name, inner in value.items()}
        else:
            fields[path] = value
    return tuple(f"{path}={_as_yaml(path, value)}" for path, value in fields.items())


def _as_yaml(path: str, value: Any) -> str:
    value = _plain(value)
    try:
        text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    except (yaml.YAMLError, RecursionError):
        kind = type(value).__name__
        raise SweepError(f"{path}: must be a number, text, a list or a mapping of these, got a {kind}") from None
    return text.removesuffix("\n").removesuffix("\n...")


def _plain(value: Any) -> Any:
    """The same as lists, mappings and numbers of Python."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple | range) else value
