"""Where do rows wait that are more than memory should hold?"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa
from pyarrow import ipc

__all__ = ["Disk", "Memory", "Room", "Run"]

_CHUNK_ROWS: Final = 1 << 12
_CHUNK_BYTES: Final = 1 << 21


class Run(Protocol):
    """Rows put aside, in the order in which they came; all have the same columns."""

    def add(self, table: pa.Table) -> None: ...

    def tables(self) -> Iterator[pa.Table]:
        """All of them, a few at a time; after this, none can be added."""
        ...

    def drop(self) -> None:
        """They are not needed any more."""
        ...


class Room(Protocol):
    """Where runs stand."""

    @property
    def rows_held(self) -> int:
        """How many rows may be in memory before they are put aside."""
        ...

    def run(self) -> Run: ...


class Memory:
    """For frames that are in memory anyway."""

    rows_held = sys.maxsize

    def run(self) -> Run:
        return _Kept()


class _Kept:
    def __init__(self) -> None:
        self._tables: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        self._tables.append(table)

    def tables(self) -> Iterator[pa.Table]:
        return iter(self._tables)

    def drop(self) -> None:
        self._tables.clear()


class Disk:
    """A folder of its own, which goes when all is done; a crash may leave it."""

    def __init__(self, folder: Path, *, rows_held: int = 1 << 17) -> None:
        self._folder = folder
        self._rows_held = rows_held
        self._numbers = itertools.count()

    @property
    def rows_held(self) -> int:
        return self._rows_held

    def run(self) -> Run:
        self._folder.mkdir(parents=True, exist_ok=True)
        return _Spilled(self._folder / f"{next(self._numbers)}.arrow")


class _Spilled:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: pa.OSFile | None = None
        self._writer: ipc.RecordBatchStreamWriter | None = None

    def add(self, table: pa.Table) -> None:
        if self._writer is None:
            self._file = pa.OSFile(str(self._path), "wb")
            self._writer = ipc.new_stream(self._file, table.schema)
        for chunk in _in_chunks(table):
            self._writer.write_table(chunk)

    def tables(self) -> Iterator[pa.Table]:
        self._close()
        # Read, not mapped: pages of a mapped file would stay in memory as long as it.
        with pa.OSFile(str(self._path)) as file, ipc.open_stream(file) as batches:
            yield batches.schema.empty_table()
            for batch in batches:
                yield pa.Table.from_batches([batch])

    def drop(self) -> None:
        self._close()
        self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._writer is not None and self._file is not None:
            self._writer.close()
            self._file.close()
            self._writer = self._file = None


def _in_chunks(table: pa.Table) -> Iterator[pa.Table]:
    """Pieces small enough that many runs can be read side by side."""
    width = max(1, table.nbytes // max(1, len(table)))
    rows = max(64, min(_CHUNK_ROWS, _CHUNK_BYTES // width))
    for start in range(0, len(table), rows) or (0,):
        yield table.slice(start, rows)
