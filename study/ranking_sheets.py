"""Tables of the ranking, what they say in words, and all of it as a flat table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from study.candidates import T_ZERO, spoken
from study.confirmation import confirmed
from study.ranking import CONDITION_LEVEL, SEED_LEVEL
from study.sheets import Sheet
from study.statistics.simultaneous import CONSTANT_REASON
from study.tables import number, p_text

TOP = 10
WORDS = {"centred": "centred r", "within_first": "within first", "within_second": "within second"}
Table = dict[str, Any]
Entry = dict[str, Any]


def cost_text(cost: float | None) -> str:
    """Gradient steps to two or three figures."""
    if cost is None:
        return "not measured"
    return f"{cost:,.0f}" if cost >= 10 or cost == 0 else f"{cost:.2g}"


def interval_text(entry: Entry) -> str:
    """A value with its interval, or why there is none."""
    if entry["value"] is None:
        return f"none: {entry['reason']}"
    if entry["low"] is None:
        return f"{number(entry['value'])} ({entry['reason']})"
    return f"{number(entry['value'])} [{entry['low']:z.2f}, {entry['high']:z.2f}]"


def by_candidate(table: Table) -> dict[str, dict[str, Entry]]:
    """Column -> statistic -> entry, in the order of the centred |r|; candidates without one at the end."""
    found: dict[str, dict[str, Entry]] = {}
    for entry in table["entries"]:
        found.setdefault(entry["column"], {})[entry["statistic"]] = entry
    last = len(found) + 1
    return dict(sorted(found.items(), key=lambda item: item[1]["centred"]["rank"] or last))


def title_of(table: Table) -> str:
    """Contrast, phase and outcome, with the counts."""
    out = f", {table['left_out_diverged']} left out (diverged)" if table["left_out_diverged"] else ""
    of = f" of {table['seeds']} seeds" if table["seeds"] < table["pairs"] else ""
    return f"{table['contrast']}, {table['phase']} {table['outcome']} loss, {table['pairs']} pairs{of}{out}"


def ranking_sheet(table: Table, leading: str, everything: bool) -> Sheet:
    """The candidates by centred |r|.

    Args:
        leading: the column of the primary estimator, which stands out.
        everything: all of them, with intervals of the condition level; otherwise the first ten and the primary estimator.
    """
    rows: list[list[str]] = []
    strong: set[int] = set()
    candidates = list(by_candidate(table).items())
    shown = [item for place, item in enumerate(candidates) if everything or place < TOP or item[0] == leading]
    for place, (column, found) in enumerate(shown):
        c = found["centred"]
        name = spoken(c["name"]) + (f" (step {c['step']})" if c["step"] else "")
        row = [str(c["rank"] or ""), name, *([c["kind"]] if everything else []), cost_text(c["cost"])]
        for statistic in SEED_LEVEL:
            row += [interval_text(found[statistic]), p_text(found[statistic]["p_fwer"])]
        for statistic in CONDITION_LEVEL:
            entry = found[statistic]
            row.append(interval_text(entry if everything or entry["value"] is None else entry | {"low": None, "reason": ""}))
        rows.append([text.removesuffix(" ()") for text in row])
        if column == leading:
            strong.add(place)
    headings = ["rank", "candidate", *(["kind"] if everything else []), "cost (steps)"]
    headings += [heading for statistic in SEED_LEVEL for heading in (WORDS[statistic], "family p")]
    cut = f" {len(shown)} of {len(candidates)} candidates." if len(shown) < len(candidates) else ""
    title = f"Ranking, {title_of(table)}: who says which seed does better?{cut}"
    return Sheet(title, [*headings, "r20", "d_z"], rows, 3 if everything else 2, strong=frozenset(strong))


def confirmation_sheet(table: Table) -> Sheet | None:
    """What the exploration suggested and what the held-out seeds say."""
    found = table["confirmation"]
    rows: list[list[str]] = []
    sections: set[int] = set()
    previous = ""
    for entry in found["entries"]:
        if previous not in ("", entry["statistic"]):
            sections.add(len(rows))
        previous = entry["statistic"]
        numbers = [interval_text(entry[half]) for half in ("exploration", "held_out")]
        names = [WORDS[previous], spoken(entry["name"]), entry["role"]]
        rows.append([*names, *numbers, entry["verdict"], cost_text(entry["cost"]), against_text(entry)])
    if not rows:
        return None
    seeds = f"{found['exploration_seeds']} seeds explore, {found['held_out_seeds']} are held out"
    headings = [
        "statistic",
        "candidate",
        "role",
        "exploration",
        "held out",
        "verdict",
        "cost (steps)",
        "against early training",
    ]
    return Sheet(f"Confirmation, {title_of(table)}: {seeds}", headings, rows, 3, frozenset(sections))


def against_text(entry: Entry) -> str:
    """A confirmed predictor against early training, in words."""
    found = entry["against"]
    if found is None:
        return "-"
    if found["rival"] is None:
        return str(found["says"])
    price = "no dearer" if found["affordable"] else "the cheapest; none costs as little"
    text = f"{found['says']} {spoken(found['rival'])} ({price})"
    if found["difference"] is not None:
        text += f", difference in r {found['difference']:z.2f} [{found['low']:z.2f}, {found['high']:z.2f}]"
    matched = found["matched_by"]
    if matched is None:
        return f"{text}; no early loss up to 30 % reaches its r"
    return f"{text}; {spoken(matched['name'])} reaches its r for {cost_text(matched['cost'])} steps"


def confined_text(table: Table, entry: Entry) -> str:
    """A confirmed predictor against itself in another cell or phase, in words."""
    same_phase = entry["against_phase"] == table["phase"]
    there = WORDS[entry["against_statistic"]] if same_phase else entry["against_phase"]
    head = f"{spoken(entry['name'])}, {WORDS[entry['statistic']]}"
    if entry["low"] is None:
        return f"{head}: not compared with {there}"
    says = "differs from" if entry["low"] > 0 or entry["high"] < 0 else "cannot be told from"
    return f"{head} {says} {there}, {entry['difference']:z.2f} [{entry['low']:z.2f}, {entry['high']:z.2f}]"


def agreement_sheet(analysis: dict[str, Any]) -> Sheet | None:
    """Mean rank correlation within a network between predicted and final error of its unseen patterns."""
    found = analysis.get("ranking")
    if not found or not found["agreement"]:
        return None
    rows = []
    for entry in found["agreement"]:
        text = interval_text(entry | {"value": entry["mean"]})
        count = str(entry["n"]) + (f", {entry['left_out']} left out" if entry["left_out"] else "")
        rows.append([entry["phase"], spoken(entry["name"]), entry["cell"], count, text])
    title = "Within a network: rank correlation of predicted and final error over unseen patterns, mean over networks"
    return Sheet(title, ["phase", "predictor", "cell", "networks", "mean rho"], rows, 3)


def ranking_sheets(analysis: dict[str, Any], everything: bool) -> Iterator[Sheet]:
    """For every contrast and phase the ranking and its confirmation, then the agreement within networks.

    Args:
        everything: all candidates instead of the first ones.
    """
    found = analysis.get("ranking")
    if not found:
        return
    for table in found["tables"]:
        yield ranking_sheet(table, analysis["leading_predictor"], everything)
        if (sheet := confirmation_sheet(table)) is not None:
            yield sheet
    if (sheet := agreement_sheet(analysis)) is not None:
        yield sheet


def ranking_notes(analysis: dict[str, Any]) -> list[str]:
    """What was found, what is excluded, and how the intervals were made."""
    found = analysis.get("ranking")
    if not found:
        return []
    lines = [
        f"Ranking: {found['interval']}, over all candidates and the three seed-level correlations of a table "
        f"({found['resamples']:,} resamples); family-wise p by max-T over the same ({found['permutations']:,} permutations of "
        f"seeds). Neither corrects for the number of tables. r20 and d_z: {found['condition_interval']}, each alone. Costs are "
        "gradient steps of the same network: CPU time of one network where something is computed at t = 0, all training up to "
        "the recorded step otherwise. Every number is in `ranking.csv`."
    ]
    if found["tables"]:
        lines.append(found["tables"][0]["confirmation"]["rule"])
    return lines + [line for table in found["tables"] for line in _found(table)]


def _found(table: Table) -> Iterator[str]:
    """Confirmed predictors, then what the intervals exclude and what is constant."""
    entries = table["confirmation"]["entries"]
    names = [f"{spoken(e['name'])} ({WORDS[e['statistic']]}: {against_text(e)})" for e in confirmed(entries)]
    suggested = sum("selected" in e["role"] for e in entries)
    what = "; ".join(names) or "none"
    yield f"{title_of(table)}: correlations at t = 0 suggested {suggested}, confirmed {len(names)}: {what}."
    if told := [confined_text(table, entry) for entry in table["confirmation"].get("confined", ())]:
        yield f"{title_of(table)}, does what was confirmed hold there only (difference of z, each alone): {'; '.join(told)}."
    parts = []
    for statistic in SEED_LEVEL:
        out = table["excluded"][statistic]
        if out is None:
            parts.append(f"{WORDS[statistic]}: nothing, there are no intervals")
        else:
            most = f"for all {out['candidates']} (the most is left to {spoken(out['name'])})"
            parts.append(f"{WORDS[statistic]}: {excluded_above(out)} {most}")
    head = f"{title_of(table)}, excluded for predictors at t = 0 by intervals over all seeds, at once within this table only"
    yield f"{head}: {'; '.join(parts)}."
    same = dict.fromkeys(
        e["name"]
        for e in table["entries"]
        if e["statistic"] == "centred" and e["kind"] == T_ZERO and e["reason"] == CONSTANT_REASON
    )
    if widened := table.get("widened_by"):
        yield (
            f"{title_of(table)}: {spoken(widened['name'])} ({WORDS[widened['statistic']]}) widens every interval of the table: "
            f"they allow for {table['critical']:.1f} standard errors, without it for {widened['critical_without']:.1f}."
        )
    few = dict.fromkeys(e["name"] for e in table["entries"] if "distinct value" in e["reason"] and e["kind"] == T_ZERO)
    if few:
        yield f"{title_of(table)}: too few distinct values for an interval in {', '.join(map(spoken, few))}."
    if same:
        yield f"{title_of(table)}: no pair differs from another in {', '.join(map(spoken, same))}."


def excluded_above(out: dict[str, Any]) -> str:
    """What all intervals exclude, to two decimals and never less than what they hold: .474 is above .48, not above .47."""
    return f"|r| above {math.ceil(100 * out['largest']) / 100:z.2f}"


def ranking_frame(analysis: dict[str, Any]) -> pd.DataFrame:
    """One line per contrast, phase, candidate and statistic, with exploration and held-out numbers where there are any."""
    rows = []
    for table in analysis["ranking"]["tables"]:
        held = {(e["column"], e["statistic"]): e for e in table["confirmation"]["entries"]}
        for entry in table["entries"]:
            row = {name: table[name] for name in ("contrast", "phase", "outcome")} | entry
            again = held.get((entry["column"], entry["statistic"]))
            row |= {"role": again["role"] if again else "", "verdict": again["verdict"] if again else ""}
            for half in ("exploration", "held_out"):
                row |= {
                    f"{half}_{part}": again[half][part] if again else None for part in ("value", "low", "high", "n", "reason")
                }
            rows.append(row | {"against_early_training": against_text(again) if again else ""})
    return pd.DataFrame(rows)
