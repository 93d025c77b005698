"""Where is kept what came of the changes of a run, of however many?

In the order of tables, records and columns, in a database without a name: SQLite keeps a
few megabytes of it in memory and puts the rest on disk, where it goes with whoever holds
it.
"""

from __future__ import annotations

import json
import sqlite3
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date
from itertools import count
from typing import Any, Final, TypeVar, overload

import attrs

from crm_portfolio._managed import FIELDS
from crm_portfolio._storage import canonical_json
from crm_portfolio.archive._aside import room
from crm_portfolio.archive._entries import ChangeState, Entry, Key
from crm_portfolio.archive._read_again import ReadAgain
from crm_portfolio.protocols import Change, Value, WritableTable

__all__ = ["Known", "Told", "ToldChanges"]

T = TypeVar("T")
_OPENED: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -2000;
"""
_MADE: Final = """
CREATE TABLE {name} (
    kind TEXT, record BLOB, col TEXT, state TEXT, before, after, code TEXT, found,
    field TEXT, touched INTEGER, in_doubt INTEGER, unchecked INTEGER,
    PRIMARY KEY (kind, record, col)
) WITHOUT ROWID;
"""
# Once it may have been written, that stays true whatever is told later.
_PUT: Final = """
INSERT INTO {name} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    state = excluded.state, code = excluded.code, found = excluded.found,
    field = excluded.field,
    touched = max(touched, excluded.touched),
    in_doubt = excluded.in_doubt, unchecked = excluded.unchecked
"""
_SETTLED: Final = """
SELECT record, sum(state NOT IN ('not_sent', 'unknown') AND NOT unchecked),
    max(state = 'unknown' OR unchecked)
FROM {name} WHERE kind = ? GROUP BY record ORDER BY record
"""
_COLUMNS: Final = (
    "kind, record, col, state, before, after, code, found, field, touched, in_doubt, "
    "unchecked"
)
_MAY_HAVE_ARRIVED: Final = "touched OR in_doubt"
_LARGEST: Final = 2**63 - 1
_AT_ONCE: Final = 1_000
_Row = tuple[Any, ...]
_Place = tuple[sqlite3.Connection, Iterator[int]]  # with numbers for what is in it


@attrs.frozen
class Known:
    """What is known of one change.

    Attributes:
        is_touched: It was written, or may have been, at some time.
        is_in_doubt: It was sent, and no answer has been told yet.
        is_unchecked: Written by the CRM's word, and not yet seen in it.
    """

    entry: Entry
    is_touched: bool
    is_in_doubt: bool = False
    is_unchecked: bool = False

    @property
    def may_have_arrived(self) -> bool:
        """Whether the CRM took our value at some time, or may have."""
        return self.is_touched or self.is_in_doubt


class Told:
    """What came of the changes of a run."""

    def __init__(self, beside: Told | None = None) -> None:
        """Of many runs at once, all beside the first share its memory and its file."""
        self._beside = beside  # its end would be that of the database
        place = _opened() if beside is None else beside._place  # noqa: SLF001
        self._place: _Place = place
        self._database, numbers = place
        if beside is None:
            weakref.finalize(self, self._database.close)
        self._name = f"told_{next(numbers)}"
        with room():
            self._database.executescript(_MADE.format(name=self._name))
        self.is_empty = True

    def put(
        self,
        entries: Iterable[tuple[Key, Entry]],
        touched: Collection[Key],
        in_doubt: Collection[Key],
        unchecked: Collection[Key],
    ) -> None:
        """Say what is known of these changes now, and which of them are as `Known` says."""
        self.is_empty = False
        rows = (
            _row(key, entry, key in touched, key in in_doubt, key in unchecked)
            for key, entry in entries
        )
        with room():
            self._database.execute("BEGIN")
            said = _PUT.format(name=self._name)
            self._database.executemany(said, rows)
            self._database.execute("COMMIT")

    def between(self, table: WritableTable, first: str, last: str) -> Iterator[Known]:
        """What is known of the changes of the records from one to another."""
        where = "kind = ? AND record BETWEEN ? AND ?"
        return map(_known, self.rows(where, (table, _bytes(first), _bytes(last))))

    def settled(self, table: WritableTable) -> Iterator[tuple[str, int, bool]]:
        """What is known of each record of a table, in order.

        The record, how many of its changes have a state that will stay, and whether any
        may be in the CRM already, unseen by us.
        """
        said = _SETTLED.format(name=self._name)
        for record, settled, is_half_done in self._database.execute(said, (table,)):
            yield _text(record), settled, bool(is_half_done)

    def keys_touched(self) -> Iterator[Key]:
        """What names the changes that were written, or may have been, in order."""
        said = (
            f"SELECT kind, record, col FROM {self._name} "  # noqa: S608
            f"WHERE {_MAY_HAVE_ARRIVED} ORDER BY kind, record, col"
        )
        for table, record, column in self._database.execute(said):
            yield table, _text(record), column

    def entries(self, where: str = "1") -> ToldChanges[Entry]:
        return ToldChanges(self, where, _entry)

    def touched(self) -> ToldChanges[Change]:
        """The changes that were written, or may have been, at any time."""
        return ToldChanges(self, _MAY_HAVE_ARRIVED, _change)

    def states(self) -> Counter[ChangeState]:
        """How many changes are in which state."""
        said = f"SELECT state, count(*) FROM {self._name} GROUP BY state"  # noqa: S608
        return Counter(dict(self._database.execute(said)))

    def count(self, where: str) -> int:
        said = f"SELECT count(*) FROM {self._name} WHERE {where}"  # noqa: S608 - our own words
        return int(self._database.execute(said).fetchone()[0])

    def rows(
        self, where: str, given: Sequence[object] = (), limit: str = ""
    ) -> Iterator[_Row]:
        """In the order of tables, records and columns."""
        order = f"ORDER BY kind, record, col {limit}"
        place = f"FROM {self._name} WHERE {where}"
        said = f"SELECT {_COLUMNS} {place} {order}"
        cursor = self._database.execute(said, given)
        while rows := cursor.fetchmany(_AT_ONCE):
            yield from rows


def _opened() -> _Place:
    """A database without a name, in which nothing is kept yet."""
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.executescript(_OPENED)
    return database, count()


class ToldChanges(ReadAgain[T]):
    """Some of what came of the changes of a run, read each time it is asked for."""

    def __init__(self, told: Told, where: str, read: Callable[[_Row], T]) -> None:
        self._told, self._where, self._read = told, where, read

    def states(self) -> Counter[ChangeState]:
        """How many changes of the run are in which state."""
        return self._told.states()

    def between(self, table: WritableTable, first: str, last: str) -> Iterator[Known]:
        """What is known of the changes of the records from one to another."""
        return self._told.between(table, first, last)

    def keys_touched(self) -> Iterator[Key]:
        """What names the changes of the run that were written, or may have been."""
        return self._told.keys_touched()

    def failed(self) -> ToldChanges[T]:
        """Those that were looked at and do not stand in the CRM."""
        where = "state NOT IN ('written', 'unchanged', 'not_sent')"
        return ToldChanges(self._told, where, self._read)

    def __len__(self) -> int:
        return self._told.count(self._where)

    def __bool__(self) -> bool:
        return next(self._told.rows(self._where, limit="LIMIT 1"), None) is not None

    def __iter__(self) -> Iterator[T]:
        return map(self._read, self._told.rows(self._where))

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[T, ...]: ...
    def __getitem__(self, at: int | slice) -> T | tuple[T, ...]:
        if isinstance(at, int):
            place = range(len(self))[at]
            return self._between(place, place + 1)[0]
        places = range(len(self))[at]
        if not places:
            return ()
        first = min(places[0], places[-1])
        found = self._between(first, max(places[0], places[-1]) + 1)
        return tuple(found[place - first] for place in places)

    def _between(self, start: int, stop: int) -> tuple[T, ...]:
        limit = f"LIMIT {max(0, stop - start)} OFFSET {start}"
        return tuple(map(self._read, self._told.rows(self._where, limit=limit)))

    def __reduce__(self) -> tuple[type[tuple[T, ...]], tuple[tuple[T, ...]]]:
        """To another process they go as they are: it has no part in what is put aside."""
        return tuple, (tuple(self),)

    def __repr__(self) -> str:
        return f"<{len(self):,} changes>"


def _bytes(text: str) -> bytes:
    # So ordered as Python orders texts; a lone surrogate must not stop a run.
    return text.encode("utf-8", "surrogatepass")


def _text(record: bytes) -> str:
    return record.decode("utf-8", "surrogatepass")


def _row(key: Key, entry: Entry, *known: bool) -> _Row:
    change, found = entry.change, entry.found
    table, record_id, column = key
    return (
        table,
        _bytes(record_id),
        column,
        entry.state,
        _kept(change.before),
        _kept(change.after),
        entry.code,
        None if found is None else _kept(found),
        entry.field,
        *known,
    )


def _kept(value: Value) -> object:
    """The value as SQLite keeps it; what it cannot keep as it is becomes JSON."""
    if value is None or type(value) is float:
        return value
    if isinstance(value, str):
        return value if value.isascii() else canonical_json(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int) and -_LARGEST <= value <= _LARGEST:
        return value
    return canonical_json(value)


def _value(kept: Any, column: str) -> Value:
    if isinstance(kept, bytes):
        kept = json.loads(kept)
    if isinstance(kept, str) and FIELDS[column].type == "day":
        try:
            return date.fromisoformat(kept)
        except ValueError:  # what a person typed where a day should stand
            return kept
    return kept  # type: ignore[no-any-return]


def _known(row: _Row) -> Known:
    return Known(_entry(row), *map(bool, row[9:]))


def _entry(row: _Row) -> Entry:
    column, state, (code, found, field) = row[2], row[3], row[6:9]
    return Entry(_change(row), state, code, _value(found, column), field)


def _change(row: _Row) -> Change:
    table, record, column, _, before, after, *_ = row
    values = _value(before, column), _value(after, column)
    return Change(_text(record), column, *values, table)
