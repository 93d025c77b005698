"""When was each opportunity won or lost, as far as was known, and what had it been in?

A turn is a change of the stage that changes what the opportunity is. One that was
entered as closed was never in play: its day of closing counts, not its stage.
"""

from __future__ import annotations

from typing import Final

from crm_portfolio._frames import backend_of, nw
from crm_portfolio.analysis._facts._base import Base
from crm_portfolio.analysis._facts._changes import number_of
from crm_portfolio.analysis._facts._clock import seconds
from crm_portfolio.analysis._facts._grid import (
    Expr,
    Frame,
    Grid,
    at_place,
    days_between,
    is_closed,
)
from crm_portfolio.analysis._facts._lines import floor_div

__all__ = ["came_closed", "closings", "outcomes", "turns_of", "visits_of"]

_ID = "ordinal"
_KINDS: Final = 4
"""More than there are kinds of turns."""


def turns_of(told: Frame) -> Frame:
    """When each became open, won or lost, and at which place that is first seen."""
    came_so = nw.col("old").is_null() & is_closed("now")
    is_turn = (nw.col("now") != "") & (nw.col("now") != nw.col("was")) & ~came_so
    backend = backend_of(nw.to_native(told))
    at = seconds(nw.col("changed_at"), backend)
    return told.filter(is_turn).select(_ID, at=at, status="now", place="first")


def came_closed() -> Expr:
    """Closed on a day before the month it was entered in: copied from elsewhere."""
    return (nw.col("turned") == 0) & (nw.col("closed_at") < nw.col("born_at"))


def closings(base: Base, turns: Frame | None, grid: Grid) -> list[Frame]:
    """Every closing after the first place: ``place``, ``status`` and ``days`` it took."""
    found = [
        _closed_by_day(base.alike).select(
            "status", "days", "count", place=nw.col("closed_at")
        )
    ]
    if turns is not None and base.told is not None:
        its = turns.filter(is_closed("status")).join(
            base.told.select(_ID, "born"), on=_ID, how="inner"
        )
        days = days_between(nw.col("born"), nw.col("at"))
        found.append(its.select("status", "place", days=days, count=nw.lit(1)))
    is_asked = (nw.col("place") > 0) & (nw.col("place") < grid.count)
    return [rows.filter(is_asked) for rows in found]


def outcomes(base: Base, turns: Frame | None, grid: Grid) -> list[Frame]:
    """By place of entry: what became of each by the last day, and by which place."""
    is_asked = (nw.col("born_at") > 0) & (nw.col("born_at") < grid.count)
    is_over = nw.col("closed_at") < grid.count
    by_day = base.alike.filter(is_asked & ~came_closed() & (nw.col("turned") == 0))
    by_day = by_day.select(
        "born_at",
        "count",
        status=nw.when(is_over).then(nw.col("status")).otherwise(nw.lit("open")),
        place=nw.col("closed_at"),
    )
    if turns is None or base.told is None:
        return [by_day]
    # The later of two is the larger, and has the later place or the same.
    both = nw.col("at") * _KINDS + _number_of(nw.col("status"))
    its = turns.select(_ID, "place", both=both).group_by(_ID)
    its = its.agg(nw.col("both").max(), nw.col("place").max())
    kind = nw.col("both") - floor_div(nw.col("both"), _KINDS) * _KINDS
    its = its.with_columns(status=_named(kind))
    stands = nw.when(is_closed("outcome")).then(nw.col("place")).otherwise(grid.count)
    turned = (
        base.told.filter(is_asked & (nw.col("turned") == 1))
        .select(_ID, "born_at")
        .join(its.select(_ID, "place", outcome="status"), on=_ID, how="left")
        .select(
            "born_at",
            status=nw.col("outcome").fill_null("open"),
            place=stands,
            count=nw.lit(1),
        )
    )
    return [by_day, turned]


def _number_of(status: Expr) -> Expr:
    """The first by name is the largest: it counts where several turn at one second."""
    later = nw.when(status == "open").then(1).otherwise(0)
    return nw.when(status == "lost").then(2).otherwise(later)


def _named(number: Expr) -> Expr:
    later = nw.when(number == 1).then(nw.lit("open")).otherwise(nw.lit("won"))
    return nw.when(number == 2).then(nw.lit("lost")).otherwise(later)


def visits_of(base: Frame, told: Frame, grid: Grid) -> Frame:
    """How many that had been in an open stage are closed, from which place to which."""
    stages = told.filter(nw.col("field") == number_of("stage"))
    # One whole number for both: engines group by one several times as fast.
    size, both_of = len(grid.named("open")), nw.col("both")
    each = nw.col(_ID).cast(nw.Int64) * size
    entered, left = (
        stages.filter(nw.col(status) == "open").select(
            both=each + nw.col(name), since="first"
        )
        for status, name in (("now", "entered"), ("was", "left"))
    )
    seen = nw.concat([entered, left]).group_by("both").agg(nw.col("since").min())
    seen = seen.with_columns(**{_ID: floor_div(both_of, size).cast(nw.Int32)})
    seen = seen.with_columns(stage=both_of - nw.col(_ID) * size)
    came_so = nw.col("old").is_null()
    closed = stages.filter(is_closed("now") & ~came_so).select(
        _ID, "first", "end", status="now"
    )
    by_day = _closed_by_day(base).select(
        _ID,
        first=nw.col("closed_at"),
        end=at_place(grid.count),
        status="status",
    )
    closed = nw.concat([closed, by_day]).filter(nw.col("first") < nw.col("end"))
    both = seen.join(closed, on=_ID, how="inner")
    alike = ("stage", "status", "first", "end")
    found = both.filter(nw.col("since") <= nw.col("first")).select(
        *alike, count=nw.lit(1, dtype=nw.Int64)
    )
    found = found.group_by(*alike).agg(nw.col("count").sum())
    name = nw.lit("")
    for number, stage in enumerate(grid.named("open")):
        name = nw.when(nw.col("stage") == number).then(nw.lit(stage)).otherwise(name)
    return found.with_columns(stage=name)


def _closed_by_day(base: Frame) -> Frame:
    """Those that no turn tells of, but their own day of closing does."""
    is_dated = nw.col("born_at") >= 0
    is_closed_today = (nw.col("turned") == 0) & (nw.col("status") != "open")
    return base.filter(is_dated & is_closed_today & ~came_closed())
