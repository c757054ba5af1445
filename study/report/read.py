"""A folder as a study, with the linear study that ran along with it."""

from __future__ import annotations

from dataclasses import replace

from study.figures.study import Study, leading_contrast
from study.folder import linear_part
from study.opened import read_folder
from study.rows import RowsError
from study.storage import Location
from study.sweep import SweepError


def read_studies(out: Location, contrast: str | None = None) -> Study:
    """The study of a folder, with the linear study that ran along with it where there is one.

    Raises:
        RowsError: no usable rows.
        SweepError: a stored sweep is not valid, there is no such contrast, or a link would lead out of the folder.
    """
    return with_linear(read_study(out, contrast), out)


def with_linear(study: Study, out: Location) -> Study:
    """A folder's study with the linear study that ran along with it where there is one; raises as `read_studies` does."""
    part = linear_part(out)
    if study.is_linear or part is None:
        return study
    beside = read_study(part)
    if not beside.is_linear:
        raise RowsError(f"{part}: holds rows of other networks than linear ones")
    return replace(study, beside=beside)


def read_study(out: Location, contrast: str | None = None) -> Study:
    """A folder's rows, plan and analysis; what is stored of the analysis is used where it is as new as the rows."""
    found = read_folder(out)
    if found.analysis.get("network") == "linear":
        if contrast is not None:
            raise SweepError(f"--contrast {contrast}: {out} is a study of the linear network, which has no contrasts")
        return Study(out, found.rows, found.analysis, found.plan, "")
    if contrast is not None and contrast not in found.analysis["contrasts"]:
        raise SweepError(f"--contrast {contrast}: unknown; allowed: {', '.join(found.analysis['contrasts'])}")
    return Study(out, found.rows, found.analysis, found.plan, contrast or leading_contrast(found.analysis))
