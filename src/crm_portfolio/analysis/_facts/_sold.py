"""What was sold to whom, line by line, in whole numbers?"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pyarrow as pa

from crm_portfolio._frames import Backend, NativeFrame, from_arrow, kept, nw
from crm_portfolio.analysis._facts._lines import (
    TABLE_OF,
    Measure,
    collected,
    completed,
    minor_of,
)
from crm_portfolio.analysis._facts._once import once_per_portfolio
from crm_portfolio.portfolio import Portfolio

__all__ = ["NO_PRODUCT", "Sold", "as_sold", "sold"]

NO_PRODUCT = -1
"""The place of what names no product."""

_TEXT, _DAY, _NUMBER = pa.string(), pa.date32(), pa.float64()


@attrs.frozen(eq=False)
class Sold:
    """Lines that say their account and their day, kept by the engine.

    Attributes:
        lines: ``day``, ``minor`` and ``cost_minor``, with the places of the account among
            those of the portfolio and of the ``product`` among the products.
        products: ``product_id``, sorted, and the day it was first sold ``offered_on``.
    """

    lines: Any
    products: pa.Table


@once_per_portfolio
def sold(portfolio: Portfolio, measure: Measure) -> Sold:
    """What was sold, for all that is asked of products.

    Engines group whole numbers several times as fast as ids.
    """
    lines = as_sold(portfolio[TABLE_OF[measure]], measure, portfolio.minor_digits)
    named = lines.filter(~nw.col("product_id").is_null())
    products = collected(
        named.group_by("product_id").agg(offered_on=nw.col("day").min())
    ).sort_by("product_id")
    accounts = portfolio.arrow("account")["account_id"]
    whose = _places(accounts, "account_id", "whose", portfolio.backend)
    which = _places(products["product_id"], "product_id", "product", portfolio.backend)
    lines = lines.join(whose, on="account_id", how="inner")
    lines = lines.join(which, on="product_id", how="left")
    placed = lines.select(
        "day",
        "minor",
        "cost_minor",
        account_id=nw.col("whose"),
        product=nw.col("product").fill_null(NO_PRODUCT).cast(nw.Int32),
    )
    return Sold(kept(placed), products)


def as_sold(frame: NativeFrame, measure: Measure, digits: int) -> Any:
    """Revenue as account_id, product_id, day, minor and cost_minor, to be scanned."""
    day = "closed_on" if measure == "booked" else "booked_on"
    kinds = {"account_id": _TEXT, "product_id": _TEXT, day: _DAY, "amount": _NUMBER}
    lines = nw.from_native(completed(frame, kinds | {"cost": _NUMBER})).lazy()
    if measure == "booked":
        lines = lines.filter(nw.col("status") == "won")
    return lines.filter(
        ~nw.col("account_id").is_null() & ~nw.col(day).is_null()
    ).select(
        "account_id",
        "product_id",
        day=nw.col(day),
        minor=minor_of("amount", digits),
        cost_minor=minor_of("cost", digits),
    )


def _places(ids: pa.ChunkedArray, key: str, name: str, backend: Backend) -> Any:
    """The place of each id, to be joined."""
    table = pa.table({key: ids, name: np.arange(len(ids), dtype=np.int32)})
    return nw.from_native(from_arrow(table, backend)).lazy()
