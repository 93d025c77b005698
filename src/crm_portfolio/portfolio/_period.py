"""Which days does an analysis look at?"""

from __future__ import annotations

import calendar
from datetime import date, timedelta

import attrs

from crm_portfolio._normalise import checked_zone
from crm_portfolio.errors import SettingsError

__all__ = ["Calendar", "Period"]

_DAY = timedelta(days=1)


@attrs.frozen
class Calendar:
    """In which time zone a day begins, and in which month the business year does.

    Attributes:
        time_zone: Such as ``Europe/Paris``.
        year_starts: 1 is January.
    """

    time_zone: str = "UTC"
    year_starts: int = 1

    def __attrs_post_init__(self) -> None:
        checked_zone(self.time_zone)
        if self.year_starts not in range(1, 13):
            raise SettingsError(f"year_starts={self.year_starts}: a month is 1 to 12")


@attrs.frozen
class Period:
    """A half-open span of days with a name: ``start`` is in it, ``end`` is not.

    ``last_months`` and ``all`` have no days until ``at`` gives them an as-of date.

    Example:
        >>> period = Period.last_months(12).at(date(2017, 12, 15))
        >>> str(period.start), str(period.end), str(period.last_day)
        ('2016-12-01', '2017-12-01', '2017-11-30')
    """

    name: str
    months: int | None = None
    start: date | None = None
    end: date | None = None

    @classmethod
    def last_months(cls, months: int) -> Period:
        """That many full months, the last of them the last that is over."""
        if months < 1:
            raise SettingsError(f"months={months}: a period has at least one month")
        return cls(f"last_{months}_months", months=months)

    @classmethod
    def all(cls) -> Period:
        """Everything up to the as-of date."""
        return cls("all")

    @classmethod
    def between(cls, start: date, end: date) -> Period:
        """From ``start`` to the day before ``end``."""
        if start >= end:
            raise SettingsError(f"a period from {start} to before {end} has no day")
        return cls(f"{start}_{end}", start=start, end=end)

    def at(self, as_of: date) -> Period:
        """The same period with its days. ``as_of`` is the last day known."""
        if self.start is not None:
            return self
        after = as_of + _DAY
        if self.months is None:
            return attrs.evolve(self, start=date.min, end=after)
        end = after if after.day == 1 else as_of.replace(day=1)
        return attrs.evolve(self, start=_months_before(end, self.months), end=end)

    @property
    def last_day(self) -> date:
        """The last day in it."""
        if self.end is None:
            raise SettingsError(
                f"the period {self.name!r} has no days yet: use at(as_of)"
            )
        return self.end - _DAY

    def months_before_end(self, months: int) -> date:
        """The day that many months before its end; the last of a shorter month."""
        return _months_before(self.last_day + _DAY, months)


def _months_before(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    if year < 1:
        raise SettingsError(f"{months} months before {day} there is no calendar")
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))
