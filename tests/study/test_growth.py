"""A study that is given more seeds, and fewer, on the command line, with linear networks that run along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from study.rows import read_rows
from tests.study.conftest import SMALL, study
from tests.study.test_identity import LINEAR

ALONG = yaml.safe_load(SMALL) | {"seeds": 3, "linear": LINEAR, "wandb": {"mode": "disabled"}}


@pytest.mark.slow
def test_more_seeds_train_the_new_ones_and_fewer_are_a_view(tmp_path: Path) -> None:
    sweep, out = tmp_path / "along.yaml", tmp_path / "out"
    sweep.write_text(yaml.safe_dump(ALONG))
    command = "run", sweep, "--out", out, "--set"
    analyses = [out / "analysis.json", out / "linear" / "analysis.json"]
    assert study(*command, "seeds=3").returncode == 0
    first = {path: path.read_bytes() for path in out.rglob("*.parquet")}

    grown = study(*command, "seeds=5", "linear.seeds=4", "compute.cpus_per_trial=2")
    assert grown.returncode == 0, grown.stderr
    assert "left: 4 networks" in grown.stdout
    assert "left: 2 networks" in grown.stdout
    assert "from 3 seeds to 5 seeds, after it had been analysed" in grown.stdout
    assert "from 3 seeds to 4 seeds, after it had been analysed" in grown.stdout
    assert first.items() <= {path: path.read_bytes() for path in out.rglob("*.parquet")}.items()
    assert (len(read_rows(out)), len(read_rows(out / "linear"))) == (10, 8)
    whole = [json.loads(path.read_text()) for path in analyses]

    view = study(*command, "seeds=3", "linear.seeds=2")
    assert view.returncode == 0, view.stderr
    assert view.stdout.count("left: 0 networks") == 2
    assert "A view: 3 seeds of the folder's 5 seeds; 6 of its 10 networks are counted" in view.stdout
    assert "A view: 2 seeds of the folder's 4 seeds; 4 of its 8 networks are counted" in view.stdout
    assert [json.loads(path.read_text())["view"] for path in analyses] == [True, True]

    again = study("analyse", out)
    assert again.returncode == 0, again.stderr
    assert [json.loads(path.read_text()) for path in analyses] == whole
    back = study(*command, "seeds=3", "linear.seeds=2"), study(*command, "seeds=5", "linear.seeds=4")
    assert [done.returncode for done in back] == [0, 0]
    assert [json.loads(path.read_text()) for path in analyses] == whole
