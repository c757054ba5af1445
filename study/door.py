"""The door for Python: a study as tables, an answer and figures, for a prompt, a notebook or a program of your own.

Light on purpose: `import study` imports this module, and what takes long to import is imported inside functions.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from study.plan import Plan
    from study.storage import Location

MOST_VERDICTS = 30  # that a notebook shows


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """What a study says. `open`, `run` and `analyse` make one.

    Attributes:
        name: of its sweep; "unknown" for rows made elsewhere that do not say one.
        rows: one per network: its cell, seeds, settings, silhouettes, predictors and losses.
        analysis: plain data with everything that is computed from the rows, as `analysis.json` holds it.
        folder: where it is; None for rows that lie in none.
        plan: what was to be done; None for rows made elsewhere.
    """

    name: str
    rows: pd.DataFrame
    analysis: Mapping[str, Any]
    folder: Location | None = None
    plan: Plan | None = None

    @cached_property
    def results(self) -> pd.DataFrame:
        """One estimate a row: of which contrast, phase, outcome, predictor and statistic (of which cell where nothing is
        compared, of which cell and score in a study of linear networks); `value`, its interval `low` and `high`, `n`, p
        values, and `reason` where a number is missing. Of rows without a silhouette, the ranking of their predictors."""
        import pandas as pd

        if found := self.analysis["results"] or self.analysis.get("within"):
            return pd.DataFrame(found)
        return self.ranking

    @cached_property
    def ranking(self) -> pd.DataFrame:
        """One predictor a row, of each contrast, phase and outcome: its correlation over seeds beside what a little training
        says. Empty where rows have no `predictor_<phase>_<name>`."""
        import pandas as pd

        from study.ranking_sheets import ranking_frame

        return ranking_frame(dict(self.analysis)) if self.analysis.get("ranking") else pd.DataFrame()

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """One question a row: do the two conditions differ in the silhouette or in a loss, does the silhouette say before
        training which seed does better; with the numbers that decide. Empty where nothing is compared."""
        import pandas as pd

        return pd.DataFrame(self._verdicts)

    @property
    def _verdicts(self) -> list[Any]:
        from study.answer import verdicts_of

        return list(verdicts_of(self.analysis)) if "verdicts" in self.analysis else []

    @cached_property
    def answer(self) -> str:
        """What the study says, in at most 12 lines of plain words."""
        from study.answer import NOWHERE, answer
        from study.next_steps import next_steps

        steps = NOWHERE if self.folder is None else next_steps(self.folder, self.plan, len(self.rows))
        return "\n".join(answer(self.analysis, steps))

    def figure(self, name: str, contrast: str | None = None) -> Figure:
        """A figure of the report by its name, such as `scatter`; a notebook shows it, `figure.savefig("scatter.pdf")` saves it.

        Args:
            contrast: what figures of a single contrast show; by default the primary comparison's, or the first.

        Raises:
            ValueError: no such figure or contrast, or the study lacks what it is drawn from; in one line.
        """
        from study.session import own_session

        with own_session():
            from study.figures.door import draw

            return draw(self, name, contrast)

    @property
    def _title(self) -> str:
        networks, cells = len(self.rows), self.rows["cell"].nunique()
        return f"{self.name}: {networks:,} network{'s' * (networks != 1)}, {cells} cell{'s' * (cells != 1)}"

    def __repr__(self) -> str:
        from study.text import visible

        return f"{visible(self._title)}\n{self.answer}"

    def _repr_html_(self) -> str:
        from study.tables import verdict_sheet
        from study.text import visible

        parts = [f"<p><b>{escape(visible(self._title))}</b></p>", f"<pre>{escape(visible(self.answer, keep=chr(10)))}</pre>"]
        verdicts = self._verdicts
        if verdicts and (sheet := verdict_sheet({**self.analysis, "verdicts": verdicts})) is not None:
            rows = [sheet.headings, *sheet.rows[:MOST_VERDICTS]]
            cells = ["".join(f"<td>{escape(visible(text))}</td>" for text in row) for row in rows]
            cells[0] = cells[0].replace("td>", "th>")
            more = len(sheet.rows) - MOST_VERDICTS
            parts.append(f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>")
            parts += [f"<p>and {more} more in <code>.verdicts</code></p>"] if more > 0 else []
        return "\n".join(parts)


def place_of(folder: str | os.PathLike[str] | Location) -> Location:
    """A place as text, as a path, or as a URI such as s3://bucket/prefix."""
    from study.storage import Remote, location

    return folder if isinstance(folder, Remote) else location(os.fspath(folder))


def open(folder: str | os.PathLike[str] | Location) -> Study:
    """The study of a folder, such as `results/paper`: of a finished or an unfinished run, or of rows made elsewhere.

    Args:
        folder: as text or as a path, or a URI such as s3://bucket/prefix. It is only read.

    Raises:
        ValueError: no folder, no rows, or rows that cannot be used; in one line.
    """
    from study.session import own_session

    out = place_of(folder)
    with own_session():
        from study.meant import check_folder

        check_folder(out)
        return _read(out)


def _read(out: Location, view: Plan | None = None) -> Study:
    """A folder's study; `view`: of some of its networks alone."""
    from study.opened import read_folder

    found = read_folder(out, view)
    return Study(name_of(found.rows, found.plan), found.rows, found.analysis, out, found.plan)


def run(sweep: str | os.PathLike[str], /, *, out: str | os.PathLike[str] | None = None, **assignments: Any) -> Study:
    """Run a sweep in this process, or go on with it, as the command `run` does; with the same words of progress.

    Args:
        sweep: the name of a sweep of this project, such as `quick`, or a sweep file.
        out: its folder, or a URI; by default results/<name of the sweep>.
        assignments: fields of the sweep file to override, such as `seeds=4`; `settings={"hidden_units": 100}` sets that field
            alone, and `**{"cells.large.init_scale": 5}` a nested one.

    Raises:
        ValueError: a sweep that cannot be run, or a folder that is another study's; in one line.
        UserError: trials failed.
        KeyboardInterrupt: the run was stopped; the same call goes on from what is finished.
    """
    from argparse import Namespace

    from study.session import own_session
    from study.surroundings import mend

    with own_session():
        mend()
        from study import outward
        from study.assignments import spelled
        from study.console import make_console
        from study.extension import is_view
        from study.failure import UserError
        from study.sweep_file import load_sweep

        given = spelled(assignments)
        path, console = Path(sweep), make_console()
        loaded = load_sweep(path, given)
        from study.next_steps import typed
        from study.plan import make_plan  # later still: most of the seconds, which a mistyped name need not spend
        from study.running import attempt

        folder = Path("results") / loaded.name if out is None else place_of(out)
        tracking = outward.chosen(Namespace(wandb=None, entity=None, project=None), loaded.wandb, folder, console)
        loaded = loaded.model_copy(update={"wandb": outward.remembered(tracking)})
        command = typed(Namespace(sweep=path, out=out, address=None, assignments=given))
        plan = make_plan(loaded)
        ended = attempt(plan, folder, tracking, None, console, False, command)
        if ended.status and ended.interrupted:
            raise KeyboardInterrupt(ended.problem)
        if ended.status:
            raise UserError(ended.problem)
        return _read(folder, plan if is_view(plan, folder) else None)


def analyse(
    rows: pd.DataFrame | str | os.PathLike[str],
    pairs: Mapping[str, Any] | None = None,
    expect: Mapping[str, Any] | None = None,
    primary: Mapping[str, Any] | None = None,
) -> Study:
    """Analyse rows from anywhere: one per network, with its `cell`, its `seed`, a `silhouette_<estimator>` (or
    `predictor_<phase>_<name>`) and a `loss_<phase>_test` (or `loss_<phase>_unseen`).

    Args:
        rows: a table, which is left alone, a Parquet file, or a folder with `rows/*.parquet`.
        pairs: which cells are compared, seed by seed, by a name for the comparison: {"large": ("standard", "large")}; or as a
            sweep file says a contrast. By default every two cells that share seeds, without verdicts.
        expect: what the first cell of a pair is expected to have against the second: {"silhouette": "higher", "final":
            "lower"}, of the silhouette and the loss of a phase; for every pair, or by the name of one.
        primary: the one comparison that was named before the rows were made: {"contrast": "large", "phase": "final"}, perhaps
            with an `outcome` and an `estimator`.

    Raises:
        ValueError: rows that cannot be used, or a cell or phase that they do not have; in one line.
    """
    from study.session import own_session

    with own_session():
        from study.analysing import analyse_rows

        found = analyse_rows(rows, pairs, expect, primary)
    return Study(name_of(found.rows, None).replace("unknown", "rows"), found.rows, found.analysis)


def name_of(rows: pd.DataFrame, plan: Plan | None) -> str:
    """The name of the rows' sweep; "unknown" where nobody knows it."""
    if plan is not None:
        return plan.sweep.name
    named = rows["sweep"].dropna().astype(str).unique() if "sweep" in rows else ()
    return ", ".join(named) or "unknown"
