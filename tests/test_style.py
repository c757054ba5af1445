"""What continuous integration checks of the code itself, runnable anywhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("command", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)], ids=" ".join)
def test_linters_are_clean(command: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def imported_packages(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_dependencies_point_one_way() -> None:
    modules = sorted((ROOT / "pntk").rglob("*.py"))
    assert modules
    for path in modules:
        assert not imported_packages(path) & {"study", "ray", "wandb", "optuna", "pyarrow", "rich", "pydantic"}, path
    for path in sorted((ROOT / "study").rglob("*.py")):
        assert not imported_packages(path) & {"tests", "sweeps"}, path
