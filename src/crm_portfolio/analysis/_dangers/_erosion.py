"""Which accounts bring less than in the period before, and since which close?"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import attrs
import numpy as np
import pyarrow as pa

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._risk import UNKNOWN, Levels, eroded
from crm_portfolio.analysis._dangers._danger import Danger, Days, days_of
from crm_portfolio.analysis._dangers._settings import RiskSettings, Three
from crm_portfolio.analysis._facts import (
    Agreed,
    MonthlyRevenue,
    RevenueFacts,
    monthly_revenue,
)
from crm_portfolio.portfolio import Portfolio

__all__ = ["erosion_of"]

# Who invoices once a quarter has no line in the first weeks of a whole year.
_LATE_MONTHS: Final = 1


@attrs.frozen(eq=False)
class _Compared:
    """Revenue of two periods that follow each other, in minor units.

    Attributes:
        now, before: The sum of the amounts that are known: no less can it be.
        is_whole, is_whole_before: Where no line of that period lacks its amount.
        reaches_back: Whether the book holds both.
    """

    now: Amounts
    before: Amounts
    is_whole: Flags
    is_whole_before: Flags
    reaches_back: bool

    @classmethod
    def at_close(
        cls, monthly: MonthlyRevenue, month: int, length: int, *, begins: int
    ) -> _Compared:
        """Of those that end with the month before this one, in a book that begins then."""
        now, lines, known = monthly.between(month - length, month)
        before, lines_before, known_before = monthly.between(
            month - 2 * length, month - length
        )
        reaches_back = begins <= month - 2 * length + _LATE_MONTHS
        return cls(
            now, before, lines == known, lines_before == known_before, reaches_back
        )

    @property
    def is_exact(self) -> Flags:
        exact: Flags = self.is_whole & self.is_whole_before
        return exact

    def levels(self, thresholds: Three) -> Levels:
        """Less than a part of the former revenue is less than the whole of it, too.

        So a loss against what is known of before is one; and where more than what is
        known of now is no loss either, there is none. All else is unknown.
        """
        level = eroded(self.now, self.before, thresholds, np.ones_like(self.is_whole))
        if not self.reaches_back:
            level[level == 0] = UNKNOWN
        level[(level == 0) & ~self.is_whole_before] = UNKNOWN
        level[(level > 0) & ~self.is_whole] = UNKNOWN
        return level


def erosion_of(
    portfolio: Portfolio, facts: RevenueFacts, settings: RiskSettings
) -> Danger:
    """Against the period before; without revenue in it there is nothing to lose."""
    length, last_day = facts.period.months, facts.period.last_day
    of = facts.by_account
    if length is None:
        compared = _Compared(
            of.revenue,
            of.revenue_previous,
            of.is_whole,
            of.is_whole_previous,
            facts.has_previous,
        )
        level = compared.levels(settings.erosion)
        since_on: Days = np.full(level.size, np.datetime64(last_day, "D"))
    else:
        monthly = monthly_revenue(portfolio, facts)
        assert facts.period.end is not None
        close = _month(facts.period.end)
        begins = int(monthly.month.min(initial=close))
        compared = _Compared.at_close(monthly, close, length, begins=begins)
        level = compared.levels(settings.erosion)
        since_on = _since(monthly, close, length, level, settings.erosion)
    agreed = _is_billed_elsewhen(portfolio, facts) & (level > 0)
    level[agreed] = UNKNOWN
    unknown = level == UNKNOWN
    measured = ~unknown & compared.is_exact
    change = np.full(level.size, np.nan)
    lost = compared.now - compared.before
    np.divide(lost, compared.before, out=change, where=measured)
    since = days_of(since_on, level <= 0)
    columns = {
        "revenue": pa.array(facts.money(of.revenue), mask=~of.is_known),
        "revenue_previous": pa.array(facts.money(compared.before), mask=unknown),
        "revenue_change_share": pa.array(twelve_digits(change), mask=~measured),
        "eroded_since_on": since,
        "is_billed_elsewhen": pa.array(agreed),
    }
    return Danger.made(
        "erosion", level, told_as="risk_erosion", told_on=since, columns=columns
    )


def _is_billed_elsewhen(portfolio: Portfolio, facts: RevenueFacts) -> Flags:
    """Who has no line in a period through which a contract ran: it is billed before or after.

    So that nothing came is no sign that anything was lost; its end is another danger.
    """
    start, end = facts.period.start, facts.period.last_day
    has_none: Flags = facts.by_account.lines == 0
    if start is None:
        return np.zeros(has_none.size, dtype=bool)
    return has_none & Agreed.of(portfolio, facts.by_account.ids).throughout(start, end)


def _since(
    monthly: MonthlyRevenue,
    close: int,
    length: int,
    level: Levels,
    thresholds: Three,
) -> Days:
    """The first of the closes, without a break, at which it was as grave as it is now."""
    since = np.full(level.size, np.datetime64(_last_day(close), "D"))
    begins = int(monthly.month.min(initial=close))
    places = np.flatnonzero(level > 0)
    own = _only(monthly, places)
    for month in range(close - 1, begins + length, -1):
        if not places.size:
            break
        then = _Compared.at_close(own, month, length, begins=begins)
        was_as_grave = then.levels(thresholds) >= level[places]
        places, own = places[was_as_grave], _only(own, np.flatnonzero(was_as_grave))
        since[places] = np.datetime64(_last_day(month), "D")
    return since


def _only(monthly: MonthlyRevenue, places: Groups) -> MonthlyRevenue:
    """Of some accounts."""
    at = np.full(monthly.count, -1, dtype=np.int64)
    at[places] = np.arange(places.size)
    is_in = at[monthly.account] >= 0
    return MonthlyRevenue(
        count=places.size,
        month=monthly.month[is_in],
        account=at[monthly.account[is_in]],
        minor=monthly.minor[is_in],
        lines=monthly.lines[is_in],
        known_lines=monthly.known_lines[is_in],
        undated_lines=monthly.undated_lines[places],
    )


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _last_day(month: int) -> date:
    year, index = divmod(month, 12)
    return date(year, index + 1, 1) - timedelta(days=1)
