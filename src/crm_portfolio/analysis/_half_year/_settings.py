"""Which two periods are held against each other, and by which conventions?"""

from __future__ import annotations

from typing import Literal

import attrs

from crm_portfolio._takes import is_above
from crm_portfolio.analysis._facts import Measure, fits
from crm_portfolio.portfolio import Period

__all__ = ["ReviewSettings"]

_LAST_HALF = Period.last_months(6)


@attrs.frozen(field_transformer=fits("review"))
class ReviewSettings:
    """Which two periods are held against each other, and by which conventions.

    Attributes:
        period: The one that is looked back on.
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        against: ``year_before``: the same months of the year before; ``period_before``:
            the months just before, whatever the season.
        before: Days of one's own to compare with; they win over ``against``.
        level: Whether accounts come, go and grow, or their groups.
        dating: Concessions count on their own day, or on that of the line they correct.
        mix_by: What price, volume and mix are told of.
        price_effect: ``new_quantity``: price at the new quantity, then volume and mix;
            ``joint``: price and quantity each alone, and what both do together.
        units: ``same`` where quantities of all products add up to something; where they
            do not there is no volume and no mix, only price and quantity.
        perimeter_accounts: Accounts that came or went with a business bought or sold.
        perimeter_segments: The same of whole segments.
        perimeter_events: Kinds of ``event`` that say so of their account.
        left_events: Kinds of ``event`` that say an account has left; that it still brings
            revenue is told.
        target: Revenue of the ``target_period``; None: there is no slope to climb.
        target_period: Full months; None: the business year that ``period`` ends in.
        season_years: So many past years make its season, at the most.
        timeline_months: So many full months are shown, with the events in them.
        timeline_kinds: Kinds of ``event`` that stand on the timeline, whomever they befell;
            none: all that name no account.
        event_months: The months before and after an event that are averaged.
    """

    period: Period = _LAST_HALF
    measure: Measure | None = None
    against: Literal["year_before", "period_before"] = "year_before"
    before: Period | None = None
    level: Literal["account", "group"] = "account"
    dating: Literal["as_issued", "as_origin"] = "as_issued"
    mix_by: Literal["product", "product_and_account"] = "product"
    price_effect: Literal["new_quantity", "joint"] = "new_quantity"
    units: Literal["same", "different"] = "same"
    perimeter_accounts: tuple[str, ...] = ()
    perimeter_segments: tuple[str, ...] = ()
    perimeter_events: tuple[str, ...] = ("acquisition", "disposal")
    left_events: tuple[str, ...] = ("churn",)
    target: float | None = attrs.field(default=None, validator=is_above)
    target_period: Period | None = None
    season_years: int = attrs.field(default=3, validator=is_above)
    timeline_months: int = attrs.field(default=36, validator=is_above)
    timeline_kinds: tuple[str, ...] = ()
    event_months: int = attrs.field(default=12, validator=is_above)
