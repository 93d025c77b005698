"""What does each stage mean, and what does the CRM itself expect of it?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.analysis._ahead._settings import PipelineSettings
from crm_portfolio.analysis._facts import Grid
from crm_portfolio.portfolio import Period, Portfolio

__all__ = ["Stages", "grid_of"]


@attrs.frozen
class Stages:
    """The stages of all pipelines.

    Attributes:
        statuses: By name, where all pipelines agree on what it means.
        odds: By pipeline and name: the CRM's own probability of winning.
        by_name: The same by name alone, where all pipelines agree.
    """

    statuses: Mapping[str, str]
    odds: Mapping[tuple[str, str], float]
    by_name: Mapping[str, float]

    @classmethod
    def of(cls, portfolio: Portfolio) -> Stages:
        if "stage" not in portfolio:
            return cls({}, {}, {})
        rows = portfolio.arrow("stage").to_pylist()
        odds = {
            (row["pipeline"], row["stage"]): row["default_probability"]
            for row in rows
            if row.get("default_probability") is not None
        }
        return cls(
            _agreed((row["stage"], row["status"]) for row in rows),
            odds,
            _agreed((stage, each) for (_, stage), each in odds.items()),
        )

    def odds_of(self, pipeline: str, stage: str) -> float | None:
        return self.odds.get((pipeline, stage), self.by_name.get(stage))


def grid_of(
    portfolio: Portfolio, settings: PipelineSettings, stages: Stages
) -> tuple[Grid, int]:
    """The days to ask about, and how many of them are ends of months."""
    end = Period.last_months(1).at(portfolio.as_of).end
    assert end is not None
    months = [_earlier(end, back) for back in range(settings.months, -1, -1)]
    # Today stands apart, even where a month ends with it: what is current is known then.
    days = (*months, portfolio.as_of + timedelta(days=1))
    grid = Grid(
        days=days,
        zone=portfolio.calendar.time_zone,
        digits=portfolio.minor_digits,
        quiet_days=settings.stale_after_days,
        history_from=settings.history_from,
        statuses=stages.statuses,
        rates=_rates(portfolio, days),
    )
    return grid, settings.months


def _agreed(pairs: Any) -> dict[str, Any]:
    """What is said of each name, where nothing else is said of it."""
    said: dict[str, set[Any]] = {}
    for name, value in pairs:
        said.setdefault(name, set()).add(value)
    return {
        name: next(iter(values))
        for name, values in sorted(said.items())
        if len(values) == 1
    }


def _earlier(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


def _rates(
    portfolio: Portfolio, days: tuple[date, ...]
) -> dict[str, tuple[float | None, ...]]:
    """What a unit of each currency was worth on the eve of each day."""
    found: dict[str, tuple[float | None, ...]] = {
        portfolio.currency: (1.0,) * len(days)
    }
    if "exchange_rate" not in portfolio:
        return found
    table = portfolio.arrow("exchange_rate")
    table = table.filter(pc.equal(table["base"], portfolio.currency))
    for code in sorted(pc.unique(table["currency"]).to_pylist()):
        if code not in found:
            its = table.filter(pc.equal(table["currency"], code))
            found[code] = tuple(_known_by(its, day) for day in days)
    return found


def _known_by(rates: pa.Table, day: date) -> float | None:
    known = rates.filter(pc.less(rates["from_on"], pa.scalar(day, pa.date32())))
    last: list[float] = known.sort_by("from_on")["rate"].to_pylist()[-1:]
    return last[0] if last else None
