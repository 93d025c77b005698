"""Where is kept what came of the changes of a run, of however many?

In the order of tables and records, in a database without a name: SQLite keeps a few
megabytes of it in memory and puts the rest on disk, where it goes with whoever holds it.
"""

from __future__ import annotations

import json
import sqlite3
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import count, groupby, islice, starmap
from operator import attrgetter, itemgetter
from typing import Any, Final, TypeVar, overload

import attrs

from crm_portfolio._managed import canonical
from crm_portfolio._storage import canonical_json
from crm_portfolio.archive._aside import room
from crm_portfolio.archive._entries import ChangeState, Entry, Key
from crm_portfolio.archive._marks import MARKS, letters, marked
from crm_portfolio.archive._read_again import ReadAgain
from crm_portfolio.protocols import Change, Value, WritableTable

__all__ = ["Known", "Told", "ToldChange", "ToldChanges", "value_of"]

T = TypeVar("T")
_OPENED: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -2000;
"""
# A row a record: to put one a change would take several times as long.
_MADE: Final = """
CREATE TABLE {name} (
    kind TEXT, record BLOB, marks TEXT, told BLOB, is_again INTEGER DEFAULT 0,
    PRIMARY KEY (kind, record)
) WITHOUT ROWID;
"""
# What is told of a record later stands behind what was told before, until it is read.
_PUT: Final = """
INSERT INTO {name} (kind, record, marks, told) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    marks = marks || excluded.marks,
    told = CAST(told || ',' || excluded.told AS BLOB), is_again = 1
"""
_AT_ONCE: Final = 500
_NO_MORE: Final[tuple[Any, ...]] = ("", None, "")
ToldChange = tuple[str, str, Sequence[object]]
"""What is told of a change: its record, its mark, and the rest.

That is the column, the value before and the one after; where there is more to say, the
CRM's code, what was found instead, and the field it minds.
"""
_Row = tuple[WritableTable, bytes, str, bytes, int]
_Read = tuple[str, Sequence[Any]]  # a change of a row with its mark
_Place = tuple[sqlite3.Connection, Iterator[int]]  # with numbers for what is in it


@attrs.frozen
class Known:
    """What is known of one change.

    Attributes:
        is_touched: It was written, or may have been, at some time.
        is_unchecked: Written by the CRM's word, and not yet seen in it.
    """

    entry: Entry
    is_touched: bool
    is_unchecked: bool = False


class Told:
    """What came of the changes of a run.

    Attributes:
        overwritten: What people had set where we wrote, or set right after.
        moved: By table what moved in its canary and should not have; absent: not yet
            judged.
    """

    def __init__(self, beside: Told | None = None) -> None:
        """Of many runs at once, all beside the first share its memory and its file."""
        self.overwritten: dict[Key, Value] = {}
        self.moved: dict[WritableTable, tuple[Key, ...]] = {}
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
        self._counts: Counter[str] | None = None  # until more is told

    @property
    def unexpected(self) -> tuple[Key, ...]:
        """What moved in any canary and should not have."""
        return tuple(key for keys in self.moved.values() for key in keys)

    def put(self, table: WritableTable, changes: Iterable[ToldChange]) -> None:
        """Say what is known now of changes of a table, each of them once.

        Those of a record should stand side by side.
        """
        self.is_empty, self._counts = False, None
        rows = (
            (table, _bytes(one), "".join(marks), canonical_json(told)[1:-1])
            for one, each in groupby(changes, key=itemgetter(0))
            for _, marks, told in (zip(*each, strict=True),)
        )
        with room():
            self._database.execute("BEGIN")
            self._database.executemany(_PUT.format(name=self._name), rows)
            self._database.execute("COMMIT")

    def of(self, table: WritableTable, ids: Sequence[str]) -> Iterator[Known]:
        """What is known of the changes of these records."""
        for start in range(0, 0 if self.is_empty else len(ids), _AT_ONCE):
            part = list(map(_bytes, ids[start : start + _AT_ONCE]))
            where = f"kind = ? AND record IN ({','.join('?' * len(part))})"
            yield from self._known(where, (table, *part))

    def between(self, table: WritableTable, first: str, last: str) -> Iterator[Known]:
        """What is known of the changes of the records from one to another, in order."""
        where = "kind = ? AND record BETWEEN ? AND ?"
        return self._known(where, (table, _bytes(first), _bytes(last)))

    def settled(self, table: WritableTable) -> Iterator[tuple[str, int, bool]]:
        """What is known of each record of a table, in order.

        The record, how many of its changes have a state that will stay, and whether any
        may be in the CRM already, unseen by us.
        """
        for row in self._rows("kind = ?", (table,)):
            yield _text(row[1]), *_summed(_marks(row))

    def keys_touched(self) -> Iterator[Key]:
        """What names the changes that were written, or may have been, in order."""
        for row in self._rows(_any(_TOUCHED)):
            table, record_id = row[0], _text(row[1])
            for mark, (column, *_) in _read(row):
                if mark in _TOUCHED:
                    yield table, record_id, column

    def entries(self) -> ToldChanges[Entry]:
        return ToldChanges(self, _ALL, _entry)

    def touched(self) -> ToldChanges[Change]:
        """The changes that were written, or may have been, at any time."""
        return ToldChanges(self, _TOUCHED, _change)

    def states(self) -> Counter[ChangeState]:
        """How many changes are in which state."""
        found = Counter[ChangeState]()
        for mark, number in self._counted().items():
            found[MARKS[mark].state] += number
        return found

    def count(self, wanted: str) -> int:
        """How many changes have one of these marks."""
        counted = self._counted()
        return sum(counted[mark] for mark in wanted)

    def changes(self, wanted: str, start: int = 0) -> Iterator[tuple[_Row, _Read]]:
        """Those with one of these marks, in order, from a place among them on."""
        for row in self._rows(_any(wanted)):
            if start:
                here = _number(_marks(row), wanted)
                if here <= start:
                    start -= here
                    continue
            for mark, told in _read(row):
                if mark not in wanted:
                    continue
                if start:
                    start -= 1
                else:
                    yield row, (mark, told)

    def _counted(self) -> Counter[str]:
        """How many changes have which mark."""
        if self._counts is not None:
            return self._counts
        once = (
            f"SELECT marks, count(*) FROM {self._name} WHERE NOT is_again "  # noqa: S608 - our own words
            "GROUP BY marks"
        )
        found = Counter[str]()
        for marks, number in self._database.execute(once):
            for mark in marks:
                found[mark] += number
        for row in self._rows("is_again"):
            found.update(_marks(row))
        self._counts = found
        return found

    def _known(self, where: str, given: Sequence[object]) -> Iterator[Known]:
        for row in self._rows(where, given):
            for mark, told in _read(row):
                known = MARKS[mark]
                entry = _entry(row, (mark, told))
                yield Known(entry, known.is_touched, known.is_unchecked)

    def _rows(self, where: str, given: Sequence[object] = ()) -> Iterator[_Row]:
        """In the order of tables and records."""
        said = (
            f"SELECT kind, record, marks, told, is_again FROM {self._name} "  # noqa: S608
            f"WHERE {where} ORDER BY kind, record"
        )
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

    def __init__(
        self, told: Told, wanted: str, read: Callable[[_Row, _Read], T]
    ) -> None:
        self._told, self._wanted, self._read = told, wanted, read

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
        return ToldChanges(self._told, _FAILED, self._read)

    def __len__(self) -> int:
        return self._told.count(self._wanted)

    def __bool__(self) -> bool:
        return next(self._told.changes(self._wanted), None) is not None

    def __iter__(self) -> Iterator[T]:
        return starmap(self._read, self._told.changes(self._wanted))

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
        found = self._told.changes(self._wanted, start)
        return tuple(starmap(self._read, islice(found, stop - start)))

    def __reduce__(self) -> tuple[type[tuple[T, ...]], tuple[tuple[T, ...]]]:
        """To another process they go as they are: it has no part in what is put aside."""
        return tuple, (tuple(self),)

    def __repr__(self) -> str:
        return f"<{len(self):,} changes>"


_ALL: Final = letters(lambda mark: True)  # noqa: ARG005
_TOUCHED: Final = letters(attrgetter("is_touched"))
_FAILED: Final = letters(
    lambda mark: mark.state not in ("written", "unchanged", "not_sent")
)


def _any(wanted: str) -> str:
    """A condition: of a change of a record one of these marks was told at some time.

    So it is of all that have one now: who was touched was told so, and each has the
    state that was told of it last.
    """
    return f"marks GLOB '*[{wanted}]*'"


def _bytes(text: str) -> bytes:
    # So ordered as Python orders texts; a lone surrogate must not stop a run.
    return text.encode("utf-8", "surrogatepass")


def _text(record: bytes) -> str:
    return record.decode("utf-8", "surrogatepass")


def _marks(row: _Row) -> str:
    """The marks of the changes of a row, each once."""
    return "".join(mark for mark, _ in _read(row)) if row[4] else row[2]


@lru_cache(maxsize=1_000)
def _number(marks: str, wanted: str) -> int:
    """How many changes so marked have one of these."""
    return sum(map(wanted.__contains__, marks))


@lru_cache(maxsize=1_000)
def _summed(marks: str) -> tuple[int, bool]:
    """How many changes so marked are settled, and whether any is half done."""
    known = [MARKS[mark] for mark in marks]
    return sum(one.is_settled for one in known), any(one.is_half_done for one in known)


def _read(row: _Row) -> list[_Read]:
    """The changes of a row with their marks, each once, in the order of their columns."""
    told = zip(row[2], json.loads(b"[%b]" % row[3]), strict=True)
    if not row[4]:
        return sorted(told, key=_column)
    found: dict[str, _Read] = {}
    for mark, change in told:
        column = change[0]
        if column in found:
            earlier, first = found[column]
            found[column] = marked(earlier, mark), [*first[:3], *change[3:]]
        else:
            found[column] = mark, change
    return [found[column] for column in sorted(found)]


def _column(read: _Read) -> str:
    _, (column, *_) = read
    return column  # type: ignore[no-any-return]


def _entry(row: _Row, read: _Read) -> Entry:
    mark, (column, _, _, *more) = read
    code, found, field = [*more, *_NO_MORE[len(more) :]]
    return Entry(
        _change(row, read), MARKS[mark].state, code, value_of(column, found), field
    )


def _change(row: _Row, read: _Read) -> Change:
    _, (column, before, after, *_) = read
    values = value_of(column, before), value_of(column, after)
    return Change(_text(row[1]), column, *values, row[0])


def value_of(column: str, told: Value) -> Value:
    """The value that a segment tells of."""
    if told is None:
        return None
    try:
        return canonical(column, told)
    except ValueError:  # what a person typed where a day should stand
        return told
