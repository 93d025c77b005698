"""What matters to the firm, how much, and from where on is it good or bad enough?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs

from crm_portfolio._takes import is_above, is_inside, is_no_less, is_share
from crm_portfolio.analysis._exit._criteria import CODES
from crm_portfolio.analysis._exit._rules import MeasureRules
from crm_portfolio.analysis._facts import Measure
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.portfolio import Period

__all__ = ["ANCHORS", "Anchors", "ExitReviewSettings"]

_LAST_YEAR: Final = Period.last_months(12)


def _are_criteria(
    _: object, field: attrs.Attribute[Any], value: Mapping[str, object]
) -> None:
    for code in value:
        if code not in CODES:
            raise SettingsError(
                f"exit_review.{field.name} knows no criterion {code!r}"
                + (did_you_mean(code, CODES) or f"; there are {', '.join(CODES)}")
            )


def _are_points(
    at: object, field: attrs.Attribute[Any], value: Mapping[str, float]
) -> None:
    _are_criteria(at, field, value)
    for code, points in value.items():
        if points < 0:
            raise SettingsError(
                f"exit_review.weights of {code} is no less than 0, not {points}"
            )
    if value and not sum(value.values()) > 0:
        raise SettingsError("exit_review.weights: one of them is above 0")


@attrs.frozen
class Anchors:
    """Between which measures a criterion is worth more and more.

    Attributes:
        worst: The worst that is acceptable: worth 0, as is all beyond it.
        best: What satisfies fully: worth 1, as is all beyond it.
        middle: What is worth a half; None: halfway.
    """

    worst: float
    best: float
    middle: float | None = None

    def __attrs_post_init__(self) -> None:
        low, high = sorted((self.worst, self.best))
        if low == high:
            raise SettingsError(f"anchors differ: worst and best are both {low}")
        if self.middle is not None and not low < self.middle < high:
            raise SettingsError(
                f"the middle anchor is between {low} and {high}, not {self.middle}"
            )

    @property
    def points(self) -> tuple[float, ...]:
        middle = () if self.middle is None else (self.middle,)
        return (self.worst, *middle, self.best)


ANCHORS: Final[Mapping[str, Anchors]] = {
    "F1": Anchors(0.0, 2.0),
    "F2": Anchors(0.4, 0.0),
    "F3": Anchors(60.0, 0.0),
    "F4": Anchors(0.5, 0.0),
    "F5": Anchors(0.0, 10.0),
    "F6": Anchors(0.0, 10.0),
    "F7": Anchors(20.0, 0.0),
    "F8": Anchors(0.0, 10.0),
    "F9": Anchors(0.5, 0.0),
    "F10": Anchors(0.0, 10.0),
    "F11": Anchors(0.2, 0.0),
    "F12": Anchors(1.0, 0.0),
    "F13": Anchors(0.0, 1.0),
}
"""Those that are shipped: a beginning, for each firm to put its own in their place."""

_WITHIN_F1: Final = ("F2", "F3", "F4")
_OF_RATINGS: Final = Anchors(0.0, 10.0)
_MEASURED: Final = MeasureRules()


@attrs.frozen
class ExitReviewSettings:
    """What matters to the firm, how much, and from where on a step is proposed.

    Attributes:
        period: Whose revenue, hours and costs are looked at.
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        weights: Points by criterion, those left out weigh nothing; empty: all the same,
            until the firm says what matters to it.
        anchors: By criterion, over those that are shipped.
        rating_anchors: Of what people judged, from 0 to 10, whichever criterion it is of.
        rules: By which the criteria are measured; and whether F2 to F4 are weighed beside
            F1, or are within it.
        reference: What contributions to a score are held against: the mean of the
            accounts, or what satisfies fully.
        least_coverage: With less of the weight on what is known nothing is proposed.
        low_below: A score under it is low.
        high_from: From this score on it is high; between both it is in the middle.
        weak_below: A criterion worth less than this may be the cause of a step.
        firm_share: Of all weightings: so many must say the same.
        weightings: How many are drawn, one set for all accounts.
        seed: Of that draw.
        around: None: all weightings alike; else how closely they are drawn around the
            firm's own, the higher the closer.
        target_share: The avoidable contribution that is aimed at, of revenue; None: what
            all accounts together bring.
        most_rise: A price rise above it is not proposed.
        small_tiers: Whose accounts may be served in a lighter way.
        potential_from: A potential of this is high.
        dependence_share: Of the revenue: no account, with its group, should bring more.
        variable_cost_share: Of revenue, where the lines do not say their cost.
        fixed_costs: A year's; without them the margin of safety is unknown.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    weights: Mapping[str, float] = attrs.field(factory=dict, validator=_are_points)
    anchors: Mapping[str, Anchors] = attrs.field(factory=dict, validator=_are_criteria)
    rating_anchors: Anchors = _OF_RATINGS
    rules: MeasureRules = _MEASURED
    reference: Literal["mean", "target"] = "mean"
    least_coverage: float = attrs.field(default=0.6, validator=is_share)
    low_below: float = attrs.field(default=0.4, validator=is_inside)
    high_from: float = attrs.field(default=0.6, validator=is_inside)
    weak_below: float = attrs.field(default=0.5, validator=is_share)
    firm_share: float = attrs.field(default=0.8, validator=is_share)
    weightings: int = attrs.field(default=1_000, validator=is_above)
    around: float | None = attrs.field(default=None, validator=is_above)
    seed: int = attrs.field(default=2026, validator=is_no_less)
    target_share: float | None = attrs.field(default=None, validator=is_inside)
    most_rise: float = attrs.field(default=0.5, validator=is_above)
    small_tiers: tuple[str, ...] = ("C", "D")
    potential_from: float = attrs.field(default=2 / 3, validator=is_share)
    dependence_share: float = attrs.field(default=0.2, validator=is_inside)
    variable_cost_share: float | None = attrs.field(default=None, validator=is_no_less)
    fixed_costs: float | None = attrs.field(default=None, validator=is_no_less)

    def __attrs_post_init__(self) -> None:
        if not self.low_below < self.high_from:
            raise SettingsError("exit_review.high_from is above exit_review.low_below")
        if self.weights and not any(
            points > 0 for code, points in self.weights.items() if self.counts(code)
        ):
            raise SettingsError("exit_review.weights are all on what F1 holds already")

    def matters(self, code: str) -> bool:
        """Whether the firm gave it any weight."""
        return not self.weights or self.weights.get(code, 0.0) > 0

    def counts(self, code: str) -> bool:
        """Whether a criterion is weighed beside F1, or is within it."""
        return self.rules.overlap_policy == "gross_margin" or code not in _WITHIN_F1

    def anchors_of(self, code: str) -> Anchors:
        return self.anchors.get(code, ANCHORS[code])
