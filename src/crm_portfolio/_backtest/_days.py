"""Which days are replayed, and when is the time over in which something could come of it?"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final, Literal

from crm_portfolio.errors import SettingsError

__all__ = ["Every", "apart", "checked", "closes_between", "months_later"]

Every = Literal["month", "quarter", "year"]
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
_DAY: Final = timedelta(days=1)


def checked(days: Iterable[date], as_of: date) -> tuple[date, ...]:
    """Each once, the earliest first.

    Raises:
        SettingsError: There is none, one is no day, or one that nobody has seen yet.
    """
    asked = [days] if isinstance(days, date) else list(days)
    for day in asked:
        if isinstance(day, datetime) or not isinstance(day, date):
            raise SettingsError(
                f"backtest: {day!r} is no day, as date(2025, 12, 31) is"
            )
        if day > as_of:
            raise SettingsError(
                f"backtest: {day} cannot be replayed, the portfolio ends on {as_of}"
            )
    if not asked:
        raise SettingsError("backtest: no day to replay; name one or more")
    return tuple(sorted(set(asked)))


def closes_between(first: date, last: date, *, every: Every = "month") -> list[date]:
    """The last days of the months, quarters or years of the calendar, both ends included.

    Example:
        >>> from datetime import date
        >>> [str(day) for day in closes_between(date(2025, 1, 1), date(2025, 12, 31),
        ...                                     every="quarter")]
        ['2025-03-31', '2025-06-30', '2025-09-30', '2025-12-31']
    """
    step = _MONTHS[every]
    months = range(first.year * 12 + first.month, last.year * 12 + last.month + 1)
    ends = (_last_of(*divmod(month - 1, 12)) for month in months if month % step == 0)
    return [day for day in ends if first <= day <= last]


def months_later(day: date, months: int) -> date:
    """So many months on; from the last day of a month to the last day of one."""
    after = day + _DAY
    year, month = divmod(after.year * 12 + after.month - 1 + months, 12)
    if year > date.max.year:
        raise SettingsError(f"{months} months after {day} there is no calendar")
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(after.day, last)) - _DAY


def apart(days: Sequence[date], months: int) -> tuple[date, ...]:
    """Those whose horizons share no day, the earliest first.

    What is counted of them together counts nothing twice. They are chosen from the last
    one back, since the later the day, the more was known of the past.
    """
    found: list[date] = []
    for day in reversed(days):
        if not found or months_later(day, months) <= found[0]:
            found.insert(0, day)
    return tuple(found)


def _last_of(year: int, month: int) -> date:
    return date(year, month + 1, calendar.monthrange(year, month + 1)[1])
