"""Do odds come true: of those said to leave at one in five, does one in five leave?

Rules: sheets 9.2 and 9.3. Log loss is in ``_logistic``.
"""

from __future__ import annotations

from math import fsum
from statistics import NormalDist
from typing import Final

import attrs
import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._rates import wilson_bounds

__all__ = [
    "Bins",
    "Line",
    "Murphy",
    "Recalibration",
    "auc",
    "brier",
    "calibration_line",
    "in_the_large",
    "is_as_many",
    "is_beyond_chance",
    "isotonic",
    "lift_at_top",
    "mean_and_error",
    "murphy",
    "platt",
    "reliability",
]

_SURE: Final = 1e-6
_MOST_STEPS: Final = 100
_CLOSE: Final = 1e-12
_LEVEL: Final = 0.95


def brier(odds: Floats, happened: Flags) -> float:
    """Mean (p − y)²; lower is better; NaN of nothing."""
    return float(np.mean((odds - happened) ** 2)) if odds.size else float("nan")


@attrs.frozen
class Murphy:
    """Brier's parts: reliability − resolution + uncertainty (Murphy 1973)."""

    reliability: float
    resolution: float
    uncertainty: float

    @property
    def brier(self) -> float:
        return self.reliability - self.resolution + self.uncertainty


def murphy(odds: Floats, happened: Flags) -> Murphy:
    """By the distinct odds, where the parts add up to Brier's mean exactly."""
    values, place = np.unique(odds, return_inverse=True)
    counts = np.bincount(place, minlength=values.size)
    rates = np.bincount(place, weights=happened, minlength=values.size) / counts
    mean = float(happened.mean())
    return Murphy(
        reliability=float(counts @ (values - rates) ** 2 / odds.size),
        resolution=float(counts @ (rates - mean) ** 2 / odds.size),
        uncertainty=mean * (1 - mean),
    )


def in_the_large(odds: Floats, happened: Flags) -> float:
    """Mean p − mean y: above 0, more are said to leave than do."""
    return float(odds.mean() - happened.mean()) if odds.size else float("nan")


def is_as_many(
    odds: Floats, happened: Flags, between: tuple[float, float], alpha: float
) -> bool:
    """Whether as many left as were said to, times a number within these, or by chance."""
    said, came = fsum(odds), int(happened.sum())
    low, high = between
    if low * said <= came <= high * said:
        return True
    error = float(np.sqrt((odds * (1 - odds)).sum()))
    return abs(came - said) <= NormalDist().inv_cdf(1 - alpha / 2) * error


def auc(odds: Floats, happened: Flags) -> float | None:
    """How often one that left had the higher odds than one that stayed; a tie is half.

    None where all did the same.
    """
    left = int(happened.sum())
    stayed = happened.size - left
    if not left or not stayed:
        return None
    _, place, counts = np.unique(odds, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - counts + 1 + ends) / 2
    above = float(ranks[place][happened].sum()) - left * (left + 1) / 2
    return above / (left * stayed)


@attrs.frozen
class Line:
    """ln odds that came = intercept + slope · ln odds that were said: best 0 and 1.

    A slope under 1 says that the odds are too extreme, above 1 too timid.
    """

    intercept: float
    slope: float


def calibration_line(odds: Floats, happened: Flags) -> Line | None:
    """The likeliest such line; None where all odds or all outcomes are alike, or part."""
    found = _likeliest(_logits(odds), happened.astype(np.float64))
    return found if found is None else Line(*found)


@attrs.frozen(eq=False)
class Bins:
    """Odds in groups of about equal size, against what came; from the lowest odds on.

    Attributes:
        said, came: The mean of the odds, and the share to which it happened.
        low, high: Wilson's interval of what came.
    """

    counts: Groups
    events: Groups
    said: Floats
    came: Floats
    low: Floats
    high: Floats


def reliability(
    odds: Floats, happened: Flags, *, bins: int = 10, least: int = 20
) -> Bins:
    """By quantiles of the odds, equal odds together, so many in each at least."""
    values, place, sizes = np.unique(odds, return_inverse=True, return_counts=True)
    group = _joined(sizes, bins, least)
    count = int(group[-1]) + 1 if group.size else 0
    of = group[place] if group.size else np.zeros(0, dtype=np.int64)
    counts = np.bincount(of, minlength=count)
    events = np.bincount(of[happened], minlength=count)
    low, high = wilson_bounds(events, counts, _LEVEL)
    said = np.bincount(group, weights=values * sizes, minlength=count) / counts
    return Bins(counts, events, said, events / counts, low, high)


def _joined(sizes: Groups, bins: int, least: int) -> Groups:
    """The bin of each value: an equal part of what is left, and no rest too small."""
    group = np.zeros(sizes.size, dtype=np.int64)
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if sizes.size else 0
    start, before = 0, 0
    for at in range(max(bins, total)):
        if start >= sizes.size:
            break
        wanted = max(least, -(-(total - before) // max(bins - at, 1)))
        end = min(int(np.searchsorted(ends, before + wanted)) + 1, sizes.size)
        if total - ends[end - 1] < least:
            end = sizes.size
        group[start:end] = at
        start, before = end, int(ends[end - 1])
    return group


def lift_at_top(
    odds: Floats, happened: Flags, worth: Floats, share: float = 0.1
) -> tuple[float | None, float | None]:
    """Of the highest odds: how many times the mean rate left, and the part of what left.

    Where the cut falls among equal odds, all of them count by the part that is within.

    Args:
        worth: What goes with each.
    """
    wanted = share * odds.size
    order = np.argsort(-odds, kind="stable")
    _, place, counts = np.unique(-odds[order], return_inverse=True, return_counts=True)
    begins = np.cumsum(counts) - counts
    inside = np.clip((wanted - begins) / counts, 0.0, 1.0)[place]
    left, lost = happened[order], (worth * happened)[order]
    lift = float(inside @ left) / wanted / float(left.mean()) if left.any() else None
    total = float(lost.sum())
    return lift, float(inside @ lost) / total if total > 0 else None


@attrs.frozen(eq=False)
class Recalibration:
    """What odds turned out to mean: a curve through ``said`` and ``meant``.

    Attributes:
        line: Where it is a sigmoid, on the logarithm of the odds; None: by steps.
    """

    line: Line | None
    said: Floats
    meant: Floats

    def of(self, odds: Floats) -> Floats:
        if self.line is None:
            return np.interp(odds, self.said, self.meant)
        found: Floats = _sigmoid(self.line.intercept + self.line.slope * _logits(odds))
        return found


def platt(odds: Floats, happened: Flags) -> Recalibration | None:
    """A sigmoid on the log odds, towards Platt's targets, which are short of 0 and 1.

    None where it would turn the order round, or nothing tells it.
    """
    low, high = _targets(happened)
    found = _likeliest(_logits(odds), np.where(happened, high, low))
    if found is None or found[1] <= 0:
        return None
    nothing = np.zeros(0)
    return Recalibration(Line(*found), nothing, nothing)


def isotonic(odds: Floats, happened: Flags) -> Recalibration:
    """The nearest odds that never fall, kept short of 0 and 1 by Platt's targets."""
    from scipy.optimize import isotonic_regression

    values, place, counts = np.unique(odds, return_inverse=True, return_counts=True)
    events = np.bincount(place, weights=happened, minlength=values.size)
    weights = counts.astype(np.float64)
    found = isotonic_regression(events / counts, weights=weights).x
    return Recalibration(None, values, np.clip(found, *_targets(happened)))


def _targets(happened: Flags) -> tuple[float, float]:
    left = int(happened.sum())
    return 1 / (happened.size - left + 2), (left + 1) / (left + 2)


def _logits(odds: Floats) -> Floats:
    sure = np.clip(odds, _SURE, 1 - _SURE)
    logits: Floats = np.log(sure / (1 - sure))
    return logits


def _sigmoid(values: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-values))
    return found


def _likeliest(values: Floats, targets: Floats) -> tuple[float, float] | None:
    """Intercept and slope of a logistic curve through targets of 0 to 1, by Newton."""
    mean = float(targets.mean()) if targets.size else 0.0
    if not 0 < mean < 1 or np.ptp(values) < _CLOSE or _parts(values, targets):
        return None
    middle, spread = float(values.mean()), float(values.std())
    design = np.column_stack([np.ones(values.size), (values - middle) / spread])
    weights = np.array([np.log(mean / (1 - mean)), 0.0])
    loss = _surprise(design @ weights, targets)
    for _ in range(_MOST_STEPS):
        odds = _sigmoid(design @ weights)
        slope = design.T @ (targets - odds)
        curve = (design * (odds * (1 - odds))[:, None]).T @ design
        step = np.linalg.solve(curve, slope)
        most = loss + _CLOSE
        # A whole step may go too far where the curve is flat.
        while (loss := _surprise(design @ (weights + step), targets)) > most:
            step = step / 2
        weights = weights + step
        if np.abs(step).max() < _CLOSE:
            break
    return float(weights[0] - weights[1] * middle / spread), float(weights[1] / spread)


def _surprise(logits: Floats, targets: Floats) -> float:
    return float(np.logaddexp(0.0, logits).sum() - targets @ logits)


def _parts(values: Floats, targets: Floats) -> bool:
    """Whether one value parts all that happened from all that did not: no curve is best."""
    if not np.isin(targets, (0.0, 1.0)).all():
        return False
    yes, no = values[targets == 1], values[targets == 0]
    return bool(yes.min() >= no.max() or yes.max() <= no.min())


def mean_and_error(gains: Floats) -> tuple[float, float]:
    """Of gains case by case; an error of 0 where there is but one."""
    error = float(gains.std(ddof=1) / np.sqrt(gains.size)) if gains.size > 1 else 0.0
    return float(gains.mean()), error


def is_beyond_chance(gain: float, error: float, alpha: float) -> bool:
    """Whether chance alone would bring such a mean gain less often than this."""
    return gain > 0 and gain > NormalDist().inv_cdf(1 - alpha) * error
