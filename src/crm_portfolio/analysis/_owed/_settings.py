"""From when on is an account slow, and what does a day late cost?"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any, Literal

import attrs

from crm_portfolio._takes import is_count, is_no_less
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period

__all__ = ["DatedRate", "ReceivablesSettings", "Regime"]

Regime = Literal["none", "contract", "eu_2011_7", "fr_l441_10"]
"""Under which rule interest on late payments is claimed."""

_LAST_YEAR = Period.last_months(12)


def _rises(_: object, field: attrs.Attribute[Any], value: tuple[int, ...]) -> None:
    ends = (0, *value)
    if not value or not all(before < after for before, after in pairwise(ends)):
        raise SettingsError(
            f"receivables.{field.name} are days that go up from 1, not {value}"
        )


@attrs.frozen
class DatedRate:
    """A rate a year, from a day on.

    Attributes:
        from_on: The first day it holds.
        rate: 0.08 for 8 %.
    """

    from_on: date
    rate: float = attrs.field(validator=is_no_less)


def _one_a_day(
    _: object, field: attrs.Attribute[Any], value: tuple[DatedRate, ...]
) -> None:
    days = [each.from_on for each in value]
    if len(set(days)) < len(days):
        raise SettingsError(f"receivables.{field.name} has two rates from the same day")


def _rate() -> Any:
    return attrs.field(default=None, validator=is_no_less)


@attrs.frozen
class ReceivablesSettings:
    """Which days count, and what they cost: no rate is known before it is given here.

    Attributes:
        period: Invoices due from its first day on count, up to the as-of date.
        ageing_days: Where the buckets of age end, in days after the due day.
        slow_days: From so many days late on average an account is slow.
        dso_min_months: Billed in fewer months than this, a payer has no DSO.
        financing_rate: What the money costs us a year, 0.08 for 8 %.
        financing_rates: The same from day to day; they win over the one rate.
        reminders_per_invoice: So many for each invoice paid late.
        reminder_minutes: That each of them takes.
        reminder_cost_per_hour: Of who reminds.
        bad_debt_shares: Of what is open, one for each overdue bucket, that will never
            be paid.
        regime: Under which rule late interest is claimed; none: nothing is claimed.
        reference_rates: What the rule starts from; that of 1 January holds to the end of
            June, that of 1 July to the end of the year.
        claim_points: What the rule adds to the reference rate, 0.08 for 8 points.
        claim_sum: What may be claimed besides for each invoice paid late.
        no_claim_segments: Those to which the rule does not apply, such as public bodies.
        year_days: By how many days a rate a year is divided.
        alpha: A trend is told where chance alone is less likely.
    """

    period: Period = _LAST_YEAR
    ageing_days: tuple[int, ...] = attrs.field(default=(30, 60, 90), validator=_rises)
    slow_days: float = attrs.field(default=15.0, validator=is_no_less)
    dso_min_months: int = attrs.field(default=3, validator=is_count)
    financing_rate: float | None = _rate()
    financing_rates: tuple[DatedRate, ...] = attrs.field(
        default=(), validator=_one_a_day
    )
    reminders_per_invoice: float | None = _rate()
    reminder_minutes: float | None = _rate()
    reminder_cost_per_hour: float | None = _rate()
    bad_debt_shares: tuple[float, ...] = ()
    regime: Regime = "none"
    reference_rates: tuple[DatedRate, ...] = attrs.field(
        default=(), validator=_one_a_day
    )
    claim_points: float | None = _rate()
    claim_sum: float | None = _rate()
    no_claim_segments: tuple[str, ...] = ()
    year_days: Literal[365, 360] = 365
    alpha: float = 0.05

    def __attrs_post_init__(self) -> None:
        shares, buckets = self.bad_debt_shares, len(self.ageing_days) + 1
        if shares and len(shares) != buckets:
            raise SettingsError(
                f"receivables.bad_debt_shares has one for each of the {buckets} "
                f"overdue buckets, not {len(shares)}"
            )
        if not all(0 <= share <= 1 for share in shares):
            raise SettingsError(
                f"receivables.bad_debt_shares are between 0 and 1, not {shares}"
            )

    @property
    def buckets(self) -> tuple[str, ...]:
        """Of age: not yet due, late up to each edge, and beyond the last."""
        starts = [1, *(edge + 1 for edge in self.ageing_days)]
        ends = [
            f"{first}-{last}"
            for first, last in zip(starts, self.ageing_days, strict=False)
        ]
        return ("not_due", *ends, f"over_{self.ageing_days[-1]}")
