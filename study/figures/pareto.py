"""The points of a scan in the plane of its objectives, and its front on seeds by which nothing was chosen."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt

from study.figures.study import Drawn, Missing, Study
from study.figures.style import BLUE, GREY, RED, WIDTH


def pareto(study: Study) -> Drawn | Missing:
    """All points, the front, those left out, and confirmed points joined to their values on evaluation seeds."""
    found: dict[str, Any] | None = study.analysis.get("scan")
    if found is None:
        return Missing("the folder is not a scan's")
    if len(found["objectives"]) < 2:
        return Missing("the scan has one objective")
    scored = [entry for entry in found["points"] if entry["scores"]]
    if not scored:
        return Missing("no point of the scan is whole")
    figure, axis = plt.subplots(figsize=(WIDTH, 4.2), layout="constrained")
    front = sorted((e["scores"][:2] for e in scored if e["state"] == "front"), key=lambda scores: scores[0])
    others = [e["scores"][:2] for e in scored if e["state"] != "front"]
    if others:
        axis.scatter(*zip(*others, strict=True), s=14, color=GREY, alpha=0.6, label="scan seeds")
    axis.plot(*zip(*front, strict=True), "o-", color=BLUE, ms=5, lw=1, label="front, scan seeds")
    left = [e for e in found["points"] if e["state"] in ("diverged", "dominated", "undefined")]
    confirmed = [e for e in scored if e["evaluation"] and all(x["value"] is not None for x in e["evaluation"][:2])]
    for number, entry in enumerate(confirmed):
        means = [x["value"] for x in entry["evaluation"][:2]]
        arms = [
            [[0.0], [0.0]] if x["low"] is None else [[x["value"] - x["low"]], [x["high"] - x["value"]]]
            for x in entry["evaluation"][:2]
        ]
        axis.plot(*zip(entry["scores"][:2], means, strict=True), color=RED, lw=0.6, alpha=0.7)
        label = "evaluation seeds, 95 %" if number == 0 else None
        axis.errorbar(*means, xerr=arms[0], yerr=arms[1], fmt="D", ms=4, lw=0.9, color=RED, label=label)
    axis.set_xlabel(f"{found['objectives'][0]['name']}\n{found['objectives'][0]['label']}")
    axis.set_ylabel(f"{found['objectives'][1]['name']}\n{found['objectives'][1]['label']}")
    axis.legend(fontsize="small")
    counts = {state: sum(e["state"] == state for e in left) for state in ("diverged", "dominated", "undefined")}
    dropped = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "none"
    title = "Pareto front of the scan."
    caption = (
        f"{len(found['points'])} points, each a mean over {found['seeds']} scan seeds; left out and not drawn: {dropped}. "
        f"Diamonds: the same settings on {found['evaluation_seeds']} evaluation seeds, by which nothing was chosen, with "
        "95 % t intervals over seeds; thin lines join the two. "
        f"Sampler {found['sampler']}, seed {found['sampler_seed']}. {study.source}"
    )
    first, last = (f"({point[0]:.3f}, {point[1]:.3f})" for point in (front[0], front[-1]))
    ends = f"{len(front)} points on the front, from {first} to {last}"
    return Drawn(figure, title, caption, f"{title} {ends}; {len(confirmed)} confirmed; left out: {dropped}.")
