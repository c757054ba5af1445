"""The linear validation as a study: sweep, rows, scores, tables and figures."""

from __future__ import annotations

import json
import os
import shutil
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy.stats import binom

from study.clean import file_name
from study.console import make_console
from study.folder import claim, stored_plan, stored_sweep
from study.linear_analysis import analyse_linear
from study.linear_trial import rows_of, run_block
from study.plan import Block, make_plan
from study.report.read import read_study
from study.rows import RowsError, read_rows, write_rows
from study.running import report
from study.statistics.scores import median, share
from study.sweep import SweepError
from study.sweep_file import load_sweep
from study.work import work_of
from tests.study.conftest import ROOT, SMALL, study, study_here

LINEAR = ROOT / "sweeps" / "linear.yaml"

WRONG = {
    "settings.lerning_rate=1": ["settings.lerning_rate", "unknown field", "allowed: learning_rate, steps"],
    "cells.source.steps=0": ["cells.source.steps = 0", "greater than or equal to 1"],
    "cells.source={singular_values: [3, 3]}": ["cells.source.singular_values = [3.0, 3.0]", "must fall"],
    "cells.source={singular_values: [5, 4, 3, 2, 1]}": ["cells.source.singular_values: 5 given", "= 4"],
    "cells.source={examples: 3}": ["cells.source.examples = 3", "at least inputs (4)"],
    "cells.source={steps: 500}": ["cells.source.marks = [190, 770]", "from 0 to steps (500)"],
    "cells.source={marks: [770, 190]}": ["cells.source.marks", "must rise"],
    "cells.source={start: middle}": ["cells.source.start = 'middle'", "'drawn' or 'aligned'"],
    "cells.source={record_every: 9999}": ["record_every = 9999", "at most steps (2500)"],
    "contrasts.a={first: source, second: mild}": ["contrasts", "network 'linear'"],
    "data=crossed": ["data = 'crossed'", "per_seed, fixed"],
    "network=quadratic": ["network = 'quadratic'", "'multitask' or 'linear'"],
    "network=multitask": ["curricula: missing, but required"],
    "grid.marks=[[1]]": ["grid.marks", "unknown axis", "learning_rate"],
}


@pytest.mark.parametrize("assignment", WRONG)
def test_wrong_fields_are_named_in_one_line(assignment: str) -> None:
    with pytest.raises(SweepError) as refusal:
        make_plan(load_sweep(LINEAR, (assignment,)))
    text = str(refusal.value)
    assert "\n" not in text
    for part in WRONG[assignment]:
        assert part in text


def test_a_grid_of_linear_cells() -> None:
    plan = make_plan(load_sweep(LINEAR, ("grid.init_scale=[0.1, 0.2]", "grid.hidden=[2, 3]", "seeds=2")))
    assert {c.name for c in plan.cells} >= {"source", "init_scale=0.1,hidden=2", "init_scale=0.2,hidden=3"}


def blocks_of(*assignments: str) -> list[Block]:
    return make_plan(load_sweep(LINEAR, ("seeds=6", "compute.block=6", *assignments))).blocks()


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    blocks = blocks_of("settings.record_every=10")
    return pd.DataFrame([row for block in blocks for row in rows_of(run_block(block), "linear", {})])


def test_a_row_does_not_depend_on_its_block(rows: pd.DataFrame) -> None:
    block = next(b for b in blocks_of("settings.record_every=10") if b.cell.name == "source")
    told: list[int] = []
    (alone,) = rows_of(run_block(Block(block.cell, block.draws[3:4]), progress=told.append), "linear", {})
    assert sum(told) == work_of(block.cell)
    together = rows[(rows["cell"] == "source") & (rows["seed"] == 3)].iloc[0]
    for name, value in alone.items():
        if name.startswith("score_") and "incompleteness_midpoint" not in name:  # which is rounding and nothing else
            assert value == pytest.approx(together[name], rel=1e-5, nan_ok=True), name
        elif name.startswith(("curve_", "array_")) and "per_output" not in name:
            ours, theirs = np.array(value), np.array(together[name])
            kept = slice(1, None) if "pntk" in name and name.startswith("curve_") else slice(None)  # zero at step 0
            np.testing.assert_allclose(ours[kept], theirs[kept], rtol=1e-4, atol=1e-3, err_msg=name)


def test_scores_agree_with_the_curves_and_with_theory(rows: pd.DataFrame) -> None:
    for _, row in rows.iterrows():
        steps = np.array(row["curve_linear_steps"])
        cosines = np.stack([row[f"curve_linear_summed_primary_mode{m}"] for m in (1, 2, 3)])
        for mark, mode in ((190, 1), (770, 2)):
            assert row[f"score_lead_summed_step{mark}"] == mode
            assert row[f"score_match_summed_step{mark}"] == pytest.approx(cosines[mode - 1][steps == mark][0], abs=1e-4)
        switch = row["score_switch_2"]
        assert cosines[:, steps == switch].argmax() == 1
        assert cosines[:, steps == switch - 10].argmax() == 0
        assert row["score_ahead_of_half_2"] == pytest.approx(row["score_loss_drop_half_2"] - switch)
        assert 0.95 < row["score_half_time_over_theory_2"] < 1.05
        assert abs(switch - row["score_theory_switch_2"]) <= 0.1 * switch
        assert row["score_distance_from_theory"] < 0.1
        learned = np.array(row["curve_linear_learned_mode1"])
        assert np.interp(row["score_half_time_1"], steps, learned) == pytest.approx(
            row["curve_linear_learned_mode1"][-1] / 2, rel=0.01
        )
        assert row["score_incompleteness_midpoint"] < 1e-10 < row["score_incompleteness_euler"] < 0.02


def test_summed_kernels_follow_the_modes_and_per_example_ones_stay(rows: pd.DataFrame) -> None:
    drawn = rows[rows["cell"] == "source"]
    assert (drawn["score_lead_summed_plateau2_q75"] == 2).all()
    for control in ("per_example", "per_example_total", "per_output", "ntk"):
        assert (drawn[f"score_lead_{control}_plateau2_q75"] == 1).all()


@pytest.mark.parametrize(
    ("columns", "says"),
    [({}, "need a column diverged"), ({"diverged": False}, "need a column marks"),
     ({"diverged": "no", "marks": ""}, "column diverged must hold true or false")],
)  # fmt: skip
def test_rows_of_linear_networks_made_elsewhere_are_checked(columns: dict[str, object], says: str, tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    frame = pd.DataFrame({"cell": "a", "seed": [0, 1], "network": "linear"})
    frame.assign(**columns).to_parquet(tmp_path / "rows" / "a.parquet")
    for command in (lambda: report(None, tmp_path, make_console()), lambda: read_study(tmp_path)):
        with pytest.raises(RowsError, match=says):
            command()


def test_a_figure_of_the_users_in_the_place_of_a_hostile_cells_is_not_written_over(rows: pd.DataFrame, tmp_path: Path) -> None:
    hostile = "../../up"
    (tmp_path / "rows").mkdir()
    rows[rows["cell"] == rows["cell"].iloc[0]].assign(cell=hostile).to_parquet(tmp_path / "rows" / "a.parquet")
    mine = tmp_path / "figures" / f"{file_name(hostile)}_half_times_against_theory.svg"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(SweepError, match=r"half_times_against_theory\.svg: was not written by this program"):
        report(None, tmp_path, make_console())
    assert mine.read_text() == "mine"


def test_networks_that_diverge_are_counted_and_left_out(tmp_path: Path) -> None:
    (block,) = [b for b in blocks_of("settings.record_every=50", "cells.source={learning_rate: 30}") if b.cell.name == "source"]
    wild = rows_of(run_block(block), "linear", {})
    assert all(row["diverged"] for row in wild)
    calm = next(b for b in blocks_of("settings.record_every=50") if b.cell.name == "source")
    write_rows(tmp_path, block, [*wild[:2], *rows_of(run_block(calm), "linear", {})[2:]])
    analysis = analyse_linear(read_rows(tmp_path))
    assert [(c["networks"], c["diverged"]) for c in analysis["cells"]] == [(6, 2)]
    assert all(r["n"] in (4, 4 - r["left_out"]) for r in analysis["results"])
    assert next(r for r in analysis["results"] if r["score"] == "half_time_1")["n"] == 4


FEWER = ("seeds=4", "compute.block=2", "settings.record_every=25", "cells={source: null}")
Along = tuple[Path, tuple[str | Path, ...], str]


@pytest.fixture(scope="module")
def along(tmp_path_factory: pytest.TempPathFactory) -> Along:
    """The folder of a small study with which linear networks ran along, the command, and what a run of the linear networks
    by themselves printed: one trial of theirs had failed before, because where its rows belong was a file."""
    home = tmp_path_factory.mktemp("along")
    out, path = home / "out", home / "small.yaml"
    shutil.copy(LINEAR, home)
    path.write_text(SMALL + "linear: linear.yaml\n")
    place = os.path.relpath(out, ROOT)
    command = ("run", path, "--out", place, "--set", "seeds=4", *(f"linear.{assignment}" for assignment in FEWER))
    beside = make_plan(load_sweep(path, command[command.index("--set") + 1 :])).linear
    assert beside is not None
    claim(out / "linear", beside)
    (out / "linear" / "rows").mkdir()
    (out / "linear" / "rows" / "source").touch()
    first = study(*command)
    assert first.returncode == 1, first.stdout + first.stderr
    assert "failed: source/0-1" in first.stdout
    assert "Not complete: 0 of 4 networks are finished" in first.stdout
    assert len(read_rows(out)) == 8  # the others went on
    assert study_here("analyse", out).returncode == 0
    (out / "linear" / "rows" / "source").unlink()
    alone = study("run", LINEAR, "--out", f"{place}/linear", "--set", *FEWER)
    assert alone.returncode == 0, alone.stdout + alone.stderr
    return out, command, alone.stdout


def test_a_run_goes_through_ray_rows_wandb_tables_and_figures(along: Along) -> None:
    home, _, printed = along
    out = home / "linear"
    assert "figures:" in printed
    tables = (out / "analysis.md").read_text(encoding="utf-8")
    for text in ("source: steps, medians over seeds", "half-time, theory", "4 networks"):
        assert text in tables
    assert len(read_rows(out)) == 4
    runs = [path.name for path in (out / "wandb").glob("offline-run-*")]
    assert [len(runs), sum("-analysis-" in name for name in runs)] == [3, 1]
    figures = {path.name for path in (out / "figures").iterdir()}
    for name in ("2_loss", "3_projections", "4_match", "5_loss_and_match", "11_vector_differences", "12_pntk_projections",
                 "13_pntk_values", "14_ntk_match", "14_ntk_values"):  # fmt: skip
        assert {f"source_figure_{name}.png", f"source_figure_{name}.svg"} <= figures
    analysis = json.loads((out / "analysis.json").read_text())
    leads = {r["score"]: r for r in analysis["results"]}
    assert leads["lead_summed_step770"]["value"] == 1
    assert leads["most_ntk_step770"]["mode"] == 1
    assert len(pd.read_csv(out / "analysis.csv")) == len(analysis["results"])
    refused = study_here("export", out, "--cell", "source", "--seed", "0", "--to", out / "x.npz")
    assert refused.returncode == 2
    assert "linear network" in refused.stderr


def test_linear_networks_run_along_in_a_folder_of_their_own(along: Along) -> None:
    out, command, _ = along
    rows, linear = read_rows(out), read_rows(out / "linear")
    assert (set(linear["cell"]), "source" in set(rows["cell"])) == ({"source"}, False)
    assert stored_sweep(out).linear == stored_sweep(out / "linear")
    for home in (out, out / "linear"):  # each part's tables wait for `wandb sync` beside its own runs
        assert len(list((home / "wandb").glob("offline-run-*"))) > 1
        assert list((home / "wandb" / "artifacts" / "staging").iterdir())
    upload = study_here("dashboard", out).stdout
    assert f"{out}/wandb/offline-run-* {out}/linear/wandb/offline-run-*" in upload
    large = study_here(*command, "linear.compute.cpus_per_trial=9999")
    assert (large.returncode, large.stderr.count("\n")) == (2, 1)
    assert "linear.compute.cpus_per_trial = 9999: this machine has" in large.stderr
    stored = (out / "sweep.json").read_bytes()
    other = study_here(*command[:3], out, *command[4:], "linear.settings.learning_rate=0.1")
    assert (other.returncode, other.stderr.count("\n")) == (2, 1)
    assert "linear: holds another configuration (cells.source.learning_rate: 0.2 there, 0.1 here)" in other.stderr
    assert (out / "sweep.json").read_bytes() == stored
    again = study(*command)
    assert (again.returncode, again.stdout.count("left: 0 networks")) == (0, 2)
    pd.testing.assert_frame_equal(read_rows(out / "linear"), linear)


def test_linear_networks_that_ran_along_are_analysed_and_on_the_page(along: Along, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(along[0], out)
    stored = json.loads((out / "sweep.json").read_text())
    stored["wandb"]["mode"], stored["linear"]["wandb"]["mode"] = "disabled", "online"
    for place, sweep in ((out, stored), (out / "linear", stored["linear"])):
        (place / "sweep.json").write_text(json.dumps(sweep))
        shutil.rmtree(place / "wandb")
    numbers = [folder / "analysis.json" for folder in (out, out / "linear")]
    before = [number.read_text() for number in numbers]
    for number in numbers:
        number.unlink()
    figures = {path.name for path in (out / "linear" / "figures").iterdir()}
    shutil.rmtree(out / "linear" / "figures")
    assert study_here("analyse", out).returncode == 0
    assert [number.read_text() for number in numbers] == before
    assert {path.name for path in (out / "linear" / "figures").iterdir()} == figures
    assert not list(out.rglob("offline-run-*"))  # what the study says of W&B holds for its linear networks
    page = study_here("report", out)
    assert page.returncode == 0, page.stderr
    for name in ("figure_2", "figure_5", "figure_14", "scatter"):
        assert (out / "figures" / f"{name}.svg").exists()
    (out / "linear").rename(tmp_path / "linear")
    (out / "linear").symlink_to(tmp_path / "linear")
    for number in (tmp_path / "linear" / "analysis.json", out / "analysis.json"):
        number.unlink()
    for name in ("analyse", "report"):
        refused = study_here(name, out)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert "linear: is a link out of the folder" in refused.stderr
    assert not (tmp_path / "linear" / "analysis.json").exists()
    (out / "linear").unlink()
    shutil.copytree(out / "rows", out / "linear" / "rows")
    mixed = study_here("report", out)
    assert (mixed.returncode, mixed.stderr.count("\n")) == (2, 1)
    assert "holds rows of other networks than linear ones" in mixed.stderr


def test_shares_have_wilson_intervals() -> None:
    found = share(np.array([1.0] * 8 + [0.0] * 2 + [np.nan]))
    z, p, n = 1.959963984540054, 0.8, 10
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    expected = [(middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)]
    assert [found.low, found.high] == pytest.approx(expected)
    assert (found.value, found.n, found.left_out) == (0.8, 10, 1)
    assert share(np.array([np.nan])).value is None


def test_medians_have_order_statistic_intervals_and_count_what_never_came() -> None:
    values = np.arange(1.0, 101.0)
    found = median(np.random.default_rng(0).permutation(values))
    assert found.value == 50.5
    assert found.low is not None
    assert found.high is not None
    inside = binom.cdf(found.high - 1, 100, 0.5) - binom.cdf(found.low - 1, 100, 0.5)  # exact coverage
    narrower = binom.cdf(found.high - 2, 100, 0.5) - binom.cdf(found.low, 100, 0.5)
    assert narrower < 0.95 <= inside
    assert (found.q05, found.q95) == (5.5, 95.5)
    late = median(np.append(values[:60], [np.nan] * 40), censored=True)
    assert (late.value, late.q95, late.n, late.left_out) == (50.5, None, 100, 40)
    assert median(np.append(values[:60], [np.nan] * 40)).value == 30.5
    never = median(np.append(values[:30], [np.nan] * 70), censored=True)
    assert never.value is None
    assert never.reason
    assert median(values[:5]).low is None
    assert median(np.array([np.nan, np.nan]), censored=True).value is None


def test_figures_that_are_not_drawn_again_do_not_outlive_their_rows(along: Along, tmp_path: Path) -> None:
    out = tmp_path / "linear"
    shutil.copytree(along[0] / "linear", out)
    drawn = {path.name for path in (out / "figures").iterdir()}
    mine = out / "figures" / "source_figure_2_loss.svg"
    mine.write_text("annotated by hand")
    (out / "figures" / "other.svg").write_text("of somebody else")
    sink = StringIO()
    report(stored_plan(out), out, Console(file=sink, width=200), pictures=False)
    assert len(drawn) == 20
    assert {path.name for path in (out / "figures").iterdir()} == {mine.name, "other.svg"}
    assert "source_figure_2_loss.svg: not of these rows; it is not known to be of this program, so it stays" in sink.getvalue()
    assert f"Its figures: study analyse {out}" in sink.getvalue()


@pytest.mark.slow
def test_a_reference_that_fails_keeps_no_other_part_from_its_work(tmp_path: Path) -> None:
    """A study whose references cannot be kept, because where they belong is a file, with linear networks beside it."""
    shutil.copy(LINEAR, tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL + "linear: linear.yaml\n")
    out = tmp_path / "out"
    settings = ("predictors=[linear_response]", "references=1", "reference_units=20", "reference_data_seed=0")
    wanted = [*(f"settings.{assignment}" for assignment in settings), *(f"linear.{assignment}" for assignment in FEWER)]
    claim(out, make_plan(load_sweep(tmp_path / "small.yaml", ["seeds=2", *wanted])))
    (out / "references").touch()
    done = study("run", tmp_path / "small.yaml", "--out", out, "--set", "seeds=2", *wanted)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "failed: standard, reference 0 of data set 0: " in done.stdout
    assert "Not complete: 0 of 4 networks are finished" in done.stdout
    assert len(read_rows(out / "linear")) == 4
    assert (out / "linear" / "analysis.json").exists()
