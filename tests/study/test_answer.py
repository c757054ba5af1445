"""The answer: at most twelve lines of eighty characters that say what the numbers of an analysis say, whatever the study."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study.analysis import analyse
from study.answer import COLUMNS, LINES, NextSteps, answer
from study.candidates import T_ZERO
from study.contrasts import Contrast
from study.running import analysed
from study.statistics.power import pairs_needed
from study.statistics.verdicts import SHOWN
from study.sweep import Primary
from tests.study.test_verdicts import PAPER, wide_and_narrow

STEPS = NextSteps("study run sweeps/width.yaml", 40, 1.5, "file:///results/width/report.html", "results/width/analysis.md")


def said(analysis: dict[str, Any], steps: NextSteps = STEPS) -> str:
    """The answer as one text, once it is known to fit."""
    lines = answer(analysis, steps)
    commands = {line for line in lines if line.startswith(("  study ", "Next: ", "All tables: "))}
    assert all(len(line) <= COLUMNS for line in lines if line not in commands)
    assert sum(math.ceil(len(line) / COLUMNS) for line in lines) <= LINES
    return " ".join(" ".join(lines).split())


def judged(frame: pd.DataFrame, **options: Any) -> dict[str, Any]:
    contrasts = (Contrast("width", (("wide", "narrow"),), {}, **options),)
    return analyse(frame, contrasts, resamples=300, permutation_count=300)


def test_conditions_that_differ_and_seeds_that_do_not_tell_are_two_answers_with_the_numbers_of_the_analysis() -> None:
    analysis = judged(wide_and_narrow(), expect=PAPER)
    text = said(analysis)
    silhouette, single, multi = (v for v in analysis["verdicts"])
    assert f"wide has the higher silhouette (by {silhouette['difference']:.2g} [95 %: " in text
    assert f"the higher single loss (by {single['difference']:.2g} [" in text
    assert "], against what is expected) and the higher multi loss" in text
    assert "which seed does better? Not shown: r = " in text
    for v in (single, multi):
        assert f"[{v['centred_low']:z.2f}, {v['centred_high']:z.2f}] for {v['about']}" in text
    assert text.count("40 pairs") == 1


def test_what_it_takes_to_know_more_is_pairs_time_and_a_command() -> None:
    text = said(judged(wide_and_narrow()))
    needed = pairs_needed(0.0, 0.2)
    minutes = round((needed - 40) * 1.5 / 60)
    assert f"takes about {needed} pairs, about {minutes} min more: " in text
    assert f"study run sweeps/width.yaml --set seeds={needed}" in text
    assert "Next: file:///results/width/report.html" in text
    unknown = said(judged(wide_and_narrow()), replace(STEPS, seconds_per_seed=None))
    assert f"about {needed} pairs: study run" in unknown
    nowhere = said(judged(wide_and_narrow()), NextSteps())
    assert nowhere.endswith(f"takes about {needed} pairs.")


def test_a_predictor_that_tells_seeds_apart_is_shown_and_one_that_cannot_is_excluded() -> None:
    frame = wide_and_narrow()
    frame["loss_single_test"] = -frame["silhouette_eig"] + np.random.default_rng(2).normal(size=80) / 9
    analysis = judged(frame, expect={"silhouette": "higher", "single": "lower"})
    assert "Yes, shown, as expected: r = -" in said(analysis)
    verdict = next(v for v in analysis["verdicts"] if v["about"] == "multi loss")
    verdict |= {"predicts_seeds": "excluded above .3", "centred_low": -0.1, "centred_high": 0.2, "centred": 0.05}
    assert "No, r of .3 or more is excluded: r = .05 [-0.10, 0.20] for multi loss" in said(analysis)
    verdict |= {"centred_low": -0.5, "centred_high": 0.1}
    assert "No, r of .3 or more is excluded on the expected side: r = " in said(analysis)


def test_rows_that_nobody_declared_a_contrast_for_are_answered_by_their_results() -> None:
    analysis = analysed(wide_and_narrow(), None, Path("x"))
    assert not analysis["verdicts"]
    text = said(analysis)
    difference = next(r for r in analysis["results"] if r["statistic"] == "predictor_difference")
    assert f"narrow has the lower silhouette (by {-difference['value']:.2g} [95 %: " in text
    assert "Not shown: r = " in text


def test_the_primary_comparison_is_told_and_the_others_are_counted() -> None:
    frame = wide_and_narrow()
    contrasts = tuple(Contrast(name, (("wide", "narrow"),), {}) for name in ("one", "two"))
    primary = Primary(contrast="two", phase="multi", outcome="test", estimator="eig")
    analysis = analyse(frame, contrasts, primary, resamples=300, permutation_count=300)
    text = said(analysis)
    assert "Do the conditions differ (two: wide against narrow)?" in text
    assert "for multi loss, 40 pairs (named before the run)." in text
    assert "r = " not in text.split("Of the 3 other comparisons, conditions differ in 3;")[1].split("To know")[0]
    for v in analysis["verdicts"]:
        if v["contrast"] == "one" and v["about"] == "single loss":
            v |= {"predicts_seeds": SHOWN, "centred": 0.77}
    assert "is shown to tell seeds apart in 1 (most in one, single loss: r = .77)" in said(analysis)


def test_too_few_seeds_are_a_reason_and_five_the_least() -> None:
    frame = wide_and_narrow()
    few = analysed(frame[frame["seed"] < 3], None, Path("x"))
    text = said(few, replace(STEPS, seeds=3))
    assert "Not shown (3 seed(s), at least 5 needed)" in text
    assert "5 seeds are the least" in text
    assert "--set seeds=5" in text


def test_one_cell_is_answered_within_it() -> None:
    frame = wide_and_narrow()
    alone = frame[frame["cell"] == "wide"]
    analysis = analysed(alone, None, Path("x"))
    largest = max(analysis["within"], key=lambda e: abs(e["value"]))
    text = said(analysis)
    assert "Not asked: there is one cell, wide." in text
    assert f"loss: r = {largest['value']:z.2f}".replace("0.", ".") in text
    assert "40 networks, family-wise p" in text
    linked = alone.assign(loss_multi_test=1 - alone["silhouette_eig"])
    assert "Yes, 1 of 2 correlations are shown; the largest is the silhouette (eig), wide, multi test" in said(
        analysed(linked, None, Path("x"))
    )


def test_an_unfinished_study_begins_with_interim_and_the_command_that_goes_on() -> None:
    analysis = judged(wide_and_narrow()) | {"interim": {"finished": 80, "planned": 90, "cells": [], "outside": 0}}
    lines = answer(analysis, STEPS)
    assert lines[0].startswith("INTERIM: 80 of 90 networks are finished")
    assert lines[1] == "  study run sweeps/width.yaml"


@pytest.mark.parametrize(
    "steps", [STEPS, NextSteps(), replace(STEPS, command="study run " + "x" * 200, report="file:///" + "y" * 90)]
)
def test_long_names_and_many_phases_fit(steps: NextSteps) -> None:
    phases = [f"phase_{letter * 30}" for letter in "abcdef"]
    frame = pd.DataFrame({"cell": np.repeat(["w" * 60, "n" * 60], 20), "seed": np.tile(np.arange(20), 2)})
    generator = np.random.default_rng(0)
    frame = frame.assign(data_seed=frame["seed"], silhouette_eig=generator.random(40))
    frame = frame.assign(**{f"loss_{phase}_test": generator.random(40) for phase in phases})
    contrasts = tuple(Contrast(f"c{n}" * 20, (("w" * 60, "n" * 60),), {}) for n in range(4))
    analysis = analyse(frame, contrasts, resamples=100, permutation_count=100)
    text = said(analysis | {"interim": {"finished": 1, "planned": 2}}, steps)
    assert "INTERIM" in text


def test_studies_of_many_seeds_on_each_data_set_name_what_says_most_of_them() -> None:
    pooled = [
        {"statistic": "centred", "name": "trace", "mean": -0.31, "low": -0.4, "high": -0.2},
        {"statistic": "centred", "name": "none_of_it"},
        {"statistic": "within_first", "name": "other", "mean": 0.9, "low": 0.8, "high": 0.95},
    ]
    pooled = [e | {"kind": T_ZERO} for e in pooled]
    table = {"contrast": "c", "phase": "multi", "outcome": "test", "data_sets": [{}] * 10, "pooled": pooled}
    text = said(judged(wide_and_narrow()) | {"by_data_set": {"tables": [table]}})
    assert "trace says most at t = 0: r = -.31 [-0.40, -0.20] over 10 data sets (c, multi test loss)" in text


def test_linear_networks_are_answered_by_what_their_kernel_leads_with() -> None:
    def score(name: str, value: float, mode: int | None = None) -> dict[str, Any]:
        return {"cell": "source", "score": name, "mode": mode, "value": value, "low": value, "high": value, "left_out": 0}

    scores = [score("lead_summed_step190", 0.9, 1), score("lead_summed_step770", 0.8, 2), score("ahead_of_onset_2", 55.0)]
    analysis = {"network": "linear", "cells": [{"cell": "source", "networks": 21, "diverged": 1, "seed": 3}], "results": scores}
    text = said(analysis)
    assert "source (20 networks, 1 diverged): share" in text
    assert "mode 1 at step 190: 0.90 [0.90, 0.90], mode 2 at step 770: 0.80" in text
    assert "switches to mode 2 55 [55, 55] steps before" in text
