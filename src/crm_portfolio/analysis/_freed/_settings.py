"""Whose hours are freed, and by what are those weighed that could have them?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from crm_portfolio._takes import is_count, is_no_less, is_share
from crm_portfolio.analysis._facts import Measure
from crm_portfolio.analysis._loss import Scenario
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period

__all__ = ["FreedCapacitySettings"]


def _are_hours(
    _: object, field: attrs.Attribute[Any], value: Mapping[str, float] | None
) -> None:
    for role, hours in (value or {}).items():
        if hours < 0:
            raise SettingsError(
                f"{field.name} of {role!r} is no less than 0, not {hours}"
            )


_LAST_YEAR = Period.last_months(12)
_THE_LARGEST = Scenario.largest()


@attrs.frozen
class FreedCapacitySettings:
    """Whose hours are freed, and by what those are weighed that could have them.

    Attributes:
        period: Whose hours and revenue are looked at; brought to a year.
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        scenario: Who is lost.
        reserve_share: Of the freed hours of each role: kept free for what is not ranked
            by what it brings soon.
        run_off_share: Of a year's freed hours: what the leaving itself still takes.
        variable_cost_share: Of revenue, where the lines do not say their cost.
        hours_per_sale: By role: what a sale takes that is won; None: the mean of the won
            sales that time was noted on.
        discount_share: What a year's waiting costs.
        spread_share: How far off, either way, the estimated values may be.
        exact_count: Up to so many candidates the best plan is searched for.
        seed: Of the draws of what comes off.
        draws: How many; long lists take fewer, never under 200.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    scenario: Scenario = _THE_LARGEST
    reserve_share: float = attrs.field(default=0.2, validator=is_share)
    run_off_share: float = attrs.field(default=0.0, validator=is_share)
    variable_cost_share: float | None = attrs.field(default=None, validator=is_no_less)
    hours_per_sale: Mapping[str, float] | None = attrs.field(
        default=None, validator=_are_hours
    )
    discount_share: float = attrs.field(default=0.1, validator=is_no_less)
    spread_share: float = attrs.field(default=0.3, validator=is_share)
    exact_count: int = attrs.field(default=200, validator=is_count)
    seed: int = 2026
    draws: int = attrs.field(default=10_000, validator=is_count)
