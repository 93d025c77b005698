"""Over what, against what, and how often is the year drawn?"""

from __future__ import annotations

from typing import Any, Literal

import attrs

from crm_portfolio._takes import is_count, is_no_less, is_part
from crm_portfolio.analysis._facts import Measure
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period

__all__ = ["RevenueAtRiskSettings"]


def _is_factor(_: object, field: attrs.Attribute[float], value: float) -> None:
    if not 0 <= value < 1:
        raise SettingsError(f"{field.name} is from 0 to less than 1, not {value}")


def _are_levels(
    _: object, field: attrs.Attribute[Any], value: tuple[float, ...]
) -> None:
    if not value or not all(0 < each < 1 for each in value):
        raise SettingsError(f"{field.name} are shares between 0 and 1, not {value}")
    if list(value) != sorted(set(value)):
        raise SettingsError(f"{field.name} rise, each one once, unlike {value}")


_LAST_YEAR = Period.last_months(12)


@attrs.frozen
class RevenueAtRiskSettings:
    """What may be lost, and at which odds it is looked at. What is None is unknown.

    Attributes:
        period: Brought to a year, where it is longer or shorter than one.
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        level: ``group``: the accounts of a group stay or leave together.
        lost_share: How much of its revenue goes when a client leaves.
        levels: Of value at risk and expected shortfall, rising.
        common_factor: ρ: how much the fates of clients have in common, from 0 to less
            than 1; both answers are given, without it and with it.
        top_count: "At least one of the largest so many leaves."
        fixed_costs: A year's; with them the odds of a loss year are told.
        variable_cost_share: Of revenue, where the lines do not say their cost.
        seed: Of the draws with the common factor.
        draws: How many years are drawn.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    level: Literal["group", "account"] = "group"
    lost_share: float = attrs.field(default=1.0, validator=is_part)
    levels: tuple[float, ...] = attrs.field(
        default=(0.9, 0.95, 0.99), converter=tuple, validator=_are_levels
    )
    common_factor: float = attrs.field(default=0.2, validator=_is_factor)
    top_count: int = attrs.field(default=3, validator=is_count)
    fixed_costs: float | None = attrs.field(default=None, validator=is_no_less)
    variable_cost_share: float | None = attrs.field(default=None, validator=is_no_less)
    seed: int = 2026
    draws: int = attrs.field(default=100_000, validator=is_count)
