"""Ray's OptunaSearch for scans: durable, seeded by trial, and never the same point twice.

What it adds. A sampler is made anew for every trial, seeded by the scan's seed and the trial's number: nothing of it lives
in memory only, so a scan that was killed goes on as if it had not been, and with one worker gives the same points. Trials
that were running then are taken up as they were. A point that is known already is told again and another is asked for; in a
finite space that one is, from the first repetition on, a point not yet seen that is nearest to the front. Points that are
dropped are told as pruned, which OptunaSearch itself cannot do with several objectives.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, QMCSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.trial import TrialState
from ray.tune.search.optuna import OptunaSearch

from study.grid import grid_name
from study.scan.front import front, oriented
from study.scan.objectives import Score
from study.scan.space import Scan
from study.scan.stored import JOURNAL as JOURNAL
from study.scan.stored import storage_of as storage_of
from study.sweep import SweepError

MOST_REPEATS = 50  # points in a row that are known already, before a search counts as exhausted
LARGEST_FINITE = 10_000  # points of a space in which those not yet seen can be listed
STARTUP = 10  # points drawn at random, or by NSGA-II as a generation, before a model is asked

optuna.logging.set_verbosity(optuna.logging.ERROR)


def sampler_of(name: str, seed: int, number: int) -> BaseSampler:
    """A sampler by name for one trial.

    Args:
        number: of the trial. QMC alone takes the scan's own seed: its points are one sequence, counted in the storage.
    """
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that multivariate TPE counts as experimental
        if name == "tpe":
            return TPESampler(seed=own, multivariate=True, n_startup_trials=STARTUP)
        if name == "gp":  # common seeds: the same point has the same value, there is no noise to fit
            return GPSampler(seed=own, deterministic_objective=True, n_startup_trials=STARTUP)
        if name == "nsga2":
            return NSGAIISampler(seed=own, population_size=STARTUP)
        if name == "qmc":
            independent = RandomSampler(seed=own)
            return QMCSampler(seed=seed, scramble=True, independent_sampler=independent, warn_independent_sampling=False)
        return RandomSampler(seed=own)


class ScanSearch(OptunaSearch):
    """Proposes the points of a scan.

    Args:
        known: scores of points that are done, by cell, as the rows have them; grows as trials complete.
        cells: all that have rows.

    Raises:
        SweepError: the storage holds finished points that the folder has no rows of.
    """

    def __init__(
        self, scan: Scan, storage: BaseStorage | None, known: Mapping[str, Score], cells: Collection[str] = ()
    ) -> None:
        self.scan = scan
        self.known = dict(known)
        self._cells = frozenset(cells)
        self.running: dict[str, tuple[int, str]] = {}  # Ray's trial: Optuna's number and the cell
        objectives = scan.objectives
        super().__init__(
            space={axis.name: axis.distribution for axis in scan.axes},
            metric=[objective.name for objective in objectives],
            mode=[objective.mode for objective in objectives],
            sampler=RandomSampler(seed=scan.spec.seed),
            study_name=scan.sweep.name,
            storage=storage,
        )
        self._training: dict[str, set[str]] = {}  # by Tune's trial: the cells that it may be training
        self._whole: set[str] = set()  # cells that have all their rows
        self._left = self._unfinished()
        for _, values in self._left:  # perhaps only its end was not told: it is told when it is looked at again
            self.known.pop(grid_name(values), None)

    @property
    def study(self) -> optuna.Study:
        return self._ot_study

    def _unfinished(self) -> list[tuple[int, dict[str, Any]]]:
        """Trials that were running when an earlier driver died; those that had no point yet are given up."""
        left: list[tuple[int, dict[str, Any]]] = []
        for trial in self.study.get_trials(deepcopy=False):
            whole = set(trial.params) == set(self._space)
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                name = grid_name(self.scan.values(trial.params)) if whole else "?"
                if name not in self._cells:
                    raise SweepError(
                        f"--storage: its study {self.scan.sweep.name!r} has the point {name!r}, of which this folder has no "
                        "rows; choose another storage, or the folder that it belongs to"
                    )
            elif trial.state == TrialState.RUNNING and whole and self.scan.values(trial.params) not in [v for _, v in left]:
                left.append((trial.number, self.scan.values(trial.params)))
            elif trial.state == TrialState.RUNNING:
                self.study.tell(trial.number, state=TrialState.FAIL)
        return left

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """The values of the next point, and what a worker needs to drop it early: the losses of the front so far."""
        if self._left:
            number, values = self._left.pop(0)
        else:
            asked = self._next()
            if asked is None:
                return self.FINISHED
            number, values = asked
        needed = self._cells_needed(values)
        if any(needed & cells for cells in self._training.values()):  # another trial is at one of them: when that has ended
            self._left.insert(0, (number, values))
            return None
        self.running[trial_id], self._training[trial_id] = (number, grid_name(values)), needed
        return {"values": values, "front": [score.per_seed for score in self._front().values()]}

    def _cells_needed(self, values: dict[str, Any]) -> set[str]:
        """What a point has trained: itself and what it is held against, unless that is known to be whole."""
        paired = any(objective.paired for objective in self.scan.objectives)
        reference = {grid_name(self.scan.reference(values))} if paired else set()
        return {grid_name(values), *(reference - self._whole)}

    def _next(self) -> tuple[int, dict[str, Any]] | None:
        for attempt in range(MOST_REPEATS):
            taken = {cell for _, cell in self.running.values()}
            number = len(self.study.get_trials(deepcopy=False))
            if attempt and self.scan.size <= LARGEST_FINITE and not self._enqueue_unseen(number, taken):
                return None
            self.study.sampler = sampler_of(self.scan.spec.sampler, self.scan.spec.seed, number)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                trial = self.study.ask(fixed_distributions=self._space)
            values = self.scan.values(trial.params)
            name = grid_name(values)
            if name not in self.known and name not in taken:
                trial.set_user_attr("cell", name)
                return trial.number, values
            trial.set_user_attr("cell", f"{name}, once more")
            score = self.known.get(name)
            self._tell(trial.number, score if name not in taken else None)
        return None

    def _front(self) -> dict[str, Score]:
        scored = {name: score for name, score in self.known.items() if score.values is not None and not score.pruned}
        values = oriented([score.values or () for score in scored.values()], list(self.mode))
        return {list(scored)[place]: list(scored.values())[place] for place in front(values)}

    def _enqueue_unseen(self, number: int, taken: set[str]) -> bool:
        """Queue a point not yet seen that is nearest to the front, counted in places along the axes; any, where the sampler
        does not look at values either."""
        places = [_places(distribution) for distribution in self._space.values()]
        found: dict[str, tuple[int, ...]] = {}
        for point in itertools.product(*(range(len(p)) for p in places)):
            parameters = {n: p[i] for n, p, i in zip(self._space, places, point, strict=True)}
            found[grid_name(self.scan.values(parameters))] = point
        left = [point for name, point in found.items() if name not in self.known and name not in taken]
        if not left:
            return False
        guided = self.scan.spec.sampler not in ("random", "qmc")
        best = np.array([found[name] for name in self._front() if name in found and guided]).reshape(-1, 1, len(places))
        apart = np.abs(best - np.array(left))
        named = [isinstance(d, CategoricalDistribution) for d in self._space.values()]
        apart[..., named] = np.minimum(apart[..., named], 1)  # names have no order
        distance = apart.sum(axis=2).min(axis=0) if len(best) else np.zeros(len(left))
        nearest = [point for point, d in zip(left, distance, strict=True) if d == distance.min()]
        chosen = nearest[np.random.default_rng([self.scan.spec.seed, number]).integers(len(nearest))]
        self.study.enqueue_trial({n: p[i] for n, p, i in zip(self._space, places, chosen, strict=True)})
        return True

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell Optuna; a trial that failed or was stopped is no point."""
        number, cell = self.running.pop(trial_id)
        trained = self._training.pop(trial_id)
        if error or not result or result.get("failed") or "pruned" not in result:
            self._tell(number, None)
            return
        values = [float(result[name]) for name in self.metric]
        per_seed = tuple(map(tuple, result["per_seed"]))
        score = Score(None if result["pruned"] else tuple(values), per_seed, result["seeds"], result["pruned"])
        if score.values is not None and not score.pruned:
            self._whole |= trained
        self.known[cell] = score
        self._tell(number, score)

    def _tell(self, number: int, score: Score | None) -> None:
        if score is None or (score.values is None and not score.pruned):
            self.study.tell(number, state=TrialState.FAIL)
        elif score.pruned or score.values is None:
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            self.study.tell(number, list(score.values))

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the storage and the rows have it all."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, see `save`."""


def _places(distribution: Any) -> list[Any]:
    """The values of a finite axis in order."""
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1))
    return list(distribution.choices)
