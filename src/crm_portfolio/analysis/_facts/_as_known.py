"""What was known of each opportunity before the first moment of each of some days?

From the changes: what a field said then is the last that was said before; where that is
not told, what the first later change says was there before it; else what stands today.
What came later alters nothing. A place is the first of the days by which a moment is over.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import attrs
import pyarrow as pa

from crm_portfolio._frames import NativeFrame, kept, nw
from crm_portfolio.analysis._facts._base import Base, Share
from crm_portfolio.analysis._facts._changes import FIELDS, field_changes, spans_of
from crm_portfolio.analysis._facts._grid import Frame, Grid
from crm_portfolio.analysis._facts._lines import collected
from crm_portfolio.analysis._facts._ordinals import (
    by_ordinal,
    changes_by_ordinal,
    numbered,
)
from crm_portfolio.analysis._facts._standing import held_ones, signs_of, standing
from crm_portfolio.analysis._facts._turns import (
    came_closed,
    closings,
    outcomes,
    turns_of,
    visits_of,
)

__all__ = ["AsKnown", "Grid", "as_known"]

_TEXT = pa.string()
_WHOLE: Final = pa.int64()
_TOLD: Final = ("stage", "amount", "expected_close_on", "owner_id")
_GROUPS: Final = ("pipeline", "stage", "owner_id", "is_overdue", "is_quiet")
_WORDS: Final = frozenset({"pipeline", "stage", "owner_id", "due", "status"})
_SUMS: Final = ("count", "unpriced", "minor", "age")
_TOGETHER: Final = 4_000_000
"""So many opportunities are looked at together: an engine holds all beside them at once."""


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
    *,
    changed: tuple[Frame, Frame] | None = None,
    log: Frame | None = None,
    together: int = _TOGETHER,
) -> AsKnown:
    """The open, the entered and the closed opportunities, as known at each day.

    Args:
        changed: `changes_by_ordinal`, where they are known.
        log: The activities that took place, by ``ordinal``, where they are known.
        together: So many opportunities are looked at together at most.
    """
    numbers = numbered(opportunity)
    if changes is not None and changed is None:
        changed = changes_by_ordinal(changes, opportunity)
    told = None if changed is None else field_changes(changed, grid)
    base = Base.of(numbers, told, grid)
    counts = _counts_of(base, told, grid)
    fields = None if told is None else _fields_of(told)
    spans = None if told is None else kept(spans_of(told, grid))
    del told  # it is long: the engine may let it go
    earliest = None
    if activity is not None:
        earliest = _earliest(held_ones(activity) if log is None else log)
        log = kept(by_ordinal(numbers, held_ones(activity))) if log is None else log
    judged = [
        place
        for place, start in enumerate(grid.quiet)
        if earliest is not None and earliest <= start
    ]
    shares = Share.all_of(_number(base.alike), together=together)
    log = log if judged else None
    alike = _open_at(base, spans, log, grid, fields=fields or (), shares=shares)
    last = alike.filter(nw.col("place") == grid.count - 1)
    return AsKnown(
        open=_summed(alike, ["place", *_GROUPS]),
        due=_summed(last, [*_GROUPS[:2], "due", "is_quiet"]),
        **counts,
        judged_from=judged[0] if judged else None,
        untracked=() if fields is None else _untracked(fields),
    )


def _open_at(
    base: Base,
    spans: Frame | None,
    log: Frame | None,
    grid: Grid,
    *,
    fields: Collection[str],
    shares: Collection[Share],
) -> Frame:
    """The open ones by what was known of them, counted a share of them at a time."""
    found = []
    for share in shares:
        part = base.share(share)
        its = None if spans is None else share.of(spans)
        seen = None if log is None else share.of(log)
        signs = None if seen is None else signs_of(seen, part, grid)
        rows = standing(part, its, signs, grid, fields=fields)
        alike = rows.group_by("place", *_GROUPS, "due").agg(nw.col(*_SUMS).sum())
        found.append(kept(alike))
    return nw.concat(found) if len(found) > 1 else found[0]


def _counts_of(base: Base, told: Frame | None, grid: Grid) -> dict[str, Any]:
    """How many were entered, won and lost."""
    is_dated = nw.col("born_at") >= 0
    dated, undated = (base.alike.filter(each) for each in (is_dated, ~is_dated))
    turns = None if told is None else turns_of(told)
    visits = []
    if told is not None and base.told is not None:
        visits.append(visits_of(base.told, told, grid))
    closed = closings(base, turns, grid)
    ends = outcomes(base, turns, grid)
    return {
        "created": _counted([dated.select("count", place="born_at")], ["place"]),
        "closed": _counted(closed, ["place", "status", "days"]),
        "cohorts": _counted(ends, ["born_at", "status", "place"]),
        "visits": _counted(visits, ["stage", "status", "first", "end"]),
        "undated": _number(undated),
        "entered_closed": _number(dated.filter(came_closed())),
    }


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
    found = collected(rows.select(nw.col("count").sum()))
    return int(found["count"][0].as_py() or 0) if len(found) else 0


def _earliest(log: Frame) -> datetime | None:
    """The first activity on an opportunity; None: there is none."""
    found = collected(log.select(at=nw.col("occurred_at").min()))
    return found["at"][0].as_py() if len(found) else None


def _fields_of(told: Frame) -> tuple[str, ...]:
    """The fields of which changes are told."""
    found = collected(told.group_by("field").agg(nw.col("first").min()))
    return tuple(sorted(FIELDS[number] for number in found["field"].to_pylist()))


def _untracked(fields: Collection[str]) -> tuple[str, ...]:
    """What no change tells of, though changes of other fields are told."""
    seen = {"amount" if "amount" in name else name for name in fields}
    return tuple(name for name in _TOLD if name not in seen)
