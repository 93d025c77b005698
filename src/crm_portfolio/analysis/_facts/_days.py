"""What did each account buy on each day?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, from_arrow, in_file_order, kept, nw
from crm_portfolio.analysis._facts._lines import (
    Measure,
    collected,
    revenue_lines,
)
from crm_portfolio.analysis._facts._once import once_per_portfolio
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.schema import TableName

__all__ = ["account_days", "bought", "by_day", "by_place", "with_places"]


@once_per_portfolio
def account_days(portfolio: Portfolio, measure: Measure) -> Any:
    """Revenue `by_day`, kept by the engine: what the long table is scanned for.

    An account is told by its place among those of the portfolio: engines group whole
    numbers several times as fast as ids, and most so where equal ones lie together.
    """
    lines = revenue_lines(portfolio, measure, "").select("account_id", "day", "minor")
    return kept(by_day(by_place(portfolio, lines)), by=("account_id", "day"))


def by_place(portfolio: Portfolio, rows: Any) -> Any:
    """The rows of its accounts, each told by its place among them."""
    known = nw.from_native(_places(portfolio)).lazy().select("account_id", "place")
    told = rows.join(known, on="account_id", how="inner")
    return told.drop("account_id").rename({"place": "account_id"})


def _places(portfolio: Portfolio) -> NativeFrame:
    """The account of each ``place``; of one file, an engine may know by itself."""
    known = in_file_order(portfolio["account"], "place")
    if known is not None:
        return known
    ids = _account_ids(portfolio)
    places = {"account_id": ids, "place": np.arange(len(ids), dtype=np.int32)}
    return from_arrow(pa.table(places), portfolio.backend)


@once_per_portfolio
def _account_ids(portfolio: Portfolio) -> pa.Array:
    """In the order of the table; all else that a folder says of accounts is not read."""
    said = nw.from_native(portfolio["account"]).lazy().select("account_id")
    ids = collected(said)["account_id"].combine_chunks()
    in_order = pc.all(pc.less(ids.slice(0, max(len(ids) - 1, 0)), ids.slice(1))).as_py()
    # Not every engine hands rows out as they lie.
    return (
        ids if in_order else portfolio.arrow("account")["account_id"].combine_chunks()
    )


def with_places(portfolio: Portfolio, table: TableName) -> NativeFrame:
    """A table of it, `by_place`: what is summed by account comes in the order of numbers."""
    rows = nw.from_native(portfolio[table]).lazy()
    return nw.to_native(by_place(portfolio, rows))


def by_day(lines: Any) -> Any:
    """Lines by account and day: ``minor`` of the ``known_lines`` among the ``lines``.

    Those without a day are of none; those without an account are left out.
    """
    minor = nw.col("minor")
    return (
        lines.filter(~nw.col("account_id").is_null())
        .select("account_id", "day", "minor")
        .group_by("account_id", "day")
        .agg(minor.sum(), lines=nw.len(), known_lines=minor.count())
        .with_columns(
            nw.col("minor").cast(nw.Int64),
            nw.col("lines", "known_lines").cast(nw.Int32),
        )
    )


def bought(days: Any) -> Any:
    """Those on which something was bought, and how many lines lack their amount.

    More comes on them than goes, or nobody knows: what is sold for an unknown sum is sold.
    """
    unknown = nw.col("lines") - nw.col("known_lines")
    return days.with_columns(unknown=unknown).filter(
        (nw.col("minor") > 0) | (nw.col("unknown") > 0)
    )
