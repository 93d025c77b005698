"""In which tier was each account at each close, and what did it bring by then?"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cached_property
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._rules import cut
from crm_portfolio.analysis._facts import (
    Agreed,
    MonthlyRevenue,
    RevenueFacts,
    days_asked,
    monthly_revenue,
    revenue_facts,
)
from crm_portfolio.analysis._stable import under_rule
from crm_portfolio.analysis._tomorrow._settings import SuccessionSettings
from crm_portfolio.portfolio import Period, Portfolio

__all__ = ["AGREED", "HIDDEN", "MOVED", "NEW", "History", "State", "first_day"]

NEW: Final = -1
"""Not there yet, or for less than three months."""
HIDDEN: Final = -2
"""There are lines, but none with an amount."""
MOVED: Final = -3
"""Nothing more under its own name, while its group goes on: a merger is no loss."""

AGREED: Final = -4
"""Nothing in a year through which a contract ran: it is billed before, or after."""

_YOUNG_MONTHS: Final = 3


@attrs.frozen(eq=False)
class State:
    """The books at one close, account by account.

    Attributes:
        month: The first one after the close, counted from January of the year 0.
        code: The tier from 0, the best; ``tiers`` for lost; else one of the names above.
        revenue: Of the twelve months before, in minor units.
    """

    month: int
    code: npt.NDArray[np.int8]
    revenue: Amounts


@attrs.frozen(eq=False, slots=False)
class History:
    """What each account brought, month by month, up to the last close.

    Attributes:
        facts: Of the year that ends with it.
        group_of: The place of each account's group.
    """

    facts: RevenueFacts
    monthly: MonthlyRevenue
    settings: SuccessionSettings
    group_of: Groups
    group_count: int
    agreed: Agreed
    _states: dict[int, State] = attrs.field(factory=dict, init=False)

    @classmethod
    def of(cls, portfolio: Portfolio, settings: SuccessionSettings) -> History:
        """The years that end with the last full month of the settings' period."""
        asked = days_asked(settings.period, portfolio.as_of, needed_by="succession")
        end = asked.months_before_end(0).replace(day=1)
        year = Period(
            "last_12_months",
            months=12,
            start=attrs.evolve(asked, end=end).months_before_end(12),
            end=end,
        )
        facts = revenue_facts(portfolio, year, settings.measure, needed_by="succession")
        groups, group_of = facts.groups()
        monthly = monthly_revenue(portfolio, facts)
        agreed = Agreed.of(portfolio, facts.by_account.ids)
        return cls(facts, monthly, settings, group_of, groups.revenue.size, agreed)

    @property
    def tiers(self) -> int:
        return self.settings.method.tier_count

    @property
    def end(self) -> int:
        """The month after the last close."""
        assert self.facts.period.end is not None
        return _month(self.facts.period.end)

    @property
    def begins(self) -> int:
        """The first month with a line; the one after the last close if there is none."""
        return int(self.monthly.month[0]) if self.monthly.month.size else self.end

    @cached_property
    def closes(self) -> list[int]:
        """Quarter by quarter, the oldest first, those with a whole year before them."""
        earliest = max(self.begins + 12, self.end - 12 * self.settings.history_years)
        return [*range(self.end, earliest - 1, -3)][::-1]

    @property
    def first_close_on(self) -> str | None:
        """The day of the first of them."""
        if not self.closes:
            return None
        return (first_day(self.closes[0]) - timedelta(days=1)).isoformat()

    @property
    def has_year_before(self) -> bool:
        """Whether anything is known of the year before the last."""
        return self.begins < self.end - 12

    def at(self, month: int) -> State:
        """The books at the close before that month."""
        if month not in self._states:
            self._states[month] = self._state(month)
        return self._states[month]

    def passing(self, month: int) -> State:
        """The same, not kept: of a million accounts many closes would fill the memory."""
        return self._states.get(month) or self._state(month)

    def revenue(self, first: int, end: int) -> Amounts:
        """In these months."""
        return self.monthly.between(first, end)[0]

    def grouped(self, amounts: Amounts) -> Amounts:
        """By group."""
        sums = np.zeros(self.group_count, dtype=np.int64)
        np.add.at(sums, self.group_of, amounts)
        return sums

    def told_by_group(self, first: int, end: int) -> tuple[Amounts, Flags]:
        """What each group brought in these months, and whether that can be told.

        It cannot where an account has lines and none with an amount, nor where amounts
        that nobody knows, or a contract billed elsewhen, may turn nothing into something.
        """
        amounts, lines, known_lines = self.monthly.between(first, end)
        sums = self.grouped(amounts)
        is_agreed = (lines == 0) & self._ran(first, end)
        has_hidden, has_unknown = (
            self.grouped(each.astype(np.int64)) > 0
            for each in (
                (lines > 0) & (known_lines == 0),
                (lines > known_lines) | is_agreed,
            )
        )
        is_told: Flags = ~has_hidden & ((sums > 0) | ~has_unknown)
        return sums, is_told

    def _state(self, month: int) -> State:
        amounts, lines, known_lines = self.monthly.between(month - 12, month)
        is_known = (lines == 0) | (known_lines > 0)
        first_on = self.facts.by_account.first_on
        is_young = first_on > np.datetime64(first_day(month - _YOUNG_MONTHS), "D")
        is_here = first_on < np.datetime64(first_day(month), "D")
        places = under_rule(amounts, is_known, is_young)
        code = np.full(amounts.size, NEW, dtype=np.int8)
        code[is_here & ~is_young] = self.tiers
        code[places] = cut(
            self.settings.method, amounts[places], self.facts.digits
        ).group
        code[~is_known] = HIDDEN
        code[self._goes_on(code, amounts)] = MOVED
        is_lost = (code == self.tiers) & (lines == 0)
        code[is_lost & self._ran(month - 12, month)] = AGREED
        return State(month, code, amounts)

    def _ran(self, first: int, end: int) -> Flags:
        """Who has a contract that ran through all of these months."""
        return self.agreed.throughout(
            first_day(first), first_day(end) - timedelta(days=1)
        )

    def _goes_on(self, code: npt.NDArray[np.int8], amounts: Amounts) -> Flags:
        """Who brings nothing while others of its group do."""
        gone: Flags = code == self.tiers
        if self.group_count == amounts.size:
            return np.zeros(amounts.size, dtype=bool)
        return gone & (self.grouped(np.maximum(amounts, 0))[self.group_of] > 0)

    def quarterly(self, end: int, count: int) -> tuple[Amounts, Flags, Flags]:
        """Revenue by quarter up to a close; who has lines there, and who unknown ones."""
        first = end - 3 * count
        start, stop = np.searchsorted(self.monthly.month, [first, end])
        sums = np.zeros(self.monthly.count * count, dtype=np.int64)
        who = self.monthly.account[start:stop]
        quarter = (self.monthly.month[start:stop] - first) // 3
        # Added in one row: by rows and columns it takes ten times as long.
        np.add.at(sums, who * count + quarter, self.monthly.minor[start:stop])
        has_lines = np.zeros(self.monthly.count, dtype=bool)
        has_lines[who] = True
        is_open = self.monthly.undated_lines > 0
        lines = self.monthly.lines[start:stop]
        is_open[who[lines > self.monthly.known_lines[start:stop]]] = True
        return sums.reshape(-1, count), has_lines, is_open

    def first_month(self) -> Groups:
        """Of each account's first line; the one after the last close if it has none."""
        first = self.facts.by_account.first_on
        months = first.astype("datetime64[M]").astype(np.int64) + 1970 * 12
        return np.where(np.isnat(first), self.end, months)


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def first_day(month: int) -> date:
    """The day a month begins; those before the calendar begin with it."""
    year, index = divmod(month, 12)
    return date.min if year < 1 else date(year, index + 1, 1)
