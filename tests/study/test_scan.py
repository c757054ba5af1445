"""Scans: fronts, scores, the search and what it survives, pruning, and a whole scan under Ray."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pyarrow.parquet as pq
import pytest

from study.figures.pareto import pareto
from study.figures.study import Drawn
from study.folder import claim
from study.machine import cores
from study.report.read import read_study
from study.report.view import table_groups
from study.rows import read_rows, write_rows
from study.scan.crossover import bracket, crossover
from study.scan.drive import record
from study.scan.evaluate import blocks_left, scored
from study.scan.front import front, hypervolume
from study.scan.objectives import clearly_dominated
from study.scan.points import bracket_of, points_of, rows_for_scores
from study.scan.search import JOURNAL, ScanSearch, storage_of
from study.scan.space import MOST_CORNERS, Scan, corners, make_scan
from study.sweep import SweepError
from study.sweep_file import parse_sweep
from study.tables import notes
from study.threads import threads
from study.trial import rows_of, run_block
from tests.study.conftest import ENVIRONMENT, ROOT, study, study_here

PHASES = [
    {"name": "single", "task_counts": [1], "steps": 30},
    {"name": "multi", "task_counts": [1, 1, 1], "steps": 30},
]
SPACE: dict[str, Any] = {
    "init_scale": {"low": 0.3, "high": 30, "log": True},
    "learning_rate": {"low": 0.003, "high": 0.1, "log": True},
}


def raw(**spec: Any) -> dict[str, Any]:
    seeds = spec.pop("seeds", 4)
    scan = {"objectives": ["generalisation", "multitasking"], "space": SPACE, "points": 5} | spec
    settings = {"curriculum": "brief", "hidden_units": 12, "train_patterns": 50, "test_patterns": 50, "estimators": ["inputs"]}
    return {
        "name": "small_scan",
        "seeds": seeds,
        "curricula": {"brief": {"phases": PHASES}},
        "settings": settings,
        "scan": {"evaluation_seeds": {"first": 100, "count": 5}, "confirm": 2} | scan,
        "compute": {"block": 3},
    }


def scan_of(**spec: Any) -> Scan:
    return make_scan(parse_sweep(raw(**spec)))


def trainer(folder: Path) -> Any:
    """Trains in this process what a worker would."""

    def train(cell: Any, draws: Any) -> None:
        for block in blocks_left(folder, cell, draws, 3):
            write_rows(folder, block, rows_of(run_block(block), "small_scan", {}))

    return train


def test_hypervolume_and_front_are_those_of_a_count_over_a_fine_grid() -> None:
    generator = np.random.default_rng(0)
    for objectives in (1, 2, 3):
        points = generator.integers(0, 8, size=(12, objectives)).astype(float)
        corners = itertools.product(range(8), repeat=objectives)
        dominated = sum(bool((points <= np.array(corner)).all(axis=1).any()) for corner in corners)
        assert hypervolume(points, np.full(objectives, 8.0)) == dominated
        better = [i for i in range(12) if not any((q <= points[i]).all() and (q != points[i]).any() for q in points)]
        assert front(points) == better


def test_only_what_is_worse_beyond_doubt_in_every_objective_is_dominated() -> None:
    noise = np.random.default_rng(1).normal(size=(2, 4))
    best = noise.tolist()
    assert clearly_dominated((noise + 0.5).tolist(), [best])  # on common seeds: the noise of the seeds drops out
    assert not clearly_dominated((noise + np.array([[0.5], [-0.1]])).tolist(), [best])
    assert not clearly_dominated((noise + 0.5 + np.random.default_rng(2).normal(size=(2, 4))).tolist(), [best])
    assert not clearly_dominated((noise + 0.5)[:, :1].tolist(), [best])  # one seed proves nothing
    assert not clearly_dominated((noise + 0.5).tolist(), [])


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"sampler": "cma"}, "scan.sampler = 'cma'"),
        ({"objectives": ["speed"]}, "scan.objectives.0 = 'speed'"),
        ({"objectives": ["crossover", "multitasking"]}, "crossover is bracketed and stands alone"),
        ({"objectives": ["crossover"], "space": {"init_scale": {"low": 0.3, "high": 30}}}, "must lie on one side of 1"),
        ({"objectives": ["seed_level_r"]}, "needs at least 5 seeds; there are 4"),
        ({"space": {"colour": [1, 2]}}, "scan.space.colour: unknown axis"),
        ({"space": {"curriculum": {"low": 1, "high": 2}}}, "scan.space.curriculum: takes no range"),
        ({"space": {"curriculum": ["other"]}}, "curriculum = 'other': allowed: brief"),
        ({"space": {"init_scale": {"low": 3, "high": 1}}}, "needs low below high"),
        ({"space": {"init_scale": {"low": -1, "high": 1}}}, "scan.space.init_scale = -1.0"),
        ({"evaluation_seeds": {"first": 3, "count": 5}}, "must not hold seeds of the scan; 3 is one"),
        ({"first_seeds": 9}, "scan.first_seeds = 9: must be at most"),
        ({"pace": 3}, "scan.pace: unknown field; allowed: objectives"),
    ],
)
def test_a_bad_scan_is_refused_in_one_line(changed: dict[str, Any], text: str) -> None:
    with pytest.raises(SweepError, match=r"\S") as refused:
        scan_of(**changed)
    assert text in str(refused.value)
    assert "\n" not in str(refused.value)


def test_run_and_scan_say_which_of_them_a_file_is_for(tmp_path: Path, small_sweep: Path) -> None:
    path = tmp_path / "scan.yaml"
    path.write_text(json.dumps(raw()))
    done = study_here("run", path, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "use `study scan`" in done.stderr
    done = study_here("scan", small_sweep, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "has no section scan" in done.stderr
    assert not (tmp_path / "out").exists()


def worth(values: dict[str, Any]) -> tuple[float, float]:
    """Something to search: a trade-off along the logarithm of the scale."""
    scale, rate = np.log(values["init_scale"]), np.log(values["learning_rate"])
    return float((scale - 2) ** 2 + rate**2 / 10), float((scale + 1) ** 2 + rate**2 / 10)


def told(search: ScanSearch, number: str, values: dict[str, Any]) -> None:
    scores = dict(zip(("generalisation", "multitasking"), worth(values), strict=True))
    search.on_trial_complete(number, scores | {"pruned": "", "per_seed": [[s] * 4 for s in scores.values()], "seeds": 4})


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As a driver and its workers have it; small matrices on many threads wait for each other."""
    with threads(1):
        yield


def points(search: ScanSearch, count: int, last_ends: bool = True) -> list[dict[str, Any]]:
    """The next points of a search, each told before the next is asked for."""
    found = []
    for number in map(str, range(count)):
        asked = search.suggest(number)
        assert isinstance(asked, dict)
        found.append(asked["values"])
        if last_ends or number != str(count - 1):
            told(search, number, asked["values"])
    return found


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsga2", "qmc", "random"])
def test_a_search_that_was_killed_goes_on_with_the_same_points(sampler: str, tmp_path: Path) -> None:
    scan = scan_of(sampler=sampler, seed=3)
    whole = points(ScanSearch(scan, storage_of(scan, tmp_path / "whole"), {}), 13)
    killed = ScanSearch(scan, storage_of(scan, tmp_path / "killed"), {})
    before = points(killed, 5, last_ends=False)  # the fifth was running
    with (tmp_path / "killed" / JOURNAL).open("ab") as journal:
        journal.write(b'{"op_code": 4, "worker_')  # and something was being written
    after = ScanSearch(scan, storage_of(scan, tmp_path / "killed"), killed.known, killed.known)
    assert before[:4] + points(after, 9) == whole
    assert len({str(p) for p in whole}) == 13
    states = [trial.state.name for trial in after.study.trials]
    assert states == ["COMPLETE"] * 13
    assert points(ScanSearch(scan_of(sampler=sampler, seed=4), None, {}), 13) != whole


def test_a_finite_space_is_searched_without_repetition_to_its_end() -> None:
    space = {"init_scale": [0.3, 1, 3, 10], "learning_rate": [0.003, 0.01, 0.03], "scaled_layers": ["hidden", "both"]}
    for sampler in ("tpe", "random"):
        search = ScanSearch(scan_of(space=space, sampler=sampler), None, {})
        found = points(search, 24)
        assert len({str(point) for point in found}) == 24
        assert search.suggest("more") == search.FINISHED


def test_a_dropped_point_is_told_as_pruned_and_a_failed_one_is_no_point() -> None:
    search = ScanSearch(scan_of(), None, {})
    for number, result in enumerate(({"pruned": "diverged"}, {"failed": "x"}, None)):
        search.suggest(str(number))
        nothing = {"generalisation": float("nan"), "multitasking": float("nan"), "per_seed": [], "seeds": 2}
        search.on_trial_complete(str(number), None if result is None else nothing | result)
    assert [trial.state.name for trial in search.study.trials] == ["PRUNED", "FAIL", "FAIL"]
    assert [score.pruned for score in search.known.values()] == ["diverged"]


def test_another_folders_storage_is_refused(tmp_path: Path) -> None:
    scan = scan_of()
    points(ScanSearch(scan, storage_of(scan, tmp_path), {}), 2)
    with pytest.raises(SweepError, match="this folder has no rows"):
        ScanSearch(scan, storage_of(scan, tmp_path), {})


SECRET = "hunter2secret"


@pytest.mark.parametrize("place", ["file", "--set", "stored"])
def test_storage_that_a_file_names_is_refused_and_no_variable_is_filled_in(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wrote the file would get what the variable holds, by the name of a file or of a server."""
    monkeypatch.setenv("TOKEN", SECRET)
    url, path, out = f"sqlite:///{tmp_path}/x_$TOKEN.db", tmp_path / "scan.yaml", tmp_path / "out"
    path.write_text(json.dumps(raw(**({"storage": url} if place == "file" else {}))))
    more = ["--set", f"scan.storage={url}"] if place == "--set" else []
    if place == "stored":
        claim(out, scan_of().sweep)
        stored = json.loads((out / "sweep.json").read_text())
        assert stored["scan"]["storage"] == ""  # as earlier versions wrote it: `claim` has just read it again
        claim(out, scan_of().sweep)
        (out / "sweep.json").write_text(json.dumps(stored | {"scan": stored["scan"] | {"storage": url}}))
    refused = study_here("analyse", out) if place == "stored" else study_here("scan", path, "--out", out, *more)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "scan.storage: a file cannot name storage; remove the field and say --storage URL" in refused.stderr
    assert (str(out / "sweep.json") if place == "stored" else str(path)) in refused.stderr
    assert url not in refused.stderr
    assert not list(tmp_path.rglob("*.db"))


def test_storage_of_the_command_line_has_variables_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", str(tmp_path))
    scan, url = scan_of(), "sqlite:///${PLACE}/search.db"
    asked = points(ScanSearch(scan, storage_of(scan, tmp_path / "out", url), {}), 2)
    assert (tmp_path / "search.db").exists()
    assert not (tmp_path / "out").exists()
    after = ScanSearch(scan, storage_of(scan, tmp_path / "out", url), {}, [scan.cell(values).name for values in asked])
    assert len(after.study.trials) == 2


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("sqlite:///$NO_SUCH_VARIABLE/x.db", "the environment has no variable $NO_SUCH_VARIABLE"),
        (f"nosuchdatabase://me:{SECRET}@host/name", "nosuchdatabase://host/name: cannot be opened"),
        ("nosuchdatabase://me:$TOKEN@host/name?key=$TOKEN", "nosuchdatabase://host/name: cannot be opened"),
        (f"oracle+cx_oracle://me:{SECRET}@host/name", "host/name: cannot be opened (its driver is not installed: pip install"),
        ("sqlite:////no/such/folder/x.db", "sqlite:////no/such/folder/x.db: cannot be opened"),
        ("sqlite:///PLACE/garbage.db", "garbage.db: cannot be opened"),
        (f"me:{SECRET}@host", "cannot be opened"),
        (f"postgresql://me:{SECRET}@host:port/x", "cannot be opened"),
        (f"nosuchdatabase://me:p@{SECRET}@host/name", "cannot be opened"),
        ("scan.db", "--storage scan.db: cannot be opened"),
    ],
)
def test_a_database_that_cannot_be_opened_is_one_line_without_its_password(
    url: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", SECRET)
    (tmp_path / "garbage.db").write_text("no database, but text of some length\n" * 100)
    path = tmp_path / "scan.yaml"
    path.write_text(json.dumps(raw()))
    refused = study_here("scan", path, "--out", tmp_path / "out", "--storage", url.replace("PLACE", str(tmp_path)))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "error: --storage" in refused.stderr
    assert text in refused.stderr
    assert SECRET not in refused.stderr + refused.stdout


# The first as two writers of a network file system leave it; the rest is JSON, but not what Optuna wrote.
DAMAGED = [
    '{"op_code": 0, "wor{"op_code": 4}',
    "[1, 2]",
    "5",
    '{"worker_id": "a"}',
    '{"op_code": 0, "a": ' + "[" * 100_000 + "]" * 100_000 + "}",
    '{"op_code": ' + "9" * 5000 + "}",
    '{"op_code": 4, "worker_id": "a"}',
    '{"op_code": 99, "worker_id": "a"}',
    '{"op_code": 0, "worker_id": "a", "study_name": "small_scan", "directions": [1]}',  # another number of objectives
    # a point that is not in the space, waiting to be trained
    '{"op_code": 0, "worker_id": "a", "study_name": "small_scan", "directions": [1, 1]}\n'
    '{"op_code": 4, "worker_id": "a", "study_id": 0, "datetime_start": null, "datetime_complete": null, "state": 4, '
    '"system_attrs": {"fixed_params": {"init_scale": 1e300, "learning_rate": 0.01}}}',
    "\x00\x00",
    "",
]


@pytest.mark.parametrize("line", [*DAMAGED, "fifo", "folder", "link"])
def test_a_damaged_journal_is_one_line_that_says_where_the_points_are(line: str, tmp_path: Path) -> None:
    path = tmp_path / "scan.yaml"
    path.write_text(json.dumps(raw()))
    out = tmp_path / "out"
    claim(out, scan_of().sweep)
    journal = out / JOURNAL
    if line == "fifo":
        os.mkfifo(journal)
    elif line == "folder":
        journal.mkdir()
    elif line == "link":
        journal.symlink_to("/dev/zero")
    else:
        journal.write_text(line + "\n")
    refused = study_here("scan", path, "--out", out)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert str(journal) in refused.stderr
    assert "the rows have all finished points" in refused.stderr


def test_a_new_journal_is_told_the_points_of_the_rows_and_a_lock_left_behind_does_not_hold(tmp_path: Path) -> None:
    scan = scan_of()
    cell = scan.cell({"init_scale": 3.0, "learning_rate": 0.05})
    trainer(tmp_path)(cell, cell.draws)
    (tmp_path / f"{JOURNAL}.lock").symlink_to(tmp_path / "moved" / JOURNAL)  # of a driver that was killed; then moved
    storage = storage_of(scan, tmp_path)
    record(scan, storage, points_of(scan, rows_for_scores(tmp_path)))
    (trial,) = optuna.load_study(study_name="small_scan", storage=storage).trials
    assert (trial.state.name, trial.params) == ("COMPLETE", {"init_scale": 3.0, "learning_rate": 0.05})


@pytest.mark.parametrize("moment", range(4))
def test_a_cell_that_is_point_and_reference_at_once_has_no_seed_twice(moment: int, tmp_path: Path) -> None:
    """One worker looks what is left of scale 1, its point, and before it writes the other trains it as a reference."""
    space = {"init_scale": [1.0, 3.0]}
    scan = scan_of(objectives=["seed_level_r"], space=space, seeds=5, first_seeds=2, estimator="inputs")
    train, moments = trainer(tmp_path), iter(range(100))

    def interrupted(cell: Any, draws: Any) -> None:
        blocks = blocks_left(tmp_path, cell, draws, 3)
        if next(moments) == moment:
            scored(scan, tmp_path, {"init_scale": 3.0}, [], train)
        for block in blocks:
            write_rows(tmp_path, block, rows_of(run_block(block), "small_scan", {}))

    scored(scan, tmp_path, {"init_scale": 1.0}, [], interrupted)
    scored(scan, tmp_path, {"init_scale": 3.0}, [], train)
    written = [pq.read_table(path, columns=["seed"]).num_rows for path in (tmp_path / "rows").rglob("*.parquet")]
    assert sum(written) == len(read_rows(tmp_path)) == 10


def test_no_two_trials_need_the_same_cell_trained_at_once() -> None:
    scan = scan_of(objectives=["seed_level_r"], space={"init_scale": SPACE["init_scale"]}, seeds=5)
    search = ScanSearch(scan, None, {})
    assert isinstance(search.suggest("first"), dict)
    assert search.suggest("second") is None  # not now: the reference at scale 1 is being trained
    assert search.suggest("second") is None
    told = {"seed_level_r": 0.5, "pruned": "", "per_seed": [], "seeds": 5}
    search.on_trial_complete("first", {"failed": "it died"})
    third = search.suggest("third")
    assert isinstance(third, dict)
    assert search.suggest("fourth") is None
    search.on_trial_complete("third", told)
    found = [search.suggest(name) for name in ("fourth", "fifth", "sixth")]  # the reference is there
    assert len({str(point["values"]) for point in [third, *found] if isinstance(point, dict)}) == 4
    assert [trial.state.name for trial in search.study.trials] == ["FAIL", "COMPLETE", "RUNNING", "RUNNING", "RUNNING"]


TWO_ENDS: dict[str, Any] = {
    "clusters": [3, 60], "init_scale": [1.0, 2.0], "learning_rate": [0.01, 0.02], "bias": [-1.0, -2.0], "features": [3, 4],
    "hidden_units": [12, 14], "kmeans_restarts": [1, 2], "init_half_width": [0.1, 0.2], "stimulus_pools": [4, 5],
    "response_pools": [3, 4], "snapshots": [10, 11], "scaled_layers": ["hidden", "both"], "precision": ["float32", "float64"],
}  # fmt: skip


def test_every_corner_of_nine_axes_is_looked_at() -> None:
    space = dict(list(TWO_ENDS.items())[:9])
    with pytest.raises(SweepError, match="clusters = 60: must be below train_patterns"):  # none of the first 256 corners
        scan_of(space=space)
    cells = corners(scan_of(space=space | {"clusters": [3, 4]}))
    assert len({cell.name for cell in cells}) == 512


def test_of_too_many_corners_the_largest_is_looked_at_and_all_of_a_few_axes() -> None:
    with pytest.raises(SweepError, match="clusters = 60: must be below train_patterns"):
        scan_of(space=TWO_ENDS)
    cells = corners(scan_of(space=TWO_ENDS | {"clusters": [4, 3]}))
    assert len(cells) < MOST_CORNERS
    together = {(c.settings.clusters, c.settings.hidden_units, c.settings.features) for c in cells}
    assert len(together) == 8
    largest = {name: max(values) for name, values in TWO_ENDS.items() if not isinstance(values[0], str)} | {"clusters": 4}
    assert any(all(getattr(c.settings, name) == value for name, value in largest.items()) for c in cells)


def test_choices_that_would_share_a_cells_name_are_refused() -> None:
    with pytest.raises(SweepError, match="two choices do not differ in their first six digits"):
        scan_of(space={"init_scale": [0.1, 0.10000001]})


def test_dominated_and_diverged_points_cost_their_first_seeds_only(tmp_path: Path) -> None:
    scan = scan_of(first_seeds=3)
    train = trainer(tmp_path)
    good = scored(scan, tmp_path, {"init_scale": 3.0, "learning_rate": 0.05}, [], train)
    assert good.seeds == 4
    assert good.values is not None
    rows = read_rows(tmp_path)
    for place, phase in enumerate(("single", "multi")):
        assert good.values[place] == pytest.approx(np.log10(rows[f"loss_{phase}_unseen"]).mean(), abs=1e-12)
    much_better = [[(np.array(losses) - 1).tolist() for losses in good.per_seed]]
    poor = scored(scan, tmp_path, {"init_scale": 3.1, "learning_rate": 0.05}, much_better, train)
    assert (poor.pruned, poor.seeds, poor.values) == ("dominated", 3, None)
    more = {"init_scale": 3.2, "learning_rate": 0.05}  # killed when it had more than its first seeds: the same decision
    cell = scan.cell(more)
    train(cell, cell.draws[:3])
    by_three = [losses[:3] for losses in scored(scan_of(pruning=False, seeds=3), tmp_path, more, [], train).per_seed]
    noisy = [[(np.array(losses) + np.array([-0.1, -0.1, 0.5])).tolist() for losses in by_three]]
    early = scan_of(first_seeds=2)
    assert scored(early, tmp_path, more, noisy, train).pruned == "dominated"
    assert not clearly_dominated(by_three, noisy)
    wild = scored(scan, tmp_path, {"init_scale": 3.0, "learning_rate": 1000.0}, [], train)
    assert (wild.pruned, wild.seeds) == ("diverged", 3)
    states = {point.cell: point.score.pruned for point in points_of(scan, read_rows(tmp_path))}
    assert list(states.values()).count("diverged") == 1
    before = len(read_rows(tmp_path))
    assert scored(scan, tmp_path, {"init_scale": 3.0, "learning_rate": 0.05}, [], train) == good
    assert len(read_rows(tmp_path)) == before


def test_a_seed_level_bound_is_that_of_the_analysis(tmp_path: Path) -> None:
    scan = scan_of(objectives=["seed_level_r"], space={"init_scale": SPACE["init_scale"]}, seeds=6, estimator="inputs")
    train = trainer(tmp_path)
    found = scored(scan, tmp_path, {"init_scale": 10.0}, [], train)
    itself = scored(scan, tmp_path, {"init_scale": 1.0}, [], train)
    assert itself.pruned == "undefined"
    # `inputs` does not look at weights: both silhouettes are the same, so their difference is constant.
    assert found.pruned == "undefined"
    scan = scan_of(objectives=["seed_level_r"], space={"init_scale": SPACE["init_scale"]}, seeds=6)
    frame = read_rows(tmp_path)
    scale = frame["init_scale"] == 10
    frame.loc[scale, "silhouette_inputs"] = (
        frame.loc[scale, "loss_multi_unseen"] - frame.loc[~scale, "loss_multi_unseen"].values
    )
    point = next(p for p in points_of(scan, frame) if p.cell == "init_scale=10")
    assert point.score.values is not None
    assert 0 <= point.score.values[0] <= 1


def test_a_crossover_is_bracketed_on_common_seeds(tmp_path: Path) -> None:
    """Rows whose effect is known: log loss differs from that at scale 1 by log10(scale / 6), with noise by seed."""
    scan = scan_of(
        objectives=["crossover"], space={"init_scale": {"low": 2, "high": 30, "log": True}}, tolerance=1.2, points=40
    )
    noise = np.random.default_rng(0).normal(size=4) * 0.02

    def train(cells: Any) -> bool:
        for cell in cells:
            for block in blocks_left(tmp_path, cell, cell.draws, 3):
                scale = cell.settings.init_scale
                shift = 0 if scale == 1 else np.log10(scale / 6) + noise[[draw.seed for draw in block.draws]]
                loss = 10 ** np.broadcast_to(shift - 1.0, len(block.draws))
                rows = [
                    {"cell": cell.name, "seed": d.seed, "data_seed": d.data_seed, "init_scale": scale, "diverged": False}
                    | {f"loss_{phase}_unseen": float(x) for phase in ("single", "multi")}
                    for d, x in zip(block.draws, loss, strict=True)
                ]
                write_rows(tmp_path, block, rows)
        return True

    assert bracket(scan, tmp_path, train)
    found = points_of(scan, rows_for_scores(tmp_path))
    low, high = (point.values["init_scale"] for point in bracket_of(found) or ())
    assert low < 6 / 10 ** noise.mean() < high <= 1.2 * low
    answer = crossover(found)
    assert answer is not None
    assert answer["scale"] == pytest.approx(6 / 10 ** noise.mean(), rel=1e-3)
    assert answer["interval"][0] < answer["scale"] < answer["interval"][1]
    assert len(found) <= 9  # two ends, and halvings from a factor of 15 down to 1.2


def frontier(out: Path) -> list[list[Any]]:
    return sorted(
        [entry["cell"], entry["scores"], entry["state"]] for entry in json.loads((out / "scan.json").read_text())["points"]
    )


def test_a_whole_scan_under_ray(tmp_path: Path) -> None:
    path, out = tmp_path / "scan.yaml", tmp_path / "out"
    path.write_text(json.dumps(raw(points=4)))
    done = study("scan", path, "--out", out, "--wandb", "disabled")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "computed from evaluation seeds alone" in done.stdout.replace("\n", " ").replace("  ", " ")
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(out / JOURNAL)))
    trials = optuna.load_study(study_name="small_scan", storage=storage).trials
    assert len(trials) == 4
    frame = read_rows(out)
    assert set(frame["seed"]) <= {0, 1, 2, 3, *range(100, 105)}
    for trial in trials:
        losses = frame[(frame["cell"] == trial.user_attrs["cell"]) & (frame["seed"] < 4)]
        if trial.state.name == "COMPLETE":
            assert trial.values[0] == pytest.approx(np.log10(losses["loss_single_unseen"]).mean())
        else:
            assert trial.state.name == "PRUNED"
    assert (out / "figures" / "pareto.svg").exists()
    page = read_study(out)
    assert set(page.rows["seed"]) == set(range(100, 105))  # evaluation seeds and no others
    assert all(cell["networks"] == 5 for cell in page.analysis["cells"])
    drawn = pareto(page)
    assert isinstance(drawn, Drawn)
    assert "4 points, each a mean over 4 scan seeds" in drawn.caption
    assert any("Confirmed points on 5 evaluation seeds" in table.title for table in table_groups(page)[0].tables)
    assert any("evaluation seeds alone" in line for line in notes(page.analysis))
    before = frontier(out)
    again = study_here("analyse", out)
    assert again.returncode == 0, again.stderr
    assert frontier(out) == before


@pytest.mark.slow
def test_a_scan_that_is_killed_goes_on_and_ends_like_one_that_was_not(tmp_path: Path) -> None:
    """With one worker: the same points, the same scores."""
    path = tmp_path / "scan.yaml"
    text = raw(points=8)
    text["compute"]["cpus_per_trial"] = cores()
    path.write_text(json.dumps(text))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert study("scan", path, "--out", whole, "--wandb", "disabled").returncode == 0
    command = [sys.executable, "-m", "study", "scan", str(path), "--out", str(killed), "--wandb", "disabled"]
    for wanted in (1, 3):
        process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 200
        while len(list((killed / "rows").glob("*"))) < wanted and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = study("scan", path, "--out", killed, "--wandb", "disabled")
    assert done.returncode == 0, done.stdout + done.stderr
    assert frontier(killed) == frontier(whole)
    columns = ["cell", "seed", "loss_single_unseen", "loss_multi_unseen"]
    pd.testing.assert_frame_equal(read_rows(killed)[columns], read_rows(whole)[columns])
    before = len(read_rows(killed))
    assert study("scan", path, "--out", killed, "--wandb", "disabled", "--set", "scan.points=10").returncode == 0
    assert len(read_rows(killed)) > before


@pytest.mark.slow
def test_points_that_share_a_reference_under_ray_train_it_once(tmp_path: Path) -> None:
    """Two workers, and a choice that is the reference itself: every network has one row, in one file."""
    path, out = tmp_path / "scan.yaml", tmp_path / "out"
    space = {"init_scale": [1.0, 3.0, 10.0, 30.0]}
    path.write_text(json.dumps(raw(objectives=["seed_level_r"], space=space, seeds=5, first_seeds=2, points=4)))
    done = study("scan", path, "--out", out, "--wandb", "disabled")
    assert "Traceback" not in done.stderr
    written = [pq.read_table(file, columns=["seed"]).num_rows for file in (out / "rows").rglob("*.parquet")]
    frame = read_rows(out)
    assert sum(written) == len(frame)
    assert (frame["seed"] < 5).sum() == 20
