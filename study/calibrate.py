"""The `calibrate` command: simulated studies with a known truth, as two pictures and a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from study.sheets import Sheet, markdown, print_sheet
from study.statistics.intervals import TRUSTED_SEEDS
from study.statistics.simulation import SHAPES, coverage, shift_study

SIZES = (10, 30, 100, 400)
TRUTHS = (0.0, 0.3, 0.7)
SHIFTS = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0]


def calibrate(out: Path, repetitions: int, console: Console) -> dict[str, Any]:
    """Simulate, draw `shift.svg/.png` and `coverage.svg/.png` into `out`, and write `calibration.json/.md`."""
    from study.figures.calibration import coverage_figure, shift_figure
    from study.figures.style import save, use_our_style

    use_our_style()
    shifts = shift_study(SHIFTS, list(TRUTHS), 10, repetitions)
    cases = [(n, r, shape) for shape in SHAPES for r in TRUTHS for n in SIZES]
    tracked = track(cases, "simulating", console=console, disable=not console.is_terminal)
    covered = [coverage(n, r, shape, 2.0, repetitions) for n, r, shape in tracked]
    files = save(shift_figure(shifts), out, "shift") + save(coverage_figure(covered), out, "coverage")
    sheets = [_shift_sheet(shifts), _coverage_sheet(covered)]
    numbers = {"shift": shifts, "coverage": covered, "trusted_seeds": TRUSTED_SEEDS}
    (out / "calibration.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    (out / "calibration.md").write_text("\n".join(map(markdown, sheets)), encoding="utf-8")
    for sheet in sheets:
        print_sheet(console, sheet)
    console.print("Files: " + ", ".join(map(str, [*files, out / "calibration.json", out / "calibration.md"])), highlight=False)
    return numbers


def _shift_sheet(points: list[dict[str, Any]]) -> Sheet:
    rows = []
    for point in points:
        texts = [f"{v['median']:.2f} [{v['low']:.2f}, {v['high']:.2f}]" for v in (point["r20"], point["centred"])]
        rows.append([f"{point['true_r']:g}", f"{point['shift']:g}", *texts])
    title = f"{points[0]['n']} pairs, {points[0]['repetitions']:,} simulated studies: median and 95 % range"
    return Sheet(title, ["true seed-level r", "shift (sd)", "r20", "centred r"], rows, 0)


def _coverage_sheet(points: list[dict[str, Any]]) -> Sheet:
    rows = []
    for shape in SHAPES:
        for truth in TRUTHS:
            found = {p["n"]: p["coverage"] for p in points if (p["shape"], p["true_r"]) == (shape, truth)}
            rows.append([shape, f"{truth:g}", *(f"{found[n]:.3f}" for n in SIZES)])
    title = f"Coverage of the 95 % BCa interval of the centred r, {points[0]['repetitions']:,} simulated studies each"
    return Sheet(title, ["differences", "true r", *(f"{n} pairs" for n in SIZES)], rows, 2)
