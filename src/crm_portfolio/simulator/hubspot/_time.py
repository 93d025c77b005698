"""What time is it in a portal, and how does HubSpot write it?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["CLOCK_START", "Clock", "iso", "sql_iso"]

CLOCK_START: Final = datetime(2026, 7, 1, 2, tzinfo=UTC)


class Clock:
    """Simulated time: it moves by a second with each write, or when told."""

    def __init__(self, start: datetime = CLOCK_START) -> None:
        self.now = start

    def advance(self, seconds: float = 1) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def stored(self) -> datetime:
        """As the tables hold it: UTC without saying so."""
        return self.now.replace(tzinfo=None)


def iso(moment: datetime) -> str:
    """As the API shows a moment: milliseconds and Z."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def sql_iso(column: str) -> str:
    """The same in SQL."""
    return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%gZ')"
