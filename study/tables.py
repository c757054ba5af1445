"""The tables of an analysis, and the sentences that say what they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from study.candidates import T_ZERO
from study.interim import interim_mark, interim_note
from study.replication import replication_note
from study.sheets import Sheet
from study.statistics.reliable import RULE
from study.statistics.verdicts import EXCLUDED, NOT_SHOWN, SHOWN, SMALL
from study.within_cells import within_sentence, within_sheet

Result = dict[str, Any]
Row = dict[str, Result]
VERDICT_HEADINGS = ("what", "outcome", "conditions differ", "predicts seeds")


def number(value: float | None) -> str:
    """A correlation without the leading zero, to two decimals: the third is another one when a study is run again."""
    if value is None:
        return ""
    text = f"{value:z.2f}"
    return text.replace("0.", ".", 1) if abs(value) < 0.995 else text


def p_text(value: float | None) -> str:
    """A p value to three places; small ones as a bound."""
    return "" if value is None else "<.001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1)


def with_interval(result: Result, digits: str = "") -> str:
    """A value and its interval, or why one of them is missing; * where the interval is known to cover too little.

    Args:
        digits: a format such as ".2g" for numbers that are no correlations.
    """
    if result["value"] is None:
        return f"none: {result['reason']}"
    value = format(result["value"], digits) if digits else number(result["value"])
    if result["low"] is None:
        return f"{value} ({result['reason']})"
    low, high = (format(result[end], digits or ".2f") for end in ("low", "high"))
    return f"{value} [{low}, {high}]" + ("*" if "covers less" in result["note"] else "")


def pair_count(result: Result) -> str:
    """Pairs used, seeds where fewer, and pairs left out."""
    text = str(result["n"]) if result["n"] == result["seeds"] else f"{result['n']} ({result['seeds']} seeds)"
    out = result["left_out_diverged"] + result["left_out_undefined"]
    return f"{text}, {out} left out" if out else text


def both_counts(row: Row) -> str:
    """Pairs of a row with correlations of networks and of seeds, which may leave out pairs that are alone on their data."""
    of_networks, of_seeds = pair_count(row["r20"]), row["centred"]["n"]
    return of_networks if of_seeds == row["r20"]["n"] else f"{of_networks}; {of_seeds} for seeds"


def _grouped(analysis: dict[str, Any], outcome: str, contrast: str | None = None) -> dict[tuple[str, str, str], Row]:
    """Results of one outcome as (contrast, phase, predictor) -> statistic -> result."""
    groups: dict[tuple[str, str, str], Row] = {}
    for result in analysis["results"]:
        if result["outcome"] == outcome and contrast in (None, result["contrast"]):
            key = (result["contrast"], result["phase"], result["predictor"])
            groups.setdefault(key, {})[result["statistic"]] = result
    return groups


def _names(analysis: dict[str, Any], contrast: str) -> tuple[str, str]:
    cells = analysis["contrasts"][contrast]
    return tuple(cells[0]) if len(cells) == 1 else ("first", "second")


def _title(analysis: dict[str, Any], contrast: str, what: str, outcome: str) -> str:
    cells = " and ".join(f"{first} against {second}" for first, second in analysis["contrasts"][contrast])
    return f"{contrast}: {cells}, {outcome} loss. {what}"


def _by_phase(
    analysis: dict[str, Any], contrast: str, outcome: str, what: str, headings: Sequence[str], cells: Any, counted: str
) -> Sheet | None:
    """A row per phase and estimator, the faithful estimator strong.

    Args:
        counted: the statistic whose pairs are counted: those within strata leave out pairs that are alone on their data.
    """
    groups = _grouped(analysis, outcome, contrast)
    if not groups:
        return None
    rows, sections, strong, previous = [], set(), set(), ""
    for place, ((_, phase, predictor), row) in enumerate(groups.items()):
        estimator = predictor.removeprefix("silhouette_")
        rows.append([phase if phase != previous else "", estimator, pair_count(row[counted]), *cells(row)])
        if previous not in ("", phase):
            sections.add(place)
        if predictor == analysis["leading_predictor"]:
            strong.add(place)
        previous = phase
    title = _title(analysis, contrast, what, outcome)
    return Sheet(title, ["phase", "estimator", "pairs", *headings], rows, 2, frozenset(sections), frozenset(strong))


def seed_sheet(analysis: dict[str, Any], contrast: str, outcome: str) -> Sheet | None:
    """Which seed does better? The centred correlation of pair differences first."""
    first, second = _names(analysis, contrast)

    def cells(row: Row) -> list[str]:
        c = row["centred"]
        family = "primary" if c["primary"] else p_text(c["p_fwer"])
        ranks = [number(row["spearman"]["value"]) or f"none: {row['spearman']['reason']}", with_interval(row["kendall"])]
        within = [with_interval(row[name]) for name in ("within_first", "within_second")]
        return [with_interval(c), p_text(c["p"]), family, p_text(c["p_fdr"]), *ranks, *within]

    headings = ["centred r", "p", "family-wise p", "FDR q", "Spearman", "Kendall", f"within {first}", f"within {second}"]
    return _by_phase(analysis, contrast, outcome, "Seed level: which seed does better?", headings, cells, "centred")


def replication_sheet(analysis: dict[str, Any], contrast: str, outcome: str) -> Sheet | None:
    """The source study's statistics, what they would be without any seed-level link, and the split of the raw one."""

    def cells(row: Row) -> list[str]:
        parts = [with_interval(row["r20"]), number(row["r20"]["paper"]), with_interval(row["r20_null"]).removesuffix("*")]
        parts += [p_text(row["r20_null"]["p"]), with_interval(row["raw"]), number(row["raw"]["paper"])]
        return parts + [number(row[name]["value"]) or f"none: {row[name]['reason']}" for name in ("raw_between", "raw_within")]

    headings = ["r20", "paper", "r20 without seed link", "p", "raw r", "paper", "of it between", "of it within"]
    return _by_phase(analysis, contrast, outcome, "Replication statistics.", headings, cells, "r20")


def condition_sheet(analysis: dict[str, Any], contrast: str, outcome: str) -> Sheet | None:
    """Do the conditions differ? Mean paired differences, first minus second."""

    def cells(row: Row) -> list[str]:
        texts = []
        for name in ("predictor_difference", "loss_difference", "log10_loss_difference"):
            texts += [with_interval(row[name], ".3g"), p_text(row[name]["p"])]
        return texts

    headings = ["silhouette", "p", "loss", "p", "log10 loss", "p"]
    return _by_phase(
        analysis, contrast, outcome, "Condition effects: mean paired differences.", headings, cells, "loss_difference"
    )


def model_sheet(analysis: dict[str, Any], contrast: str, outcome: str) -> Sheet | None:
    """Reliability of the predictor, the bound it puts on the correlation, and the mixed model."""

    def cells(row: Row) -> list[str]:
        names = ("reliability_kmeans", "reliability_data", "attenuation_bound_data")
        mixed = [with_interval(row[f"mixed_{name}"]) for name in ("condition", "within", "mean")]
        return [*(with_interval(row[name]) for name in names), *mixed]

    headings = [
        "reliability: k-means",
        "reliability: data",
        "r without its noise (bound)",
        "model: condition",
        "within",
        "pair mean",
    ]
    return _by_phase(analysis, contrast, outcome, "Reliability and mixed model.", headings, cells, "mixed_condition")


def paper_sheet(analysis: dict[str, Any], contrast: str, outcome: str) -> Sheet | None:
    """The source study's values and where a replication of its size would lie."""
    found = analysis.get("replication")
    entries = [e for e in found["entries"] if e["contrast"] == contrast] if found and outcome == "test" else []
    rows = []
    for e in entries:
        interval = f"none: {e['reason']}" if e["low"] is None else f"[{e['low']:z.2f}, {e['high']:z.2f}]"
        inside = {True: "inside", False: "outside", None: "-"}[e["inside"]]
        rows.append([e["phase"], e["statistic"], number(e["value"]), interval, number(e["paper"]), inside])
    title = _title(analysis, contrast, "Source study: does it lie where a replication of its size would?", outcome)
    return Sheet(title, ["phase", "statistic", "here", "prediction interval", "paper", ""], rows, 2) if rows else None


def summary_sheet(analysis: dict[str, Any], outcome: str) -> Sheet | None:
    """All contrasts and phases for the leading estimator: the primary's, or the faithful one."""
    wanted = analysis["leading_predictor"]
    rows = []
    for (contrast, phase, predictor), row in _grouped(analysis, outcome).items():
        if predictor == wanted:
            texts = {name: with_interval(result) for name, result in row.items()}
            paper = {name: number(row[name]["paper"]) for name in ("r20", "raw")}
            rows.append([contrast, phase, both_counts(row), texts["r20"], paper["r20"], texts["raw"], paper["raw"],
                         texts["centred"], texts["within_first"], texts["within_second"]])  # fmt: skip
    if not rows:
        return None
    headings = ["contrast", "phase", "pairs", "r20", "paper", "raw r", "paper", "centred r", "within first", "within second"]
    return Sheet(f"Estimator {wanted.removeprefix('silhouette_')}, {outcome} loss", headings, rows, 2)


def verdict_sheet(analysis: dict[str, Any]) -> Sheet | None:
    """Do the conditions differ, and does the predictor say which seed does better, on test losses and all unseen patterns."""
    order = list(analysis["contrasts"])
    found = sorted(analysis["verdicts"], key=lambda v: order.index(v["contrast"]))
    sections = {place for place, v in enumerate(found) if place and v["contrast"] != found[place - 1]["contrast"]}
    rows = [[v["contrast"], *verdict_texts(v)] for v in found]
    estimator = analysis["leading_predictor"].removeprefix("silhouette_")
    title = f"Verdicts, estimator {estimator}: do the conditions differ, does the silhouette say which seed does better?"
    return Sheet(title, ["contrast", *VERDICT_HEADINGS], rows, 5, frozenset(sections)) if rows else None


def verdict_texts(verdict: dict[str, Any]) -> list[str]:
    """The cells of a verdict under `VERDICT_HEADINGS`."""
    of_loss = verdict["about"] != "silhouette"
    predicts = _answer(verdict, "predicts", "centred") if of_loss else "-"
    what = verdict["claim"] or verdict["about"]
    return [what, verdict["outcome"] if of_loss else "-", _answer(verdict, "differ", "difference"), predicts]


def _answer(verdict: dict[str, Any], question: str, name: str) -> str:
    """An answer with its number, in words that take no side."""
    found = verdict["conditions_differ" if question == "differ" else "predicts_seeds"]
    expected = verdict[f"{question}_as_expected"]
    if found == SHOWN and expected is not None:
        found += ", as expected" if expected else ", against what is expected"
    value, low, high = verdict[name], verdict[f"{name}_low"], verdict[f"{name}_high"]
    if value is None or low is None:
        return f"{found}: {verdict[f'{name}_reason']}"
    p = verdict[f"{name}_p"]
    but = f", p = {p_text(p)}" if found == NOT_SHOWN and (low > 0 or high < 0) and p is not None else ""  # why not
    if question == "predicts":
        if found == EXCLUDED and max(-low, high) >= SMALL:  # the other side may hold a large one
            found += " on the expected side only"
        return f"{found}: r = {number(value)} [{low:z.2f}, {high:z.2f}]{but}"
    ends = (low, high) if value >= 0 else (-high, -low)
    size = " [".join((f"{abs(value):.2g}", ", ".join(f"{end:.2g}" for end in ends)))
    return f"{found}: {verdict['first']} is {'higher' if value >= 0 else 'lower'} by {size}]{but}"


def variance_sheet(analysis: dict[str, Any]) -> Sheet | None:
    """Crossed designs: shares of variance due to weights, data, and both."""
    rows = []
    for entry in analysis["variance"]:
        shares = [
            f"{entry[name]['share']:z.2f} [{entry[name]['low']:z.2f}, {entry[name]['high']:z.2f}]" if name in entry else "none"
            for name in ("weights", "data", "both")
        ]
        size = f"{entry['seeds']} x {entry['data_sets']}"
        why = entry.get("reason") or entry.get("note", "")
        rows.append([entry["cell"], entry["column"], size, *shares, *_f_texts(entry), why])
    if not rows:
        return None
    title = "Variance due to weights, data, and their meeting (with what is left over); generalised intervals"
    headings = ["cell", "column", "weights x data", "weights", "data", "both", "F test of weights", "F test of data", "note"]
    return Sheet(title, headings, rows, 2)


def _f_texts(entry: dict[str, Any]) -> list[str]:
    """F tests of weights and data, `F(19, 57) = 4.7, p <.001`; rows of an analysis without them have none."""
    tests = [entry.get("f_tests", {}).get(name) for name in ("weights", "data")]
    return [f"F({t['df']:.0f}, {t['df_rest']:.0f}) = {_f_text(t['f'])}, p {_p_sign(t['p'])}" if t else "" for t in tests]


def _f_text(value: float) -> str:
    return f"{value:.{0 if value >= 9.95 else 1}f}"


def _p_sign(p: float) -> str:
    return f"{'' if p < 0.001 else '= '}{p_text(p)}"


def cell_sheet(analysis: dict[str, Any]) -> Sheet:
    """Networks, diverged networks, mean silhouettes and mean final losses of every cell."""
    columns = list(dict.fromkeys(column for cell in analysis["cells"] for column in cell["columns"]))
    shown = [c for c in columns if c.startswith("silhouette_")][:2] + [c for c in columns if c.endswith(("_test", "_unseen"))]
    planned = {c["cell"]: c["planned"] for c in (analysis.get("interim") or {"cells": ()})["cells"]}
    rows = []
    for cell in analysis["cells"]:
        texts = []
        for column in shown:
            values = cell["columns"].get(column)
            spread = f" ({values['sd']:.2g})" if values and values["sd"] is not None else ""
            fewer = f", n = {values['n']}" if values and values["n"] < cell["networks"] - cell["diverged"] else ""
            texts.append(f"{values['mean']:.4g}{spread}{fewer}" if values else "")
        of = f" of {planned[cell['cell']]}" if cell["cell"] in planned else ""
        rows.append([cell["cell"], f"{cell['networks']}{of}", str(cell["diverged"]), *texts])
    title = "Cells: mean (standard deviation) over networks that did not diverge"
    return Sheet(title, ["cell", "networks", "diverged", *shown], rows)


def sentence(analysis: dict[str, Any]) -> str:
    """What the tables show, in one sentence, that of an unfinished study marked."""
    return interim_mark(analysis) + _shown(analysis)


def _shown(analysis: dict[str, Any]) -> str:
    """What the tables show, in one sentence, from the leading estimator on test losses (on unseen
    patterns where there are no others)."""
    if analysis.get("within"):
        return within_sentence(analysis)
    wanted, outcome = analysis["leading_predictor"], next(iter(analysis["outcomes"]), "test")
    results = [
        r for r in analysis["results"] if r["outcome"] == outcome and r["predictor"] == wanted and r["value"] is not None
    ]
    if not results and (ranked := _ranked(analysis)):
        return ranked
    if not results:
        return f"No correlation with {outcome} losses could be computed; the tables say why."

    def share(statistic: str) -> tuple[int, int]:
        found = [r for r in results if r["statistic"] == statistic]
        clear = [r for r in found if r["low"] is not None and (r["low"] > 0 or r["high"] < 0)]
        return len(clear), len(found)

    most = max(r["n"] for r in results)
    seed_level, count = share("centred")
    lesson = (
        "r20 is large whenever the two conditions differ in silhouette and in loss, without any seed-level prediction; only "
        "the centred and within-condition columns speak of seeds"
    )
    end = f"{lesson}, and here they do not tell." if seed_level == 0 else f"{lesson}; read them with their family-wise p."
    return (
        f"With up to {most} pairs, the interval of r20 of `{wanted.removeprefix('silhouette_')}` excludes zero in "
        f"{' of '.join(map(str, share('r20')))} contrasts and phases, that of the centred correlation of pair differences in "
        f"{seed_level} of {count}: {end}"
    )


def _ranked(analysis: dict[str, Any]) -> str:
    """The same where rows hold predictors and no silhouette; "" where nothing is ranked."""
    tables = (analysis["ranking"] or {}).get("tables", [])
    known = [e["p_fwer"] for t in tables for e in t["entries"] if e["kind"] == T_ZERO and e["p_fwer"] is not None]
    if not known:
        return ""
    clear = sum(p < 0.05 for p in known)
    return (
        f"The rows hold no silhouette; of {len(known)} seed-level correlations of predictors at t = 0, in {len(tables)} "
        f"ranking(s), {clear} have a family-wise p below .05 (within their ranking)."
    )


def notes(analysis: dict[str, Any]) -> list[str]:
    """What a reader must know to read the tables."""
    lines = [
        *filter(None, [interim_note(analysis)]),
        f"Intervals of correlations: {analysis['interval']}; of mean differences and reliabilities: "
        f"{analysis.get('interval_of_means', analysis['interval'])}, {analysis['resamples']:,} resamples. {RULE}",
        f"P values: {analysis['permutations']:,} permutations of seeds, of the studentised correlation (sign flips for "
        "mean differences, exact for symmetric ones), the same for all cells, since cells share seeds and are therefore "
        "dependent; "
        f"family-wise p by max-T over {analysis['family']} comparisons, "
        "FDR q by Benjamini and Hochberg over the same.",
    ]
    if analysis["primary"]:
        p = analysis["primary"]
        found = [
            with_interval(r) + (f", p = {p_text(r['p'])}" if r["p"] is not None else "") + f", {r['n']} pairs"
            for r in analysis["results"]
            if r["primary"]
        ]
        lines.append(
            f"Primary comparison, named before the run: {p['contrast']}, {p['phase']} {p['outcome']} loss, "
            f"{p['predictor'].removeprefix('silhouette_')}; it alone needs no correction: "
            f"centred r = {', '.join(found) or 'none'}."
        )
    lines += filter(None, [replication_note(analysis)])
    lines.append(f"Data: {analysis['design']['name']}. {analysis['design']['question']}")
    if "scan" in analysis:
        lines.append(analysis["scan"]["note"])
    lines += analysis.get("remarks", [])  # of the folder that the rows are in
    return lines + [f"Warning: {warning}" for warning in analysis["warnings"]]


def rules(analysis: dict[str, Any]) -> list[str]:
    """The rules behind the verdicts."""
    return list(dict.fromkeys(v["rule"] for v in analysis["verdicts"]))


def sheets(analysis: dict[str, Any], outcome: str, everything: bool) -> Iterator[Sheet]:
    """The tables of one outcome in reading order.

    Args:
        everything: also what a first reading can do without.
    """
    for overview in (summary_sheet(analysis, outcome), within_sheet(analysis, outcome)):
        if overview is not None:
            yield overview
    some = [seed_sheet, replication_sheet]
    kinds = [condition_sheet, *some, paper_sheet, model_sheet] if everything else some
    for contrast in analysis["contrasts"]:
        for kind in kinds:
            if (sheet := kind(analysis, contrast, outcome)) is not None:
                yield sheet
