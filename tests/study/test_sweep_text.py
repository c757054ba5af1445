"""Spellings in sweep files and in `--set`: what has two readings, or two places, is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from study.linear_settings import LinearCellSpec
from study.plain_yaml import SWITCHES, read_yaml
from study.plan import make_plan
from study.sweep import (
    AxisRange,
    CellSpec,
    Compute,
    CurriculumSpec,
    PaperValues,
    PhaseSpec,
    ScanSpec,
    Sweep,
    SweepError,
    Tracking,
)
from study.sweep_file import load_sweep
from tests.study.conftest import ROOT, SMALL

TWO_READINGS = {
    "010": "8 (in base 8)", "-012": "-10 (in base 8)", "007": "7 (in base 8)", "08": "text", "1:30": "90", "1:30.5": "90.5",
    "on": "true", "Off": "false", "YES": "true", "no": "false", "y": "true", "N": "false", "0b101": "5", "0o17": "text",
    "-0x10": "-16", "0x1_0": "16", "1_000": "1000", "1_0.5": "10.5",
    "2020-13-40": "a date that does not exist (not valid YAML)",
    "2020-01-01": "the date 2020-01-01",
    "!!int 010": "8 (in base 8)", "!!float '1:30'": "90", "!!timestamp '2020-01-01'": "the date 2020-01-01",
}  # fmt: skip


@pytest.mark.parametrize("text", TWO_READINGS)
def test_what_has_two_readings_is_refused_with_both_unless_quoted(text: str) -> None:
    spelled = text.split()[-1].strip("'")
    for line in (f"{text}", f"a: {text}", f"a: [1, {text}]", f"? {text}\n: 1", f"{{a: {{b: {text}}}}}"):
        with pytest.raises(SweepError) as refusal:
            read_yaml(line, "file")
        said = str(refusal.value)
        assert f"{spelled} is read as " in said
        assert f"{TWO_READINGS[text]} by YAML 1.1" in said
        assert f'put it in quotes ("{spelled}")' in said
    assert read_yaml(f"{{a: '{spelled}', \"{spelled}\": [!!str {spelled}]}}", "file") == {"a": spelled, spelled: [spelled]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10), ("0", 0), ("-3", -3), ("+1", 1), ("0.5", 0.5), (".5", 0.5), ("1.5e-3", 1.5e-3), ("0x10", 16),
        ("true", True), ("~", None), ("1e3", "1e3"), ("a_b", "a_b"), ("1:99", "1:99"), ("init_scale=0.1", "init_scale=0.1"),
        ("north", "north"), ("=", "="),
    ],
)  # fmt: skip
def test_what_has_one_reading_is_read(text: str, value: Any) -> None:
    assert read_yaml(f"[{text}]" if text else "[~]", "file") == [value]


@pytest.mark.parametrize("key", ["~", "null", "10", "1.5", "true", ".inf"])
def test_a_name_is_text(key: str) -> None:
    with pytest.raises(SweepError, match=r"line 2: the name .* is read as .*, and names are text: put it in quotes"):
        read_yaml(f"cells:\n  {key}: {{}}", "file")
    assert read_yaml(f"'{key}': 1", "file") == {key: 1}


def models() -> list[type[BaseModel]]:
    return [AxisRange, CellSpec, Compute, CurriculumSpec, LinearCellSpec, PaperValues, PhaseSpec, ScanSpec, Sweep, Tracking]


def test_switches_take_the_words_for_true_and_false() -> None:
    assert {name for model in models() for name, field in model.model_fields.items() if field.annotation is bool} == SWITCHES
    assert read_yaml("{log: yes, pruning: Off, per_seed: on}", "file") == {"log": True, "pruning": False, "per_seed": True}
    quick = ROOT / "sweeps" / "scan_quick.yaml"
    assert not load_sweep(quick, ("scan.pruning=off",)).scan.pruning  # type: ignore[union-attr]
    with pytest.raises(SweepError, match="--set seeds: line 1: off is read as false"):
        load_sweep(quick, ("seeds=off",))
    with pytest.raises(SweepError, match=r"scan\.space\.init_scale\.low = True: must be a number"):
        load_sweep(quick, ("scan.space.init_scale={low: true, high: 3}",))


NUMBERS = [
    (model, name)
    for model in models()
    for name, field in model.model_fields.items()
    if any(word in str(field.annotation) for word in ("int", "float", "SeedRange")) and name not in ("space", "grid")
]
NAN, INFINITY = float("nan"), float("inf")
WRONG: tuple[Any, ...] = (True, "1_0e3", NAN, INFINITY, -INFINITY, 1e308, -1e308, 10**29, -(10**29), [], {}, "", "x")


@pytest.mark.parametrize(("model", "name"), NUMBERS, ids=lambda part: part if isinstance(part, str) else part.__name__)
def test_no_number_of_any_field_is_without_bounds(model: type[BaseModel], name: str) -> None:
    many = "tuple" in str(model.model_fields[name].annotation) and "SeedRange" not in str(model.model_fields[name].annotation)
    for value in WRONG:
        if model is AxisRange and value in (1e308, -1e308, 10**29, -(10**29)):
            continue  # of any setting, whose own bounds hold for the ends
        problems = _problems(model, {name: [value] if many else value}, name)
        assert problems, f"{name} = {value}"


def _problems(model: type[BaseModel], values: dict[str, Any], name: str) -> list[Any]:
    try:
        model.model_validate(values)
    except ValidationError as error:
        return [p for p in error.errors() if p["type"] != "missing" and (name in p["loc"] or not p["loc"])]
    return []


def refusal_of(sweep: str, *assignments: str, path: Path) -> str:
    path.write_text(sweep)
    with pytest.raises(SweepError) as refusal:
        make_plan(load_sweep(path, assignments))
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


DOTTED = SMALL.replace("standard:", "a.b:").replace("large:", "init_scale=0.1:").replace("first: standard", "first: a.b")
DOTTED = DOTTED.replace("second: large", "second: init_scale=0.1")


@pytest.mark.parametrize(
    "assignment",
    ["cells.a.b.seeds=3", 'cells."a.b".seeds=3', "cells.init_scale=0.1.seeds=3", 'cells."init_scale=0.1".seeds=3'],
)
def test_names_with_dots_and_equals_signs_can_be_set(assignment: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(DOTTED)
    cells = make_plan(load_sweep(tmp_path / "s.yaml", (assignment,))).cells
    assert [cell.name for cell in cells] == ["a.b", "init_scale=0.1"]
    assert [len(cell.draws) for cell in cells] == ([3, 6] if "a.b" in assignment else [6, 3])


def test_a_path_that_may_mean_two_things_or_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    both = DOTTED.replace("  a.b:", "  a: {}\n  a.seeds: {}\n  a.b:")
    assert 'may mean "a" or "a.b"; put the one' in refusal_of(both, "cells.a.b.seeds=3", path=path)
    assert 'may mean "a" or "a.seeds"; put the one' in refusal_of(both, "cells.a.seeds=3", path=path)
    cells = {cell.name: len(cell.draws) for cell in make_plan(load_sweep(path, ('cells."a".seeds=3',))).cells}
    assert cells == {"a": 3, "a.seeds": 6, "a.b": 6, "init_scale=0.1": 6}
    said = refusal_of(DOTTED, "cells.standrad.seeds=3", path=path)
    assert "--set cells.standrad: there is no standrad; allowed: a.b, init_scale=0.1; a new one is set as a whole" in said
    assert "there is no c; allowed: a.b" in refusal_of(DOTTED, "cells.c.d={}", path=path)
    added = load_sweep(path, ('cells."c.d"={init_scale: 3}', "cells.e={}"))
    assert list(added.cells) == ["a.b", "init_scale=0.1", "c.d", "e"]
    said = refusal_of(DOTTED, "curricula.brief.phases.2.steps=3", path=path)
    assert "--set curricula.brief.phases.2: there is no 2 to set a field of; allowed: 0 to 1" in said
    for assignment in ("seeds", "=3", "a..b=1", ".=", '"seeds" 3'):
        assert "expected key=value" in refusal_of(DOTTED, assignment, path=path)
    assert "is read as the number 8" in refusal_of(DOTTED, "seeds=010", path=path)


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("seeds: 010", "line 3: seeds: 010 is read as the number 8 (in base 8)"),
        ("seeds: true", "seeds = True: must be a count"),
        ("seeds: 1e308", "seeds = '1e308': must be a count"),
        ("seeds: {first: 4611686018427387904, count: 2}", "must be a count"),
        ("data_seeds: [on]", "on is read as true"),
        ("settings: {init_scale: true}", "settings.init_scale = True: must be a number"),
        ("settings: {bias: 1e308}", "settings.bias = '1e308': must be less than or equal to 1000000000"),
        ("settings: {hidden_units: .nan}", "settings.hidden_units = nan"),
        ("settings: {hidden_units: 1_000}", "hidden_units: 1_000 is read as the number 1000"),
        ("cells: {no: {}}", 'no is read as false by YAML 1.1 and as text by YAML 1.2; put it in quotes ("no")'),
        ("cells: {10: {}}", 'the name 10 is read as the number 10, and names are text: put it in quotes ("10")'),
        ("cells: {2020-01-01: {}}", 'put it in quotes ("2020-01-01")'),
        ("name: 2020", "name = 2020: must be a valid string, and is one in quotes"),
        ("description: " + "[" * 5000, "nested too deeply"),
    ],
)  # fmt: skip
def test_numbers_and_names_that_are_none_are_named(field: str, says: str, tmp_path: Path) -> None:
    key = field.split(":")[0]
    others = {name: value for name, value in yaml.safe_load(SMALL).items() if name != key}
    assert says in refusal_of(f"# one\n# two\n{field}\n{yaml.safe_dump(others)}", path=tmp_path / "s.yaml")


def test_a_cell_named_by_digits_is_named_in_quotes_wherever_it_is_named(tmp_path: Path) -> None:
    sweep = SMALL.replace("standard:", "'10':").replace("first: standard", "first: 10")
    assert "contrasts.small.first = 10: no such cell" in refusal_of(sweep, path=tmp_path / "s.yaml")
    assert 'put it in quotes ("10")' in refusal_of(sweep, path=tmp_path / "s.yaml")
    (tmp_path / "s.yaml").write_text(sweep.replace("first: 10", "first: '10'"))
    assert make_plan(load_sweep(tmp_path / "s.yaml")).contrasts[0].pairs == (("10", "large"),)
