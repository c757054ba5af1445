"""Weights & Biases: one run of job type "analysis" per study, with its verdicts, tables, figures and numbers.

Its id is the study's, so analysing again updates the same run: offline each time leaves a run file of that id, which
`wandb sync` uploads in order. Whatever fails here costs a warning, never an analysis.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from study.interim import interim_note
from study.storage import read_bytes, write_text
from study.sweep import Sweep
from study.wandb_run import attempt, started

LOGGED = "logged_analysis.json"  # what a dashboard can show
LARGEST_NOTE = 1_000_000  # bytes
Records = list[dict[str, Any]]

COLUMNS = {
    "centred": ("value", "low", "high", "p", "p_fwer", "p_fdr"),
    "within_first": ("value", "low", "high"),
    "within_second": ("value", "low", "high"),
    "r20": ("value", "low", "high"),
    "raw": ("value", "low", "high"),
    "predictor_difference": ("value", "low", "high", "p"),
    "loss_difference": ("value", "low", "high", "p"),
}
NUMBERS = ("centred", "r20")  # of the leading predictor, as summary


def log_analysis(local: Path, folder: Path, sweep: Sweep | None, group: str) -> str | None:
    """Log the analysis that `folder` holds.

    Args:
        local: on this machine, for the files of W&B.
        folder: with analysis.json, and the figures drawn of it.
        sweep: the study's; None for rows made elsewhere, which are not logged.
        group: of the study's runs, see `study.extension.group_of`.

    Returns:
        None, or what went wrong in one line.
    """
    if sweep is None or sweep.wandb.mode == "disabled":
        return None
    analysis = json.loads(read_bytes(folder / "analysis.json"))
    return attempt(local, sweep.wandb, lambda mode: _log(local, folder, sweep, mode, analysis, group))


def _log(local: Path, folder: Path, sweep: Sweep, mode: str, analysis: dict[str, Any], study: str) -> None:
    config = {"sweep": sweep.name, "study": study, "leading_predictor": analysis.get("leading_predictor", "")}
    what = {"job_type": "analysis", "name": f"{sweep.name} analysis", "group": study, "config": config}
    with started(local, sweep.wandb, mode, id=analysis_run(study), resume="allow", **what) as run:
        import wandb  # late, as in `started`

        logged: dict[str, Any] = {}
        for name, records in tables_of(analysis).items():
            columns = list(dict.fromkeys(column for record in records for column in record))
            data = [[record.get(column) for column in columns] for record in records]
            logged[name] = wandb.Table(columns=columns, data=data)
        for path in figures_of(folder):
            logged[f"figures/{path.stem}"] = wandb.Image(str(path))
        run.log(logged)
        run.summary.update(numbers_of(analysis))
    note = {"leading_predictor": config["leading_predictor"], "keys": list(logged)}
    write_text(local / "wandb" / LOGGED, json.dumps(note, indent=1) + "\n")


def logged_analysis(home: Path) -> tuple[str, list[str]]:
    """The leading predictor and the keys of tables and figures of the analysis logged last.

    Args:
        home: the folder of W&B's files.

    Returns:
        ("", []) where no analysis has been logged.
    """
    try:
        note = read_note(home / LOGGED)
        return str(note["leading_predictor"]), [str(key) for key in note["keys"]]
    except (ValueError, KeyError, TypeError):
        return "", []


def read_note(path: Path) -> Any:
    """What a note of ours beside W&B's files holds, perhaps someone else's.

    Raises:
        ValueError: no such file, no regular one, too large, or no JSON.
    """
    try:
        return json.loads(read_bytes(path, most=LARGEST_NOTE))
    except (OSError, RecursionError) as error:
        raise ValueError(str(error)) from None


def analysis_run(study: str) -> str:
    """The id of a study's analysis run: at most 128 characters, which a sweep's name may exceed."""
    return f"analysis-{study.rpartition('-')[2]}"


def figures_of(folder: Path) -> list[Path]:
    """The pictures of a folder that are no older than its rows; those of a report made before may show fewer networks."""
    newest = max((path.stat().st_mtime for path in (folder / "rows").rglob("*.parquet")), default=0.0)
    return [path for path in sorted((folder / "figures").glob("*.png")) if path.stat().st_mtime >= newest]


def tables_of(analysis: dict[str, Any]) -> dict[str, Records]:
    """The tables by name, those with rows: `verdicts`, `correlations` (of a linear study `scores`), `within` where nothing
    is compared, `cells`, and of an unfinished study `interim`."""
    tables: dict[str, Records] = {"cells": list(_cells(analysis)), "interim": _interim(analysis)}
    if analysis.get("network") == "linear":
        tables["scores"] = analysis["results"]
    else:
        tables["verdicts"] = [{name: v[name] for name in v if name != "rule"} for v in analysis["verdicts"]]
        tables["correlations"] = _correlations(analysis)
        tables["within"] = analysis.get("within", [])
    return {name: records for name, records in tables.items() if records}


def _cells(analysis: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A row per cell: networks, diverged networks, and the mean of every predictor and loss."""
    for cell in analysis["cells"]:
        means = {name: numbers["mean"] for name, numbers in cell.get("columns", {}).items()}
        yield {"cell": cell["cell"], "networks": cell["networks"], "diverged": cell["diverged"]} | means


def _interim(analysis: dict[str, Any]) -> Records:
    """How many networks of every cell are finished and planned."""
    found = analysis.get("interim")
    return [{"note": interim_note(analysis), **cell} for cell in found["cells"]] if found else []


def _correlations(analysis: dict[str, Any]) -> Records:
    """A row per comparison with its main statistics side by side."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for result in analysis["results"]:
        key = {name: result[name] for name in ("contrast", "phase", "outcome", "predictor")}
        row = rows.setdefault(tuple(key.values()), key)
        statistic = result["statistic"]
        if statistic == "centred":
            row |= {"pairs": result["n"], "primary": result["primary"]}
        for part in COLUMNS.get(statistic, ()):
            row[statistic if part == "value" else f"{statistic}_{part}"] = result[part]
    return list(rows.values())


def numbers_of(analysis: dict[str, Any]) -> dict[str, float]:
    """What fits a summary: counts, and of the leading predictor each contrast's centred correlation and r20.

    Of a linear study instead the scores that the source study states.
    """
    numbers: dict[str, float] = {
        name: sum(cell[name] for cell in analysis["cells"]) for name in ("networks", "diverged")
    }  # fmt: skip
    if found := analysis.get("interim"):
        numbers["planned"] = found["planned"]
    for result in analysis["results"]:
        if result["value"] is None:
            continue
        if "score" in result:
            if result["paper"] is not None:
                numbers[f"score/{result['cell']}/{result['score']}"] = result["value"]
            continue
        if result["primary"]:
            numbers |= {"primary/centred": result["value"]} | ({"primary/p": result["p"]} if result["p"] is not None else {})
        if result["statistic"] in NUMBERS and result["predictor"] == analysis["leading_predictor"]:
            where = f"{result['contrast']}/{result['phase']}/{result['outcome']}"
            numbers[f"{result['statistic']}/{where}"] = result["value"]
    for entry in analysis.get("within", []):
        if entry["value"] is not None and entry["predictor"] == analysis["leading_predictor"]:
            numbers[f"within/{entry['cell']}/{entry['phase']}/{entry['outcome']}"] = entry["value"]
    return numbers
