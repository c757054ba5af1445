"""All verdicts of a study in a few rows: those that say the same are one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from study.answer import Verdict, verdicts_of
from study.candidates import T_ZERO, spoken
from study.ranking_sheets import by_candidate, interval_text, title_of
from study.sheets import Sheet
from study.statistics.verdicts import SHOWN
from study.tables import number, p_text
from study.within_cells import within_sheet

MOST_ROWS = 10
MOST_NAMES = 3


def compact_sheet(analysis: Mapping[str, Any]) -> Sheet | None:
    """Do the conditions differ, does the predictor say which seed does better: every comparison is counted, on test losses and
    on all unseen patterns. Where nothing is compared, the correlations within cells, the largest first; where there is no
    silhouette, the predictors.

    Returns:
        None where there is neither.
    """
    if analysis.get("within"):
        return _within(analysis)
    verdicts = verdicts_of(analysis)
    groups: dict[tuple[str, str, str], list[Verdict]] = {}
    for v in verdicts:
        groups.setdefault((v["about"], _differ(v), _predicts(v)), []).append(v)
    if not groups:
        return _ranked(analysis)
    order = list(dict.fromkeys(v["about"] for v in verdicts))
    rows = [[*key, _correlations(of), _where(of, verdicts)] for key, of in groups.items()]
    rows.sort(key=lambda row: order.index(row[0]))
    estimator = str(analysis["leading_predictor"]).removeprefix("silhouette_")
    title = f"All {len(verdicts)} verdicts ({estimator}) by what they say: do conditions differ, are seeds predicted?"
    return Sheet(title, ["what", "differ", "predicts", "r", "in"], rows, 3)


def _differ(v: Verdict) -> str:
    found = v["conditions_differ"]
    return f"yes{_expected(v['differ_as_expected'])}" if found == SHOWN else str(found)


def _predicts(v: Verdict) -> str:
    if v["about"] == "silhouette":
        return "-"
    found = v["predicts_seeds"]
    return f"yes{_expected(v['predicts_as_expected'])}" if found == SHOWN else str(found)


def _expected(as_expected: bool | None) -> str:
    return {True: ", as expected", False: ", not as expected", None: ""}[as_expected]


def _correlations(group: Sequence[Verdict]) -> str:
    """`.12 [-0.50, 0.66]` of one, `-.30 to .12` of several."""
    known = [v for v in group if v["about"] != "silhouette" and v["centred"] is not None]
    if not known:
        return "-"
    if len(known) > 1:
        least, most = (number(pick(v["centred"] for v in known)) for pick in (min, max))
        return f"{least} to {most}"
    (v,) = known
    return number(v["centred"]) + (
        f" [{v['centred_low']:z.2f}, {v['centred_high']:z.2f}]" if v["centred_low"] is not None else ""
    )


def _where(group: Sequence[Verdict], verdicts: Sequence[Verdict]) -> str:
    """Contrasts by name or by number, and outcomes."""
    contrasts = list(dict.fromkeys(v["contrast"] for v in group))
    every = len({v["contrast"] for v in verdicts})
    named = ", ".join(contrasts)
    if len(contrasts) > MOST_NAMES or len(contrasts) == every > 1:
        named = f"all {every} contrasts" if len(contrasts) == every else f"{len(contrasts)} of {every} contrasts"
    outcomes = list(dict.fromkeys(v["outcome"] for v in group))
    whole = group[0]["about"] == "silhouette" or len(outcomes) == len({v["outcome"] for v in verdicts})
    return named if whole else f"{named}: {', '.join(outcomes)}"


def _ranked(analysis: Mapping[str, Any]) -> Sheet | None:
    """Where rows hold no silhouette: what was measured before training, by its correlation over seeds, in the first ranking."""
    tables = (analysis.get("ranking") or {}).get("tables", [])
    if not tables:
        return None
    ours = [found["centred"] for found in by_candidate(tables[0]).values() if found["centred"]["kind"] == T_ZERO]
    rows = [[spoken(e["name"]), interval_text(e), p_text(e["p_fwer"])] for e in ours[:MOST_ROWS]]
    title = f"Predictors at t = 0, {title_of(tables[0])}: {len(rows)} of {len(ours)}"
    return Sheet(title, ["predictor", "centred r", "family-wise p"], rows)


def _within(analysis: Mapping[str, Any]) -> Sheet | None:
    outcome = next(iter(analysis["outcomes"]), "test")
    entries = [e for e in analysis["within"] if e["outcome"] == outcome]
    entries.sort(key=lambda e: -abs(e["value"] or 0.0))
    sheet = within_sheet({"within": entries[:MOST_ROWS]}, outcome)
    if sheet is None or len(entries) <= MOST_ROWS:
        return sheet
    return Sheet(f"{sheet.title}, the {MOST_ROWS} largest of {len(entries)}", sheet.headings, sheet.rows, sheet.left)
