"""Predictors of a block: the same whatever the block, in rows for every phase, and agreement with what came out."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from scipy.stats import rankdata

from pntk.network import MultitaskModule
from pntk.predictors.case import Case
from pntk.predictors.registry import PREDICTORS
from pntk.tasks import encode
from study.plan import Block, Draw, make_plan
from study.predicting import predict
from study.schema import columns
from study.statistics.pairs import joined
from study.statistics.variance import design_of
from study.sweep import SweepError
from study.sweep_file import parse_sweep
from study.tracking import summary
from study.trial import rows_of, run_block
from study.work import measurement_work
from tests.study.conftest import SMALL

NAMES = ["linearised_logit_1e-2", "ntk_trace", "task_group_ari"]


def block_of(seeds: int = 3, predictors: Any = NAMES) -> Block:
    raw = yaml.safe_load(SMALL)
    raw["settings"] |= {"predictors": predictors, "estimators": ["inputs"]}
    cell = make_plan(parse_sweep(raw | {"seeds": seeds})).cell("large")
    return Block(cell, cell.draws)


def test_predictors_do_not_depend_on_the_block_and_reach_the_rows() -> None:
    block = block_of()
    result = run_block(block)
    rows = rows_of(result, "small", {})
    alone = rows_of(run_block(Block(block.cell, block.draws[2:])), "small", {})[0]
    for phase in ("single", "multi"):
        for name in NAMES:
            column = f"predictor_{phase}_{name}"
            assert rows[2][column] == pytest.approx(alone[column], rel=1e-9, nan_ok=True)
            assert str(dict(columns(block.cell))[column]) == "double"
        assert len({row[f"predictor_{phase}_ntk_trace"] for row in rows}) == 3
    assert np.isfinite([row["predictor_single_task_group_ari"] for row in rows]).all()
    assert np.isnan([row["predictor_multi_task_group_ari"] for row in rows]).all()
    told = summary(rows)
    assert told["predictor_multi_ntk_trace"] == pytest.approx(np.mean([r["predictor_multi_ntk_trace"] for r in rows]))
    assert "predictor_multi_task_group_ari" not in told
    json.dumps(told, allow_nan=False)
    assert measurement_work(block.cell) > measurement_work(block_of(predictors=[]).cell)


def test_agreement_is_the_rank_correlation_of_predicted_and_final_errors() -> None:
    block = block_of(2)
    result = run_block(block)
    row = rows_of(result, "small", {})[1]
    for phase in ("single", "multi"):
        unseen = result.data[phase][1].unseen
        module = MultitaskModule(result.final[phase].map(lambda w: w.double()), 1)
        inputs, targets = (torch.from_numpy(part) for part in encode(block.cell.environment, unseen))
        final = (module(inputs) - targets).square().mean(dim=1).detach().numpy()
        case = Case(result.initial.network(1), block.cell.environment, result.data[phase][1].train, unseen)
        errors = PREDICTORS[NAMES[0]].errors
        assert errors is not None
        ranks = [rankdata(values) for values in (final, errors(case))]
        assert row[f"agreement_{phase}_{NAMES[0]}"] == pytest.approx(np.corrcoef(*ranks)[0, 1])
        assert np.mean(final) == pytest.approx(row[f"loss_{phase}_unseen"], rel=1e-4)
    assert not any(column.startswith("agreement_single_ntk") for column in row)


def test_a_kernel_that_cannot_be_inverted_gives_no_number() -> None:
    """Weights so large that every unit is full on or off: no output moves, the kernel is zero."""
    block = block_of(1)
    result = run_block(block)
    dead = result.initial.map(lambda w: torch.full_like(w, 1e6))
    values, errors = predict(block.cell, dead, {"single": result.data["single"][0]})
    assert np.isnan(values["single_linearised_logit_1e-2"])
    assert errors == {}


def test_all_stands_for_every_predictor_and_unknown_ones_are_refused() -> None:
    assert block_of(1, "all").cell.settings.predictors == tuple(PREDICTORS)
    with pytest.raises(SweepError, match=r"settings.predictors = \['luck'\]: must be all, or distinct names among linearised_"):
        block_of(1, ["luck"])


def test_cells_of_one_sweep_may_differ_in_their_data() -> None:
    raw = yaml.safe_load(SMALL) | {"seeds": 3}
    raw["cells"] |= {"fixed": {"data": "fixed", "data_seeds": [7]}, "crossed": {"data": "crossed", "data_seeds": 2}}
    plan = make_plan(parse_sweep(raw))
    assert plan.cell("standard").draws == (Draw(0, 0), Draw(1, 1), Draw(2, 2))
    assert plan.cell("fixed").draws == (Draw(0, 7), Draw(1, 7), Draw(2, 7))
    assert len(plan.cell("crossed").draws) == 6
    with pytest.raises(SweepError, match="data_seeds = 2 seeds: only data: crossed takes more than one, data is 'fixed'"):
        make_plan(parse_sweep(raw | {"cells": {"a": {"data": "fixed", "data_seeds": 2}}, "contrasts": {}}))


def test_pairs_of_cells_on_drawn_data_are_one_stratum_also_beside_cells_on_fixed_data() -> None:
    import pandas as pd

    rows = [{"cell": c, "seed": s, "data_seed": 0 if c[0] == "f" else s} for c in ("f1", "f2", "d1", "d2") for s in range(4)]
    frame = pd.DataFrame(rows)
    for pair in (("f1", "f2"), ("d1", "d2")):
        assert set(joined(frame, [pair])["stratum"]) == {0}
    assert design_of(frame) == "mixed"
    assert design_of(frame[frame["cell"].str.startswith("d")]) == "per_seed"
    assert design_of(frame[frame["cell"].str.startswith("f")]) == "fixed"
    alone = frame[frame["cell"].str.startswith("d")].head(1).assign(cell="alone")
    assert design_of(pd.concat([frame[frame["cell"].str.startswith("d")], alone])) == "per_seed"
