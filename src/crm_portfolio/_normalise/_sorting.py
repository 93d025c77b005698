"""How are more rows put in order than memory should hold?

They are sorted a part at a time, put aside as runs, and merged: each step takes from
every run the rows below the least key to which all of them have been read.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise._runs import Room

__all__ = ["Ordered", "Sorter", "in_order", "merged"]

_AT_ONCE: Final = 64  # runs that are read side by side, a small piece of each
_RANGE_ROWS: Final = 1 << 16  # of all of them together, in one step
_RANGE_BYTES: Final = 1 << 24  # the same, where rows are wide
_WORD: Final = 8  # bytes that are compared at once
_MANY: Final = 64
_LONG: Final = 1 << 20  # rows from which columns are taken side by side
Bound: TypeAlias = tuple[bool, Any]  # whether it is null, which comes last; the value


@attrs.frozen(eq=False)
class Ordered:
    """Rows in the order of a key, to be read in pieces.

    Attributes:
        first: The smallest value of the first key column.
        last: The largest.
    """

    first: Bound
    last: Bound
    tables: Callable[[], Iterator[pa.Table]]
    drop: Callable[[], None] = lambda: None

    @classmethod
    def of(
        cls,
        first: pa.Scalar,
        last: pa.Scalar,
        tables: Callable[[], Iterator[pa.Table]],
        drop: Callable[[], None] = lambda: None,
    ) -> Ordered:
        return cls(_bound(first), _bound(last), tables, drop)


class Sorter:
    """Takes rows in any order, gives them back in that of the keys.

    Rows that agree in the first key come back in one table, and each table is sorted.
    """

    def __init__(
        self, room: Room, keys: Sequence[str], *, rows_held: int | None = None
    ) -> None:
        self._room = room
        self._keys = tuple(keys)
        self._rows_held = min(rows_held or room.rows_held, room.rows_held)
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self._runs: list[Ordered] = []

    def add(self, table: pa.Table) -> None:
        self._waiting.append(table)
        self._rows += len(table)
        if self._rows >= self._rows_held:
            self._spill()

    def sorted(self) -> Iterator[pa.Table]:
        """All rows, once."""
        if not self._runs:
            if self._waiting:
                yield in_order(pa.concat_tables(self._waiting), self._keys)
            return
        self._spill()
        yield from merged(self._room, self._runs, self._keys)
        self.drop()

    def drop(self) -> None:
        for run in self._runs:
            run.drop()
        self._runs, self._waiting = [], []

    def _spill(self) -> None:
        if self._rows:
            table = in_order(pa.concat_tables(self._waiting), self._keys)
            self._waiting, self._rows = [], 0
            self._runs.append(_put_aside(self._room, iter([table]), self._keys[0]))


def in_order(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """The rows sorted by these columns, in one piece; what is in order is not copied."""
    first = table[keys[0]]
    if not first.null_count and (len(table) < 2 or _ascends(first)):
        return table.combine_chunks()
    order = _order_of_even_texts(first) if len(keys) == 1 else None
    if order is None:
        order = pc.sort_indices(table, sort_keys=[(key, "ascending") for key in keys])
    # A column at a time: to take rows of a table is slower.
    taken = partial(_taken, order)
    if len(table) < _LONG:
        columns = list(map(taken, table.columns))
    else:
        with ThreadPoolExecutor() as pool:
            columns = list(pool.map(taken, table.columns))
    return pa.Table.from_arrays(columns, schema=table.schema)


def _taken(order: pa.Array, column: pa.ChunkedArray) -> pa.Array:
    if column.null_count == len(column):
        return pa.nulls(len(column), column.type)
    # An order names each row once: to check its bounds costs as much as to take.
    return pc.take(column.combine_chunks(), order, boundscheck=False)


def _order_of_even_texts(column: pa.ChunkedArray) -> pa.Array | None:
    """The order of texts of one length, by the first few bytes in which they differ.

    None where these do not tell: a CRM's ids are such texts, others need not be.
    """
    if column.type != pa.string() or column.null_count or not len(column):
        return None
    texts = pa.concat_arrays(column.chunks)
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset :][: len(texts) + 1]
    width = int(ends[1] - ends[0])
    if not width or (np.diff(ends) != width).any():
        return None
    letters = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].reshape(-1, width)
    telling = _telling(letters)[:_WORD]
    words = np.zeros((len(texts), _WORD), np.uint8)
    words[:, : len(telling)] = letters[:, telling]
    numbers = words.view(">u8").ravel().astype(np.uint64)
    order = np.argsort(numbers)
    ordered = numbers[order]
    if (ordered[1:] == ordered[:-1]).any():
        return None
    return pa.array(order.astype(np.uint32))


def _telling(letters: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Where texts of one length differ, many of them in one step: each is but short."""
    width, end = letters.shape[1], len(letters) // _MANY * _MANY
    differs = np.zeros(width, np.bool_)
    for rows in (letters[:end].reshape(-1, _MANY * width), letters[end:]):
        first = np.resize(letters[0], rows.shape[1])
        differs |= (rows != first).any(axis=0).reshape(-1, width).any(axis=0)
    return np.flatnonzero(differs)


def _ascends(values: pa.ChunkedArray) -> bool:
    return bool(pc.all(pc.less(values[:-1], values[1:])).as_py())


def merged(
    room: Room,
    runs: Sequence[Ordered],
    keys: Sequence[str],
    *,
    at_once: int | None = None,
) -> Iterator[pa.Table]:
    """The rows of all runs in order; rows that agree in the first key come together.

    Args:
        at_once: Of how many runs a piece may be in memory; None: of as many as is well
            where pieces are as small as those of a `Room`.
    """
    most = at_once or _AT_ONCE
    merges = dict.fromkeys(runs, 0)  # how often the rows of a run have been merged
    while (excess := len(beside := _side_by_side(list(merges))) - most) > 0:
        # No more of them than makes the others fit: each is written once more.
        beside.sort(key=lambda run: (merges[run], run.first))
        group = beside[: min(excess + 1, most)]
        made = _put_aside(room, _merged(group, keys), keys[0])
        merges[made] = 1 + max(merges[run] for run in group)
        for run in group:
            if merges.pop(run):
                run.drop()
    yield from _merged(list(merges), keys)
    for run, times in merges.items():
        if times:
            run.drop()


def _side_by_side(runs: Sequence[Ordered]) -> list[Ordered]:
    """The most runs in which one key may stand."""
    edges = [(run.first, 0, at) for at, run in enumerate(runs)]
    edges += [(run.last, 1, at) for at, run in enumerate(runs)]
    edges.sort()
    steps = [-1 if ends else 1 for _, ends, _ in edges]
    depths = list(itertools.accumulate(steps))
    deepest = depths.index(max(depths)) if depths else -1
    beside: set[int] = set()
    for _, ends, at in edges[: deepest + 1]:
        (beside.remove if ends else beside.add)(at)
    return [runs[at] for at in beside]


def _put_aside(room: Room, tables: Iterator[pa.Table], key: str) -> Ordered:
    run = room.run()
    first = last = None
    for table in tables:
        if len(table):
            run.add(table)
            first = table[key][0] if first is None else first
            last = table[key][-1]
    return Ordered.of(first, last, run.tables, run.drop)


def _merged(runs: Sequence[Ordered], keys: Sequence[str]) -> Iterator[pa.Table]:
    waiting = deque(sorted(runs, key=lambda run: run.first))
    heads: list[_Head] = []
    while heads or waiting:
        if not heads:
            heads.append(_Head(waiting.popleft(), keys[0]))
        rows = min(_RANGE_ROWS, _RANGE_BYTES // max(head.width for head in heads))
        for head in heads:
            head.fill(rows // len(heads))
        bounds = [head.last for head in heads if head.has_more]
        if waiting:
            bounds.append(waiting[0].first)
        bound = min(bounds, default=None)
        parts = [part for head in heads if len(part := head.take(bound))]
        if parts:
            yield in_order(pa.concat_tables(parts), keys)
        elif bound is not None:  # all that is left stands at the bound itself
            while waiting and waiting[0].first <= bound:
                heads.append(_Head(waiting.popleft(), keys[0]))
            for head in heads:
                head.read_past(bound)
        heads = [head for head in heads if not head.is_empty]


class _Head:
    """What has been read of a run and not yet been taken."""

    def __init__(self, run: Ordered, key: str) -> None:
        self._tables = run.tables()
        self._key = key
        self._rest: list[pa.Table] = []
        self.has_more = True
        self._read()

    @property
    def last(self) -> Bound:
        return _bound(self._rest[-1][self._key][-1])

    @property
    def width(self) -> int:
        """The bytes of a row, about."""
        if not self._rest:
            return 1
        last = self._rest[-1]
        return max(1, int(last.nbytes) // len(last))

    @property
    def is_empty(self) -> bool:
        return not self._rest

    def take(self, bound: Bound | None) -> pa.Table:
        """The rows below the bound; None: all."""
        rest = pa.concat_tables(self._rest)
        count = len(rest) if bound is None else _below(rest[self._key], bound)
        self._rest = [rest.slice(count)] if count < len(rest) else []
        if not self._rest and self.has_more:
            self._read()
        return rest.slice(0, count)

    def fill(self, rows: int) -> None:
        """Have about so many waiting, that each step is worth its while."""
        while self.has_more and sum(map(len, self._rest)) < rows:
            self._read()

    def read_past(self, bound: Bound) -> None:
        if self._rest and self.last == bound and self.has_more:
            self._read()

    def _read(self) -> None:
        for table in self._tables:
            if len(table):
                self._rest.append(table)
                return
        self.has_more = False


def _bound(value: pa.Scalar) -> Bound:
    plain = value.as_py()
    return plain is None, "" if plain is None else plain


def _below(values: pa.ChunkedArray, bound: Bound) -> int:
    is_null, value = bound
    if is_null:
        return int(len(values) - values.null_count)
    below = pc.sum(pc.less(values, pa.scalar(value, values.type))).as_py()
    return int(below or 0)
