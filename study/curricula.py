"""From the curricula of a sweep to phases of training, with every impossible one refused."""

from __future__ import annotations

from pntk.curriculum import Curriculum, Phase
from pntk.tasks import Environment
from study.sweep import RESPONSES, Settings, Sweep, SweepError

LARGEST_PATTERN_SET = 2_000_000


def curriculum_of(sweep: Sweep, name: str, settings: Settings, environment: Environment) -> Curriculum:
    """The curriculum of the cell with this name.

    Raises:
        SweepError: a phase that the task environment, or the number of patterns, cannot have.
    """
    spec = sweep.curricula[settings.curriculum]
    phases = []
    for number, phase in enumerate(spec.phases):
        where = f"curricula.{settings.curriculum}.phases.{number}"
        counts = phase.task_counts
        used = [count for count, frequency in enumerate(counts, start=1) if frequency > 0]
        if not used:
            raise SweepError(f"{where}.task_counts = {list(counts)}: at least one frequency must be positive")
        if used[-1] > environment.most_tasks:
            raise SweepError(
                f"{where}.task_counts = {list(counts)}: {used[-1]} simultaneous tasks need {used[-1]} stimulus and response "
                f"pools; there are {environment.stimulus_pools} and {environment.response_pools}"
            )
        patterns = sum(environment.pattern_count(count) for count in used)
        if patterns > LARGEST_PATTERN_SET:
            raise SweepError(
                f"{where}: has {patterns:,} legal patterns, at most {LARGEST_PATTERN_SET:,} are allowed; "
                "use fewer pools or features"
            )
        fewest = min(environment.pattern_count(count) for count in used)
        if settings.test_draw == "disjoint" and settings.train_patterns >= fewest:
            raise SweepError(
                f"cells.{name}.train_patterns = {settings.train_patterns}: with test_draw 'disjoint' it must be below "
                f"{fewest}, the smallest number of legal patterns with one of the task counts of phase {phase.name!r}"
            )
        if phase.batch_size is not None and settings.integrator == "flow":
            raise SweepError(f"{where}.batch_size = {phase.batch_size}: integrator 'flow' takes the full batch only")
        if phase.batch_size is not None and phase.batch_size > settings.train_patterns:
            raise SweepError(
                f"{where}.batch_size = {phase.batch_size}: must be at most train_patterns ({settings.train_patterns})"
            )
        if phase.batch_size is not None and any(name in RESPONSES for name in settings.predictors):
            raise SweepError(f"{where}.batch_size = {phase.batch_size}: predictor linear_response takes the full batch only")
        rate = phase.learning_rate or settings.learning_rate
        phases.append(Phase(phase.name, counts, phase.steps, rate, phase.batch_size))
    return Curriculum(tuple(phases), spec.cycles)


def expected_distinct(phase: Phase, environment: Environment, size: int) -> float:
    """How many of `size` independent draws from a phase differ, on average."""
    total, expected = sum(phase.task_counts), 0.0
    for count, frequency in enumerate(phase.task_counts, start=1):
        if frequency > 0:
            patterns = environment.pattern_count(count)
            expected += patterns * (1 - (1 - frequency / total / patterns) ** size)
    return expected
