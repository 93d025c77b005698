"""How many activities had an opportunity by the time it left each stage behind?"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

from crm_portfolio._frames import from_arrow, nw
from crm_portfolio.analysis._facts._clock import seconds
from crm_portfolio.analysis._facts._lines import collected
from crm_portfolio.analysis._facts._ordinals import moved
from crm_portfolio.portfolio import Portfolio

__all__ = ["touches_by_stage"]

_ID: Final = "ordinal"
_KEYS = ("pipeline", "position")
_BEYOND = 2**40
"""Further than any open stage."""


def touches_by_stage(portfolio: Portfolio, rows: Any, held: Any | None) -> Any | None:
    """By pipeline, position, ``touches`` and ``closed_day``: how many, ``n``, of these.

    A stage is left behind when the opportunity first comes to a later one, or to its end;
    what skipped it has left it too. Only those with changes of stage count. Lazily; None
    without any table that this takes.

    Args:
        rows: Opportunities by their ``ordinal``, and when they ended.
        held: Contacts by ``ordinal``, and when; None where nobody notes any.
    """
    if held is None or not {"stage", "opportunity_change"} <= set(portfolio.tables):
        return None
    stages = nw.from_native(portfolio["stage"]).lazy()
    opened = stages.filter(nw.col("status") == "open")
    places = collected(opened.select("pipeline", nw.col("position").cast(nw.Int64)))
    positions = sorted(set(places["position"].to_pylist()))
    at, by_then = nw.col("at_s"), {f"by_{each}": each for each in positions}
    touched = (
        _exits(portfolio, rows, stages, positions)
        .join(held.select(_ID, "at_s"), on=_ID, how="left")
        .select(
            _ID,
            **{
                name: nw.when(at < nw.col(f"exit_{each}")).then(at)
                for name, each in by_then.items()
            },
        )
        .group_by(_ID)
        .agg(nw.col(*by_then).count())
        .join(rows.select(_ID, "pipeline", "closed_day"), on=_ID, how="inner")
    )
    # A row for each of its stages: which those are, its pipeline says.
    names = pa.array([f"by_{each}" for each in places["position"].to_pylist()])
    which = from_arrow(places.append_column("by", names), portfolio.backend)
    return (
        touched.select("pipeline", "closed_day", nw.col(*by_then).cast(nw.Int64))
        .unpivot(
            on=[*by_then],
            index=["pipeline", "closed_day"],
            variable_name="by",
            value_name="touches",
        )
        .join(nw.from_native(which).lazy(), on=["pipeline", "by"], how="inner")
        .select(*_KEYS, "closed_day", "touches", n=nw.lit(1, dtype=nw.Int64))
        .group_by(*_KEYS, "closed_day", "touches")
        .agg(nw.col("n").sum())
    )


def _exits(portfolio: Portfolio, rows: Any, stages: Any, positions: list[int]) -> Any:
    """By opportunity: when it came further than each position, else its end."""
    further = nw.col("position").cast(nw.Int64)
    reached = stages.select(
        "pipeline",
        nw.col("stage").alias("new"),
        arrived=nw.when(nw.col("status") == "open")
        .then(further)
        .otherwise(further * 0 + _BEYOND),
    )
    own = rows.select(_ID, "pipeline", "ends_s")
    changes, said = moved(portfolio, "stage")
    arrivals = said.join(reached, on="new", how="inner")
    at, ends = nw.col("at_s"), nw.col("ends_s")
    left = {f"exit_{each}": each for each in positions}
    moves = (
        changes.select(
            _ID, "move", at_s=seconds(nw.col("changed_at"), portfolio.backend)
        )
        .join(own, on=_ID, how="inner")
        .join(
            arrivals.select("pipeline", "move", "arrived"),
            on=["pipeline", "move"],
            how="inner",
        )
    )
    first = (
        moves.select(
            *(_ID, "ends_s"),
            **{
                name: nw.when(nw.col("arrived") > each).then(at)
                for name, each in left.items()
            },
        )
        .group_by(_ID)
        .agg(nw.col("ends_s").max(), nw.col(*left).min())
    )
    return first.select(
        _ID,
        **{
            name: nw.when(nw.col(name) < ends).then(nw.col(name)).otherwise(ends)
            for name in left
        },
    )
