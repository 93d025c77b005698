"""How well does each account do by what matters to us, and how sure is that?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._value_functions import (
    contributions,
    coverage,
    score_interval,
    shares_of,
    utility,
    weighted,
)
from crm_portfolio._methods._weightings import (
    below_shares,
    drawn_weightings,
    stable_between,
)
from crm_portfolio.analysis._exit._criteria import CODES, source
from crm_portfolio.analysis._exit._measures import Measures
from crm_portfolio.analysis._exit._settings import ExitReviewSettings

__all__ = ["STANDINGS", "Scores", "weights_of"]

STANDINGS: Final = ("low", "middle", "high")
_INSUFFICIENT: Final = -1
_NO_CAUSE: Final = ("F1", "F13")
_AT_ONCE: Final = 50_000


@attrs.frozen(slots=False, eq=False)
class Scores:
    """What each account's measures are worth, together and under all weightings.

    Attributes:
        weights: Of each criterion, 1 together; 0 where it does not count.
        utilities: A row an account, a column a criterion: 0 to 1, NaN where unknown.
        score: The weighted sum of what is known; NaN where nothing is.
        low, high: What it could be if all that is missing were the worst, or the best.
        coverage: How much of the weight is on what is known.
        standings: By account the share of all weightings that put it low, in the middle
            and high; NaN where too little is known.
    """

    measures: Measures
    settings: ExitReviewSettings
    weights: Floats
    utilities: Floats
    score: Floats
    low: Floats
    high: Floats
    coverage: Floats
    standings: Floats

    @classmethod
    def of(cls, measures: Measures, settings: ExitReviewSettings) -> Scores:
        weights = weights_of(settings)
        utilities = _utilities(measures, settings)
        parts = [
            np.stack([*score_interval(some, weights), *_summed(some, weights)])
            for some in _blocks(utilities)
        ]
        low, high, covered, score = map(twelve_digits, np.concatenate(parts, axis=1))
        return cls(
            measures,
            settings,
            weights=weights,
            utilities=utilities,
            score=score,
            low=low,
            high=high,
            coverage=covered,
            standings=_standings(utilities, weights, settings, covered),
        )

    @property
    def is_enough(self) -> Flags:
        """Whether as much of the weight is on what is known as there must be."""
        enough: Flags = self.coverage >= self.settings.least_coverage
        return enough & ~np.isnan(self.score)

    @cached_property
    def standing(self) -> npt.NDArray[np.int8]:
        """The place in `STANDINGS`; −1 where too little is known."""
        found = np.ones(self.score.size, dtype=np.int8)
        found[self.score < self.settings.low_below] = 0
        found[self.score >= self.settings.high_from] = 2
        found[~self.is_enough] = _INSUFFICIENT
        return found

    @cached_property
    def reference(self) -> Floats:
        """What each criterion is held against; NaN where nobody's is known."""
        if self.settings.reference == "target":
            return np.ones(len(CODES))
        known = ~np.isnan(self.utilities)
        sums, counts = np.nansum(self.utilities, axis=0), known.sum(axis=0)
        nobody = np.full(len(CODES), np.nan)
        return twelve_digits(np.divide(sums, counts, out=nobody, where=counts > 0))

    @cached_property
    def reference_score(self) -> Floats:
        """That of the reference, by the weights of what is known of each account."""
        reference = np.nan_to_num(self.reference)
        found = [
            (shares_of(some, self.weights) * reference).sum(1)
            for some in _blocks(self.utilities)
        ]
        return twelve_digits(np.concatenate(found))

    def contributions(self, rows: slice | npt.NDArray[np.int64]) -> Floats:
        """What each criterion adds to the score over that of the reference."""
        held = self.utilities[rows]
        return contributions(held, self.weights, self.reference)

    def intervals(self, rows: slice | npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
        """From where to where each weight can move alone with the standing as it is."""
        held = self.utilities[rows]
        low, high = np.zeros(held.shape), np.ones(held.shape)
        for level in (self.settings.low_below, self.settings.high_from):
            ends = stable_between(held, self.weights, level)
            low, high = np.maximum(low, ends[0]), np.minimum(high, ends[1])
        return twelve_digits(low), twelve_digits(high)

    def decisive(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The criterion whose weight, moved the least, changes the standing; −1: none."""
        some = [rows[at : at + _AT_ONCE] for at in range(0, rows.size, _AT_ONCE)]
        with ThreadPoolExecutor(2) as pool:
            found = [np.zeros(0, dtype=np.int64), *pool.map(self._decisive, some)]
        return np.concatenate(found)

    def _decisive(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        low, high = self.intervals(rows)
        down = np.where(low > 0, self.weights - low, np.inf)
        up = np.where(high < 1, high - self.weights, np.inf)
        least = np.minimum(down, up)
        least[:, self.weights == 0] = np.inf
        moves = np.isfinite(least).any(axis=1)
        return np.where(moves, least.argmin(axis=1), -1)

    @cached_property
    def weakest(self) -> npt.NDArray[np.int64]:
        """The known criterion that is worth least, if it is weak; −1: none.

        Neither the profit, which the others explain, nor the potential is a cause; nor is
        dependence on what brings no more than it should. How much a criterion weighs
        changes nothing, unless it is nothing; of equal ones the first.
        """
        matters = self.settings.matters
        causes = np.array([matters(code) and code not in _NO_CAUSE for code in CODES])
        held = np.where(causes & ~np.isnan(self.utilities), self.utilities, np.inf)
        bears = self.measures.of.group_share > self.settings.dependence_share
        held[~bears, CODES.index("F11")] = np.inf
        least = held.min(axis=1, initial=np.inf)
        is_weak = least < self.settings.weak_below
        return np.where(is_weak, held.argmin(axis=1), -1)


def _blocks(utilities: Floats) -> list[Floats]:
    """So many accounts at a time that what is made of them on the way takes little room."""
    ends = range(0, max(len(utilities), 1), _AT_ONCE)
    return [utilities[at : at + _AT_ONCE] for at in ends]


def _summed(utilities: Floats, weights: Floats) -> tuple[Floats, Floats]:
    return coverage(utilities, weights), weighted(utilities, weights)


def weights_of(settings: ExitReviewSettings) -> Floats:
    """The firm's points as weights, 1 together; none on what F1 holds already."""
    others = 0.0 if settings.weights else 1.0
    points = np.array(
        [
            settings.weights.get(code, others) if settings.counts(code) else 0.0
            for code in CODES
        ]
    )
    weights: Floats = points / points.sum()
    return weights


def _utilities(measures: Measures, settings: ExitReviewSettings) -> Floats:
    found = np.full(measures.values.shape, np.nan)
    is_rating = measures.sources == source("rating")
    for at, code in enumerate(CODES):
        values = measures.values[:, at]
        judged = utility(values, settings.rating_anchors.points)
        measured = utility(values, settings.anchors_of(code).points)
        found[:, at] = twelve_digits(np.where(is_rating[:, at], judged, measured))
    return found


def _standings(
    utilities: Floats, weights: Floats, settings: ExitReviewSettings, covered: Floats
) -> Floats:
    shares = np.full((covered.size, len(STANDINGS)), np.nan)
    is_enough = covered >= settings.least_coverage
    around = None if settings.around is None else weights * settings.around
    drawn = drawn_weightings(
        weights > 0, draws=settings.weightings, seed=settings.seed, around=around
    )
    held = utilities[is_enough]
    low = below_shares(held, drawn, settings.low_below)
    not_high = below_shares(held, drawn, settings.high_from)
    shares[is_enough] = np.stack([low, not_high - low, 1 - not_high], axis=1)
    return twelve_digits(shares)
