"""What a scan may choose from: axes, the points on them as cells, and every problem of a scan's section in one line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from study.grid import LISTS, grid_name, some, validated
from study.plan import Cell, Draw, cell_of, draws_of
from study.scan.objectives import OBJECTIVES, REFERENCE_SCALE, Objective
from study.sweep import AxisRange, ScanSpec, Settings, Sweep, SweepError, seed_list

DIGITS = 4  # of a value between the ends of a range: what a cell's name can hold
MOST_CORNERS = 4096  # combinations of ends and choices that are checked before any work

Values = dict[str, Any]


@dataclass(frozen=True)
class Axis:
    """An axis: a range (both ends a number) or choices, which are ordered where they are numbers that rise."""

    name: str
    low: float | int | None
    high: float | int | None
    log: bool
    choices: tuple[Any, ...]

    @property
    def ordered(self) -> bool:
        numbers = all(isinstance(c, (int, float)) and not isinstance(c, bool) for c in self.choices)
        return numbers and len(self.choices) > 2 and list(self.choices) == sorted(self.choices)

    @property
    def distribution(self) -> BaseDistribution:
        """As Optuna has it; ordered choices by their place, so that a sampler knows which are neighbours."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return IntDistribution(self.low, self.high, log=self.log)
        if self.low is not None and self.high is not None:
            return FloatDistribution(self.low, self.high, log=self.log)
        if self.ordered:
            return IntDistribution(0, len(self.choices) - 1)
        return CategoricalDistribution(self.choices)

    @property
    def ends(self) -> tuple[Any, ...]:
        return self.choices or (self.low, self.high)

    def value(self, parameter: Any) -> Any:
        """The setting that a parameter of Optuna's stands for."""
        if self.ordered:
            return self.choices[parameter]
        if isinstance(parameter, float) and self.low is not None and self.high is not None:
            return min(max(float(f"{parameter:.{DIGITS}g}"), float(self.low)), float(self.high))
        return parameter


@dataclass(frozen=True)
class Scan:
    """A valid scan.

    Attributes:
        draws: the networks that every point is trained on, in order.
        first: how many of them before a point may be pruned; all where nothing is pruned.
        evaluation: those of the final tables, with other seeds.
    """

    sweep: Sweep
    spec: ScanSpec
    axes: tuple[Axis, ...]
    draws: tuple[Draw, ...]
    first: int
    evaluation: tuple[Draw, ...]

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return tuple(OBJECTIVES[name] for name in self.spec.objectives)

    @property
    def size(self) -> float:
        """How many points there are; infinite with a range of floats."""
        finite = all(axis.choices or isinstance(axis.low, int) for axis in self.axes)
        return math.prod(len(a.choices) or int(a.high or 0) - int(a.low or 0) + 1 for a in self.axes) if finite else math.inf

    @property
    def is_crossover(self) -> bool:
        return self.spec.objectives == ("crossover",)

    def values(self, parameters: Mapping[str, Any]) -> Values:
        return {axis.name: axis.value(parameters[axis.name]) for axis in self.axes}

    def cell(self, values: Values, draws: tuple[Draw, ...] | None = None) -> Cell:
        """The cell of a point, with the scan's networks unless told otherwise."""
        cell = cell_of(self.sweep, grid_name(values), values)
        return Cell(cell.name, cell.settings, cell.environment, cell.curriculum, self.draws if draws is None else draws)

    def reference(self, values: Values) -> Values:
        """The point it is held against: the same settings, weights as drawn."""
        return values | {"init_scale": REFERENCE_SCALE}


def make_scan(sweep: Sweep) -> Scan:
    """Resolve a sweep's scan.

    Raises:
        SweepError: the first thing that cannot be, in one line.
    """
    spec = sweep.scan
    if spec is None:
        raise SweepError(f"{sweep.name}: has no section scan (objectives, space, evaluation_seeds); use `study run`")
    for field in ("cells", "grid", "contrasts", "primary"):
        if getattr(sweep, field):
            raise SweepError(f"{field}: not allowed beside scan, which makes its cells itself")
    if sweep.linear is not None:
        raise SweepError("linear: not allowed beside scan; run that sweep by itself")
    if sweep.network == "linear":
        raise SweepError("network = 'linear': a scan takes multitask networks")
    if sweep.data == "crossed":
        raise SweepError("data = 'crossed': allowed with a scan: per_seed, fixed")
    if not sweep.curricula:
        raise SweepError("curricula: missing, but required")
    if len(set(spec.objectives)) < len(spec.objectives):
        raise SweepError(f"scan.objectives = {list(spec.objectives)}: must differ")
    draws, evaluation = draws_of(sweep, sweep.seeds), draws_of(sweep, spec.evaluation_seeds)
    if common := set(seed_list(sweep.seeds)) & set(seed_list(spec.evaluation_seeds)):
        raise SweepError(f"scan.evaluation_seeds: must not hold seeds of the scan; {min(common)} is one")
    first = spec.first_seeds or (len(draws) + 1) // 2
    if not 1 <= first <= len(draws):
        raise SweepError(f"scan.first_seeds = {spec.first_seeds}: must be at most the number of seeds ({len(draws)})")
    axes = tuple(_axis(sweep, name, values) for name, values in spec.space.items())
    scan = Scan(sweep, spec, axes, draws, first if spec.pruning else len(draws), evaluation)
    for cell in corners(scan):
        for objective in scan.objectives:
            objective.check(scan.spec, cell, len(draws))
    if scan.is_crossover:
        _check_crossover(scan)
    elif "crossover" in spec.objectives:
        raise SweepError(f"scan.objectives = {list(spec.objectives)}: crossover is bracketed and stands alone")
    return scan


def corners(scan: Scan) -> tuple[Cell, ...]:
    """Cells at the ends and choices of all axes: every combination, or where these are too many the lowest, the highest, and
    every combination of as many axes at once as fit, the others once at their first value and once at their last. So hardly
    a point can be impossible, or need more memory, if none of them is."""
    points = dict.fromkeys(_combinations([axis.ends for axis in scan.axes]))
    return tuple(scan.cell(dict(zip(scan.spec.space, values, strict=True))) for values in points)


def _in_order(values: Sequence[Any]) -> Sequence[Any]:
    """Numbers from the lowest to the highest; names as they are."""
    return sorted(values) if all(isinstance(value, (int, float)) for value in values) else values


def _combinations(ends: Sequence[Sequence[Any]]) -> Iterable[tuple[Any, ...]]:
    if math.prod(map(len, ends)) <= MOST_CORNERS:
        yield from itertools.product(*ends)
        return
    lowest, highest = zip(*((values[0], values[-1]) for values in map(_in_order, ends)), strict=True)
    yield from (lowest, highest)

    def count(together: int) -> int:
        return 2 * sum(math.prod(map(len, chosen)) for chosen in itertools.combinations(ends, together))

    together = max((n for n in range(1, 6) if n < len(ends) and count(n) <= 2 * MOST_CORNERS), default=1)
    for chosen in itertools.combinations(range(len(ends)), together):
        for values in itertools.islice(itertools.product(*(ends[i] for i in chosen)), MOST_CORNERS):
            for others in (lowest, highest):
                yield tuple(dict(zip(chosen, values, strict=True)).get(i, other) for i, other in enumerate(others))


def _axis(sweep: Sweep, name: str, given: AxisRange | list[Any]) -> Axis:
    where = f"scan.space.{name}"
    if name not in Settings.model_fields or name in LISTS:
        raise SweepError(f"{where}: unknown axis; allowed: {some([n for n in Settings.model_fields if n not in LISTS], 40)}")
    base = {"curriculum": "-"} | sweep.settings

    def valid(value: Any) -> Any:
        return getattr(validated(base | {name: value}, "scan.space"), name)

    if isinstance(given, list):
        choices = tuple(dict.fromkeys(valid(value) for value in given))
        if not choices:
            raise SweepError(f"{where} = []: needs at least one value")
        if len({grid_name({name: choice}) for choice in choices}) < len(choices):
            raise SweepError(f"{where}: two choices do not differ in their first six digits, by which points are named")
        return Axis(name, None, None, False, choices)
    if Settings.model_fields[name].annotation not in (int, float):
        raise SweepError(f"{where}: takes no range; give a list of choices")
    low, high = valid(given.low), valid(given.high)
    if any(float(f"{end:g}") != end for end in (low, high) if isinstance(end, float)):
        raise SweepError(f"{where}: an end has more than six digits, by which points are named")
    return Axis(name, low, high, given.log, ())


def _check_crossover(scan: Scan) -> None:
    ranges = {axis.name: axis for axis in scan.axes}
    axis = ranges.get("init_scale")
    if axis is None or len(ranges) > 1 or axis.low is None or axis.high is None:
        raise SweepError("scan.space: crossover takes one axis, a range of init_scale")
    if axis.low <= REFERENCE_SCALE <= axis.high:
        raise SweepError(
            f"scan.space.init_scale = {axis.low:g} to {axis.high:g}: must lie on one side of {REFERENCE_SCALE:g}, the scale "
            "that others are compared with, where the effect is 0 by definition"
        )
