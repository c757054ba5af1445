"""What `run` and `analyse` draw of structure during training: the report's figures, as the same files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from study.figures.over_time import over_time
from study.figures.structure import structure
from study.figures.study import Drawn, Study, leading_contrast
from study.figures.style import save
from study.plan import Plan
from study.written import begin


def write_figures(out: Path, frame: pd.DataFrame, analysis: dict[str, Any], plan: Plan | None) -> list[Path]:
    """`figures/over_time` and `figures/structure` of a study's folder, as SVG and PNG, where the rows allow.

    Returns:
        the files written.
    """
    study = Study(out, frame, analysis, plan, leading_contrast(analysis))
    files: list[Path] = []
    begin(out, [f"figures/{function.__name__}.{kind}" for function in (over_time, structure) for kind in ("svg", "png")])
    for function in (over_time, structure):
        drawn = function(study)
        if isinstance(drawn, Drawn):
            files += save(drawn.figure, out / "figures", function.__name__)
    return files
