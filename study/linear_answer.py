"""What a study of linear networks says, in plain words: does the kernel lead the mode that is being learned?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from study.answer import Finding
from study.linear_sheets import score_text

MOST_CELLS = 4


def linear_findings(analysis: Mapping[str, Any]) -> list[Finding]:
    """One paragraph a cell, from `study.linear_analysis.analyse_linear`."""
    cells = [entry["cell"] for entry in analysis["cells"]]
    if len(cells) > MOST_CELLS:
        more = Finding(f"And {len(cells) - MOST_CELLS} more cells, in the tables.", 1)
        return [*(_of_cell(analysis, cell, 8 - place) for place, cell in enumerate(cells[:MOST_CELLS])), more]
    return [_of_cell(analysis, cell, 8 - place) for place, cell in enumerate(cells)]


def _of_cell(analysis: Mapping[str, Any], cell: str, importance: int) -> Finding:
    entry = next(c for c in analysis["cells"] if c["cell"] == cell)
    scores = {r["score"]: r for r in analysis["results"] if r["cell"] == cell}
    leads = [s for name, s in scores.items() if name.startswith("lead_summed_step") and s["value"] is not None]
    networks = f"{entry['networks'] - entry['diverged']} networks" + (
        f", {entry['diverged']} diverged" if entry["diverged"] else ""
    )
    if not leads:
        return Finding(f"{cell} ({networks}): nothing can be said of which mode the eNTK leads with.", importance)
    shares = ", ".join(
        f"mode {s['mode']} at step {s['score'].removeprefix('lead_summed_step')}: {score_text(s)}" for s in leads
    )
    text = f"{cell} ({networks}): share in which the eNTK leads with the mode that is being learned: {shares}."
    onset = scores.get("ahead_of_onset_2")
    if onset is not None and onset["value"] is not None:
        text += f" It switches to mode 2 {score_text(onset)} steps before the loss has lost a tenth of its next drop."
    return Finding(text, importance)
