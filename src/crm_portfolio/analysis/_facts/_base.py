"""Which opportunities are there, and of which of them do the changes tell?

Both are kept by the engine, apart: only those that changes tell of are laid beside them.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import pyarrow as pa

from crm_portfolio._frames import NativeFrame, backend_of, kept, nw
from crm_portfolio.analysis._facts._clock import seconds
from crm_portfolio.analysis._facts._grid import (
    A_DAY,
    Expr,
    Frame,
    Grid,
    at_place,
    days_between,
    is_closed,
    places,
    seconds_of_day,
)
from crm_portfolio.analysis._facts._lines import completed
from crm_portfolio.analysis._facts._ordinals import coded

__all__ = ["Base", "Share"]

_ID: Final = "ordinal"
_TEXT, _DAY, _NUMBER = pa.string(), pa.date32(), pa.float64()
_OPPORTUNITY: Final = {
    **dict.fromkeys(("pipeline", "stage", "owner_id", "currency"), _TEXT),
    **dict.fromkeys(("amount", "original_amount"), _NUMBER),
    **dict.fromkeys(("closed_on", "expected_close_on"), _DAY),
    "created_at": pa.timestamp("us", "UTC"),
}
_SAID: Final = ("status", "currency", "pipeline", "stage", "owner_id")
_ALIKE: Final = ("born_at", "closed_at", "status", "turned", "days")
_NOWHERE: Final = -1
"""The place of a moment that nobody knows."""


@attrs.frozen(eq=False)
class Base:
    """The opportunities as they stand, with the places of their entry and closing.

    ``turned`` is 1 where a change of the stage opened or closed one, which then tells of
    it and not its day of closing. By ``open_until`` no stage that is told of is open any
    more.

    Attributes:
        told: Those that changes tell of; None: there are no changes.
        rest: All others.
        kept_parts: Both without what their records say.
        alike: How many there are that are alike in when they were entered and closed.
    """

    told: Frame | None
    rest: Frame
    kept_parts: tuple[Frame, ...]
    alike: Frame

    @classmethod
    def of(cls, frame: NativeFrame, told: Frame | None, grid: Grid) -> Base:
        rows = nw.from_native(completed(frame, _OPPORTUNITY)).lazy()
        backend = backend_of(frame)
        created = nw.col("created_at")
        said = _Said.of(rows)
        if told is None:
            placed = kept(_placed(said.rows, created, grid, backend))
            alike = kept(_alike(said.beside(placed), grid, backend))
            return cls(None, said.beside(placed), (placed,), alike)
        its = kept(_of_changes(told))
        born = nw.coalesce(created, nw.col("seen"))
        with_them = said.rows.join(its, on=_ID, how="left")
        placed = kept(_placed(with_them, born, grid, backend, *_FROM_CHANGES))
        is_told = nw.col("is_told") == 1
        parts = tuple(placed.filter(each) for each in (is_told, ~is_told))
        own, others = (said.beside(each) for each in parts)
        alike = kept(_alike(said.beside(placed), grid, backend))
        return cls(own, others, parts, alike)

    @property
    def parts(self) -> list[Frame]:
        return [self.rest] if self.told is None else [self.told, self.rest]

    def share(self, share: Share) -> Base:
        """One share of the opportunities; ``alike`` is still of all."""
        return attrs.evolve(
            self,
            told=None if self.told is None else share.of(self.told),
            rest=share.of(self.rest),
            kept_parts=tuple(share.of(rows) for rows in self.kept_parts),
        )


@attrs.frozen
class Share:
    """The opportunities from one ``ordinal`` to before another; None: from or to all.

    They lie side by side, so an engine reads no others.
    """

    first: int | None = None
    end: int | None = None

    @classmethod
    def all_of(cls, count: int, *, together: int) -> list[Share]:
        """As few as there must be, of so many opportunities at most."""
        number = max(-(-count // together), 1)
        inner = [count * at // number for at in range(1, number)]
        return [
            cls(first, end)
            for first, end in zip([None, *inner], [*inner, None], strict=True)
        ]

    def of(self, rows: Frame) -> Frame:
        """Of rows by ``ordinal``, those of this share."""
        if self.first is not None:
            rows = rows.filter(nw.col(_ID) >= self.first)
        return rows if self.end is None else rows.filter(nw.col(_ID) < self.end)


@attrs.frozen(eq=False)
class _Said:
    """Opportunities with one number for what their records say in few words.

    Attributes:
        said: What each of the numbers says.
    """

    rows: Frame
    said: Frame

    @classmethod
    def of(cls, rows: Frame) -> _Said:
        is_open = nw.when(nw.col("status") == "open").then(1).otherwise(0)
        told = rows.with_columns(is_open=is_open)
        return cls(*coded(told, rows, _SAID, "says"))

    def beside(self, kept_rows: Frame) -> Frame:
        return kept_rows.join(self.said, on="says", how="inner").drop("says")


def _of_changes(told: Frame) -> Frame:
    has_closed = is_closed("was") | (is_closed("now") & ~nw.col("old").is_null())
    nothing = at_place(0)
    until = nw.when(nw.col("now") == "open").then(nw.col("end")).otherwise(nothing)
    before = nw.when(nw.col("was") == "open").then(nw.col("first")).otherwise(nothing)
    rows = told.select(
        _ID,
        seen="changed_at",
        turned=nw.when(has_closed).then(_flag(1)).otherwise(_flag(0)),
        open_until=nw.when(before > until).then(before).otherwise(until),
    )
    sums = rows.with_columns(is_told=_flag(1)).group_by(_ID)
    return sums.agg(nw.col("seen").min(), nw.col(*_FROM_CHANGES).max())


def _flag(number: int) -> Expr:
    return nw.lit(number, dtype=nw.Int8)


_FROM_CHANGES: Final = {"turned": nw.Int8, "open_until": nw.Int16, "is_told": nw.Int8}


def _placed(
    rows: Frame, born: Expr, grid: Grid, backend: Any, *from_changes: str
) -> Frame:
    closed_on = nw.col("closed_on")
    rows = rows.with_columns(born=born)  # once, not for each edge
    born = nw.col("born")
    has_day = (nw.col("is_open") == 0) & ~closed_on.is_null()
    closed_at = nw.when(has_day).then(places(closed_on, grid.days))
    nothing = {name: nw.lit(0, dtype=kind) for name, kind in _FROM_CHANGES.items()}
    told = {name: nw.coalesce(nw.col(name), nothing[name]) for name in from_changes}
    return rows.select(
        *(_ID, "says", "closed_on", "expected_close_on"),
        **(nothing | told),
        amount=nw.coalesce(nw.col("original_amount"), nw.col("amount")),
        born=seconds(born, backend),
        born_at=places(born, grid.edges),
        quiet_from=places(born, grid.quiet),
        closed_at=closed_at.otherwise(at_place(grid.count)),
    )


def _alike(rows: Frame, grid: Grid, backend: Any) -> Frame:
    until = seconds_of_day("closed_on", grid, backend) + (A_DAY - 1)
    is_over = nw.col("closed_at") < grid.count
    days = nw.when(is_over).then(days_between(nw.col("born"), until))
    told = rows.select(
        *("closed_at", "status"),
        turned=nw.col("turned").cast(nw.Int64),
        born_at=nw.col("born_at").fill_null(_NOWHERE),
        days=days.fill_null(_NOWHERE),
        count=nw.lit(1, dtype=nw.Int64),
    )
    counted = told.group_by(*_ALIKE).agg(nw.col("count").sum())
    return counted.with_columns(nw.col("count").cast(nw.Int64))
