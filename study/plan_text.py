"""What a run is going to do, before any work: its cells, what its seeds can and cannot say, and how long it may take."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console

from study import linear_trial
from study.cost import reference_seconds, steps_of_reference
from study.machine import cores
from study.plan import Block, Cell, LinearCell, Plan
from study.progress import duration
from study.rows import finished
from study.sheets import Sheet, print_sheet
from study.statistics.intervals import FEWEST_PAIRS
from study.statistics.power import expected_width
from study.storage import Location
from study.threads import threads
from study.work import work_of

START_SECONDS = 12  # of Ray and its workers; a trial costs about a second on top of its training
PROBE_STEPS = 60
MOST_CELLS = 30
LARGE = 0.5  # of a correlation: wider intervals exclude next to nothing


def seconds_per_linear_step(block: Block[LinearCell]) -> float:
    """The same of the linear network, whose blocks advance together."""
    settings = block.cell.settings
    marks = tuple(mark for mark in settings.marks if mark <= PROBE_STEPS)
    short = settings.model_copy(update={"steps": PROBE_STEPS, "marks": marks})
    with threads(1):
        start = time.perf_counter()
        linear_trial.run_block(Block(LinearCell(block.cell.name, short, block.draws), block.draws))
        return (time.perf_counter() - start) / PROBE_STEPS / len(block.draws)


def _plan_row(cell: Cell | LinearCell, ready: int) -> list[str]:
    networks = [str(len(cell.draws)), str(ready)]
    if isinstance(cell, LinearCell):
        s = cell.settings
        return [cell.name, f"linear ({s.steps:,})", f"{s.learning_rate:g}", f"{s.init_scale:g}", s.start, *networks]
    phases = ", ".join(f"{phase.name} ({phase.steps:,})" for phase in cell.curriculum.phases)
    cycles = f" x {cell.curriculum.cycles}" if cell.curriculum.cycles > 1 else ""
    rates = ", ".join(dict.fromkeys(f"{phase.learning_rate:g}" for phase in cell.curriculum.phases))
    return [cell.name, phases + cycles, rates, f"{cell.settings.init_scale:g}", cell.settings.scaled_layers, *networks]


def print_plan(console: Console, plan: Plan, out: Location, address: str | None) -> None:
    """What is going to be done, and how long it may take."""
    done = finished(out)
    cells = plan.cells[:MOST_CELLS]
    rows = [_plan_row(cell, sum((cell.name, draw) in done for draw in cell.draws)) for cell in cells]
    start = "start" if plan.sweep.network == "linear" else "scaled"
    headings = ["cell", "phases (steps)", "learning rate", "init scale", start, "networks", "finished"]
    print_sheet(console, Sheet(f"Sweep {plan.sweep.name}: {plan.sweep.description}", headings, rows, left=5))
    if len(cells) < len(plan.cells):
        console.print(f"... and {len(plan.cells) - len(cells)} more cells")
    for line in what_seeds_can_say(plan):
        console.print(line, highlight=False, markup=False)
    blocks = plan.blocks(done)
    networks = sum(len(block.draws) for block in blocks)
    steps = sum(len(block.draws) * block.cell.steps for block in blocks)
    console.print(
        f"{len(plan.cells)} cells, {plan.networks} networks, {plan.steps:,} gradient steps; "
        f"left: {networks} networks in {len(blocks)} trials, {steps:,} steps. Results go to {out}.",
        highlight=False,
        markup=False,
    )
    if blocks:
        seconds = _estimated_seconds(plan, blocks)
        workers = max(cores() // plan.sweep.compute.cpus_per_trial, 1)
        workers = min(workers, len(blocks))
        text = f"Estimated time: {duration(seconds)} of one core"
        console.print(
            text
            + (
                "."
                if address
                else f", about {duration(seconds / workers + START_SECONDS + len(blocks) / workers)} on {workers} cores."
            ),
            highlight=False,
        )


def what_seeds_can_say(plan: Plan) -> list[str]:
    """What can and cannot be answered with the sweep's seeds, one line per number of seeds: none of the correlations over seeds
    below five, else how wide their intervals will be."""
    seeds: dict[int, list[str]] = {}
    for contrast in plan.contrasts:
        common = [{d.seed for d in plan.cell(a).draws} & {d.seed for d in plan.cell(b).draws} for a, b in contrast.pairs]
        seeds.setdefault(len(set.union(*common)), []).append(contrast.name)
    if not plan.contrasts and plan.sweep.network != "linear":
        for cell in plan.cells:
            seeds.setdefault(len({draw.seed for draw in cell.draws}), []).append(cell.name)
    lines = []
    for count, names in seeds.items():
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        of = f"{count} seed{'s' if count > 1 else ''} a {'contrast' if plan.contrasts else 'cell'} ({shown})"
        if count < FEWEST_PAIRS:
            lines.append(
                f"{of}: enough to see that it runs and to look at single networks; too few for any interval or p value, so "
                f"neither whether conditions differ nor which seed does better can be answered. {FEWEST_PAIRS} seeds are the "
                f"least: --set seeds={FEWEST_PAIRS}."
            )
            continue
        half = expected_width(0.0, count) / 2
        lines.append(
            f"{of}: enough to see whether conditions differ; a correlation over seeds near 0 will be known within about "
            f"{half:.2f}"
            + ("." if half < LARGE else ", so only a very strong one can be shown, and a moderate one not excluded.")
        )
    return lines


def _estimated_seconds(plan: Plan, blocks: list[Block[Any]]) -> float:
    """One core's time for the blocks: a probe of this machine, and the model of `study.cost`."""
    if plan.sweep.network == "linear":
        return seconds_per_linear_step(blocks[0]) * sum(block.cell.steps * len(block.draws) for block in blocks)
    steps = {cell.name: steps_of_reference(cell) * work_of(cell) for cell in {b.cell.name: b.cell for b in blocks}.values()}
    return reference_seconds() * sum(steps[block.cell.name] * len(block.draws) for block in blocks)
