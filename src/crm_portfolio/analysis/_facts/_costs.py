"""What was spent on whom, how was each account won, and at which prices does it buy?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa

from crm_portfolio._frames import NativeFrame, backend_of, nw, same_kind
from crm_portfolio.analysis._facts._attached import moment_in
from crm_portfolio.analysis._facts._clock import seconds
from crm_portfolio.analysis._facts._concessions import beside_discounts
from crm_portfolio.analysis._facts._lines import (
    collected,
    completed,
    day_number,
    seconds_given,
)
from crm_portfolio.analysis._facts._two_periods import (
    CONCESSIONS,
    PARTS,
    added_up,
    of,
    summed,
    true,
    whole,
    within,
)
from crm_portfolio.portfolio import Period

__all__ = [
    "capacity_in",
    "counted_activities",
    "first_sources",
    "first_wins",
    "listed_lines",
    "offers",
    "prices_paid",
    "seconds_of_kinds",
    "spent",
]

_TEXT, _DAY, _NUMBER = pa.string(), pa.date32(), pa.float64()
# Both more than there are, from the year 1 on and up to 9999; the last of them is nobody's.
_SECONDS_BEFORE_1970: Final = 2**36
_SECONDS: Final = 2**39
_UNKNOWN: Final = _SECONDS - 1


def spent(frame: NativeFrame, span: Period, lagged: Period, digits: int) -> pa.Table:
    """Costs by account (empty: nobody's), kind and, of acquisition, label.

    Minor units of the period (``now``), of its avoidable part, of the days that lie a sales
    cycle before (``lagged``) and of all up to its end (``ever``); ``unsaid`` counts the
    period's rows that do not say whether they end with the account. What is exceptional is
    nobody's cost and left out.
    """
    kinds = {"account_id": _TEXT, "label": _TEXT, "is_avoidable": pa.bool_()}
    kinds |= {"amount": _NUMBER, "booked_on": _DAY, "kind": _TEXT}
    day, is_avoidable = nw.col("booked_on"), nw.col("is_avoidable")
    is_won = true(nw.col("kind") == "acquisition")
    rows = (
        nw.from_native(completed(frame, kinds))
        .filter(
            (day < span.end)
            & ~nw.col("amount").is_null()
            & (nw.col("kind").fill_null("") != "exceptional")
        )
        .select(
            nw.col("account_id").fill_null(""),
            nw.col("kind").fill_null(""),
            label=nw.when(is_won)
            .then(nw.col("label").fill_null(""))
            .otherwise(nw.lit("")),
            minor=whole(nw.col("amount") * float(10**digits)),
            is_now=within(day, span),
            is_lagged=within(day, lagged),
            ends=true(is_avoidable),
            is_unsaid=is_avoidable.is_null(),
        )
    )
    minor = nw.col("minor")
    sums = {
        "now": of(nw.col("is_now"), minor),
        "avoidable": of(nw.col("is_now") & nw.col("ends"), minor),
        "lagged": of(nw.col("is_lagged"), minor),
        "ever": minor,
    }
    counts = {
        "unsaid": nw.col("is_now") & nw.col("is_unsaid"),
        "rows": nw.col("is_now"),
    }
    return summed(rows, ("account_id", "kind", "label"), sums, counts)


def first_wins(frame: NativeFrame) -> pa.Table:
    """By account, in any order: the day its first sale was won, and when that came in.

    Of several on the one day the earliest entered counts, to the second. Day and second are
    looked for as one number: an engine need not join what it has found to all sales again.
    """
    backend = backend_of(frame)
    entered = seconds(nw.col("created_at"), backend) + _SECONDS_BEFORE_1970
    found = collected(
        _won(frame)
        .select(
            "account_id",
            pair=day_number(nw.col("closed_on"), backend) * _SECONDS
            + entered.fill_null(_UNKNOWN),
        )
        .group_by("account_id")
        .agg(nw.col("pair").min())
    )
    day, entry = np.divmod(found["pair"].cast(pa.int64()).to_numpy(), _SECONDS)
    moment = pa.array(entry - _SECONDS_BEFORE_1970, mask=entry == _UNKNOWN)
    columns = {
        "account_id": found["account_id"],
        "won_on": pa.array(day.astype(np.int32)).cast(_DAY),
        "entered_at": moment.cast(pa.timestamp("s", "UTC")),
    }
    return pa.table(columns)


def first_sources(frame: NativeFrame, wins: pa.Table) -> pa.Table:
    """By account, in any order: whence its first sale came; of several the first by name.

    Whose sales of that day do not say whence they come is left out.

    Args:
        wins: `first_wins` of the frame.
    """
    if "source" not in nw.from_native(frame).collect_schema().names():
        nobody = pa.array([], _TEXT)
        return pa.table({"account_id": nobody, "source": nobody})
    days = same_kind(wins.select(["account_id", "won_on"]), frame)
    sold = _won(frame).filter(~nw.col("source").is_null())
    return collected(
        sold.select("account_id", "closed_on", "source")
        .join(nw.from_native(days).lazy(), on="account_id", how="inner")
        .filter(nw.col("closed_on") == nw.col("won_on"))
        .group_by("account_id")
        .agg(nw.col("source").min())
    )


def _won(frame: NativeFrame) -> Any:
    """The sales that say by which account and when they were won."""
    kinds = {"account_id": _TEXT, "closed_on": _DAY}
    kinds |= {"created_at": pa.timestamp("us", "UTC")}
    return (
        nw.from_native(completed(frame, kinds))
        .lazy()
        .filter(
            (nw.col("status") == "won")
            & ~nw.col("account_id").is_null()
            & ~nw.col("closed_on").is_null()
        )
    )


def counted_activities(
    frame: NativeFrame, span: Period, zone: str, kinds: Sequence[str]
) -> pa.Table:
    """By account and kind: how many of these took place in the period."""
    columns = {"account_id": _TEXT, "kind": _TEXT, "status": _TEXT}
    rows = nw.from_native(completed(frame, columns)).filter(
        moment_in(span, "occurred_at", zone)
        & true(nw.col("kind").is_in(list(kinds)))
        & ~nw.col("account_id").is_null()
        & (nw.col("status").fill_null("held") == "held")
    )
    return summed(rows, ("account_id", "kind"), {"count": nw.lit(1, dtype=nw.Int64)})


def seconds_of_kinds(
    frame: NativeFrame, span: Period, kinds: Sequence[str]
) -> pa.Table:
    """By account and role: time of the period that was given to work of these kinds."""
    columns = {"kind": _TEXT, "role": _TEXT}
    day = nw.col("worked_on")
    rows = (
        nw.from_native(completed(frame, columns))
        .filter(within(day, span) & true(nw.col("kind").is_in(list(kinds))))
        .select(
            "account_id",
            nw.col("role").fill_null(""),
            seconds=seconds_given(),
        )
    )
    return summed(rows, ("account_id", "role"), {"seconds": nw.col("seconds")})


def listed_lines(frame: NativeFrame, span: Period, digits: int) -> pa.Table:
    """By account and product: what its sales were to cost and were sold at.

    ``unlisted`` and ``quantity``, in parts, are of the ``unlisted_lines`` that say a product
    and a quantity but no list price; those alone are told by product. ``listed`` and
    ``sold`` are of the others, in which a line stands at what was invoiced if a discount
    line names it, as its discount stands on its own, or if nobody knows its list value, as
    of the ``unpriced_lines``.
    """
    kinds = {"kind": _TEXT, "quantity": _NUMBER, "list_price": _NUMBER}
    kinds |= {"amount": _NUMBER, "product_id": _TEXT, "origin_line_id": _TEXT}
    scale = float(10**digits)
    lines = nw.from_native(completed(frame, kinds)).lazy()
    rows = lines.filter(
        within(nw.col("booked_on"), span)
        & ~true(nw.col("kind").is_in(CONCESSIONS))
        & ~nw.col("amount").is_null()
        & ~nw.col("account_id").is_null()
    )
    sold = beside_discounts(frame, rows).select(
        "account_id",
        "product_id",
        "is_discounted",
        minor=whole(nw.col("amount") * scale),
        wanted=whole(nw.col("list_price") * nw.col("quantity") * scale),
        parts=whole(nw.col("quantity") * float(PARTS)),
        has_product=~nw.col("product_id").is_null(),
    )
    is_listed = ~nw.col("wanted").is_null()
    is_counted = ~is_listed & nw.col("has_product") & ~nw.col("parts").is_null()
    minor = nw.col("minor")
    sums: dict[str, Any] = {
        "sold": of(~is_counted, minor),
        "listed": nw.when(is_listed & ~nw.col("is_discounted"))
        .then(nw.col("wanted"))
        .otherwise(of(~is_counted, minor)),
        "unlisted": of(is_counted, minor),
        "quantity": of(is_counted, nw.col("parts")),
    }
    counts = {
        "unpriced_lines": ~is_listed & ~is_counted,
        "unlisted_lines": is_counted,
    }
    counted = nw.when(is_counted).then(nw.col("product_id")).otherwise(nw.lit(""))
    rows = sold.with_columns(product_id=counted)
    return added_up(rows, ("account_id", "product_id"), sums, counts)


def prices_paid(frame: NativeFrame, span: Period, digits: int) -> pa.Table:
    """By product and price of a unit, in minor units: on how many lines it was paid."""
    kinds = {"kind": _TEXT, "quantity": _NUMBER, "amount": _NUMBER, "product_id": _TEXT}
    rows = (
        nw.from_native(completed(frame, kinds))
        .filter(
            within(nw.col("booked_on"), span)
            & ~true(nw.col("kind").is_in(CONCESSIONS))
            & ~nw.col("product_id").is_null()
            & true(nw.col("quantity") > 0)
            & true(nw.col("amount") > 0)
        )
        .select(
            "product_id",
            price=whole(nw.col("amount") * float(10**digits) / nw.col("quantity")),
        )
    )
    count = {"count": nw.lit(1, dtype=nw.Int64)}
    return summed(rows, ("product_id", "price"), count)


def offers(frame: NativeFrame, span: Period) -> pa.Table:
    """By account: sales decided in the period that say their discount, and how many had one."""
    kinds = {"account_id": _TEXT, "closed_on": _DAY, "discount_share": _NUMBER}
    share = nw.col("discount_share")
    rows = nw.from_native(completed(frame, kinds)).filter(
        within(nw.col("closed_on"), span)
        & ~nw.col("account_id").is_null()
        & ~share.is_null()
    )
    counts = {"offers": ~share.is_null(), "discounted": share > 0}
    return summed(rows, ("account_id",), {}, counts)


def capacity_in(table: pa.Table, span: Period) -> dict[str, tuple[float, float | None]]:
    """By role: practical hours in the period, and what one costs in the mean.

    A span of capacity counts with its days in the period; hours whose cost nobody says
    count, and leave the mean to the others.
    """
    assert span.start is not None
    hours: dict[str, float] = {}
    priced: dict[str, float] = {}
    cost: dict[str, float] = {}
    rates = (
        table["cost_per_hour"].to_pylist()
        if "cost_per_hour" in table.column_names
        else [None] * table.num_rows
    )
    plain = table.select(["role", "from_on", "to_on", "hours"]).to_pylist()
    for row, each in sorted(
        zip(plain, rates, strict=True), key=lambda pair: str(pair[0])
    ):
        inside = _days(row["from_on"], row["to_on"], span)
        if inside <= 0:
            continue
        role, part = row["role"], row["hours"] * inside
        hours[role] = hours.get(role, 0.0) + part
        if each is not None:
            priced[role] = priced.get(role, 0.0) + part
            cost[role] = cost.get(role, 0.0) + part * each
    return {
        role: (each, cost[role] / priced[role] if priced.get(role) else None)
        for role, each in hours.items()
    }


def _days(first: date, last: date, span: Period) -> float:
    """The part of a span of capacity that lies in the period."""
    assert span.start is not None
    inside = (min(last, span.last_day) - max(first, span.start)).days + 1
    return inside / ((last - first).days + 1)
