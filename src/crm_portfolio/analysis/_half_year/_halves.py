"""What is known of the two periods, part by part?"""

from __future__ import annotations

import attrs

from crm_portfolio.analysis._facts import RevenueFacts, revenue_facts
from crm_portfolio.analysis._half_year._beside import Beside
from crm_portfolio.analysis._half_year._course import Course
from crm_portfolio.analysis._half_year._given import Given
from crm_portfolio.analysis._half_year._moves import Moves
from crm_portfolio.analysis._half_year._prices import Prices
from crm_portfolio.analysis._half_year._settings import ReviewSettings
from crm_portfolio.analysis._half_year._slope import Ahead, Slope
from crm_portfolio.analysis._half_year._span import Days
from crm_portfolio.analysis._half_year._timeline import Timeline
from crm_portfolio.portfolio import Portfolio

__all__ = ["Halves"]


@attrs.frozen(eq=False)
class Halves:
    """All that a review stands on; each part has read the long tables it needs.

    Attributes:
        prices, given: None of bookings: they say neither quantities nor concessions.
        slope: None without a target.
    """

    portfolio: Portfolio
    settings: ReviewSettings
    facts: RevenueFacts
    days: Days
    moves: Moves
    beside: Beside
    prices: Prices | None
    given: Given | None
    course: Course
    slope: Slope | None
    timeline: Timeline

    @classmethod
    def of(
        cls, portfolio: Portfolio, settings: ReviewSettings, ahead: Ahead | None
    ) -> Halves:
        facts = revenue_facts(
            portfolio, settings.period, settings.measure, needed_by="review"
        )
        days = Days.of(portfolio, facts, settings)
        beside = Beside.of(portfolio, facts, days.span, settings)
        moves = Moves.of(portfolio, facts, days, settings, beside.is_perimeter)
        prices = given = None
        if facts.measure == "net_revenue":
            prices = Prices.of(portfolio, days.span, moves.rates, settings)
            given = Given.of(portfolio, facts, days.span, settings)
        course = Course.of(portfolio, facts)
        return cls(
            portfolio,
            settings,
            facts,
            days,
            moves,
            beside,
            prices,
            given,
            course,
            Slope.of(portfolio, course, settings, facts.period, ahead),
            Timeline.of(portfolio, course, settings),
        )

    @property
    def is_known(self) -> bool:
        """Whether both periods have a sum, so that one can be held against the other."""
        totals = self.moves.total(), self.moves.total(before=True)
        return self.days.has_before and None not in totals
