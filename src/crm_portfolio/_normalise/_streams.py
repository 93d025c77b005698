"""In which shape do raw tables come that are too long to be held?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import attrs
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Beside", "Stream"]


@attrs.frozen(eq=False)
class Stream:
    """One raw table that can be walked more than once, in pieces.

    Attributes:
        names: Its columns; each piece has all of them.
        walk: The pieces in a fixed order, at least one, with these columns only.
        is_ordered: Its rows come in the order of the table's key.
    """

    names: tuple[str, ...]
    walk: Callable[[Sequence[str] | None], Iterator[pa.Table]]
    is_ordered: bool = False

    @classmethod
    def of(cls, table: pa.Table) -> Stream:
        """A table that is in memory, as one piece."""

        def walk(names: Sequence[str] | None) -> Iterator[pa.Table]:
            yield table if names is None else table.select(list(names))

        return cls(tuple(table.column_names), walk)


class Beside:
    """Rows that are walked beside others, both in the order of one id."""

    def __init__(self, tables: Iterator[pa.Table], key: str) -> None:
        self._tables = tables
        self._key = key
        self._waiting = [next(tables)]

    def up_to(self, last: str) -> pa.Table:
        """Those that come next, up to and with this id."""
        while self._reaches() <= last:
            table = next(self._tables, None)
            if table is None:
                break
            self._waiting.append(table)
        rows = pa.concat_tables(self._waiting)
        count = pc.sum(pc.less_equal(rows[self._key], last)).as_py() or 0
        self._waiting = [rows.slice(count)]
        return rows.slice(0, count)

    def rest(self) -> pa.Table:
        """All that are left."""
        return pa.concat_tables([*self._waiting, *self._tables])

    def _reaches(self) -> str:
        rows = self._waiting[-1]
        return str(rows[self._key][-1]) if len(rows) else ""
