"""Pairs with a known truth, and how the statistics do on them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.statistics.correlations import centred, r20
from study.statistics.intervals import estimates
from study.statistics.pairs import Pairs
from study.statistics.permutation import layout, max_t, p_value, permutations, sign_flip_p, sign_flips, studentised_under
from study.statistics.variance import SHARES, generalised_intervals

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

DATA_SETS = 4  # of a crossed design
EFFECT = 2.0  # standard deviation of what a data set does to both columns


def _normal(generator: np.random.Generator, size: tuple[int, ...]) -> Array:
    return generator.normal(size=size)


def _log_normal(s: float) -> Draw:
    """Mean 0, variance 1; a skewness of 1.8 for s = 0.5 and of 6.2 for s = 1."""

    def draw(generator: np.random.Generator, size: tuple[int, ...]) -> Array:
        return np.asarray(
            (np.exp(s * generator.normal(size=size)) - np.exp(s**2 / 2)) / np.sqrt((np.exp(s**2) - 1) * np.exp(s**2))
        )

    return draw


def _student(freedom: int) -> Draw:
    """Variance 1; the kurtosis of 3 degrees of freedom is infinite."""
    return lambda generator, size: generator.standard_t(freedom, size=size) / np.sqrt(freedom / (freedom - 2))


def _linear(of_x: Draw, of_noise: Draw) -> Callable[[np.random.Generator, int, float], tuple[Array, Array]]:
    def draw(generator: np.random.Generator, n: int, true_r: float) -> tuple[Array, Array]:
        x, noise = of_x(generator, (n,)), of_noise(generator, (n,))
        return x, true_r * x + np.sqrt(1 - true_r**2) * noise

    return draw


def _heteroscedastic(generator: np.random.Generator, n: int, true_r: float) -> tuple[Array, Array]:
    """Noise that grows with the size of x: its variance is 0.25 + 0.75 x^2."""
    x, noise = generator.normal(size=(2, n))
    return x, true_r * x + np.sqrt(1 - true_r**2) * noise * np.sqrt(0.25 + 0.75 * x**2)


def _tied(generator: np.random.Generator, n: int, true_r: float) -> tuple[Array, Array]:
    """Whole numbers of standard deviations: about seven values, most pairs tied."""
    x, y = _linear(_normal, _normal)(generator, n, true_r)
    return np.round(x), np.round(y)


# Differences of predictor and outcome over seeds; clustered and crossed are made of normal ones.
SHAPES: dict[str, Callable[[np.random.Generator, int, float], tuple[Array, Array]]] = {
    "normal": _linear(_normal, _normal),
    "skewed": _linear(_log_normal(0.5), _log_normal(0.5)),
    "heavy-tailed": _linear(_student(5), _student(5)),
    "log-normal": _linear(_log_normal(1.0), _log_normal(1.0)),
    "t, 3 df": _linear(_student(3), _student(3)),
    "heteroscedastic": _heteroscedastic,
    "tied": _tied,
    "skewed noise": _linear(_normal, _log_normal(1.0)),
    "skewed predictor": _linear(_log_normal(1.0), _normal),
    "heavy noise": _linear(_normal, _student(3)),
    "clustered": _linear(_normal, _normal),
    "crossed": _linear(_normal, _normal),
}
STRATA = {"clustered": 2, "crossed": DATA_SETS}
# Where simulated intervals cover less than 92.5 % at some size: data like these get a star.
STARRED = ("skewed noise", "skewed predictor", "heavy noise")
SYMMETRIC = ("normal", "heavy-tailed", "t, 3 df", "heteroscedastic", "tied", "heavy noise")


@lru_cache(maxsize=64)
def truth_of(shape: str, true_r: float) -> float:
    """The correlation of a shape: `true_r`, but for ties, which take from it."""
    if shape != "tied":
        return true_r
    return float(np.corrcoef(*_tied(np.random.default_rng(0), 4_000_000, true_r))[0, 1])


def simulated_pairs(generator: np.random.Generator, n: int, true_r: float, shift: float = 0.0, shape: str = "normal") -> Pairs:
    """Pairs of n seeds whose differences correlate with `true_r` over seeds, each difference shifted by `shift` (up in the
    predictor, up in the outcome); within each pair both networks share a part of their own.

    `clustered`: two pairs a seed, of two contrasts, that have half of their variance in common. `crossed`: a pair for each
    of four data sets, likewise, and each data set shifts both columns by an effect of its own.
    """
    strata = STRATA.get(shape, 1)
    columns = [SHAPES[shape](generator, n, true_r) for _ in range(strata)]
    x, y = (np.concatenate([column[side] for column in columns]) for side in (0, 1))
    seeds, stratum = np.tile(np.arange(n), strata), np.repeat(np.arange(strata), n)
    if strata > 1:
        own = SHAPES[shape](generator, n, true_r)
        x, y = (np.sqrt(0.5) * (v + np.tile(part, strata)) for v, part in zip((x, y), own, strict=True))
        x, y = (v + EFFECT * generator.normal(size=strata)[stratum] for v in (x, y))
    common = generator.normal(size=(2, n * strata))
    x, y = x + shift, y + shift
    return Pairs(common[0] + x / 2, common[0] - x / 2, common[1] + y / 2, common[1] - y / 2, seeds, stratum)


def shift_study(
    shifts: list[float], truths: list[float], n: int, repetitions: int, random_state: int = 0
) -> list[dict[str, Any]]:
    """Median and 95 % range over simulated studies of r20 and of the centred correlation, as the mean shift grows.

    Both networks of a pair share nothing here, as in the simplest reading of the source study.
    """
    points = []
    for truth in truths:
        for shift in shifts:
            generator = np.random.default_rng([random_state, round(100 * truth), round(100 * shift)])
            values = np.empty((repetitions, 2))
            for i in range(repetitions):
                dx, noise = generator.normal(size=(2, n))
                x, y = dx + shift, truth * dx + np.sqrt(1 - truth**2) * noise + shift
                pairs = Pairs(x / 2, -x / 2, y / 2, -y / 2, np.arange(n), np.zeros(n, dtype=np.int64))
                values[i] = r20(pairs, np.ones(n)), centred(pairs, np.ones(n))
            point: dict[str, Any] = {"true_r": truth, "shift": shift, "n": n, "repetitions": repetitions}
            for name, column in zip(("r20", "centred"), values.T, strict=True):
                low, middle, high = np.quantile(column, [0.025, 0.5, 0.975])
                point[name] = {"median": float(middle), "low": float(low), "high": float(high)}
            points.append(point)
    return points


def coverage(n: int, true_r: float, shape: str, shift: float, repetitions: int) -> dict[str, Any]:
    """How often the interval of the centred correlation holds the truth, how wide it is, and how often it has a star."""
    generator = np.random.default_rng([n, round(100 * true_r), list(SHAPES).index(shape), round(100 * shift)])
    truth, held, starred, widths = truth_of(shape, true_r), 0, 0, []
    for _ in range(repetitions):
        (found,) = estimates([centred], simulated_pairs(generator, n, true_r, shift, shape))
        if found.low is not None and found.high is not None:
            held += found.low <= truth <= found.high
            starred += "covers less" in found.note
            widths.append(found.high - found.low)
    share = held / repetitions
    error = float(np.sqrt(max(share * (1 - share), 1e-4) / repetitions))
    return {"n": n, "true_r": true_r, "shape": shape, "shift": shift, "coverage": share, "standard_error": error,
            "mean_width": float(np.mean(widths)) if widths else None, "starred": starred / repetitions,
            "repetitions": repetitions}  # fmt: skip


def shares_coverage(seeds: int, data_sets: int, shares: tuple[float, float, float], repetitions: int) -> dict[str, Any]:
    """How often the generalised intervals of a crossed design hold the true shares of weights, data and both, and their
    mean upper ends."""
    generator = np.random.default_rng([seeds, data_sets, *(round(100 * share) for share in shares)])
    held, upper = np.zeros(3), np.zeros(3)
    sizes = (seeds, 1), (1, data_sets), (seeds, data_sets)
    for _ in range(repetitions):
        parts = [np.sqrt(share) * generator.normal(size=size) for share, size in zip(shares, sizes, strict=True)]
        low, high = generalised_intervals(parts[0] + parts[1] + parts[2], draws=2000).T
        held += (low - 1e-9 <= shares) & (shares <= high + 1e-9)
        upper += high
    return {"seeds": seeds, "data_sets": data_sets, "shares": list(shares), "repetitions": repetitions,
            "coverage": dict(zip(SHARES, (held / repetitions).tolist(), strict=True)),
            "mean_upper_end": dict(zip(SHARES, (upper / repetitions).tolist(), strict=True))}  # fmt: skip


def type_one_error(n: int, shape: str, repetitions: int, count: int = 1000) -> dict[str, float]:
    """How often p < .05 without an effect: the permutation test of the centred correlation, the sign-flip test of a mean
    (its null needs symmetric differences, so it says something only for shapes that are `SYMMETRIC`).

    Beside each its `attainable` level, the mean over studies of the largest p below .05 that any of the null's draws has:
    where values are tied, so are draws, and no test that does not toss a coin rejects more.
    """
    generator = np.random.default_rng([n, list(SHAPES).index(shape), 7])
    seeds, rejected, attainable = np.arange(n), np.zeros(2), np.zeros(2)
    for repetition in range(repetitions):
        pairs = simulated_pairs(generator, n, 0.0, 0.0, shape)
        grids, orders = [layout(pairs)], permutations(n, count, repetition % 4)
        null = studentised_under(grids, orders)[:, 0]
        rejected[0] += p_value(studentised_under(grids, seeds[None])[0, 0], null) < 0.05
        rejected[1] += sign_flip_p(pairs, pairs.dx, count, repetition % 4) < 0.05
        sums = np.bincount(pairs.unit, weights=pairs.dx, minlength=n)
        attainable += largest_below(null), largest_below(sign_flips(n, count, repetition % 4) @ sums)
    found = np.stack([rejected, attainable]) / repetitions
    names = "permutation", "sign_flip", "attainable_permutation", "attainable_sign_flip"
    return dict(zip(names, found.ravel().tolist(), strict=True))


def largest_below(null: Array, level: float = 0.05) -> float:
    """The largest share of null draws that are at least as extreme as one of them, below `level`."""
    sizes = np.sort(np.abs(null))[::-1]
    shares = np.searchsorted(-sizes, -sizes * (1 - 1e-9), side="right") / len(sizes)
    return float(max(shares[shares < level], default=0.0))


def family_wise_error(n: int, predictors: int, dependence: float, repetitions: int, count: int = 1000) -> float:
    """How often any max-T p of a family is below .05 without any link, predictors correlated with one another."""
    generator = np.random.default_rng([n, predictors, round(100 * dependence)])
    seeds, rejected = np.arange(n), 0
    for repetition in range(repetitions):
        shared, outcome = generator.normal(size=(2, n))
        own = generator.normal(size=(predictors, n))
        zeros = np.zeros(n)
        grids = [
            layout(Pairs(np.sqrt(dependence) * shared + np.sqrt(1 - dependence) * x, zeros, outcome, zeros, seeds, seeds * 0))
            for x in own
        ]
        orders = permutations(n, count, repetition % 4)
        observed, null = (studentised_under(grids, o) for o in (seeds[None], orders))
        rejected += bool((max_t(observed[0], null) < 0.05).any())
    return rejected / repetitions
