"""What is an account's cost, by which keys is it shared, and when is it known enough?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs

from crm_portfolio._methods._leakage import Discounts
from crm_portfolio._takes import is_count, is_no_less, is_share
from crm_portfolio.analysis._facts import Measure
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period

__all__ = ["Curve", "Key", "ProfitabilitySettings", "UnitTime"]

Key = Literal["revenue", "hours", "accounts"]
"""By what a cost of several accounts is split among them."""
Curve = Literal["gross_margin", "margin_after_service", "account_margin", "full_margin"]

_LAST_YEAR: Final = Period.last_months(12)


def _are_rates(
    _: object, field: attrs.Attribute[Any], value: Mapping[str, float]
) -> None:
    for role, rate in value.items():
        if rate < 0:
            raise SettingsError(
                f"{field.name} of {role!r} is no less than 0, not {rate}"
            )


@attrs.frozen
class UnitTime:
    """How long an activity of a kind takes us, and whom of us.

    Attributes:
        minutes: That one takes.
        more_if_new: Minutes more with an account that was won in the period.
        role: Empty: nobody in particular, at the mean rate of all roles.
    """

    minutes: float = attrs.field(validator=is_no_less)
    more_if_new: float = attrs.field(default=0.0, validator=is_no_less)
    role: str = ""


@attrs.frozen
class ProfitabilitySettings:
    """What is an account's cost, by which keys it is shared, and when it is known enough.

    Attributes:
        period: Whose revenue and costs are looked at.
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        variable_cost_share: Of revenue, where the lines do not say their cost.
        rates: By role: what an hour costs; those left out are as ``capacity`` says.
        internal_kinds: Kinds of effort that are for no account, whosever they were noted on.
        delivered_kinds: Kinds of effort that the cost of the lines holds already.
        unit_times: By kind of activity; used where effort is noted for too little.
        coverage_share: Of the hours; with less of them on record a margin is a range.
        service_by: The key by which costs of service that name no account are split; None:
            they are overhead.
        overhead_by: The key by which overhead is.
        fixed_costs: A year's, where the table of costs tells no overhead.
        life_months: Over which the cost of winning an account is spread.
        channels: By label of an acquisition cost: the source of sales it was spent on.
        untraced: What winning an account cost that no cost and no channel is traced to:
            unknown, or the mean of all.
        break_even_share: Of revenue: a margin no further from nothing breaks even.
        curve: Which margin the whale curve is of; None: the furthest that is known for
            enough of the accounts.
        discounts: Each on what the one before it left, or each on the list price.
        volume_bands: Discounts are held against those of accounts of a like volume, in so
            many bands.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    variable_cost_share: float | None = attrs.field(default=None, validator=is_no_less)
    rates: Mapping[str, float] = attrs.field(factory=dict, validator=_are_rates)
    internal_kinds: tuple[str, ...] = ()
    delivered_kinds: tuple[str, ...] = ()
    unit_times: Mapping[str, UnitTime] = attrs.field(factory=dict)
    coverage_share: float = attrs.field(default=0.7, validator=is_share)
    service_by: Key | None = None
    overhead_by: Key = "revenue"
    fixed_costs: float | None = attrs.field(default=None, validator=is_no_less)
    life_months: int = attrs.field(default=60, validator=is_count)
    channels: Mapping[str, str] = attrs.field(factory=dict)
    untraced: Literal["unknown", "mean"] = "unknown"
    break_even_share: float = attrs.field(default=0.02, validator=is_share)
    curve: Curve | None = None
    discounts: Discounts = "multiplicative"
    volume_bands: int = attrs.field(default=4, validator=is_count)
