"""What a study says, in at most 12 lines of plain words: the answer first, then what it would take to know more.

A pure function of an analysis (`study.running.analysed`, or what `analysis.json` holds) and of what only the study's place
knows (`NextSteps`).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from study.candidates import T_ZERO, spoken
from study.confirmation import confirmed
from study.progress import duration
from study.statistics.intervals import FEWEST_PAIRS, Estimate
from study.statistics.power import pairs_needed
from study.statistics.verdicts import EXCLUDED, NOT_SHOWN, SHOWN, SMALL, judge
from study.tables import number, p_text
from study.text import visible

LINES, COLUMNS = 12, 80
WITHIN = 0.1  # of a correlation: half the width of an interval that would settle most questions
MOST_PHASES = 3
Verdict = Mapping[str, Any]


@dataclass(frozen=True)
class NextSteps:
    """What an answer needs to know of a study's place.

    Attributes:
        command: what runs the study, without its seeds, as one would type it; "" where nobody knows it (rows made elsewhere).
        seeds: of the study now; None where nobody knows.
        seconds_per_seed: wall time of all networks of one more seed, as measured; None where nobody knows.
        report: a link to the page with every figure, or the command that makes it; "" for neither.
        tables: where all the tables are, in words; "" for nowhere.
    """

    command: str = ""
    seeds: int | None = None
    seconds_per_seed: float | None = None
    report: str = ""
    tables: str = ""


NOWHERE = NextSteps()


def answer(analysis: Mapping[str, Any], steps: NextSteps = NOWHERE) -> tuple[str, ...]:
    """The answer in at most `LINES` lines of at most `COLUMNS` characters; only a command or link that is itself longer makes
    a longer line, and counts for the lines that a terminal of that width needs.

    Args:
        analysis: of a study of any kind; an unfinished one is marked INTERIM.
        steps: what is known of the study's place; by default nothing, and no command is named.
    """
    told = [*findings(analysis, steps), *_last(steps)]
    while len(told) > 1 and _height(_wrapped(told)) > LINES:
        told.pop(_least(told))
    return tuple(_wrapped(told)[:LINES])


@dataclass(frozen=True)
class Finding:
    """A paragraph of an answer.

    Attributes:
        importance: the least important one goes first where there is no room.
        command: what is typed to follow it; a line of its own, never broken.
    """

    text: str
    importance: int
    command: str = ""


def findings(analysis: Mapping[str, Any], steps: NextSteps = NOWHERE) -> list[Finding]:
    """What is found, the most important paragraph with the largest number."""
    found = [_interim(analysis, steps)] if analysis.get("interim") else []
    if analysis.get("network") == "linear":
        from study.linear_answer import linear_findings  # late: it reads this module

        return found + linear_findings(analysis)
    if analysis.get("within"):
        return found + _within(analysis, steps)
    verdicts = _verdicts(analysis)
    if not verdicts:
        return [*found, Finding(_no_verdicts(analysis), 8), *_ranked(analysis)]
    focus = _focus(analysis, verdicts)
    contrast = _told_contrast(analysis, focus)
    found += [Finding(_differ(focus, contrast), 7), Finding(_predicts(analysis, focus), 8), *_elsewhere(verdicts, focus)]
    return found + _by_data_set(analysis) + _ranked(analysis) + _more(_asked(focus), steps)


def _interim(analysis: Mapping[str, Any], steps: NextSteps) -> Finding:
    found = analysis["interim"]
    text = f"INTERIM: {found['finished']:,} of {found['planned']:,} networks are finished; every number may change."
    return Finding(f"{text} To go on:", 9, steps.command) if steps.command else Finding(text, 9)


def verdicts_of(analysis: Mapping[str, Any]) -> list[Verdict]:
    """Those of the analysis; of rows made elsewhere, which nobody expects anything of, the same made from their results, by the
    leading predictor."""
    return list(analysis["verdicts"]) or _undeclared(analysis)


def _verdicts(analysis: Mapping[str, Any]) -> list[Verdict]:
    """Those on test losses, where there are any."""
    outcome = next(iter(analysis["outcomes"]), "test")
    return [v for v in verdicts_of(analysis) if v["outcome"] == outcome]


def _undeclared(analysis: Mapping[str, Any]) -> list[Verdict]:
    rows: dict[tuple[str, str, str], dict[str, Estimate]] = {}
    for r in analysis["results"]:
        if r["predictor"] == analysis["leading_predictor"]:
            found = _estimate(r, r["p"] if r["primary"] else r["p_fwer"] if r["statistic"] == "centred" else r["p"])
            rows.setdefault((r["contrast"], r["phase"], r["outcome"]), {})[r["statistic"]] = found
    verdicts: list[Verdict] = []
    for (contrast, phase, outcome), numbers in rows.items():
        cells = analysis["contrasts"][contrast]
        first = cells[0][0] if len(cells) == 1 else "first"
        seen = any(v["contrast"] == contrast for v in verdicts)
        key = {"contrast": contrast, "phase": phase, "outcome": outcome, "predictor": analysis["leading_predictor"]}
        verdicts += [key | judge(what, first, {}, False, numbers) for what in ([phase] if seen else ["silhouette", phase])]
    return verdicts


def _estimate(result: Mapping[str, Any], p: float | None) -> Estimate:
    return Estimate(**{field.name: result[field.name] for field in fields(Estimate)} | {"p": p})


def _focus(analysis: Mapping[str, Any], verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts that are told with their numbers: those of the primary comparison, or of the first contrast."""
    primary = analysis["primary"]
    names = [v["contrast"] for v in verdicts]
    if primary and primary["contrast"] in names:
        mine = [v for v in verdicts if v["contrast"] == primary["contrast"]]
        of_phase = [v for v in mine if v["about"] == "silhouette" or v["phase"] == primary["phase"]]
        return of_phase if any(v["about"] != "silhouette" for v in of_phase) else mine
    mine = [v for v in verdicts if v["contrast"] == names[0]]
    return [v for v in mine if v["about"] == "silhouette"] + [v for v in mine if v["about"] != "silhouette"][:MOST_PHASES]


def _told_contrast(analysis: Mapping[str, Any], focus: Sequence[Verdict]) -> str:
    """Which cells are meant: `standard against large`; of pooled contrasts their name."""
    name = focus[0]["contrast"]
    cells = analysis["contrasts"][name]
    pair = f"{cells[0][0]} against {cells[0][1]}" if len(cells) == 1 else f"first against second of {len(cells)} pairs of cells"
    return pair if name == pair else f"{name}: {pair}"


def _differ(focus: Sequence[Verdict], contrast: str) -> str:
    """Do the conditions differ, and by how much?"""
    shown, open_, unknown = [], [], dict[str, list[str]]()
    for v in focus:
        if v["difference"] is None or v["difference_low"] is None:
            unknown.setdefault(v["difference_reason"], []).append(_about(v))
        elif v["conditions_differ"] == SHOWN:
            against = ", against what is expected" if v["differ_as_expected"] is False else ""
            side = "higher" if v["difference"] > 0 else "lower"
            shown.append(f"the {side} {_about(v)} (by {_size(v)}{against})")
        else:
            open_.append(f"{_about(v)} ({_signed(v)})")
    text = f"Do the conditions differ ({contrast})? "
    text += f"Yes: {focus[0]['first']} has {_listed(shown)}." if shown else "Not shown."
    text += f" No difference is shown in {_listed(open_)}." if open_ else ""
    text += "".join(f" Nothing can be said of {_listed(about)}: {reason}." for reason, about in unknown.items())
    return text.replace("[", "[95 %: ", 1)


def _about(v: Verdict) -> str:
    """`single loss`, which is of test patterns unless it is said."""
    return (
        str(v["about"]) if v["about"] == "silhouette" or v["outcome"] == "test" else f"{v['about']} on {v['outcome']} patterns"
    )


def _size(v: Verdict) -> str:
    ends = (v["difference_low"], v["difference_high"])
    low, high = ends if v["difference"] > 0 else (-ends[1], -ends[0])
    return f"{abs(v['difference']):.2g} [{low:.2g}, {high:.2g}]"


def _signed(v: Verdict) -> str:
    return f"{v['difference']:.2g} [{v['difference_low']:.2g}, {v['difference_high']:.2g}]"


def _predicts(analysis: Mapping[str, Any], focus: Sequence[Verdict]) -> str:
    """Does the predictor say which seed does better? Each answer once, with the losses that it holds for."""
    asked = [v for v in focus if v["about"] != "silhouette"]
    parts: dict[tuple[str, int], list[str]] = {}
    for v in asked:
        parts.setdefault((_seed_answer(v), v["centred_n"]), []).append(f"{_correlation(v)} for {_about(v)}")
    said = [f"{found}: {_listed(of)}, {n} pairs" for (found, n), of in parts.items()]
    estimator = analysis["leading_predictor"].removeprefix("silhouette_")
    primary = analysis["primary"]
    is_primary = primary and focus[0]["contrast"] == primary["contrast"] and asked[0]["phase"] == primary["phase"]
    named = " (named before the run)" if is_primary else ""
    return f"Does the silhouette ({estimator}) say before training which seed does better? {'. '.join(said)}{named}."


def _seed_answer(v: Verdict) -> str:
    """In words, what a verdict says of seeds."""
    if v["centred"] is None or v["centred_low"] is None:
        return f"Not shown ({v['centred_reason']})"
    if v["predicts_seeds"] == EXCLUDED:  # the other side may hold a large one
        other = max(-v["centred_low"], v["centred_high"]) >= SMALL
        return "No, r of .3 or more is excluded" + (" on the expected side" if other else "")
    if v["predicts_seeds"] == NOT_SHOWN:
        return "Not shown"
    expected = {True: ", as expected", False: ", against what is expected", None: ""}[v["predicts_as_expected"]]
    return f"Yes, shown{expected}"


def _correlation(v: Verdict) -> str:
    """`r = .12 [-0.50, 0.66]`, with the p value where the interval alone would say more than is shown."""
    if v["centred"] is None:
        return "no r"
    low, high, p = v["centred_low"], v["centred_high"], v["centred_p"]
    if low is None:
        return f"r = {number(v['centred'])}"
    but = f" (p = {p_text(p)})" if v["predicts_seeds"] == NOT_SHOWN and (low > 0 or high < 0) and p is not None else ""
    return f"r = {number(v['centred'])} [{low:z.2f}, {high:z.2f}]{but}"


def _elsewhere(verdicts: Sequence[Verdict], focus: Sequence[Verdict]) -> list[Finding]:
    """How the other comparisons of the study answer the same questions, counted; those that are shown by name."""
    told = {(v["contrast"], v["phase"]) for v in focus if v["about"] != "silhouette"}
    others = [v for v in verdicts if v["about"] != "silhouette" and (v["contrast"], v["phase"]) not in told]
    if not others:
        return []
    differ = sum(v["conditions_differ"] == SHOWN for v in others)
    shown = [v for v in others if v["predicts_seeds"] == SHOWN]
    excluded = sum(v["predicts_seeds"] == EXCLUDED for v in others)
    seeds = f"the silhouette is shown to tell seeds apart in {len(shown) or 'none'}"
    if shown:
        first = max(shown, key=lambda v: abs(v["centred"]))
        seeds += f" (most in {first['contrast']}, {first['about']}: r = {number(first['centred'])})"
    seeds += f" and excluded above .3 in {excluded}" if excluded else ""
    text = f"Of the {len(others)} other comparisons, conditions differ in {differ or 'none'}; {seeds}."
    return [Finding(text, 3)]


def _asked(focus: Sequence[Verdict]) -> list[tuple[float | None, float | None, int, str]]:
    """Ends of the interval of r, pairs, and why there is no interval; of everything in focus."""
    return [(v["centred_low"], v["centred_high"], v["centred_n"], v["centred_reason"])
            for v in focus if v["about"] != "silhouette"]  # fmt: skip


def _more(
    intervals: Sequence[tuple[float | None, float | None, int, str]], steps: NextSteps, pairs: str = "pairs"
) -> list[Finding]:
    """What it would take to know the correlations within `WITHIN`."""
    known = [(low, high, n) for low, high, n, _ in intervals if low is not None and high is not None]
    if not known:
        few = any("at least" in reason for *_, reason in intervals)
        text = f"{FEWEST_PAIRS} seeds are the least that any correlation over seeds can be given an interval for."
        return [_grown(text, FEWEST_PAIRS, steps)] if few and (steps.seeds or 0) < FEWEST_PAIRS else []
    if all((high - low) / 2 <= WITHIN for low, high, _ in known):
        return [Finding(f"r is known within {number(WITHIN)} already.", 2)]
    low, high, n = max(known, key=lambda k: k[1] - k[0])
    nearest = 0.0 if low <= 0 <= high else math.copysign(min(abs(low), abs(high)), low)
    needed = pairs_needed(max(min(nearest, 0.95), -0.95), 2 * WITHIN)
    each = (
        n / steps.seeds if steps.seeds and n else 1.0
    )  # pairs of a seed: several where contrasts are pooled or designs crossed
    seeds = math.ceil(needed / each)
    return [_grown(f"To know r within {number(WITHIN)} takes about {needed} {pairs}", seeds, steps)]


def _grown(text: str, seeds: int, steps: NextSteps) -> Finding:
    """A paragraph on more seeds, with the time that they take and the command that trains them."""
    if steps.seeds is None or not steps.command or seeds <= steps.seeds:
        return Finding(text.rstrip(".") + ".", 5)
    if steps.seconds_per_seed is not None:
        minutes = max(round((seeds - steps.seeds) * steps.seconds_per_seed / 60), 1)
        text = f"{text.rstrip('.')}, about {duration(60 * minutes).removesuffix(' 00 s')} more"
    return Finding(text.rstrip(".") + ":", 5, f"{steps.command} --set seeds={seeds}")


def _within(analysis: Mapping[str, Any], steps: NextSteps) -> list[Finding]:
    """A study in which nothing is compared."""
    entries, cells = analysis["within"], len(analysis["cells"])
    which = f"is one cell, {analysis['cells'][0]['cell']}" if cells == 1 else f"are {cells} cells, no two of them compared"
    found = [Finding(f"Do the conditions differ? Not asked: there {which}.", 6)]
    known = [e for e in entries if e["value"] is not None]
    if not known:
        reasons = "; ".join(dict.fromkeys(e["reason"] for e in entries if e["reason"])) or "no correlation"
        text = f"Does anything measured before training say which seed does better? Nothing can be said: {reasons}."
        return [*found, Finding(text, 8), *_more([(None, None, e["n"], e["reason"]) for e in entries], steps, "networks")]
    shown = [e for e in known if e["p_fwer"] is not None and e["p_fwer"] < 0.05]
    e = max(shown or known, key=lambda e: abs(e["value"]))
    interval = f"[{e['low']:z.2f}, {e['high']:z.2f}]" if e["low"] is not None else f"({e['reason']})"
    p = f", family-wise p {p_text(e['p_fwer'])}" if e["p_fwer"] is not None else ""
    told = (
        f"{_name(e)}, {e['cell']}, {e['phase']} {e['outcome']} loss: r = {number(e['value'])} {interval}, {e['n']} networks{p}"
    )
    head = (
        f"Yes, {len(shown)} of {len(known)} correlations are shown"
        if shown
        else f"Not shown by any of {len(known)} correlations"
    )
    text = f"Does anything measured before training say which seed does better? {head}; the largest is {told}."
    return [*found, Finding(text, 8), *_more([(e["low"], e["high"], e["n"], "")], steps, "networks")]


def _name(entry: Mapping[str, Any]) -> str:
    name = str(entry["predictor"])
    if name.startswith("silhouette_"):
        return f"the silhouette ({name.removeprefix('silhouette_')})"
    return spoken(name.removeprefix(f"predictor_{entry['phase']}_"))


def _no_verdicts(analysis: Mapping[str, Any]) -> str:
    """Nothing that a silhouette could be judged by."""
    if (analysis["ranking"] or {}).get("tables"):
        return "Do the conditions differ, does a silhouette predict? Not asked: the rows hold no silhouette."
    outcome = next(iter(analysis["outcomes"]), "test")
    return f"Nothing can be said yet: no correlation with {outcome} losses could be computed; the tables say why."


def _ranked(analysis: Mapping[str, Any]) -> list[Finding]:
    """Which other predictors at t = 0 say more of seeds, by what the held-out half of the seeds confirms."""
    tables = (analysis.get("ranking") or {}).get("tables", [])
    if not tables:
        return []
    candidates = {e["name"] for t in tables for e in t["entries"] if e["kind"] == T_ZERO}
    names = dict.fromkeys(spoken(e["name"]) for t in tables for e in confirmed(t["confirmation"]["entries"]))
    told = f"{_listed(list(names)[:4])}{' and more' if len(names) > 4 else ''}" if names else "none"
    where = f" in {len(tables)} rankings" if len(tables) > 1 else ""
    return [Finding(f"Of {len(candidates)} predictors at t = 0, held-out seeds confirm{where}: {told}.", 4)]


def _by_data_set(analysis: Mapping[str, Any]) -> list[Finding]:
    """Where every data set has many seeds: which predictor at t = 0 says most of them, over all data sets."""
    told: list[Finding] = []
    for table in (analysis.get("by_data_set") or {}).get("tables", [])[:1]:
        known = [e for e in table["pooled"] if e["statistic"] == "centred" and e["kind"] == T_ZERO and "mean" in e]
        if known:
            e = max(known, key=lambda e: abs(e["mean"]))
            r = f"{number(e['mean'])} [{e['low']:z.2f}, {e['high']:z.2f}]"
            where = f"over {len(table['data_sets'])} data sets ({table['contrast']}, {table['phase']} {table['outcome']} loss)"
            told.append(Finding(f"Of seeds on the same data {spoken(e['name'])} says most at t = 0: r = {r} {where}.", 4))
    return told


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _last(steps: NextSteps) -> list[Finding]:
    """Where to look next; each is a line of its own, never broken."""
    lines = [Finding("", 6, f"Next: {steps.report}")] if steps.report else []
    return lines + ([Finding("", 1, f"All tables: {steps.tables}")] if steps.tables else [])


def _least(told: Sequence[Finding]) -> int:
    return min(range(len(told)), key=lambda place: told[place].importance)


def _wrapped(told: Iterable[Finding]) -> list[str]:
    lines: list[str] = []
    for one in told:
        lines += textwrap.wrap(visible(one.text), COLUMNS, subsequent_indent="  ", break_on_hyphens=False)
        lines += [f"  {one.command}" if one.text else one.command] if one.command else []
    return lines


def _height(lines: Iterable[str]) -> int:
    """Lines of a terminal of `COLUMNS`."""
    return sum(max(math.ceil(len(line) / COLUMNS), 1) for line in lines)
