"""Tables of the correlation over training, and how long it lasts in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from study.sheets import Sheet
from study.tables import number, with_interval

Curve = dict[str, Any]


def at(curve: Curve, statistic: str, place: int) -> dict[str, Any]:
    """The estimate of one step."""
    return {part: values[place] for part, values in curve[statistic].items()}


def clear_steps(curve: Curve) -> list[int]:
    """Steps at which the simultaneous band of the centred correlation excludes zero."""
    ends = zip(curve["steps"], curve["centred"]["band_low"], curve["centred"]["band_high"], strict=True)
    return [step for step, low, high in ends if low is not None and (low > 0 or high < 0)]


def changed_steps(curve: Curve) -> list[int]:
    """Steps at which the centred correlation differs from that of the first step, by intervals over the whole curve."""
    found = curve["centred"]
    ends = zip(curve["steps"], found.get("change_low", ()), found.get("change_high", ()), strict=False)
    return [step for step, low, high in ends if low is not None and (low > 0 or high < 0)]


def over_time_sheets(analysis: dict[str, Any], everything: bool) -> Iterator[Sheet]:
    """A table per contrast, outcome and estimator: a row per phase of measurement and step.

    Args:
        everything: every outcome and estimator, not only the leading ones.
    """
    found = analysis.get("over_time")
    if not found:
        return
    groups: dict[tuple[str, str, str], list[Curve]] = {}
    for curve in found["curves"]:
        groups.setdefault((curve["contrast"], curve["outcome"], curve["estimator"]), []).append(curve)
    leading = analysis["leading_predictor"].removeprefix("silhouette_")
    estimators = list(dict.fromkeys(estimator for _, _, estimator in groups))
    shown = leading if leading in estimators else next(iter(estimators), "")
    outcome_shown = (analysis["primary"] or {}).get("outcome") or next(iter(analysis["outcomes"]), "")
    for (contrast, outcome, estimator), curves in groups.items():
        if everything or (outcome == outcome_shown and estimator == shown):
            yield _sheet(contrast, outcome, estimator, curves)


def _sheet(contrast: str, outcome: str, estimator: str, curves: list[Curve]) -> Sheet:
    rows: list[list[str]] = []
    sections: set[int] = set()
    for curve in curves:
        if rows:
            sections.add(len(rows))
        out = curve["left_out_diverged"] + curve["left_out_undefined"]
        pairs = f"{curve['n']}" + (f", {out} left out" if out else "")
        for place, step in enumerate(curve["steps"]):
            c = at(curve, "centred", place)
            band = "none" if c["band_low"] is None else f"[{c['band_low']:z.2f}, {c['band_high']:z.2f}]"
            others = [number(at(curve, name, place)["value"]) for name in ("within_first", "within_second", "r20")]
            shift = with_interval(at(curve, "predictor_difference", place), ".2g")
            names = [curve["measured"], curve["phase"], pairs] if place == 0 else ["", "", ""]
            rows.append([*names, f"{step:,}", with_interval(c), band, _change(c), *others, shift])
    headings = ["measured in", "final loss of", "pairs", "step", "centred r", "band", "z less that of the first step"]
    headings += ["within first", "within second", "r20"]
    title = f"{contrast}, {outcome} loss, {estimator}: the silhouette during training against final losses"
    return Sheet(title, [*headings, "silhouette difference"], rows, 2, frozenset(sections))


def _change(found: dict[str, Any]) -> str:
    """The difference from the first step, with its interval."""
    if found.get("change_low") is None:
        return ""
    return f"{found['change']:z.2f} [{found['change_low']:z.2f}, {found['change_high']:z.2f}]"


def _signed(curve: Curve, steps: list[int], name: str) -> str:
    """Steps with the sign of a number there."""
    signs = ("-" if curve["centred"][name][curve["steps"].index(step)] < 0 else "+" for step in steps)
    return ", ".join(f"{step:,} ({sign})" for step, sign in zip(steps, signs, strict=True))


def over_time_notes(analysis: dict[str, Any]) -> list[str]:
    """Until when the correlation can be told from zero, what was left out, and how the band was made."""
    found = analysis.get("over_time")
    if not found or not (found["curves"] or found["left_out"]):
        return []
    lines = []
    for curve in found["curves"]:
        if clear := clear_steps(curve):
            what = f"{curve['contrast']}, {curve['estimator']} in {curve['measured']}, {curve['phase']} {curve['outcome']} loss"
            changed = _signed(curve, changed_steps(curve), "change") or "none"
            lines.append(f"{what}: {_signed(curve, clear, 'value')}; differs from step {curve['steps'][0]:,} at: {changed}")
    count = len(found["curves"])
    head = f"Silhouettes during training: the band of the centred r excludes zero somewhere on {len(lines)} of {count} curves"
    how = f"{found['band']}; it does not correct for the number of curves, and says nothing of differences between steps"
    lines = [f"{head} ({how})" + (":" if lines else "."), *lines]
    return lines + [f"Left out: {x['contrast']}, measured in {x['measured']}: {x['reason']}." for x in found["left_out"]]
