"""The `attribute` command: train networks of a study again and say which training patterns moved which outputs."""

from __future__ import annotations

import io
import json
import multiprocessing
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from pntk.data import PatternBlock, pattern_block
from pntk.kernels.path import PathKernel, path_kernel
from pntk.network import base_networks, scaled
from pntk.structure.attribution import Attribution, attribute
from pntk.training.workspace import mean_loss
from study.attribution_sheets import sheets_of
from study.export import find_draw
from study.memory import check_attribution
from study.plan import Cell, Draw, Plan
from study.sheets import markdown, print_sheet
from study.storage import write_bytes, write_text
from study.sweep import SweepError
from study.threads import threads
from study.trial import phase_data
from study.written import check_ours


@dataclass(frozen=True)
class PhaseTrace:
    """What one phase (all its turns) did to the outputs at the phase's test patterns; one network, float64.

    Attributes:
        test, train: distinct patterns with counts, blocks of one.
        path: P (1, N, R, M) and what it must sum to.
        wanted, unwanted: movement of outputs that should be on, and of those that should be off.
        losses: mean loss on training patterns before and after, and on test patterns after.
    """

    cell: str
    phase: str
    steps: int
    learning_rate: float
    test: PatternBlock
    train: PatternBlock
    path: PathKernel
    wanted: Attribution
    unwanted: Attribution
    losses: tuple[float, float, float]
    seconds: float

    @property
    def completeness_error(self) -> float:
        return float(self.path.completeness_error[0])

    @property
    def diverged(self) -> bool:
        before, after, test = self.losses
        return not (np.isfinite([before, after, test]).all() and after <= before)


def trace(cell: Cell, draw: Draw, thin: int = 1, tolerance: float = 1e-10) -> list[PhaseTrace]:
    """Train one network through its curriculum in float64 and attribute every phase."""
    settings = cell.settings
    base = base_networks(cell.environment, settings.hidden_units, [draw.seed], settings.init_half_width, settings.bias)
    networks = scaled(base, settings.init_scale, settings.scaled_layers)
    turns: dict[str, list[tuple[PathKernel, tuple[float, float, float], float]]] = {}
    blocks = {}
    for phase in cell.curriculum.phases:
        data = phase_data(cell, phase, draw)
        blocks[phase.name] = [pattern_block(cell.environment, [ids], multiple=1) for ids in (data.test, data.train)]
    for phase in cell.curriculum.turns:
        test, train = blocks[phase.name]
        before, started = float(mean_loss(networks, train)), time.process_time()
        networks, path = path_kernel(
            networks, test.inputs, train, phase.steps, phase.learning_rate, tolerance=tolerance, thin=thin
        )
        losses = before, float(mean_loss(networks, train)), float(mean_loss(networks, test))
        turns.setdefault(phase.name, []).append((path, losses, time.process_time() - started))
    traces = []
    for phase in cell.curriculum.phases:
        paths, losses_of_turns, seconds = zip(*turns[phase.name], strict=True)
        test, train = blocks[phase.name]
        path = _sum(paths)
        wanted, unwanted = (
            attribute(cell.environment, path.kernel[0], test.inputs[0], on * test.counts[0, :, None], train.inputs[0])
            for on in (test.targets[0], 1 - test.targets[0])
        )
        losses = losses_of_turns[0][0], *losses_of_turns[-1][1:]
        steps = phase.steps * cell.curriculum.cycles
        rate = phase.learning_rate
        traces.append(PhaseTrace(cell.name, phase.name, steps, rate, test, train, path, wanted, unwanted, losses, sum(seconds)))
    return traces


def _sum(paths: Sequence[PathKernel]) -> PathKernel:
    """The turns of a phase as one path: what other phases did in between belongs to those."""
    nodes: dict[int, int] = {}
    for path in paths:
        for count, segments in path.nodes.items():
            nodes[count] = nodes.get(count, 0) + segments
    return PathKernel(
        sum((p.kernel for p in paths[1:]), paths[0].kernel), sum((p.change for p in paths[1:]), paths[0].change), nodes
    )


def arrays_of(traces: Sequence[PhaseTrace]) -> dict[str, np.ndarray]:
    """Everything of one network by name: P, the patterns of its rows and columns, and the group sums."""
    arrays: dict[str, Any] = {}
    for traced in traces:
        found: dict[str, Any] = {"kernel": traced.path.kernel[0], "change": traced.path.change[0]}
        for kind, block in (("test", traced.test), ("train", traced.train)):
            found |= {f"{kind}_{name}": getattr(block, name)[0] for name in ("inputs", "targets", "counts")}
        for side in ("wanted", "unwanted"):
            found |= {f"{side}_{name}": value for name, value in vars(getattr(traced, side)).items()}
        found["completeness_error"] = traced.path.completeness_error[0]
        arrays |= {f"{traced.phase}_{name}": value.numpy() for name, value in found.items()}
    return arrays


def check(
    plan: Plan, names: Sequence[str], seed: int, data_seed: int | None, to: Path, thin: int, workers: int
) -> list[tuple[Cell, Draw]]:
    """The networks that are asked for.

    Raises:
        SweepError: an unknown cell or seed, training that has no full-batch steps, cells of different environments, or a
            folder that cannot be one.
    """
    if thin < 1:
        raise SweepError(f"--thin = {thin}: must be at least 1")
    if workers < 1:
        raise SweepError(f"--workers = {workers}: must be at least 1")
    if len(set(names)) < len(names):
        raise SweepError(f"--cell = {' '.join(names)}: names must differ")
    if plan.sweep.network == "linear":
        raise SweepError(f"--cell = {' '.join(names)}: of the linear network, whose path-integrated kernel is in its rows")
    if to.exists() and not to.is_dir():
        raise SweepError(f"--to {to}: must name a folder")
    chosen = []
    for name in names:
        cell = plan.cell(name)
        if cell.settings.integrator != "gd":
            raise SweepError(f"cells.{name}.integrator = {cell.settings.integrator!r}: only 'gd' has steps to attribute")
        batched = [phase for phase in cell.curriculum.phases if phase.batch_size is not None]
        if batched:
            raise SweepError(
                f"cells.{name}: phase {batched[0].name!r} has batch_size {batched[0].batch_size}, only full batch allowed"
            )
        chosen.append((cell, find_draw(cell, seed, data_seed)))
        if cell.environment != chosen[0][0].environment:  # pictures put networks side by side on the same axes
            raise SweepError(f"--cell = {' '.join(names)}: have different pools or features; trace them one by one")
    check_attribution([cell for cell, _ in chosen], workers)
    return chosen


def _alone(cell: Cell, draw: Draw, thin: int) -> list[PhaseTrace]:
    with threads(1):
        return trace(cell, draw, thin)


def attribute_study(
    plan: Plan, names: Sequence[str], seed: int, data_seed: int | None, to: Path, thin: int, workers: int, console: Console
) -> list[list[PhaseTrace]]:
    """Trace networks of a study, one process each, print tables, and write arrays, tables and pictures into `to`.

    Raises:
        SweepError: see `check`.
    """
    from study.figures.attribution import attribution_figure
    from study.figures.style import save, use_our_style

    chosen = check(plan, names, seed, data_seed, to, thin, workers)
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SweepError(f"--to {to}: cannot be made ({error.strerror})") from None
    phases_named = dict.fromkeys(phase.name for cell, _ in chosen for phase in cell.curriculum.phases)
    pictures = [f"attribution-{phase}.{kind}" for phase in phases_named for kind in ("svg", "png")]
    arrays = [f"{cell.name}-{draw.seed}.npz" for cell, draw in chosen]
    check_ours(to, ["attribution.json", "attribution.md", *arrays, *pictures], "attribution.json", "--to")
    started = time.monotonic()
    if workers == 1 or len(chosen) == 1:
        traced = [_alone(cell, draw, thin) for cell, draw in chosen]
    else:
        spawn, quiet = multiprocessing.get_context("spawn"), (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for this process
        with ProcessPoolExecutor(min(workers, len(chosen)), spawn, initializer=signal.signal, initargs=quiet) as pool:
            try:
                traced = [job.result() for job in [pool.submit(_alone, cell, draw, thin) for cell, draw in chosen]]
            except KeyboardInterrupt:
                for child in multiprocessing.active_children():  # else the pool waits for them, which may take minutes
                    child.terminate()
                raise
    seconds = time.monotonic() - started
    files = [to / "attribution.json", to / "attribution.md"]  # the first says whose the others are
    numbers = {"seed": seed, "thin": thin, "seconds": seconds, "networks": [[_numbers(t) for t in traces] for traces in traced]}
    write_text(files[0], json.dumps(numbers, indent=1, allow_nan=False) + "\n")
    sheets = [sheet for (cell, _), traces in zip(chosen, traced, strict=True) for sheet in sheets_of(cell.environment, traces)]
    write_text(files[1], "\n".join(map(markdown, sheets)))
    for (cell, draw), traces in zip(chosen, traced, strict=True):
        files.append(to / f"{cell.name}-{draw.seed}.npz")
        sink = io.BytesIO()
        np.savez(sink, **arrays_of(traces))  # type: ignore[arg-type]
        write_bytes(files[-1], sink.getbuffer())
    use_our_style()
    for phases in _by_phase(traced):
        files += save(attribution_figure(chosen[0][0].environment, phases), to, f"attribution-{phases[0].phase}")
    for sheet in sheets:
        print_sheet(console, sheet)
    worst = max(t.completeness_error for traces in traced for t in traces)
    console.print(f"Completeness error at most {worst:.1e}; {seconds:.0f} s.", highlight=False)
    console.print("Files: " + ", ".join(map(str, files)), highlight=False, markup=False, soft_wrap=True)
    return traced


def _by_phase(traced: Sequence[Sequence[PhaseTrace]]) -> list[list[PhaseTrace]]:
    names = dict.fromkeys(t.phase for traces in traced for t in traces)
    return [[t for traces in traced for t in traces if t.phase == name] for name in names]


def _numbers(traced: PhaseTrace) -> dict[str, Any]:
    names = ("cell", "phase", "steps", "learning_rate", "completeness_error", "diverged", "losses", "seconds")
    nodes = {str(count): segments for count, segments in sorted(traced.path.nodes.items())}
    numbers = {name: getattr(traced, name) for name in names} | {"nodes": nodes}
    numbers["completeness_error"] = _finite(traced.completeness_error)
    return numbers | {"losses": [_finite(loss) for loss in traced.losses]}


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None  # JSON has no NaN
