"""The `one-step` command: figure 1 of the source study, its numbers, and how fast the error falls with the learning rate."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

RATES = (0.03, 0.015, 0.0075, 0.00375)  # the source study's and its halves
GRID = 1000  # inputs on [-1, 1], as in the authors' script
TRAINING_STEPS = 10_000  # "final", as in the authors' script
SEEDS = range(20)  # measured beside the one in the picture: is it a lucky one?
OUTPUTS = ("one_step.json", "curves.csv", "figure_1.svg", "figure_1.png")
ERRORS = ("largest_error", "relative", "smooth_error", "smooth_relative")

DESCRIPTION = """\
One gradient step of a 1-100-1 ReLU network on six points (source study, figure 1): influence functions, weighted
influences, and their sum against the true step, at learning rate .03 and its halves. Seconds. Writes figure_1.svg,
figure_1.png, one_step.json (all numbers) and curves.csv (a row per input)."""


def add_command(commands: Any) -> None:
    """Register the command's options with the parser of `study`."""
    parser = commands.add_parser(
        "one-step",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="figure 1: one gradient step, predicted and true",
        description=DESCRIPTION,
    )
    parser.add_argument("--seed", type=int, default=9, metavar="N", help="of the weights (default: 9, the authors')")
    parser.add_argument("--out", type=Path, default=Path("results/one_step"), metavar="DIR")


def command(options: argparse.Namespace, console: Console) -> int:
    """Measure, draw, write and print.

    Raises:
        SweepError: a seed that torch does not take, or a folder that cannot be made.
    """
    from study.sheets import print_sheet
    from study.sweep import SweepError
    from study.written import check_ours

    if not 0 <= options.seed < 2**63:
        raise SweepError(f"--seed = {options.seed}: must be 0 or more, and below 2^63")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SweepError(f"{options.out}: cannot be used as --out ({error.strerror})") from None
    check_ours(options.out, OUTPUTS, OUTPUTS[0], "--out")
    numbers = measure(options.seed)
    files = write(numbers, options.out)
    print_sheet(console, _sheet(numbers))
    for line in _sentences(numbers):
        console.print(line, highlight=False, markup=False)
    console.print("Files: " + ", ".join(map(str, files)), highlight=False, markup=False)
    return 0


def measure(seed: int) -> dict[str, Any]:
    """All numbers of the figure and the table, as plain lists.

    Returns:
        `curves`: outputs, changes, and a list of curves per training point under `influence` and `weighted`; `points`;
        `errors`: a dictionary per learning rate; `slopes`: of each error against the rate; `seeds`: those of seeds 0 to 19.
    """
    import torch

    from pntk.one_step import descended, one_step, rate_errors, relu_network, slope, step_data

    inputs, targets = step_data()
    grid = torch.linspace(-1, 1, GRID, dtype=torch.float64)[:, None]
    network = relu_network(seed)
    step = one_step(network, inputs, targets, grid, RATES[0])
    final = descended(network, inputs, targets, RATES[0], TRAINING_STEPS)(grid).detach()[:, 0]
    curves = {
        "x": grid[:, 0],
        "before": step.before,
        "after": step.before + step.actual,
        "final": final,
        "predicted": step.predicted,
        "actual": step.actual,
        "influence": step.influence.T,
        "weighted": step.weighted.T,
    }

    def slopes(errors: list[Any]) -> dict[str, float]:
        return {name: slope(RATES, [getattr(e, name) for e in errors]) for name in ERRORS}

    errors = rate_errors(network, inputs, targets, grid, RATES)
    seeds = [slopes(rate_errors(relu_network(other), inputs, targets, grid, RATES)) for other in SEEDS]
    return {
        "seed": seed,
        "points": {"x": inputs[:, 0].tolist(), "target": targets[:, 0].tolist()},
        "errors": [asdict(e) | {"relative": e.relative, "smooth_relative": e.smooth_relative} for e in errors],
        "slopes": slopes(errors),
        "seeds": seeds,
        "curves": {name: values.tolist() for name, values in curves.items()},
    }


def write(numbers: dict[str, Any], out: Path) -> list[Path]:
    """`figure_1.svg`, `figure_1.png`, `one_step.json` and `curves.csv` in an existing folder."""
    import pandas as pd

    from study.figures.figure_1 import panels
    from study.figures.style import save, use_our_style
    from study.storage import write_text

    use_our_style()
    columns = {name: values for name, values in numbers["curves"].items() if name not in ("influence", "weighted")}
    for name in ("influence", "weighted"):
        columns |= {f"{name}_{number}": values for number, values in enumerate(numbers["curves"][name], start=1)}
    as_json, as_csv = out / "one_step.json", out / "curves.csv"
    write_text(as_json, json.dumps(numbers, indent=1, allow_nan=False) + "\n")
    write_text(as_csv, pd.DataFrame(columns).to_csv(index=False))
    return [*save(panels(numbers), out, "figure_1"), as_json, as_csv]


def _sheet(numbers: dict[str, Any]) -> Any:
    from study.sheets import Sheet

    rows = [
        [
            f"{e['learning_rate']:g}",
            f"{e['largest_change']:.3g}",
            f"{e['largest_error']:.2e}",
            f"{e['relative']:.4%}",
            f"{e['smooth_error']:.2e}",
            f"{e['smooth_relative']:.4%}",
            f"{e['switched']:.1%}",
        ]
        for e in numbers["errors"]
    ]
    rows.append(["slope", "", *(f"{numbers['slopes'][name]:.2f}" for name in ERRORS), ""])
    headings = [
        "learning rate",
        "largest change",
        "largest error",
        "relative",
        "no switch: error",
        "relative",
        "inputs that switch",
    ]
    return Sheet(f"One step of seed {numbers['seed']}: the kernel's prediction against the true change", headings, rows, 0)


def _sentences(numbers: dict[str, Any]) -> list[str]:
    import numpy as np

    def spread(name: str) -> str:
        found = [slopes[name] for slopes in numbers["seeds"]]
        return f"{np.median(found):.2f} [{min(found):.2f}, {max(found):.2f}]"

    return [
        "Slopes of log error against log rate; the error of a change is second order (slope 2), relative to it first order.",
        "A ReLU that switches during the step is a kink: there the error is first order, over a share of inputs that shrinks.",
        f"Seeds 0 to {len(numbers['seeds']) - 1}, slope of the largest error, median [least, most]: "
        f"{spread('largest_error')} over all inputs, {spread('smooth_error')} where no ReLU switches.",
    ]
