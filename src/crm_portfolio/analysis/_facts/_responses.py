"""Why was it lost, how soon did we answer, and what waits?

Rows come and go lazily; what is counted comes back as a few rows, whatever they count.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import pyarrow as pa

from crm_portfolio._frames import nw
from crm_portfolio.analysis._facts._attached import moment_in
from crm_portfolio.analysis._facts._clock import Clock, seconds
from crm_portfolio.analysis._facts._lines import collected, completed, day_number
from crm_portfolio.analysis._facts._pursuits import RECORD, Contacts, pursuits
from crm_portfolio.portfolio import Period, Portfolio

__all__ = [
    "answers",
    "became_opportunities",
    "lost_reasons",
    "open_pursuits",
    "tallied",
    "with_segment",
]

_TEXT = pa.string()
_MOST_DIGITS: Final = 16
_A_MINUTE: Final = 60
_EPOCH: Final = date(1970, 1, 1)
_ALWAYS: Final = -(2**40)
"""Before any moment."""


def lost_reasons(rows: Any) -> pa.Table:
    """Lost ones by reason, who gave it and about which amount.

    Amounts that begin with the same two digits are together, with their exact sum. An
    empty reason, or teller, was not noted.
    """
    by = ["loss_reason", "loss_reason_by", "cell", "is_priced"]
    found = collected(
        rows.select(
            nw.col("loss_reason").fill_null(""),
            nw.col("loss_reason_by").fill_null(""),
            minor=nw.col("minor").fill_null(0),
            is_priced=nw.when(nw.col("minor").is_null()).then(0).otherwise(1),
            count=nw.lit(1, dtype=nw.Int64),
        )
        .with_columns(cell=_leading(nw.col("minor")))
        .group_by(*by)
        .agg(nw.col("count", "minor").sum())
    )
    return _whole(found, ("cell", "is_priced", "count", "minor"), by)


def tallied(rows: Any, by: Sequence[str], also: Sequence[str] = ()) -> pa.Table:
    """How many rows, and how much, there are of each value of each of these columns.

    One scan for all of them. ``by`` names the column and ``group`` its value, empty where
    it is not known; ``also`` are told apart in each.
    """
    texts = [nw.col(each).cast(nw.String).fill_null("") for each in by]
    kept = [nw.col(each).cast(nw.String).fill_null("") for each in also]
    sums = ["count", "minor", "priced_count"]
    found = collected(
        rows.select(
            *texts,
            *kept,
            count=nw.lit(1, dtype=nw.Int64),
            minor=nw.col("minor").fill_null(0),
            priced_count=nw.when(nw.col("minor").is_null()).then(0).otherwise(1),
        )
        .unpivot(
            on=list(by),
            index=[*also, *sums],
            variable_name="by",
            value_name="group",
        )
        .group_by("by", "group", *also)
        .agg(nw.col(*sums).sum())
    )
    return _whole(found, sums, ["by", "group", *also])


def answers(rows: Any) -> pa.Table:
    """By whole working minutes, rounded up: how many were answered then, or wait so long.

    Args:
        rows: With ``response_s``, null where there is no answer, and ``waited_s``.
    """
    is_answered = ~nw.col("answered_s").is_null()
    waited = (
        nw.when(is_answered).then(nw.col("response_s")).otherwise(nw.col("waited_s"))
    )
    minutes = (waited + (_A_MINUTE - 1)) // _A_MINUTE
    found = collected(
        rows.select(
            is_answered=nw.when(is_answered).then(1).otherwise(0),
            minutes=minutes,
            count=nw.lit(1, dtype=nw.Int64),
        )
        .filter(~nw.col("minutes").is_null())
        .group_by("is_answered", "minutes")
        .agg(nw.col("count").sum())
    )
    names = ("is_answered", "minutes", "count")
    return _whole(found, names, names[:2])


def became_opportunities(
    portfolio: Portfolio, span: Period, clock: Clock, contacts: Contacts
) -> Any:
    """Enquiries of the period that became an opportunity, as `enquired` has the others.

    An answer is also the first activity of ours about that opportunity.
    """
    kinds = {"opportunity_id": _TEXT, "first_response_at": pa.timestamp("us", "UTC")}
    rows = nw.from_native(completed(portfolio["enquiry"], kinds)).lazy()
    zone = portfolio.calendar.time_zone
    told = rows.filter(
        moment_in(span, "created_at", zone) & ~nw.col("opportunity_id").is_null()
    ).select(
        nw.col("enquiry_id").alias("record_id"),
        "opportunity_id",
        created_s=seconds(nw.col("created_at"), portfolio.backend),
        responded_s=seconds(nw.col("first_response_at"), portfolio.backend),
    )
    told = _until_now(told.with_columns(starts_s=nw.col("created_s")), portfolio, clock)
    return pursuits(portfolio, told, clock, contacts)


def open_pursuits(portfolio: Portfolio, clock: Clock, contacts: Contacts) -> Any:
    """Open opportunities as they stand: the record, and what was done until today.

    ``silent_days`` counts from the last activity, or the last one the CRM says there was
    (``noted_day``), or the day it came in, whichever is the latest. ``waited_s`` is the
    working time since it came in.
    """
    kinds = RECORD | {"last_activity_on": pa.date32()}
    rows = nw.from_native(completed(portfolio["opportunity"], kinds)).lazy()
    texts = ("account_id", "owner_id", "source", "pipeline", "stage", "kind")
    factor = float(10**portfolio.minor_digits)
    told = rows.filter(nw.col("status") == "open").select(
        nw.col("opportunity_id").alias("record_id"),
        "opportunity_id",
        *texts,
        "expected_close_on",
        created_s=seconds(nw.col("created_at"), portfolio.backend),
        responded_s=seconds(nw.col("first_response_at"), portfolio.backend),
        minor=(nw.col("amount") * factor).round(0).cast(nw.Int64),
        has_next_step=nw.when(nw.col("next_step").fill_null("") != "")
        .then(1)
        .otherwise(0),
        noted_day=day_number(nw.col("last_activity_on"), portfolio.backend),
        starts_s=nw.lit(_ALWAYS, dtype=nw.Int64),
    )
    found = pursuits(portfolio, _until_now(told, portfolio, clock), clock, contacts)
    last = _later(
        _later(nw.col("last_day"), nw.col("noted_day")), nw.col("created_day")
    )
    return found.with_columns(last_day=last).with_columns(
        silent_days=nw.col("closed_day") - nw.col("last_day")
    )


def with_segment(rows: Any, portfolio: Portfolio) -> Any:
    """The rows with the ``segment`` of their account."""
    accounts = nw.from_native(
        completed(portfolio["account"], {"segment": _TEXT})
    ).lazy()
    return rows.join(
        accounts.select("account_id", "segment"), on="account_id", how="left"
    )


def _until_now(rows: Any, portfolio: Portfolio, clock: Clock) -> Any:
    """The rows as lasting until the end of the as-of day, with how long that was."""
    day = portfolio.as_of
    rows = rows.with_columns(
        ends_s=nw.lit(clock.second_after(day), dtype=nw.Int64),
        closed_day=nw.lit((day - _EPOCH).days, dtype=nw.Int64),
    )
    rows = clock.told(rows, "ends_s", worked="worked_ends")
    rows = clock.told(rows, "created_s", day="created_day", worked="worked_created")
    waited = nw.col("worked_ends") - nw.col("worked_created")
    return rows.with_columns(waited_s=waited).drop("worked_ends")


def _later(one: Any, other: Any) -> Any:
    """The later of two days, or the one that is known."""
    is_later = (other > one).fill_null(value=False)
    return nw.when(one.is_null() | is_later).then(other).otherwise(one)


def _leading(minor: Any) -> Any:
    """The first two digits of a positive amount, the others 0."""
    cell = minor
    for power in range(2, _MOST_DIGITS):
        unit = 10 ** (power - 1)
        cell = nw.when(minor >= 10 * unit).then(minor // unit * unit).otherwise(cell)
    return cell


def _whole(found: pa.Table, numbers: Sequence[str], order: Sequence[str]) -> pa.Table:
    """The same kinds and the same order, whichever engine counted."""
    for name in numbers:
        at = found.column_names.index(name)
        found = found.set_column(at, name, found[name].cast(pa.int64()))
    return found.sort_by([(name, "ascending") for name in order]).combine_chunks()
