"""Which days are held against which?"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import attrs
import numpy as np

from crm_portfolio.analysis._facts import RevenueFacts, Span, previous
from crm_portfolio.analysis._half_year._settings import ReviewSettings
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json

__all__ = ["Days"]

_YEAR: Final = 12
_A_MONTH: Final = timedelta(days=31)
_NONE: Final = Period("none", start=date.min, end=date.min)


@attrs.frozen
class Days:
    """The two periods, and whether the book says enough of the first.

    Attributes:
        begins_on: The first day with a line; None where there is none.
        is_same_season: Whether both stand at the same place of the calendar.
        is_later_known: Whether twelve months have gone by since the first of the two.
        missing_days: Of this period, after the last day that is known.
    """

    span: Span
    begins_on: date | None
    is_same_season: bool
    is_later_known: bool
    missing_days: int

    @classmethod
    def of(
        cls, portfolio: Portfolio, facts: RevenueFacts, settings: ReviewSettings
    ) -> Days:
        now, before = facts.period, _before(portfolio, facts, settings)
        later = _NONE if before is _NONE else _shifted(before, -_YEAR)
        first = facts.by_account.first_on
        found: Any = None if np.isnat(first).all() else np.nanmin(first).item()
        assert later.end is not None
        return cls(
            Span(now, before, later, facts.digits, facts.currency),
            begins_on=found,
            is_same_season=before is not _NONE and _is_same_season(before, now),
            is_later_known=before is not _NONE and later.last_day <= portfolio.as_of,
            missing_days=max((now.last_day - portfolio.as_of).days, 0),
        )

    @property
    def has_before(self) -> bool:
        """Not so where the book begins later: then all of it would seem new."""
        end = self.span.before.end
        assert end is not None
        return self.begins_on is not None and self.begins_on < end

    @property
    def is_partly_before(self) -> bool:
        """Whether the book begins more than a month after the first period does."""
        start = self.span.before.start
        if not self.has_before or start is None or self.begins_on is None:
            return False
        return self.begins_on - start >= _A_MONTH

    @property
    def told(self) -> dict[str, Json]:
        """The days of the period before, as `params` has those of this one."""
        before = self.span.before
        if before is _NONE or before.start is None or before.end is None:
            return {"before": None}
        return {
            "before": {
                "start": before.start.isoformat(),
                "end": before.end.isoformat(),
                "last_day": before.last_day.isoformat(),
            }
        }


def _before(
    portfolio: Portfolio, facts: RevenueFacts, settings: ReviewSettings
) -> Period:
    now = facts.period
    assert now.start is not None
    if now.start == date.min:
        return _NONE
    if settings.before is None:
        if settings.against == "period_before":
            return previous(now) or _NONE
        return _shifted(now, _YEAR)
    before = settings.before.at(portfolio.as_of)
    assert before.end is not None
    if before.end > now.start:
        raise SettingsError(
            f"review.before ends on {before.last_day}, after {now.start} where the "
            "period begins that is held against it"
        )
    return before


def _shifted(period: Period, months: int) -> Period:
    """The same days so many months before."""
    assert period.start is not None
    until = Period.between(period.start - timedelta(days=1), period.start)
    return Period.between(
        until.months_before_end(months), period.months_before_end(months)
    )


def _is_same_season(before: Period, now: Period) -> bool:
    """Whether the days of one are those of the other, whole years apart."""
    assert before.start is not None
    assert before.end is not None
    assert now.start is not None
    assert now.end is not None
    years = now.start.year - before.start.year
    shifted = _shifted(now, _YEAR * years) if years > 0 else now
    return (shifted.start, shifted.end) == (before.start, before.end)
