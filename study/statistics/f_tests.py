"""Whether seeds of the weights, or data sets, move a number at all: the F tests of a crossed design."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as fisher_snedecor

Array = NDArray[np.float64]


def f_tests(table: Array) -> dict[str, dict[str, float]]:
    """F tests of the row (weights) and column (data) effects of a two-way table without replication.

    An effect is tested against what is left over, which holds the meeting of both. A share of the variance whose interval
    reaches zero may still belong to an effect that is there: the test is the stronger statement.

    Args:
        table: (weights, data), one number per combination.

    Returns:
        `weights` and `data`, each with `f`, `df`, `df_rest` and `p`; {} where nothing is left over.
    """
    rows, columns = table.shape
    if rows < 2 or columns < 2:
        return {}
    centre = table.mean()
    effects = {"weights": table.mean(axis=1) - centre, "data": table.mean(axis=0) - centre}
    rest = table - centre - effects["weights"][:, None] - effects["data"][None, :]
    df_rest = (rows - 1) * (columns - 1)
    mean_square_rest = float((rest**2).sum()) / df_rest
    if mean_square_rest <= 1e-24 * float((table**2).mean()):
        return {}
    found = {}
    for name, times in (("weights", columns), ("data", rows)):
        df = len(effects[name]) - 1
        f = times * float((effects[name] ** 2).sum()) / df / mean_square_rest
        found[name] = {"f": f, "df": df, "df_rest": df_rest, "p": float(fisher_snedecor.sf(f, df, df_rest))}
    return found
