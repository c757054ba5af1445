"""Maps over initial scale: values against numpy, a planted link found and nothing else, and the whole path to the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from study.figures.init_scale_lines import init_scale_lines
from study.figures.init_scale_map import init_scale_map
from study.figures.init_scale_pairs_map import init_scale_pairs_map
from study.figures.registry import FIGURES
from study.figures.scale_map import scale_map
from study.figures.study import Drawn
from study.figures.style import save
from study.folder import claim
from study.map_sheets import answer, map_sheets
from study.maps import maps
from study.plan import make_plan
from study.report.read import read_study
from study.report.view import table_groups
from study.rows import write_rows
from study.statistics.chance import chance_of_exclusion, shuffled
from study.statistics.correlations import within_first
from study.statistics.intervals import estimates
from study.statistics.pairs import Pairs
from study.sweep_file import parse_sweep
from study.tables import number
from study.threads import threads
from study.trial import rows_of, run_block
from tests.study.conftest import study_here

SEEDS = 60
PLANTED = {"init_scale": 3.0, "learning_rate": 0.03}


def simulated(link: float = 0.9) -> pd.DataFrame:
    """A star: four scales at two rates, and three scales with both layers scaled; one cell has a link over its seeds."""
    generator = np.random.default_rng(5)
    cells = [
        {"init_scale": s, "learning_rate": r, "scaled_layers": "hidden"} for r in (0.01, 0.03) for s in (0.3, 1.0, 3.0, 10.0)
    ]
    cells += [{"init_scale": s, "learning_rate": 0.01, "scaled_layers": "both"} for s in (0.3, 3.0, 10.0)]
    parts = []
    for place, cell in enumerate(cells):
        x, noise = generator.normal(size=(2, SEEDS))
        here = link if PLANTED.items() <= cell.items() else 0.0
        part = pd.DataFrame(cell | {"cell": f"c{place}", "seed": np.arange(SEEDS), "data_seed": np.arange(SEEDS)})
        part["integrator"] = "flow" if cell["init_scale"] < 10 else "gd"
        part["silhouette_eig"] = x - place
        part["loss_multi_unseen"] = here * x + np.sqrt(1 - here**2) * noise + 10
        parts.append(part.assign(diverged=False))
    return pd.concat(parts, ignore_index=True)


def test_what_chance_gives_is_counted_on_the_values_at_hand() -> None:
    frame = simulated(link=0.0)
    found = maps(frame, "silhouette_eig", 500, 100)
    assert found is not None
    entries = [e for e in found["entries"] if e["statistic"] == "within"]
    assert f"where chance gives about {sum(e['chance'] for e in entries):.0f} (counted" in answer(found, "within")
    # An interval of ten lognormal values excludes zero by chance as often as it covers too little of the time.
    values = np.random.default_rng(0).lognormal(size=(2, 10))
    pairs = Pairs(values[0], np.zeros(10), values[1], np.zeros(10), np.arange(10), np.zeros(10, dtype=int))
    generator = np.random.default_rng(1)
    orders = [shuffled(pairs, generator) for _ in range(100)]
    ends = [estimates([within_first], order, 500)[0] for order in orders]
    by_hand = np.mean([e.low > 0 or e.high < 0 for e in ends])
    assert chance_of_exclusion(within_first, pairs, 100) == pytest.approx(by_hand, abs=0.09)
    assert all(sorted(order.y_first) == sorted(pairs.y_first) for order in orders)


def test_seeds_are_shuffled_as_wholes() -> None:
    seed, stratum = np.repeat(np.arange(8), 3), np.tile(np.arange(3), 8)
    y = 10.0 * seed + stratum
    pairs = Pairs(y, 0 * y, y, 0 * y, seed, stratum)
    moved = shuffled(pairs, np.random.default_rng(0)).y_first
    assert not np.array_equal(moved, y)
    assert (moved % 10 == stratum).all()  # each stays in its stratum
    assert all(len(set(moved[seed == s] // 10)) == 1 for s in range(8))  # and keeps the company of its seed
    kept = np.arange(24) != 5
    partly = Pairs(*(v[kept] for v in (y, 0 * y, y, 0 * y, seed, stratum)))
    assert (shuffled(partly, np.random.default_rng(0)).y_first % 10 == stratum[kept]).all()


def test_values_are_those_of_numpy_and_diverged_networks_leave_with_their_pairs() -> None:
    frame = simulated()
    frame.loc[(frame["cell"] == "c0") & (frame["seed"] < 3), "diverged"] = True
    frame.loc[(frame["cell"] == "c0") & (frame["seed"] == 3), "silhouette_eig"] = np.nan
    frame = frame[(frame["cell"] != "c2") | (frame["seed"] != 7)]
    found = maps(frame, "silhouette_eig", 500, 500)
    assert found is not None
    json.dumps(found, allow_nan=False)
    by_key = {(e["statistic"], e["cell"]): e for e in found["entries"]}
    assert {key[1] for key in by_key if key[0] == "within"} == set(frame["cell"])
    assert {key[1]: e["against"] for key, e in by_key.items() if key[0] == "pairs"} == {
        "c0": "c1", "c2": "c1", "c3": "c1", "c4": "c5", "c6": "c5", "c7": "c5", "c8": "c1", "c9": "c1", "c10": "c1",
    }  # fmt: skip
    tables = {cell: part.set_index("seed") for cell, part in frame.groupby("cell")}
    for (statistic, cell), entry in by_key.items():
        columns = ["silhouette_eig", "loss_multi_unseen"]
        values = tables[cell][~tables[cell]["diverged"]][columns]
        if statistic == "pairs":
            values = values - tables[entry["against"]][columns]
        values = values.dropna()
        assert entry["value"] == pytest.approx(np.corrcoef(values.to_numpy().T)[0, 1])
        assert entry["n"] == len(values)
        assert entry["simultaneous_low"] < entry["low"] < entry["value"] < entry["high"] < entry["simultaneous_high"]
        assert entry["p"] <= entry["p_fwer"]
        assert (entry["left_out_diverged"], entry["left_out_undefined"]) == ((3, 1) if cell == "c0" else (0, 0))
    assert by_key["within", "c2"]["n"] == SEEDS - 1


def test_a_planted_link_is_the_only_one_found() -> None:
    found = maps(simulated(), "silhouette_eig", 1000, 1000)
    assert found is not None
    clear = [e["cell"] for e in found["entries"] if e["statistic"] == "within" and e["p_fwer"] < 0.05]
    assert clear == ["c6"]
    assert "of 11 cells and phases" in answer(found, "within")
    assert "excludes zero in 1 (c6, multi 0." in answer(found, "within")
    nothing = maps(simulated(link=0.0), "silhouette_eig", 1000, 1000)
    assert nothing is not None
    assert "excludes zero in 0, and taken alone in" in answer(nothing, "within")
    first = next(iter(map_sheets({"maps": found})))
    assert list(first.headings) == ["cells", "0.3", "1", "3", "10"]
    assert [row[0] for row in first.rows] == ["centre", "learning_rate 0.03", "scaled_layers both"]
    assert [row[3].startswith("!") for row in first.rows] == [False, True, False]
    assert first.rows[2][2] == first.rows[0][2]  # at scale 1 they are the same networks


def test_rows_without_four_cells_along_the_scale_have_no_map() -> None:
    frame = simulated()
    assert maps(frame[frame["init_scale"] < 10], "silhouette_eig", 100, 100) is None
    assert maps(frame.drop(columns="init_scale"), "silhouette_eig", 100, 100) is None
    few = maps(frame[frame["seed"] < 4], "silhouette_eig", 100, 100)
    assert few is not None
    assert all(e["value"] is None and "at least 5 needed" in e["reason"] for e in few["entries"])
    assert "no square has a simultaneous interval (4 seed(s)" in answer(few, "within")


STAR = """
name: star
seeds: 12
curricula:
  short: {phases: [{name: single, task_counts: [1], steps: 20}, {name: multi, task_counts: [1, 1, 1], steps: 20}]}
  multi_only: {phases: [{name: multi, task_counts: [1, 1, 1], steps: 20}]}
settings: {curriculum: short, hidden_units: 10, train_patterns: 60, test_patterns: 60, estimators: [svd_right], clusters: 6,
  kmeans_restarts: 1}
grid:
  - {init_scale: [0.3, 1, 3, 10], curriculum: [short]}
  - {init_scale: [0.3, 1, 3, 10], curriculum: [multi_only], settings: {integrator: flow}}
contrasts: {large: {axis: init_scale, first: 1, second: 10}}
compute: {block: 12}
"""


def test_a_star_is_mapped_from_its_rows_to_the_report(tmp_path: Path) -> None:
    plan = make_plan(parse_sweep(yaml.safe_load(STAR)))
    claim(tmp_path, plan.sweep)
    with threads(1):
        for block in plan.blocks():
            write_rows(tmp_path, block, rows_of(run_block(block), plan.sweep.name, {"commit": "0" * 40}))
    done = study_here("analyse", tmp_path, "--tables")
    assert done.returncode == 0, done.stderr
    assert "Map of svd_right against the final loss, over the seeds of a cell: of 12 cells and phases" in done.stdout
    entries = pd.read_csv(tmp_path / "maps.csv")
    assert len(entries) == 12 + 9
    assert set(entries["n"]) == {12}
    assert entries["outcome"].eq("unseen").all()
    assert "Map over initial scale, multi unseen loss, svd_right" in (tmp_path / "analysis.md").read_text(encoding="utf-8")
    study = read_study(tmp_path)
    assert study.analysis["maps"]["entries"][0]["cell"] == entries["cell"][0]
    texts = {}
    for function in (init_scale_map, init_scale_pairs_map, init_scale_lines, scale_map):
        assert function in FIGURES
        drawn = function(study)
        assert isinstance(drawn, Drawn), drawn
        assert "n = 12" in drawn.caption or function is scale_map
        texts[function.__name__] = save(drawn.figure, tmp_path, function.__name__)[0].read_text(encoding="utf-8")
    for name, statistic in (("init_scale_map", "within"), ("init_scale_pairs_map", "pairs")):
        for value in entries.loc[entries["statistic"] == statistic, "value"]:
            assert f">{number(value)}<" in texts[name].replace("\u2212", "-")
    tables = [sheet.title for group in table_groups(study) for sheet in group.tables]
    assert sum(title.startswith("Map over initial scale") for title in tables) == 4
