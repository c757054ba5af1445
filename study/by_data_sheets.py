"""Tables of `study.by_data_set`: pooled over data sets, on each of them, and what choosing seeds gains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from study.candidates import spoken
from study.ranking import SEED_LEVEL
from study.ranking_sheets import WORDS, cost_text
from study.sheets import Sheet
from study.tables import number, p_text

Found = dict[str, Any]


def data_set_sheets(analysis: Found, everything: bool) -> Iterator[Sheet]:
    """The pooled table and the regret of every contrast and phase.

    Args:
        everything: with prediction intervals, and the correlations of each data set.
    """
    for table in (analysis.get("by_data_set") or {}).get("tables", []):
        yield _pooled(table, everything)
        if everything:
            yield from (_each(table, statistic) for statistic in SEED_LEVEL)
        if table["regret"]:
            yield _regret(table, analysis["by_data_set"]["group"])


def _title(table: Found) -> str:
    pairs = sorted({part["pairs"] for part in table["data_sets"]})
    count = f"{pairs[0]}" if len(pairs) == 1 else f"{pairs[0]} to {pairs[-1]}"
    where = f"{table['contrast']}, {table['phase']} {table['outcome']} loss"
    return f"{where}, {count} pairs on each of {len(table['data_sets'])} data sets"


def interval(entry: Found) -> str:
    """A pooled value with its interval."""
    return f"{number(entry['mean'])} [{entry['low']:z.2f}, {entry['high']:z.2f}]" if "mean" in entry else "none"


def _ordered(table: Found) -> list[str]:
    """Columns by the size of the pooled centred r, those without one last."""
    size = {e["column"]: -abs(e.get("mean", 0.0)) for e in table["pooled"] if e["statistic"] == "centred"}
    return sorted(size, key=lambda column: size[column])


def _pooled(table: Found, everything: bool) -> Sheet:
    rows = []
    for column in _ordered(table):
        found = {e["statistic"]: e for e in table["pooled"] if e["column"] == column}
        row = [spoken(found["centred"]["name"]), _costs(found["centred"])]
        for statistic in SEED_LEVEL:
            entry = found[statistic]
            row.append(interval(entry))
            if everything:
                next_one = f"[{entry['predicted_low']:z.2f}, {entry['predicted_high']:z.2f}]" if "mean" in entry else "none"
                row += [next_one, p_text(entry["largest_p_fwer"])]
        rows.append(row)
    headings = ["predictor", "cost (steps)"]
    for statistic in SEED_LEVEL:
        headings += [WORDS[statistic], *(["a further data set", "largest family p"] if everything else [])]
    return Sheet(f"Which seed will do better: {_title(table)}, pooled", headings, rows)


def _costs(entry: Found) -> str:
    """Of the first cells' networks and of the second's, once where they are alike."""
    return " and ".join(dict.fromkeys(cost_text(entry[f"cost_{side}"]) for side in ("first", "second")))


def _each(table: Found, statistic: str) -> Sheet:
    rows = []
    for column in _ordered(table):
        row = []
        for part in table["data_sets"]:
            entry = next(e for e in part["entries"] if (e["column"], e["statistic"]) == (column, statistic))
            name = spoken(entry["name"])
            bare = "none" if entry["value"] is None else number(entry["value"])
            row.append(bare if entry["low"] is None else f"{bare} [{entry['low']:z.2f}, {entry['high']:z.2f}]")
        rows.append([name, *row])
    headings = ["predictor", *(f"data set {part['data_seed']}" for part in table["data_sets"])]
    title = f"{WORDS[statistic]} on each data set: {_title(table)}; intervals hold for a data set's table at once"
    return Sheet(title, headings, rows)


def _regret(table: Found, group: int) -> Sheet:
    rows = [[e["cell"], spoken(e["name"]), str(e["groups"]), interval(e)] for e in table["regret"] if "mean" in e]
    title = f"Choosing the best of {group} seeds, share of the gain that is missed (0: none, 1: chance): {_title(table)}"
    return Sheet(title, ["cell", "chosen by", "groups a data set", "missed"], rows, left=2)


def data_set_notes(analysis: Found) -> list[str]:
    """How the numbers were made."""
    found = analysis.get("by_data_set")
    if not found:
        return []
    return [
        f"By data set: {found['pooled']}; each data set has its own family (all candidates and the three seed-level "
        f"correlations), intervals {found['interval']}, family-wise p by max-T ({found['permutations']:,} permutations)."
    ]
