"""How is a batch safe at once, however small, without a file for each?

    <part>/journal-<n>      what came behind the n files that are there

A batch is appended to the journal with the cursor behind it, in one write and under a
checksum. When enough rows have come they become a file of their own, the checkpoint says
so, and the journal begins anew. A process that was killed leaves at most a half entry at
the end, which is cut off.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

import attrs
import pyarrow as pa
from pyarrow import ipc

from crm_portfolio._pull._checkpoint import Part
from crm_portfolio._pull._layout import common_schema, fitted, plain_rows
from crm_portfolio._pull._mirror import Mirror
from crm_portfolio.protocols import Batch, Cursor, gone_schema
from crm_portfolio.schema import TableName

__all__ = ["Intake"]

_HEAD: Final = struct.Struct("<QI")  # length and checksum of what follows
_LENGTH: Final = struct.Struct("<Q")
_AS_IT_IS: Final = ipc.IpcWriteOptions()
_MOST_BYTES: Final = 1 << 25  # of a journal, however few the rows
_LARGE: Final = 4  # a batch of a fourth of a file becomes a file by itself


class Intake:
    """Takes the batches of one part.

    Args:
        save: Has the part in the checkpoint on return.
        rows_per_file: About so many rows stand in one file.
    """

    def __init__(
        self,
        mirror: Mirror,
        part: Part,
        save: Callable[[Part], None],
        *,
        rows_per_file: int,
    ) -> None:
        self._mirror = mirror
        self._save = save
        self._rows_per_file = rows_per_file
        self._stored = part
        self._journal = _Journal(mirror.place(part.folder), part.batches)
        self._rows: list[pa.Table] = []
        self._gone: list[pa.Table] = []
        self._waiting = 0
        self.part = part
        left = list(self._journal.entries(mirror.spec.name))
        if left and left[-1].cursor is None:  # so the source begins again
            self._journal.drop()
            left = []
        for batch in left:
            self._keep(batch)

    def take(self, batch: Batch) -> None:
        """Have the batch, and the cursor behind it, on disk on return."""
        if self._rows and not self._goes_with(batch):
            self._store()
        self._keep(batch)
        is_large = len(batch.rows) * _LARGE >= self._rows_per_file
        is_full = is_large or self._waiting >= self._rows_per_file
        if is_full or self._journal.append(batch) >= _MOST_BYTES:
            self._store()

    def end(self) -> Part:
        """All batches have come."""
        if self._rows or self._gone:
            self._store()
        self.part = attrs.evolve(self._stored, is_done=True)
        self._save(self.part)
        self._journal.drop()
        return self.part

    def close(self) -> None:
        """What has been taken stays; more may come in another process."""
        self._journal.close()

    def _goes_with(self, batch: Batch) -> bool:
        """Whether it can stand in one file with those before it."""
        if self._gone and len(batch.rows):  # it tells of records after they left
            return False
        mine, its = self._rows[-1].schema, batch.rows.schema
        same = mine.equals(its) or set(mine.names) == set(its.names)
        return same or not len(batch.rows)

    def _keep(self, batch: Batch) -> None:
        if len(batch.rows) or not self._rows:
            self._rows.append(batch.rows)
        if batch.gone is not None and len(batch.gone):
            gone = batch.gone.select(gone_schema().names).cast(gone_schema())
            self._gone.append(gone)
        self._waiting += len(batch.rows)
        rows = self._stored.rows + self._waiting
        self.part = attrs.evolve(self.part, rows=rows, cursor=batch.cursor)

    def _store(self) -> None:
        number, folder = self._stored.batches, self._stored.folder
        if self._gone:
            gone = pa.concat_tables(self._gone)
            self._mirror.store(folder, number, gone, kind="gone")
        self._mirror.store(folder, number, self._joined())
        self.part = attrs.evolve(self.part, batches=number + 1)
        self._stored = self.part
        self._rows, self._gone, self._waiting = [], [], 0
        self._save(self.part)
        self._journal.drop()
        self._journal = _Journal(self._mirror.place(folder), number + 1)

    def _joined(self) -> pa.Table:
        """The rows in one table; batches of one shape are looked at together."""
        groups: list[list[pa.Table]] = []
        for rows in self._rows:
            if not groups or not groups[-1][0].schema.equals(rows.schema):
                groups.append([])
            groups[-1].append(rows)
        spec = self._mirror.spec
        plain = [plain_rows(pa.concat_tables(group), spec) for group in groups]
        schema = common_schema(rows.schema for rows in plain)
        return pa.concat_tables([fitted(rows, schema) for rows in plain])


class _Journal:
    """The batches that are in no file yet."""

    def __init__(self, folder: Path, number: int) -> None:
        self._path = folder / f"journal-{number}"
        self._file: BinaryIO | None = None

    def entries(self, table: TableName) -> Iterator[Batch]:
        """What an earlier process left, up to the first entry that is not whole."""
        if not self._path.exists():
            return
        content, at = self._path.read_bytes(), 0
        while (entry := _entry(content, at)) is not None:
            at += _HEAD.size + len(entry)
            yield _batch(entry, table)
        if at < len(content):
            with self._path.open("r+b") as file:
                file.truncate(at)

    def append(self, batch: Batch) -> int:
        """Write it down; how many bytes have been written."""
        if self._file is None:
            self._file = self._path.open("ab", buffering=0)
        entry = b"".join(_packed(batch))
        self._file.write(_HEAD.pack(len(entry), zlib.crc32(entry)) + entry)
        return self._file.tell()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def drop(self) -> None:
        self.close()
        self._path.unlink(missing_ok=True)


def _entry(content: bytes, at: int) -> bytes | None:
    if at + _HEAD.size > len(content):
        return None
    length, checksum = _HEAD.unpack_from(content, at)
    entry = content[at + _HEAD.size : at + _HEAD.size + length]
    return entry if len(entry) == length and zlib.crc32(entry) == checksum else None


def _packed(batch: Batch) -> Iterator[bytes | memoryview]:
    """The cursor, the rows and who is gone, each behind its length."""
    cursor = batch.cursor
    plain = None if cursor is None else [cursor.token, cursor.taken_at.isoformat()]
    gone = b"" if batch.gone is None else _bytes(batch.gone)
    for part in (json.dumps(plain).encode(), _bytes(batch.rows), gone):
        yield _LENGTH.pack(len(part))
        yield part


def _batch(entry: bytes, table: TableName) -> Batch:
    pieces, at = [], 0
    while at < len(entry):
        (length,) = _LENGTH.unpack_from(entry, at)
        at += _LENGTH.size
        pieces.append(entry[at : at + length])
        at += length
    plain, rows, gone = pieces
    said = json.loads(plain)
    cursor = said and Cursor(table, said[0], datetime.fromisoformat(said[1]))
    left = _table(gone) if gone else None
    return Batch(table, _table(rows), cursor, left, is_last=False)


def _bytes(rows: pa.Table) -> memoryview:
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, rows.schema, options=_AS_IT_IS) as writer:
        writer.write_table(rows)
    return memoryview(sink.getvalue())


def _table(content: bytes) -> pa.Table:
    with ipc.open_stream(pa.BufferReader(content)) as reader:
        return reader.read_all()
