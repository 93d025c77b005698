"""Which days does a relative date such as ``LAST_N_DAYS:7`` mean?

vendor docs: a span of whole days in the running user's time zone; ``=`` is within it, ``<``
before, ``>`` after. Weeks begin on Sunday here (as in the locale en_US), and the fiscal
year is the calendar's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Final

import attrs

__all__ = ["RELATIVE", "Relative", "span"]

Span = tuple[date, date]


@attrs.frozen
class Relative:
    """``days`` gives the half-open span for a day and the number after the colon."""

    days: Callable[[date, int], Span]
    takes_number: bool = False


def _day(today: date, shift: int) -> date:
    return today + timedelta(days=shift)


def _week(today: date, shift: int) -> date:
    sunday = today - timedelta(days=(today.weekday() + 1) % 7)
    return sunday + timedelta(weeks=shift)


def _month(today: date, shift: int) -> date:
    months = today.year * 12 + today.month - 1 + shift
    return date(months // 12, months % 12 + 1, 1)


def _quarter(today: date, shift: int) -> date:
    return _month(today.replace(month=(today.month - 1) // 3 * 3 + 1), 3 * shift)


def _year(today: date, shift: int) -> date:
    return date(today.year + shift, 1, 1)


_UNITS: Final[Mapping[str, Callable[[date, int], date]]] = {
    "WEEK": _week,
    "MONTH": _month,
    "QUARTER": _quarter,
    "YEAR": _year,
    "FISCAL_QUARTER": _quarter,
    "FISCAL_YEAR": _year,
}


def _around(unit: Callable[[date, int], date], first: int) -> Relative:
    return Relative(lambda today, _: (unit(today, first), unit(today, first + 1)))


def _last(unit: Callable[[date, int], date]) -> Relative:
    return Relative(
        lambda today, n: (unit(today, -n), unit(today, 0)), takes_number=True
    )


def _next(unit: Callable[[date, int], date]) -> Relative:
    return Relative(
        lambda today, n: (unit(today, 1), unit(today, n + 1)), takes_number=True
    )


def _table() -> dict[str, Relative]:
    table = {
        "YESTERDAY": _around(_day, -1),
        "TODAY": _around(_day, 0),
        "TOMORROW": _around(_day, 1),
        # vendor docs: the last n days go up to the current second, so today is in.
        "LAST_N_DAYS": Relative(
            lambda t, n: (_day(t, -n), _day(t, 1)), takes_number=True
        ),
        "NEXT_N_DAYS": _next(_day),
        "N_DAYS_AGO": Relative(
            lambda t, n: (_day(t, -n), _day(t, 1 - n)), takes_number=True
        ),
        "LAST_90_DAYS": Relative(lambda t, _: (_day(t, -90), _day(t, 1))),
        "NEXT_90_DAYS": Relative(lambda t, _: (_day(t, 1), _day(t, 91))),
    }
    for name, unit in _UNITS.items():
        table[f"LAST_{name}"] = _around(unit, -1)
        table[f"THIS_{name}"] = _around(unit, 0)
        table[f"NEXT_{name}"] = _around(unit, 1)
        table[f"LAST_N_{name}S"] = _last(unit)
        table[f"NEXT_N_{name}S"] = _next(unit)
    return table


RELATIVE: Final[Mapping[str, Relative]] = _table()


def span(literal: str, today: date) -> Span:
    """The first day that the literal means, and the first behind it."""
    name, _, number = literal.partition(":")
    return RELATIVE[name].days(today, int(number or 0))
