"""The `report` command: read a folder, draw every figure, write one HTML file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from rich.console import Console

from study.analysis import SCHEMA
from study.figures.registry import draw_all
from study.figures.study import Drawn, Missing, Study
from study.figures.style import save
from study.folder import FILE, stored_plan
from study.report.svg import inline
from study.report.view import (
    contrasts_sheet,
    diverged_sheet,
    environment_sheet,
    main_sheet,
    rerun_sheet,
    settings_sheets,
    sweep_text,
    table_groups,
    verdict_rows,
)
from study.rows import RowsError, read_rows
from study.run import analysed
from study.storage import Location, as_folder
from study.sweep import SweepError
from study.tables import notes, rules, sentence, verdict_sheet

HEADLINE = "scatter"
QUESTION = "Can we predict, before training, what a network will learn and how well it will do?"


@dataclass(frozen=True)
class Picture:
    """A figure as the page shows it."""

    name: str
    number: int
    drawn: Drawn
    svg: Markup


def build_report(out: Location, contrast: str | None, console: Console) -> Location:
    """Write `report.html` and `figures/*.svg, *.png` into a study's folder.

    Args:
        contrast: what figures of a single contrast show; None for the primary comparison's, or the first.

    Raises:
        RowsError: no usable rows, or nothing to compare.
        SweepError: the stored sweep is not valid, or there is no such contrast.
    """
    study = read_study(out, contrast)
    console.print(f"{len(study.rows)} networks of {study.name}; drawing figures ...", highlight=False, markup=False)
    with as_folder(out) as folder:
        pictures, missing = _pictures(study, folder / "figures")
        (folder / "report.html").write_text(_page(study, pictures, missing), encoding="utf-8")
    path = out / "report.html"
    for name, why in missing.items():
        console.print(f"{name}: not drawn, because {why.reason}.", highlight=False, markup=False)
    console.print(f"{len(pictures)} figures. Files: {path}, {out / 'figures'}", highlight=False, markup=False, soft_wrap=True)
    return path


def read_study(out: Location, contrast: str | None = None) -> Study:
    """A folder's rows, plan and analysis; what is stored of the analysis is used where it is as new as the rows."""
    plan = stored_plan(out)
    frame = read_rows(out)
    analysis = _stored_analysis(out) or analysed(frame, plan, out)
    if contrast is not None and contrast not in analysis["contrasts"]:
        raise SweepError(f"--contrast {contrast}: unknown; allowed: {', '.join(analysis['contrasts'])}")
    if not analysis["results"]:
        raise RowsError(f"{out}: no two cells that are to be compared have rows")
    compared = list(dict.fromkeys(result["contrast"] for result in analysis["results"]))
    leading = analysis["primary"]["contrast"] if analysis["primary"] else compared[0]
    return Study(out, frame, analysis, plan, contrast or (leading if leading in compared else compared[0]))


def _stored_analysis(out: Location) -> dict[str, Any] | None:
    """`analysis.json`, unless something of the folder is newer or another version of this code wrote it; not from object
    storage, where reading all rows takes longer than analysing them."""
    if not isinstance(out, Path):
        return None
    path = out / "analysis.json"
    sources = [*(out / "rows").rglob("*.parquet"), *out.glob(FILE)]
    if not path.exists() or any(source.stat().st_mtime > path.stat().st_mtime for source in sources):
        return None
    try:
        analysis = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return analysis if isinstance(analysis, dict) and analysis.get("schema") == SCHEMA else None


def _pictures(study: Study, folder: Path) -> tuple[list[Picture], dict[str, Missing]]:
    """Every figure, saved and as a part of the page, and why the others are not drawn. Files of figures that are no
    longer drawn are removed, so that none outlives its rows."""
    pictures: list[Picture] = []
    missing: dict[str, Missing] = {}
    for name, drawn in draw_all(study):
        if isinstance(drawn, Missing):
            missing[name] = drawn
            for kind in ("svg", "png"):
                (folder / f"{name}.{kind}").unlink(missing_ok=True)
            continue
        try:
            as_svg = save(drawn.figure, folder, name)[0]
        finally:
            plt.close(drawn.figure)
        svg = inline(as_svg.read_text(encoding="utf-8"), name, drawn.alt)
        pictures.append(Picture(name, len(pictures) + 1, drawn, svg))
    return pictures, missing


def _page(study: Study, pictures: Sequence[Picture], missing: dict[str, Missing]) -> str:
    analysis, sweep = study.analysis, study.plan.sweep if study.plan else None
    environment = Environment(
        loader=PackageLoader("study.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = lambda text: Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))
    headline = next((picture for picture in pictures if picture.name == HEADLINE), None)
    return environment.get_template("template.html").render(
        study=study,
        question=(sweep.description if sweep else "") or QUESTION,
        known=sweep is not None,
        sentence=sentence(analysis),
        verdicts=verdict_rows(study),
        every_verdict=verdict_sheet(analysis),
        main=main_sheet(study),
        headline=headline,
        pictures=[picture for picture in pictures if picture is not headline],
        missing=missing,
        networks=len(study.rows),
        seeds=study.rows["seed"].nunique(),
        cells=study.rows["cell"].nunique(),
        rules=rules(analysis),
        notes=notes(analysis),
        settings=[*settings_sheets(study), contrasts_sheet(study)],
        groups=table_groups(study),
        diverged=diverged_sheet(study),
        divergence_known="diverged" in study.rows,
        environment=environment_sheet(study),
        rerun=rerun_sheet(study),
        sweep_text=sweep_text(study),
    )
