"""When modes are learned and which one leads, on curves whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from pntk.structure import modes

STEPS = np.arange(0, 101, 10)


def test_crossings_are_interpolated_and_absent_ones_are_nan() -> None:
    ramp = STEPS / 100.0
    assert modes.crossing(STEPS, ramp, 0.25) == pytest.approx(25)
    assert modes.crossing(STEPS, ramp, -1) == 0
    assert np.isnan(modes.crossing(STEPS, ramp, 1.01))
    found = modes.half_times(STEPS, np.stack([8 * ramp, ramp], axis=1), np.array([4.0, 4.0]))
    assert found[0] == pytest.approx(25)
    assert np.isnan(found[1])


def test_drops_are_measured_within_their_tiers() -> None:
    """Values 2 and 1: the loss falls from 5 to 1 to 0, here from step 0 to 50 and from 50 to 100, scaled by 3."""
    loss = 3 * np.interp(STEPS, [0, 50, 100], [5, 1, 0])
    for part in (0.1, 0.5):
        expected = [50 * part, 50 + 50 * part]
        assert modes.drops(STEPS, loss, np.array([2.0, 1.0]), part, loss[0]) == pytest.approx(expected)
    late = modes.drops(STEPS[:8], loss[:8], np.array([2.0, 1.0]), 0.5, loss[0])
    assert late[0] == pytest.approx(25)
    assert np.isnan(late[1])


def test_places_on_plateaus_and_records() -> None:
    half = np.array([20.0, 60.0, np.nan])
    assert [modes.plateau_step(half, 1, q) for q in (0.25, 0.75)] == [5, 15]
    assert [modes.plateau_step(half, 2, q) for q in (0.25, 0.75)] == [30, 50]
    assert np.isnan(modes.plateau_step(half, 3, 0.25))
    assert [modes.at(STEPS, step) for step in (0, 9.9, 10, 1000)] == [0, 0, 1, 10]
    assert modes.at(STEPS, float("nan")) is None


def test_the_leading_mode_is_the_nearest_one() -> None:
    assert modes.leading(np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.8]])).tolist() == [1, 3]


HALF = np.array([15.0, 75.0, np.nan])


def test_a_switch_counts_from_the_half_time_of_the_mode_before() -> None:
    leads = np.array([2, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3])  # the mode 2 at step 0 is no switch
    assert modes.switch(STEPS, leads, HALF, 2) == 40
    assert modes.switch(STEPS, leads, HALF, 3) == 90
    assert np.isnan(modes.switch(STEPS, leads, HALF, 4))  # after a mode that was never half learned
    assert np.isnan(modes.switch(STEPS, np.ones(11, dtype=int), HALF, 2))


@pytest.mark.parametrize(
    ("secondary", "expected"),
    [
        ([2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3], {"pattern": 1, "at_once": 1, "swap": 0, "delay": 0}),
        ([2, 2, 2, 2, 1, 1, 3, 3, 3, 3, 3], {"pattern": 1, "at_once": 0, "swap": 1, "delay": 20}),
        ([2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 3], {"pattern": 0, "at_once": 0, "swap": 1, "delay": 60}),
        ([3, 3, 3, 2, 1, 1, 4, 4, 4, 4, 4], {"pattern": 0, "at_once": 0, "swap": 1, "delay": None}),
    ],
)
def test_secondary_pattern(secondary: list[int], expected: dict[str, float | None]) -> None:
    primary = np.array([1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2])
    found = modes.secondary_pattern(STEPS, primary, np.array(secondary), HALF, 2)
    for name, value in expected.items():
        assert np.isnan(found[name]) if value is None else found[name] == value


def test_no_secondary_pattern_without_a_switch_or_when_another_mode_led_before() -> None:
    nothing = modes.secondary_pattern(STEPS, np.ones(11, dtype=int), np.full(11, 2), HALF, 2)
    skipped = modes.secondary_pattern(STEPS, np.array([1] * 3 + [3] * 3 + [2] * 5), np.full(11, 2), HALF, 2)
    for found in (nothing, skipped):
        assert all(np.isnan(value) for value in found.values())
