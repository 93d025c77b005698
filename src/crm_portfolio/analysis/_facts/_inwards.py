"""When did each account come to us of its own accord?"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from crm_portfolio._frames import NativeFrame, kept, nw
from crm_portfolio.analysis._facts._days import by_place
from crm_portfolio.analysis._facts._lines import completed
from crm_portfolio.analysis._facts._once import once_per_portfolio
from crm_portfolio.portfolio import Portfolio

__all__ = ["came_inwards", "inwards"]

_TEXT = pa.string()


@once_per_portfolio
def came_inwards(portfolio: Portfolio) -> Any:
    """Activities `inwards`, `by_place`, kept by the engine for all who count them."""
    return kept(by_place(portfolio, inwards(portfolio["activity"])))


def inwards(activities: NativeFrame) -> Any:
    """Calls, mails and visits that took place: of whom and when; what is kept, as it is."""
    if isinstance(activities, nw.LazyFrame):
        return activities
    kinds = {"account_id": _TEXT, "direction": _TEXT, "status": _TEXT}
    rows = nw.from_native(completed(activities, kinds)).lazy()
    took_place = nw.col("status").fill_null("held") == "held"
    came = rows.filter((nw.col("direction") == "in") & took_place)
    return came.filter(~nw.col("account_id").is_null()).select(
        "account_id", "occurred_at"
    )
