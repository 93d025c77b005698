"""How is one replay of days put together into an answer?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

import pyarrow as pa

from crm_portfolio._backtest._days import apart, checked
from crm_portfolio._backtest._forecasts import (
    Forecast,
    forecasts,
    named_table,
    pooled,
    table,
)
from crm_portfolio._backtest._levels import (
    level_table,
    levels_together,
    recommendation_table,
    recommendations_together,
)
from crm_portfolio._backtest._rates import LEVEL
from crm_portfolio._backtest._reasons import warnings
from crm_portfolio._backtest._replay import Replayed, Terms, replay
from crm_portfolio._backtest._result import BacktestResult
from crm_portfolio._backtest._said import NOUNS
from crm_portfolio._backtest._stability import stability, stability_table, together
from crm_portfolio._backtest._stops import stop_table, stops_together
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.protocols import Progress
from crm_portfolio.results import Json, significant
from crm_portfolio.settings import Settings

__all__ = ["backtest"]


def backtest(
    portfolio: Portfolio,
    settings: Settings,
    days: Iterable[date],
    *,
    horizon_months: int = 12,
    lost_share: float = 0.5,
    progress: Progress | None = None,
) -> BacktestResult:
    """Replay past days, and hold what was said against what came of it.

    Every answer of a day is made of ``portfolio.at(day)`` alone, so nothing that came
    later is in it. What came of it is what was known when its horizon was over; a day
    whose horizon is not over is not yet known, never a miss.

    Args:
        days: None later than the portfolio's; each is replayed once.
        horizon_months: How long it may take to come true.
        lost_share: Who brings so much less, or has left, was rightly warned of.
        progress: Told how many days are done.

    Raises:
        MissingTableError: Nothing that could be replayed can be made.
        SettingsError: A day is not known, a threshold does not fit, or a period ends after
            a day.

    Example:
        >>> from datetime import date
        >>> from crm_portfolio import Settings, backtest, samples
        >>> found = backtest(samples.firm(), Settings(), [date(2025, 12, 31)],
        ...                  horizon_months=6)
        >>> found.summary["lists"]["risk"]["named_count"]
        1
    """
    terms = _terms(horizon_months, lost_share)
    asked = checked(days, portfolio.as_of)
    _goes_along(settings, asked[0])
    replayed = replay(portfolio, settings, asked, terms, progress)
    if not any(each.said.tables for each in replayed):
        raise MissingTableError("revenue_line", "backtest")
    found = forecasts(replayed)
    counted = _apart(replayed, terms)
    steps = stability([each.said for each in replayed])
    summary: dict[str, Json] = {
        "lists": pooled(found, terms.months),
        "levels": levels_together(counted),
        "recommendations": recommendations_together(counted),
        "stop_rules": stops_together(counted),
        "stability": together(steps),
    }
    return BacktestResult(
        table=table(found),
        rejected=_NOTHING,
        backend=portfolio.backend,
        summary=summary,
        params=_params(portfolio, settings, asked, terms, replayed),
        coverage=_coverage(found),
        warnings=tuple(warnings(replayed, summary)),
        levels=level_table(replayed),
        recommendations=recommendation_table(replayed),
        stop_rules=stop_table(replayed),
        stability=stability_table(steps),
        named=named_table(found),
    )


def _terms(months: int, lost_share: float) -> Terms:
    if months < 1:
        raise SettingsError(f"horizon_months is no less than 1, not {months}")
    if not 0 < lost_share <= 1:
        raise SettingsError(f"lost_share is above 0 and at most 1, not {lost_share}")
    return Terms(months, lost_share)


def _goes_along(settings: Settings, first: date) -> None:
    """Refuses a period of which the first day knows a part at most.

    All that it does not know yet would look like revenue that was lost.
    """
    for name in NOUNS:
        for own in (getattr(settings, name).period, settings.period):
            if own is not None and own.end is not None and own.end - _DAY > first:
                raise SettingsError(
                    f"backtest: the period of {name} ends on {own.end - _DAY}, after "
                    f'{first}; past days need one that goes along, as "last 12 months"'
                )


def _apart(replayed: Sequence[Replayed], terms: Terms) -> list[Replayed]:
    """Those that are over and whose horizons share no day."""
    over = [each for each in replayed if each.came is not None]
    days = apart([each.day for each in over], terms.months)
    return [each for each in over if each.day in days]


def _coverage(found: Sequence[Forecast]) -> float | None:
    """Of those named on days that are over: of how many we know what came."""
    over = [each.named for each in found if each.is_over]
    said = sum(each.said for each in over)
    return significant(sum(each.known for each in over) / said) if said else None


def _params(
    portfolio: Portfolio,
    settings: Settings,
    days: Sequence[date],
    terms: Terms,
    replayed: Sequence[Replayed],
) -> dict[str, Json]:
    first, end = days[0], days[-1] + timedelta(days=1)
    by_tables = "net_revenue" if "revenue_line" in portfolio else "booked"
    return {
        "portfolio": portfolio.id,
        "as_of": portfolio.as_of.isoformat(),
        "org": portfolio.org,
        "currency": portfolio.currency,
        "measure": settings.risk.measure or by_tables,
        "population": "all",
        "period": {
            "name": f"{first}_{end}",
            "start": first.isoformat(),
            "end": end.isoformat(),
            "last_day": days[-1].isoformat(),
        },
        "settings": {
            "days": [day.isoformat() for day in days],
            "horizon_months": terms.months,
            "lost_share": terms.lost_share,
            "level": LEVEL,
            "named": {
                "rising": ["yes"],
                "risk": ["high", "critical"],
                "win_back": ["try", "ask_first, otherwise try"],
            },
        },
        "analyses": dict(replayed[-1].said.settings),
    }


_DAY: Final = timedelta(days=1)
_NOTHING = pa.table(
    {name: pa.array([], pa.string()) for name in ("table", "record_id", "fault")}
)
