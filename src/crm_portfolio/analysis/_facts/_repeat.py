"""What did each account buy after its first time, and which contracts of it run?"""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa

from crm_portfolio._frames import NativeFrame, nw, same_kind
from crm_portfolio.analysis._facts._days import bought
from crm_portfolio.analysis._facts._lines import collected, completed

__all__ = ["contract_terms", "repeat_purchases"]

_DAY, _NUMBER, _FLAG = pa.date32(), pa.float64(), pa.bool_()


def repeat_purchases(days: Any, since: pa.Table, *, start: date, end: date) -> pa.Table:
    """By account: its days after the first, and its days in a span.

    ``known_days`` are days after the first on which every line has its amount,
    ``known_minor`` what was bought on them; ``span_days`` counts from ``start`` on.

    Args:
        days: Revenue `by_day`.
        since: ``account_id`` and ``first_on``, the day of the first purchase.
        end: Days before it count.
    """
    day, first = nw.col("day"), nw.col("first_on")
    asked = nw.from_native(same_kind(since, nw.to_native(days)))
    if isinstance(days, nw.LazyFrame):
        asked = asked.lazy()
    is_known = (day > first) & (nw.col("unknown") == 0)
    return collected(
        bought(days.filter(day < end))
        .join(asked, on="account_id", how="inner")
        .select(
            "account_id",
            known_days=is_known.cast(nw.Int64),
            known_minor=nw.when(is_known).then(nw.col("minor")).otherwise(0),
            span_days=(day >= start).cast(nw.Int64),
        )
        .group_by("account_id")
        .agg(nw.col("known_days", "known_minor", "span_days").sum())
    )


def contract_terms(
    frame: NativeFrame, *, on: date, before: date, digits: int
) -> pa.Table:
    """By account: contracts running ``on`` a day and on one ``before``, and their amounts.

    One that goes on unless someone ends it has no end. ``signed`` is what those running
    bring in a year, ``unsaid`` how many of them do not say it; ``begun`` counts all.
    """
    kinds = {"ends_on": _DAY, "auto_renews": _FLAG, "amount_per_year": _NUMBER}
    ends, starts = nw.col("ends_on"), nw.col("starts_on")
    goes_on = nw.col("auto_renews").fill_null(value=False) | ends.is_null()

    def runs(day: date) -> Any:
        return ((starts <= day) & (goes_on | (ends >= day))).fill_null(value=False)

    minor = (nw.col("amount_per_year") * float(10**digits)).round(0).cast(nw.Int64)
    return collected(
        nw.from_native(completed(frame, kinds))
        .filter(~nw.col("account_id").is_null())
        .select(
            "account_id",
            begun=(starts <= on).fill_null(value=False).cast(nw.Int64),
            running=runs(on).cast(nw.Int64),
            ran=runs(before).cast(nw.Int64),
            signed=nw.when(runs(on)).then(minor.fill_null(0)).otherwise(0),
            unsaid=(runs(on) & minor.is_null()).cast(nw.Int64),
        )
        .group_by("account_id")
        .agg(nw.col("begun", "running", "ran", "signed", "unsaid").sum())
    )
