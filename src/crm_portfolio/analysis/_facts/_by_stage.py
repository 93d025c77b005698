"""How many activities had an opportunity by the time it left each stage behind?"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from crm_portfolio._frames import nw
from crm_portfolio.analysis._facts._clock import seconds
from crm_portfolio.analysis._facts._lines import collected, completed
from crm_portfolio.analysis._facts._pursuits import Contacts, contacted
from crm_portfolio.portfolio import Portfolio

__all__ = ["touches_by_stage"]

_TEXT = pa.string()
_KEYS = ("pipeline", "position")
_BEYOND = 2**40
"""Further than any open stage."""


def touches_by_stage(
    portfolio: Portfolio, rows: Any, contacts: Contacts
) -> pa.Table | None:
    """By pipeline, position and ``touches``: how many, ``n``, of these `closed` rows.

    A stage is left behind when the opportunity first comes to a later one, or to its end;
    what skipped it has left it too. Only those with changes of stage count. None without
    any table that this takes.
    """
    if not {"activity", "stage", "opportunity_change"} <= set(portfolio.tables):
        return None
    exits = _exits(portfolio, rows)
    held = contacted(portfolio, contacts, "opportunity_id")
    counted = (
        held.select("opportunity_id", "at_s", "touches")
        .join(exits, on="opportunity_id", how="inner")
        .filter(nw.col("at_s") < nw.col("exit_s"))
        .group_by("opportunity_id", "position")
        .agg(nw.col("touches").sum())
    )
    told = exits.join(counted, on=["opportunity_id", "position"], how="left")
    found = collected(
        told.select(
            *_KEYS,
            touches=nw.col("touches").fill_null(0).cast(nw.Int64),
            n=nw.lit(1, dtype=nw.Int64),
        )
        .group_by(*_KEYS, "touches")
        .agg(nw.col("n").sum())
    )
    return found.sort_by([(name, "ascending") for name in (*_KEYS, "touches")])


def _exits(portfolio: Portfolio, rows: Any) -> Any:
    """By opportunity and open stage: when it came to a later one, else its end."""
    stages = nw.from_native(portfolio["stage"]).lazy()
    reached = stages.select(
        "pipeline",
        nw.col("stage").alias("new"),
        arrived=nw.when(nw.col("status") == "open")
        .then(nw.col("position").cast(nw.Int64))
        .otherwise(nw.col("position").cast(nw.Int64) * 0 + _BEYOND),
    )
    opened = stages.filter(nw.col("status") == "open")
    places = opened.select("pipeline", nw.col("position").cast(nw.Int64))
    own = rows.select("opportunity_id", "pipeline", "ends_s")
    changes = nw.from_native(
        completed(portfolio["opportunity_change"], {"new": _TEXT})
    ).lazy()
    moves = (
        changes.filter((nw.col("field") == "stage") & ~nw.col("new").is_null())
        .select(
            "opportunity_id",
            "new",
            at_s=seconds(nw.col("changed_at"), portfolio.backend),
        )
        .join(own, on="opportunity_id", how="inner")
        .join(reached, on=["pipeline", "new"], how="inner")
    )
    return (
        moves.join(places, on="pipeline", how="inner")
        .select(
            "opportunity_id",
            *_KEYS,
            "ends_s",
            left_s=nw.when(nw.col("arrived") > nw.col("position")).then(nw.col("at_s")),
        )
        .group_by("opportunity_id", *_KEYS)
        .agg(nw.col("ends_s").max(), nw.col("left_s").min())
        .select(
            "opportunity_id",
            *_KEYS,
            exit_s=nw.when(nw.col("left_s") < nw.col("ends_s"))
            .then(nw.col("left_s"))
            .otherwise(nw.col("ends_s")),
        )
    )
