"""How far ahead is a relationship valued, and on how much of a past?"""

from __future__ import annotations

from typing import Final

import attrs

from crm_portfolio._takes import is_count, is_share
from crm_portfolio.analysis._facts import Measure
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period

__all__ = ["LifetimeValueSettings"]

_LAST_YEAR = Period.last_months(12)
_MOST_YEARS: Final = 50


def _is_ahead(_: object, field: attrs.Attribute[float], value: float) -> None:
    if not 0 < value <= _MOST_YEARS:
        raise SettingsError(
            f"lifetime_value.{field.name} is above 0 and at most {_MOST_YEARS}, "
            f"not {value}"
        )


@attrs.frozen
class LifetimeValueSettings:
    """How far ahead, at which discount, and what is too little to fit a model on.

    Attributes:
        period: All purchases before its end count; the scores, and what a year brings,
            are of the period itself.
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        horizon_years: So far ahead every account is valued.
        discount_share: What a year's waiting costs.
        min_repeat_accounts: With fewer accounts that came back no model is fitted.
        max_correlation: From this correlation of how often and how much on, either way,
            the model of the values is doubted.
        min_contracts: With fewer contracts a year ago their retention is not taken.
        retention: How much of the clients stays a year; None: what the past shows.
        variable_cost_share: Of revenue; None, and no result of `profitability`: values
            are in revenue.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    horizon_years: float = attrs.field(default=3.0, validator=_is_ahead)
    discount_share: float = attrs.field(default=0.1, validator=is_share)
    min_repeat_accounts: int = attrs.field(default=100, validator=is_count)
    max_correlation: float = attrs.field(default=0.3, validator=is_share)
    min_contracts: int = attrs.field(default=20, validator=is_count)
    retention: float | None = attrs.field(default=None, validator=is_share)
    variable_cost_share: float | None = attrs.field(default=None, validator=is_share)
