"""What was each field changed to, from which place to which was it so, and what before?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from crm_portfolio._frames import kept, nw
from crm_portfolio.analysis._facts._grid import (
    Expr,
    Frame,
    Grid,
    at_place,
    places,
    status_of,
)

__all__ = ["FIELDS", "field_changes", "number_of", "spans_of"]

_ID: Final = "ordinal"
_MOMENT: Final = (_ID, "field", "changed_at")
FIELDS: Final = (
    *("stage", "pipeline", "owner_id", "expected_close_on"),
    *("amount", "original_amount"),
)


def number_of(field: str) -> int:
    """What stands for the field in the engine."""
    return FIELDS.index(field)


def field_changes(changed: tuple[Frame, Frame], grid: Grid) -> Frame:
    """The changes we ask for, with what they mean and at which places they stand.

    ``left`` and ``entered`` number the open stages among ``grid.named("open")``.

    Args:
        changed: `changes_by_ordinal`.
    """
    rows, moves = changed
    moves = moves.filter(nw.col("field").is_in(FIELDS))
    placed = rows.join(moves.select("move"), on="move", how="semi").select(
        *(_ID, "changed_at", "until_at", "move"),
        first=places(nw.col("changed_at"), grid.edges),
        end=nw.coalesce(places(nw.col("until_at"), grid.edges), at_place(grid.count)),
    )
    # What is said is said of many: what it means is found out once.
    is_stage = nw.col("field") == "stage"
    means: dict[str, Expr] = {"field": _numbered(nw.col("field"), FIELDS)}
    for was, left, name in (("was", "left", "old"), ("now", "entered", "new")):
        status = nw.when(is_stage).then(status_of(nw.col(name), grid))
        means[was] = status.otherwise(nw.lit(""))
        means[left] = _numbered(nw.col(name), grid.named("open"))
    moves = kept(moves.with_columns(**means))
    return kept(placed).join(moves, on="move", how="inner").drop("move")


def _numbered(text: Expr, texts: Sequence[str]) -> Expr:
    """Where it stands among these texts."""
    found: Expr = nw.lit(len(texts), dtype=nw.Int16)
    for number, each in enumerate(texts):
        found = nw.when(text == each).then(number).otherwise(found)
    return found.cast(nw.Int16)


def spans_of(told: Frame, grid: Grid) -> Frame:
    """What each field said, from one place to before another.

    Of a field that was ever changed every place has its span; where nobody knows what
    it said then, ``has`` is 0.
    """
    moments = _moments(told)
    until_at = nw.col("until_at")
    lasting = told.filter(nw.col("first") < nw.col("end"))
    # Between two that contradict each other one is missing: nobody knows what stood then.
    is_gap = (nw.col("least") == nw.col("most")) & (
        nw.col("least") != nw.col("new").fill_null("")
    )
    is_told = nw.when(~is_gap.fill_null(value=False))
    over = lasting.filter(~until_at.is_null()).join(
        moments.select(*_MOMENT, "least", "most"),
        left_on=[_ID, "field", "until_at"],
        right_on=[*_MOMENT],
        how="left",
    )
    still = lasting.filter(until_at.is_null())
    said = [
        _span("first", "end", is_told.then(nw.col("new")), over),
        _span("first", "end", nw.col("new"), still),
    ]
    earliest = told.group_by(_ID, "field").agg(nw.col("changed_at").min())
    opening = moments.join(earliest, on=[*_MOMENT], how="inner")
    dark = at_place(grid.dark)
    before = _span(dark, "first", nw.col("value"), opening)
    if not grid.dark:
        return nw.concat([*said, before.filter(nw.col("end") > 0)])
    nothing, first = at_place(0), nw.col("first")
    unlit = nw.when(first < dark).then(first).otherwise(dark)
    unknown = _span(nothing, unlit, nw.lit(None, dtype=nw.String), opening, has=0)
    rows = nw.concat([*said, before, unknown])
    return rows.filter(nw.col("first") < nw.col("end"))


def _span(first: Expr, end: Expr, value: Expr, rows: Frame, *, has: int = 1) -> Frame:
    told = nw.lit(has, dtype=nw.Int8)
    return rows.select(*(_ID, "field"), first=first, end=end, value=value, has=told)


def _moments(told: Frame) -> Frame:
    """A row for each moment of a field: the least and the most that stood before it.

    Texts are compared only where several changes share a moment, which few do, and where
    all but the last are over as soon as they come: pandas would walk through all groups
    one by one.
    """
    rows = told.select(*_MOMENT, "first", "old", said=nw.col("old").fill_null(""))
    at_once = told.filter(nw.col("until_at") == nw.col("changed_at"))
    shared = at_once.select(*_MOMENT, n=nw.lit(1)).group_by(*_MOMENT)
    shared = shared.agg(nw.col("n").sum()).select(*_MOMENT)
    alone = rows.join(shared, on=[*_MOMENT], how="anti").select(
        *_MOMENT, "first", value="old", least="said", most="said"
    )
    several = (
        rows.join(shared, on=[*_MOMENT], how="inner")
        .group_by(*_MOMENT)
        .agg(
            nw.col("first").min(),
            value=nw.col("old").min(),
            least=nw.col("said").min(),
            most=nw.col("said").max(),
        )
    )
    return nw.concat([alone, several])
