"""Sweep files: what is shipped is valid, what is wrong is refused in one line that names it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from study.plan import Draw, make_plan
from study.scan.space import corners, make_scan
from study.sweep import SweepError
from study.sweep_file import load_sweep, parse_sweep
from tests.study.conftest import ROOT, SMALL, study, study_here

PAPER = ROOT / "sweeps" / "paper.yaml"

WRONG = {
    "seeds=0": ["seeds = 0", "count from 1 to 1,000,000"],
    "seeds=3000000000": ["seeds = 3000000000", "count from 1 to 1,000,000"],
    "seeds=[1, 1]": ["seeds", "distinct"],
    "sedes=3": ["sedes", "unknown field", "seeds"],
    "settings.hidden=3": ["settings.hidden", "unknown field", "hidden_units"],
    "cells.large.init_scale=-1": ["cells.large.init_scale = -1", "greater than 0"],
    "cells.large.init_scale=big": ["cells.large.init_scale = 'big'", "number"],
    "cells.large.scaled_layers=first": ["cells.large.scaled_layers = 'first'", "'hidden', 'output' or 'both'"],
    "cells.large.curriculum=none": ["cells.large.curriculum = 'none'", "long, short"],
    "curricula.long.phases.1.task_counts=[1, 1, 1, 1]": ["task_counts", "4 simultaneous tasks", "there are 4 and 3"],
    "curricula.long.phases.1.task_counts=[0, 0]": ["task_counts", "must be positive"],
    "curricula.long.phases.1.name=single": ["curricula.long.phases", "must differ"],
    "curricula.long.phases.0.steps=0": ["curricula.long.phases.0.steps = 0", "greater than or equal to 1"],
    "curricula.long.phases.0.batch_size=501": ["batch_size = 501", "at most train_patterns (500)"],
    "settings.clusters=500": ["clusters = 500", "below train_patterns and test_patterns"],
    "settings.estimators=[svd]": ["settings.estimators", "svd_right"],
    "settings.test_patterns=400": ["'eig' needs test_patterns equal to train_patterns"],
    "cells.large_lr.seeds={first: 50, count: 5}": ["contrasts.lr_tuned", "no common seeds"],
    "contrasts.baseline.second=huge": ["contrasts.baseline.second = 'huge'", "large_both"],
    "contrasts.baseline.second=standard": ["contrasts.baseline", "itself"],
    "contrasts.combined.pooled=[baseline, nothing]": ["contrasts.combined.pooled", "nothing"],
    "contrasts.baseline.pooled=[a, b]": ["contrasts.baseline", "either first and second"],
    "data=sometimes": ["data = 'sometimes'", "'per_seed', 'fixed' or 'crossed'"],
    "data_seeds=3": ["data_seeds", "crossed"],
    'cells."a.parquet"={}': ["cells.a.parquet: names a folder, so it must not end in .parquet"],
    "grid.nothing=[1]": ["grid.nothing", "unknown axis"],
    "grid.init_scale=[]": ["grid.init_scale", "at least one value"],
    "grid.init_scale=[-3]": ["grid.init_scale = -3", "greater than 0"],
    "settings.features=64": ["legal patterns", "at most"],
    "cells.standard.test_draw=disjoint": [],  # fine: 500 is below 972
    "settings.test_draw=disjoint": ["cells.standard_swapped.train_patterns = 500", "must be below 324"],
    "name=../up": ["name = '../up'", "letters and digits"],
    "settings.clusters=499": ["clusters = 499", "distinct training patterns"],
    "settings.hidden_units=1000000000": ["hidden_units", "less than or equal to 100000"],
    "contrasts.baseline.first=[a, b]": ["contrasts.baseline.first"],
    "contrasts.baseline.paper.sinlge={r20: 0.2}": ["contrasts.baseline.paper.sinlge", "multi, single"],
    "contrasts.baseline.expect={silhouete: higher}": ["contrasts.baseline.expect.silhouete", "silhouette, multi, single"],
    "contrasts.baseline.expect.multi=more": ["contrasts.baseline.expect.multi = 'more'", "'higher' or 'lower'"],
    "contrasts.baseline.expect=higher": ["contrasts.baseline.expect = 'higher'", "dictionary"],
    "contrasts.baseline.frist=x": ["contrasts.baseline.frist", "unknown field", "allowed: first, second"],
    "contrasts.combined.pooled=[baseline, baseline]": ["contrasts.combined.pooled", "twice"],
    "curricula.long.phases.0.lr=1": ["curricula.long.phases.0.lr", "allowed: name, task_counts"],
    "curricula.long.phases.0.task_counts=[]": ["task_counts", "at least 1 item"],
    "primary.contrast=none": ["primary.contrast = 'none'", "lr_tuned"],
    "primary.phase=triple": ["primary.phase = 'triple'", "single, multi"],
    "primary.estimator=svd": ["primary.estimator = 'svd'", "svd_right"],
    "primary.outcome=train": ["primary.outcome = 'train'", "'test' or 'unseen'"],
    "compute.blok=3": ["compute.blok", "allowed: block"],
    "compute.gpus_per_trial=.inf": ["compute.gpus_per_trial"],
    "compute.gpus_per_trial=1.5": ["compute.gpus_per_trial = 1.5", "whole number"],
    "settings.structure_records=2": ["settings.structure_records = 2", "0 (structure during training is not measured)"],
    "settings.structure_records=-1": ["settings.structure_records = -1", "greater than or equal to 0"],
    "settings.structure_estimators=[svd]": ["settings.structure_estimators", "svd_right"],
    "settings.keep_seeds=[99]": ["keep_seeds = [99]", "must name seeds of the cell"],
    "settings.keep_seeds=[-1]": ["settings.keep_seeds.0 = -1", "greater than or equal to 0"],
    "settings.snapshots=1": ["settings.snapshots = 1", "greater than or equal to 2"],
    "grid.keep_seeds=[[1]]": ["grid.keep_seeds", "unknown axis"],
    "compute.block=0": ["compute.block = 0", "greater than or equal to 1"],
    "linear=linear.yaml": [],  # fine: it names it already
    "linear=5": ["linear = 5", "must be a sweep of linear networks, or the name of a .yaml file of the same folder"],
    "linear=../linear.yaml": ["linear = '../linear.yaml'", "the name of a .yaml file of the same folder"],
    "linear=nowhere.yaml": ["linear = 'nowhere.yaml'", "nowhere.yaml: cannot be read"],
    "linear.scan={objectives: [multitasking], space: {bias: [1]}, evaluation_seeds: 9}": ["linear.scan: not allowed"],
    "data_seeds" + ".a" * 3000 + "=1": ["data_seeds = what is nested too deeply", "must be a count"],
    "linear.seeds=0": ["linear.seeds = 0", "count from 1 to 1,000,000"],
    "linear.sedes=3": ["linear.sedes", "unknown field", "allowed: name, description, seeds"],
    "linear.compute.blok=3": ["linear.compute.blok", "allowed: block"],
    "linear.cells.source.steps=0": ["linear.cells.source.steps = 0", "greater than or equal to 1"],
    "linear.network=multitask": ["linear.network = 'multitask'", "must be 'linear'"],
    "linear.linear={name: l, network: linear, cells: {a: {}}}": ["linear.linear", "not allowed with network 'linear'"],
    "seeds=[": ["not valid YAML"],
    "seeds": ["expected key=value"],
    "name.x.y=1": ["there is no"],
}


@pytest.mark.parametrize("assignment", WRONG)
def test_wrong_fields_are_named_in_one_line(assignment: str) -> None:
    if not WRONG[assignment]:
        make_plan(load_sweep(PAPER, (assignment,)))
        return
    with pytest.raises(SweepError) as refusal:
        make_plan(load_sweep(PAPER, (assignment,)))
    text = str(refusal.value)
    assert "\n" not in text
    for part in WRONG[assignment]:
        assert part in text


def test_structure_during_training_must_fit_the_patterns() -> None:
    estimators = ("settings.estimators=[ntk]", "settings.structure_estimators=[eig]", "primary.estimator=ntk")
    uneven = (*estimators, "settings.test_patterns=400")
    make_plan(load_sweep(PAPER, uneven))  # nothing is measured during training
    with pytest.raises(SweepError, match=r"structure_estimators = .*'eig' needs test_patterns equal to train_patterns"):
        make_plan(load_sweep(PAPER, (*uneven, "settings.structure_records=5")))
    single = [f"curricula.{name}.phases.1.task_counts=[1]" for name in ("long", "short")]
    with pytest.raises(SweepError, match=r"keep_seeds = .*at most 20,000; there are 49,152"):
        make_plan(load_sweep(PAPER, ("settings.features=8", "settings.keep_seeds=[1]", *single)))


def test_files_that_are_no_sweeps_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    for text in ("", "3", "[1, 2]", "name: x\nname: y", "name: [", "!!python/object/apply:os.system ['true']", "a: *b"):
        path.write_text(text)
        with pytest.raises(SweepError) as refusal:
            make_plan(load_sweep(path))
        assert "\n" not in str(refusal.value)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SweepError, match="not UTF-8"):
        load_sweep(path)
    with pytest.raises(SweepError, match="cannot be read"):
        load_sweep(tmp_path / "missing.yaml")


def test_the_linear_networks_that_run_along_are_named_by_a_file_of_the_same_folder(tmp_path: Path) -> None:
    plan = make_plan(load_sweep(PAPER, ("seeds=2", "linear.seeds=3")))
    assert plan.linear is not None
    assert plan.linear.sweep == load_sweep(ROOT / "sweeps" / "linear.yaml", ("seeds=3",))
    assert parse_sweep(plan.sweep.model_dump(mode="json")) == plan.sweep  # a stored sweep needs no other file
    path = tmp_path / "sweep.yaml"
    for name in ("../linear.yaml", str(ROOT / "sweeps" / "linear.yaml"), "linear", "..", "", r"a\0.yaml", r"\ud800.yaml"):
        path.write_text(SMALL + f'linear: "{name}"\n')
        with pytest.raises(SweepError, match=r"linear = '.*': must be .* a \.yaml file of the same folder") as refusal:
            load_sweep(path)
        assert "\n" not in str(refusal.value)
    with pytest.raises(SweepError, match=r"linear = 'linear\.yaml': must be a sweep"):
        parse_sweep(plan.sweep.model_dump(mode="json") | {"linear": "linear.yaml"})  # a stored sweep names no file
    with pytest.raises(SweepError, match="linear: not allowed beside scan"):
        make_scan(load_sweep(ROOT / "sweeps" / "scan_quick.yaml", ("linear={name: l, network: linear, cells: {a: {}}}",)))


@pytest.mark.parametrize("path", sorted((ROOT / "sweeps").glob("*.yaml")), ids=lambda p: p.stem)
def test_shipped_sweeps_are_valid(path: Path, tmp_path: Path) -> None:
    sweep = load_sweep(path)
    assert sweep.name == path.stem
    (tmp_path / "sweep.json").write_text(sweep.model_dump_json(indent=1))  # a stored sweep can be run again
    assert load_sweep(tmp_path / "sweep.json") == sweep
    if sweep.scan is not None:
        assert all(cell.draws == make_scan(sweep).draws for cell in corners(make_scan(sweep)))
        return
    plan = make_plan(sweep)
    assert sum(len(block.draws) for block in plan.blocks()) == plan.networks


def test_paper_sweep_has_the_settings_of_the_source_study() -> None:
    plan = make_plan(load_sweep(PAPER))
    cells = {cell.name: cell for cell in plan.cells}
    assert list(cells)[:6] == ["standard", "large", "large_both", "standard_lr", "large_lr", "large_both_lr"]
    assert list(cells)[6:] == ["standard_swapped", "large_swapped"]
    for name, cell in cells.items():
        tuned = name.endswith("_lr")
        assert [phase.name for phase in cell.curriculum.phases] == ["single", "multi"]
        assert [phase.steps for phase in cell.curriculum.phases] == [2500 if tuned else 10_000] * 2
        assert [phase.learning_rate for phase in cell.curriculum.phases] == [0.03 if name == "standard_lr" else 0.01] * 2
        assert cell.settings.init_scale == (1 if "standard" in name else 10)
        assert cell.settings.scaled_layers == ("both" if "both" in name else "hidden")
        assert len(cell.draws) == (1 if name.endswith("_swapped") else 10)
    contrasts = {contrast.name: contrast for contrast in plan.contrasts}
    assert contrasts["combined"].pairs == (("standard", "large"), ("standard_lr", "large_lr"))
    assert contrasts["combined"].paper["multi"].r20 == 0.932
    assert all(c.expect == {"silhouette": "higher", "single": "lower", "multi": "higher"} for c in plan.contrasts)


def test_an_expectation_is_of_every_contrast_along_an_axis_and_leaves_a_folder_its_identity() -> None:
    raw = gridded("{init_scale: [1, 30], learning_rate: [0.01, 0.03]}")
    raw["contrasts"]["c"]["expect"] = {"multi": "lower"}  # type: ignore[index]
    assert [contrast.expect for contrast in make_plan(parse_sweep(raw)).contrasts] == [{"multi": "lower"}] * 2
    plain = load_sweep(PAPER, ("contrasts.baseline.expect={}",))
    assert make_plan(plain).contrasts[0].expect == {}
    assert plain.identity() == load_sweep(PAPER).identity()
    stored = load_sweep(PAPER).model_dump(mode="json")
    for contrast in stored["contrasts"].values():  # as earlier versions stored it
        del contrast["expect"]
    assert parse_sweep(stored).identity() == load_sweep(PAPER).identity()


def test_data_designs_give_the_draws_they_name() -> None:
    raw = yaml.safe_load(SMALL) | {"seeds": 3}

    def draws(**fields: object) -> tuple[Draw, ...]:
        return make_plan(parse_sweep(raw | fields)).cells[0].draws

    assert draws() == (Draw(0, 0), Draw(1, 1), Draw(2, 2))
    assert draws(data="fixed", data_seeds=[7]) == (Draw(0, 7), Draw(1, 7), Draw(2, 7))
    assert set(draws(data="crossed", data_seeds=2)) == {Draw(s, d) for s in range(3) for d in range(2)}


def test_a_star_of_grids_makes_each_cell_once_and_contrasts_along_an_axis() -> None:
    plan = make_plan(load_sweep(ROOT / "sweeps" / "init_scale.yaml"))
    places = [
        (s.init_scale, s.learning_rate, s.curriculum, s.hidden_units, s.scaled_layers)
        for s in (plan.cell(cell.name).settings for cell in plan.cells)
    ]
    assert len(set(places)) == len(places) == 5 * (1 + 2 + 3 + 2) + 4 * 2
    assert plan.contrasts[0].name == "large_against_standard"
    assert len(plan.contrasts) == 1 + 2 + 3 + 2
    for contrast in plan.contrasts:
        ((first, second),) = contrast.pairs
        one, other = (plan.cell(name).settings.model_dump(exclude={"integrator"}) for name in (first, second))
        assert (one.pop("init_scale"), other.pop("init_scale")) == (1, 10)
        assert one == other


GRIDS = """
  - {init_scale: [1, 10], learning_rate: [0.01]}
  - {init_scale: [1.0, 30], learning_rate: [1e-2, 0.03]}
  - {init_scale: [10, 3], settings: {learning_rate: 0.03, integrator: flow}}
"""


def gridded(grid: str) -> dict[str, object]:
    raw = yaml.safe_load(SMALL) | {"cells": {}, "grid": yaml.safe_load(grid)}
    return raw | {"contrasts": {"c": {"axis": "init_scale", "first": 1, "second": 30}}}


def test_the_same_settings_are_one_cell_whichever_grid_names_them() -> None:
    plan = make_plan(parse_sweep(gridded(GRIDS)))
    assert [cell.name for cell in plan.cells] == [
        "init_scale=1", "init_scale=10", "init_scale=1,learning_rate=0.03", "init_scale=30",
        "init_scale=30,learning_rate=0.03", "init_scale=10,learning_rate=0.03", "init_scale=3,learning_rate=0.03",
    ]  # fmt: skip
    assert plan.cell("init_scale=3,learning_rate=0.03").settings.integrator == "flow"
    assert plan.cell("init_scale=30,learning_rate=0.03").settings.integrator == "gd"
    assert {c.name: c.pairs for c in plan.contrasts} == {
        "c": (("init_scale=1", "init_scale=30"),),
        "c[learning_rate=0.03]": (("init_scale=1,learning_rate=0.03", "init_scale=30,learning_rate=0.03"),),
    }


def test_one_grid_names_all_its_axes() -> None:
    plan = make_plan(parse_sweep(gridded("{init_scale: [1, 30], learning_rate: [0.01, 0.03]}")))
    assert [cell.name for cell in plan.cells][:2] == ["init_scale=1,learning_rate=0.01", "init_scale=1,learning_rate=0.03"]
    assert [contrast.name for contrast in plan.contrasts] == ["c[learning_rate=0.01]", "c[learning_rate=0.03]"]


def test_contrasts_along_an_axis_can_be_primary_and_pooled() -> None:
    raw = gridded("{init_scale: [1, 30], learning_rate: [0.01, 0.03]}")
    raw["contrasts"]["c"]["second"] = "3e1"  # type: ignore[index]  # as YAML reads 3e1
    names = ["c[learning_rate=0.01]", "c[learning_rate=0.03]"]
    raw["contrasts"]["both"] = {"pooled": names}  # type: ignore[index]
    raw["primary"] = {"contrast": names[1], "phase": "multi", "estimator": "svd_right"}
    plan = make_plan(parse_sweep(raw))
    assert [contrast.name for contrast in plan.contrasts] == [*names, "both"]
    assert plan.contrasts[2].pairs == plan.contrasts[0].pairs + plan.contrasts[1].pairs
    raw["primary"] = {"contrast": "c", "phase": "multi"}
    with pytest.raises(SweepError, match=r"primary.contrast = 'c': allowed: c\[learning_rate=0.01\], .*, both"):
        make_plan(parse_sweep(raw))
    raw["primary"] = {"contrast": "c[[x]]", "phase": "multi"}
    with pytest.raises(SweepError, match=r"primary.contrast = 'c\[\[x\]\]': must be letters and digits.*brackets"):
        make_plan(parse_sweep(raw))


@pytest.mark.parametrize(
    ("grid", "parts"),
    [
        ("3", ["grid = 3", "mapping of axes to lists"]),
        ("[{init_scale: [1]}, 3]", ["grid = ", "mapping of axes to lists"]),
        ("{init_scale: 3}", ["grid = ", "init_scale must have a list of values, got 3"]),
        ("[{init_scale: [1, 30]}, {nothing: [1]}]", ["grid.1.nothing: unknown axis"]),
        ("[{init_scale: [1, 30]}, {bias: []}]", ["grid.1.bias = []: needs at least one value"]),
        ("[{init_scale: [1, 30]}, {init_scale: [-3]}]", ["grid.1.init_scale = -3"]),
        ("[{init_scale: [1, 30]}, {settings: {bias: 1}}]", ["grid.1: needs at least one axis"]),
        ("[{init_scale: [1, 30], settings: 3}]", ["settings of a grid must be a mapping"]),
        ("[{init_scale: [1, 30], settings: {hiden: 3}}]", ["grid.0.settings.hiden: unknown field"]),
        ("[{init_scale: [1, 30], settings: {init_scale: 3}}]", ["grid.0.settings.init_scale: is an axis of the same grid"]),
        ("[{init_scale: [1, 1.0, 30]}]", ["grid.0: gives the cell 'init_scale=1' twice"]),
        (
            "[{init_scale: [1, 30]}, {init_scale: [30], settings: {integrator: flow}}]",
            ["grid.1: gives the cell 'init_scale=30' with integrator = 'flow', but 'gd' in grid.0"],
        ),
        ("[{init_scale: [1], bias: [-1]}, {init_scale: [30]}]", ["contrasts.c: no two cells", "differ in init_scale alone"]),
        ("[{init_scale: [1]}, {init_scale: [3]}]", ["contrasts.c.second = 30", "must be a value of grid.init_scale: 1.0, 3.0"]),
        ("[{bias: [1]}]", ["contrasts.c.axis = 'init_scale': allowed: bias"]),
    ],
)
def test_wrong_grids_are_named_in_one_line(grid: str, parts: list[str]) -> None:
    with pytest.raises(SweepError) as refusal:
        make_plan(parse_sweep(gridded(grid)))
    for part in parts:
        assert part in str(refusal.value)


def test_curricula_can_interleave_and_start_with_multitasking() -> None:
    plan = make_plan(load_sweep(ROOT / "sweeps" / "init_scale.yaml"))
    interleaved = plan.cell("init_scale=1,curriculum=interleaved").curriculum
    assert [phase.name for phase in interleaved.turns[:4]] == ["single", "multi", "single", "multi"]
    assert interleaved.steps == 5000
    multi = plan.cell("init_scale=1,curriculum=multi_only").curriculum
    assert [phase.name for phase in multi.phases] == ["multi"]
    backwards = plan.cell("init_scale=1,curriculum=multi_then_single").curriculum
    assert [phase.name for phase in backwards.phases] == ["multi", "single"]


def test_what_is_done_is_left_out_of_the_blocks() -> None:
    plan = make_plan(load_sweep(PAPER))
    done = {("standard", Draw(seed, seed)) for seed in range(9)}
    left = [(b.cell.name, d) for b in plan.blocks(done) for d in b.draws]
    assert len(left) == 53
    assert not set(left) & done


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", PAPER, "--set", "compute.cpus_per_trial=999"), "this machine has"),
        (("run", PAPER, "--set", "compute.gpus_per_trial=64"), "this machine has"),
        (("run", PAPER, "--address", "127.0.0.1:9"), "no Ray cluster answers"),
        (("run", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        (("export", "nowhere", "--cell", "a", "--seed", "1", "--to", "x.npz"), "no such folder"),
        (("bench", "entk", "--json", "/nowhere/x.json"), "does not exist"),
        (("power", "--width", "3"), "--width = 3.0"),
    ],
)
def test_impossible_commands_are_refused_in_one_line(arguments: tuple[object, ...], says: str, tmp_path: Path) -> None:
    extra = ("--out", tmp_path / "out") if arguments[0] == "run" else ()
    refused = study_here(*arguments, *extra)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert says in refused.stderr
    assert not (tmp_path / "out").exists()


def test_several_assignments_may_follow_one_set(tmp_path: Path) -> None:
    for arguments in (
        ("run", PAPER, "--set", "seeds=3", "compute.cpus_per_trial=999", "--out", tmp_path / "out"),
        ("run", "--set", "seeds=3", "compute.cpus_per_trial=999", PAPER, "--out", tmp_path / "out"),
        ("run", "--set", "seeds=3", "--set", "compute.cpus_per_trial=999", PAPER, "--out", tmp_path / "out"),
    ):
        refused = study_here(*arguments)
        assert refused.returncode == 2
        assert "compute.cpus_per_trial = 999" in refused.stderr


def test_wrong_options_are_refused_in_one_line() -> None:
    for arguments in ((), ("bench", "nope"), ("run", PAPER, "--wandb", "sometimes"), ("export", "d", "--seed", "abc")):
        refused = study(*arguments)
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1


def test_a_refused_sweep_exits_with_2_and_touches_nothing(tmp_path: Path) -> None:
    refused = study("run", PAPER, "--out", tmp_path / "out", "--set", "settings.hidden_units=0")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "settings.hidden_units = 0" in refused.stderr
    assert not (tmp_path / "out").exists()
