"""The source study's numbers against prediction intervals from ours: does it replicate?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from study.comparisons import FAITHFUL_ESTIMATOR, Comparison
from study.statistics.correlations import CORRELATIONS
from study.statistics.prediction import METHOD, prediction

PAPER_SEEDS = 10
STATED = ("r20", "raw")


def replication(comparisons: Sequence[Comparison]) -> dict[str, Any] | None:
    """Every number that the source study states, with the interval for a study of its size; None where none is stated.

    Returns:
        plain data: `entries` with contrast, phase, statistic, `paper`, our `value`, `low`, `high`, `inside` (None without an
        interval) and `reason`; `seeds` of the source study; `method`.
    """
    entries = []
    for c in comparisons:
        paper = c.contrast.paper.get(c.phase)
        if paper is None or c.predictor != f"silhouette_{FAITHFUL_ESTIMATOR}" or c.outcome != "test":
            continue
        for name in STATED:
            stated = getattr(paper, name)
            if stated is not None:
                found = prediction(CORRELATIONS[name], c.pairs, PAPER_SEEDS)
                inside = None if found.low is None or found.high is None else found.low <= stated <= found.high
                entry = {"contrast": c.contrast.name, "phase": c.phase, "statistic": name, "paper": stated}
                entries.append(entry | vars(found) | {"inside": inside})
    return {"seeds": PAPER_SEEDS, "method": METHOD, "entries": entries} if entries else None


def replication_note(analysis: Mapping[str, Any]) -> str:
    """How many of the source study's numbers replicate, each counted once, beside what a perfect replication gives."""
    found = analysis.get("replication")
    known = [e for e in found["entries"] if e["inside"] is not None] if found else []
    if not found or not known:
        return ""
    values: dict[tuple[str, str, float], list[bool]] = {}
    for e in known:
        values.setdefault((e["phase"], e["statistic"], e["paper"]), []).append(e["inside"])
    count, everywhere, somewhere = (len(values), sum(map(all, values.values())), sum(map(any, values.values())))
    again = f" (in {len(known)} comparisons)" if len(known) > count else ""
    inside = f"{everywhere}" + (f" ({somewhere - everywhere} more in some contrasts)" if everywhere < somewhere else "")
    outside = [f"{e['contrast']} {e['phase']} {e['statistic']}" for e in known if not e["inside"]]
    return (
        f"Source study: of its {count} distinct values{again} {inside} lie in the 95 % prediction interval of a replication of "
        f"its {found['seeds']} seeds; a perfect replication gives about {0.95 * count:.1f} of {count}"
        + (f". Outside: {', '.join(outside)}." if outside else ".")
    )
