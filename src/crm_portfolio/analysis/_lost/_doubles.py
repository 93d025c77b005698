"""Which lost opportunity is probably the same as one that was won?"""

from __future__ import annotations

from typing import Any

from crm_portfolio._frames import nw
from crm_portfolio.analysis._facts import Clock, recorded, whole
from crm_portfolio.analysis._lost._settings import LostOpportunitiesSettings
from crm_portfolio.portfolio import Portfolio

__all__ = ["doubles"]


def doubles(
    rows: Any, portfolio: Portfolio, clock: Clock, settings: LostOpportunitiesSettings
) -> Any:
    """By record, ``apart`` of 1: an account won another that was entered at about that time.

    And for about as much: who enters a sale twice gives the second entry up as lost, soon
    or late, so that its closing tells nothing. Amounts of nothing are no amounts.

    Days are compared by cells twice as wide as the distance allowed, so that the days
    near enough to one are of two of them, and no engine pairs all of an account with all.
    """
    near = max(settings.duplicate_days, 1)
    day, width = nw.col("created_day"), 2 * near
    wins = recorded(portfolio).filter(
        (nw.col("status") == "won")
        & ~nw.col("account_id").is_null()
        & ~nw.col("minor").is_null()
        & ~nw.col("created_s").is_null()
    )
    dated_wins = clock.told(wins, "created_s", day="created_day")
    won = nw.concat(
        [
            dated_wins.select(
                "account_id", cell=cell, won_day="created_day", won_minor="minor"
            )
            for cell in ((day - near) // width, (day - near) // width + 1)
        ],
        how="vertical",
    )
    own, other = nw.col("minor"), nw.col("won_minor")
    larger = nw.when(own.abs() > other.abs()).then(own.abs()).otherwise(other.abs())
    is_near = (own - other).abs() <= larger * settings.duplicate_share
    is_near &= larger > 0
    apart = (nw.col("own_day") - nw.col("won_day")).abs()
    dated = rows.filter(
        ~nw.col("account_id").is_null() & ~nw.col("created_s").is_null()
    )
    return (
        clock.told(dated, "created_s", day="created_day")
        .select(
            "record_id", "account_id", "minor", own_day="created_day", cell=day // width
        )
        .join(won, on=["account_id", "cell"], how="inner")
        .filter(is_near & (apart <= settings.duplicate_days))
        .select("record_id", apart=whole("own_day", 1))
        .group_by("record_id")
        .agg(nw.col("apart").max())
    )
