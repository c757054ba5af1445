"""Tables of a report as plain data for its template."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from study.by_data_sheets import data_set_sheets
from study.figures.study import UNKNOWN, Study, short
from study.linear_settings import LinearSettings
from study.map_sheets import map_sheets
from study.over_time_sheets import over_time_sheets
from study.ranking_sheets import ranking_sheets
from study.sheets import Sheet
from study.sweep import Settings
from study.tables import (
    VERDICT_HEADINGS,
    both_counts,
    cell_sheet,
    number,
    p_text,
    sheets,
    variance_sheet,
    verdict_texts,
    with_interval,
)
from study.within_cells import within_sheet

SAID_ONCE = ("phase", "measured in", "final loss of", "pairs")  # of several rows, in the first of them


@dataclass(frozen=True)
class Group:
    """Tables under one heading."""

    heading: str
    tables: Sequence[Sheet]


def filled(sheet: Sheet) -> Sheet:
    """A table whose rows can be put in another order: what is said once for several rows is said in each."""
    columns = [place for place, heading in enumerate(sheet.headings) if heading in SAID_ONCE]
    rows: list[Sequence[str]] = []
    for row in sheet.rows:
        rows.append([text or (rows[-1][place] if rows and place in columns else "") for place, text in enumerate(row)])
    return Sheet(sheet.title, sheet.headings, rows, sheet.left, sheet.sections, sheet.strong)


def verdict_rows(study: Study) -> Sheet | None:
    """The verdicts of the report's contrast on the outcome it leads with."""
    chosen = [
        v
        for v in study.analysis["verdicts"]
        if v["contrast"] == study.contrast and (v["about"] == "silhouette" or v["outcome"] == study.outcome)
    ]
    if not chosen:
        return None
    return Sheet(f"Verdicts: {study.contrast}", VERDICT_HEADINGS, [verdict_texts(v) for v in chosen], 4)


def main_sheet(study: Study) -> Sheet:
    """For the first screen: the source study's statistic, the paper's value, and the seed-level one; where nothing is
    compared, what seeds say within cells; where no silhouette is, the first ranking of predictors."""
    if not study.analysis["results"] and (ranked := next(ranking_sheets(study.analysis, everything=False), None)):
        return ranked
    if (within := within_sheet(study.analysis, study.outcome)) is not None:
        return within
    rows = []
    for contrast in study.analysis["contrasts"]:
        for phase in study.phases:
            r20, centred = (study.result(contrast, phase, study.outcome, study.predictor, name) for name in ("r20", "centred"))
            if r20 is not None and centred is not None:
                count = both_counts({"r20": r20, "centred": centred})
                row = [contrast, phase, count, with_interval(r20), number(r20["paper"]), with_interval(centred)]
                rows.append([*row, p_text(centred["p"])])
    strong = frozenset(place for place, row in enumerate(rows) if row[0] == study.contrast)
    title = f"{short(study.predictor)} against final {study.outcome} loss: between conditions (r20), between seeds (centred r)"
    return Sheet(title, ["contrast", "phase", "pairs", "r20", "paper", "centred r", "p"], rows, 2, strong=strong)


def table_groups(study: Study) -> list[Group]:
    """Every table of every outcome, by contrast, the report's contrast first; before them the ranking of predictors."""
    analysis = study.analysis
    general = [cell_sheet(analysis), *map_sheets(analysis), *filter(None, [variance_sheet(analysis)])]
    groups: dict[str, list[Sheet]] = {
        name: [] for name in sorted(analysis["contrasts"], key=lambda name: name != study.contrast)
    }
    groups |= {"": general}
    for outcome in analysis["outcomes"]:
        for sheet in sheets(analysis, outcome, everything=True):
            name = next((name for name in groups if name and sheet.title.startswith(f"{name}: ")), "")
            groups[name].append(filled(sheet))
    for sheet in over_time_sheets(analysis, everything=True):
        name = next((name for name in groups if name and sheet.title.startswith(f"{name}, ")), "")
        groups[name].append(filled(sheet))
    if "scan" in analysis:
        from study.scan.report import scan_sheets  # late: optuna takes a second that other studies need not spend

        groups[""] = [*scan_sheets(analysis["scan"]), *groups[""]]
    named = [Group(f"Contrast {name}", tables) for name, tables in groups.items() if name]
    ranked = [*data_set_sheets(analysis, everything=True), *ranking_sheets(analysis, everything=True)]
    return [Group("All cells and contrasts", groups[""]), *([Group("Ranking of predictors", ranked)] if ranked else []), *named]


def settings_sheets(study: Study) -> list[Sheet]:
    """Settings that all cells share, those in which they differ, and their phases, as the rows have them."""
    cells = [str(cell) for cell in study.rows["cell"].unique()]
    fields = LinearSettings.model_fields if study.is_linear else Settings.model_fields
    known = {name: [_text(study.setting(cell, name)) for cell in cells] for name in fields}
    shared = [[name, values[0]] for name, values in known.items() if len(set(values)) == 1]
    different = {name: values for name, values in known.items() if len(set(values)) > 1}
    tables = [Sheet(f"Settings of all cells of {study.name}", ["setting", "value"], shared, 2)]
    if different:
        rows = [[cell, *(values[place] for values in different.values())] for place, cell in enumerate(cells)]
        tables.append(Sheet(f"Settings in which cells of {study.name} differ", ["cell", *different], rows, 1 + len(different)))
    phases = [
        [cell, p["name"], ", ".join(f"{c:g}" for c in p["task_counts"]), f"{p['steps']:,}", f"{p['learning_rate']:g}",
         "full" if p.get("batch_size") is None else str(p["batch_size"]), _text(study.setting(cell, "cycles"))]
        for cell in cells for p in study.phase_settings(cell)
    ]  # fmt: skip
    if phases:
        headings = ["cell", "phase", "frequency of 1, 2, ... tasks", "steps", "learning rate", "batch", "cycles"]
        tables.append(Sheet("Phases of training", headings, phases, 3))
    return tables


def _text(value: Any) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:g}" if isinstance(value, float) else str(value).replace(",", ", ")


@dataclass(frozen=True)
class DivergedPart:
    """What a page says of a study's diverged networks.

    Attributes:
        sheet: None where there are none.
        known: whether the rows say.
        leaves: what a diverged network is left out of.
    """

    name: str
    networks: int
    sheet: Sheet | None
    known: bool
    leaves: str


def diverged_part(study: Study) -> DivergedPart:
    """Every network that diverged, with what is known of it."""
    leaves = "score of its cell" if study.is_linear else "comparison together with its partner"
    known = "diverged" in study.rows
    return DivergedPart(study.name, len(study.rows), _diverged_sheet(study) if known else None, known, leaves)


def _diverged_sheet(study: Study) -> Sheet | None:
    rows = study.rows[study.rows["diverged"].astype("boolean").fillna(False).astype(bool)]
    if rows.empty:
        return None
    losses = [name for name in rows if name.startswith("loss_") and name.endswith(("_train", "_test"))]
    numbers = losses if study.is_linear else [study.predictor, *losses]
    columns = [name for name in ("cell", "seed", "data_seed", "learning_rate", "init_scale") if name in rows]
    texts = [
        [*(_text(row[name]) for name in columns), *(f"{row[name]:.3g}" for name in numbers)] for row in rows.to_dict("records")
    ]
    of = f" of {study.name}" if study.is_linear else ""
    return Sheet(f"Networks{of} that diverged: {len(texts)} of {len(study.rows)}", [*columns, *numbers], texts, 1)


def environment_sheet(study: Study) -> Sheet:
    """Commits and versions behind the rows, each with the number of networks."""
    names = [name for name in study.rows if name == "commit" or str(name).startswith("version_")]
    rows = []
    for name in names:
        for value, count in study.rows[name].fillna(UNKNOWN).value_counts().items():
            rows.append([str(name).removeprefix("version_").replace("_", "-"), str(value), str(count)])
    return Sheet(
        f"What the rows of {study.name} were made with",
        ["what", "version", "networks"],
        rows or [["everything", UNKNOWN, "-"]],
        2,
    )


def rerun_sheet(study: Study, folder: str = "DIR") -> Sheet:
    """Which command gives each number again.

    Args:
        folder: the word that stands for the study's folder.
    """
    first = study.rows.iloc[0]
    rows = []
    for commit in study.values("commit") or [UNKNOWN]:
        dirty = " (it had uncommitted changes)" if commit.endswith("-dirty") else ""
        code = UNKNOWN if commit == UNKNOWN else f"git checkout {commit.removesuffix('-dirty')}"
        rows.append([f"the code that made the rows{dirty}", code])
    again = f"study run {folder}/sweep.json --out {folder.replace('DIR', 'AGAIN')}"
    if study.plan is None:
        rows.append(["every row", "unknown: the folder holds no sweep.json, its rows were made elsewhere"])
    else:
        one_seed = f"'seeds=[{first['seed']}]'" + (" linear=null" if study.plan.linear else "")
        one = "one network of each cell" if study.is_linear else "one pair"
        rows += [["every row", again], [f"{one}, here the first seed", f"{again} --set {one_seed}"]]
    if study.plan is not None and not study.is_linear:
        export = f"study export {folder} --cell {first['cell']} --seed {first['seed']} --to network.npz"
        rows.append(["weights, data, losses and silhouettes of one network", export])
    rows.append(["every table and statistic; one number each in analysis.csv", f"study analyse {folder}"])
    if folder == "DIR":
        chosen = f" --contrast {study.contrast}" if len(study.analysis.get("contrasts", [])) > 1 else ""
        rows.append(["this report and its figures", f"study report DIR{chosen}"])
    if not study.is_linear:
        rows += [
            ["figure 1", "study one-step"],
            ["how far the intervals can be trusted", "study calibrate"],
        ]
    return Sheet(f"How to compute each number of {study.name} again", ["what", "command"], rows, 2)


def contrasts_sheet(study: Study) -> Sheet:
    """Which cells are compared."""
    rows = [
        [name, "; ".join(f"{first} minus {second}" for first, second in pairs)]
        for name, pairs in study.analysis["contrasts"].items()
    ]
    return Sheet("Contrasts: differences are first minus second", ["contrast", "cells"], rows, 2)


def sweep_text(study: Study) -> str:
    """The sweep as it was run, or ""."""
    return "" if study.plan is None else json.dumps(study.plan.sweep.identity(), indent=1)
