"""Which past is looked at, and what makes an account one of tomorrow's?"""

from __future__ import annotations

import attrs

from crm_portfolio._methods._rules import Method, Slices
from crm_portfolio._methods._trend import FEWEST
from crm_portfolio._takes import is_at_least, is_count, is_inside, is_no_less
from crm_portfolio.analysis._facts import Measure
from crm_portfolio.portfolio import Period

__all__ = ["SuccessionSettings"]

_LAST_YEAR = Period.last_months(12)
_FOUR_SLICES = Slices(4)


@attrs.frozen
class SuccessionSettings:
    """Which past is looked at, and what makes an account one of tomorrow's.

    Attributes:
        period: Only its end counts: years, quarters and closes go back from there.
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        method: The rule of the tiers, at each close anew; `analyse` hands on that of
            ``tiers``.
        quarters: How many of them a trend is seen in.
        alpha: A trend, or a change of the matrix, is believed under this p.
        false_discovery_share: So many of the trends believed may be chance.
        min_revenue: A trend in less, over the last year, is none; in the currency.
        smoothing: How many moves of the average account weigh in each row of the matrix.
        horizon_years: How far ahead the tiers are projected.
        history_years: How far back closes are looked at.
        discount_share: What a year's waiting costs.
        cohort_months: How long the cohorts, and their ages, are.
        silence_factor: How many of its own gaps an account may be silent for.
        potential_share: From this place on, among all, the size of a client is potential.
        interest_months: What is recent, of what comes in to us.
        min_signals: How many make a candidate.
        list_count: How long the list may be, explorations included.
        exploration_share: Of the list, for accounts drawn by chance; one at least.
        seed: Of that draw.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    method: Method = _FOUR_SLICES
    quarters: int = attrs.field(default=8, validator=is_at_least(FEWEST))
    alpha: float = attrs.field(default=0.05, validator=is_inside)
    false_discovery_share: float = attrs.field(default=0.1, validator=is_inside)
    min_revenue: float = attrs.field(default=0.0, validator=is_no_less)
    smoothing: float = attrs.field(default=4.0, validator=is_no_less)
    horizon_years: int = attrs.field(default=5, validator=is_count)
    history_years: int = attrs.field(default=10, validator=is_count)
    discount_share: float = attrs.field(default=0.1, validator=is_inside)
    cohort_months: int = attrs.field(default=12, validator=is_count)
    silence_factor: float = attrs.field(default=2.0, validator=is_no_less)
    potential_share: float = attrs.field(default=0.75, validator=is_inside)
    interest_months: int = attrs.field(default=3, validator=is_count)
    min_signals: int = attrs.field(default=2, validator=is_count)
    list_count: int = attrs.field(default=20, validator=is_count)
    exploration_share: float = attrs.field(default=0.1, validator=is_inside)
    seed: int = 2026
