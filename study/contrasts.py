"""Contrasts of a sweep: which cells are compared, seed by seed, and what the source study found there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from study.grid import grid_cells, grids_of, naming_of, settings_of, some
from study.meant import did_you_mean
from study.sweep import ContrastSpec, PaperValues, Primary, Sweep, SweepError

if TYPE_CHECKING:
    from study.plan import Cell

SILHOUETTE = "silhouette"  # beside names of phases, in what a contrast expects


@dataclass(frozen=True)
class Contrast:
    """Cells compared seed by seed: (first, second) pairs, several where contrasts are pooled. Only a declared
    contrast says which cell is expected to share more, so only declared ones get verdicts.

    Attributes:
        expect: what first is expected to have against second, `higher` or `lower`, in the `silhouette` and in the
            loss of a phase, by its name; empty where the sweep expects nothing.
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    paper: dict[str, PaperValues]
    declared: bool = True
    expect: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Side:
    """What a comparison needs to know of a cell, planned or of rows: its seeds, phases and estimators of the silhouette."""

    draws: Collection[Any]
    phases: tuple[str, ...]
    estimators: tuple[str, ...]


Along = Callable[[str, str], "list[Contrast]"]  # a contrast's name, and where it is written -> what it is along its axis


def contrasts_of(sweep: Sweep, cells: Mapping[str, Cell]) -> tuple[Contrast, ...]:
    """Every contrast of the sweep, resolved, after its primary comparison is checked.

    Raises:
        SweepError: the first impossible contrast, in one line.
    """
    sides = {
        name: Side(cell.draws, tuple(phase.name for phase in cell.curriculum.phases), cell.settings.estimators)
        for name, cell in cells.items()
    }
    contrasts = resolved(sweep.contrasts, sides, lambda name, where: _along_axis(sweep, name, where, sides))
    check_primary(sweep.primary, sides, contrasts)
    return contrasts


def resolved(specs: Mapping[str, ContrastSpec], cells: Mapping[str, Side], along: Along) -> tuple[Contrast, ...]:
    """Contrasts of these cells.

    Args:
        along: resolves one along an axis.

    Raises:
        SweepError: the first impossible contrast, in one line.
    """
    found: dict[str, Contrast] = {}
    for name, spec in specs.items():
        where, before = f"contrasts.{name}", set(found)
        if spec.pooled is not None:
            missing = [part for part in spec.pooled if part not in found]
            if missing:
                raise SweepError(f"{where}.pooled = {missing}: must name contrasts above it; allowed: {some(list(found))}")
            pairs = tuple(pair for part in spec.pooled for pair in found[part].pairs)
            if len(set(pairs)) < len(pairs):
                raise SweepError(f"{where}.pooled = {list(spec.pooled)}: takes the same pair of cells twice")
            found[name] = Contrast(name, pairs, spec.paper, expect=spec.expect)
        elif spec.axis is None:
            pairs = (_pair(where, cells, spec.first, spec.second),)
            found[name] = Contrast(name, pairs, spec.paper, expect=spec.expect)
        else:
            found |= {c.name: c for c in along(name, where)}
        _check_phases(where, spec, cells, [c for known, c in found.items() if known not in before])
    return tuple(found.values())


def _check_phases(where: str, spec: ContrastSpec, cells: Mapping[str, Side], new: Sequence[Contrast]) -> None:
    """What is said of phases, the paper's values and what is expected, must be of phases of the compared cells."""
    phases = {phase for one in new for pair in one.pairs for name in pair for phase in cells[name].phases}
    for phase in spec.paper:
        if phase not in phases:
            meant = did_you_mean(phase, phases)
            raise SweepError(f"{where}.paper.{phase}: no such phase{meant}; allowed: {some(sorted(phases))}")
    for what in spec.expect:
        if what != SILHOUETTE and what not in phases:
            allowed = [SILHOUETTE, *sorted(phases)]
            raise SweepError(f"{where}.expect.{what}: no such phase{did_you_mean(what, allowed)}; allowed: {some(allowed)}")


def check_primary(primary: Primary | None, cells: Mapping[str, Side], contrasts: Sequence[Contrast]) -> None:
    """The primary comparison must be one that is made.

    Raises:
        SweepError: it names a contrast, phase or estimator that is not there.
    """
    if primary is None:
        return
    named = {contrast.name: contrast for contrast in contrasts}
    if primary.contrast not in named:
        meant = did_you_mean(primary.contrast, named)
        raise SweepError(f"primary.contrast = {primary.contrast!r}: allowed: {some(list(named))}{meant}")
    for name in {name for pair in named[primary.contrast].pairs for name in pair}:
        phases = cells[name].phases
        if primary.phase not in phases:
            raise SweepError(f"primary.phase = {primary.phase!r}: allowed: {some(list(phases))}, the phases of cell {name!r}")
        estimators = cells[name].estimators
        if primary.estimator not in estimators:
            allowed = some(list(estimators))
            raise SweepError(f"primary.estimator = {primary.estimator!r}: allowed: {allowed}, the estimators of cell {name!r}")


def _along_axis(sweep: Sweep, name: str, where: str, cells: Mapping[str, Side]) -> list[Contrast]:
    """A contrast for every place on the other axes at which the grids have both values of this one."""
    spec, grids = sweep.contrasts[name], grids_of(sweep)
    name_of, named = naming_of(sweep, grids), grid_cells(sweep, grids)
    if spec.axis not in name_of.usual:
        raise SweepError(f"{where}.axis = {spec.axis!r}: allowed: {some(list(name_of.usual))}")
    values = list(dict.fromkeys(cell.place[spec.axis] for cell in named.values()))
    ends = [_read(sweep, spec.axis, end) for end in (spec.first, spec.second)]
    for end, value in zip(("first", "second"), ends, strict=True):
        if value not in values:
            raise SweepError(f"{where}.{end} = {value!r}: must be a value of grid.{spec.axis}: {some(list(map(str, values)))}")
    if ends[0] == ends[1]:
        raise SweepError(f"{where}: compares {spec.axis} = {ends[0]!r} with itself")
    found: dict[str, dict[Any, str]] = {}
    for cell_name, cell in named.items():
        rest = name_of({axis: value for axis, value in cell.place.items() if axis != spec.axis})
        found.setdefault(rest, {})[cell.place[spec.axis]] = cell_name
    contrasts = [
        Contrast(
            f"{name}[{rest}]" if rest else name,
            (_pair(where, cells, *(along[end] for end in ends)),),
            spec.paper,
            expect=spec.expect,
        )
        for rest, along in found.items()
        if all(end in along for end in ends)
    ]
    if not contrasts:
        raise SweepError(f"{where}: no two cells of the grids differ in {spec.axis} alone, {ends[0]!r} and {ends[1]!r}")
    return contrasts


def _read(sweep: Sweep, axis: str, value: Any) -> Any:
    """A value read as that of its axis is, where it can be: 1e1 is text in YAML and 10 on an axis of numbers."""
    try:
        return getattr(settings_of(sweep, {axis: value}), axis)
    except SweepError:
        return value


def _pair(where: str, cells: Mapping[str, Side], first: Any, second: Any) -> tuple[str, str]:
    for end, name in (("first", first), ("second", second)):
        if name not in cells:
            quoted, meant = f'; put it in quotes ("{name}")', did_you_mean(name, cells)
            text = quoted if str(name) in cells else f"{meant}; allowed: {some(list(cells))}"
            raise SweepError(f"{where}.{end} = {name!r}: no such cell{text}")
    if first == second:
        raise SweepError(f"{where}: compares the cell {first!r} with itself")
    if not set(cells[first].draws) & set(cells[second].draws):
        raise SweepError(f"{where}: the cells {first!r} and {second!r} have no common seeds, so no pairs can be made")
    if not set(cells[first].phases) & set(cells[second].phases):
        raise SweepError(f"{where}: the cells {first!r} and {second!r} have no phase in common")
    return first, second
