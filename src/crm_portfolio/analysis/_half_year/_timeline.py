"""What happened to the firm, and how did the months run before, during and after?"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa

from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._interrupted import Interrupted, interrupted
from crm_portfolio.analysis._facts import firm_events
from crm_portfolio.analysis._half_year._course import Course, month_name, month_of
from crm_portfolio.analysis._half_year._settings import ReviewSettings
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["SIDES", "Timeline", "last_day"]

SIDES: Final = ("before", "during", "after")
_INDICATORS: Final = ("revenue", "lines", "accounts")


@attrs.frozen(eq=False)
class Timeline:
    """The full months up to the end of the period, and the events in them.

    Attributes:
        first: The first month that is shown.
        known: By indicator and month; NaN where it is unknown.
        events: Those that touch these months, by day and id.
        set_aside: Events of an account, or of another kind than was asked for.
    """

    first: int
    end: int
    digits: int
    known: dict[str, Floats]
    unknown_lines: list[int]
    events: list[dict[str, Any]]
    set_aside: int
    settings: ReviewSettings

    @classmethod
    def of(
        cls, portfolio: Portfolio, course: Course, settings: ReviewSettings
    ) -> Timeline:
        first = max(course.first, course.end - settings.timeline_months)
        at = slice(first - course.first, None)
        events: list[dict[str, Any]] = []
        set_aside = 0
        if "event" in portfolio:
            found, set_aside = firm_events(
                portfolio["event"], course.stands_on, settings.timeline_kinds
            )
            events = [
                row
                for row in found.to_pylist()
                if month_of(last_day(row)) >= first
                and month_of(row["from_on"]) < course.end
            ]
        return cls(
            first,
            course.end,
            portfolio.minor_digits,
            {
                "revenue": course.known(portfolio.minor_digits)[at],
                "lines": course.lines[at].astype(np.float64),
                "accounts": course.accounts[at].astype(np.float64),
            },
            (course.lines - course.known_lines)[at].tolist(),
            events,
            set_aside,
            settings,
        )

    def told(self) -> dict[str, Json]:
        shown = range(self.first, self.end)
        return {
            "first_month": month_name(shown[0]) if shown else None,
            "last_month": month_name(shown[-1]) if shown else None,
            "event_count": len(self.events),
            "set_aside_event_count": self.set_aside,
        }

    def months_table(self) -> pa.Table:
        """A row a month; ``event_ids`` of those that touch it."""
        months = range(self.first, self.end)
        names = [
            ", ".join(
                row["event_id"]
                for row in self.events
                if month_of(row["from_on"]) <= month <= month_of(last_day(row))
            )
            for month in months
        ]
        return pa.table(
            {
                "month": pa.array([*map(month_name, months)], pa.string()),
                "revenue": _nullable(self.known["revenue"]),
                "account_count": pa.array(self.known["accounts"].astype(np.int64)),
                "line_count": pa.array(self.known["lines"].astype(np.int64)),
                "unknown_line_count": pa.array(self.unknown_lines, pa.int64()),
                "event_ids": pa.array([each or None for each in names], pa.string()),
            }
        )

    def events_table(self) -> pa.Table:
        """A row an event: the means of its months, and the line with a step in it."""
        rows = [self._measured(row) for row in self.events]
        return pa.Table.from_pylist(rows, schema=_SCHEMA)

    def _measured(self, row: dict[str, Any]) -> dict[str, Any]:
        begins = month_of(row["from_on"]) - self.first
        ends = month_of(last_day(row)) + 1 - self.first
        sides = self._sides(begins, ends)
        told: dict[str, Any] = {name: row[name] for name in _NAMES}
        for side, months in sides.items():
            seen = self.known["revenue"][months]
            told[f"months_{side}"] = int((~np.isnan(seen)).sum())
            for name in _INDICATORS:
                told[f"{name}_{side}"] = self._mean(name, self.known[name][months])
        for name in _INDICATORS:
            before = told[f"{name}_before"]
            for side in SIDES[1:]:
                told[f"{name}_{side}_change"] = self._less(
                    name, told[f"{name}_{side}"], before
                )
        return told | self._interrupted(begins, ends)

    def _sides(self, begins: int, ends: int) -> dict[str, slice]:
        """The months the event touches, and the full ones around them."""
        size, reach = self.end - self.first, self.settings.event_months
        start = min(max(begins, 0), size)
        stop = min(max(ends, 0), size)
        return {
            "before": slice(max(start - reach, 0), start),
            "during": slice(start, stop),
            "after": slice(stop, min(stop + reach, size)),
        }

    def _interrupted(self, begins: int, ends: int) -> dict[str, Any]:
        """Months in which it lasted belong to neither side."""
        values = self.known["revenue"].copy()
        values[max(begins, 0) : max(ends, 0)] = np.nan
        found = None
        if begins > 0 and ends < values.size:
            found = interrupted(values, ends)
        return _coefficients(found, self.digits)

    def _mean(self, name: str, values: Floats) -> float | None:
        """Of the months that are known; None where none is."""
        seen = values[~np.isnan(values)]
        return self._told(name, float(seen.mean())) if seen.size else None

    def _less(
        self, name: str, value: float | None, before: float | None
    ) -> float | None:
        if value is None or before is None:
            return None
        return self._told(name, value - before)

    def _told(self, name: str, value: float) -> float | None:
        if name == "revenue":
            return round(value, self.digits) + 0.0
        return significant(value)


def last_day(row: dict[str, Any]) -> date:
    """An event that names no end lasts a day."""
    on: date = row["from_on"]
    return max(row["to_on"] or on, on)


def _nullable(values: Floats) -> pa.Array:
    return pa.array(values.tolist(), pa.float64(), mask=np.isnan(values))


def _coefficients(found: Interrupted | None, digits: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "lags": found.lags if found else None,
        "slope": _rounded(found.slope.estimate, digits) if found else None,
    }
    for name in _CHANGES:
        each = getattr(found, name) if found else None
        for part in _PARTS:
            key = name if part == "estimate" else f"{name}_{part}"
            value = getattr(each, part) if each else None
            if value is not None and part != "p":
                told[key] = _rounded(value, digits)
            else:
                told[key] = significant(value)
    return told


def _rounded(value: float, digits: int) -> float:
    return round(value, digits) + 0.0


_NAMES: Final = ("event_id", "label", "kind", "account_id", "from_on", "to_on")
_CHANGES: Final = ("level_change", "slope_change")
_PARTS: Final = ("estimate", "error", "low", "high", "p")
_TEXTS: Final = dict.fromkeys(_NAMES[:4], pa.string())
_DAYS: Final = dict.fromkeys(_NAMES[4:], pa.date32())
_SCHEMA: Final = pa.schema(
    [
        *(_TEXTS | _DAYS).items(),
        *((f"months_{side}", pa.int64()) for side in SIDES),
        *(
            (f"{name}_{side}", pa.float64())
            for name in _INDICATORS
            for side in (*SIDES, "during_change", "after_change")
        ),
        ("lags", pa.int64()),
        ("slope", pa.float64()),
        *(
            (name if part == "estimate" else f"{name}_{part}", pa.float64())
            for name in _CHANGES
            for part in _PARTS
        ),
    ]
)
