"""What did each full month bring, up to the end of the period?"""

from __future__ import annotations

from datetime import date, timedelta

import attrs
import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio.analysis._facts import RevenueFacts, revenue_by_month
from crm_portfolio.portfolio import Portfolio

__all__ = ["Course", "first_day", "month_name", "month_of"]


def month_of(day: date) -> int:
    """Counted from January of the year 0."""
    return day.year * 12 + day.month - 1


def first_day(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def month_name(month: int) -> str:
    return f"{month // 12:04}-{month % 12 + 1:02}"


@attrs.frozen(eq=False)
class Course:
    """Revenue by month, in minor units, with a row for each month of the book.

    Attributes:
        first: The month with the first line.
        end: The month after the last full one; a month that is not over is in none.
        running: What that month has brought; None where there is none, or an amount of
            it is unknown.
        is_running: Whether the days end within a month.
        stands_on: The first day that is not looked at.
    """

    first: int
    end: int
    minor: Amounts
    lines: Groups
    known_lines: Groups
    accounts: Groups
    running: int | None
    is_running: bool
    stands_on: date

    @classmethod
    def of(cls, portfolio: Portfolio, facts: RevenueFacts) -> Course:
        found = revenue_by_month(portfolio, facts)
        assert facts.period.end is not None
        stands_on = min(facts.period.end, portfolio.as_of + timedelta(days=1))
        end = month_of(stands_on)
        month = found["month"].to_numpy()
        first = min(int(month[0]), end) if month.size else end
        size, is_over = end - first, month < end
        columns = [np.zeros(size, dtype=np.int64) for _ in range(4)]
        names = ("minor", "lines", "known_lines", "accounts")
        for into, name in zip(columns, names, strict=True):
            into[month[is_over] - first] = found[name].to_numpy()[is_over]
        is_running = stands_on.day > 1
        return cls(
            first,
            end,
            minor=columns[0],
            lines=columns[1],
            known_lines=columns[2],
            accounts=columns[3],
            running=_running(found.to_pylist(), end) if is_running else None,
            is_running=is_running,
            stands_on=stands_on,
        )

    def between(self, first: int, end: int) -> Amounts:
        """Minor units by month; before the first line of the book there is nothing."""
        return self._padded(self.minor, first, end)

    def unknown_lines(self, first: int, end: int) -> int:
        """How many lines of these months lack their amount."""
        return int(self._padded(self.lines - self.known_lines, first, end).sum())

    def known(self, digits: int) -> Floats:
        """Amounts by month; NaN where one of its lines lacks its amount."""
        is_known = self.lines == self.known_lines
        known: Floats = np.where(is_known, self.minor / 10**digits, np.nan)
        return known

    def _padded(self, values: Amounts, first: int, end: int) -> Amounts:
        padded = np.zeros(max(end - first, 0), dtype=np.int64)
        start, stop = max(first, self.first), min(end, self.end)
        if start < stop:
            own = values[start - self.first : stop - self.first]
            padded[start - first : stop - first] = own
        return padded


def _running(rows: list[dict[str, int]], month: int) -> int | None:
    its = [row for row in rows if row["month"] == month]
    if any(row["known_lines"] < row["lines"] for row in its):
        return None
    return sum(row["minor"] for row in its)
