"""The recipe of the README for one's own network, taken from there and run."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture
def same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("same_threads")
def test_the_recipe_for_your_own_network_gives_its_answer(capsys: pytest.CaptureFixture[str]) -> None:
    section = re.search(r"^## Your own network\n(.*?)^## ", README.read_text(), re.DOTALL | re.MULTILINE)
    assert section is not None
    code = re.search(r"^```python\n(.*?)^```", section[1], re.DOTALL | re.MULTILINE)
    assert code is not None
    assert len([line for line in code[1].splitlines() if line and "import" not in line]) <= 20
    names: dict[str, object] = {}
    exec("\n".join(line for line in code[1].splitlines() if "import" in line), names)  # torch alone takes seconds
    start = time.process_time()
    exec(code[1], names)
    assert time.process_time() - start < 10
    said = " ".join(capsys.readouterr().out.split())
    assert "Do the conditions differ (scale: small against large)? Yes: small has" in said
    found = names["found"]
    assert len(found.rows) == 12  # type: ignore[attr-defined]
    assert found.rows["silhouette_mine"].between(-1, 1).all()  # type: ignore[attr-defined]
    assert found.verdicts.set_index("about").loc["final loss", "differ_as_expected"]  # type: ignore[attr-defined]
