"""What stands in a folder, and is it still what was saved?

``portfolio.json`` beside the tables. A table is one Parquet file, or a folder of them.
The JSON holds the checksum and the length of every file, and its own.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq

from crm_portfolio._frames import Backend, NativeFrame, from_parquet
from crm_portfolio._normalise import Disk, Ordered, Stream, in_order, merged
from crm_portfolio.errors import DamagedFileError
from crm_portfolio.portfolio._header import AGAIN, Header
from crm_portfolio.portfolio._place import Part, Place
from crm_portfolio.schema import TABLES, TableName, arrow_type

__all__ = ["SavedTables", "pieces", "stream"]

_TOLD: Final = ("faults", "balance")
_AT_ONCE: Final = 16  # files of a table that are read side by side, a group of each


class SavedTables(Mapping[str, pa.Table]):
    """Tables in a folder, each read when it is first asked for.

    Attributes:
        id: Of the portfolio they are of, if the folder says it.
    """

    def __init__(
        self,
        place: Place,
        parts: Mapping[str, Sequence[Part]],
        said: str | None = None,
    ) -> None:
        self.id = said
        self._place = place
        self._parts = parts
        self._read: dict[str, pa.Table] = {}
        self._seen: dict[str, tuple[int, ...]] = {}

    @classmethod
    def both(cls, place: Place, header: Header) -> tuple[SavedTables, SavedTables]:
        """The tables, and what was told of them."""
        parts: dict[str, list[Part]] = {}
        for part in header.files.values():
            parts.setdefault(part.table, []).append(part)
        told = {str(name): parts.pop(name) for name in _TOLD if name in parts}
        return cls(place, parts, header.id), cls(place, told)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __contains__(self, name: object) -> bool:
        return name in self._parts  # without reading it

    def __getitem__(self, name: str) -> pa.Table:
        if name not in self._read:
            found = []
            for part in self._sound(name):
                with self._opened(part) as source:
                    found.append(pq.read_table(source, partitioning=None))
            table = pa.concat_tables(found).replace_schema_metadata(None)
            if len(found) > 1:
                table = in_order(table, _order(name, table))
            self._read[name] = table.combine_chunks()
        return self._read[name]

    def lazy(self, name: str, backend: Backend) -> NativeFrame:
        """The table as a frame of an engine, which reads what it needs where it lies.

        Raises:
            DamagedFileError: A file is no longer the one that was saved.
            SettingsError: The engine cannot reach the store.
        """
        parts = self._sound(name)
        files = [self._place.reached(part.name) for part in parts]
        lengths = [self._rows(part) for part in parts] if len(parts) > 1 else ()
        return from_parquet(files, backend, client=self._place.client, lengths=lengths)

    def pieces(self, name: str) -> Iterator[pa.Table]:
        """The table's rows in order, some at a time; at least one piece.

        Nothing is kept.
        """
        if name in self._read:
            yield self._read[name]
            return
        parts = self._sound(name)
        if len(parts) == 1:
            yield from self._groups(parts[0])
            return
        none = next(self._groups(parts[0]))
        yield none
        order = _order(name, none)
        runs = [run for part in parts if (run := self._run(part, order[0]))]
        with _aside() as room:
            yield from merged(room, runs, order, at_once=_AT_ONCE)

    def row_count(self, name: str) -> int:
        """How many rows the table has, which does not read it."""
        if name in self._read:
            return len(self._read[name])
        return sum(map(self._rows, self._parts[name]))

    def check(self) -> None:
        """Nothing, if each file is the one that was saved.

        Raises:
            DamagedFileError: A file was cut, altered, or has other columns than ours.
        """
        with ThreadPoolExecutor(2) as pool:  # most of it is to add up every byte
            for parts in pool.map(self._sound, self._parts):
                # Those of a store are many requests; each is known by its length.
                for part in parts if self._place.client is None else parts[:1]:
                    self._must_fit(part)

    def _sound(self, name: str) -> Sequence[Part]:
        """The files of a table, each of which is the one that was saved."""
        for part in self._parts[name]:
            try:
                stamp = self._place.stamp(part.name)
                if self._seen.get(part.name) != stamp:
                    if not self._place.is_saved(part):
                        problem = "it was cut or altered after it was saved"
                        raise self._damaged(part, problem)
                    self._seen[part.name] = stamp
            except OSError as error:
                raise self._damaged(part, "it is missing") from error
        return self._parts[name]

    @contextmanager
    def _opened(self, part: Part) -> Iterator[Any]:
        """The file, which may have gone since it was found to be sound."""
        try:
            with self._place.opened(part.name) as source:
                yield source
        except FileNotFoundError as error:
            raise self._damaged(part, "it is missing") from error

    def _damaged(self, part: Part, problem: str) -> DamagedFileError:
        return DamagedFileError(str(self._place.reached(part.name)), problem, AGAIN)

    def _must_fit(self, part: Part) -> None:
        if part.table in _TOLD:
            return
        spec = TABLES.get(cast("TableName", part.table))
        for field in self._schema(part):
            if (
                spec is None
                or field.name not in spec
                or arrow_type(spec[field.name]) != field.type
            ):
                problem = f"its column {field.name!r} is not of this version's schema"
                raise self._damaged(part, problem)

    def _schema(self, part: Part) -> pa.Schema:
        with self._opened(part) as source:
            return pq.read_schema(source).remove_metadata()

    def _rows(self, part: Part) -> int:
        if part.rows is not None:
            return part.rows
        with self._opened(part) as source:
            return int(pq.read_metadata(source).num_rows)

    def _groups(self, part: Part) -> Iterator[pa.Table]:
        with self._opened(part) as source, pq.ParquetFile(source) as file:
            yield file.schema_arrow.remove_metadata().empty_table()
            for group in range(file.num_row_groups):
                yield file.read_row_group(group).replace_schema_metadata(None)

    def _run(self, part: Part, key: str) -> Ordered | None:
        """The rows of a part, which are in order."""
        with self._opened(part) as source, pq.ParquetFile(source) as file:
            if not file.metadata.num_rows:
                return None
            last = file.num_row_groups - 1
            first, last_of = (
                file.read_row_group(at, columns=[key])[key] for at in (0, last)
            )
        return Ordered.of(first[0], last_of[-1], partial(self._groups, part))

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, ({name: self[name] for name in self},)


def pieces(tables: Mapping[TableName, pa.Table], name: TableName) -> Iterator[pa.Table]:
    """The rows of a table, some at a time if it is in a folder."""
    if isinstance(tables, SavedTables):
        yield from tables.pieces(name)
    else:
        yield tables[name]


def stream(tables: Mapping[TableName, pa.Table], name: TableName) -> Stream:
    """The same for the normaliser."""

    def walk(names: Sequence[str] | None) -> Iterator[pa.Table]:
        for rows in pieces(tables, name):
            yield rows if names is None else rows.select(list(names))

    first = next(pieces(tables, name))
    return Stream(tuple(first.column_names), walk, is_ordered=bool(TABLES[name].key))


def _order(name: str, table: pa.Table) -> Sequence[str]:
    """The columns by which the rows of a table are in order."""
    spec = TABLES.get(cast("TableName", name))
    return (spec and spec.key) or table.column_names


@contextmanager
def _aside() -> Iterator[Disk]:
    folder = Path(tempfile.mkdtemp(prefix="crm-portfolio-"))
    try:
        yield Disk(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
