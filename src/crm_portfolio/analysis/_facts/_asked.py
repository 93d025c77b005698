"""Which days is an analysis asked about, and are they over?"""

from __future__ import annotations

from datetime import date
from typing import Final

from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period

__all__ = ["days_asked"]

_TOLD: Final = frozenset({"review"})
"""Those that say themselves how much of their period is still to come."""


def days_asked(period: Period, as_of: date, *, needed_by: str) -> Period:
    """The period with its days.

    Raises:
        SettingsError: It ends after the last day that is known. What is still to come
            would look like revenue that was lost, and a part of a year like a whole one.
    """
    found = period.at(as_of)
    if found.last_day > as_of and needed_by not in _TOLD:
        raise SettingsError(
            f"{needed_by}: the period ends on {found.last_day}, and nothing is known "
            f"after {as_of}; end it by {as_of}, or take one that goes along, as "
            '"last 12 months"'
        )
    return found
