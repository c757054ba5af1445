"""The `report` command: read a folder, draw every figure, write one HTML file."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from rich.console import Console

from study.by_data_sheets import data_set_notes
from study.figures.registry import FIGURES, LINEAR, draw_all
from study.figures.study import Drawn, Missing, Study
from study.figures.style import close, save, use_our_style
from study.folder import LINEAR as LINEAR_FOLDER
from study.interim import interim_note
from study.map_sheets import map_notes
from study.over_time_sheets import over_time_notes
from study.progress import duration
from study.ranking_sheets import ranking_notes
from study.report.linear_view import METHODS, linear_groups, linear_main, linear_sentence
from study.report.read import read_studies
from study.report.svg import inline
from study.report.view import (
    Group,
    contrasts_sheet,
    diverged_part,
    environment_sheet,
    main_sheet,
    rerun_sheet,
    settings_sheets,
    sweep_text,
    table_groups,
    verdict_rows,
)
from study.storage import Location, as_folder, write_text
from study.tables import notes, rules, sentence, verdict_sheet
from study.text import visible
from study.written import begin, clean, ended

HEADLINES = ("scatter", "figure_5")  # of a multitask study, of a linear one
SECONDS_BETWEEN_LINES = 5.0
TALL = 2.2  # height over width: an A4 page has 1.4, and a figure shrunk to it still letters of 4 points
QUESTION = "Can we predict, before training, what a network will learn and how well it will do?"


@dataclass(frozen=True)
class Picture:
    """A figure as the page shows it."""

    name: str
    number: int
    drawn: Drawn
    svg: Markup

    @property
    def tall(self) -> bool:
        """Whether it is too tall to be read on one printed page."""
        box = re.search(r'viewBox="([^"]*)"', self.svg)
        _, _, width, height = map(float, box[1].split()) if box else (0, 0, 1, 1)
        return height > TALL * width


def build_report(out: Location, contrast: str | None, console: Console) -> Location:
    """Write `report.html` and `figures/*.svg, *.png` into a study's folder.

    Args:
        contrast: what figures of a single contrast show; None for the primary comparison's, or the first.

    Raises:
        RowsError: no usable rows.
        SweepError: a stored sweep is not valid, or there is no such contrast.
    """
    study = read_studies(out, contrast)
    beside = f" and {len(study.beside.rows)} of {study.beside.name}" if study.beside else ""
    console.print(f"{len(study.rows)} networks of {study.name}{beside}; drawing figures ...", highlight=False, markup=False)
    use_our_style()
    figures = [f"figures/{function.__name__}.{kind}" for function in FIGURES for kind in ("svg", "png")]
    with as_folder(out) as folder:
        begin(folder, ["report.html", *figures])
        pictures, missing = _pictures(study, folder / "figures", console)
        write_text(folder / "report.html", _page(study, pictures, missing))
    if isinstance(out, Path):
        clean(out)
        drawn = [f"figures/{picture.name}.{kind}" for picture in pictures for kind in ("svg", "png")]
        for name in ended(out, ["report.html", *drawn], figures):  # else no figure outlives its rows
            console.print(f"{out / name}: not of these rows; it is not known to be of this program, so it stays",
                          highlight=False, markup=False, soft_wrap=True)  # fmt: skip
    path = out / "report.html"
    if missing:
        console.print(folded(missing), highlight=False, markup=False)
    console.print(f"{len(pictures)} figures. Files: {path}, {out / 'figures'}", highlight=False, markup=False, soft_wrap=True)
    return path


def folded(missing: Mapping[str, Missing]) -> str:
    """Figures that are not drawn, in a line: a count for each reason, and the name where it is a single one."""
    reasons: dict[str, list[str]] = {}
    for name, why in missing.items():
        reasons.setdefault(why.reason, []).append(name)
    told = [f"{names[0] if len(names) == 1 else len(names)}: {reason}" for reason, names in reasons.items()]
    return f"{len(missing)} figures not drawn. {'. '.join(told)}."


def _pictures(study: Study, folder: Path, console: Console) -> tuple[list[Picture], dict[str, Missing]]:
    """Every figure, saved and as a part of the page, and why the others are not drawn."""
    pictures: list[Picture] = []
    missing: dict[str, Missing] = {}
    count, start, shown = len(LINEAR if study.is_linear else FIGURES), time.monotonic(), time.monotonic()
    for number, (name, drawn) in enumerate(draw_all(study), start=1):
        if time.monotonic() - shown > SECONDS_BETWEEN_LINES:
            shown = time.monotonic()
            left = duration((shown - start) / number * (count - number))
            console.print(f"figure {number} of {count}: {name}; about {left} left", highlight=False)
        if isinstance(drawn, Missing):
            missing[name] = drawn
            continue
        try:
            as_svg = save(drawn.figure, folder, name)[0]
        finally:
            close(drawn.figure)
        svg = inline(as_svg.read_text(encoding="utf-8"), name, drawn.alt)
        pictures.append(Picture(name, len(pictures) + 1, drawn, svg))
    return pictures, missing


def _visible(value: Any) -> Any:
    """Text as the page may hold it: no sign that turns or hides what follows; what is markup already stays."""
    return visible(value, keep="\n") if isinstance(value, str) and not isinstance(value, Markup) else value


def _page(study: Study, pictures: Sequence[Picture], missing: dict[str, Missing]) -> str:
    environment = Environment(
        loader=PackageLoader("study.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters["code"] = lambda text: Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(_visible(text)))))
    headline = next((picture for picture in pictures if picture.name == HEADLINES[study.is_linear]), None)
    sweep = study.plan.sweep if study.plan else None
    studies = [study, *([study.beside] if study.beside else [])]
    parts = _linear_parts(study) if study.is_linear else _multitask_parts(study)
    return environment.get_template("linear.html" if study.is_linear else "multitask.html").render(
        study=study,
        beside=study.beside,
        linear_methods=METHODS if study.beside else METHODS[0].upper() + METHODS[1:],
        question=(sweep.description if sweep else "") or QUESTION,
        known=sweep is not None,
        headline=headline,
        pictures=[picture for picture in pictures if picture is not headline],
        missing=missing,
        networks=len(study.rows),
        seeds=study.rows["seed"].nunique(),
        cells=study.rows["cell"].nunique(),
        interim=[f"{part.name}: {note}" for part in studies if (note := interim_note(part.analysis))],
        diverged=[diverged_part(part) for part in studies],
        environments=[environment_sheet(part) for part in studies],
        reruns=[rerun_sheet(study), *([rerun_sheet(study.beside, f"DIR/{LINEAR_FOLDER}")] if study.beside else [])],
        sweep_texts={part.name: text for part in studies if (text := sweep_text(part))},
        **parts,
    )


def _multitask_parts(study: Study) -> dict[str, Any]:
    """What a page of a multitask study says and lists, the linear study beside it at the end."""
    analysis = study.analysis
    settings, groups = [*settings_sheets(study), contrasts_sheet(study)], table_groups(study)
    if study.beside:
        settings += settings_sheets(study.beside)
        groups += [Group("Linear network", [linear_main(study.beside)]), *linear_groups(study.beside)]
    return {
        "sentence": sentence(analysis),
        "verdicts": verdict_rows(study),
        "every_verdict": verdict_sheet(analysis),
        "main": main_sheet(study),
        "rules": rules(analysis),
        "notes": [
            *notes(analysis),
            *map_notes(analysis),
            *over_time_notes(analysis),
            *ranking_notes(analysis),
            *data_set_notes(analysis),
        ],
        "settings": settings,
        "groups": groups,
    }


def _linear_parts(study: Study) -> dict[str, Any]:
    """The same of a linear study alone."""
    return {
        "sentence": linear_sentence(study),
        "main": linear_main(study),
        "notes": [],
        "settings": settings_sheets(study),
        "groups": linear_groups(study),
    }
