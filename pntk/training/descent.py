"""Gradient descent on a block of networks, full batch or in mini-batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from pntk.data import PatternBlock
from pntk.network import Networks
from pntk.training.bookmarks import Bookmark, Bookmarks
from pntk.training.recorder import Curves, Visits, recorded_steps, stops
from pntk.training.workspace import Progress, Trained, Workspace, alone, mean_loss, one_by_one

STEPS_BETWEEN_LOOKS = 100  # at the clock: two of `pntk.training.graphs`' recorded chunks


def _batches(counts: Tensor, batch_size: int, generators: Sequence[np.random.Generator]) -> Callable[[], Tensor]:
    """Mini-batches of row numbers (B, batch_size): every network walks through a new shuffle of its patterns per epoch."""
    rows = [np.repeat(np.arange(len(c)), c.astype(int)) for c in counts.cpu().numpy()]
    left: list[np.ndarray] = [np.empty(0, dtype=int) for _ in rows]

    def draw() -> Tensor:
        batch = []
        for i, generator in enumerate(generators):
            while len(left[i]) < batch_size:
                left[i] = np.concatenate([left[i], generator.permutation(rows[i])])
            batch.append(left[i][:batch_size])
            left[i] = left[i][batch_size:]
        return torch.from_numpy(np.stack(batch)).to(counts.device)

    return draw


def _batched_steps(
    work: Workspace,
    train: PatternBlock,
    learning_rate: float,
    batch_size: int,
    generators: Sequence[np.random.Generator],
    done: int,
) -> Callable[[int], None]:
    """Steps on mini-batches, a number of them at a call, after `done` that were taken before."""
    draw = _batches(train.counts, batch_size, generators)
    share = (train.counts.sum(dim=1, keepdim=True) / batch_size).expand(-1, batch_size)
    for _ in range(done):
        draw()

    def advance(count: int) -> None:
        for _ in range(count):
            rows = draw()[:, :, None]
            inputs = train.inputs.gather(1, rows.expand(-1, -1, train.inputs.shape[2]))
            targets = train.targets.gather(1, rows.expand(-1, -1, train.targets.shape[2]))
            work.load(inputs, targets, share)
            work.step(learning_rate)

    return advance


def descend(
    networks: Networks,
    train: PatternBlock,
    test: PatternBlock,
    steps: int,
    learning_rate: float,
    batch_size: int | None = None,
    generators: Sequence[np.random.Generator] = (),
    records: int = 40,
    progress: Progress | None = None,
    together: bool | None = None,
    visits: Visits | None = None,
    bookmarks: Bookmarks | None = None,
) -> Trained:
    """Train every network of a block by gradient descent on the summed squared error.

    Args:
        networks: B networks; dtype and device decide where and how precisely the work is done.
        train: training patterns of each network.
        test: test patterns of each network, only measured.
        steps: gradient steps.
        learning_rate: per step, on the gradient of the error summed over patterns and outputs.
        batch_size: patterns per step; None takes all. A mini-batch's gradient is scaled up to the whole set, so the
            learning rate keeps its meaning.
        generators: for mini-batches, one random stream per network.
        records: about how many log-spaced steps to record.
        progress: called with the number of network-steps done since the last call.
        together: advance the whole block at once; by default off the CPU only, see `pntk.training.workspace`.
        visits: steps at which to show the networks, and to what.
        bookmarks: where to take up training that was left, and to leave marks for the next time. Steps that are taken up
            behind are neither recorded nor visited again.

    Returns:
        the trained networks and their curves. A network that diverges keeps its values and disturbs no other.

    Raises:
        ValueError: a mini-batch without one stream per network, or a visit at no step of the training.
    """
    if batch_size is not None and len(generators) != len(networks):
        raise ValueError(f"mini-batches need one random stream per network: {len(generators)} for {len(networks)} networks")
    if alone(networks, together):

        def one(i: int, network: Networks, own_train: PatternBlock, own_test: PatternBlock) -> Trained:
            stream, shown, marks = generators[i : i + 1], visits and visits.of(i), bookmarks and bookmarks.of(i)
            how = steps, learning_rate, batch_size, stream, records, progress, True, shown, marks
            return descend(network, own_train, own_test, *how)

        return one_by_one(one, networks, train, test)
    at = recorded_steps(steps, records)
    left = bookmarks.load(0) if bookmarks is not None else None
    done = 0 if left is None else left.step
    train_losses, test_losses = ([], []) if left is None else (list(left.train.T), list(left.test.T))
    work = Workspace(networks if left is None else left.networks, batch_size or train.inputs.shape[1])
    if batch_size is None:
        work.load(train.inputs, train.targets, train.counts)
        advance = work.steps(learning_rate)
    else:
        advance = _batched_steps(work, train, learning_rate, batch_size, generators, done)

    def bookmark() -> Bookmark:
        losses = (np.stack(kind, axis=1) for kind in (train_losses, test_losses))
        return Bookmark(done, work.networks(), *losses)

    if progress is not None and done:
        progress(done * len(networks))
    for step in stops(steps, at, visits):
        if left is not None and step <= left.step:
            continue
        while done < step:
            count = min(step - done, STEPS_BETWEEN_LOOKS)
            advance(count)
            done += count
            if progress is not None:
                progress(count * len(networks))
            if bookmarks is not None and done < step and bookmarks.due():
                bookmarks.save(0, bookmark())
        now = work.networks()
        if step in at:
            train_losses.append(mean_loss(now, train).double().cpu().numpy())
            test_losses.append(mean_loss(now, test).double().cpu().numpy())
        if visits is not None and step in visits.steps:
            visits.visit(0, step, now)
        if bookmarks is not None and (step == steps or bookmarks.due()):
            bookmarks.save(0, bookmark())
    return work.networks(), Curves(np.array(at), np.stack(train_losses, axis=1), np.stack(test_losses, axis=1))
