"""References of linear response: what decides them, that they are kept and shared, and how their answers reach the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pntk.curriculum import Phase
from pntk.influence.reference import Diverged
from pntk.network import base_networks, scaled
from study.memory import parts_of
from study.plan import Block, Cell, make_plan
from study.reference_files import FOLDER, References, place_of, read, write
from study.references import Wanted, rates_of, reference_steps, reference_work, response_work, train, wanted_by, wanted_of
from study.schema import columns
from study.sweep import RESPONSES, SweepError
from study.sweep_file import parse_sweep
from study.trial import rows_of, run_block
from study.work import measurement_work
from tests.study.conftest import SMALL


def block_of(**changed: Any) -> Block:
    raw = yaml.safe_load(SMALL) | {"seeds": 3, "data": "crossed", "data_seeds": 2}
    raw["settings"] |= {"predictors": list(RESPONSES), "estimators": ["inputs"], "references": 2, "reference_units": 40}
    raw["settings"] |= {"reference_bins": 4} | changed
    cell = make_plan(parse_sweep(raw)).cell("large")
    return Block(cell, cell.draws)


def networks_of(cell: Cell, *seeds: int) -> Any:
    base = base_networks(cell.environment, cell.settings.hidden_units, seeds, cell.settings.init_half_width)
    return scaled(base, cell.settings.init_scale, cell.settings.scaled_layers)


def test_answers_reach_the_rows_whatever_the_block_and_are_means_over_references() -> None:
    block = block_of()
    rows = rows_of(run_block(block), "small", {})
    alone = rows_of(run_block(Block(block.cell, block.draws[3:4])), "small", {})[0]
    names = dict(columns(block.cell))
    for phase in ("single", "multi"):
        for name in RESPONSES:
            column = f"predictor_{phase}_{name}"
            assert str(names[column]) == "double"
            assert rows[3][column] == alone[column]
        assert len({row[f"predictor_{phase}_linear_response"] for row in rows}) == 6
    seed, data_seed = block.draws[3].seed, block.draws[3].data_seed
    network = networks_of(block.cell, seed)
    for name, data in zip(RESPONSES, (data_seed, data_seed + 1), strict=True):
        answers = [train(Wanted(replace(block.cell, draws=()), data, number)) for number in range(2)]
        for phase in ("single", "multi"):
            mean = np.mean([each[phase].losses(network)[0] for each in answers])
            assert rows[3][f"predictor_{phase}_{name}"] == pytest.approx(mean, rel=1e-6)
    assert not any(column.startswith("agreement") for column in rows[0])


def test_predictions_follow_the_losses() -> None:
    """On the study's own networks, though small and hardly trained: the sign is right, and another data set says less."""
    raw = yaml.safe_load(SMALL) | {"seeds": 30, "data": "fixed"}
    raw["curricula"]["brief"]["phases"] = [{"name": "single", "task_counts": [1], "steps": 300, "learning_rate": 0.03}]
    raw["contrasts"] = {}
    raw["settings"] |= {"predictors": ["linear_response"], "estimators": ["inputs"], "reference_units": 200, "references": 1}
    raw["settings"] |= {"hidden_units": 50}
    cell = make_plan(parse_sweep(raw)).cell("large")
    rows = rows_of(run_block(Block(cell, cell.draws)), "small", {})
    both = np.array([(row["predictor_single_linear_response"], row["loss_single_unseen"]) for row in rows])
    assert np.corrcoef(both.T)[0, 1] > 0.5


def test_a_reference_is_kept_by_what_decides_it(tmp_path: Path) -> None:
    block = block_of()
    wanted = wanted_of(block.cell, {draw.data_seed for draw in block.draws})
    assert [(one.data_seed, one.number) for one in wanted] == [(d, n) for d in (0, 1, 2) for n in (0, 1)]
    assert len({one.key for one in wanted}) == 6
    assert {one.key for one in wanted_by([block, Block(block.cell, block.draws[:1])])} == {one.key for one in wanted}
    for changed in ({"reference_units": 41}, {"init_half_width": 0.2}, {"train_patterns": 61}, {"precision": "float64"}):
        assert wanted_of(block_of(**changed).cell, [0])[0].key != wanted[0].key
    assert wanted_of(block_of(kmeans_restarts=3, references=1).cell, [0])[0].key == wanted[0].key
    references = References(tmp_path)
    network = networks_of(block.cell, 5)
    assert references.missing(wanted) == wanted
    first = references.predicted(block.cell, 0, network)
    assert len(list((tmp_path / FOLDER).glob("*.npz"))) == 4
    assert references.missing(wanted) == wanted[4:]
    assert References(tmp_path).predicted(block.cell, 0, network) == first
    answers = train(wanted[0])
    kept = read(tmp_path, wanted[0])
    assert kept is not None
    np.testing.assert_array_equal(kept["multi"].losses(network), answers["multi"].losses(network))
    assert len(kept["multi"].reference.adjoint) == 80


@pytest.mark.parametrize("damage", ["cut", "other", "shape", "none"])
def test_a_file_that_is_not_of_the_reference_counts_as_none(damage: str, tmp_path: Path) -> None:
    wanted = wanted_of(block_of().cell, [0])
    answers = train(wanted[0])
    write(tmp_path, wanted[0], answers)
    place = place_of(tmp_path, wanted[0])
    assert isinstance(place, Path)
    if damage == "cut":
        place.write_bytes(place.read_bytes()[:-200])
    elif damage == "other":
        write(tmp_path, wanted[1], answers)
        place.write_bytes((tmp_path / FOLDER / f"{wanted[1].key}.npz").read_bytes())
    elif damage == "shape":
        with np.load(place) as arrays:
            np.savez(place, **{name: array[..., :-1] if name == "multi/goal" else array for name, array in arrays.items()})
    assert (read(tmp_path, wanted[0]) is None) == (damage != "none")
    again = References(tmp_path).answers(wanted[0])
    assert again["single"].mean == answers["single"].mean


def test_a_gentle_start_takes_as_long_a_time() -> None:
    phase = block_of().cell.curriculum.phases[0]
    for steps, rate in ((2500, 0.03), (100, 0.03), (700, 0.05), (400, 0.01), (30, 0.002)):
        rates = rates_of(replace(phase, steps=steps, learning_rate=rate))
        assert sum(rates) == pytest.approx(steps * rate, rel=1e-9)
        assert max(rates[: round(15 / 0.01)]) <= 0.01 * (1 + 1e-9)
        assert len(rates) == steps or rate > 0.01
    assert max(rates_of(replace(phase, steps=2500, learning_rate=0.03))) == pytest.approx(0.03, rel=1e-3)


def test_bad_settings_are_one_line_before_any_work() -> None:
    with pytest.raises(SweepError, match=r"reference_units = 1: must be greater than or equal to 2"):
        block_of(reference_units=1)
    raw = yaml.safe_load(SMALL)
    raw["settings"] |= {"predictors": ["linear_response"]}
    with pytest.raises(SweepError, match=r"cells.standard.predictors .* each of the cell's 30 data sets, at most 20"):
        make_plan(parse_sweep(raw | {"seeds": 30}))
    raw["settings"] |= {"reference_data_seed": 0}
    cell = make_plan(parse_sweep(raw | {"seeds": 30})).cell("large")
    assert {one.data_seed for one in wanted_by([Block(cell, cell.draws)])} == {0}
    raw["curricula"]["brief"]["phases"][1]["batch_size"] = 10
    with pytest.raises(SweepError, match=r"batch_size = 10: predictor linear_response takes the full batch only"):
        make_plan(parse_sweep(raw))


def test_a_reference_that_diverges_names_its_cell() -> None:
    cell = block_of(learning_rate=1e6).cell
    with pytest.raises(Diverged, match=r"cells.large: the reference diverges at step \d+ of \d+; smaller learning rates"):
        train(Wanted(replace(cell, curriculum=replace(cell.curriculum, phases=_fast(cell))), 0, 0))


def _fast(cell: Cell) -> Any:
    return tuple(replace(phase, learning_rate=1e300, steps=3) for phase in cell.curriculum.phases)


def test_costs_are_counted() -> None:
    block = block_of()
    assert response_work(block.cell) == 2 * 4 * (1 + 2) * 2 * 2  # bins, turns of both goals, references, predictors
    assert measurement_work(block.cell) == measurement_work(block_of(predictors=[]).cell) + response_work(block.cell)
    assert reference_work(wanted_of(block.cell, [0])[0]) == (80 + 3 * (40 + 80)) * 40 / 20
    assert parts_of(block)["reference_units"] > 0
    assert parts_of(block_of(predictors=[]))["reference_units"] == 0


def test_the_steps_of_a_reference_are_counted_without_making_them() -> None:
    for rate in (1e-4, 0.01, 0.011, 0.03, 0.4, 20.0):
        for steps in (1, 2, 17, 499, 2500):
            phase = Phase("single", (1.0,), steps, rate)
            rates = rates_of(phase)
            assert len(rates) == reference_steps(phase)
            assert sum(rates) == pytest.approx(steps * rate)
