"""From a valid sweep to what is to be done: cells, seeds, blocks and contrasts, with every impossible design refused."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Generic

from typing_extensions import TypeVar

from pntk.curriculum import Curriculum
from pntk.tasks import Environment
from study.contrasts import Contrast, contrasts_of
from study.curricula import curriculum_of, expected_distinct
from study.grid import grid_cells, grids_of, some, validated
from study.linear_settings import LinearCellSpec, LinearSettings
from study.meant import did_you_mean
from study.storage import Location
from study.sweep import RESPONSES, CellSpec, SeedRange, Settings, Sweep, SweepError, seed_list

LARGEST_KEPT_SET = 20_000
MOST_CELLS = 10_000
MOST_REFERENCE_DATA = 20  # data sets of a cell that references are trained for
MOST_NETWORKS = 5_000_000
LONGEST_NAME = 200  # of a cell: it names a folder
FIRST_PAIRS = 6  # trained before all others
ROWS = ".parquet"  # the ending of files with rows


@dataclass(frozen=True, order=True)
class Draw:
    """What names a network within a cell: the seed of its weights and the seed of its data."""

    seed: int
    data_seed: int


@dataclass(frozen=True)
class Cell:
    """One setting of the experiment, trained on many seeds."""

    name: str
    settings: Settings
    environment: Environment
    curriculum: Curriculum
    draws: tuple[Draw, ...]

    @property
    def steps(self) -> int:
        return self.curriculum.steps


@dataclass(frozen=True)
class LinearCell:
    """The same of the linear network."""

    name: str
    settings: LinearSettings
    draws: tuple[Draw, ...]

    @property
    def steps(self) -> int:
        return self.settings.steps


AnyCell = TypeVar("AnyCell", bound=Cell | LinearCell, default=Cell)


@dataclass(frozen=True)
class Block(Generic[AnyCell]):
    """The unit of work: some networks of one cell."""

    cell: AnyCell
    draws: tuple[Draw, ...]

    @property
    def label(self) -> str:
        """Its cell with its first and last network, with the data seeds where they are not the seeds: no two are alike."""
        first, last = self.draws[0], self.draws[-1]
        if all(draw.seed == draw.data_seed for draw in self.draws):
            return f"{self.cell.name}/{first.seed}-{last.seed}"
        return f"{self.cell.name}/{first.seed}:{first.data_seed}-{last.seed}:{last.data_seed}"


@dataclass(frozen=True)
class Plan:
    sweep: Sweep
    cells: tuple[Cell | LinearCell, ...]
    contrasts: tuple[Contrast, ...]
    linear: Plan | None = None  # of linear networks, whose study runs along

    @property
    def networks(self) -> int:
        return sum(len(cell.draws) for cell in self.cells)

    @property
    def steps(self) -> int:
        """Gradient steps of the whole sweep, counted per network."""
        return sum(len(cell.draws) * cell.steps for cell in self.cells)

    def blocks(self, done: Collection[tuple[str, Draw]] = ()) -> list[Block[Any]]:
        """What is left to do, in blocks: those of the first pairs, then the longest first so that workers finish together."""
        size, finished = self.sweep.compute.block, set(done)
        blocks: list[Block[Any]] = []
        for cell in self.cells:
            left = [draw for draw in cell.draws if (cell.name, draw) not in finished]
            blocks += [Block(cell, tuple(left[i : i + size])) for i in range(0, len(left), size)]
        blocks.sort(key=lambda block: -len(block.draws) * block.cell.steps)
        first = self._first_pairs()
        return sorted(blocks, key=lambda block: not any((block.cell.name, draw) in first for draw in block.draws))

    def _first_pairs(self) -> set[tuple[str, Draw]]:
        """Networks of the first pairs of what is asked first, for a first look: the primary contrast, or the first one."""
        primary = self.sweep.primary.contrast if self.sweep.primary else ""
        asked = sorted(self.contrasts, key=lambda contrast: contrast.name != primary)
        if not asked:
            return set()
        cells = {name for pair in asked[0].pairs[:1] for name in pair}
        return {(cell.name, draw) for cell in self.cells if cell.name in cells for draw in cell.draws[:FIRST_PAIRS]}

    def cell(self, name: str) -> Cell:
        """Raises SweepError where no cell of multitask networks has this name."""
        for cell in self.cells:
            if cell.name == name and isinstance(cell, Cell):
                return cell
        names = [cell.name for cell in self.cells]
        raise SweepError(f"cell = {name!r}: unknown{did_you_mean(name, names)}; allowed: {some(names)}")


def make_plan(sweep: Sweep) -> Plan:
    """Resolve every cell and contrast.

    Raises:
        SweepError: the first impossible design, in one line.
    """
    if sweep.scan is not None:
        raise SweepError(f"{sweep.name}: has a section scan, so its cells are not known before: use `study scan`")
    linear = sweep.network == "linear"
    _check_network(sweep)
    if linear:
        validated(sweep.settings, "settings", LinearSettings)
    else:
        validated(sweep.settings | {"curriculum": sweep.settings.get("curriculum", "-")}, "settings")
    named = {name: dict(spec or {}) for name, spec in sweep.cells.items()}
    grids = grids_of(sweep)
    count = len(named) + sum(grid.count for grid in grids)
    if count > MOST_CELLS:
        raise SweepError(f"cells, grid: make {count:,} cells, at most {MOST_CELLS:,} are allowed")
    for name, grid_cell in grid_cells(sweep, grids).items():
        if name in named:
            raise SweepError(f"{grid_cell.where}: gives the cell {name!r} twice")
        named[name] = grid_cell.overrides
    if not named:
        raise SweepError("cells: a sweep needs cells, a grid, or both")
    for name in named:
        if len(name) > LONGEST_NAME:
            raise SweepError(f"grid: gives a cell a name of {len(name)} characters, at most {LONGEST_NAME} are allowed")
        if name.endswith(ROWS):
            raise SweepError(f"cells.{name}: names a folder, so it must not end in {ROWS}")
    if linear:
        return Plan(sweep, _few_enough(_linear_cell(sweep, name, overrides) for name, overrides in named.items()), ())
    cells = _few_enough(cell_of(sweep, name, overrides) for name, overrides in named.items())
    contrasts = contrasts_of(sweep, {cell.name: cell for cell in cells})
    return Plan(sweep, cells, contrasts, None if sweep.linear is None else _linear_plan(sweep, sweep.linear))


def planned(sweep: Sweep, out: Location) -> Plan:
    """The plan of a folder's sweep; of a scan the cells that the folder has rows of."""
    if sweep.scan is None:
        return make_plan(sweep)
    from study.scan.report import plan_of_folder  # late: optuna takes a second that other studies need not spend

    return plan_of_folder(sweep, out)


def _few_enough(cells: Iterable[AnyCell]) -> tuple[AnyCell, ...]:
    """The cells, made one by one; refused as soon as they hold too many networks, before memory is full of them."""
    kept, networks = [], 0
    for cell in cells:
        networks += len(cell.draws)
        if networks > MOST_NETWORKS:
            raise SweepError(f"seeds: make more than {MOST_NETWORKS:,} networks, the most that a sweep may have")
        kept.append(cell)
    return tuple(kept)


def _check_network(sweep: Sweep) -> None:
    """What belongs to one kind of network and not to the other."""
    if sweep.network == "multitask":
        if not sweep.curricula:
            raise SweepError("curricula: missing, but required")
        return
    for field in ("curricula", "contrasts", "primary", "linear"):
        if getattr(sweep, field):
            raise SweepError(f"{field}: not allowed with network 'linear', whose cells are scored one by one")
    if sweep.data == "crossed":
        raise SweepError("data = 'crossed': allowed with network 'linear': per_seed, fixed")


def _linear_plan(sweep: Sweep, linear: Sweep) -> Plan:
    """The plan of what runs along with a sweep of multitask networks; its runs in W&B go where those of the sweep go."""
    if linear.network != "linear":
        raise SweepError(f"linear.network = {linear.network!r}: must be 'linear'")
    if linear.scan is not None:
        raise SweepError("linear.scan: not allowed, a scan takes multitask networks")
    try:
        return make_plan(linear.model_copy(update={"wandb": sweep.wandb}))
    except SweepError as error:
        raise SweepError(f"linear.{error}") from None


def _linear_cell(sweep: Sweep, name: str, overrides: dict[str, Any]) -> LinearCell:
    spec: LinearCellSpec = validated(sweep.settings | overrides, f"cells.{name}", LinearCellSpec)
    settings = LinearSettings.model_validate(spec.model_dump(exclude={"seeds"}))
    return LinearCell(name, settings, draws_of(sweep, spec.seeds or sweep.seeds))


def cell_of(sweep: Sweep, name: str, overrides: dict[str, Any]) -> Cell:
    """A cell of multitask networks from what it says beside the sweep's settings.

    Raises:
        SweepError: the first thing that cannot be, in one line.
    """
    where = f"cells.{name}"
    spec: CellSpec = validated(sweep.settings | overrides, where, CellSpec)
    settings = Settings.model_validate(spec.model_dump(exclude={"seeds", "data", "data_seeds"}))
    environment = Environment(settings.stimulus_pools, settings.response_pools, settings.features)
    if settings.curriculum not in sweep.curricula:
        meant = did_you_mean(settings.curriculum, sweep.curricula)
        raise SweepError(f"{where}.curriculum = {settings.curriculum!r}: allowed: {some(list(sweep.curricula))}{meant}")
    curriculum = curriculum_of(sweep, name, settings, environment)
    if settings.clusters >= min(settings.train_patterns, settings.test_patterns):
        raise SweepError(
            f"{where}.clusters = {settings.clusters}: must be below train_patterns and test_patterns "
            f"({settings.train_patterns}, {settings.test_patterns})"
        )
    distinct = expected_distinct(curriculum.phases[0], environment, settings.train_patterns)
    if settings.clusters >= distinct:
        raise SweepError(
            f"{where}.clusters = {settings.clusters}: must be below the number of distinct training patterns, here about "
            f"{distinct:.0f} of {settings.train_patterns} drawn"
        )
    for field in ("estimators", "structure_estimators") if settings.structure_records else ("estimators",):
        names = getattr(settings, field)
        if "eig" in names and settings.train_patterns != settings.test_patterns:
            raise SweepError(
                f"{where}.{field} = {list(names)}: 'eig' needs test_patterns equal to train_patterns "
                f"({settings.test_patterns}, {settings.train_patterns}); leave it out or make them equal"
            )
    cell = Cell(name, settings, environment, curriculum, draws_of(sweep, spec.seeds or sweep.seeds, spec.data, spec.data_seeds))
    _check_kept(where, cell)
    _check_references(where, cell)
    return cell


def _check_references(where: str, cell: Cell) -> None:
    """A reference network belongs to a data set, and must not be trained for every network anew."""
    settings = cell.settings
    if settings.reference_data_seed is None and any(name in RESPONSES for name in settings.predictors):
        sets = len({draw.data_seed for draw in cell.draws})
        if sets > MOST_REFERENCE_DATA:
            raise SweepError(
                f"{where}.predictors = {list(settings.predictors)}: linear_response trains references for each of the "
                f"cell's {sets} data sets, at most {MOST_REFERENCE_DATA}; use data: fixed or crossed, or name one with "
                "reference_data_seed"
            )


def _check_kept(where: str, cell: Cell) -> None:
    """One seed to keep at least must be one of the cell, which may have been given fewer, and their groups of patterns of a
    size that can be kept."""
    keep = cell.settings.keep_seeds
    if keep and not set(keep) & {draw.seed for draw in cell.draws}:
        raise SweepError(f"{where}.keep_seeds = {list(keep)}: must name seeds of the cell, and none of them is")
    if keep and cell.environment.pattern_count(1) > LARGEST_KEPT_SET:
        raise SweepError(
            f"{where}.keep_seeds = {list(keep)}: keeps means over all single-task patterns, at most {LARGEST_KEPT_SET:,}; "
            f"there are {cell.environment.pattern_count(1):,}"
        )


def draws_of(sweep: Sweep, seeds: Any, data: str | None = None, data_seeds: Any = None) -> tuple[Draw, ...]:
    """The networks that seeds stand for in the sweep's design, or in a design of the cell's own."""
    design = data or sweep.data
    shared = seed_list(data_seeds or (sweep.data_seeds if design == sweep.data else SeedRange(0, 1)))
    if design != "crossed" and len(shared) > 1:
        raise SweepError(f"data_seeds = {len(shared)} seeds: only data: crossed takes more than one, data is {design!r}")
    count = seeds.count if isinstance(seeds, SeedRange) else len(seeds)
    if count * len(shared) > MOST_NETWORKS:
        raise SweepError(f"seeds x data_seeds = {count:,} x {len(shared):,}: more than {MOST_NETWORKS:,} networks")
    if design == "per_seed":
        return tuple(Draw(seed, seed) for seed in seed_list(seeds))
    return tuple(Draw(seed, data_seed) for seed in seed_list(seeds) for data_seed in shared)
