"""What came to its end, and how was each pursued, before anything is held against it?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any, Final

import attrs

from crm_portfolio._frames import kept, nw
from crm_portfolio.analysis._facts import (
    Clock,
    Contacts,
    attributed,
    contacted,
    contacts_of,
    day_number,
    ended,
    gap,
    last_opened,
    lost_before,
    once_per_portfolio,
    pursued,
    reached,
    recorded,
    touches_by_stage,
    turns,
    unknown,
)
from crm_portfolio.analysis._lost._doubles import doubles
from crm_portfolio.analysis._lost._settings import LostOpportunitiesSettings
from crm_portfolio.portfolio import Period, Portfolio

__all__ = ["Ends", "contacts_in", "ends_of"]

_HOUR: Final = 3600
_FIRST, _EPOCH = date(1990, 1, 1), date(1970, 1, 1)
_LOOKED_BACK: Final = timedelta(days=731)
"""So far another attempt looks back by default: who asks of less asks it too, mostly."""
_TEXTS: Final = (
    *("record", "record_id", "account_id", "owner_id", "kind", "source", "pipeline"),
    *("stage", "loss_reason", "loss_reason_by", "competitor"),
)
_LARGE: Final = (
    "created_s",
    "minor",
    "response_s",
    "answered_s",
    "last_in_s",
    "position",
)
_SMALL: Final = (
    *("created_day", "closed_day", "touches", "out_count", "in_count", "last_day"),
    *("silent_days", "offers", "refused_day", "has_next_step"),
    *("is_overdue", "apart"),
)
_OF_WINS: Final = (
    *("record_id", "opportunity_id", "owner_id", "pipeline", "minor"),
    *("closed_day", "starts_s", "ends_s"),
)
_SPAN: Final = ("record_id", "opportunity_id", "starts_s", "ends_s")


@attrs.frozen(eq=False)
class Ends:
    """All that ended in a span of days, kept by the engine; any period in it is a part.

    Attributes:
        wins: What was won: whose, when, ``touches`` and the hours between two of them.
        losses: Each loss for itself, and what the rules ask of it; ``apart`` of 1 is
            probably the same as one that was won.
        left: How many activities the won ones had by the time they left each stage, by
            ``closed_day``; None without the tables that tell.
    """

    span: Period
    clock: Clock
    wins: Any
    losses: Any
    left: Any | None

    @classmethod
    def of(
        cls, portfolio: Portfolio, span: Period, settings: LostOpportunitiesSettings
    ) -> Ends:
        clock, which = _clock_of(portfolio, settings), contacts_in(settings)
        turned = turns(portfolio)
        if turned is not None:
            turned = kept(turned)
        lost = kept(_lost(portfolio, span, clock, turned))
        won = last_opened(turned, ended(portfolio, "won", span, clock))
        won, found = kept(won.select(_OF_WINS)), None
        if "activity" in portfolio:
            spans = nw.concat([won.select(_SPAN), lost.select(_SPAN)], how="vertical")
            log = contacted(portfolio, which, "opportunity_id")
            found = kept(contacts_of(spans, log, "opportunity_id"))
        left = touches_by_stage(portfolio, won, which)
        return cls(
            span,
            clock,
            wins=kept(_pursued_wins(won, found)),
            losses=kept(_pursued_losses(portfolio, lost, found, clock, settings)),
            left=None if left is None else kept(left),
        )

    @property
    def closed(self) -> Any:
        """What was won and lost for good: for how much."""
        last = self.losses.filter(nw.col("record") == "opportunity")
        both = [self.wins.select("minor"), last.select("minor")]
        return nw.concat(both, how="vertical")

    def has(self, span: Period) -> bool:
        """Whether the whole period is in it."""
        (first, end), (start, last) = (_days(each) for each in (self.span, span))
        return first <= start and last <= end

    def within(self, span: Period) -> Ends:
        """What ended in a period of it."""
        first, end = _days(span)
        is_in = (nw.col("closed_day") >= first) & (nw.col("closed_day") < end)
        wins, losses = (each.filter(is_in) for each in (self.wins, self.losses))
        left = None if self.left is None else self.left.filter(is_in)
        return attrs.evolve(self, span=span, wins=wins, losses=losses, left=left)


def _days(span: Period) -> tuple[int, int]:
    """The first day and the one after the last, counted from 1970."""
    assert span.start is not None
    assert span.end is not None
    return (span.start - _EPOCH).days, (span.end - _EPOCH).days


def ends_of(
    portfolio: Portfolio, span: Period, settings: LostOpportunitiesSettings
) -> Ends:
    """What ended in the period; a part of what is kept of a longer one, where it is."""
    known = _kept_of(portfolio, *(tuple(each) for each in _asked(settings)))
    if not known or not known[0].has(span):
        known[:] = [Ends.of(portfolio, _longer(portfolio, span), settings)]
    return known[0].within(span)


def _longer(portfolio: Portfolio, span: Period) -> Period:
    """The period, and what is asked of the same portfolio besides."""
    assert span.start is not None
    assert span.end is not None
    end = portfolio.as_of + timedelta(days=1)
    start = min(span.start, end - _LOOKED_BACK)
    return Period.between(start, max(span.end, end))


def _asked(settings: LostOpportunitiesSettings) -> Iterator[Iterable[object]]:
    """All settings that it depends on, but the period."""
    yield settings.automatic_kinds
    yield settings.two_way_kinds
    yield settings.working_weekdays
    yield settings.working_hours
    yield settings.holidays
    yield settings.duplicate_days, settings.duplicate_share


@once_per_portfolio
def _kept_of(portfolio: Portfolio, *asked: tuple[object, ...]) -> list[Ends]:
    """A place for it: the last one that was made."""
    del portfolio, asked
    return []


def _clock_of(portfolio: Portfolio, settings: LostOpportunitiesSettings) -> Clock:
    return Clock.of(
        _FIRST,
        portfolio.as_of,
        zone=portfolio.calendar.time_zone,
        backend=portfolio.backend,
        weekdays=settings.working_weekdays,
        hours=settings.working_hours,
        holidays=settings.holidays,
    )


def contacts_in(settings: LostOpportunitiesSettings) -> Contacts:
    return Contacts(settings.automatic_kinds, settings.two_way_kinds)


def _lost(portfolio: Portfolio, span: Period, clock: Clock, turned: Any | None) -> Any:
    """What was lost in the span, and each loss of it that did not last."""
    rows = last_opened(turned, ended(portfolio, "lost", span, clock))
    rows = rows.with_columns(record=nw.lit("opportunity")).drop("status")
    before = lost_before(turned, recorded(portfolio), span, clock)
    if before is None:
        return rows
    columns = rows.collect_schema().names()
    before = before.with_columns(record=nw.lit("episode")).select(columns)
    return nw.concat([rows, before], how="vertical")


def _pursued_wins(won: Any, found: Any | None) -> Any:
    if found is None:
        return won.with_columns(touches=unknown("ends_s"), gap_hours=unknown("ends_s"))
    told = found.select("record_id", "touches", gap_hours=gap() // _HOUR)
    return won.join(told, on="record_id", how="left").with_columns(
        touches=nw.col("touches").fill_null(0)
    )


def _pursued_losses(
    portfolio: Portfolio,
    lost: Any,
    found: Any | None,
    clock: Clock,
    settings: LostOpportunitiesSettings,
) -> Any:
    """What the rules ask of each, whichever period is looked at."""
    rows = attributed(portfolio, lost, found)
    rows = clock.told(rows, "created_s", day="created_day", worked="worked_created")
    last = lost.filter(nw.col("record") == "opportunity")
    twice = doubles(last, portfolio, clock, settings)
    rows = rows.join(twice, on="record_id", how="left")
    furthest = reached(portfolio, lost)
    if furthest is None:
        nobody = {name: unknown("starts_s") for name in ("position", "offers")}
        rows = rows.with_columns(**nobody)
    else:
        rows = rows.join(furthest, on="record_id", how="left")
    overdue = nw.col("expected_close_on") < nw.col("closed_on")
    rows = pursued(rows, found, clock).with_columns(
        apart=nw.col("apart").fill_null(0),
        is_overdue=overdue.fill_null(value=False),
        refused_day=day_number(nw.col("refused_on"), portfolio.backend),
    )
    return rows.select(
        *_TEXTS,
        *(nw.col(name).cast(nw.Int64) for name in _LARGE),
        *(nw.col(name).cast(nw.Int32) for name in _SMALL),
    )
