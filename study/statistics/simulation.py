"""Pairs with a known truth, and how the statistics do on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.statistics.correlations import centred, r20
from study.statistics.intervals import estimates
from study.statistics.pairs import Pairs
from study.statistics.permutation import centred_under, fisher, grid_of, max_t, p_value, permutations, sign_flip_p

Array = NDArray[np.float64]


def _normal(generator: np.random.Generator, size: tuple[int, ...]) -> Array:
    return generator.normal(size=size)


def _skewed(generator: np.random.Generator, size: tuple[int, ...]) -> Array:
    """Log-normal with a skewness of about 1.8, mean 0, variance 1."""
    s = 0.5
    return (np.exp(s * generator.normal(size=size)) - np.exp(s**2 / 2)) / np.sqrt((np.exp(s**2) - 1) * np.exp(s**2))


def _heavy(generator: np.random.Generator, size: tuple[int, ...]) -> Array:
    """Student's t with 5 degrees of freedom (kurtosis 9), variance 1."""
    return generator.standard_t(5, size=size) / np.sqrt(5 / 3)


SHAPES: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Array]] = {
    "normal": _normal,
    "skewed": _skewed,
    "heavy-tailed": _heavy,
}


def simulated_pairs(generator: np.random.Generator, n: int, true_r: float, shift: float = 0.0, shape: str = "normal") -> Pairs:
    """Pairs whose differences correlate with `true_r` over seeds, each difference shifted by `shift` standard deviations
    (up in the predictor, up in the outcome); within each pair both networks share a part of their own."""
    dx, noise = SHAPES[shape](generator, (2, n))
    dy = true_r * dx + np.sqrt(1 - true_r**2) * noise
    common = generator.normal(size=(2, n))
    x, y = dx + shift, dy + shift
    seeds = np.arange(n)
    return Pairs(common[0] + x / 2, common[0] - x / 2, common[1] + y / 2, common[1] - y / 2, seeds, np.zeros(n, dtype=np.int64))


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


def coverage(n: int, true_r: float, shape: str, shift: float, repetitions: int, resamples: int = 2000) -> dict[str, Any]:
    """How often the interval of the centred correlation holds the truth, and how wide it is."""
    generator = np.random.default_rng([n, round(100 * true_r), list(SHAPES).index(shape), round(100 * shift)])
    held, widths = 0, []
    for repetition in range(repetitions):
        pairs = simulated_pairs(generator, n, true_r, shift, shape)
        # A new resampling for each study, of a few that are kept: one resampling for all would tie their fates together.
        (found,) = estimates([centred], pairs, resamples, random_state=repetition % 4)
        if found.low is not None and found.high is not None:
            held += found.low <= true_r <= found.high
            widths.append(found.high - found.low)
    share = held / repetitions
    error = float(np.sqrt(max(share * (1 - share), 1e-4) / repetitions))
    return {"n": n, "true_r": true_r, "shape": shape, "shift": shift, "coverage": share, "standard_error": error,
            "mean_width": float(np.mean(widths)) if widths else None, "repetitions": repetitions}  # fmt: skip


def type_one_error(n: int, shape: str, repetitions: int, count: int = 1000) -> dict[str, float]:
    """How often p < .05 without an effect: the permutation test of the centred correlation, the sign-flip test of a mean
    (its null needs symmetric differences, so it is simulated with those only where `shape` is symmetric)."""
    generator = np.random.default_rng([n, list(SHAPES).index(shape), 7])
    seeds, rejected = np.arange(n), np.zeros(2)
    for repetition in range(repetitions):
        pairs = simulated_pairs(generator, n, 0.0, 0.0, shape)
        grids, orders = [grid_of(pairs)], permutations(n, count, repetition % 4)
        observed = centred_under(grids, seeds[None])[0][0, 0]
        rejected[0] += p_value(observed, centred_under(grids, orders)[0][:, 0]) < 0.05
        rejected[1] += sign_flip_p(pairs, pairs.dx, count, repetition % 4) < 0.05
    return {"permutation": float(rejected[0] / repetitions), "sign_flip": float(rejected[1] / repetitions)}


def family_wise_error(n: int, predictors: int, dependence: float, repetitions: int, count: int = 1000) -> float:
    """How often any max-T p of a family is below .05 without any link, predictors correlated with one another."""
    generator = np.random.default_rng([n, predictors, round(100 * dependence)])
    seeds, rejected = np.arange(n), 0
    for repetition in range(repetitions):
        shared, outcome = generator.normal(size=(2, n))
        own = generator.normal(size=(predictors, n))
        zeros = np.zeros(n)
        grids = [
            grid_of(Pairs(np.sqrt(dependence) * shared + np.sqrt(1 - dependence) * x, zeros, outcome, zeros, seeds, seeds * 0))
            for x in own
        ]
        orders = permutations(n, count, repetition % 4)
        observed, null = (fisher(*centred_under(grids, o)) for o in (seeds[None], orders))
        rejected += bool((max_t(observed[0], null) < 0.05).any())
    return rejected / repetitions
