"""What a study is: the resolved settings of its cells, its networks and what it compares, however its file spells them.

Kept in a folder beside its sweep, so that a default that has changed since is noticed. How work is laid out, where it is
logged and how it is described are no part of it. Its seeds may grow, and fewer of them are a view (`relation`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from study.linear_settings import LinearSettings
from study.plan import Cell, LinearCell, Plan, make_plan
from study.rows import read_rows
from study.schema import setting_columns, setting_values, texts_of
from study.storage import Location, files
from study.sweep import Settings, Sweep, SweepError, seed_list

VERSION = 1  # of what rows mean: to be raised when the same settings give other numbers
DRAWS = ("seeds", "data_seeds")  # of a cell: what may grow
Identity = dict[str, Any]
Relation = Literal["same", "grown", "view"]


def identity_of(study: Plan | Sweep) -> Identity:
    """A study's identity as plain data. A scan has no plan, so it is given as its sweep.

    Raises:
        SweepError: a sweep that cannot be run.
    """
    if isinstance(study, Sweep):
        if study.scan is not None:
            return _of_scan(study)
        study = make_plan(study)
    sweep = study.sweep
    compared = {contrast.name: _plain(contrast) for contrast in study.contrasts}
    return {
        "version": VERSION, "name": sweep.name, "network": sweep.network, "data": sweep.data,
        "cells": {cell.name: _of_cell(cell) for cell in study.cells}, "contrasts": compared, "primary": _plain(sweep.primary),
    }  # fmt: skip


def _of_cell(cell: Cell | LinearCell) -> dict[str, Any]:
    found: dict[str, Any] = _plain(cell.settings)
    if isinstance(cell, Cell):
        found |= {"phases": _plain(cell.curriculum.phases), "cycles": cell.curriculum.cycles}
        found["environment"] = _plain(cell.environment)
    found["seeds"] = runs(draw.seed for draw in cell.draws)
    own = all(draw.seed == draw.data_seed for draw in cell.draws) and len(cell.draws) > 1
    return found | {"data_seeds": None if own else runs(draw.data_seed for draw in cell.draws)}


def _of_scan(sweep: Sweep) -> Identity:
    from study.scan.space import make_scan  # late: optuna takes a second that other studies need not spend

    scan = make_scan(sweep)
    settings = Settings.model_validate({"curriculum": "-"} | sweep.settings)
    spec = _plain(scan.spec.model_dump(exclude={"points", "storage", "space"}))
    spec |= {"first_seeds": scan.first, "evaluation_seeds": _spelled(runs(seed_list(scan.spec.evaluation_seeds)), None)}
    spec["space"] = {axis.name: _plain(axis) for axis in scan.axes}
    data_seeds = "" if sweep.data == "per_seed" else _spelled(runs(draw.data_seed for draw in scan.draws), None)
    return {
        "version": VERSION, "name": sweep.name, "network": sweep.network, "data": sweep.data,
        "seeds": _spelled(runs(seed_list(sweep.seeds)), None), "data_seeds": data_seeds,
        "curricula": _plain(sweep.curricula), "settings": _plain(settings), "scan": spec,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    """Settings and their like as JSON has them; what is not given is left out."""
    if isinstance(value, BaseModel):
        return _plain({name: getattr(value, name) for name in type(value).model_fields})
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items() if part is not None}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def runs(seeds: Iterable[int]) -> list[list[int]]:
    """Seeds as [first, count] of every stretch without a gap, in order."""
    found: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if found and sum(found[-1]) == seed:
            found[-1][1] += 1
        else:
            found.append([seed, 1])
    return found


def packed(identity: Identity) -> Identity:
    """With what all cells share said once: a study may have 10,000 cells of 40 settings each."""
    if not identity.get("cells"):
        return identity
    shared = next(iter(identity["cells"].values()))
    own = {
        name: {key: value for key, value in cell.items() if key not in shared or shared[key] != value}
        for name, cell in identity["cells"].items()
    }
    return identity | {"cells": own, "shared": shared}


def unpacked(identity: Identity) -> Identity:
    """The other way round."""
    shared = identity.get("shared", {})
    cells = {name: shared | own for name, own in identity.get("cells", {}).items()}
    return {key: value for key, value in identity.items() if key != "shared"} | ({"cells": cells} if cells else {})


def relation(there: Identity, here: Identity) -> Relation:
    """How a study stands to the one that a folder holds: the same, with more seeds in some cells, or with fewer.

    Raises:
        SweepError: another one; its text is the first difference.
    """
    cells = {name: _defaults(here) | cell for name, cell in there.get("cells", {}).items()}
    there = there | ({"cells": cells} if cells else {})
    if (old := _without_draws(there)) != (new := _without_draws(here)):
        raise SweepError(difference(old, new))
    found: set[Relation] = set()
    for name, cell in cells.items():
        if any(cell[field] != here["cells"][name][field] for field in DRAWS):
            found.add(_of_draws(f"cells.{name}", cell, here["cells"][name]))
    if len(found) > 1:
        raise SweepError("seeds: some cells have more seeds here than there and some have fewer")
    return found.pop() if found else "same"


def _of_draws(where: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> Relation:
    """The same of one cell; a single network of a seed of its own fits any design."""
    if (there["data_seeds"] is None) != (here["data_seeds"] is None) and not _one_of_its_own(there, here):
        raise SweepError(f"{where}.data: {_design(there)} there, {_design(here)} here")
    own = there["data_seeds"] is None or here["data_seeds"] is None
    old, new = (_networks(cell, own) for cell in (there, here))
    if all(part <= whole for part, whole in zip(old, new, strict=True)):
        return "grown"
    if all(part <= whole for part, whole in zip(new, old, strict=True)):
        return "view"
    field = DRAWS[0] if there["seeds"] != here["seeds"] else DRAWS[1]
    raise SweepError(
        f"{where}.{field}: {_spelled(there[field])} there, {_spelled(here[field])} here: more seeds must hold all of those "
        "there, fewer must be some of them"
    )


def _one_of_its_own(*cells: Mapping[str, Any]) -> bool:
    return any(cell["data_seeds"] == cell["seeds"] and len(_set(cell["seeds"])) == 1 for cell in cells)


def _networks(cell: Mapping[str, Any], own: bool) -> tuple[set[int], set[int]]:
    return _set(cell["seeds"]), set() if own else _set(cell["data_seeds"])


def _set(stretches: Sequence[Sequence[int]]) -> set[int]:
    return {seed for first, count in stretches for seed in range(first, first + count)}


def _design(cell: Mapping[str, Any]) -> str:
    return "data of every seed's own" if cell["data_seeds"] is None else f"data seeds {_spelled(cell['data_seeds'])}"


def _spelled(stretches: Sequence[Sequence[int]] | None, most: int | None = 3) -> str:
    """Seeds in words, for a message the first stretches of many."""
    parts = [f"{first} to {first + count - 1}" if count > 1 else str(first) for first, count in stretches or ()]
    return ", ".join(parts[:most]) + (", ..." if most is not None and len(parts) > most else "")


def counts(identity: Identity) -> dict[str, int]:
    """Seeds and data seeds of the cell that has most of each, and networks of all."""
    cells = identity.get("cells", {}).values()
    seeds = [sum(count for _, count in cell["seeds"]) for cell in cells] or [0]
    data = [1 if cell["data_seeds"] is None else sum(count for _, count in cell["data_seeds"]) for cell in cells] or [0]
    return {"seeds": max(seeds), "data_seeds": max(data), "networks": sum(a * b for a, b in zip(seeds, data, strict=True))}


def _defaults(identity: Identity) -> Any:
    """Of settings that there were none of when a folder was made: they leave everything as it was."""
    model: type[BaseModel] = LinearSettings if identity.get("network") == "linear" else Settings
    return _plain({name: field.default for name, field in model.model_fields.items() if not field.is_required()})


def _without_draws(identity: Identity) -> Identity:
    cells = identity.get("cells", {})
    bare = {name: {key: value for key, value in cell.items() if key not in DRAWS} for name, cell in cells.items()}
    return {key: value for key, value in identity.items() if value is not None} | ({"cells": bare} if bare else {})


def check_rows(out: Location, study: Plan | Sweep) -> None:
    """Hold the settings that a folder's rows carry against a study's: of a folder made before identities were kept.

    Raises:
        SweepError: the first difference.
        RowsError: rows that cannot be read.
    """
    if not files(out / "rows", ".parquet"):
        return
    if isinstance(study, Sweep) and study.scan is None:
        study = make_plan(study)
    every: dict[str, Any] = {}
    if isinstance(study, Sweep):  # of a scan's cells all are as its settings say, but on its axes and the scale of references
        settings = Settings.model_validate({"curriculum": "-"} | study.settings)
        axes = {*study.scan.space, "init_scale", "curriculum"} if study.scan else set()
        every = {name: value for name, value in texts_of(settings).items() if name not in axes}
    cells = {} if isinstance(study, Sweep) else {cell.name: cell for cell in study.cells}
    model = LinearSettings if (study if isinstance(study, Sweep) else study.sweep).network == "linear" else Settings
    names = [name for name, _ in setting_columns(model)] + ["phases", "cycles"]
    for name, part in read_rows(out, ["cell", "seed", "data_seed", *names]).groupby("cell"):
        expected = setting_values(cells[str(name)]) if str(name) in cells else every
        for column in (column for column in names if column in expected and column in part):
            for value in part[column].dropna().unique():
                if not _same_setting(value, expected[column]):
                    there, here = _short(getattr(value, "item", lambda v=value: v)()), _short(expected[column])
                    raise SweepError(f"cells.{name}.{column}: {there} in its rows, {here} here")


def _same_setting(there: Any, here: Any) -> bool:
    """Whether a setting in a row is that of a cell; rows made before have lists of numbers with six digits."""
    if there == here or not isinstance(there, str) or not isinstance(here, str):
        return bool(there == here)
    try:
        if there[:1] == "[":  # phases
            old, new = json.loads(there), json.loads(here)
            pairs = zip(old, new, strict=True)
            return all(a.get(key) == b.get(key) for a, b in pairs for key in a.keys() & b.keys())
        return there == ",".join(f"{float(part):g}" for part in here.split(","))
    except (ValueError, TypeError, AttributeError):
        return False


def difference(there: Any, here: Any, path: str = "") -> str:
    """The first place where two trees of plain data differ."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in [*there, *(key for key in here if key not in there)]:
            if there.get(key) != here.get(key):
                return difference(there.get(key), here.get(key), f"{path}.{key}" if path else str(key))
    if isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for number, (old, new) in enumerate(zip(there, here, strict=True)):
            if old != new:
                return difference(old, new, f"{path}.{number}")
    return f"{path}: {_short(there)} there, {_short(here)} here"


def _short(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    text = "nothing" if value is None else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
