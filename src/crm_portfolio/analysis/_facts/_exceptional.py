"""What did running the firm cost in two periods, and what happened beside it?"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from crm_portfolio._frames import NativeFrame, nw
from crm_portfolio.analysis._facts._lines import collected, completed
from crm_portfolio.analysis._facts._two_periods import (
    Span,
    of,
    one,
    whole,
    within,
)

__all__ = ["events_within", "exceptional_costs", "last_events", "running_costs"]

_TEXT, _DAY, _NUMBER = pa.string(), pa.date32(), pa.float64()
_ITEM = ("record_id", "day", "label", "kind", "account_id", "minor")


def running_costs(frame: NativeFrame, span: Span) -> pa.Table:
    """Costs of both periods in one row, exceptional ones apart.

    ``lines`` says how many there are, ``known_lines`` how many with an amount, ``delivery``
    what delivering costs, and ``first_on`` the day of the first cost of all.
    """
    is_known = ~nw.col("minor").is_null()
    minor = nw.col("minor").fill_null(0)
    is_delivery = nw.col("kind") == "delivery"
    sums: dict[str, Any] = {}
    for when, is_in in (("", nw.col("is_now")), ("_before", nw.col("is_before"))):
        sums |= {
            f"cost{when}": of(is_in, minor),
            f"lines{when}": one(is_in),
            f"known_lines{when}": one(is_in & is_known),
            f"delivery{when}": of(is_in & is_delivery, minor),
        }
    lines = _costs(frame, span).filter(nw.col("kind") != "exceptional")
    found = lines.select("day", **sums)
    return collected(found.select(nw.col(*sums).sum(), first_on=nw.col("day").min()))


def exceptional_costs(frame: NativeFrame, span: Span) -> pa.Table:
    """The few costs booked as exceptional, each as less than zero, by id."""
    found = _costs(frame, span).filter(
        (nw.col("kind") == "exceptional") & (nw.col("is_now") | nw.col("is_before"))
    )
    return _items(found.with_columns(minor=0 - nw.col("minor")))


def events_within(frame: NativeFrame, span: Span) -> pa.Table:
    """What happened from the first day of the one period to the last of the other."""
    kinds = {"amount": _NUMBER, "kind": _TEXT, "account_id": _TEXT}
    on = nw.col("from_on")
    found = (
        nw.from_native(completed(frame, kinds))
        .lazy()
        .filter((on >= span.before.start) & (on < span.now.end))
        .select(
            "label",
            "kind",
            "account_id",
            record_id=nw.col("event_id"),
            day=on,
            minor=whole(nw.col("amount") * float(10**span.digits)),
        )
    )
    return _items(found)


def last_events(frame: NativeFrame, kinds: tuple[str, ...], span: Span) -> pa.Table:
    """By account: the last day before this period on which such an event befell it."""
    read = completed(frame, {"kind": _TEXT, "account_id": _TEXT})
    found = (
        nw.from_native(read)
        .lazy()
        .filter(nw.col("kind").is_in(kinds) & (nw.col("from_on") < span.now.start))
        .filter(~nw.col("account_id").is_null())
        .group_by("account_id")
        .agg(day=nw.col("from_on").max())
    )
    return collected(found.select("account_id", "day")).sort_by("account_id")


def _costs(frame: NativeFrame, span: Span) -> Any:
    kinds = {"amount": _NUMBER, "kind": _TEXT, "label": _TEXT, "account_id": _TEXT}
    return (
        nw.from_native(completed(frame, kinds | {"booked_on": _DAY}))
        .lazy()
        .select(
            "label",
            "account_id",
            kind=nw.col("kind").fill_null(""),
            record_id=nw.col("cost_id"),
            day=nw.col("booked_on"),
            minor=whole(nw.col("amount") * float(10**span.digits)),
            is_now=within(nw.col("booked_on"), span.now),
            is_before=within(nw.col("booked_on"), span.before),
        )
    )


def _items(found: Any) -> pa.Table:
    return collected(found.select(*_ITEM)).select(_ITEM).sort_by("record_id")
