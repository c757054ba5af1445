"""Training against autograd, and independence of packing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pntk.curriculum import Phase
from pntk.data import PatternBlock, draw_phase_data, pattern_block
from pntk.network import Networks, base_networks, forward, scaled
from pntk.randomness import stream
from pntk.tasks import Environment, encode
from pntk.training import descent
from pntk.training.descent import descend
from pntk.training.graphs import Step, plainly, repeated
from pntk.training.recorder import Curves, recorded_steps
from pntk.training.workspace import mean_loss
from tests.oracles import naive_training

ENVIRONMENT = Environment()
PHASE = Phase("multi", (1.0, 1.0, 1.0), 1, 0.01)


def setting(
    seeds: list[int], size: int = 120, hidden: int = 30, dtype: torch.dtype = torch.float64
) -> tuple[Networks, PatternBlock, PatternBlock, list[np.ndarray]]:
    data = [draw_phase_data(ENVIRONMENT, PHASE, seed, size, size) for seed in seeds]
    networks = scaled(base_networks(ENVIRONMENT, hidden, seeds), 10, "hidden").to(dtype)
    blocks = [pattern_block(ENVIRONMENT, [getattr(d, kind) for d in data], dtype) for kind in ("train", "test")]
    return networks, blocks[0], blocks[1], [d.train for d in data]


def assert_same(a: Networks, b: Networks, **tolerance: float) -> None:
    for left, right in zip(a.weights, b.weights, strict=True):
        torch.testing.assert_close(left, right, **(tolerance or {"rtol": 0.0, "atol": 0.0}))


def test_descent_follows_autograd_in_float64() -> None:
    networks, train, test, ids = setting([0, 1])
    trained, curves = descend(networks, train, test, 50, 0.02)
    for i in range(2):
        inputs, targets = (torch.from_numpy(a) for a in encode(ENVIRONMENT, ids[i]))
        expected, loss = naive_training(networks, i, inputs, targets, 50, 0.02)
        assert_same(trained.network(i), expected, rtol=1e-10, atol=1e-12)
        assert curves.train[i, -1] == pytest.approx(loss, rel=1e-10)
    assert (curves.train[:, -1] < curves.train[:, 0]).all()


def test_float32_gives_the_losses_of_the_naive_loop() -> None:
    networks, train, test, ids = setting([3], size=500, hidden=200, dtype=torch.float32)
    inputs, targets = (torch.from_numpy(a).float() for a in encode(ENVIRONMENT, ids[0]))
    _, loss = naive_training(networks, 0, inputs, targets, 200, 0.01)
    _, curves = descend(networks, train, test, 200, 0.01)
    assert curves.train[0, -1] == pytest.approx(loss, rel=1e-3)


def test_a_network_does_not_depend_on_its_block() -> None:
    together = descend(*setting([4, 9, 2], dtype=torch.float32)[:3], 60, 0.03)
    alone = descend(*setting([9], dtype=torch.float32)[:3], 60, 0.03)
    assert_same(together[0].network(1), alone[0])
    assert np.array_equal(together[1].test[1], alone[1].test[0])


@pytest.mark.parametrize("batch_size", [None, 16])
def test_the_block_together_as_on_other_devices_gives_the_same_networks(batch_size: int | None) -> None:
    networks, train, test, _ = setting([0, 1, 2])

    def run(together: bool) -> tuple[Networks, Curves]:
        streams = [stream(seed, "b") for seed in (0, 1, 2)]
        return descend(networks, train, test, 40, 0.02, batch_size, streams, together=together)

    (at_once, curves), (one_by_one, expected) = run(True), run(False)
    assert_same(at_once, one_by_one, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(curves.train, expected.train, rtol=1e-10)
    np.testing.assert_allclose(curves.test, expected.test, rtol=1e-10)


def test_mini_batches_of_everything_are_full_batch_and_smaller_ones_are_unbiased() -> None:
    networks, train, test, ids = setting([0])
    full, _ = descend(networks, train, test, 1, 0.02)
    batch, _ = descend(networks, train, test, 1, 0.02, batch_size=len(ids[0]), generators=[stream(0, "b")])
    assert_same(full, batch, rtol=1e-10, atol=1e-12)
    steps = [
        descend(networks, train, test, 1, 0.02, batch_size=20, generators=[stream(seed, "b")])[0].W1 for seed in range(400)
    ]
    mean_move, full_move = torch.stack(steps).mean(dim=0) - networks.W1, full.W1 - networks.W1
    assert torch.nn.functional.cosine_similarity(mean_move.flatten(), full_move.flatten(), dim=0) > 0.95
    assert mean_move.norm() == pytest.approx(full_move.norm().item(), rel=0.1)


def test_mini_batches_do_not_depend_on_the_block_and_need_streams() -> None:
    networks, train, test, _ = setting([4, 9])
    both, _ = descend(networks, train, test, 30, 0.02, 16, [stream(4, "b"), stream(9, "b")])
    networks_9, train_9, test_9, _ = setting([9])
    assert_same(both.network(1), descend(networks_9, train_9, test_9, 30, 0.02, 16, [stream(9, "b")])[0])
    with pytest.raises(ValueError, match="random stream"):
        descend(networks, train, test, 1, 0.02, batch_size=16)


def test_repeated_steps_are_whole_chunks_and_a_rest_and_recording_leaves_no_trace() -> None:
    count = torch.zeros(1)
    recorded: list[int] = []

    def record(step: Step, chunk: int) -> Step:
        recorded.append(chunk)
        step()  # as warming up a CUDA graph does
        return plainly(step, chunk)

    take = repeated(lambda: count.add_(1) and None, [count], record, chunk=10)
    totals = []
    for steps in (3, 25, 0, 30):
        take(steps)
        totals.append(int(count))
    assert totals == [3, 28, 28, 58]
    assert recorded == [10]


def test_an_epoch_of_mini_batches_sees_every_pattern_once() -> None:
    counts = torch.tensor([[3.0, 0.0, 1.0, 2.0]])
    draw = descent._batches(counts, 2, [stream(0, "b")])
    seen = torch.cat([draw() for _ in range(3)], dim=1)
    assert torch.bincount(seen[0], minlength=4).tolist() == [3, 0, 1, 2]


def test_a_diverging_network_is_flagged_and_disturbs_no_other() -> None:
    networks, train, test, _ = setting([0, 1])
    broken = Networks(*(w.clone() for w in networks.weights), bias=networks.bias)
    broken.W1[0, 0, 0] = float("nan")
    trained, curves = descend(broken, train, test, 20, 0.02)
    assert curves.diverged.tolist() == [True, False]
    assert_same(trained.network(1), descend(networks, train, test, 20, 0.02)[0].network(1))
    saturated = descend(networks, train, test, 20, 1e4)[1]
    assert saturated.diverged.all()


def test_divergence_is_a_loss_that_is_not_finite_or_ends_above_its_start() -> None:
    steps = np.array([0, 1])
    train = np.array([[1.0, 0.5], [1.0, 1.1], [1.0, np.nan], [1.0, 0.5]])
    test = np.array([[1.0, 2.0], [1.0, 0.5], [1.0, 0.5], [1.0, np.inf]])
    assert Curves(steps, train, test).diverged.tolist() == [False, True, True, True]


def test_mean_loss_counts_repeated_patterns() -> None:
    networks, train, _, ids = setting([5])
    inputs, targets = (torch.from_numpy(a) for a in encode(ENVIRONMENT, ids[0]))
    expected = (forward(networks, inputs)[1] - targets).square().mean()
    assert mean_loss(networks, train)[0].item() == pytest.approx(expected.item(), rel=1e-12)


def test_recorded_steps_are_log_spaced_and_complete() -> None:
    steps = recorded_steps(10_000)
    assert steps[0] == 0
    assert steps[-1] == 10_000
    assert steps == sorted(set(steps))
    ratios = np.diff(np.log(steps[-20:]))
    assert ratios.max() / ratios.min() < 1.1
    assert recorded_steps(1) == [0, 1]


def test_progress_counts_every_step_of_every_network() -> None:
    networks, train, test, _ = setting([0, 1])
    told: list[int] = []
    descend(networks, train, test, 25, 0.01, progress=told.append)
    assert sum(told) == 50
