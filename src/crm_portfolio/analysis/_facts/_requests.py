"""What did each account ask for beyond the usual: effort, tickets, old and new offers?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any, Final

import pyarrow as pa

from crm_portfolio._frames import NativeFrame, nw
from crm_portfolio.analysis._facts._attached import moment_in
from crm_portfolio.analysis._facts._lines import (
    collected,
    completed,
    nearest,
    one_of,
    seconds_given,
)
from crm_portfolio.portfolio import Period

__all__ = [
    "PARTS_OF_SATISFACTION",
    "asked_of_us",
    "bound_until",
    "controversies",
    "efforts_by_kind",
    "joint_projects",
    "new_offers",
    "old_offers",
]

_TEXT, _DAY, _NUMBER, _FLAG = pa.string(), pa.date32(), pa.float64(), pa.bool_()
PARTS_OF_SATISFACTION: Final = 1_000_000
"""Of one point: satisfaction is summed in whole parts, so that its sum has no order."""


def efforts_by_kind(
    frame: NativeFrame,
    span: Period,
    *,
    special: Collection[str],
    obsolete: Collection[str],
) -> pa.Table:
    """By account, of the time in the period: all, on special requests, on old offers.

    In whole seconds, with how many kinds of work and of special requests there were, and
    ``named_seconds`` that say their product.
    """
    kinds = {"kind": _TEXT, "product_id": _TEXT}
    day, kind, product = (nw.col(name) for name in ("worked_on", "kind", "product_id"))
    rows = (
        nw.from_native(completed(frame, kinds))
        .filter((day >= span.start) & (day < span.end))
        .select(
            "account_id",
            kind=kind.fill_null(""),
            is_special=_one(one_of(kind, special)),
            is_old=_one(one_of(product, obsolete)),
            is_named=(~product.is_null()).cast(nw.Int64),
            seconds=seconds_given(),
        )
        .with_columns(
            special_seconds=nw.col("seconds") * nw.col("is_special"),
            old_seconds=nw.col("seconds") * nw.col("is_old"),
            named_seconds=nw.col("seconds") * nw.col("is_named"),
            has_kind=(nw.col("kind") != "").cast(nw.Int64),
        )
    )
    sums = ("seconds", "special_seconds", "old_seconds", "named_seconds")
    by_kind = rows.group_by("account_id", "kind").agg(
        nw.col(*sums).sum(), nw.col("is_special", "has_kind").max()
    )
    found = by_kind.group_by("account_id").agg(
        nw.col(*sums).sum(),
        kinds=nw.col("has_kind").sum(),
        special_kinds=nw.col("is_special").sum(),
    )
    return collected(found).sort_by("account_id")


def asked_of_us(frame: NativeFrame, span: Period, zone: str) -> pa.Table:
    """By account: its tickets of the period, those passed upwards, and how content it was.

    ``told`` say whether they were escalated; ``satisfied`` is the sum, in
    `PARTS_OF_SATISFACTION`, over the ``rated`` ones.
    """
    kinds = {"account_id": _TEXT, "is_escalated": _FLAG, "satisfaction": _NUMBER}
    passed, content = nw.col("is_escalated"), nw.col("satisfaction")
    parts = nearest(content * float(PARTS_OF_SATISFACTION))
    sums = ("tickets", "told", "escalated", "rated", "satisfied")
    found = (
        nw.from_native(completed(frame, kinds))
        .filter(
            ~nw.col("account_id").is_null() & moment_in(span, "opened_at", zone),
        )
        .select(
            "account_id",
            tickets=nw.lit(1, dtype=nw.Int64),
            told=(~passed.is_null()).cast(nw.Int64),
            escalated=_one(passed),
            rated=(~content.is_null()).cast(nw.Int64),
            satisfied=parts.fill_null(0),
        )
        .group_by("account_id")
        .agg(nw.col(*sums).sum())
    )
    return collected(found).sort_by("account_id")


def old_offers(frame: NativeFrame, span: Period, products: Collection[str]) -> pa.Table:
    """By account: how many of these products it bought, and how many nobody else did."""
    bought = _bought(frame, span).filter(one_of(nw.col("product_id"), products))
    buyers = bought.group_by("product_id").agg(buyers=nw.col("products").sum())
    found = (
        bought.join(buyers, on="product_id", how="inner")
        .with_columns(alone=(nw.col("buyers") == 1).cast(nw.Int64))
        .group_by("account_id")
        .agg(nw.col("products", "alone").sum())
    )
    return collected(found).sort_by("account_id")


def new_offers(frame: NativeFrame, span: Period, since: date) -> pa.Table:
    """By account: how many products it bought that were first sold since that day.

    And how many of those there are at all, on every row.
    """
    day = nw.col("booked_on")
    sold = (
        nw.from_native(completed(frame, {"product_id": _TEXT}))
        .filter(~nw.col("product_id").is_null() & (day < span.end))
        .group_by("product_id")
        .agg(first_on=day.min())
        .filter(nw.col("first_on") >= since)
        .select("product_id")
    )
    found = (
        _bought(frame, span, sold).group_by("account_id").agg(nw.col("products").sum())
    )
    return collected(found).sort_by("account_id")


def _bought(frame: NativeFrame, span: Period, among: Any = None) -> Any:
    """Account and product, with ``products`` of 1, of what was sold in the period.

    Args:
        among: A frame of the products that are meant; None: all.
    """
    day = nw.col("booked_on")
    lines = nw.from_native(completed(frame, {"product_id": _TEXT, "kind": _TEXT}))
    lines = lines.filter(
        ~nw.col("product_id").is_null()
        & one_of(nw.col("kind").fill_null("invoice"), _SOLD)
        & (day >= span.start)
        & (day < span.end)
    )
    if among is not None:
        lines = lines.join(among, on="product_id", how="inner")
    return (
        lines.select("account_id", "product_id", products=_ONE)
        .group_by("account_id", "product_id")
        .agg(nw.col("products").max())
    )


def joint_projects(frame: NativeFrame, kinds: Sequence[str]) -> pa.Table:
    """By account: how many projects of these kinds it has with us."""
    found = (
        nw.from_native(completed(frame, {"account_id": _TEXT, "kind": _TEXT}))
        .filter(~nw.col("account_id").is_null() & one_of(nw.col("kind"), kinds))
        .select("account_id", projects=_ONE)
        .group_by("account_id")
        .agg(nw.col("projects").sum())
    )
    return collected(found).sort_by("account_id")


def controversies(
    frame: NativeFrame, kinds: Sequence[str], *, as_of: date, days: int
) -> pa.Table:
    """By account: the last day of such an event, if that is no longer ago."""
    told = {"account_id": _TEXT, "kind": _TEXT, "to_on": _DAY}
    first, last = nw.col("from_on"), nw.col("last_on")
    found = (
        nw.from_native(completed(frame, told))
        .filter(
            ~nw.col("account_id").is_null()
            & one_of(nw.col("kind"), kinds)
            & (first <= as_of)
        )
        .select("account_id", last_on=nw.coalesce(nw.col("to_on"), first))
        .filter(last >= as_of - timedelta(days=days))
        .group_by("account_id")
        .agg(last.max())
    )
    return collected(found).sort_by("account_id")


def bound_until(frame: NativeFrame, as_of: date) -> pa.Table:
    """By account: contracts that run, the last of their ends, the longest notice.

    ``open_ended`` counts those that go on until somebody ends them.
    """
    kinds = {"ends_on": _DAY, "auto_renews": _FLAG, "notice_days": pa.int64()}
    starts, ends = nw.col("starts_on"), nw.col("ends_on")
    goes_on = nw.col("auto_renews").fill_null(value=False) | ends.is_null()
    found = (
        nw.from_native(completed(frame, kinds))
        .filter((starts <= as_of) & (goes_on | (ends >= as_of)))
        .select(
            "account_id",
            running=_ONE,
            open_ended=goes_on.cast(nw.Int64),
            ends_on=ends,
            notice_days=nw.col("notice_days").cast(nw.Int64),
        )
        .group_by("account_id")
        .agg(
            nw.col("running", "open_ended").sum(),
            nw.col("ends_on", "notice_days").max(),
        )
    )
    return collected(found).sort_by("account_id")


def _one(flag: Any) -> Any:
    """1 where it is true, 0 where it is false or unknown."""
    return flag.fill_null(value=False).cast(nw.Int64)


_ONE: Final = nw.lit(1, dtype=nw.Int64)
_SOLD: Final = ("invoice", "recurring")
