"""The tables of an analysis, and the one sentence that says what they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from study.analysis import FAITHFUL_ESTIMATOR
from study.sheets import Sheet, markdown, print_sheet

WIDTH = 176
Result = dict[str, Any]


def number(value: float | None) -> str:
    """A correlation as in the source study, without the leading zero."""
    if value is None:
        return ""
    text = f"{value:.3f}"
    return text.replace("-0.000", "0.000").replace("0.", ".", 1) if abs(value) < 0.9995 else text


def with_interval(result: Result) -> str:
    """A value and its interval, or why one of them is missing."""
    if result["value"] is None:
        return f"none: {result['reason']}"
    if result["low"] is None:
        return f"{number(result['value'])} ({result['reason']})"
    return f"{number(result['value'])} [{result['low']:.2f}, {result['high']:.2f}]"


def pair_count(result: Result) -> str:
    """Pairs used, seeds where fewer, and pairs left out."""
    text = str(result["n"]) if result["n"] == result["seeds"] else f"{result['n']} ({result['seeds']} seeds)"
    out = result["left_out_diverged"] + result["left_out_undefined"]
    return f"{text}, {out} left out" if out else text


def _grouped(analysis: dict[str, Any], outcome: str) -> dict[tuple[str, str, str], dict[str, Result]]:
    """Results of one outcome as (contrast, phase, predictor) -> statistic -> result."""
    groups: dict[tuple[str, str, str], dict[str, Result]] = {}
    for result in analysis["results"]:
        if result["outcome"] == outcome:
            key = (result["contrast"], result["phase"], result["predictor"])
            groups.setdefault(key, {})[result["statistic"]] = result
    return groups


def _values(row: dict[str, Result]) -> list[str]:
    """The columns from `pairs` on."""
    paper = {name: number(row[name]["paper"]) for name in ("r20", "raw")}
    texts = {name: with_interval(result) for name, result in row.items()}
    return [pair_count(row["r20"]), texts["r20"], paper["r20"], texts["raw"], paper["raw"], texts["centred"],
            texts["within_first"], texts["within_second"]]  # fmt: skip


def _headings(first: str, second: str) -> list[str]:
    return ["pairs", "r20", "paper", "raw r", "paper", "centred r", f"within {first}", f"within {second}"]


def contrast_sheet(analysis: dict[str, Any], contrast: str, outcome: str) -> Sheet | None:
    """One contrast: a row per phase and estimator, the paper's values beside the faithful one."""
    groups = {key: row for key, row in _grouped(analysis, outcome).items() if key[0] == contrast}
    if not groups:
        return None
    cells = analysis["contrasts"][contrast]
    first, second = cells[0] if len(cells) == 1 else ("first", "second")
    rows, sections, strong, previous = [], set(), set(), ""
    for number_, ((_, phase, predictor), row) in enumerate(groups.items()):
        estimator = predictor.removeprefix("silhouette_")
        rows.append([phase if phase != previous else "", estimator, *_values(row)])
        if previous not in ("", phase):
            sections.add(number_)
        if estimator == FAITHFUL_ESTIMATOR:
            strong.add(number_)
        previous = phase
    headings = ["phase", "estimator", *_headings(first, second)]
    title = f"{contrast}: {_described(cells)}, {outcome} loss"
    return Sheet(title, headings, rows, 2, frozenset(sections), frozenset(strong))


def summary_sheet(analysis: dict[str, Any], outcome: str) -> Sheet | None:
    """All contrasts and phases for one estimator: the faithful one, or the first there is."""
    groups = _grouped(analysis, outcome)
    if not groups:
        return None
    wanted = _leading(analysis)
    rows = [[c, phase, *_values(row)] for (c, phase, predictor), row in groups.items() if predictor == wanted]
    title = f"Estimator {wanted.removeprefix('silhouette_')}, {outcome} loss"
    return Sheet(title, ["contrast", "phase", *_headings("first", "second")], rows, 2)


def _leading(analysis: dict[str, Any]) -> str:
    predictors = [result["predictor"] for result in analysis["results"]]
    faithful = f"silhouette_{FAITHFUL_ESTIMATOR}"
    return faithful if faithful in predictors else predictors[0]


def _described(cells: Sequence[Sequence[str]]) -> str:
    return " and ".join(f"{first} against {second}" for first, second in cells)


def cell_sheet(analysis: dict[str, Any]) -> Sheet:
    """Networks, diverged networks, mean silhouettes and mean final losses of every cell."""
    columns = list(dict.fromkeys(column for cell in analysis["cells"] for column in cell["columns"]))
    shown = [c for c in columns if c.startswith("silhouette_")][:2] + [c for c in columns if c.endswith(("_test", "_unseen"))]
    rows = []
    for cell in analysis["cells"]:
        texts = []
        for column in shown:
            values = cell["columns"].get(column)
            spread = f" ({values['sd']:.2g})" if values and values["sd"] is not None else ""
            texts.append(f"{values['mean']:.4g}{spread}" if values else "")
        rows.append([cell["cell"], str(cell["networks"]), str(cell["diverged"]), *texts])
    title = "Cells: mean (standard deviation) over networks that did not diverge"
    return Sheet(title, ["cell", "networks", "diverged", *shown], rows)


def sentence(analysis: dict[str, Any]) -> str:
    """What the table shows, in one sentence, from the faithful estimator (or the first there is) on test losses."""
    results = [r for r in analysis["results"] if r["outcome"] == "test" and r["value"] is not None]
    if not results:
        return "No correlation could be computed; the table says why."
    wanted = _leading(analysis)
    results = [r for r in results if r["predictor"] == wanted]

    def share(statistic: str) -> str:
        found = [r for r in results if r["statistic"] == statistic]
        clear = [r for r in found if r["low"] is not None and (r["low"] > 0 or r["high"] < 0)]
        return f"{len(clear)} of {len(found)}"

    most = max((r["n"] for r in results), default=0)
    return (
        f"With up to {most} pairs, the interval of r20 of `{wanted.removeprefix('silhouette_')}` excludes zero in "
        f"{share('r20')} contrasts and phases, that of the centred correlation of pair differences in {share('centred')}: "
        "r20 is large whenever the two conditions differ in silhouette and in loss, without any seed-level prediction; only "
        "the centred and within-condition columns speak of seeds."
    )


def _sheets(analysis: dict[str, Any], outcome: str) -> list[Sheet]:
    found = [cell_sheet(analysis)]
    found += [sheet for c in analysis["contrasts"] if (sheet := contrast_sheet(analysis, c, outcome)) is not None]
    summary = summary_sheet(analysis, outcome)
    return [*found, summary] if summary and len(analysis["contrasts"]) > 1 else found


def _note(analysis: dict[str, Any]) -> str:
    return f"Intervals: {analysis['interval']}, {analysis['resamples']:,} resamples."


def print_analysis(console: Console, analysis: dict[str, Any], outcome: str = "test") -> None:
    """All tables of an analysis, and what they show."""
    for sheet in _sheets(analysis, outcome):
        print_sheet(console, sheet)
    console.print(_note(analysis), highlight=False)
    console.print(sentence(analysis), highlight=False)


def write_markdown(path: Path, analysis: dict[str, Any]) -> None:
    """The same tables as a file, for test and for unseen losses."""
    parts = [sentence(analysis), _note(analysis)]
    for outcome in ("test", "unseen"):
        parts += [markdown(sheet) for sheet in reversed(_sheets(analysis, outcome))]
    path.write_text("\n\n".join(parts), encoding="utf-8")
