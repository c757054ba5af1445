"""A wide reference network: trained once, and how its final loss answers to a change of its logits at any step.

Let u_k be added to the logits of step k where they enter its errors. With a bar for the derivative of the goal Q with respect
to what a step leaves behind, and D, H, H' = H (1 - H) the errors, activity and its slope at step k, step (3) backwards is

    G_bar = -rate X w_bar,    D_bar = (G_bar H') V - rate H v_bar - rate X_task V2_bar                    (4)
    lambda_k = dQ / du_k = D_bar d'(a)                                                                    (5)
    v_bar  <- v_bar + (G_bar H')' D + m H' lambda
    w_bar  <- w_bar + X' [(G_bar (D V') (1 - 2 H) - rate D v_bar' + m lambda V') H']                      (6)
    V2_bar <- V2_bar + X_task' lambda

It starts from g = dQ / da on the patterns of the goal. States are kept every sqrt(K) steps and computed again in
between, with their activities.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pntk.influence.bins import edges_of, places
from pntk.influence.units import (
    Patterns,
    Stage,
    Units,
    activity,
    errors,
    mean_squared_error,
    over_patterns,
    over_units,
    push,
    slope_of_errors,
    sloped,
)


class Diverged(ArithmeticError):
    """A reference network whose loss is no number, or whose adjoint is not."""


@dataclass(frozen=True)
class State:
    """A network of units with masses: `units`, and `direct` (T, R) weights from tasks to responses."""

    units: Units
    direct: Tensor


@dataclass(frozen=True)
class Response:
    """What a stage does to a unit, and what a unit's part of the logits does to the goal, in M bins.

    Attributes:
        patterns: of the stage.
        impulses: (M, P, R) errors times learning rate, summed over each bin.
        weights: (M + 1, P, R) dQ / d(logits) gathered at the edges of bins, linear in between.
        whole: whether a bin is one step.
    """

    patterns: Patterns
    impulses: Tensor
    weights: Tensor
    whole: bool


@dataclass(frozen=True)
class Reference:
    """
    Attributes:
        loss: Q's loss of the reference itself. kappa: its slope against the log of the training loss at the end.
        responses: one for each stage.
        goal: patterns whose loss is asked for. weights: (P, R) dQ / d(logits) of the goal.
        losses: (K,) training loss before each step, stages one after another.
        adjoint: (K,) size of lambda_k, to see whether it stays tame.
    """

    loss: float
    kappa: float
    responses: tuple[Response, ...]
    goal: Patterns
    weights: Tensor
    losses: NDArray[np.float64]
    adjoint: NDArray[np.float64]
    bias: float


def logits(state: State, masses: Tensor, hidden: Tensor, patterns: Patterns, bias: float) -> Tensor:
    """(P, R) equation (2)."""
    return over_units(hidden, masses[:, None] * state.units.outgoing) + patterns.tasks @ state.direct + bias


@dataclass(frozen=True)
class _Seen:
    """A state with its activity (P, U), logits and errors (P, R) on the patterns of a stage."""

    state: State
    hidden: Tensor
    logits: Tensor
    wrong: Tensor


def _seen(state: State, masses: Tensor, patterns: Patterns, bias: float) -> _Seen:
    hidden = activity(state.units, patterns.inputs, bias)
    before = logits(state, masses, hidden, patterns, bias)
    return _Seen(state, hidden, before, errors(before, patterns))


def _step(seen: _Seen, patterns: Patterns, rate: float) -> State:
    """The state after equation (3)."""
    incoming, outgoing = push(seen.state.units, seen.hidden, patterns.inputs, rate * seen.wrong)
    return State(seen.state.units.moved(incoming, outgoing), seen.state.direct - rate * (patterns.tasks.T @ seen.wrong))


@dataclass(frozen=True)
class Passed:
    """A stage of a reference, trained: states every so many steps, the path and the loss of each step, and the end."""

    stage: Stage
    kept: list[State]
    every: int
    path: NDArray[np.float64]
    losses: NDArray[np.float64]
    end: State


def _pass(stage: Stage, state: State, masses: Tensor, bias: float) -> Passed:
    every = max(isqrt(len(stage.rates)), 1)
    kept: list[State] = []
    # Path and loss of each step in one array: small tensors kept of every step lie between large ones, and the allocator could
    # not use the memory of those again.
    numbers = masses.new_zeros(2, len(stage.rates))
    for k, rate in enumerate(stage.rates):
        if k % every == 0:
            kept.append(state)
        seen = _seen(state, masses, stage.patterns, bias)
        state = _step(seen, stage.patterns, rate)
        numbers[0, k] = rate * seen.wrong.abs().sum()
        numbers[1, k] = mean_squared_error(seen.logits, stage.patterns)
    path, losses = found = numbers.double().cpu().numpy()
    bad = np.flatnonzero(~np.isfinite(found).all(axis=0))
    if len(bad):
        raise Diverged(f"the reference diverges at step {bad[0]} of {len(stage.rates)}")
    return Passed(stage, kept, every, path, losses, state)


def _backwards(passed: Passed, masses: Tensor, bias: float) -> Iterator[tuple[int, _Seen]]:
    """The states before each step, the last first."""
    rates, patterns = passed.stage.rates, passed.stage.patterns
    for number in reversed(range(len(passed.kept))):
        first = number * passed.every
        again = [_seen(passed.kept[number], masses, patterns, bias)]
        for k in range(first, min(first + passed.every, len(rates)) - 1):
            again.append(_seen(_step(again[-1], patterns, rates[k]), masses, patterns, bias))
        while again:
            yield first + len(again) - 1, again.pop()


def _outset(state: State, masses: Tensor, patterns: Patterns, weights: Tensor, bias: float) -> State:
    """Derivatives of Q = sum of weights times logits with respect to the state that makes the logits."""
    hidden = activity(state.units, patterns.inputs, bias)
    outgoing = masses[:, None] * over_patterns(hidden, weights)
    back = sloped(weights @ (masses[:, None] * state.units.outgoing).T, hidden)
    return State(Units(patterns.inputs.T @ back, outgoing), patterns.tasks.T @ weights)


def _step_back(bar: State, seen: _Seen, masses: Tensor, patterns: Patterns, rate: float) -> tuple[State, Tensor]:
    """Equations (4) to (6): derivatives with respect to the state before a step, and lambda."""
    units, hidden, wrong = seen.state.units, seen.hidden, seen.wrong
    bar_out, out = -rate * bar.units.outgoing, masses[:, None] * units.outgoing
    gradient = patterns.inputs @ (-rate * bar.units.incoming)
    slope = sloped(gradient, hidden)
    wrong_bar = over_units(slope, units.outgoing) + over_units(hidden, bar_out) - rate * (patterns.tasks @ bar.direct)
    weight = wrong_bar * slope_of_errors(seen.logits, patterns)
    outgoing = bar.units.outgoing + over_patterns(slope, wrong) + masses[:, None] * over_patterns(hidden, weight)
    gradient.mul_(wrong @ units.outgoing.T)
    gradient.addcmul_(gradient, hidden, value=-2)
    gradient.addmm_(torch.cat([wrong, weight], dim=1), torch.cat([bar_out.T, out.T]))
    incoming = bar.units.incoming + patterns.inputs.T @ sloped(gradient, hidden)
    return State(Units(incoming, outgoing), bar.direct + patterns.tasks.T @ weight), weight


def _respond(passed: Passed, bar: State, masses: Tensor, bias: float, bins: int | None) -> tuple[Response, State, Tensor]:
    """One stage backwards: its response, the derivatives with respect to its start, and the size of lambda of each step."""
    patterns, rates = passed.stage.patterns, passed.stage.rates
    edges = edges_of(passed.path, bins)
    number, fraction = places(passed.path, edges)
    impulses = patterns.targets.new_zeros(len(edges) - 1, *patterns.targets.shape)
    weights = patterns.targets.new_zeros(len(edges), *patterns.targets.shape)
    sizes = patterns.targets.new_zeros(len(rates))
    for k, seen in _backwards(passed, masses, bias):
        bar, weight = _step_back(bar, seen, masses, patterns, rates[k])
        impulses[number[k]].add_(seen.wrong, alpha=rates[k])
        weights[number[k]].add_(weight, alpha=1 - fraction[k])
        weights[number[k] + 1].add_(weight, alpha=fraction[k])
        sizes[k] = weight.norm()
    return Response(patterns, impulses, weights, len(edges) == len(rates) + 1), bar, sizes


def trained(units: Units, direct: Tensor, masses: Tensor, stages: Sequence[Stage], bias: float = -2.0) -> tuple[Passed, ...]:
    """A reference network trained through stages, one after another.

    Args:
        units: U of them, as initialised. direct: (T, R) initial weights from tasks to responses.
        masses: (U,) of the units; hidden units of the networks asked of, over U, for a reference of another width.

    Raises:
        Diverged: its loss is no number.
    """
    passed: list[Passed] = []
    for stage in stages:
        state = passed[-1].end if passed else State(units, direct)
        passed.append(_pass(stage, state, masses, bias))
    return tuple(passed)


def respond(
    passed: Sequence[Passed],
    masses: Tensor,
    goal: Patterns,
    bias: float = -2.0,
    bins: int | None = None,
    equal_loss: bool = False,
) -> Reference:
    """Run training backwards from the loss on `goal` at its end.

    Args:
        passed: all stages from the initial units on, see `trained`; some of the first for a goal at the end of those.
        bins: into how many each stage is gathered (at most); None for one a step, which is exact and takes the memory of
            2 K (P, R) arrays.
        equal_loss: Q is the loss less kappa log(training loss): of networks that stop at an equal training loss of the last
            stage instead of an equal time.

    Raises:
        Diverged: the adjoint is no number.
    """
    state = passed[-1].end
    at_end = logits(state, masses, activity(state.units, goal.inputs, bias), goal, bias)
    loss, share = float(mean_squared_error(at_end, goal)), 1 / (goal.counts.sum() * goal.targets.shape[1])
    weights = errors(at_end, goal) * share
    bar = _outset(state, masses, goal, weights, bias)
    kappa, pull = 0.0, None
    if equal_loss:
        kappa, pull = _pull(passed[-1], goal, masses, bias)
        more = _outset(state, masses, passed[-1].stage.patterns, pull, bias)
        bar = State(bar.units.moved(more.units.incoming, more.units.outgoing), bar.direct + more.direct)
    responses: list[Response] = []
    adjoint: list[Tensor] = []
    for part in reversed(passed):
        response, bar, sizes = _respond(part, bar, masses, bias, bins)
        if pull is not None and not responses:
            response.weights[-1].add_(pull)
        responses.insert(0, response)
        adjoint.insert(0, sizes)
    size = torch.cat(adjoint).double().cpu().numpy()
    if not np.isfinite(size).all():
        raise Diverged("the adjoint of the reference is no number: it needs a gentler start")
    losses = np.concatenate([part.losses for part in passed])
    return Reference(loss, kappa, tuple(responses), goal, weights, losses, size, bias)


def reference(
    units: Units,
    direct: Tensor,
    masses: Tensor,
    stages: Sequence[Stage],
    goal: Patterns,
    bias: float = -2.0,
    bins: int | None = None,
    equal_loss: bool = False,
) -> Reference:
    """`trained` and then `respond`: the whole of it, for one goal."""
    return respond(trained(units, direct, masses, stages, bias), masses, goal, bias, bins, equal_loss)


def _pull(last: Passed, goal: Patterns, masses: Tensor, bias: float) -> tuple[float, Tensor]:
    """kappa = d loss / d log(training loss) along the end of training, and d(-kappa log(training loss)) / d(logits)."""

    def both(state: State) -> tuple[Tensor, Tensor]:
        return tuple(logits(state, masses, activity(state.units, p.inputs, bias), p, bias) for p in (goal, last.stage.patterns))  # type: ignore[return-value]

    (goal_then, train_then), (goal_now, train_now) = both(last.kept[-1]), both(last.end)
    train = last.stage.patterns
    rise = torch.log(mean_squared_error(train_now, train)) - torch.log(mean_squared_error(train_then, train))
    kappa = (mean_squared_error(goal_now, goal) - mean_squared_error(goal_then, goal)) / rise
    total = mean_squared_error(train_now, train) * train.counts.sum() * train.targets.shape[1]
    return float(kappa), -kappa * errors(train_now, train) / total
