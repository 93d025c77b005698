"""What was known of each opportunity before the first moment of each of some days?

From the changes: what a field said then is the last that was said before; where that is
not told, what the first later change says was there before it; else what stands today.
What came later alters nothing. A place is the first of the days by which a moment is over.
"""

from __future__ import annotations

from typing import Final

import attrs
import pyarrow as pa

from crm_portfolio._frames import NativeFrame, backend_of, kept, nw
from crm_portfolio.analysis._facts._changes import field_changes, spans_of
from crm_portfolio.analysis._facts._clock import seconds
from crm_portfolio.analysis._facts._grid import (
    Frame,
    Grid,
    is_closed,
    places,
)
from crm_portfolio.analysis._facts._lines import collected, completed
from crm_portfolio.analysis._facts._standing import held_ones, signs_of, standing
from crm_portfolio.analysis._facts._turns import (
    came_closed,
    closings,
    outcomes,
    turns_of,
    visits_of,
)

__all__ = ["AsKnown", "Grid", "as_known"]

_TEXT, _DAY, _NUMBER = pa.string(), pa.date32(), pa.float64()
_MOMENT: Final = pa.timestamp("us", "UTC")
_OPPORTUNITY: Final = {
    **dict.fromkeys(("pipeline", "stage", "owner_id", "currency"), _TEXT),
    **dict.fromkeys(("amount", "original_amount"), _NUMBER),
    **dict.fromkeys(("closed_on", "expected_close_on"), _DAY),
    "created_at": _MOMENT,
}
_ID: Final = "opportunity_id"
_WHOLE: Final = pa.int64()
_TOLD: Final = ("stage", "amount", "expected_close_on", "owner_id")
_GROUPS: Final = ("pipeline", "stage", "owner_id", "is_overdue", "is_quiet")
_WORDS: Final = frozenset({"pipeline", "stage", "owner_id", "due", "status"})
_SUMS: Final = ("count", "unpriced", "minor", "age")


@attrs.frozen(eq=False)
class AsKnown:
    """What the long tables say of the opportunities, added up.

    Attributes:
        open: Those open at each ``place`` after the first, by what was known of them.
        due: Those open at the last place, by the day on which they are expected.
        created: How many were entered by each place since the one before.
        closed: How many were won or lost by each place since the one before, after how
            many ``days``; those that came closed are left out.
        cohorts: By the place of entry and, for those closed today, that of closing.
        visits: How many that had been in a stage are ``won`` or ``lost``, from which
            place on and before which.
        judged_from: The first place at which silence can be told; None: at none.
        undated: Opportunities of which nobody knows when they were entered.
        entered_closed: Those that were closed before they were entered.
        untracked: Fields of which no change is told.
    """

    open: pa.Table
    due: pa.Table
    created: pa.Table
    closed: pa.Table
    cohorts: pa.Table
    visits: pa.Table
    judged_from: int | None
    undated: int
    entered_closed: int
    untracked: tuple[str, ...]


def as_known(
    opportunity: NativeFrame,
    changes: NativeFrame | None,
    activity: NativeFrame | None,
    grid: Grid,
) -> AsKnown:
    """The open, the entered and the closed opportunities, as known at each day."""
    told = None if changes is None else kept(field_changes(changes, grid))
    base = kept(_base(opportunity, told, grid))
    dated = base.filter(~nw.col("born").is_null())
    earliest = _earliest(activity)
    judged = [
        place
        for place, start in enumerate(grid.quiet)
        if earliest is not None and earliest <= start
    ]
    spans = None if told is None else kept(spans_of(told, grid))
    signs = signs_of(activity, grid) if judged else None
    rows = kept(standing(dated, spans, signs, grid))
    turns = None if told is None else turns_of(told)
    visits = [] if told is None else [visits_of(dated, told, grid)]
    entered = dated.select(place="born_at", count=nw.lit(1))
    return AsKnown(
        open=_summed(rows, ["place", *_GROUPS]),
        due=_summed(
            rows.filter(nw.col("place") == grid.count - 1),
            [*_GROUPS[:2], "due", "is_quiet"],
        ),
        created=_counted([entered], ["place"]),
        closed=_counted(closings(dated, turns, grid), ["place", "status", "days"]),
        cohorts=_counted(outcomes(dated, turns, grid), ["born_at", "status", "place"]),
        visits=_counted(visits, ["stage", "status", "first", "end"]),
        judged_from=judged[0] if judged else None,
        undated=_number(base.filter(nw.col("born").is_null())),
        entered_closed=_number(dated.filter(came_closed())),
        untracked=_untracked(told),
    )


def _base(frame: NativeFrame, told: Frame | None, grid: Grid) -> Frame:
    """The opportunities as they stand, with the places of their entry and closing."""
    rows = nw.from_native(completed(frame, _OPPORTUNITY)).lazy()
    rows = rows.with_columns(born=seconds(nw.col("created_at"), backend_of(frame)))
    if told is None:
        rows = rows.with_columns(turned=nw.lit(0))
    else:
        has_closed = is_closed("was") | (is_closed("now") & ~nw.col("old").is_null())
        its = told.select(
            _ID, seen="at", turned=nw.when(has_closed).then(1).otherwise(0)
        )
        its = its.group_by(_ID).agg(nw.col("seen").min(), nw.col("turned").max())
        rows = rows.join(its, on=_ID, how="left").with_columns(
            born=nw.coalesce(nw.col("born"), nw.col("seen")),
            turned=nw.col("turned").fill_null(0),
        )
    closed_on = nw.col("closed_on")
    over = sum(
        ((closed_on >= day).cast(nw.Int64) for day in grid.days),
        nw.lit(0, dtype=nw.Int64),
    )
    has_day = (nw.col("status") != "open") & ~closed_on.is_null()
    return rows.select(
        *(_ID, "status", "turned", "born", "closed_on", "currency"),
        *("pipeline", "stage", "owner_id"),
        expected_close_on=nw.col("expected_close_on").cast(nw.String),
        amount=nw.coalesce(nw.col("original_amount"), nw.col("amount")),
        born_at=places(nw.col("born"), grid.edges),
        closed_at=nw.when(has_day).then(over).otherwise(grid.count),
    )


def _summed(rows: Frame, by: list[str]) -> pa.Table:
    """Counts and sums of the opportunities that are alike in these."""
    found = collected(rows.group_by(*by).agg(nw.col(*_SUMS).sum()))
    return _in_order(found.select([*by, *_SUMS]), by)


def _counted(parts: list[Frame], by: list[str]) -> pa.Table:
    """How many there are of each in all parts together."""
    found = [
        _in_order(collected(rows.group_by(*by).agg(nw.col("count").sum())), by)
        for rows in parts
    ]
    if not found:
        return pa.table({name: [] for name in (*by, "count")})
    both = pa.concat_tables([each.select([*by, "count"]) for each in found])
    sums = both.group_by(by).aggregate([("count", "sum")])
    return _in_order(sums.rename_columns([*by, "count"]), by)


def _in_order(table: pa.Table, by: list[str]) -> pa.Table:
    # An empty frame may have forgotten what its columns hold.
    for at, name in enumerate(table.column_names):
        kind = _TEXT if name in _WORDS else _WHOLE
        table = table.set_column(at, name, table[name].cast(kind))
    return table.sort_by([(name, "ascending") for name in by]).combine_chunks()


def _number(rows: Frame) -> int:
    counted = rows.with_columns(count=nw.lit(1))
    found = collected(counted.select(nw.col("count").sum()))
    return int(found["count"][0].as_py() or 0) if len(found) else 0


def _earliest(activity: NativeFrame | None) -> int | None:
    """The first activity on an opportunity, in seconds; None: there is none."""
    if activity is None:
        return None
    found = collected(held_ones(activity).select(nw.col("at").min()))
    earliest = found["at"][0].as_py() if len(found) else None
    return None if earliest is None else int(earliest)


def _untracked(told: Frame | None) -> tuple[str, ...]:
    """What no change tells of, though changes of other fields are told."""
    if told is None:
        return ()
    found = collected(told.group_by("field").agg(nw.col("first").min()))
    seen = {
        "amount" if "amount" in name else name for name in found["field"].to_pylist()
    }
    return tuple(name for name in _TOLD if name not in seen)
