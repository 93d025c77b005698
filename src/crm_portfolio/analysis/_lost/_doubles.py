"""Which lost opportunity is probably the same as one that was won?"""

from __future__ import annotations

from typing import Any

from crm_portfolio._frames import nw
from crm_portfolio.analysis._facts import Clock, floor_div, recorded, whole
from crm_portfolio.analysis._lost._settings import LostOpportunitiesSettings
from crm_portfolio.portfolio import Portfolio

__all__ = ["doubles"]


def doubles(
    rows: Any, portfolio: Portfolio, clock: Clock, settings: LostOpportunitiesSettings
) -> Any:
    """By ``ordinal``, ``apart`` of 1: an account won another entered at about that time.

    And for about as much: who enters a sale twice gives the second entry up as lost, soon
    or late, so that its closing tells nothing. Amounts of nothing are no amounts.

    Days are compared by cells twice as wide as the distance allowed, so that the days
    near enough to one are of two of them, and no engine pairs all of an account with all.
    """
    near = max(settings.duplicate_days, 1)
    day, width = nw.col("created_day"), 2 * near
    wins = _entered(recorded(portfolio).filter(nw.col("status") == "won"), clock)
    won = wins.select(
        "account_id",
        won_minor="minor",
        won_day="created_day",
        cell=floor_div(day, width),
    )
    own = _entered(rows, clock).select(
        *("ordinal", "account_id", "minor"),
        own_day=day,
        first_cell=floor_div(day - near, width),
        last_cell=floor_div(day + near, width),
    )
    cell = nw.col("first_cell")
    cells = nw.concat(
        [
            own.with_columns(cell=cell).drop("first_cell", "last_cell"),
            own.filter(nw.col("last_cell") > cell)
            .with_columns(cell=nw.col("last_cell"))
            .drop("first_cell", "last_cell"),
        ],
        how="vertical",
    )
    minor, other = nw.col("minor"), nw.col("won_minor")
    larger = nw.when(minor.abs() > other.abs()).then(minor.abs()).otherwise(other.abs())
    is_near = (minor - other).abs() <= larger * settings.duplicate_share
    is_near &= larger > 0
    apart = (nw.col("own_day") - nw.col("won_day")).abs()
    return (
        cells.join(won, on=["account_id", "cell"], how="inner")
        .filter(is_near & (apart <= settings.duplicate_days))
        .select("ordinal", apart=whole("own_day", 1))
        .group_by("ordinal")
        .agg(nw.col("apart").max())
    )


def _entered(rows: Any, clock: Clock) -> Any:
    """Those of which it is known whose they are, for how much, and since when."""
    known = ~nw.any_horizontal(
        *(nw.col(each).is_null() for each in ("account_id", "minor", "created_s")),
        ignore_nulls=True,
    )
    return clock.told(
        rows.filter(known).select("ordinal", "account_id", "minor", "created_s"),
        "created_s",
        day="created_day",
    )
