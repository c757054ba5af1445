"""What a scan says: all points by the scan's seeds, and final tables by the evaluation seeds alone.

Points are chosen because they did well on the scan's seeds, so their values there are too good on average. Nothing was
chosen by the evaluation seeds: only their rows go into the analysis.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from study.clean import markdown_text
from study.contrasts import Contrast
from study.plan import Cell, Draw, Plan
from study.scan.crossover import crossover
from study.scan.front import hypervolume, oriented
from study.scan.objectives import OBJECTIVES, REFERENCE_SCALE, Objective, score
from study.scan.points import Point, front_of, known, points_of, rows_for_scores, rows_of_draws, to_confirm, values_of
from study.scan.space import Scan, make_scan
from study.sheets import Sheet, markdown
from study.storage import Location, write_text
from study.sweep import Sweep

NOTE = (
    "Scan: points were chosen by the scan's seeds, on which the chosen ones look better than they are. Every table and "
    "statistic but the table of the scan's points is computed from evaluation seeds alone, by which nothing was chosen."
)
UNFINISHED = "not finished"


def scan_plan(scan: Scan, frame: pd.DataFrame) -> Plan:
    """The cells that a scan's folder has rows of, and the contrasts of its confirmed points."""
    cells = []
    for name, rows in frame.groupby("cell") if len(frame) else ():
        draws = tuple(Draw(int(s), int(d)) for s, d in zip(rows["seed"], rows["data_seed"], strict=True))
        values = values_of(scan, rows)
        if "init_scale" not in values and rows["init_scale"].iloc[0] == REFERENCE_SCALE and "init_scale=" in str(name):
            values = scan.reference(values)
        cell = scan.cell(values, draws)
        cells.append(Cell(str(name), cell.settings, cell.environment, cell.curriculum, draws))
    return Plan(scan.sweep, tuple(cells), _contrasts(scan, frame) if len(frame) else ())


def plan_of_folder(sweep: Sweep, out: Location) -> Plan:
    """The same from a folder."""
    return scan_plan(make_scan(sweep), rows_for_scores(out))


def final_rows(plan: Plan, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that final tables are made of."""
    return rows_of_draws(frame, make_scan(plan.sweep).evaluation).reset_index(drop=True)


def _contrasts(scan: Scan, frame: pd.DataFrame) -> tuple[Contrast, ...]:
    """Confirmed points against their references; without references the ends of the front."""
    final = set(rows_of_draws(frame, scan.evaluation)["cell"].astype(str))
    chosen = [point for point in to_confirm(scan, points_of(scan, frame)) if point.cell in final]
    pairs: list[tuple[str, str, str]] = []
    if any(objective.paired for objective in scan.objectives):
        for point in chosen:
            reference = scan.cell(scan.reference(point.values)).name
            if reference in final:
                pairs.append((f"{point.cell} against scale {REFERENCE_SCALE:g}", point.cell, reference))
    elif len(chosen) > 1 and len(scan.objectives) > 1:
        ends = [_best(scan, chosen, place) for place in (0, -1)]
        names = [scan.objectives[place].name for place in (0, -1)]
        if ends[0].cell != ends[1].cell:
            pairs.append((f"best {names[0]} against best {names[1]}", ends[0].cell, ends[1].cell))
        else:
            other = next(point for point in chosen if point.cell != ends[0].cell)
            pairs.append(("best of all against next", ends[0].cell, other.cell))
    elif len(chosen) > 1:
        pairs.append(("best against second", chosen[0].cell, chosen[1].cell))
    return tuple(Contrast(name, ((first, second),), {}, declared=False) for name, first, second in pairs)


def _best(scan: Scan, points: Sequence[Point], place: int) -> Point:
    sign = 1 if scan.objectives[place].mode == "min" else -1
    return min(points, key=lambda point: sign * point.score.values[place] if point.score.values else np.inf)


def summary(scan: Scan, frame: pd.DataFrame) -> dict[str, Any]:
    """The scan as plain data.

    Returns:
        `points` with their values, scores (None where not defined), seeds, `state` ("front", "", "diverged", "dominated",
        "undefined", "not finished") and, where confirmed, `evaluation`: mean and 95 % interval per objective; `hypervolume`
        of the scan's front up to the worst values of whole points; `crossover`, where it was asked for.
    """
    points = points_of(scan, frame)
    best = {point.cell for point in front_of(scan, points)} if len(scan.objectives) > 1 else set()
    entries = []
    for point in points:
        state = point.score.pruned or ("front" if point.cell in best else "" if point.done else UNFINISHED)
        scores = list(point.score.values) if point.score.values is not None else None
        if scan.is_crossover and scores is not None:
            scores = [float(np.mean(point.score.per_seed[0]))]  # with its sign, which the search does without
        entries.append(
            {
                "cell": point.cell,
                "values": point.values,
                "scores": scores,
                "seeds": point.score.seeds,
                "state": state,
                "evaluation": _evaluated(scan, point, frame),
            }
        )
    return {
        "objectives": [{"name": o.name, "label": o.label, "mode": o.mode} for o in scan.objectives],
        "axes": [axis.name for axis in scan.axes],
        "seeds": len(scan.draws),
        "evaluation_seeds": len(scan.evaluation),
        "sampler": scan.spec.sampler,
        "sampler_seed": scan.spec.seed,
        "points": entries,
        "hypervolume": _volume(scan, points),
        "crossover": crossover(points) if scan.is_crossover else None,
        "note": NOTE,
    }


def _volume(scan: Scan, points: Sequence[Point]) -> float | None:
    whole = [score.values for score in known(points).values() if score.values is not None]
    if len(scan.objectives) < 2 or not whole:
        return None
    values = oriented(whole, [objective.mode for objective in scan.objectives])
    return hypervolume(values, values.max(axis=0))


def _evaluated(scan: Scan, point: Point, frame: pd.DataFrame) -> list[dict[str, Any]] | None:
    """Each objective on the evaluation seeds, or None where the point was not confirmed."""
    cell = scan.cell(point.values, scan.evaluation)
    rows = rows_of_draws(frame[frame["cell"] == point.cell], scan.evaluation)
    if not len(rows):
        return None
    reference = frame[frame["cell"] == scan.cell(scan.reference(point.values)).name]
    held = rows_of_draws(reference, scan.evaluation)
    return [_estimate(objective, scan, cell, rows, held) for objective in scan.objectives]


def _estimate(objective: Objective, scan: Scan, cell: Cell, rows: pd.DataFrame, held: pd.DataFrame) -> dict[str, Any]:
    """Mean and t interval of a loss; the value alone of a bound."""
    found = score([OBJECTIVES[objective.name]], scan.spec, cell, rows, held)
    if found.values is None:
        return {"value": None, "low": None, "high": None, "n": found.seeds, "reason": found.pruned or UNFINISHED}
    if not found.per_seed or len(found.per_seed[0]) < 2:
        return {"value": found.values[0], "low": None, "high": None, "n": found.seeds, "reason": "no interval of a bound"}
    losses = np.array(found.per_seed[0])
    margin = student.ppf(0.975, len(losses) - 1) * losses.std(ddof=1) / np.sqrt(len(losses))
    mean = float(losses.mean())
    return {"value": mean, "low": mean - float(margin), "high": mean + float(margin), "n": len(losses), "reason": ""}


def _text(estimate: dict[str, Any]) -> str:
    if estimate["value"] is None:
        return f"none: {estimate['reason']}"
    return f"{estimate['value']:.3f}" + (
        f" [{estimate['low']:.3f}, {estimate['high']:.3f}]" if estimate["low"] is not None else ""
    )


def scan_sheets(found: dict[str, Any], most: int | None = None) -> list[Sheet]:
    """Confirmed points on their evaluation seeds, and all points on the scan's.

    Args:
        most: rows of the second; the best come first.
    """
    signs = [1 if o["mode"] == "min" else -1 for o in found["objectives"]]

    def good(entry: dict[str, Any]) -> list[Any]:
        """For sorting, the best first; bracketed scales in their order."""
        if found["crossover"] is not None:
            return list(entry["values"].values())
        return [sign * s for sign, s in zip(signs, entry["scores"], strict=True)] if entry["scores"] else [np.inf]

    names, axes = [o["name"] for o in found["objectives"]], found["axes"]
    units = "; ".join(f"{o['name']}: {o['label']}" for o in found["objectives"])

    def values(entry: dict[str, Any]) -> list[str]:
        return [f"{v:g}" if isinstance(v, float) else str(v) for v in entry["values"].values()]

    sheets = []
    confirmed = [entry for entry in found["points"] if entry["evaluation"]]
    if confirmed:
        rows = [
            [*values(e), *(_text(x) for x in e["evaluation"]), *(f"{s:.3f}" for s in e["scores"] or [])]
            for e in sorted(confirmed, key=good)
        ]
        title = (
            f"Confirmed points on {found['evaluation_seeds']} evaluation seeds, 95 % t intervals over seeds; beside them what "
            f"they were chosen by. {units}"
        )
        sheets.append(Sheet(title, [*axes, *names, *(f"{name} (scan)" for name in names)], rows, len(axes)))
    order = {"front": 0, "": 1}
    points = sorted(found["points"], key=lambda e: (order.get(e["state"], 2), good(e)))
    rows = [
        [*values(e), str(e["seeds"]), e["state"], *([f"{s:.3f}" for s in e["scores"]] if e["scores"] else [""] * len(names))]
        for e in points[:most]
    ]
    strong = frozenset(number for number, e in enumerate(points[:most]) if e["state"] == "front")
    dropped = {s: sum(e["state"] == s for e in points) for s in ("diverged", "dominated", "undefined", UNFINISHED)}
    counted = ", ".join(f"{count} {state}" for state, count in dropped.items() if count) or "none left out"
    shown = f", the first {most}" if most is not None and len(points) > most else ""
    title = f"Points of the scan on its {found['seeds']} seeds, not a result: {len(points)} points ({counted}){shown}"
    sheets.append(Sheet(title, [*axes, "seeds", "", *names], rows, len(axes), strong=strong))
    return sheets


def sentences(found: dict[str, Any]) -> list[str]:
    """What the scan found."""
    lines = [found["note"]]
    if (c := found["crossover"]) is not None:
        if c["low"] is None:
            lines.append(f"Crossover: no sign change of the effect between the scales tried; {c['seeds']} seeds.")
        else:
            interval = f"[{c['interval'][0]:.3g}, {c['interval'][1]:.3g}]" if c["interval"] else "none"
            lines.append(
                f"Crossover: the effect changes sign between init_scale {c['low']:g} and {c['high']:g}, interpolated at "
                f"{c['scale']:.3g}; 95 % percentile interval over {c['seeds']} scan seeds {interval} ({c['share']:.0%} of "
                "resamples have a sign change)."
            )
    if found["hypervolume"] is not None:
        fronts = sum(entry["state"] == "front" for entry in found["points"])
        lines.append(
            f"Front of {fronts} points; hypervolume {found['hypervolume']:.4g} up to the worst values of whole points."
        )
    return lines


def write_scan(folder: Path, found: dict[str, Any]) -> list[Path]:
    """`scan.json` and `scan.md`."""
    paths = [folder / "scan.json", folder / "scan.md"]
    write_text(paths[0], json.dumps(found, indent=1) + "\n")
    parts = [*map(markdown_text, sentences(found)), *map(markdown, scan_sheets(found))]
    write_text(paths[1], "\n\n".join(parts))
    return paths
