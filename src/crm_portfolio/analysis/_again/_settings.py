"""Which losses are looked at again, what does an attempt take, and when is it enough?"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Literal

import attrs

from crm_portfolio._takes import is_above, is_count, is_no_less, is_share
from crm_portfolio.analysis._facts import Measure
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period

__all__ = ["Model", "WinBackSettings"]

Model = Literal["rates", "logistic"]


def _are_gaps(
    _: object, field: attrs.Attribute[Any], value: tuple[int, ...] | Any
) -> None:
    if not value or any(each < 0 for each in value):
        raise SettingsError(f"{field.name} are days, one or more, none below 0")


_LAST_YEAR = Period.last_months(12)


@attrs.frozen
class WinBackSettings:
    """Which losses are looked at again, and by what.

    Attributes:
        period: Whose revenue says the margin, and whose hours the team's share.
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        classes: Of lost opportunities: the candidates.
        lost_within_days: What was lost before is no candidate any more.
        within_days: An attempt succeeds if the opportunity is opened again and won so
            many days after the first one.
        base_rate: The odds where no attempt of the past tells any.
        model: ``logistic``: tried against the rates, and used only where it is better.
        hours: What a whole pursuit takes, all its attempts; None: the mean of the won
            opportunities that time was noted on.
        cost_per_hour: None: by ``capacity``, of the roles that won those.
        outlay: Money besides, for one pursuit.
        hour_value: What an hour is worth elsewhere; None: what the last open opportunity
            brings that fits the hours there are.
        hours_available: For selling in ``horizon_days``; None: by ``capacity``.
        horizon_days: How far ahead there are hours to give.
        roles: Who sells; empty: the roles that time was noted for on what was won.
        variable_cost_share: Of revenue, where the lines do not say their cost.
        years: How long a sale won back brings its amount each year.
        discount_share: What a year's waiting costs.
        concession_share: Off the price, promised to those who left for it.
        price_reasons: The loss reasons that are of the price.
        spillover_share: Of the revenue of all others: what asks for the concession too.
        max_attempts: In one loss.
        cool_down_days: After the loss, before the first attempt.
        gap_days: After the first, the second, … attempt; the last one for all others.
        needs_news: Whether each attempt needs a fact that is new since the last word.
        pressure_attempts: So many at one account in ``pressure_days``, whatever they are
            about, are enough.
        pressure_days: In how many days those are counted.
        silent_attempts: So many without an answer are a sign of a chase.
        hours_after_share: More hours after the loss than this share of those before too.
        team_share: More of the team's hours than this on what is lost too.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    classes: tuple[str, ...] = (
        *("pursued_lost", "no_decision", "lost_client", "missed_neglected"),
    )
    lost_within_days: int = attrs.field(default=730, validator=is_count)
    within_days: int = attrs.field(default=365, validator=is_count)
    base_rate: float | None = attrs.field(default=None, validator=is_share)
    model: Model = "rates"
    hours: float | None = attrs.field(default=None, validator=is_no_less)
    cost_per_hour: float | None = attrs.field(default=None, validator=is_no_less)
    outlay: float = attrs.field(default=0.0, validator=is_no_less)
    hour_value: float | None = attrs.field(default=None, validator=is_no_less)
    hours_available: float | None = attrs.field(default=None, validator=is_no_less)
    horizon_days: int = attrs.field(default=90, validator=is_count)
    roles: tuple[str, ...] = ()
    variable_cost_share: float | None = attrs.field(default=None, validator=is_no_less)
    years: float = attrs.field(default=1.0, validator=is_above)
    discount_share: float = attrs.field(default=0.1, validator=is_no_less)
    concession_share: float = attrs.field(default=0.0, validator=is_share)
    price_reasons: tuple[str, ...] = ("price", "pricing", "too expensive", "budget")
    spillover_share: float = attrs.field(default=0.0, validator=is_share)
    max_attempts: int = attrs.field(default=3, validator=is_count)
    cool_down_days: int = attrs.field(default=90, validator=is_no_less)
    gap_days: tuple[int, ...] = attrs.field(default=(30, 60, 120), validator=_are_gaps)
    needs_news: bool = True
    pressure_attempts: int = attrs.field(default=3, validator=is_count)
    pressure_days: int = attrs.field(default=90, validator=is_count)
    silent_attempts: int = attrs.field(default=3, validator=is_count)
    hours_after_share: float = attrs.field(default=0.2, validator=is_no_less)
    team_share: float = attrs.field(default=0.1, validator=is_share)

    def reach(self, as_of: date) -> Period:
        """The days on which a candidate was lost."""
        end = as_of + timedelta(days=1)
        return Period.between(end - timedelta(days=self.lost_within_days + 1), end)
