"""`import study`: a study as tables, an answer and figures, from Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import study
from study.assignments import spelled
from study.rows import RowsError
from study.sweep import SweepError
from tests.study.conftest import ROOT

HEAVY = ("torch", "ray", "pandas", "numpy", "sklearn", "scipy", "matplotlib", "pydantic", "rich", "pyarrow", "optuna", "wandb")


def test_import_study_loads_nothing_heavy() -> None:
    code = f"import sys, study; print([name for name in {HEAVY} if name in sys.modules], study.open.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[] study.door"


@pytest.fixture(scope="module")
def opened(small_run: tuple[Path, str]) -> study.Study:
    return study.open(small_run[0])


def test_a_folder_opens_as_tables_and_an_answer(small_run: tuple[Path, str], opened: study.Study) -> None:
    assert study.open(str(small_run[0])).answer == opened.answer
    assert len(opened.rows) == 12
    assert set(opened.rows["cell"]) == {"standard", "large"}
    r20 = opened.results.query("statistic == 'r20' and predictor == 'silhouette_eig' and outcome == 'test'")
    assert list(r20["phase"]) == ["single", "multi"]
    assert r20["low"].lt(r20["value"]).all()
    assert r20["value"].lt(r20["high"]).all()
    assert list(pd.read_csv(small_run[0] / "analysis.csv")["value"].dropna()) == pytest.approx(opened.results["value"].dropna())
    assert {"silhouette", "single", "multi"} <= {about.split()[0] for about in opened.verdicts["about"]}
    assert "Do the conditions differ" in opened.answer
    assert len(opened.answer.splitlines()) <= 12
    assert repr(opened).startswith("small: 12 networks, 2 cells\nDo the conditions differ")


def test_a_figure_is_drawn_by_name_and_leaves_a_session_as_it_was(opened: study.Study) -> None:
    import matplotlib
    import matplotlib.pyplot as plt

    matplotlib.use("svg")
    plt.rcParams["font.size"] = 13
    before, mine = os.environ.get("MPLBACKEND"), plt.figure()
    others = plt.get_fignums()
    try:
        figure = opened.figure("scatter")
        assert len(figure.axes) >= 2
        assert plt.get_fignums() == others
        assert (plt.get_backend(), plt.rcParams["font.size"]) == ("svg", 13)
        assert os.environ.get("MPLBACKEND") == before
    finally:
        plt.close(mine)
        matplotlib.use("agg")
        plt.rcParams.update(matplotlib.rcParamsDefault)


def test_a_figure_that_an_error_ends_half_drawn_is_closed_and_others_stay(
    opened: study.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib.pyplot as plt

    from study.figures.study import Study

    def scatter(_: Study) -> None:
        plt.figure()
        raise ValueError("half drawn")

    mine = plt.figure()
    others = plt.get_fignums()
    monkeypatch.setattr("study.figures.door.FIGURES", (scatter,))
    with pytest.raises(ValueError, match="half drawn"):
        opened.figure("scatter")
    assert plt.get_fignums() == others
    plt.close(mine)


def test_what_is_mistyped_is_one_line_with_what_may_be_meant(small_run: tuple[Path, str], opened: study.Study) -> None:
    with pytest.raises(ValueError, match="figure 'scater': unknown; did you mean 'scatter'\\?; allowed: pareto, scatter"):
        opened.figure("scater")
    with pytest.raises(ValueError, match="contrast 'smal': unknown; did you mean 'small'"):
        opened.figure("scatter", "smal")
    with pytest.raises(ValueError, match="figure 'pareto': not drawn, because"):
        opened.figure("pareto")
    with pytest.raises(RowsError, match=r"smll: no such folder; did you mean '.*small'\?"):
        study.open(small_run[0].with_name("smll"))


def test_a_notebook_shows_names_of_others_as_text(opened: study.Study) -> None:
    verdict = dict(opened.analysis["verdicts"][0]) | {"contrast": "<b>\u202eevil"}
    analysis = dict(opened.analysis) | {"verdicts": [verdict], "contrasts": {"<b>\u202eevil": [["a", "<script>"]]}}
    shown = study.Study("<i>name", opened.rows, analysis)._repr_html_()
    assert "&lt;i&gt;name" in shown
    assert "&lt;b&gt;\\u202eevil" in shown
    assert not [word for word in ("<i>", "\u202e", "<script>") if word in shown]
    assert "<th>contrast</th>" in opened._repr_html_()


def test_run_goes_on_with_a_folder_and_returns_what_open_does(
    small_sweep: Path, small_run: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(small_run[0], copy)
    found = study.run(str(small_sweep), out=copy)
    assert "left: 0 networks" in capsys.readouterr().out
    assert len(found.rows) == 12
    assert found.plan is not None
    pd.testing.assert_frame_equal(found.results, study.open(copy).results)
    fewer = study.run(small_sweep, out=str(copy), seeds=5)  # a view of what is there
    assert len(fewer.rows) == 10
    assert fewer.results["n"].max() == 5


def test_run_refuses_in_one_line_as_the_command_does(small_sweep: Path, small_run: tuple[Path, str], tmp_path: Path) -> None:
    for given, message in (
        ({"seed": 3}, "seed: unknown field"),
        ({"settings": {"hidden_units": 0}}, "hidden_units = 0: must be greater than or equal to 1"),
        ({"cells.large.init_scale": [object()]}, "cells.large.init_scale: must be a number, text, a list or a mapping"),
        ({"cells.lrge.init_scale": 3}, "there is no lrge"),
    ):
        with pytest.raises(SweepError, match=re.escape(message)):
            study.run(small_sweep, out=tmp_path / "new", **given)
    with pytest.raises(SweepError, match=r"another configuration \(cells.standard.hidden_units: 20 there, 21 here\)"):
        study.run(small_sweep, out=small_run[0], settings={"hidden_units": 21})
    with pytest.raises(SweepError, match=r"qick: no such file, and no sweep has this name; did you mean 'quick'\?"):
        study.run("qick")


def test_values_of_python_become_assignments() -> None:
    given = {"seeds": np.int64(4), "settings": {"learning_rate": 1e-5}, "cells.x": {"init_scale": (1, 2)}, "name": "010"}
    assert spelled(given) == ("seeds=4", "settings.learning_rate=1.0e-05", "cells.x={init_scale: [1, 2]}", "name='010'")


def test_a_notebook_draws_with_its_own_backend_afterwards(tmp_path: Path) -> None:
    """IPython's backend registers itself when it is loaded, if matplotlib says by then that it is the one that is meant."""
    (tmp_path / "own_backend.py").write_text(
        "import matplotlib\nseen = matplotlib.get_backend()\nfrom matplotlib.backends.backend_agg import *\n"
    )
    code = (
        "import os\nfrom study.session import own_session\n"
        "with own_session():\n import study.figures.style\n import matplotlib\n print(matplotlib.get_backend().lower())\n"
        "import own_backend, matplotlib.pyplot as plt\n"
        "print(own_backend.seen, plt.get_backend(), os.environ['MPLBACKEND'], plt.rcParams['font.size'])"
    )
    backend, path = "module://own_backend", os.pathsep.join([str(ROOT), str(tmp_path)])
    environment = os.environ | {"MPLBACKEND": backend, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["agg", backend, backend, backend, "10.0"], done.stderr
