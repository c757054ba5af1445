"""Tables of an analysis for the terminal, and the one sentence that says what they show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from study.analysis import FAITHFUL_ESTIMATOR

COLUMNS = ("r20", "raw", "centred", "within_first", "within_second")
WIDTH = 176


def number(value: float | None) -> str:
    """A correlation as in the source study, without the leading zero."""
    if value is None:
        return ""
    text = f"{value + 0.0:.3f}"
    return text.replace("-0.000", "0.000").replace("0.", ".", 1) if abs(value) < 0.9995 else text


def with_interval(result: dict[str, Any]) -> str:
    if result["value"] is None:
        return f"none: {result['reason']}"
    if result["low"] is None:
        return f"{number(result['value'])} ({result['reason']})"
    return f"{number(result['value'])} [{result['low']:.2f}, {result['high']:.2f}]"


def correlation_table(analysis: dict[str, Any], contrast: str, outcome: str) -> Table | None:
    """One contrast: a row per phase and estimator, the paper's value beside the faithful one."""
    results = [r for r in analysis["results"] if r["contrast"] == contrast and r["outcome"] == outcome]
    if not results:
        return None
    cells = analysis["contrasts"][contrast]
    first, second = cells[0] if len(cells) == 1 else ("first", "second")
    table = Table(title=f"{contrast}: {_described(cells)}, {outcome} loss", box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("phase", "estimator"):
        table.add_column(name)
    table.add_column("pairs", justify="right")
    headings = ("r20", "paper", "raw r", "paper", "centred r", f"within {first}", f"within {second}")
    for heading in headings:
        table.add_column(heading, justify="right", min_width=5 if heading == "paper" else 12)
    rows: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for result in results:
        rows.setdefault((result["phase"], result["predictor"]), {})[result["statistic"]] = result
    previous = None
    for (phase, predictor), row in rows.items():
        if previous not in (None, phase):
            table.add_section()
        estimator = predictor.removeprefix("silhouette_")
        values = {name: with_interval(row[name]) for name in COLUMNS}
        table.add_row(
            phase if phase != previous else "",
            estimator,
            pair_count(row["r20"]),
            values["r20"],
            number(row["r20"]["paper"]),
            values["raw"],
            number(row["raw"]["paper"]),
            values["centred"],
            values["within_first"],
            values["within_second"],
            style="bold" if estimator == FAITHFUL_ESTIMATOR else None,
        )
        previous = phase
    return table


def pair_count(result: dict[str, Any]) -> str:
    """Pairs used, seeds where fewer, and pairs left out."""
    text = str(result["n"]) if result["n"] == result["seeds"] else f"{result['n']} ({result['seeds']} seeds)"
    out = result["left_out_diverged"] + result["left_out_undefined"]
    return f"{text}, {out} left out" if out else text


def _described(cells: Sequence[Sequence[str]]) -> str:
    return " and ".join(f"{first} against {second}" for first, second in cells)


def cell_table(analysis: dict[str, Any]) -> Table:
    """Networks, diverged networks, mean silhouette and mean final losses of every cell."""
    table = Table(title="cells: mean (standard deviation) over networks", box=box.SIMPLE_HEAD, title_justify="left")
    estimators = [c for c in _columns(analysis) if c.startswith("silhouette_")][:2]
    losses = [c for c in _columns(analysis) if c.endswith(("_test", "_unseen"))]
    table.add_column("cell")
    for heading in ("networks", "diverged", *estimators, *losses):
        table.add_column(heading, justify="right")
    for cell in analysis["cells"]:
        values = [cell["columns"].get(column) for column in (*estimators, *losses)]
        texts = ["" if v is None else f"{v['mean']:.4g}" + (f" ({v['sd']:.2g})" if v["sd"] is not None else "") for v in values]
        table.add_row(cell["cell"], str(cell["networks"]), str(cell["diverged"]), *texts)
    return table


def _columns(analysis: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(column for cell in analysis["cells"] for column in cell["columns"]))


def sentence(analysis: dict[str, Any]) -> str:
    """What the table shows, in one sentence, from the faithful estimator (or the first there is) on test losses."""
    results = [r for r in analysis["results"] if r["outcome"] == "test" and r["value"] is not None]
    if not results:
        return "No correlation could be computed; the table says why."
    faithful = [r for r in results if r["predictor"] == f"silhouette_{FAITHFUL_ESTIMATOR}"]
    results = faithful or [r for r in results if r["predictor"] == results[0]["predictor"]]

    def share(statistic: str) -> str:
        found = [r for r in results if r["statistic"] == statistic]
        clear = [r for r in found if r["low"] is not None and (r["low"] > 0 or r["high"] < 0)]
        return f"{len(clear)} of {len(found)}"

    estimator = results[0]["predictor"].removeprefix("silhouette_")
    most = max(r["n"] for r in results)
    return (
        f"With up to {most} pairs, the interval of r20 of `{estimator}` excludes zero in {share('r20')} contrasts and "
        f"phases, that of the centred correlation of pair differences in {share('centred')}: r20 is large whenever the two "
        "conditions differ in silhouette and in loss, without any seed-level prediction; only the centred and "
        "within-condition columns speak of seeds."
    )


def print_analysis(console: Console, analysis: dict[str, Any], outcome: str = "test") -> None:
    """All tables of an analysis, and what they show."""
    console.print(cell_table(analysis))
    for contrast in analysis["contrasts"]:
        table = correlation_table(analysis, contrast, outcome)
        if table is not None:
            console.print(table)
    console.print(f"Intervals: {analysis['interval']}, {analysis['resamples']:,} resamples.", highlight=False)
    console.print(sentence(analysis), highlight=False)
