"""A folder belongs to resolved settings, however their file spells them; its seeds may grow, and fewer are a view."""

from __future__ import annotations

import json
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import BaseModel
from rich.console import Console

from study import linear_trial, trial
from study.checkpoint import place_of
from study.extension import IDENTITY, group_of, remarks
from study.folder import FILE, check_claim, claim, stored_plan, stored_sweep
from study.identity import identity_of, packed, runs, unpacked
from study.linear_settings import LinearSettings
from study.plan import Block, LinearCell, Plan, make_plan
from study.rows import finished, read_rows, write_rows
from study.running import analysed, report, run
from study.scan.space import make_scan
from study.schema import setting_values
from study.sweep import Settings, Sweep, SweepError, Tracking
from study.sweep_file import parse_sweep
from study.wandb_run import study_id
from study.workspace import Shown, make_workspace
from tests.study.conftest import ROOT, SMALL

LINEAR = {
    "name": "l", "network": "linear", "seeds": 3, "cells": {"a": {}, "b": {"init_scale": 0.5}},
    "settings": {"steps": 20, "record_every": 10, "marks": [10], "examples": 12, "singular_values": [9, 4]},
}  # fmt: skip
SCAN = yaml.safe_load((ROOT / "sweeps" / "scan_quick.yaml").read_text())


def small(**fields: Any) -> dict[str, Any]:
    return dict(yaml.safe_load(SMALL)) | fields


def changed(raw: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    raw = deepcopy(raw)
    *parents, last = path.split("/")
    place = raw
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
    place[last] = value
    return raw


def train(plan: Plan, out: Path) -> None:
    """The plan's networks that the folder has no rows of."""
    for block in plan.blocks(finished(out)):
        write_rows(out, block, trained(block))


def trained(block: Block[Any]) -> list[dict[str, Any]]:
    """The rows of a block."""
    kind: Any = linear_trial if isinstance(block.cell, LinearCell) else trial
    return list(kind.rows_of(kind.run_block(block), "small", {}))


def default_of(model: type[BaseModel], name: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another default of a setting, as another version of this code may have it."""
    monkeypatch.setattr(model.model_fields[name], "default", value)
    for kind in (model, *model.__subclasses__()):
        monkeypatch.setattr(kind.model_fields[name], "default", value)
        kind.model_rebuild(force=True)


GRID = small(cells={}, contrasts={}, grid={"init_scale": [1, 10], "learning_rate": ["1e-2", 0.03]})


@pytest.mark.parametrize(
    ("raw", "path", "value"),
    [
        (small(), "settings/learning_rate", "1e-2"),
        (small(), "settings/kmeans_restarts", 10),
        (small(), "cells/standard", None),
        (small(), "cells/large/init_scale", "1e1"),
        (small(), "curricula/brief/cycles", 1),
        (small(), "curricula/brief/phases/0/learning_rate", 0.01),
        (small(), "curricula/brief/phases/0/task_counts", [1.0]),
        (small(), "seeds", [5, 4, 3, 2, 1, 0]),
        (small(), "cells/large/seeds", {"first": 0, "count": 6}),
        (small(), "data", "per_seed"),
        (small(), "description", "another"),
        (small(), "compute", {"block": 1, "cpus_per_trial": 2, "checkpoint_seconds": 1}),
        (small(), "wandb", {"mode": "disabled", "project": "other"}),
        (small(), "linear", LINEAR),
        (GRID, "grid", {"init_scale": [1.0, "10"], "learning_rate": [0.01, "3e-2"]}),
        (GRID, "grid", {"settings": {"bias": -2}, "init_scale": [10, 1], "learning_rate": [0.03, 0.01]}),
        (LINEAR, "settings/learning_rate", "2e-1"),
        (LINEAR, "settings/singular_values", ["9e0", 4.0]),
        (SCAN, "scan/points", 3),
        (SCAN, "scan/confirm", float(SCAN["scan"].get("confirm", 6))),
    ],
    ids=lambda part: part if isinstance(part, str) and "/" in part else "",
)
def test_another_spelling_of_the_same_study_is_the_same(raw: dict[str, Any], path: str, value: Any, tmp_path: Path) -> None:
    claim(tmp_path, parse_sweep(raw))
    for stored in (True, False):  # also of a folder made before identities were kept
        assert claim(tmp_path, parse_sweep(changed(raw, path, value))).relation == "same"
        if stored:
            claim(tmp_path, parse_sweep(raw))
            (tmp_path / IDENTITY).unlink()


@pytest.mark.parametrize(
    ("raw", "path", "value", "says"),
    [
        (small(), "settings/learning_rate", 0.02, "cells.standard.learning_rate: 0.01 there, 0.02 here"),
        (small(), "cells/large/init_scale", 5, "cells.large.init_scale: 10 there, 5 here"),
        (small(), "settings/predictors", ["ntk_trace"], 'cells.standard.predictors: [] there, ["ntk_trace"] here'),
        (small(), "curricula/brief/cycles", 2, "cells.standard.cycles: 1 there, 2 here"),
        (small(), "curricula/brief/phases/1/steps", 41, "cells.standard.phases.1.steps: 40 there, 41 here"),
        (small(), "curricula/brief/phases/1/batch_size", 10, "cells.standard.phases.1.batch_size: nothing there, 10 here"),
        (small(), "cells/third", {}, "cells.third: nothing there"),
        (small(), "contrasts/small/first", "large", "compares the cell"),
        (small(), "contrasts/small", {"first": "large", "second": "standard"}, 'contrasts.small.pairs.0.0: "standard" there'),
        (small(), "primary", {"contrast": "small", "phase": "multi"}, "primary: nothing there"),
        (small(), "name", "other", 'name: "small" there, "other" here'),
        (small(), "data", "fixed", 'data: "per_seed" there, "fixed" here'),
        (small(), "cells/large/data", "fixed", "cells.large.data: data of every seed's own there, data seeds 0 here"),
        (
            small(),
            "seeds",
            {"first": 3, "count": 6},
            "cells.standard.seeds: 0 to 5 there, 3 to 8 here: more seeds must hold all",
        ),
        (small(), "seeds", {"first": 100, "count": 6}, "cells.standard.seeds: 0 to 5 there, 100 to 105 here"),
        (LINEAR, "settings/marks", [20], "cells.a.marks.0: 10 there, 20 here"),
        (SCAN, "scan/seed", 7, "scan.seed: 0 there, 7 here"),
        (SCAN, "seeds", {"first": 40, "count": 5}, 'seeds: "0 to'),
    ],
    ids=lambda part: part if isinstance(part, str) and "/" in part else "",
)
def test_another_study_is_refused_with_its_first_difference(
    raw: dict[str, Any], path: str, value: Any, says: str, tmp_path: Path
) -> None:
    claim(tmp_path, parse_sweep(raw))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for identity in (True, False):
        with pytest.raises(SweepError) as refused:
            claim(tmp_path, parse_sweep(changed(raw, path, value)))
        assert says in str(refused.value)
        assert "\n" not in str(refused.value)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
        if identity:
            (tmp_path / IDENTITY).unlink()
            del before[IDENTITY]


@pytest.mark.parametrize("old", [False, True], ids=["identity", "made before"])
@pytest.mark.parametrize(
    ("raw", "model", "name", "value", "says"),
    [
        (small(seeds=1), Settings, "bias", -1.0, "bias: -2 {}, -1 here"),
        (small(seeds=1), Settings, "kmeans_restarts", 3, "kmeans_restarts: 10 {}, 3 here"),
        (LINEAR, LinearSettings, "hidden", 4, "hidden: 3 {}, 4 here"),
    ],
    ids=["bias", "kmeans_restarts", "hidden"],
)
def test_a_default_that_has_changed_since_is_another_study(
    raw: dict[str, Any],
    model: Any,
    name: str,
    value: Any,
    says: str,
    old: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = make_plan(parse_sweep(raw))
    claim(tmp_path, plan)
    train(plan, tmp_path)
    if old:
        (tmp_path / IDENTITY).unlink()
    default_of(model, name, value, monkeypatch)
    now = make_plan(parse_sweep(raw))
    assert getattr(now.cells[0].settings, name) == value
    where = "in its rows" if old else "there"
    with pytest.raises(SweepError, match=rf"holds another configuration \(cells\.\w+\.{says.format(where)}\)"):
        check_claim(tmp_path, now)
    monkeypatch.undo()
    for kind in (model, *model.__subclasses__()):
        kind.model_rebuild(force=True)
    assert claim(tmp_path, make_plan(parse_sweep(raw))).relation == "same"


def test_a_default_that_has_changed_since_the_rows_of_a_scan_is_noticed(tmp_path: Path) -> None:
    sweep = parse_sweep(SCAN)
    claim(tmp_path, sweep)
    cell = make_scan(sweep).cell({"init_scale": 3.0, "learning_rate": 0.05})
    row = setting_values(cell) | {"cell": cell.name, "seed": 0, "data_seed": 0}
    write_rows(tmp_path, Block(cell, cell.draws[:1]), [row])
    (tmp_path / IDENTITY).unlink()
    assert claim(tmp_path, sweep).relation == "same"
    (tmp_path / IDENTITY).unlink()
    write_rows(tmp_path, Block(cell, cell.draws[:1]), [row | {"kmeans_restarts": 4}])
    with pytest.raises(SweepError, match=r"kmeans_restarts: 4 in its rows, 10 here"):
        claim(tmp_path, sweep)


def test_rows_made_before_are_read_by_what_they_say(tmp_path: Path) -> None:
    """Lists of numbers with six digits, and settings that there were none of, are no difference."""
    raw = changed(LINEAR, "settings/singular_values", [90.1234567, 4])
    plan = make_plan(parse_sweep(raw))
    claim(tmp_path, plan)
    train(plan, tmp_path)
    (tmp_path / IDENTITY).unlink()
    for path in (tmp_path / "rows").rglob("*.parquet"):
        table = pq.read_table(path).drop_columns(["weights", "whitening"])
        place = table.schema.names.index("singular_values")
        table = table.set_column(place, "singular_values", pa.array(["90.1235,4"] * len(table)))
        pq.write_table(table, path)
    assert claim(tmp_path, plan).relation == "same"
    (tmp_path / IDENTITY).unlink()
    with pytest.raises(SweepError, match=r"cells.a.singular_values.0: 90.1234567 there, 90.2 here"):
        claim(tmp_path, parse_sweep(changed(LINEAR, "settings/singular_values", [90.2, 4])))


def test_a_folder_from_before_expectations_takes_up_todays_and_no_other_afterwards(tmp_path: Path) -> None:
    """The shipped sweeps came to say what they expect; studies begun before must go on."""
    pair = {"first": "standard", "second": "large"}
    claim(tmp_path, parse_sweep(small(contrasts={"c": pair})))
    (tmp_path / IDENTITY).unlink()
    claim(tmp_path, parse_sweep(small(contrasts={"c": pair | {"expect": {"silhouette": "higher"}}})))
    with pytest.raises(SweepError, match=r'contrasts\.c\.expect\.silhouette: "higher" there, "lower" here'):
        claim(tmp_path, parse_sweep(small(contrasts={"c": pair | {"expect": {"silhouette": "lower"}}})))


def test_a_sweep_that_was_edited_in_its_folder_is_judged_by_its_rows(tmp_path: Path) -> None:
    plan = make_plan(parse_sweep(small(seeds=1)))
    claim(tmp_path, plan)
    train(plan, tmp_path)
    stored = json.loads((tmp_path / FILE).read_text())
    stored["cells"]["large"]["init_scale"] = 5
    (tmp_path / FILE).write_text(json.dumps(stored))
    other = make_plan(parse_sweep(changed(small(seeds=1), "cells/large/init_scale", 5)))
    with pytest.raises(SweepError, match=r"cells.large.init_scale: 10 in its rows, 5 here"):
        claim(tmp_path, other)


def test_seeds_grow_in_place_and_the_analysis_says_whether_it_was_looked_at(tmp_path: Path) -> None:
    out = tmp_path / "out"
    few, more, most = (make_plan(parse_sweep(small(seeds=n))) for n in (4, 6, 8))
    assert claim(out, few).relation == "same"
    train(few, out)
    kept = {path: path.read_bytes() for path in (out / "rows").rglob("*.parquet")}
    assert claim(out, more).relation == "grown"
    assert claim(out, more).relation == "same"  # as the same command goes on
    train(more, out)
    assert kept.items() <= {path: path.read_bytes() for path in (out / "rows").rglob("*.parquet")}.items()
    report(stored_plan(out), out, Console(quiet=True))
    claim(out, most)
    assert len(most.blocks(finished(out))) == 2
    train(most, out)
    report(most, out, Console(quiet=True))
    analysis = json.loads((out / "analysis.json").read_text())
    first, second = analysis["extensions"]
    today = time.strftime("%Y-%m", time.gmtime())
    assert (first["seeds"], first["networks"], first["looked_at"]) == ([4, 6], [8, 12], False)
    assert (second["seeds"], second["networks"], second["looked_at"]) == ([6, 8], [12, 16], True)
    assert first["when"].startswith(today)
    assert max(r["n"] for r in analysis["results"]) == 8
    text = (out / "analysis.md").read_text()
    assert "from 4 seeds to 6 seeds, before it had been analysed" in text
    assert (
        "from 6 seeds to 8 seeds, after it had been analysed: p values and intervals take the number of seeds as settled"
        in text
    )


def test_all_runs_of_a_study_keep_one_group_however_it_is_spelled_and_grows(tmp_path: Path) -> None:
    """A dashboard shows the runs of one group: those of the first seeds and of the later ones, of old folders too."""
    first = parse_sweep(small(seeds=2))
    claim(tmp_path, first)
    group = study_id(first)
    (tmp_path / IDENTITY).unlink()  # as in a folder made before identities were kept
    spelled = changed(small(seeds=5), "cells/large/init_scale", "1e1")
    assert study_id(parse_sweep(spelled)) != group
    for raw in (spelled, small(seeds=3), small(seeds=6)):
        claim(tmp_path, make_plan(parse_sweep(raw)))
        stored = stored_sweep(tmp_path)
        assert group_of(tmp_path, stored) == group
    filters = str(make_workspace(stored, group_of(tmp_path, stored), Shown("", (), (), (), ()), "e", "p")._spec)
    assert group in filters
    assert study_id(stored) not in filters
    kept = json.loads((tmp_path / IDENTITY).read_text())
    (tmp_path / IDENTITY).write_text(json.dumps(kept | {"group": "another-0123456"}))
    assert group_of(tmp_path, stored) == study_id(stored)


def test_fewer_seeds_are_a_view_of_the_folder(tmp_path: Path) -> None:
    whole, view = (make_plan(parse_sweep(small(seeds=n))) for n in (6, 4))
    claim(tmp_path, whole)
    train(whole, tmp_path)
    stored = (tmp_path / FILE).read_bytes(), (tmp_path / IDENTITY).read_bytes()
    assert claim(tmp_path, view).relation == "view"
    assert ((tmp_path / FILE).read_bytes(), (tmp_path / IDENTITY).read_bytes()) == stored
    report(view, tmp_path, Console(quiet=True))
    analysis = json.loads((tmp_path / "analysis.json").read_text())
    line = "A view: 4 seeds of the folder's 6 seeds; 8 of its 12 networks are counted, the others are left out."
    assert analysis["remarks"] == [line]
    assert line in (tmp_path / "analysis.md").read_text()
    assert max(r["n"] for r in analysis["results"]) == 4
    report(stored_plan(tmp_path), tmp_path, Console(quiet=True))
    again = json.loads((tmp_path / "analysis.json").read_text())
    assert (again["remarks"], max(r["n"] for r in again["results"])) == ([], 6)
    (tmp_path / IDENTITY).unlink()  # a folder made before identities were kept
    assert claim(tmp_path, view).relation == "view"
    assert ((tmp_path / FILE).read_bytes(), (tmp_path / IDENTITY).read_bytes()) == stored
    mixed = changed(changed(small(), "cells/large/seeds", 8), "cells/standard/seeds", 4)
    with pytest.raises(SweepError, match="some cells have more seeds here than there and some have fewer"):
        claim(tmp_path, parse_sweep(mixed))


def test_a_view_names_rows_of_no_plan_and_leaves_the_work_of_others(tmp_path: Path) -> None:
    whole, view, stray = (make_plan(parse_sweep(small(seeds=n))) for n in (6, 4, [99]))
    claim(tmp_path, whole)
    train(view, tmp_path)
    write_rows(tmp_path, stray.blocks()[0], trained(stray.blocks()[0]))
    begun = place_of(tmp_path, whole.blocks(finished(tmp_path))[0])
    begun.parent.mkdir(parents=True)
    begun.write_bytes(b"hours of work")
    assert run(view, tmp_path, Tracking(mode="disabled"), None, Console(quiet=True)) == 0
    assert begun.read_bytes() == b"hours of work"
    (note,) = (w for w in json.loads((tmp_path / "analysis.json").read_text())["warnings"] if w.startswith("Rows outside"))
    assert note.startswith("Rows outside the plan are not counted, 1 of 9: cell ")
    train(whole, tmp_path)
    assert run(whole, tmp_path, Tracking(mode="disabled"), None, Console(quiet=True)) == 0
    assert not begun.exists()


@pytest.mark.parametrize(
    ("before", "after", "relation"),
    [
        ({"data": "crossed", "data_seeds": 2}, {"data": "crossed", "data_seeds": 3}, "grown"),
        ({"data": "crossed", "data_seeds": 2, "seeds": 3}, {"data": "crossed", "data_seeds": [1, 0, 9], "seeds": 5}, "grown"),
        ({"data": "crossed", "data_seeds": 3}, {"data": "crossed", "data_seeds": [1]}, "view"),
        ({"seeds": 1}, {"seeds": 3}, "grown"),
        ({"data": "fixed", "seeds": 1}, {"data": "fixed", "seeds": 3}, "grown"),
        ({"data": "crossed", "data_seeds": 3, "seeds": 3}, {"data": "crossed", "data_seeds": 4, "seeds": 2}, None),
        ({"data": "crossed", "data_seeds": 2}, {"data": "crossed", "data_seeds": [2, 3]}, None),
    ],
)
def test_data_seeds_of_a_crossed_design_grow_too(
    before: dict[str, Any], after: dict[str, Any], relation: str | None, tmp_path: Path
) -> None:
    claim(tmp_path, parse_sweep(small(**before)))
    if relation is None:
        with pytest.raises(SweepError, match="more seeds must hold all of those there, fewer must be some of them"):
            claim(tmp_path, parse_sweep(small(**after)))
        return
    assert claim(tmp_path, parse_sweep(small(**after))).relation == relation


def test_a_linear_study_grows_and_is_viewed_as_well(tmp_path: Path) -> None:
    plans = {n: make_plan(parse_sweep(LINEAR | {"seeds": n})) for n in (2, 3)}
    claim(tmp_path, plans[2])
    train(plans[2], tmp_path)
    assert claim(tmp_path, plans[3]).relation == "grown"
    train(plans[3], tmp_path)
    frame = read_rows(tmp_path)
    assert remarks(frame, tmp_path, plans[3])["remarks"][0].endswith("to 3 seeds, before it had been analysed, so p values and "
                                                                     "intervals mean what they say.")  # fmt: skip
    assert remarks(frame, tmp_path, plans[2])["view"]


def test_rows_of_different_devices_are_named(tmp_path: Path) -> None:
    plan = make_plan(parse_sweep(small(seeds=3)))
    claim(tmp_path, plan)
    train(plan, tmp_path)
    frame = read_rows(tmp_path)
    assert analysed(frame, plan, tmp_path)["devices"] == {"cpu": 6}
    frame.loc[frame["seed"] == 1, "device"] = "NVIDIA H100"
    frame.loc[frame["seed"] == 2, "device"] = None  # made before the column
    said = analysed(frame, plan, tmp_path)
    assert said["devices"] == {"NVIDIA H100": 2, "cpu": 2}
    assert said["remarks"] == [
        "Rows were made by different devices (2 by NVIDIA H100, 2 by cpu), whose results differ in their last digits."
    ]


def one_cell(seeds: Any, data_seeds: Any, **others: Any) -> str:
    return json.dumps({"identity": {"cells": {"a": {"seeds": seeds, "data_seeds": data_seeds}}, **others}})


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"identity": 3}', '{"identity": {"cells": {"a": {"seeds": [[0, 99999999999]], "data_seeds": null}}}}',
     '{"extensions": [{}]}', '{"extensions": 3}', "[" * 100_000,
     *(one_cell(json.loads(seeds), json.loads(data)) for seeds, data in (
         ("[[0, 9999999999999]]", "[]"), ("[[0, 9999999999999], [0, -9999999999999]]", "null"), ("[[0.5, 2]]", "null"),
         ("[[-3, 2]]", "null"), ('{"0": 1}', "null"), ("[[0, 1]]", "[[0, 99999999999]]"), ("[[0, 1, 2]]", "null"))),
     '{"identity": {"contrasts": {"a": 3}}}', '{"identity": {"shared": []}}',
     one_cell([], [], shared=dict.fromkeys(map(str, range(1000)))),
     json.dumps({"identity": {"cells": {str(n): {"seeds": [], "data_seeds": None} for n in range(20_000)}}}),
     json.dumps({"identity": {"cells": {str(n): {"seeds": [[0, 4_000_000]], "data_seeds": None} for n in range(9000)}}})],
    ids=lambda text: text[:60],
)  # fmt: skip
def test_an_identity_that_is_none_is_refused_in_a_line(text: str, tmp_path: Path) -> None:
    claim(tmp_path, parse_sweep(small()))
    (tmp_path / IDENTITY).write_text(text)
    with pytest.raises(SweepError, match=r"identity.json: cannot be read as an identity; remove it, and"):
        claim(tmp_path, parse_sweep(small()))


def test_ten_thousand_cells_are_compared_in_seconds(tmp_path: Path) -> None:
    axes = {"init_scale": [1 + n / 100 for n in range(100)], "learning_rate": [0.01 + n / 1e4 for n in range(100)]}
    plan = make_plan(parse_sweep(small(cells={}, contrasts={}, grid=axes)))
    assert len(plan.cells) == 10_000
    claim(tmp_path, plan)
    start = time.process_time()
    assert check_claim(tmp_path, plan).relation == "same"
    assert time.process_time() - start < 5
    assert (tmp_path / IDENTITY).stat().st_size < 3_000_000


def test_identities_survive_their_file() -> None:
    sweeps: list[Sweep] = [parse_sweep(raw) for raw in (small(), GRID, LINEAR, SCAN)]
    for sweep in sweeps:
        identity = identity_of(sweep)
        assert unpacked(json.loads(json.dumps(packed(identity)))) == identity
    assert runs([5, 3, 4, 9, 9, 0]) == [[0, 1], [3, 3], [9, 1]]


def test_cells_of_a_grid_have_names_that_tell_their_values_apart() -> None:
    close = {"init_scale": [0.1234567, 0.1234568, 10], "learning_rate": [0.01]}
    plan = make_plan(parse_sweep(small(cells={}, contrasts={}, grid=close)))
    names = {cell.name: getattr(cell.settings, "init_scale", None) for cell in plan.cells}
    assert names == {f"init_scale={text},learning_rate=0.01": float(text) for text in ("0.1234567", "0.1234568", "10")}
    alone = make_plan(parse_sweep(small(cells={}, contrasts={}, grid={"init_scale": [0.1234567, 1_000_000, 10]})))
    assert [cell.name for cell in alone.cells] == ["init_scale=0.123457", "init_scale=1e+06", "init_scale=10"]  # as ever
    held = {"learning_rate": [0.03], "settings": {"init_scale": 0.1234568}}
    several = make_plan(parse_sweep(small(cells={}, contrasts={}, grid=[close | {"learning_rate": [0.01, 0.02]}, held])))
    assert {"init_scale=0.1234568,learning_rate=0.02", "init_scale=0.1234568,learning_rate=0.03"} < {
        cell.name for cell in several.cells
    }
    pairs = {"pair": {"axis": "learning_rate", "first": 0.01, "second": 0.02}}
    along = make_plan(parse_sweep(small(cells={}, contrasts=pairs, grid=close | {"learning_rate": [0.01, 0.02]})))
    assert [c.name for c in along.contrasts] == [f"pair[init_scale={text}]" for text in ("0.1234567", "0.1234568", "10")]


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ([0.1234567, 0.1234568], "scan.space.init_scale: two choices do not differ in their first six digits"),
        ({"low": 0.5, "high": 1.2345678}, "scan.space.init_scale: an end has more than six digits"),
    ],
    ids=["choices", "range"],
)
def test_points_of_a_scan_that_would_share_a_name_are_refused(space: Any, says: str) -> None:
    raw = changed(SCAN, "scan/space", {"init_scale": space})
    with pytest.raises(SweepError, match=says):
        identity_of(parse_sweep(raw))
