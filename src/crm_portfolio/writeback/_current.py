"""What does the CRM hold now of the records that the results name?

A part at a time, in the order of their ids: there may be millions of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import nw, to_arrow
from crm_portfolio.errors import MissingTableError
from crm_portfolio.protocols import Value, WritableTable
from crm_portfolio.writeback._assigned import Wanted
from crm_portfolio.writeback._held import (
    COLUMNS,
    Readable,
    Row,
    read_rows,
    require,
    rows_of,
)

if TYPE_CHECKING:
    from crm_portfolio.portfolio import Portfolio

__all__ = ["Current", "Part", "current"]

# Why opportunities are lost is looked up in all of them, however few are asked about.
_AT_ONCE: Final[Mapping[WritableTable, int]] = {
    "account": 10_000,
    "opportunity": 50_000,
}


@attrs.frozen
class Part:
    """Some records.

    Attributes:
        rows: What the CRM holds, by record.
        values: What is wanted of the records, those included that it lacks.
        missing: Those that it lacks, in order.
    """

    rows: dict[str, Row]
    values: Mapping[str, Mapping[str, Value]]
    missing: Sequence[str]


@attrs.define(eq=False)
class Current:
    """What the CRM holds of the records of one table, and what is wanted of them.

    What is counted is known when the last part was given.

    Attributes:
        population: Records that were compared.
        by_column: The same, for each column that is wanted; of accounts it is not counted.
        filled: Of these, how many hold a value in it; the same of accounts.
    """

    _wanted: Wanted
    _ids: pa.Array
    _rows: Callable[[int, Sequence[str]], dict[str, Row]]
    population: int = 0
    by_column: Counter[str] = attrs.field(factory=Counter)
    filled: Counter[str] = attrs.field(factory=Counter)
    _is_counted: bool = False
    _missing: Sequence[str] = ()
    _gone: set[str] = attrs.field(factory=set)

    def parts(self) -> Iterator[Part]:
        """All of them, once."""
        if self._missing:
            yield Part({}, {}, self._missing)
        in_parts = self._wanted.in_parts(self._ids, _AT_ONCE[self._wanted.table])
        for start, ids, values in in_parts:
            rows = self._rows(start, ids)
            missing = [one for one in ids if one not in rows]
            if not self._is_counted:
                self.population += len(ids) - len(missing)
                self._gone.update(missing)
                self._count(rows, values)
            yield Part(rows, values, missing)

    def there(self, ids: Collection[str]) -> Collection[str]:
        """Which of these records it has, after the last part."""
        asked = pa.array(ids, pa.string())
        known = asked.filter(pc.is_in(asked, value_set=self._ids))
        return set(known.to_pylist()) - self._gone

    def _count(
        self, rows: Mapping[str, Row], values: Mapping[str, Mapping[str, Value]]
    ) -> None:
        if self._wanted.table == "account":
            return
        for record_id in values.keys() & rows.keys():
            row, wanted = rows[record_id], values[record_id]
            self.by_column.update(wanted.keys())
            self.filled.update(c for c in wanted if row[c] is not None)


def current(wanted: Wanted, crm: Readable, held: Portfolio | None) -> Current:
    """What the CRM holds now of the records that the results name.

    Of opportunities in a portfolio only those become rows that differ: there may be
    millions. Of accounts all do, because pins and edits are told of all.
    """
    if held is None:
        return Current(wanted, wanted.ids, partial(_asked, wanted, crm))
    told = _held(wanted, held, crm.name)
    if wanted.table == "account":
        return Current(wanted, wanted.ids, _Held(wanted, told, wanted.ids).rows)
    keys = told[wanted.key].combine_chunks()
    missing = wanted.ids.filter(pc.invert(pc.is_in(wanted.ids, value_set=keys)))
    ids = wanted.differing(told)
    return Current(
        wanted,
        ids,
        _Held(wanted, told, ids).rows,
        population=len(wanted.ids) - len(missing),
        by_column=Counter(wanted.compared(keys)),
        filled=Counter(wanted.filled(told)),
        is_counted=True,
        missing=missing.to_pylist(),
    )


def _asked(wanted: Wanted, crm: Readable, _: int, ids: Sequence[str]) -> dict[str, Row]:
    return read_rows(crm, wanted.table, ids, wanted=wanted.columns)


class _Held:
    """The rows of a portfolio, found by where its ids stand among all that are asked."""

    def __init__(self, wanted: Wanted, told: pa.Table, ids: pa.Array) -> None:
        self._table, self._told = wanted.table, told.combine_chunks()
        keys = self._told[wanted.key].cast(pa.string()).combine_chunks()
        self._at = pc.index_in(ids, value_set=keys)

    def rows(self, start: int, ids: Sequence[str]) -> dict[str, Row]:
        at = self._at.slice(start, len(ids)).drop_null()
        return rows_of(self._table, self._told.take(at))


def _held(wanted: Wanted, held: Portfolio, source: str) -> pa.Table:
    """The columns of ours that a portfolio holds, and their key."""
    table = wanted.table
    if table not in held:
        raise MissingTableError(table, "a plan")
    frame = nw.from_native(held[table])
    names = frame.collect_schema().names()
    require(table, names, source, wanted=wanted.columns)
    columns = [name for name in (wanted.key, *COLUMNS[table]) if name in names]
    return to_arrow(frame.select(columns).to_native())
