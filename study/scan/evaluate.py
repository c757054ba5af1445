"""One point of a scan under Ray Tune: its seeds in stages, dropped after the first where it is clearly dominated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
from ray import tune

from study.extension import group_of
from study.launch import finish, in_a_line
from study.plan import Block, Cell, Draw
from study.rows import read_rows
from study.scan.objectives import Score, clearly_dominated, score
from study.scan.space import Scan
from study.storage import Location, files, location
from study.sweep import Tracking


def evaluate(
    config: Mapping[str, Any],
    scan: Scan,
    out: str,
    tracking: Tracking,
    provenance: Mapping[str, str],
    driver: str,
) -> None:
    """The trainable: train what has no rows yet of the point that `config` holds, and report its score."""
    folder, compute, problems = location(out), scan.sweep.compute, []
    names = [objective.name for objective in scan.objectives]
    hardware = {
        "cpus": compute.cpus_per_trial,
        "gpus": compute.gpus_per_trial,
        "checkpoint_seconds": compute.checkpoint_seconds,
    }

    group = group_of(folder, scan.sweep)

    def train(cell: Cell, draws: tuple[Draw, ...]) -> None:
        for block in blocks_left(folder, cell, draws, compute.block):
            _, problem = finish(block, folder, hardware, scan.sweep.name, group, tracking, provenance, driver, lambda _: None)
            problems.extend([problem] if problem else [])

    undefined = dict.fromkeys(names, float("nan"))
    try:
        found = scored(scan, folder, config["values"], config["front"], train)
    except Exception as error:  # would be the same again, unlike the death of a worker, which Tune mends by another try
        tune.report(undefined | {"failed": in_a_line(error)})
        return
    values = dict(zip(names, found.values, strict=True)) if found.values is not None else undefined
    told = {"pruned": found.pruned, "per_seed": [list(losses) for losses in found.per_seed], "seeds": found.seeds}
    tune.report(values | told | {"tracking": problems[0] if problems else ""})


def scored(
    scan: Scan,
    folder: Location,
    values: dict[str, Any],
    front: list[Any],
    train: Callable[[Cell, tuple[Draw, ...]], None],
) -> Score:
    """Train a point, stage by stage, and score it from its rows."""
    cell, paired = scan.cell(values), any(objective.paired for objective in scan.objectives)
    count = 0
    for part in stages(scan):
        train(cell, part)
        count += len(part)
        found = score(scan.objectives, scan.spec, cell, rows_of_cell(folder, cell.name), None)
        if found.pruned == "diverged":
            return found
        # By the first seeds only, also where a killed trial has left more: what is dropped must not depend on that.
        first = [losses[:count] for losses in found.per_seed]
        if found.values is None and not paired and count < len(scan.draws) and clearly_dominated(first, front):
            return replace(found, pruned="dominated")
    if not paired:
        return found
    reference = scan.cell(scan.reference(values))
    for part in stages(scan):  # cut like a point's own, which this one may be of another worker
        train(reference, part)
    rows = rows_of_cell(folder, reference.name)
    return score(scan.objectives, scan.spec, cell, rows_of_cell(folder, cell.name), rows)


def stages(scan: Scan) -> list[tuple[Draw, ...]]:
    """The seeds of every cell of a scan in the parts in which they are trained, whether as a point or as a reference: so two
    workers that train one cell write the same files, never a seed into two."""
    return [part for part in (scan.draws[: scan.first], scan.draws[scan.first :]) if part]


def rows_of_cell(folder: Location, name: str) -> pd.DataFrame:
    """A cell's rows; empty where there are none."""
    there = files(folder / "rows" / name, ".parquet")
    return read_rows(folder, cell=name) if there else pd.DataFrame({"cell": [], "seed": [], "data_seed": []})


def blocks_left(folder: Location, cell: Cell, draws: tuple[Draw, ...], size: int) -> list[Block]:
    """Blocks of the draws that have no rows; cut before it is known which those are, so that two workers that need the same
    reference write the same files."""
    rows = rows_of_cell(folder, cell.name)
    done = set(zip(rows["seed"], rows["data_seed"], strict=True))
    cut = [draws[start : start + size] for start in range(0, len(draws), size)]
    left = [tuple(draw for draw in part if (draw.seed, draw.data_seed) not in done) for part in cut]
    return [Block(cell, part) for part in left if part]
