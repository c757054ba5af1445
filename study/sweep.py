"""What a sweep file may say. `study.sweep_file` reads one, `study.plan` turns it into cells and blocks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from pntk.names import ESTIMATOR_NAMES, PREDICTOR_NAMES
from study import outward
from study.meant import did_you_mean
from study.refused import SweepError as SweepError
from study.refused import plain_line as plain_line

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.,=+-]*$", max_length=120)]
# Of a contrast, which along an axis of a grid ends in its place on the others: name[learning_rate=0.01].
ContrastName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.,=+-]*(\[[A-Za-z0-9_.,=+-]+\])?$", max_length=330)]
PhaseName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=40)]
Positive = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
MOST_SEEDS = 1_000_000
# Predictors by linear response: driven by the network's own data set, and, as a control, by the next one (`study.references`).
RESPONSES = ("linear_response", "linear_response_other")
Frequency = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class Strict(BaseModel):
    """Unknown fields are refused, and so is where a number is due what Python would take for one: true, false, 1_000."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers(cls, value: Any, info: ValidationInfo) -> Any:
        given = value if isinstance(value, (list, tuple)) else [value]
        if any(isinstance(one, bool) or (isinstance(one, str) and "_" in one) for one in given):
            due = str(cls.model_fields[info.field_name or ""].annotation)
            if re.search(r"\b(int|float)\b", due) and not re.search(r"\b(bool|str|SeedRange)\b", due):
                raise ValueError("must be a number, and true, false and digits with _ between are none")
        return value


class PhaseSpec(Strict):
    name: PhaseName
    task_counts: tuple[Frequency, ...] = Field(min_length=1)  # relative frequencies of 1, 2, 3, ... tasks at once
    steps: int = Field(ge=1, le=1_000_000_000)
    learning_rate: Positive | None = None  # the cell's learning rate unless given
    batch_size: int | None = Field(default=None, ge=1, le=100_000)  # full batch unless given


class CurriculumSpec(Strict):
    phases: tuple[PhaseSpec, ...] = Field(min_length=1)
    cycles: int = Field(default=1, ge=1, le=100_000)

    @field_validator("phases")
    @classmethod
    def _distinct_names(cls, phases: tuple[PhaseSpec, ...]) -> tuple[PhaseSpec, ...]:
        names = [phase.name for phase in phases]
        if len(set(names)) < len(names):
            raise ValueError(f"phase names must differ, got {names}; use cycles to repeat phases")
        return phases


class Settings(Strict):
    """Everything that makes a cell. A sweep's `settings` are shared by its cells; a cell or a grid axis overrides them."""

    curriculum: str
    learning_rate: Positive = 0.01
    init_scale: Positive = 1.0
    scaled_layers: Literal["hidden", "output", "both"] = "hidden"
    init_half_width: Positive = 0.1
    hidden_units: int = Field(default=200, ge=1, le=100_000)
    bias: float = Field(default=-2.0, ge=-1e9, le=1e9, allow_inf_nan=False)
    stimulus_pools: int = Field(default=4, ge=1, le=12)
    response_pools: int = Field(default=3, ge=1, le=12)
    features: int = Field(default=3, ge=1, le=64)
    train_patterns: int = Field(default=500, ge=2, le=100_000)
    test_patterns: int = Field(default=500, ge=2, le=100_000)
    test_draw: Literal["iid", "disjoint"] = "iid"
    precision: Literal["float32", "float64"] = "float32"
    integrator: Literal["gd", "flow"] = "gd"  # gradient descent, or the gradient flow that small steps approximate
    estimators: tuple[str, ...] = Field(default=ESTIMATOR_NAMES, min_length=1)
    clusters: int = Field(default=12, ge=2, le=100_000)
    kmeans_restarts: int = Field(default=10, ge=1, le=10_000)
    kmeans_random_state: int = Field(default=10, ge=0, lt=2**32 - 1000)
    kmeans_repeats: int = Field(default=0, ge=0, le=1000)  # silhouettes again with other k-means starts: reliability
    data_redraws: int = Field(default=0, ge=0, le=1000)  # silhouettes again on other data, same weights: reliability
    predictors: tuple[str, ...] = ()  # at t = 0, beside the silhouettes; `all` for every one that needs no reference
    # Of linear_response: wide networks whose training is run backwards, once for a cell and data set (`study.references`).
    references: int = Field(default=3, ge=1, le=100)  # as many are averaged
    reference_units: int = Field(default=1000, ge=2, le=100_000)  # of each
    reference_bins: int = Field(default=8, ge=1, le=10_000)  # that a phase is gathered into: two gradients each for a network
    reference_data_seed: int | None = Field(default=None, ge=0, lt=2**62)  # of their data; the network's own unless given
    structure_records: int = Field(default=0, ge=0, le=1000)  # log-spaced steps of a phase to measure structure at; 0: none
    structure_estimators: tuple[str, ...] = Field(default=("svd_right",), min_length=1)  # silhouettes at those steps
    keep_seeds: tuple[Annotated[int, Field(ge=0, lt=2**62)], ...] = ()  # keep hidden activity and t = 0 vectors of these seeds
    snapshots: int = Field(default=101, ge=2, le=10_000)  # of hidden activity, evenly spaced in the first phase

    @field_validator("predictors", mode="before")
    @classmethod
    def _every_predictor(cls, names: Any) -> Any:
        return PREDICTOR_NAMES if names == "all" else names

    @field_validator("predictors")
    @classmethod
    def _known_predictors(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = (*PREDICTOR_NAMES, *RESPONSES)
        unknown = [name for name in names if name not in known]
        if unknown or len(set(names)) < len(names):
            raise ValueError(f"{_meant(unknown, known)}must be all, or distinct names among {', '.join(known)}")
        return names

    @field_validator("structure_records")
    @classmethod
    def _both_ends(cls, records: int) -> int:
        if 0 < records < 3:
            raise ValueError("must be 0 (structure during training is not measured) or at least 3")
        return records

    @field_validator("estimators", "structure_estimators")
    @classmethod
    def _known_estimators(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in ESTIMATOR_NAMES]
        if unknown or len(set(names)) < len(names):
            raise ValueError(f"{_meant(unknown, ESTIMATOR_NAMES)}must be distinct names among {', '.join(ESTIMATOR_NAMES)}")
        return names


def _meant(unknown: Sequence[str], known: Sequence[str]) -> str:
    """Before a list that may be cut off: the name that may be meant."""
    meant = did_you_mean(unknown[0], known) if unknown else ""
    return f"{meant.removeprefix('; ')} It " if meant else ""


@dataclass(frozen=True)
class SeedRange:
    """The seeds first, first + 1, ..., first + count - 1."""

    first: int
    count: int


def _read_seeds(value: Any) -> Any:
    """A count, {first, count} or a list; anything else is refused with what is allowed."""

    def whole(number: Any, least: int) -> bool:
        return isinstance(number, int) and not isinstance(number, bool) and least <= number < 2**62

    if isinstance(value, SeedRange):
        return value
    if whole(value, 1) and value <= MOST_SEEDS:
        return SeedRange(0, value)
    if (
        isinstance(value, dict)
        and set(value) <= {"first", "count"}
        and whole(value.get("count"), 1)
        and value["count"] <= MOST_SEEDS
        and whole(value.get("first", 0), 0)
    ):
        return SeedRange(value.get("first", 0), value["count"])
    if isinstance(value, (list, tuple)) and value and all(whole(v, 0) for v in value) and len(set(value)) == len(value):
        return tuple(value)
    raise ValueError("must be a count from 1 to 1,000,000, {first: 0, count: 10}, or a list of distinct seeds of at least 0")


Seeds = Annotated[SeedRange | tuple[int, ...], BeforeValidator(_read_seeds)]


def seed_list(seeds: SeedRange | tuple[int, ...]) -> tuple[int, ...]:
    """The seeds one by one."""
    return tuple(range(seeds.first, seeds.first + seeds.count)) if isinstance(seeds, SeedRange) else seeds


class CellSpec(Settings):
    seeds: Seeds | None = None  # the sweep's seeds unless given
    data: Literal["per_seed", "fixed", "crossed"] | None = None  # and its design
    data_seeds: Seeds | None = None


class PaperValues(Strict):
    r20: float | None = Field(default=None, ge=-1, le=1, allow_inf_nan=False)
    raw: float | None = Field(default=None, ge=-1, le=1, allow_inf_nan=False)


class ContrastSpec(Strict):
    """Which cells are compared: two cells, or two values of a grid axis (one contrast per combination of the other
    axes that has both), or earlier contrasts pooled."""

    first: str | int | float | bool | None = None
    second: str | int | float | bool | None = None
    axis: str | None = None
    pooled: tuple[ContrastName, ...] | None = Field(default=None, min_length=2)
    paper: dict[PhaseName, PaperValues] = Field(default_factory=dict)
    # What first is expected to have against second: in the silhouette, and in the losses of phases. Claims are made of it.
    expect: dict[PhaseName, Literal["higher", "lower"]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_kind(self) -> ContrastSpec:
        pair = self.first is not None and self.second is not None
        if (self.pooled is None) != pair or (self.pooled is not None and self.axis is not None):
            raise ValueError("needs either first and second (cells, or values of an axis), or pooled")
        return self


class Primary(Strict):
    """The one comparison named before the run: it needs no correction for the number of comparisons."""

    contrast: ContrastName
    phase: PhaseName
    outcome: Literal["test", "unseen"] = "test"
    estimator: str = "eig"


class Compute(Strict):
    """How the work is laid out; changes no result, but for last digits on a GPU, which rows name (`device`)."""

    block: int = Field(default=5, ge=1, le=1_000_000)  # networks per trial
    cpus_per_trial: int = Field(default=1, ge=1, le=1_000_000)  # reserved, for their memory; a network's sums take one thread
    checkpoint_seconds: float = Field(default=30.0, ge=0, le=1e9, allow_inf_nan=False)  # of work that a killed trial may lose
    gpus_per_trial: float = Field(default=0.0, ge=0, le=64, allow_inf_nan=False)

    @field_validator("gpus_per_trial")
    @classmethod
    def _share_or_whole(cls, gpus: float) -> float:
        if gpus > 1 and gpus != int(gpus):
            raise ValueError("must be a fraction up to 1, or a whole number")
        return gpus


class Tracking(Strict):
    """Weights & Biases. A file may say less than `online` and suggest a project (`study.outward`)."""

    mode: Literal["offline", "online", "disabled"] = "offline"
    project: str = "pntk"
    entity: str | None = None
    per_seed: bool = False  # a run per network instead of one per trial

    @field_validator("project")
    @classmethod
    def _known_to_wandb(cls, project: str) -> str:
        if problem := outward.project_problem(project):
            raise ValueError(problem)
        return project


FIXED = "settings"  # beside the axes of a grid: settings that all its cells share


def _read_grid(value: Any) -> Any:
    """Axes with lists of values, or a list of such grids; anything else is refused with what is allowed."""
    grids = value if isinstance(value, (list, tuple)) else [value]
    for grid in grids:
        if not isinstance(grid, dict) or not all(isinstance(axis, str) for axis in grid):
            raise ValueError("must be a mapping of axes to lists of values, or a list of such mappings")
        for axis, values in grid.items():
            if axis == FIXED:
                if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
                    raise ValueError(f"{FIXED} of a grid must be a mapping of settings, got {str(values)[:60]}")
            elif not isinstance(values, (list, tuple)):
                raise ValueError(f"axis {axis[:60]} must have a list of values, got {str(values)[:60]}")
    return value


Grids = Annotated[dict[str, Any] | tuple[dict[str, Any], ...], BeforeValidator(_read_grid)]


class AxisRange(Strict):
    """A range of a scan's axis, both ends included."""

    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> AxisRange:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError("needs low below high, and low above 0 with log: true")
        return self


class ScanSpec(Strict):
    """A search for the settings that are best by some objectives (`study.scan`). The sweep's `seeds` train its points."""

    objectives: tuple[Literal["generalisation", "multitasking", "seed_level_r", "crossover"], ...] = Field(min_length=1)
    space: dict[str, AxisRange | list[Any]] = Field(min_length=1)  # axis: a range, or a list of choices
    points: int = Field(default=40, ge=1, le=100_000)
    sampler: Literal["tpe", "gp", "nsga2", "qmc", "random"] = "tpe"
    seed: int = Field(default=0, ge=0, lt=2**32)  # of the sampler
    evaluation_seeds: Seeds  # of the final tables: no point is chosen by them
    confirm: int = Field(default=6, ge=1, le=1000)  # points at most that are trained again on the evaluation seeds
    pruning: bool = True
    # Trained before a point may be pruned; half of them unless given.
    first_seeds: int | None = Field(default=None, ge=2, le=MOST_SEEDS)
    phase: PhaseName | None = None  # of seed_level_r and crossover; the last unless given
    estimator: str | None = None  # of seed_level_r; the first of the settings unless given
    tolerance: float = Field(default=1.1, gt=1, le=1000, allow_inf_nan=False)  # of crossover: upper end over lower end
    storage: str = ""  # not for a file: `--storage URL`; stored files of earlier versions have it empty

    @field_validator("storage")
    @classmethod
    def _not_of_a_file(cls, storage: str) -> str:
        if storage:
            raise ValueError("a file cannot name storage; remove the field and say --storage URL on the command line")
        return storage


class Sweep(Strict):
    name: Name
    description: str = ""
    seeds: Seeds = SeedRange(0, 10)
    data: Literal["per_seed", "fixed", "crossed"] = "per_seed"
    data_seeds: Seeds = SeedRange(0, 1)  # the data sets of a fixed or crossed design
    network: Literal["multitask", "linear"] = "multitask"  # linear: cells as in `study.linear_settings`
    curricula: dict[Name, CurriculumSpec] = Field(default_factory=dict)  # of multitask networks, which need one
    settings: dict[str, Any] = Field(default_factory=dict)
    cells: dict[Name, dict[str, Any] | None] = Field(default_factory=dict)
    grid: Grids = Field(default_factory=dict)  # axes, crossed; or several such grids, each with `settings` of its own
    contrasts: dict[Name, ContrastSpec] = Field(default_factory=dict)
    primary: Primary | None = None
    scan: ScanSpec | None = None  # in place of cells and grid
    linear: Sweep | None = None  # of linear networks, run along, tracked as this one; a file may name another file instead
    compute: Compute = Compute()
    wandb: Annotated[Tracking, BeforeValidator(outward.of_a_file)] = Tracking()

    def identity(self) -> dict[str, Any]:
        """All that decides results and their analysis, as plain data: what one folder must agree on."""
        free: Any = {"compute": True, "wandb": True, "description": True, "linear": True, "scan": {"points", "storage"}}
        free["contrasts"] = {"__all__": {"expect"}}  # words beside numbers, which folders of earlier versions lack
        return self.model_dump(mode="json", exclude=free)
