"""How was each enquiry that never became an opportunity answered, until the as-of day?

The columns are those of `pursued`, so that the same rules can judge both.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

import pyarrow as pa

from crm_portfolio._frames import nw
from crm_portfolio.analysis._facts._attached import moment_in
from crm_portfolio.analysis._facts._clock import Clock, seconds
from crm_portfolio.analysis._facts._lines import collected, completed, one_of
from crm_portfolio.analysis._facts._pursuits import (
    Contacts,
    contacted,
    contacts_of,
    pursued,
    whole,
)
from crm_portfolio.portfolio import Period, Portfolio

__all__ = ["answers_kept", "enquired"]

_TEXT, _MOMENT = pa.string(), pa.timestamp("us", "UTC")
_KINDS = {
    "account_id": _TEXT,
    "opportunity_id": _TEXT,
    "owner_id": _TEXT,
    "source": _TEXT,
    "status": _TEXT,
    "first_response_at": _MOMENT,
}


def answers_kept(portfolio: Portfolio, span: Period) -> tuple[int, int]:
    """Of the enquiries of a period that became opportunities: all, and those answered.

    Where none became one, of all.
    """
    rows = _rows(portfolio, span)
    became = ~nw.col("opportunity_id").is_null()
    is_answered = ~nw.col("first_response_at").is_null()
    (found,) = collected(
        rows.select(
            became=became.cast(nw.Int64),
            both=(became & is_answered).cast(nw.Int64),
            answered=is_answered.cast(nw.Int64),
            n=nw.lit(1, dtype=nw.Int64),
        ).select(nw.col("became", "both", "answered", "n").sum())
    ).to_pylist()
    pair = ("became", "both") if found["became"] else ("n", "answered")
    return int(found[pair[0]] or 0), int(found[pair[1]] or 0)


def enquired(
    portfolio: Portfolio,
    span: Period,
    clock: Clock,
    contacts: Contacts = Contacts(),  # noqa: B008 - frozen
    *,
    ids: Collection[str] | None = None,
) -> Any:
    """Enquiries that came in the period and never became an opportunity.

    Activities count that name the account of the enquiry and no opportunity.
    ``waited_s`` is the working time since it came.
    """
    day = portfolio.as_of
    rows = _rows(portfolio, span).filter(nw.col("opportunity_id").is_null())
    if ids is not None:
        rows = rows.filter(one_of(nw.col("enquiry_id"), ids))
    told = rows.select(
        nw.col("enquiry_id").alias("record_id"),
        *(nw.col(name) for name in ("account_id", "owner_id", "source", "status")),
        created_s=seconds(nw.col("created_at"), portfolio.backend),
        responded_s=seconds(nw.col("first_response_at"), portfolio.backend),
    ).with_columns(
        starts_s=nw.col("created_s"),
        ends_s=whole("created_s", clock.second_after(day)),
        closed_day=whole("created_s", _number(day)),
    )
    told = clock.told(told, "ends_s", worked="worked_ends")
    told = clock.told(told, "created_s", day="created_day", worked="worked_created")
    found = None
    if "activity" in portfolio:
        held = contacted(portfolio, contacts, "account_id", about_none=True)
        found = contacts_of(told, held, "account_id")
    waited = nw.col("worked_ends") - nw.col("worked_created")
    told = told.with_columns(waited_s=waited).drop("worked_ends")
    return pursued(told, found, clock)


def _rows(portfolio: Portfolio, span: Period) -> Any:
    zone = portfolio.calendar.time_zone
    rows = nw.from_native(completed(portfolio["enquiry"], _KINDS)).lazy()
    return rows.filter(moment_in(span, "created_at", zone))


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days
