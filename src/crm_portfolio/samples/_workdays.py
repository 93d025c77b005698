"""When is the invented firm at work, and what is its clock called in UTC?

Days count from the first of the period, moments are minutes from there on the firm's own
clock; time at work counts in minutes of working days, nights and holidays left out.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.samples import _deals

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "DAY",
    "HOLIDAYS",
    "MINUTES",
    "OPENS",
    "TIME_ZONE",
    "after_rest",
    "at",
    "night_before",
    "utc",
    "worked",
]

TIME_ZONE: Final = "Europe/Paris"
OPENS: Final = 9 * 60
MINUTES: Final = 9 * 60  # of a working day
DAY: Final = 24 * 60

# Public holidays in France, and the days after Christmas, when the firm is closed.
HOLIDAYS: Final = (
    date(2025, 4, 21),
    date(2025, 5, 29),
    date(2026, 4, 6),
    date(2026, 5, 14),
    *(
        date(year, month, day)
        for year in (2023, 2024, 2025, 2026)
        for month, day in (
            *((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11)),
            *((12, 25), (12, 26), (12, 29), (12, 30), (12, 31)),
        )
    ),
)

_ALL: Final = np.arange(-900, 500)
_OPEN: Final = np.is_busday(
    np.datetime64(_deals.START, "D") + _ALL,
    holidays=np.array(HOLIDAYS, dtype="datetime64[D]"),
)
WORKDAYS: Final[NDArray[np.int64]] = _ALL[_OPEN].astype(np.int64)
_RESTED: Final = np.flatnonzero(np.diff(WORKDAYS, prepend=-902) > 1)


def at(minutes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The moment at which so much had been worked since the clock began."""
    day = np.clip(minutes // MINUTES, 0, len(WORKDAYS) - 1)
    moment: NDArray[np.int64] = WORKDAYS[day] * DAY + OPENS + minutes % MINUTES
    return moment


def worked(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """What had been worked at the opening of that day, or of the last one worked."""
    found: NDArray[np.int64] = np.searchsorted(WORKDAYS, days, side="right") - 1
    return found * MINUTES


def after_rest(minutes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The last opening before that followed a weekend or holidays."""
    day = np.clip(minutes // MINUTES, 0, len(WORKDAYS) - 1)
    opening: NDArray[np.int64] = _RESTED[
        np.searchsorted(_RESTED, day, side="right") - 1
    ]
    return opening * MINUTES


def night_before(
    chance: np.random.Generator, minutes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """A moment of the night, weekend or holidays that end with that working day."""
    day = np.clip(minutes // MINUTES, 1, len(WORKDAYS) - 1)
    ends = WORKDAYS[day] * DAY + OPENS
    begins = WORKDAYS[day - 1] * DAY + OPENS + MINUTES
    span = ends - begins
    moment: NDArray[np.int64] = begins + (chance.random(len(day)) * span).astype(
        np.int64
    )
    return moment


def utc(moments: NDArray[np.int64], *, is_utc: NDArray[np.bool_]) -> pa.Array:
    """The firm's minutes as moments; where ``is_utc``, someone took them for UTC."""
    minutes = (moments + np.int64(_deals.EPOCH) * DAY) * 60_000_000
    naive = pa.array(minutes, pa.timestamp("us"))
    local = pc.assume_timezone(
        naive, TIME_ZONE, ambiguous="earliest", nonexistent="latest"
    ).cast(pa.timestamp("us", "UTC"))
    return pc.if_else(pa.array(is_utc), naive.cast(pa.timestamp("us", "UTC")), local)
