"""The `calibrate` command: simulated studies with a known truth, as two pictures and a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from study.sheets import Sheet, markdown, print_sheet
from study.statistics.reliable import RULE, TRUSTED_SEEDS
from study.statistics.simulation import SHAPES, coverage, shares_coverage, shift_study
from study.storage import write_text
from study.written import check_ours

SIZES = (10, 30, 100, 400)
TRUTHS = (0.0, 0.3, 0.7)
OUTPUTS = ("calibration.json", "calibration.md", "shift.svg", "shift.png", "coverage.svg", "coverage.png")
TABLES = ((20, 4), (50, 10))  # weights x data of crossed designs
SHARES_TRUE = (0.0, 0.5, 0.5)
SHIFTS = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0]


def calibrate(out: Path, repetitions: int, console: Console) -> dict[str, Any]:
    """Simulate, draw `shift.svg/.png` and `coverage.svg/.png` into `out`, and write `calibration.json/.md`.

    Raises:
        SweepError: a file of one of these names is there that this command did not write.
    """
    from study.figures.calibration import coverage_figure, shift_figure
    from study.figures.style import save, use_our_style

    check_ours(out, OUTPUTS, OUTPUTS[0], "--out")
    use_our_style()
    shifts = shift_study(SHIFTS, list(TRUTHS), 10, repetitions)
    cases = [(n, r, shape) for shape in SHAPES for r in TRUTHS for n in SIZES]
    tracked = track(cases, "simulating", console=console, disable=not console.is_terminal)
    covered = [coverage(n, r, shape, 2.0, repetitions) for n, r, shape in tracked]
    shares = [shares_coverage(*table, SHARES_TRUE, repetitions) for table in TABLES]
    sheets = [_shift_sheet(shifts), _coverage_sheet(covered), _shares_sheet(shares)]
    numbers = {"shift": shifts, "coverage": covered, "shares": shares, "trusted_seeds": TRUSTED_SEEDS, "rule": RULE}
    write_text(out / "calibration.json", json.dumps(numbers, indent=1) + "\n")
    write_text(out / "calibration.md", "\n".join([*map(markdown, sheets), RULE, ""]))
    files = save(shift_figure(shifts), out, "shift") + save(coverage_figure(covered), out, "coverage")
    for sheet in sheets:
        print_sheet(console, sheet)
    console.print(RULE, highlight=False)
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
            found = {p["n"]: p for p in points if (p["shape"], p["true_r"]) == (shape, truth)}
            starred = [round(100 * found[n]["starred"]) for n in SIZES]
            rows.append([shape, f"{truth:g}", *(f"{found[n]['coverage']:.3f}" for n in SIZES), " ".join(map(str, starred))])
    title = f"Coverage of the 95 % interval of the centred r, {points[0]['repetitions']:,} simulated studies each"
    return Sheet(title, ["differences", "true r", *(f"{n} seeds" for n in SIZES), "with a star (%)"], rows, 2)


def _shares_sheet(points: list[dict[str, Any]]) -> Sheet:
    names = list(points[0]["coverage"])
    rows = [
        [f"{p['seeds']} x {p['data_sets']}", *(f"{p['coverage'][n]:.3f} (to {p['mean_upper_end'][n]:.2f})" for n in names)]
        for p in points
    ]
    truth = ", ".join(f"{name} {share:g}" for name, share in zip(names, points[0]["shares"], strict=True))
    title = f"Coverage of the intervals of variance shares (mean upper end); truth {truth}"
    return Sheet(title, ["weights x data", *names], rows, 1)
