"""The `export` command: everything needed to check one network with one's own code, in one .npz file."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from pntk.network import WEIGHT_NAMES, Networks
from pntk.tasks import encode
from study.folder import check_file
from study.memory import check_alone
from study.plan import Block, Cell, Draw, Plan
from study.rows import RowsError, read_rows
from study.storage import Location, write_bytes
from study.sweep import SweepError, plain_line
from study.threads import threads
from study.trial import BlockResult, run_block


def arrays_of(result: BlockResult) -> dict[str, np.ndarray]:
    """The arrays of a block of one network, by name."""
    arrays = _weights("base", result.base) | _weights("initial", result.initial)
    for phase, networks in result.final.items():
        arrays |= _weights(f"final_{phase}", networks)
        for kind in ("train", "test"):
            inputs, targets = encode(result.block.cell.environment, getattr(result.data[phase][0], kind))
            arrays |= {f"{phase}_{kind}_inputs": inputs, f"{phase}_{kind}_targets": targets}
    arrays["bias"] = np.array(result.initial.bias)
    arrays |= {f"loss_{name}": np.array(values[0]) for name, values in result.losses.items()}
    return arrays | {f"silhouette_{name}": np.array(value) for name, value in result.measured[0].silhouettes.items()}


def _weights(prefix: str, networks: Networks) -> dict[str, np.ndarray]:
    return {f"{prefix}_{name}": w[0].cpu().numpy() for name, w in zip(WEIGHT_NAMES, networks.weights, strict=True)}


def export(plan: Plan, out: Location, cell_name: str, seed: int, data_seed: int | None, to: Path) -> list[str]:
    """Train one network of a study again and write its weights and data.

    Returns:
        lines to print: every array with its shape, and how the losses compare with the network's row.

    Raises:
        SweepError: no such cell or seed, or the file cannot be written.
    """
    if plan.sweep.network == "linear":
        raise SweepError(
            f"{out}: is a study of the linear network, whose inputs, targets and kernels are in its rows (array_*)"
        )
    cell = plan.cell(cell_name)
    draw = find_draw(cell, seed, data_seed)
    check_file(to, "--to", b"PK")
    check_alone(Block(cell, (draw,)))
    with threads(1):  # as in the study, so that losses agree to the last bit
        bare = cell.settings.model_copy(update={"predictors": ()})  # nothing that is exported needs them
        result = run_block(Block(replace(cell, settings=bare), (draw,)))
    arrays = arrays_of(result)
    sink = io.BytesIO()
    np.savez_compressed(sink, **arrays)  # type: ignore[arg-type]
    write_bytes(to, sink.getbuffer())
    lines = [f"{name:28s} {array.shape}" for name, array in arrays.items() if array.ndim]
    return [*lines, _comparison(out, cell_name, draw, result)]


def find_draw(cell: Cell, seed: int, data_seed: int | None = None) -> Draw:
    """The cell's draw with this seed, and this data seed or else its first one.

    Raises:
        SweepError: there is none.
    """
    draws = [d for d in cell.draws if d.seed == seed and data_seed in (None, d.data_seed)]
    if not draws:
        seeds = sorted({d.seed for d in cell.draws})
        if seed in seeds:
            known = sorted(d.data_seed for d in cell.draws if d.seed == seed)
            raise SweepError(
                f"--data-seed = {data_seed}: seed {seed} of {cell.name!r} has data seeds {known[0]} to {known[-1]}"
            )
        raise SweepError(f"--seed = {seed}: not in cell {cell.name!r}, which has seeds {seeds[0]} to {seeds[-1]}")
    return draws[0]


def _comparison(out: Location, cell: str, draw: Draw, result: BlockResult) -> str:
    """How the losses of this training agree with those in the study's rows."""
    try:
        frame = read_rows(out)
    except RowsError:
        return "The study has no rows to compare with."
    keys = (frame["cell"] == cell) & (frame["seed"] == draw.seed) & (frame["data_seed"] == draw.data_seed)
    if not keys.any():
        return "This network has no row yet to compare with."
    row = frame[keys].iloc[0]
    off = max(abs(row[f"loss_{n}"] - v[0]) / max(abs(row[f"loss_{n}"]), 1e-12) for n, v in result.losses.items())
    made = row["device"] if isinstance(row.get("device"), str) and row["device"] != "cpu" else ""
    by = f" (made by {plain_line(made, 60)}; these by the CPU)" if made else ""
    return f"Trained again; largest relative difference from the losses in the study's rows: {off:.1e}{by}."
