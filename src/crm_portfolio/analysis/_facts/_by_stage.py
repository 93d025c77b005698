"""How many activities had an opportunity by the time it left each stage behind?"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from crm_portfolio._frames import nw
from crm_portfolio.analysis._facts._clock import seconds
from crm_portfolio.analysis._facts._lines import completed
from crm_portfolio.analysis._facts._pursuits import Contacts, contacted
from crm_portfolio.portfolio import Portfolio

__all__ = ["touches_by_stage"]

_TEXT = pa.string()
_KEYS = ("pipeline", "position")
_ENDS = ("ends_s", "closed_day")
_BEYOND = 2**40
"""Further than any open stage."""


def touches_by_stage(portfolio: Portfolio, rows: Any, contacts: Contacts) -> Any | None:
    """By pipeline, position, ``touches`` and ``closed_day``: how many, ``n``, of these.

    A stage is left behind when the opportunity first comes to a later one, or to its end;
    what skipped it has left it too. Only those with changes of stage count. Lazily; None
    without any table that this takes.
    """
    if not {"activity", "stage", "opportunity_change"} <= set(portfolio.tables):
        return None
    held = contacted(portfolio, contacts, "opportunity_id")
    is_before = (nw.col("at_s") < nw.col("exit_s")).fill_null(value=False)
    return (
        _exits(portfolio, rows)
        .join(held.select("opportunity_id", "at_s"), on="opportunity_id", how="left")
        .select(
            "opportunity_id", *_KEYS, "closed_day", touches=is_before.cast(nw.Int64)
        )
        .group_by("opportunity_id", *_KEYS, "closed_day")
        .agg(nw.col("touches").sum())
        .select(
            *_KEYS,
            "closed_day",
            touches=nw.col("touches").cast(nw.Int64),
            n=nw.lit(1, dtype=nw.Int64),
        )
        .group_by(*_KEYS, "closed_day", "touches")
        .agg(nw.col("n").sum())
    )


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
    own = rows.select("opportunity_id", "pipeline", "ends_s", "closed_day")
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
            *_ENDS,
            left_s=nw.when(nw.col("arrived") > nw.col("position")).then(nw.col("at_s")),
        )
        .group_by("opportunity_id", *_KEYS)
        .agg(nw.col(*_ENDS).max(), nw.col("left_s").min())
        .select(
            "opportunity_id",
            *_KEYS,
            "closed_day",
            exit_s=nw.when(nw.col("left_s") < nw.col("ends_s"))
            .then(nw.col("left_s"))
            .otherwise(nw.col("ends_s")),
        )
    )
