"""Structure while a block is trained: silhouettes, how far the kernel has moved, and hidden activity of chosen seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pntk.curriculum import Phase
from pntk.data import PhaseData
from pntk.network import WEIGHT_NAMES, Networks
from pntk.structure.activity import Groups, group_means, single_task_groups
from pntk.structure.alignment import cka, cosine, target_alignment, velocity
from pntk.structure.rank import effective_rank
from pntk.structure.silhouette import ESTIMATORS, Clustering, Start, silhouettes
from pntk.training.recorder import Visits, recorded_steps
from study.plan import Cell, Draw

Array = NDArray[np.float64]
KERNEL_MEASURES = ("cka", "cosine", "velocity", "alignment", "effective_rank")

# What a record of one network of the paper costs in gradient steps: its kernel and each estimator's silhouette.
STEPS_PER_RECORD = 300
STEPS_PER_SILHOUETTE = 130
STEPS_PER_EIG = 120


@dataclass(frozen=True)
class Structure:
    """Structure of B networks at K steps of a phase.

    Attributes:
        steps: (K,), counted on over the phase's turns.
        measures: "silhouette_<estimator>" and KERNEL_MEASURES to (B, K); NaN where not defined.
    """

    steps: NDArray[np.int64]
    measures: dict[str, Array]


@dataclass(frozen=True)
class Kept:
    """What is kept of one chosen network.

    Attributes:
        groups: the groups of patterns whose mean hidden activity is kept.
        phases, steps: (K,) where each snapshot was taken.
        activity: (K, G, H) float32.
        patterns: (M,) ids of the first phase's training patterns, as drawn.
        vectors: estimator to its (M, R) features at t = 0, a leading vector of the eNTK of each output.
    """

    groups: Groups
    phases: tuple[str, ...]
    steps: NDArray[np.int64]
    activity: NDArray[np.float32]
    patterns: NDArray[np.int64]
    vectors: dict[str, Array]


def structure_steps(steps: int, records: int) -> list[int]:
    """At most `records` (0, or 3 and more) log-spaced steps of a phase, 0 and the last one included."""
    return recorded_steps(steps, records - 1) if records else []


def snapshot_steps(steps: int, snapshots: int) -> list[int]:
    """Evenly spaced steps of a phase, 0 and the last one included; fewer than `snapshots` where it has fewer steps."""
    return np.unique(np.linspace(0, steps, snapshots).round().astype(int)).tolist()


def record_work(cell: Cell) -> int:
    """Work of one record of one network, in gradient steps; see `study.work.measurement_work`."""
    settings = cell.settings
    if not settings.structure_records:
        return 0
    patterns = settings.train_patterns / 500
    fast = [name for name in settings.structure_estimators if name != "eig"]
    eig = STEPS_PER_EIG * patterns**2 * 200 / settings.hidden_units if len(fast) < len(settings.structure_estimators) else 0
    return round((STEPS_PER_RECORD + STEPS_PER_SILHOUETTE * len(fast)) * patterns + eig)


def structure_work(cell: Cell) -> int:
    """Work of all records of one network, in gradient steps. Snapshots of chosen seeds are few and not counted."""
    records = sum(len(structure_steps(phase.steps, cell.settings.structure_records)) for phase in cell.curriculum.turns)
    return record_work(cell) * records


def kernel_of(start: Start) -> Array:
    """The kernel whose movement is followed: the sum over outputs of the unweighted NTK, (M, M), on training patterns.

    Unweighted, since the eNTK shrinks with the errors and would seem to move where only the loss falls. Summed, since it
    then is one kernel of the whole network, the trace of its NTK over outputs: symmetric, positive semi-definite, blind to
    how outputs are numbered, and with one eigendecomposition where there would be one per output.
    """
    return np.asarray(start.ntk.sum(axis=0))


def _shown(networks: Networks) -> Networks:
    """Networks as they are measured: contiguous, so that the last digit depends on the weights alone and not on how training
    lays them out."""
    return networks.map(lambda weights: weights.to(torch.float64).contiguous())


def _finite(start: Start) -> bool:
    return all(bool(weights.isfinite().all()) for weights in start.networks.weights)


def _kernel(start: Start, like: Array) -> Array:
    """The kernel of a network; NaN for one that is lost to numbers that are not finite."""
    return kernel_of(start) if _finite(start) else np.full_like(like, np.nan)


class Observer:
    """Measures a block in training. Networks come one after another on the CPU and all at once elsewhere."""

    def __init__(
        self,
        cell: Cell,
        draws: Sequence[Draw],
        initial: Networks,
        data: dict[str, tuple[PhaseData, ...]],
        starts: Callable[[Networks, Sequence[PhaseData]], list[Start]],
        tell: Callable[[int], None],
    ) -> None:
        """
        Args:
            initial: the networks before training, float64.
            data: phase name to the data of each network.
            starts: networks and their data as what estimators read.
            tell: called with the work done since the last call, in gradient steps.
        """
        self.cell, self.draws, self.initial, self.data, self.starts, self.tell = cell, draws, initial, data, starts, tell
        settings = cell.settings
        self.clustering = Clustering(settings.clusters, settings.kmeans_restarts, settings.kmeans_random_state)
        self.kept_places = [i for i, draw in enumerate(draws) if draw.seed in settings.keep_seeds]
        self.groups = single_task_groups(cell.environment) if self.kept_places else None
        self.offsets: dict[str, int] = {}
        self.untrained = True
        self.records: dict[str, dict[int, dict[int, dict[str, float]]]] = {}
        self.snapshots: dict[int, list[tuple[str, int, NDArray[np.float32]]]] = {i: [] for i in self.kept_places}
        self.last: dict[int, tuple[int, Networks]] = {}  # place to step and network of the last record in this turn

    def turn(self, phase: Phase) -> Visits | None:
        """What to visit in the turn of a phase that is about to begin, or to be taken up where it was left."""
        settings = self.cell.settings
        offset = self.offsets.get(phase.name, 0)
        self.offsets[phase.name] = offset + phase.steps
        untrained, self.untrained = self.untrained, False
        at = structure_steps(phase.steps, settings.structure_records)
        first_phase = phase.name == self.cell.curriculum.phases[0].name
        shots = snapshot_steps(phase.steps, settings.snapshots) if self.kept_places and first_phase else []
        references: dict[int, Array] = {}
        before: dict[int, tuple[Array, int]] = {}

        def visit(first: int, step: int, networks: Networks) -> None:
            places = range(first, first + len(networks))
            if step in shots:
                self._keep(phase.name, offset + step, places, networks)
            if step not in at:
                return
            if untrained and step == 0:  # the networks of the t = 0 measurement, not yet rounded to training's precision
                networks = self.initial.part(slice(first, first + len(networks)))
            drawn = self.data[phase.name][first : first + len(networks)]
            if first not in references:
                origins = self.starts(self.initial.part(slice(first, first + len(networks))), drawn)
                references.update((i, kernel_of(origin)) for i, origin in zip(places, origins, strict=True))
                for i, data in zip(places, drawn, strict=True):
                    if i in self.last and step > 0:  # the last record was before training was left
                        last_step, then = self.last[i]
                        again = self.starts(then.to(device=networks.W1.device), [data])[0]
                        before[i] = _kernel(again, references[i]), last_step
            shown = _shown(networks)
            for i, start in zip(places, self.starts(shown, drawn), strict=True):
                measures = self._measure(start, references[i], before, i, step)
                self.last[i] = step, shown.network(i - first)
                self.records.setdefault(phase.name, {}).setdefault(i, {})[offset + step] = measures
                if step == at[-1]:
                    del references[i], before[i], self.last[i]  # large, and a block may have many networks
                self.tell(record_work(self.cell))

        return Visits(tuple(sorted({*at, *shots})), visit) if at or shots else None

    def _measure(
        self, start: Start, reference: Array, before: dict[int, tuple[Array, int]], place: int, step: int
    ) -> dict[str, float]:
        """All measures of one network; NaN for one that is lost to numbers that are not finite."""
        names = self.cell.settings.structure_estimators
        if not _finite(start):
            before[place] = _kernel(start, reference), step
            return dict.fromkeys([*(f"silhouette_{name}" for name in names), *KERNEL_MEASURES], float("nan"))
        kernel = kernel_of(start)
        last, last_step = before.get(place, (kernel, step))
        before[place] = kernel, step
        found = {f"silhouette_{n}": value for n, value in silhouettes(start, names, self.clustering).items()}
        values = (
            cka(reference, kernel),
            cosine(reference, kernel),
            velocity(last, kernel, last_step, step),
            target_alignment(kernel, start.train_targets.cpu().numpy()),
            effective_rank(kernel),
        )
        return found | dict(zip(KERNEL_MEASURES, values, strict=True))

    def _keep(self, phase: str, step: int, places: range, networks: Networks) -> None:
        for i in set(places) & set(self.kept_places):
            assert self.groups is not None
            means = group_means(networks.network(i - places.start), self.groups)[0]
            self.snapshots[i].append((phase, step, means.float().cpu().numpy()))

    def known(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All that was measured so far, as plain data and arrays."""
        records = [
            (phase, place, step, measures)
            for phase, places in self.records.items()
            for place, steps in places.items()
            for step, measures in steps.items()
        ]
        taken = {place: shots for place, shots in self.snapshots.items() if shots}
        plain = {"records": records, "snapshots": [(i, [shot[:2] for shot in shots]) for i, shots in taken.items()]}
        plain["last"] = [(place, step) for place, (step, _) in self.last.items()]
        arrays = {str(place): np.stack([shot[2] for shot in shots]) for place, shots in taken.items()}
        for place, (_, network) in self.last.items():
            named = zip(WEIGHT_NAMES, network.weights, strict=True)
            arrays |= {f"last.{place}.{name}": weights.cpu().numpy() for name, weights in named}
        return plain, arrays

    def learn(self, plain: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Take up what `known` gave."""
        for phase, place, step, measures in plain.get("records", []):
            self.records.setdefault(phase, {}).setdefault(place, {})[step] = measures
        for place, shots in plain.get("snapshots", []):
            activity = arrays[str(place)]
            self.snapshots[place] = [(phase, step, activity[k]) for k, (phase, step) in enumerate(shots)]
        for place, step in plain.get("last", []):
            w1, w2, v1, v2 = (torch.from_numpy(arrays[f"last.{place}.{name}"]) for name in WEIGHT_NAMES)
            self.last[place] = step, Networks(w1, w2, v1, v2, self.initial.bias)

    def structure(self) -> dict[str, Structure]:
        """Phase name to the structure of the block."""
        found = {}
        for phase, networks in self.records.items():
            steps = sorted(networks[0])
            names = networks[0][steps[0]]
            measures = {n: np.array([[networks[i][s][n] for s in steps] for i in range(len(self.draws))]) for n in names}
            found[phase] = Structure(np.array(steps), measures)
        return found

    def kept(self) -> dict[Draw, Kept]:
        """What is kept of each chosen network of the block."""
        found = {}
        for i in self.kept_places:
            assert self.groups is not None
            data = self.data[self.cell.curriculum.phases[0].name][i]
            start = self.starts(self.initial.network(i), [data])[0]
            names = ("svd_right", "eig") if len(data.train) == len(data.test) else ("svd_right",)
            phases, steps, activity = zip(*self.snapshots[i], strict=True)
            vectors = {name: ESTIMATORS[name](start) for name in names}
            found[self.draws[i]] = Kept(self.groups, phases, np.array(steps), np.stack(activity), data.train, vectors)
        return found
