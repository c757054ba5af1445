"""Files from others: whatever they hold, the answer is a valid plan or table, or one line that says what is wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.belonging import belonging
from study.folder import FILE, check_links, stored_sweep
from study.memory import check_memory
from study.plan import Plan, make_plan
from study.rows import RowsError, file_of, read_rows
from study.sweep import SweepError
from study.sweep_file import load_sweep
from tests.study.conftest import ROOT, SMALL, study_here

SOURCES = [SMALL, *((ROOT / "sweeps" / f"{name}.yaml").read_text() for name in ("init_scale", "linear", "paper", "crossed"))]
FEW, MANY = (
    350,
    3500,
)  # cases of each of the three kinds: about 1,000 with every run of the tests, more than 10,000 with -m slow


def refusal(error: SweepError | RowsError) -> str:
    """The text of a refusal, which must be one line that a terminal can show."""
    text = str(error)
    assert text
    assert text.isprintable(), text
    assert len(text) <= 500
    return text


def planned(folder: Path, text: str | bytes, assignments: tuple[str, ...] = ()) -> Plan | str:
    """The plan of a sweep file with this text, or the refusal, which must be one clean line."""
    path = folder / "sweep.yaml"
    shutil.copy(ROOT / "sweeps" / "linear.yaml", folder)  # which the paper's sweep names
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    try:
        plan = make_plan(load_sweep(path, assignments))
        check_memory(plan, 2, available=8e9)
    except SweepError as error:
        return refusal(error)
    out = folder / "out"
    json.dumps(plan.sweep.identity())
    assert plan.networks == sum(len(block.draws) for block in plan.blocks()) > 0
    for cell in plan.cells:
        block = next(b for b in plan.blocks() if b.cell is cell)
        assert file_of(out, block).resolve().is_relative_to((out / "rows").resolve())
    return plan


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-3, 12), st.floats(), st.text(max_size=12), st.binary(max_size=6),
    st.dates(), st.just(10**40), st.just("../../x"), st.just("a\nb\x1b[31m"), st.just("1" * 130),
    st.sampled_from(["standard", "large", "brief", "multi", "single", "first", "eig", "hidden", "offline", "iid"]),
)  # fmt: skip
FIELDS = """
    name seeds data data_seeds network curricula settings cells grid contrasts primary compute phases steps task_counts
    hidden_units train_patterns test_patterns stimulus_pools features response_pools clusters estimators axis first second
    pooled paper linear count block examples inputs marks singular_values init_scale curriculum cycles batch_size learning_rate
"""
keys = st.one_of(st.sampled_from(FIELDS.split()), st.text(max_size=6), st.integers(-1, 3), st.just("../up"))
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A real sweep with some of its parts replaced, dropped or added."""
    tree = yaml.safe_load(draw(st.sampled_from(SOURCES)))
    for _ in range(draw(st.integers(1, 3))):
        place = tree
        for _ in range(draw(st.integers(0, 5))):
            inner = [v for v in (place.values() if isinstance(place, dict) else place) if isinstance(v, (dict, list)) and v]
            if not inner:
                break
            place = draw(st.sampled_from(inner))
        spots = list(place) if isinstance(place, dict) else list(range(len(place)))
        what = draw(st.sampled_from(["replace", "replace", "drop", "add"]))
        if what == "add" and isinstance(place, dict):
            place[draw(keys)] = draw(trees)
        elif spots and what == "drop":
            del place[draw(st.sampled_from(spots))]
        elif spots:
            place[draw(st.sampled_from(spots))] = draw(trees)
    return tree


PIECES = [
    *(
        "&a ",
        "*a",
        "<<: ",
        "? [a]: b\n",
        "- ",
        "{",
        "[",
        "]",
        "}",
        ": ",
        "\n",
        "  ",
        "\t",
        "'",
        '"',
        "|",
        ">",
        "%",
        "@",
        "#",
        "~",
    ),
    *(
        "!!python/object:os.system x",
        "!!set {a}",
        "!!binary x",
        "!!timestamp 1",
        "!!int a",
        "!!omap [a]",
        "!!float x",
        "!!bool 2",
    ),
    *("2026-13-40", "1:99", "0x" + "f" * 5000, "9" * 5000, "1_0", "0b", ".inf", ".nan", "1e999"),
    *("\x00", "\ud800", '"\\ud800"', "---\n", "...\n"),
]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The text of a real sweep with pieces of YAML's syntax put in."""
    text = draw(st.sampled_from(SOURCES))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(PIECES)) + text[at + draw(st.integers(0, 5)) :]
    return text


def sweep_case(folder: Path) -> Callable[[Any], None]:
    def case(tree: Any) -> None:
        planned(folder, yaml.dump(tree, allow_unicode=True))

    return case


def text_case(folder: Path) -> Callable[[str], None]:
    def case(text: str) -> None:
        planned(folder, text)

    return case


COLUMNS = """
    cell seed data_seed diverged loss_x_test silhouette_a curve_x_test curve_x_steps repeat_data_a other phases loss_test
    structure_x_steps structure_x_cka predictor_x_a predictor_x_x_a agreement_x_a
"""
names = st.sampled_from(COLUMNS.split())
plain = [pa.string(), pa.large_string(), pa.int64(), pa.int8(), pa.uint64(), pa.float64(), pa.float32(), pa.bool_(), pa.null()]
others = [
    pa.binary(),
    pa.timestamp("s"),
    pa.decimal128(12, 2),
    pa.date32(),
    pa.duration("ns"),
    pa.dictionary(pa.int32(), pa.string()),
]
others += [pa.string_view(), pa.float16(), pa.large_list(pa.float64()), pa.list_(pa.float32(), 1)]
nested = [pa.list_(pa.float64()), pa.list_(pa.string()), pa.list_(pa.list_(pa.int64())), pa.struct([("a", pa.int64())])]
kinds = st.sampled_from([*plain, *others, *nested, pa.map_(pa.string(), pa.int64())])
VALUES: list[Any] = [
    None,
    0,
    1,
    3,
    -7,
    2**62,
    0.5,
    float("nan"),
    float("inf"),
    "a",
    "b\n",
    "",
    True,
    b"\xff",
    [1.0],
    ["x"],
    [],
    {"a": 1},
]


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Tables whose columns have the right names and any type, two of them of the same name now and then."""
    rows = draw(st.integers(0, 4))
    columns = draw(st.lists(names, min_size=0, max_size=5)) + draw(st.sampled_from([[], ["cell", "seed"], ["cell", "seed"]]))
    arrays = []
    for name in columns:
        right = {"cell": pa.string(), "seed": pa.int64()}.get(name, pa.float64())
        kind = draw(st.one_of(st.just(right), kinds))
        fits = [value for value in VALUES if _fits(value, kind)]
        drawn = [draw(st.sampled_from(fits)) for _ in range(rows)]
        try:
            arrays.append(pa.array(drawn, type=kind))
        except pa.ArrowException:  # each would do alone
            arrays.append(pa.array([None] * rows, type=kind))
    return pa.Table.from_arrays(arrays, names=columns)


def _fits(value: Any, kind: pa.DataType) -> bool:
    try:
        pa.array([value, None, value], type=kind).validate(full=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return False
    return True


def read_case(folder: Path) -> Callable[[Any], None]:
    (folder / "rows").mkdir(exist_ok=True)

    def case(drawn: tuple[list[pa.Table], list[tuple[int, int]]]) -> None:
        parts, damage = drawn
        for old in (folder / "rows").glob("*"):
            old.unlink()
        for number, table in enumerate(parts):
            path = folder / "rows" / f"{number}.parquet"
            try:
                pq.write_table(table, path)
            except (pa.ArrowException, ValueError):
                path.write_bytes(b"PAR1")
        if damage:
            data = bytearray(path.read_bytes())
            for at, byte in damage:
                data[at % len(data)] = byte
            path.write_bytes(bytes(data))
        try:
            frame = belonging(read_rows(folder), None, folder)
        except RowsError as error:
            refusal(error)
            return
        assert frame["seed"].dtype == frame["data_seed"].dtype == "int64"
        assert not frame.duplicated(["cell", "seed", "data_seed"]).any()
        assert all(note.isprintable() for note in frame.attrs["notes"])
        for name in ("loss_x_test", "silhouette_a"):
            assert name not in frame or pd.api.types.is_numeric_dtype(frame[name].dropna().infer_objects())

    return case


damages = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4)
CASES: dict[str, tuple[Any, Callable[[Path], Callable[[Any], None]]]] = {
    "sweeps": (mutated() | trees, sweep_case),
    "texts": (damaged() | st.text(max_size=60), text_case),
    "rows": (st.tuples(st.lists(tables(), min_size=1, max_size=2), damages), read_case),
}


def fuzz(kind: str, folder: Path, cases: int, derandomize: bool) -> None:
    strategy, make = CASES[kind]
    case = make(folder)

    @settings(
        max_examples=cases, deadline=None, database=None, derandomize=derandomize, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def run(drawn: Any) -> None:
        case(drawn)

    run()


@pytest.mark.parametrize("kind", list(CASES))
def test_a_thousand_foreign_files(kind: str, tmp_path: Path) -> None:
    fuzz(kind, tmp_path, FEW, derandomize=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(CASES))
def test_ten_thousand_foreign_files(kind: str, tmp_path: Path) -> None:
    fuzz(kind, tmp_path, int(os.environ.get("STUDY_FUZZ_CASES", MANY)), derandomize=False)


def test_an_untouched_sweep_is_planned_by_the_same_path(tmp_path: Path) -> None:
    for text in SOURCES:
        assert isinstance(planned(tmp_path, text), Plan)


BOMB = "a: &a [x, x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, r"alias \*a in line 2"),
        ("a: &a [*a]", "aliases are not allowed"),
        ("[" * 20_000, "nested too deeply"),
        ("{a: " * 20_000, "nested too deeply"),
        ("name: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("name: 2026-13-40", "not valid YAML"),
        ("seeds: " + "9" * 5000, "a number of 5000 digits"),
        ("x" * 1_000_001, "larger than 1,000,000 bytes"),
        (SMALL + f"grid: {{init_scale: {list(range(1, 200))}, bias: {list(range(200))}}}", "make 39,802 cells, at most 10,000"),
        (SMALL.replace("seeds: 6", "seeds: 1000000\ndata: crossed\ndata_seeds: 1000000"), "more than 5,000,000 networks"),
        (SMALL + "grid: {curriculum: [../../x]}", "allowed: brief"),
        (SMALL.replace("name: small", "name: ../small"), "name = '../small'"),
    ],
)  # fmt: skip
def test_hostile_sweeps_are_refused_in_one_line(text: str, says: str, tmp_path: Path) -> None:
    answer = planned(tmp_path, text)
    assert isinstance(answer, str)
    assert re.search(says, answer), answer


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"name": ' + "9" * 5000 + "}", '{"a": NaN}', "", "[1]", '"\\ud800"', "{" * 2000]
)
def test_hostile_stored_sweeps_are_refused_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(SweepError) as refused:
        stored_sweep(tmp_path)
    refusal(refused.value)


def test_links_out_of_a_folder_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    out, target = tmp_path / "out", tmp_path / "precious"
    (out / "rows").mkdir(parents=True)
    target.write_text("mine")
    pd.DataFrame({"cell": ["a", "b"], "seed": [0, 0], "loss_x_test": [0.1, 0.2], "silhouette_a": [0.1, 0.2]}).to_parquet(
        out / "rows" / "a.parquet"
    )
    (out / "inside").symlink_to(out / "rows")
    check_links(out)
    (out / "analysis.md").symlink_to(target)
    done = study_here("analyse", out)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "analysis.md: is a link out of the folder" in done.stderr
    assert target.read_text() == "mine"


def test_a_table_too_large_for_memory_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows").mkdir()
    pd.DataFrame({"cell": ["a"] * 1000, "seed": range(1000)}).to_parquet(tmp_path / "rows" / "a.parquet")
    assert len(read_rows(tmp_path)) == 1000
    monkeypatch.setattr("study.foreign.machine_memory", lambda: 100_000.0)
    with pytest.raises(RowsError, match="1,000 rows of 2,000 values, too many"):
        read_rows(tmp_path)
