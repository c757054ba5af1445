"""Stabilised explicit Runge-Kutta-Chebyshev integration of stiff flows, second order, adaptive.

The method is that of Sommeijer, Shampine and Verwer (J. Comput. Appl. Math. 88, 1998). A step of s gradients stays stable up
to about 0.65 s^2 over the largest curvature, where s small steps would reach 2 s of it. Step size follows an error estimate,
the number of stages an estimate of the largest curvature by power iteration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

MOST_STAGES = 60
SAFETY = 0.8
POWER_ITERATIONS = 12
STEPS_BETWEEN_CURVATURES = 25

Field = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Stages:
    """Coefficients of one Chebyshev step of s stages, in the notation of the paper."""

    mu: tuple[float, ...]
    nu: tuple[float, ...]
    mu_tilde: tuple[float, ...]
    gamma_tilde: tuple[float, ...]


@lru_cache(maxsize=MOST_STAGES)
def stages(s: int) -> Stages:
    """Coefficients for s >= 2 stages; entry j - 1 belongs to stage j."""
    w0 = 1 + 2 / 13 / s**2
    t, dt, ddt = [1.0, w0], [0.0, 1.0], [0.0, 0.0]
    for _ in range(2, s + 1):
        t.append(2 * w0 * t[-1] - t[-2])
        dt.append(2 * t[-2] + 2 * w0 * dt[-1] - dt[-2])
        ddt.append(4 * dt[-2] + 2 * w0 * ddt[-1] - ddt[-2])
    w1 = dt[s] / ddt[s]
    b = [0.0, 0.0, *(ddt[j] / dt[j] ** 2 for j in range(2, s + 1))]
    b[0] = b[1] = b[2]
    a = [1 - b[j] * t[j] for j in range(s + 1)]
    mu, nu, mu_tilde, gamma_tilde = [0.0], [0.0], [b[1] * w1], [0.0]
    for j in range(2, s + 1):
        mu.append(2 * b[j] * w0 / b[j - 1])
        nu.append(-b[j] / b[j - 2])
        mu_tilde.append(2 * b[j] * w1 / b[j - 1])
        gamma_tilde.append(-a[j - 1] * mu_tilde[-1])
    return Stages(tuple(mu), tuple(nu), tuple(mu_tilde), tuple(gamma_tilde))


def chebyshev_step(field: Field, y: Tensor, slope: Tensor, h: float, s: int) -> Tensor:
    """One step of size h from y with slope field(y), by s stages (s - 1 further evaluations of the field)."""
    c = stages(s)
    before, now = y, y + c.mu_tilde[0] * h * slope
    for j in range(1, s):
        after = (1 - c.mu[j] - c.nu[j]) * y + c.mu[j] * now + c.nu[j] * before
        after += c.mu_tilde[j] * h * field(now) + c.gamma_tilde[j] * h * slope
        before, now = now, after
    return now


def stages_needed(h: float, curvature: float) -> int:
    """The fewest stages that keep a step of size h stable."""
    return max(2, 1 + int(np.ceil(np.sqrt(1 + 1.54 * h * curvature))))


def largest_curvature(field: Field, y: Tensor, slope: Tensor, guess: Tensor) -> tuple[float, Tensor]:
    """Largest curvature at y (B, P) over the block, by power iteration on differences of the field, with a margin.

    Returns:
        1.2 times the estimate, and the direction to start from next time.
    """
    size = 1e-3 * (1 + y.norm(dim=1, keepdim=True))
    direction, value = guess, 0.0
    for _ in range(POWER_ITERATIONS):
        direction = direction / direction.norm(dim=1, keepdim=True).clamp_min(1e-30) * size
        moved = slope - field(y + direction)
        value = float((moved.norm(dim=1, keepdim=True) / size).nan_to_num(0.0).max())
        direction = moved
    return 1.2 * value, direction


def integrate(
    field: Field,
    y: Tensor,
    duration: float,
    first_step: float,
    tolerance: float,
    visit: Callable[[float, float, Callable[[float], Tensor]], None],
) -> tuple[Tensor, int]:
    """Follow dy/dt = field(y) for a duration.

    Args:
        field: (B, P) to (B, P).
        y: (B, P) the start.
        first_step: step size to try first.
        tolerance: allowed error of a step, relative to the root mean square of y.
        visit: called after every accepted step with its first and last time and a function that gives y between them
            (cubic Hermite interpolation, third order).

    Returns:
        y at the end, and the number of evaluations of the field. A network that is not finite, or that no step size can
        follow, is NaN from there on and does not hold up the others.
    """
    time, h, slope, evaluations = 0.0, first_step, field(y), 1
    guess, since, curvature = slope.clone(), STEPS_BETWEEN_CURVATURES, 0.0
    while time < duration * (1 - 1e-12):
        if since >= STEPS_BETWEEN_CURVATURES:
            curvature, guess = largest_curvature(field, y, slope, guess)
            evaluations, since = evaluations + POWER_ITERATIONS, 0
        h = min(h, duration - time, 0.653 * (MOST_STAGES**2 - 1) / max(curvature, 1e-30))
        s = stages_needed(h, curvature)
        after = chebyshev_step(field, y, slope, h, s)
        slope_after = field(after)
        evaluations += s
        error_vector = 0.8 * (y - after) + 0.4 * h * (slope + slope_after)
        scale = tolerance * (1e-3 + torch.maximum(y.square().mean(dim=1).sqrt(), after.square().mean(dim=1).sqrt()))
        # A network that was lost before this step has no say in the step size of the others.
        errors = torch.where(y.isfinite().all(dim=1), error_vector.square().mean(dim=1).sqrt() / scale, 0.0)
        error = float(errors.max())
        if not np.isfinite(error):
            if h < 1e-9 * duration:  # no step is small enough: lost, and the others go on
                y = y.where(errors.isfinite()[:, None], torch.nan)
                slope, evaluations = field(y), evaluations + 1
            h, since = h / 4, STEPS_BETWEEN_CURVATURES
            continue
        factor = min(5.0, max(0.2, SAFETY * (1 / max(error, 1e-10)) ** (1 / 3)))
        if error <= 1:
            visit(time, time + h, _hermite(time, h, y, after, slope, slope_after))
            time, y, slope, since = time + h, after, slope_after, since + 1
        else:
            since = STEPS_BETWEEN_CURVATURES  # the curvature may have grown
        h *= factor
    return y, evaluations


def _hermite(start: float, h: float, y: Tensor, after: Tensor, slope: Tensor, slope_after: Tensor) -> Callable[[float], Tensor]:
    def at(time: float) -> Tensor:
        u = (time - start) / h
        v = 1 - u
        return v**2 * (1 + 2 * u) * y + u**2 * (1 + 2 * v) * after + u * v * h * (v * slope - u * slope_after)

    return at
