"""How unusual is a silence, and how grave is what an account shows?

Rules: sheet 9.1, with amendment 25.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags

__all__ = [
    "LEVELS",
    "UNKNOWN",
    "Levels",
    "eroded",
    "from_threshold",
    "group_medians",
    "risen",
    "silence",
    "under_threshold",
    "worst",
]

Levels = npt.NDArray[np.int8]
LEVELS: Final = ("low", "medium", "high", "critical")
UNKNOWN: Final = -1
"""The level of what is not known: below all others, so that the worst known wins."""


def silence(gaps: Groups, span_days: Groups, silent_days: Groups) -> Floats:
    """P(no purchase for so long | the rhythm so far): (1 + t/T)^−k.

    It is what a Poisson stream leaves silent for t days when its rate is only known from
    k gaps in T days: exp(−rate · t) over a gamma of shape k and exposure T. Sheet 9.1.

    Args:
        gaps: Between the days of purchase, 1 at least.
        span_days: From the first of those days to the last.
    """
    rhythm = np.log1p(silent_days / np.asarray(span_days, dtype=np.float64))
    return twelve_digits(np.exp(-gaps * rhythm))


def under_threshold(
    values: Floats, thresholds: Sequence[float], is_known: Flags, *, reached: bool
) -> Levels:
    """How many of the thresholds a value is under, from the first to the gravest.

    Args:
        reached: Whether a value that equals a threshold is under it.
    """
    grave = np.zeros(values.size, dtype=np.int8)
    for threshold in thresholds:
        is_under = values <= threshold if reached else values < threshold
        grave += (is_under & is_known).astype(np.int8)
    return np.where(is_known, grave, np.int8(UNKNOWN)).astype(np.int8)


def risen(values: Floats, thresholds: Sequence[float]) -> Levels:
    """How many of the thresholds a value reaches; unknown where it is NaN."""
    is_known = ~np.isnan(values)
    return under_threshold(
        -values, [-each for each in thresholds], is_known, reached=True
    )


def from_threshold(
    sums: Groups, weights: Groups, thresholds: Sequence[float], is_known: Flags
) -> Levels:
    """How many thresholds a mean, given as sum and weight, reaches; exact at each."""
    grave = np.zeros(sums.size, dtype=np.int8)
    for threshold in thresholds:
        grave += (_reaches(sums, weights, threshold) & is_known).astype(np.int8)
    return np.where(is_known, grave, np.int8(UNKNOWN)).astype(np.int8)


def eroded(
    now: Groups, before: Groups, thresholds: Sequence[float], is_known: Flags
) -> Levels:
    """How many of these shares of its former revenue an account has lost at least."""
    return from_threshold(before - now, before, thresholds, is_known & (before > 0))


def _reaches(sums: Groups, weights: Groups, threshold: float) -> Flags:
    """Whether sum ≥ threshold · weight, in whole numbers, exactly as the decimals say."""
    exact = Fraction(str(threshold))
    top, bottom = exact.numerator, exact.denominator
    largest = max(int(np.abs(each).max(initial=0)) for each in (sums, weights))
    kind = np.int64 if largest * max(abs(top), bottom) < 2**62 else object
    reached: Flags = (sums.astype(kind) * bottom >= weights.astype(kind) * top).astype(
        bool
    )
    return reached


def worst(levels: Sequence[Levels]) -> Levels:
    """The gravest of what is known; unknown only where nothing is."""
    gravest: Levels = np.max(np.stack(levels), axis=0)
    return gravest


def group_medians(
    keys: Sequence[Groups], values: Floats
) -> tuple[Groups, Floats, Floats]:
    """Where each group begins once sorted by its keys, its median, and its spread."""
    order = np.lexsort((values, *reversed(keys)))
    ordered = values[order]
    is_first = np.ones(values.size, dtype=bool)
    is_first[1:] = False
    for key in keys:
        is_first[1:] |= np.diff(key[order]) != 0
    starts = np.flatnonzero(is_first)
    ends = np.append(starts[1:], values.size)
    low, high = (starts + ends - 1) // 2, (starts + ends) // 2
    return (
        starts,
        (ordered[low] + ordered[high]) / 2,
        ordered[ends - 1] - ordered[starts],
    )
