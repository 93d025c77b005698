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
    coded,
    contacts_of,
    dated_contacts,
    day_number,
    ended,
    floor_div,
    gap,
    last_opened,
    lost_before,
    once_per_portfolio,
    pursued,
    reached,
    recorded,
    seconds,
    touches_by_stage,
    turns,
    unknown,
)
from crm_portfolio.analysis._lost._doubles import doubles
from crm_portfolio.analysis._lost._settings import LostOpportunitiesSettings
from crm_portfolio.portfolio import Period, Portfolio

__all__ = ["NUMBERS", "Ends", "contacts_in", "ends_of", "let_go", "with_ordinal"]

_HOUR: Final = 3600
_FIRST, _EPOCH = date(1990, 1, 1), date(1970, 1, 1)
_LOOKED_BACK: Final = timedelta(days=731)
"""So far another attempt looks back by default: who asks of less asks it too, mostly."""
_SAID: Final = (
    *("kind", "source", "pipeline", "stage"),
    *("loss_reason", "loss_reason_by", "competitor", "owner_id"),
)
"""What a record says of a loss in one of few words; one number stands for all of it."""
_KINDS: Final = {
    **dict.fromkeys(("minor", "answered_s", "last_in_s", "position"), nw.Int64),
    **dict.fromkeys(("created_day", "closed_day", "last_day", "silent_days"), nw.Int32),
    **dict.fromkeys(("touches", "out_count", "in_count", "response_s"), nw.Int32),
    "refused_day": nw.Int32,
    **dict.fromkeys(("offers", "has_next_step", "is_overdue", "apart"), nw.Int8),
}
_OF_LOSSES: Final = (
    *("record", *_SAID, "minor", "created_s", "responded_s", "closed_day"),
    *("starts_s", "ends_s", "has_next_step", "is_overdue", "refused_day"),
)
_OF_WINS: Final = (
    *("ordinal", "owner_id", "pipeline", "minor"),
    *("closed_day", "starts_s", "ends_s"),
)
NUMBERS: Final = 2**32
"""More than there are opportunities."""


@attrs.frozen(eq=False)
class Ends:
    """All that ended in a span of days, kept by the engine; any period in it is a part.

    Attributes:
        wins: What was won: whose, when, ``touches`` and the hours between two of them.
        losses: Each loss for itself, and what the rules ask of it; ``apart`` of 1 is
            probably the same as one that was won. ``record`` tells the opportunity, and
            where it was opened again, which of its losses that is.
        said: What their records ``say``, for each of these numbers.
        owners: Whose those were that are of somebody else by now.
        left: How many activities the won ones had by the time they left each stage, by
            ``closed_day``; None without the tables that tell.
    """

    span: Period
    clock: Clock
    wins: Any
    losses: Any
    said: Any
    owners: Any | None
    left: Any | None

    @classmethod
    def of(
        cls, portfolio: Portfolio, span: Period, settings: LostOpportunitiesSettings
    ) -> Ends:
        clock, turned = _clock_of(portfolio, settings), turns(portfolio)
        if turned is not None:
            turned = kept(turned)
        log = _log_of(portfolio, contacts_in(settings))
        wins, left = _won(portfolio, span, clock, turned, log)
        lost, said = _lost(portfolio, span, clock, turned)
        found = None
        if log is not None:
            found = kept(contacts_of(lost, log, "ordinal", by="record"))
        owners = attributed(portfolio, lost, found)
        twice = _twice(portfolio, span, clock, settings)
        return cls(
            span,
            clock,
            wins=wins,
            losses=kept(_judged(portfolio, lost, said, found, twice, clock=clock)),
            said=said,
            owners=None if owners is None else kept(owners),
            left=left,
        )

    @property
    def closed(self) -> Any:
        """What was won and lost for good: for how much."""
        last = self.losses.filter(nw.col("record") < NUMBERS)
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


def let_go(portfolio: Portfolio, settings: LostOpportunitiesSettings) -> None:
    """Keep it no longer; who asks again has it made again."""
    _kept_of(portfolio, *(tuple(each) for each in _asked(settings))).clear()


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


def _log_of(portfolio: Portfolio, which: Contacts) -> Any | None:
    """Activities by opportunity; only contacts have their moment. None: nobody notes any."""
    if "activity" not in portfolio:
        return None
    return dated_contacts(portfolio, which).select(
        *("ordinal", "is_out", "is_in"),
        at_s=seconds(nw.col("occurred_at"), portfolio.backend),
    )


def _won(
    portfolio: Portfolio,
    span: Period,
    clock: Clock,
    turned: Any | None,
    log: Any | None,
) -> tuple[Any, Any | None]:
    """What was won in the span, and `touches_by_stage` of it."""
    rows = last_opened(turned, ended(portfolio, "won", span, clock))
    won = kept(rows.select(_OF_WINS))
    left = touches_by_stage(portfolio, won, log)
    return kept(_pursued_wins(won, log)), None if left is None else kept(left)


def _lost(
    portfolio: Portfolio, span: Period, clock: Clock, turned: Any | None
) -> tuple[Any, Any]:
    """What was lost in the span, and each loss of it that did not last; what they say."""
    overdue, ordinal = (
        nw.col("expected_close_on") < nw.col("closed_on"),
        nw.col("ordinal"),
    )
    told = {
        "record": ordinal.cast(nw.Int64),
        "is_overdue": overdue.fill_null(value=False),
        "refused_day": day_number(nw.col("refused_on"), portfolio.backend),
    }
    rows = last_opened(turned, ended(portfolio, "lost", span, clock))
    rows = rows.with_columns(**told).select(_OF_LOSSES)
    records = recorded(portfolio)
    # Where to look for what they say; all that was lost, whenever, is looked through fast.
    source = records.filter(nw.col("status") == "lost").select(_SAID)
    before = lost_before(turned, records, span, clock)
    if before is not None:
        told["record"] += nw.col("number") * NUMBERS
        before = kept(before.with_columns(**told).select(_OF_LOSSES))
        source = nw.concat([source, before.select(_SAID)], how="vertical")
        rows = nw.concat([rows, before], how="vertical")
    rows, said = coded(rows, source, _SAID, "says")
    short = nw.col("closed_day", "refused_day").cast(nw.Int32)
    return with_ordinal(kept(rows.with_columns(short))), said


def with_ordinal(rows: Any) -> Any:
    """The rows of records, with the ``ordinal`` of the opportunity of each."""
    record = nw.col("record")
    number = record - floor_div(record, NUMBERS) * NUMBERS
    return rows.with_columns(ordinal=number.cast(nw.Int32))


def _pursued_wins(won: Any, log: Any | None) -> Any:
    rows = won.select("ordinal", "owner_id", "minor", "closed_day", "ends_s")
    if log is None:
        nobody = {name: unknown("ends_s") for name in ("touches", "gap_hours")}
        return rows.with_columns(**nobody).drop("ordinal", "ends_s")
    found = contacts_of(won, log, "ordinal", by="ordinal")
    told = found.select("ordinal", "touches", gap_hours=floor_div(gap(), _HOUR))
    joined = rows.join(told, on="ordinal", how="left").drop("ordinal", "ends_s")
    return joined.with_columns(
        nw.col("closed_day", "gap_hours").cast(nw.Int32),
        touches=nw.col("touches").fill_null(0).cast(nw.Int32),
    )


def _twice(
    portfolio: Portfolio,
    span: Period,
    clock: Clock,
    settings: LostOpportunitiesSettings,
) -> Any:
    """By record: `doubles` of what was lost for good, whose record is its ordinal."""
    rows = doubles(ended(portfolio, "lost", span, clock), portfolio, clock, settings)
    return kept(rows.select("apart", record=nw.col("ordinal").cast(nw.Int64)))


def _judged(
    portfolio: Portfolio,
    lost: Any,
    said: Any,
    found: Any | None,
    twice: Any,
    *,
    clock: Clock,
) -> Any:
    """What the rules ask of each, whichever period is looked at."""
    rows = clock.told(lost, "created_s", day="created_day", worked="worked_created")
    rows = rows.join(twice, on="record", how="left")
    where = lost.join(said.select("says", "pipeline", "stage"), on="says", how="inner")
    furthest = reached(portfolio, where)
    if furthest is None:
        nobody = {name: unknown("starts_s") for name in ("position", "offers")}
        rows = rows.with_columns(**nobody)
    else:
        rows = rows.join(furthest, on="record", how="left")
    rows = pursued(rows, found, clock, by="record").with_columns(
        apart=nw.col("apart").fill_null(0)
    )
    return rows.select(
        "record", "says", *(nw.col(name).cast(kind) for name, kind in _KINDS.items())
    )
