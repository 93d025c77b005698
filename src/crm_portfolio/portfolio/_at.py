"""What was known of all accounts at the end of an earlier day?

Every column declares since when it was known (``schema.Column.when``). Rows that came
later go, what was closed, paid or said later is open again, opportunities say what their
changes tell, and what nobody can know of that day is null.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise import (
    Beside,
    Opportunities,
    Stream,
    is_after,
    is_later,
)
from crm_portfolio.portfolio._outcome import Outcome, meanings, outcome
from crm_portfolio.portfolio._rebuilt import SAID, Past, pasts, unreadable
from crm_portfolio.portfolio._saved import pieces
from crm_portfolio.schema import (
    OPPORTUNITY,
    TABLES,
    Column,
    Table,
    TableName,
    arrow_type,
    faults_of,
    join_faults,
)

__all__ = ["Then", "left_out_by"]

# Which of these go is for the normaliser to say: an account that came later stays where a
# row names it, and a rate that came later still tells that its currency has rates.
_NOT_CUT: Final = frozenset({"account", "exchange_rate"})
_OF_LATER_DAYS: Final = ("after_as_of", "reopened_after_as_of")


def left_out_by(faults: pa.Table, day: date) -> pa.Table:
    """What had been left out by then for want of a rate: whose it was is still known.

    The tables do not hold it any more, and an account of which nothing else is told is
    not one that has nothing. The row of the source is none of that day.
    """
    without = faults.filter(pc.equal(faults["fault"], "no_rate"))
    names, rows = (without[name].to_pylist() for name in ("table", "said"))
    is_of_then = [
        _was_left_out(TABLES[name], row, day)
        for name, row in zip(names, rows, strict=True)
    ]
    kept = without.filter(pa.array(is_of_then, pa.bool_()))
    at = kept.column_names.index("row")
    nowhere = pa.nulls(len(kept), kept.schema.field("row").type)
    return kept.set_column(at, "row", nowhere)


def _was_left_out(spec: Table, row: str | None, day: date) -> bool:
    """By what the row said; one without a day is of any."""
    said = json.loads(row) if row else {}
    if said.get("status") == "open":
        return False
    on = said.get(spec.rate_day)
    return bool(said) and (on is None or date.fromisoformat(on) <= day)


@attrs.frozen(eq=False, slots=False)
class Then:
    """The tables as they were known at the end of a day, some rows at a time.

    Attributes:
        changes: Those of the opportunities at hand.
        tracked: The columns whose changes somebody kept by that day.
    """

    tables: Mapping[TableName, pa.Table]
    day: date
    time_zone: str
    changes: pa.Table | None = attrs.field(default=None, kw_only=True)
    tracked: frozenset[str] = attrs.field(kw_only=True)
    _unreadable: dict[str, dict[str, None]] = attrs.field(factory=dict, kw_only=True)

    @tracked.default
    def _tracked(self) -> frozenset[str]:
        if "opportunity_change" not in self.tables:
            return frozenset()
        found: set[str] = set()
        for rows in pieces(self.tables, "opportunity_change"):
            is_known = pc.invert(self._is_after(rows["changed_at"]))
            found.update(pc.unique(rows["field"].filter(is_known)).to_pylist())
        return frozenset(SAID if name == "amount" else name for name in found)

    def streams(self) -> dict[TableName, Stream]:
        """For the normaliser, which says what of them stays."""
        return {name: self._stream(name) for name in self.tables}

    def faults(self, found: pa.Table) -> pa.Table:
        """What the normaliser found, and what nobody can know of that day."""
        # What came later is no fault of that day.
        is_news = pc.is_in(found["fault"], value_set=pa.array(_OF_LATER_DAYS))
        return join_faults([found.filter(pc.invert(is_news)), *self._unknown()])

    def _stream(self, name: TableName) -> Stream:
        spec = TABLES[name]

        def walk(names: Sequence[str] | None) -> Iterator[pa.Table]:
            for then, rows in self._at_hand(name):
                shown = then.shown(spec, rows)
                then.note()
                yield shown if names is None else shown.select(list(names))

        columns = self.shown(spec, self._shape(name)).column_names
        return Stream(tuple(columns), walk, is_ordered=bool(spec.key))

    def _at_hand(self, name: TableName) -> Iterator[tuple[Then, pa.Table]]:
        """Rows of a table; opportunities with their changes, which are in their order."""
        if name != "opportunity" or "opportunity_change" not in self.tables:
            yield from ((self, rows) for rows in pieces(self.tables, name))
            return
        changes = Beside(pieces(self.tables, "opportunity_change"), "opportunity_id")
        found = pieces(self.tables, name)
        rows = next(found)
        for following in found:
            last = rows["opportunity_id"][-1].as_py() if len(rows) else ""
            yield attrs.evolve(self, changes=changes.up_to(last)), rows
            rows = following
        yield attrs.evolve(self, changes=changes.rest()), rows

    def note(self) -> None:
        """Past values that cannot be read, each once."""
        for name, past in self._pasts.items() if self.changes is not None else ():
            texts = past.faults["value"].to_pylist()
            self._unreadable.setdefault(name, {}).update(dict.fromkeys(texts))

    def _unknown(self) -> Iterator[pa.Table]:
        for name in self.tables:
            spec, names = TABLES[name], self._shape(name).column_names
            for column in spec.columns:
                if column.name in names and self._is_unknown(column):
                    yield faults_of(name, column.name, "not_known_then")
            dated = spec.born or spec.begins
            if dated is not None and dated not in names:
                yield faults_of(name, dated, "not_dated")
        if "opportunity" not in self.tables:  # nobody came by with them
            attrs.evolve(self, changes=self._whole("opportunity_change")).note()
        for told, texts in sorted(self._unreadable.items()):
            yield unreadable(told, list(texts))

    def _is_unknown(self, column: Column) -> bool:
        if column.when == "from_changes":
            return _told_as(column) not in self.tracked
        return column.when == "now_only" and not column.is_derived

    def _shape(self, name: TableName) -> pa.Table:
        return next(pieces(self.tables, name)).slice(0, 0)

    def shown(self, spec: Table, rows: pa.Table) -> pa.Table:
        rows = rows.filter(pc.invert(self._came_later(spec, rows)))
        if spec.name == "opportunity" and "status" in rows.column_names:
            rows = self._as_staged(rows)
        shown = {
            column.name: self._column(spec, column, rows)
            for column in spec.columns
            if column.name in rows.column_names and not column.is_derived
        }
        if spec.name == "opportunity" and {"amount", SAID} & set(shown):
            # As the source would have said it then; the normaliser converts it anew.
            shown["amount"] = self._past(OPPORTUNITY[SAID], rows, _said(rows))
            shown[SAID] = pa.nulls(len(rows), pa.float64())
        if spec.name == "invoice" and "open_amount" in shown:
            # Of a part that was paid nobody knows the day, so the whole was open.
            whole, paid = _one(rows, "amount"), shown.get("paid_on")
            is_paid = pa.repeat(pa.scalar(value=False), len(rows))
            is_paid = is_paid if paid is None else paid.is_valid()
            shown["open_amount"] = pc.if_else(is_paid, shown["open_amount"], whole)
        return pa.table(shown)

    def _as_staged(self, rows: pa.Table) -> pa.Table:
        """Status and day of closing as the stages tell them, where they do."""
        told, at = self._outcome, self._told_at(rows)
        status, closed = told.status.take(at), told.closed_on.take(at)
        own = _one(rows, "closed_on")
        # Its own day of closing counts, unless it is one of later.
        is_own = pc.and_(own.is_valid(), pc.invert(self._turned(rows)))
        is_own = pc.and_(is_own, pc.invert(self._is_after(_dated(rows, "closed_on"))))
        closed = pc.if_else(is_own.combine_chunks(), own, closed)
        is_open = pc.equal(status, "open")
        closed = pc.if_else(is_open, pa.scalar(None, own.type), closed)
        closed = pc.if_else(at.is_valid(), closed, own)
        stood = {"status": pc.coalesce(status, _one(rows, "status"))}
        if "closed_on" in rows.column_names:
            stood["closed_on"] = closed
        for name, values in stood.items():
            rows = rows.set_column(rows.column_names.index(name), name, values)
        return rows

    def _told_at(self, rows: pa.Table) -> pa.Array:
        """Where the outcome of each stands; null where its stages tell nothing.

        Nor do those of a record that was entered afterwards.
        """
        at = pc.index_in(_one(rows, "opportunity_id"), value_set=self._outcome.ids)
        is_late = self._is_after(_dated(rows, "created_at")).combine_chunks()
        return pc.if_else(is_late, pa.scalar(None, at.type), at)

    def _turned(self, rows: pa.Table) -> pa.Array:
        """Whether it has become something else since then, as when it was opened again."""
        found = self._outcome.is_turned.take(self._told_at(rows))
        return pc.fill_null(found, fill_value=False)

    def _came_later(self, spec: Table, rows: pa.Table) -> pa.ChunkedArray:
        if spec.begins is not None and spec.begins in rows.column_names:
            return self._is_after(rows[spec.begins])
        if spec.name in _NOT_CUT:
            return pa.chunked_array([pa.repeat(pa.scalar(value=False), len(rows))])
        return is_later(rows, spec, self.day, self.time_zone)

    def _column(self, spec: Table, column: Column, rows: pa.Table) -> pa.Array:
        """What it said then."""
        values = _one(rows, column.name)
        if spec.name == "opportunity" and _told_as(column) in self._pasts:
            values = self._past(column, rows, values)
        if column.when == "now_only":
            return pa.nulls(len(rows), values.type)
        dated = column.dated_by if column.when == "dated_by" else None
        if dated is None or dated not in rows.column_names:
            return values
        # Only what an opportunity has come to be cannot be unknown.
        before = "open" if column.required else None
        said_later = self._said_later(spec[dated], _one(rows, dated))
        if not column.required:  # of what nobody knows since when, nobody knows it then
            said_later = pc.or_(said_later, _one(rows, dated).is_null())
        return pc.if_else(said_later, pa.scalar(before, values.type), values)

    def _said_later(self, dated: Column, values: pa.Array) -> pa.Array:
        if dated.refers_to == "opportunity":
            is_lacking = pa.array(self._opportunities.lacking(values))
            return pc.or_(is_lacking, values.is_null())
        return self._is_after(pa.chunked_array([values])).combine_chunks()

    def _past(self, column: Column, rows: pa.Table, now: pa.Array) -> pa.Array:
        """What an opportunity's column said then, by its changes; null: nobody knows."""
        past = self._pasts[_told_as(column)]
        said = past.told(_one(rows, "opportunity_id"), now, _one(rows, "created_at"))
        is_of_its_end = column.dated_by == OPPORTUNITY.closes
        if past.is_tracked or not (column.when == "from_changes" or is_of_its_end):
            return said
        nobody_knows = self._turned(rows)
        if column.settled_by is not None:
            day = _dated(rows, column.settled_by)
            was_settled = pc.and_(day.is_valid(), pc.invert(self._is_after(day)))
            was_open = pc.invert(was_settled).combine_chunks()
            nobody_knows = pc.or_(nobody_knows, was_open)
        elif not is_of_its_end:
            nobody_knows = pa.repeat(pa.scalar(value=True), len(rows))
        return pc.if_else(nobody_knows, pa.scalar(None, said.type), said)

    def _is_after(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        return is_after(values, self.day, self.time_zone)

    @cached_property
    def _pasts(self) -> Mapping[str, Past]:
        """What the changes tell, by the column of an opportunity."""
        columns = {
            _told_as(column)
            for column in OPPORTUNITY.columns
            if column.when == "from_changes" or _may_be_corrected(column)
        }
        found = pasts(self.changes, sorted(columns), self.day, self.time_zone)
        return {
            name: attrs.evolve(past, is_tracked=name in self.tracked)
            for name, past in found.items()
        }

    @cached_property
    def _outcome(self) -> Outcome:
        """What the stages tell of who was in play."""
        means = meanings(self._whole("stage"))
        return outcome(self.changes, means, self.day, self.time_zone)

    def _whole(self, name: TableName) -> pa.Table | None:
        if name not in self.tables:
            return None
        return pa.concat_tables(pieces(self.tables, name))

    @cached_property
    def _opportunities(self) -> Opportunities:
        """Those that were there."""
        there = Opportunities()
        there.are_wanted = True
        if "opportunity" in self.tables:
            for rows in pieces(self.tables, "opportunity"):
                stays = pc.invert(self._came_later(OPPORTUNITY, rows))
                there.add(rows["opportunity_id"].filter(stays))
        return there


def _may_be_corrected(column: Column) -> bool:
    """What is known since some day, and may be mended afterwards."""
    is_its_own_day = column.name in (OPPORTUNITY.born, OPPORTUNITY.closes)
    return column.when in ("at_creation", "dated_by") and not (
        column.required or is_its_own_day
    )


def _told_as(column: Column) -> str:
    return SAID if column.name == "amount" else column.name


def _said(rows: pa.Table) -> pa.Array:
    """What the source says the opportunity is worth, in its own currency."""
    return pc.coalesce(_one(rows, SAID), _one(rows, "amount"))


def _one(rows: pa.Table, name: str) -> pa.Array:
    """The column in one piece; null where there is none."""
    if name not in rows.column_names:
        return pa.nulls(len(rows), arrow_type(OPPORTUNITY[name]))
    values = rows[name].combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        return pa.concat_arrays([pa.array([], values.type), *values.chunks])
    return values


def _dated(rows: pa.Table, name: str) -> pa.ChunkedArray:
    return pa.chunked_array([_one(rows, name)])
