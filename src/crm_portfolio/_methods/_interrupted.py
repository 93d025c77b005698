"""Did a series run on another level, or at another slope, after a moment than before it?

A line with a step and a bend, by least squares; its errors allow for steps that resemble
their neighbours and for unequal scatter (Newey and West, with Bartlett's weights).
It describes: what else happened at that moment is in it too. Rules: sheet 5.8.
"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np

from crm_portfolio._methods._indices import Floats

__all__ = ["FEWEST", "Coefficient", "Interrupted", "interrupted"]

FEWEST: Final = 8
"""Under so many points on either side nothing is said."""
_NOISE: Final = 1e-10


@attrs.frozen
class Coefficient:
    """An estimate with its standard error and the interval of Student's law."""

    estimate: float
    error: float
    low: float
    high: float
    p: float


@attrs.frozen
class Interrupted:
    """What changed between the two sides.

    Attributes:
        start: Where the line before stands at the first step of all.
        slope: Of the line before, per step.
        level_change: At the first step after, against the line before carried on.
        slope_change: Per step, after less before.
        lags: How many steps apart points may still resemble each other.
    """

    start: Coefficient
    slope: Coefficient
    level_change: Coefficient
    slope_change: Coefficient
    before: int
    after: int
    lags: int


def interrupted(
    values: Floats, begins: int, *, level: float = 0.95, lags: int | None = None
) -> Interrupted | None:
    """The two sides of a series of equal steps; None where one is too short.

    Args:
        values: NaN where a step is unknown, or lies between the two sides: its neighbours
            stay as far apart as they are.
        begins: The first step of the side after.
        lags: None: the whole part of 4 (n / 100) ** (2 / 9).
    """
    known = ~np.isnan(values)
    before, after = int(known[:begins].sum()), int(known[begins:].sum())
    if min(before, after) < FEWEST:
        return None
    count = before + after
    reach = int(4 * (count / 100) ** (2 / 9)) if lags is None else lags
    design = np.where(known[:, None], _design(values.size, begins), 0.0)
    seen = np.where(known, values, 0.0)
    estimates, *_ = np.linalg.lstsq(design, seen, rcond=None)
    # What only rounding has left of a series without scatter is no scatter.
    noise = _NOISE * float(np.abs(seen).max(initial=0.0))
    estimates = np.where(np.abs(estimates) <= noise, 0.0, estimates)
    rest = seen - design @ estimates
    rest = np.where(np.abs(rest) <= noise, 0.0, rest)
    errors = _errors(design, rest, reach, count)
    told = _told(estimates, errors, level, count - design.shape[1])
    start, slope, level_change, slope_change = told
    return Interrupted(
        start, slope, level_change, slope_change, before, after, lags=reach
    )


def _design(size: int, begins: int) -> Floats:
    step = np.arange(size, dtype=np.float64)
    is_after = step >= begins
    return np.column_stack(
        [np.ones(size), step, is_after.astype(np.float64), (step - begins) * is_after]
    )


def _errors(design: Floats, rest: Floats, lags: int, count: int) -> Floats:
    """A step that is not known has no score, and keeps its place between the others."""
    inverse = np.linalg.inv(design.T @ design)
    scores = design * rest[:, None]
    middle = scores.T @ scores
    for lag in range(1, min(lags, len(scores) - 1) + 1):
        shared = scores[lag:].T @ scores[:-lag]
        middle += (1 - lag / (lags + 1)) * (shared + shared.T)
    variance = np.diag(inverse @ middle @ inverse) * count / (count - design.shape[1])
    errors: Floats = np.sqrt(np.maximum(variance, 0.0))
    return errors


def _told(
    estimates: Floats, errors: Floats, level: float, freedom: int
) -> list[Coefficient]:
    from scipy.special import stdtr, stdtrit

    reach = float(stdtrit(freedom, (1 + level) / 2))
    told = []
    for estimate, error in zip(estimates.tolist(), errors.tolist(), strict=True):
        if error:
            p = 2 * float(stdtr(freedom, -abs(estimate / error)))
        else:
            p = 0.0 if estimate else 1.0
        low, high = estimate - reach * error, estimate + reach * error
        told.append(Coefficient(estimate, error, low, high, p))
    return told
