"""Gradient flow on a block of networks, with far fewer gradients than small steps.

Gradient descent with a small learning rate follows the flow d theta / dt = -dL/d theta for a time of steps x learning rate.
The flow is stiff: its fastest directions limit the step of gradient descent long after they have settled, which
`pntk.training.chebyshev` overcomes. Use it to approximate the flow; use `pntk.training.descent` to reproduce a study that
took steps. The two differ by what the steps of gradient descent add to the flow, which grows with the learning rate
(`python -m study bench flow`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from pntk.data import PatternBlock
from pntk.network import Networks
from pntk.training.bookmarks import Bookmark, Bookmarks
from pntk.training.chebyshev import integrate
from pntk.training.recorder import Curves, Visits, recorded_steps, stops
from pntk.training.workspace import Progress, Trained, Workspace, alone, mean_loss, one_by_one

TOLERANCE = 3e-4


def follow_flow(
    networks: Networks,
    train: PatternBlock,
    test: PatternBlock,
    steps: int,
    learning_rate: float,
    tolerance: float = TOLERANCE,
    records: int = 40,
    progress: Progress | None = None,
    together: bool | None = None,
    visits: Visits | None = None,
    bookmarks: Bookmarks | None = None,
) -> Trained:
    """Train every network of a block by gradient flow for the time that `steps` steps of `learning_rate` stand for.

    Args:
        tolerance: of one integration step, relative to the root mean square of the weights. Final training losses follow it
            to a few times its size.
        progress: called with the number of network-steps that the time since the last call stands for.
        together: advance the whole block at once, with one step size for all; by default off the CPU only.
        bookmarks: set at the end only, so that networks already trained are not trained again.

    Returns:
        the networks, and curves at the same steps as `pntk.training.descent.descend`. The arguments not named here are
        those of `descend`. Curves and visits between integration steps are read off by interpolation, so neither changes
        the steps taken.

    Raises:
        ValueError: a visit at no step of the training.
    """
    if alone(networks, together):

        def one(i: int, network: Networks, own_train: PatternBlock, own_test: PatternBlock) -> Trained:
            shown, marks = visits and visits.of(i), bookmarks and bookmarks.of(i)
            how = steps, learning_rate, tolerance, records, progress, True, shown, marks
            return follow_flow(network, own_train, own_test, *how)

        return one_by_one(one, networks, train, test)
    work = Workspace(networks, train.inputs.shape[1])
    work.load(train.inputs, train.targets, train.counts)
    at = recorded_steps(steps, records)
    if bookmarks is not None and (trained := bookmarks.load(0)) is not None:
        if progress is not None:
            progress(steps * len(networks))
        return trained.networks, Curves(np.array(at), trained.train, trained.test)
    left = stops(steps, at, visits)
    losses: list[tuple[np.ndarray, np.ndarray]] = []
    told = 0

    def record(weights: Tensor) -> None:
        step = left.pop(0)
        work.unpack(weights)
        now = work.networks()
        if step in at:
            on_train, on_test = (mean_loss(now, data).double().cpu().numpy() for data in (train, test))
            losses.append((on_train, on_test))
        if visits is not None and step in visits.steps:
            visits.visit(0, step, now)

    def visit(start: float, end: float, weights_at: Callable[[float], Tensor]) -> None:
        nonlocal told
        while len(left) > 1 and left[0] * learning_rate <= end:
            record(weights_at(max(left[0] * learning_rate, start)))
        done = min(int(end / learning_rate), steps)
        if progress is not None and done > told:
            progress((done - told) * len(networks))
            told = done

    y, _ = integrate(work.downhill, work.pack(), steps * learning_rate, learning_rate, tolerance, visit)
    while left:  # the end
        record(y)
    if progress is not None and steps > told:
        progress((steps - told) * len(networks))
    work.unpack(y)
    train_losses, test_losses = (np.stack(kind, axis=1) for kind in zip(*losses, strict=True))
    if bookmarks is not None:
        bookmarks.save(0, Bookmark(steps, work.networks(), train_losses, test_losses))
    return work.networks(), Curves(np.array(at), train_losses, test_losses)
