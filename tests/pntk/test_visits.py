"""Networks shown during training are those of a shorter training, and showing them changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pntk.network import Networks
from pntk.randomness import stream
from pntk.training.descent import descend
from pntk.training.flow import follow_flow
from pntk.training.recorder import Visits
from tests.pntk.test_descent import assert_same, setting

STEPS = (0, 3, 17, 40)


class Seen:
    """Networks by their place in the block and the step they were shown at."""

    def __init__(self) -> None:
        self.networks: dict[tuple[int, int], Networks] = {}

    def visits(self, steps: tuple[int, ...] = STEPS) -> Visits:
        def visit(first: int, step: int, networks: Networks) -> None:
            for i in range(len(networks)):
                assert (first + i, step) not in self.networks
                self.networks[first + i, step] = networks.network(i)

        return Visits(steps, visit)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("batch_size", [None, 16])
def test_descent_is_the_same_bit_for_bit_and_shows_what_shorter_training_gives(together: bool, batch_size: int | None) -> None:
    networks, train, test, _ = setting([4, 9], dtype=torch.float32)

    def run(steps: int, visits: Visits | None = None) -> tuple[Networks, np.ndarray]:
        streams = [stream(seed, "b") for seed in (4, 9)]
        trained, curves = descend(networks, train, test, steps, 0.03, batch_size, streams, together=together, visits=visits)
        return trained, curves.test

    seen = Seen()
    (shown, curves), (plain, expected) = run(40, seen.visits()), run(40)
    assert_same(shown, plain)
    assert np.array_equal(curves, expected)
    assert sorted(seen.networks) == [(i, step) for i in (0, 1) for step in STEPS]
    for i in (0, 1):
        assert_same(seen.networks[i, 0], networks.network(i))
        assert_same(seen.networks[i, 40], plain.network(i))
        assert_same(seen.networks[i, 17], run(17)[0].network(i))


@pytest.mark.parametrize("together", [False, True])
def test_flow_is_the_same_bit_for_bit_and_shows_what_shorter_flow_gives(together: bool) -> None:
    networks, train, test, _ = setting([4, 9])
    seen = Seen()
    arguments = networks, train, test, 40, 0.02, 1e-6
    shown, curves = follow_flow(*arguments, together=together, visits=seen.visits())
    plain, expected = follow_flow(*arguments, together=together)
    assert_same(shown, plain)
    assert np.array_equal(curves.test, expected.test)
    assert sorted(seen.networks) == [(i, step) for i in (0, 1) for step in STEPS]
    shorter, _ = follow_flow(networks, train, test, 17, 0.02, 1e-6)
    for i in (0, 1):
        assert_same(seen.networks[i, 0], networks.network(i))
        assert_same(seen.networks[i, 40], plain.network(i))
        assert_same(seen.networks[i, 17], shorter.network(i), rtol=1e-3, atol=1e-4)


def test_a_flow_that_ends_early_still_shows_every_step() -> None:
    networks, train, test, _ = setting([0])
    networks.W1[0, 0, 0] = float("nan")
    seen = Seen()
    follow_flow(networks, train, test, 40, 0.02, visits=seen.visits())
    assert sorted(step for _, step in seen.networks) == list(STEPS)


def test_visits_outside_the_training_are_refused() -> None:
    networks, train, test, _ = setting([0])
    for steps in ((0, 41), (-1, 3)):
        for method in (descend, follow_flow):
            with pytest.raises(ValueError, match="visits must be at steps 0 to 40"):
                method(networks, train, test, 40, 0.02, visits=Seen().visits(steps))
