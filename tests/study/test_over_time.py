"""Correlations over training against corrcoef, and what the simultaneous band promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

from study.contrasts import Contrast
from study.figures.over_time import APART
from study.figures.over_time import over_time as over_time_figure
from study.figures.structure import structure
from study.figures.study import Drawn, Missing, Study
from study.over_time import measures_of, over_time, simultaneous_band
from study.over_time_sheets import changed_steps, clear_steps, over_time_notes, over_time_sheets
from study.statistics.differences import differences
from study.statistics.pairs import Pairs

STEPS = [0, 1, 10]
CONTRAST = (Contrast("c", (("a", "b"),), {}),)


def rows(n: int = 40, **columns: Any) -> pd.DataFrame:
    """Two cells whose silhouette decides the loss at steps 0 and 1 and says nothing of it at step 10."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"cell": ["a"] * n + ["b"] * n, "seed": [*range(n)] * 2, "data_seed": [*range(n)] * 2})
    early, late = rng.normal(size=(2, 2 * n))
    for phase in ("single", "multi"):
        frame[f"loss_{phase}_test"] = early + 0.3 * rng.normal(size=2 * n) + (frame["cell"] == "a")
        frame[f"structure_{phase}_steps"] = [STEPS] * (2 * n)
        frame[f"structure_{phase}_silhouette_x"] = list(np.stack([early, 2 * early + 1, late], axis=1))
        frame[f"structure_{phase}_cka"] = list(np.stack([early * 0 + 1, early, late * np.nan], axis=1))
    return frame.assign(**columns)


def curve(found: dict[str, Any] | None, measured: str = "single", phase: str = "multi") -> dict[str, Any]:
    assert found is not None
    (one,) = (c for c in found["curves"] if (c["measured"], c["phase"]) == (measured, phase))
    return one


def test_every_step_has_the_correlation_of_pair_differences_with_the_final_loss() -> None:
    frame = rows()
    found = curve(over_time(frame, CONTRAST, 500))
    a, b = frame[frame["cell"] == "a"], frame[frame["cell"] == "b"]
    dy = a["loss_multi_test"].to_numpy() - b["loss_multi_test"].to_numpy()
    x_a, x_b = (np.stack(part["structure_single_silhouette_x"]) for part in (a, b))
    assert found["steps"] == STEPS
    for k in range(3):
        assert found["centred"]["value"][k] == pytest.approx(np.corrcoef((x_a - x_b)[:, k], dy)[0, 1], rel=1e-10)
        assert found["within_second"]["value"][k] == pytest.approx(np.corrcoef(x_b[:, k], b["loss_multi_test"])[0, 1])
        assert found["predictor_difference"]["value"][k] == pytest.approx((x_a - x_b)[:, k].mean())
        assert found["centred"]["low"][k] < found["centred"]["value"][k] < found["centred"]["high"][k]
    assert found["centred"]["value"][0] == pytest.approx(found["centred"]["value"][1])  # a linear map of it


def test_until_when_is_read_off_the_band() -> None:
    analysis = {"over_time": over_time(rows(), CONTRAST, 500), "leading_predictor": "silhouette_x", "primary": None}
    analysis["outcomes"] = ["test"]
    assert clear_steps(curve(analysis["over_time"])) == [0, 1]
    lines = over_time_notes(analysis)
    assert "excludes zero somewhere on 3 of 3 curves" in lines[0]
    assert "c, x in single, multi test loss: 0 (+), 1 (+); differs from step 0 at: 10 (-)" in lines
    (sheet,) = over_time_sheets(analysis, everything=False)
    assert len(sheet.rows) == 9


def test_a_step_beyond_zero_beside_one_that_is_not_need_not_differ_from_it() -> None:
    """Significant at step 1, not at step 0, and no difference between them: `not before it` would be wrong."""
    frame = rows(60)
    loss = frame["loss_multi_test"].to_numpy()
    columns = np.stack([loss[:60] - loss[60:], *np.random.default_rng(3).normal(size=(3, 60))], axis=1)
    outcome, *noise = np.linalg.qr(columns - columns.mean(axis=0))[0].T
    outcome *= np.sign(outcome @ columns[:, 0])
    r = (0.2, 0.42, -0.9)
    steps = [np.r_[r_k * outcome + np.sqrt(1 - r_k**2) * e, np.zeros(60)] for r_k, e in zip(r, noise, strict=True)]
    frame["structure_multi_silhouette_x"] = list(np.stack(steps, axis=1))
    found = curve(over_time(frame, CONTRAST, 500), "multi")
    assert clear_steps(found) == [1, 10]
    assert changed_steps(found) == [10]
    centred = found["centred"]
    assert centred["change"][0] is None
    assert centred["change"][2] == pytest.approx(np.arctanh(centred["value"][2]) - np.arctanh(centred["value"][0]))
    assert centred["change_low"][1] < 0 < centred["change"][1] < centred["change_high"][1]
    notes = over_time_notes({"over_time": {"curves": [found], "left_out": [], "band": "b"}})
    assert notes[1].endswith("differs from step 0 at: 10 (-)")


def curves_of(rng: np.random.Generator, studies: int, n: int, steps: int, lognormal: bool) -> Iterator[list[np.ndarray]]:
    """Correlations of a slowly drifting predictor whose true link with the outcome is the same at every step."""
    for _ in range(studies):
        y = rng.normal(size=n)
        drift = np.cumsum(rng.normal(size=(steps, n)), axis=0) / np.sqrt(np.arange(1, steps + 1))[:, None]
        x = 0.4 * y + np.sqrt(1 - 0.16) * drift
        x, y = (np.exp(v) if lognormal else v for v in (x, y))
        whole = np.array([np.corrcoef(row, y)[0, 1] for row in x])
        without = np.array([[np.corrcoef(np.delete(row, i), np.delete(y, i))[0, 1] for row in x] for i in range(n)])
        base, base_without = np.full(steps - 1, whole[0]), np.repeat(without[:, :1], steps - 1, axis=1)
        yield [whole[1:], without[:, 1:], base, base_without]


def false_changes(studies: int, n: int, steps: int, lognormal: bool) -> float:
    count = 0
    for parts in curves_of(np.random.default_rng(n), studies, n, steps, lognormal):
        found = differences(*parts, together=True)
        count += bool(((found.low > 0) | (found.high < 0)).any())
    return count / studies


def test_a_curve_that_does_not_change_is_said_not_to() -> None:
    assert false_changes(150, n=20, steps=6, lognormal=False) <= 0.09


@pytest.mark.slow
@pytest.mark.parametrize("lognormal", [False, True])
@pytest.mark.parametrize("n", [10, 30, 100])
def test_changes_over_a_curve_keep_their_level(n: int, lognormal: bool) -> None:
    assert false_changes(400, n=n, steps=12, lognormal=lognormal) <= 0.075


def test_only_losses_that_lie_ahead_are_correlated_except_in_a_cycle() -> None:
    ahead = {("single", "single"), ("single", "multi"), ("multi", "multi")}
    for cycles, expected in ((1, ahead), (2, ahead | {("multi", "single")})):
        found = over_time(rows(cycles=cycles), CONTRAST, 200)
        assert found is not None
        assert {(c["measured"], c["phase"]) for c in found["curves"]} == expected


def test_a_pair_that_is_not_defined_at_one_step_is_left_out_of_the_whole_curve_and_counted() -> None:
    frame = rows()
    frame.at[3, "structure_single_silhouette_x"] = np.array([0.1, np.nan, 0.2])
    frame.at[5, "structure_single_silhouette_x"] = None
    frame["diverged"] = frame.index == 44
    found = curve(over_time(frame, CONTRAST, 500))
    assert (found["n"], found["left_out_undefined"], found["left_out_diverged"]) == (37, 2, 1)
    kept = [s for s in range(40) if s not in (3, 4, 5)]
    a, b = (frame[frame["cell"] == name].set_index("seed").loc[kept] for name in "ab")
    x = np.array([v[0] for v in a["structure_single_silhouette_x"]]) - [v[0] for v in b["structure_single_silhouette_x"]]
    assert found["centred"]["value"][0] == pytest.approx(np.corrcoef(x, a["loss_multi_test"] - b["loss_multi_test"])[0, 1])


def test_rows_without_structure_or_with_different_steps_say_so() -> None:
    assert over_time(rows()[["cell", "seed", "data_seed", "loss_single_test"]], CONTRAST) is None
    frame = rows()
    frame["structure_single_steps"] = [STEPS if cell == "a" else [0, 1, 20] for cell in frame["cell"]]
    frame.loc[frame["cell"] == "b", "structure_multi_steps"] = None
    found = over_time(frame, CONTRAST, 200)
    assert found is not None
    assert {(x["measured"], x["reason"]) for x in found["left_out"]} == {
        ("single", "structure was measured at different steps"),
        ("multi", "structure was not measured"),
    }
    few = curve(over_time(rows(4), CONTRAST, 200))
    assert few["centred"]["value"] == [None] * 3
    assert "at least 5 needed" in few["centred"]["reason"][0]
    assert few["centred"]["band_low"] == [None] * 3


def test_a_phase_may_begin_with_the_name_of_another() -> None:
    frame = pd.DataFrame(columns=["structure_a_steps", "structure_a_cka", "structure_a_b_steps", "structure_a_b_cosine"])
    assert measures_of(frame, "a") == ["cka"]
    assert measures_of(frame, "a_b") == ["cosine"]


def test_courses_are_quantiles_over_networks_that_did_not_diverge() -> None:
    frame = rows()
    frame["diverged"] = frame.index == 0
    found = over_time(frame, CONTRAST, 200)
    assert found is not None
    (course,) = (c for c in found["cells"] if (c["cell"], c["phase"], c["measure"]) == ("a", "multi", "cka"))
    values = np.stack(frame["structure_multi_cka"][1:40])
    assert course["networks"] == 39
    assert course["defined"] == [39, 39, 0]
    for part, quantile in (("q10", 0.1), ("median", 0.5), ("q90", 0.9)):
        assert course[part][:2] == pytest.approx(np.quantile(values[:, :2], quantile, axis=0))
        assert course[part][2] is None


def study_of(frame: pd.DataFrame, **analysis: Any) -> Study:
    known = {"outcomes": ["test"], "primary": None, "contrasts": {"c": [["a", "b"]]}, "interval": "95 % intervals"}
    return Study(Path(), frame, known | analysis, None, "c")


def test_pictures_say_until_when_the_band_excludes_zero() -> None:
    found = over_time(rows(), CONTRAST, 500)
    drawn = over_time_figure(study_of(rows(), over_time=found))
    assert isinstance(drawn, Drawn)
    assert len([axis for axis in drawn.figure.axes if axis.get_visible()]) == 3  # no loss of single after multi
    lines = [line for axis in drawn.figure.axes for line in axis.lines if line.get_label() == "x"]
    assert {tuple(line.get_xdata()) for line in lines} == {tuple(STEPS)}
    value = curve(found)["centred"]["value"]
    assert f"x in single, multi test loss at step 0 ({value[0]:.2f}), 1 ({value[1]:.2f})" in drawn.here
    assert "n = 40 pairs." in drawn.caption
    plt.close(drawn.figure)


def test_bars_of_two_estimators_at_the_same_step_do_not_hide_each_other() -> None:
    frame = rows()
    for phase in ("single", "multi"):
        frame[f"structure_{phase}_silhouette_y"] = frame[f"structure_{phase}_silhouette_x"]
    drawn = over_time_figure(study_of(frame, over_time=over_time(frame, CONTRAST, 200)))
    assert isinstance(drawn, Drawn)
    (axis, *_) = drawn.figure.axes
    bars = [c for c in axis.collections if isinstance(c, LineCollection)]
    places = [bar.get_transform().transform(bar.get_segments()[0][0])[0] for bar in bars]
    assert len(places) == 2
    assert places[1] - places[0] == pytest.approx(APART * drawn.figure.dpi / 72)
    plt.close(drawn.figure)


def test_pictures_of_structure_put_the_cells_of_the_contrast_first() -> None:
    frame = rows()
    drawn = structure(study_of(frame, over_time=over_time(frame, CONTRAST, 200), contrasts={"c": [["b", "a"]]}))
    assert isinstance(drawn, Drawn)
    assert [text.get_text() for text in drawn.figure.legends[0].get_texts()] == ["b", "a"]
    middle = np.median([values[1] for values in frame["structure_multi_cka"][:40]])
    (line,) = (line for line in drawn.figure.axes[3].lines if line.get_label() == "a")
    assert line.get_ydata()[1] == pytest.approx(middle)
    plt.close(drawn.figure)


def test_pictures_that_cannot_be_drawn_say_why() -> None:
    frame = rows()
    for function in (over_time_figure, structure):
        missing = function(study_of(frame, over_time=None))
        assert isinstance(missing, Missing)
        assert "settings.structure_records" in missing.reason
    frame["structure_single_steps"] = [STEPS if cell == "a" else [0, 1, 20] for cell in frame["cell"]]
    only_single = frame[[name for name in frame if not name.startswith("structure_multi")]]
    missing = over_time_figure(study_of(frame, over_time=over_time(only_single, CONTRAST, 200)))
    assert isinstance(missing, Missing)
    assert "single: structure was measured at different steps" in missing.reason


def pairs_at_steps(rng: np.random.Generator, n: int, r: np.ndarray, own: float) -> list[Pairs]:
    """Normal pairs with correlation r at each step, whose noise is shared between steps except for the part `own`."""
    y, shared = rng.normal(size=(2, n))
    seed = np.arange(n)
    found = []
    for value in r:
        noise = np.sqrt(1 - own) * shared + np.sqrt(own) * rng.normal(size=n)
        x = value * y + np.sqrt(1 - value**2) * noise
        found.append(Pairs(x, np.zeros(n), y, np.zeros(n), seed, np.zeros(n, dtype=np.int64)))
    return found


@pytest.mark.parametrize("own", [0.1, 1.0])
def test_the_band_holds_all_true_correlations_at_once_in_95_of_100_studies(own: float) -> None:
    rng, truth = np.random.default_rng(1), np.array([0.6, 0.4, 0.2, 0.0, 0.0, -0.2])
    held, studies = 0, 300
    for _ in range(studies):
        low, high = simultaneous_band(pairs_at_steps(rng, 100, truth, own), 400)
        held += bool(((low <= truth) & (truth <= high)).all())
    assert 0.90 <= held / studies <= 0.98


def test_the_band_pays_only_for_steps_that_differ() -> None:
    rng = np.random.default_rng(2)
    (one,) = pairs_at_steps(rng, 80, np.array([0.3]), 1.0)
    others = pairs_at_steps(rng, 80, np.array([0.3] * 9), 1.0)
    alone, repeated, different = (simultaneous_band(p, 2000) for p in ([one], [one] * 10, [one, *others]))
    np.testing.assert_allclose(repeated[0], alone[0][0])
    assert different[1][0] - different[0][0] > 1.2 * (alone[1][0] - alone[0][0])
    z, error = np.arctanh([alone[0][0], alone[1][0]]), 1 / np.sqrt(77)
    assert (z[1] - z[0]) / 2 == pytest.approx(1.96 * error, rel=0.15)


def test_a_step_without_variation_has_no_band_and_does_not_spoil_the_others() -> None:
    rng = np.random.default_rng(3)
    pairs = pairs_at_steps(rng, 50, np.array([0.5, 0.2]), 1.0)
    constant = Pairs(np.ones(50), np.zeros(50), pairs[0].y_first, np.zeros(50), np.arange(50), np.zeros(50, dtype=np.int64))
    low, high = simultaneous_band([pairs[0], constant, pairs[1]], 500)
    assert np.isnan(low[1])
    assert np.isnan(high[1])
    np.testing.assert_allclose(np.array([low, high])[:, [0, 2]], simultaneous_band(pairs, 500))
