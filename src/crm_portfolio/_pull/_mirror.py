"""What did the source say of one table, word for word, and where does it stand?

    source/<table>/checkpoint.json      how far the pull has come
    source/<table>/<part>/000000-….arrow     one batch, in the order of the table's key

A file is named after a part of its own checksum: what a crash or a hand did to it is
found when it is read.
"""

from __future__ import annotations

import io
import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import pyarrow as pa
from pyarrow import ipc

from crm_portfolio._normalise import Ordered, Room, Stream, in_order, merged
from crm_portfolio._pull._checkpoint import Checkpoint
from crm_portfolio._pull._layout import common_schema, fitted, plain_rows
from crm_portfolio._storage import digest, digest_of
from crm_portfolio.errors import DamagedFileError
from crm_portfolio.schema import TABLES, Table, TableName

__all__ = ["IS_SET", "BatchFile", "Mirror", "distinct", "sort_keys"]

_CHECKPOINT: Final = "checkpoint.json"
# At once, where nothing is to be merged: a group of a Parquet file, so that it needs no
# copy to become one.
_WALKED_ROWS: Final = 1 << 16
_CHUNK_ROWS: Final = 1 << 13  # so few, because many files may be read side by side
_CHUNK_BYTES: Final = 1 << 21
_SHOWN: Final = 16  # characters of a checksum
# Tables without a key whose equal rows are one fact, told twice.
IS_SET: Final[tuple[TableName, ...]] = ("opportunity_change",)


def sort_keys(spec: Table, names: Sequence[str]) -> list[str]:
    """By what rows are ordered: the key, or else all their columns."""
    keys = [name for name in spec.key if name in names]
    return keys or [name for name in spec.names if name in names]


@attrs.frozen
class BatchFile:
    """The rows of one batch on disk, in the order of the table's key.

    Attributes:
        is_own: This process wrote it.
    """

    path: Path
    is_own: bool = False

    @property
    def number(self) -> int:
        return int(self.path.name.split("-", 1)[0])

    def schema(self) -> pa.Schema:
        try:
            with pa.OSFile(str(self.path)) as file:
                return ipc.open_file(file).schema
        except pa.ArrowInvalid as error:
            raise _damaged(self.path) from error

    def tables(
        self, schema: pa.Schema, names: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """The rows, a few at a time, with the columns of the schema."""
        if not self.is_sound():
            raise _damaged(self.path)
        wanted = (
            schema if names is None else pa.schema([schema.field(n) for n in names])
        )
        # Read, not mapped: pages of a mapped file would stay in memory as long as it.
        with pa.OSFile(str(self.path)) as file:
            reader = ipc.open_file(file)
            held = [name for name in wanted.names if name in reader.schema.names]
            if names is not None:
                places = sorted(map(reader.schema.get_field_index, held))
                options = ipc.IpcReadOptions(included_fields=places)
                reader = ipc.open_file(file, options=options)
            for place in range(reader.num_record_batches):
                rows = pa.Table.from_batches([reader.get_batch(place)])
                yield fitted(rows.select(held), wanted)

    def is_sound(self) -> bool:
        """Whether it is what was stored."""
        shown = self.path.name.split("-", 1)[1][:_SHOWN]
        return self.is_own or shown == digest_of(self.path)[:_SHOWN]

    def ordered(
        self, key: str, tables: Callable[[], Iterator[pa.Table]]
    ) -> list[Ordered]:
        """These tables, made of the rows, as a run to be merged; none if none has rows."""
        edges = self._edges(key)
        return [] if edges is None else [Ordered.of(*edges, tables)]

    def _edges(self, key: str) -> tuple[pa.Scalar, pa.Scalar] | None:
        """The first and the last key."""
        with pa.OSFile(str(self.path)) as file:
            place = ipc.open_file(file).schema.get_field_index(key)
            options = ipc.IpcReadOptions(included_fields=[place])
            reader = ipc.open_file(file, options=options)
            last = reader.num_record_batches - 1
            pieces = [
                keys
                for number in {0: None, max(last, 0): None}
                if number <= last and len(keys := reader.get_batch(number).column(0))
            ]
            return (pieces[0][0], pieces[-1][-1]) if pieces else None


class Mirror:
    """All of one table, as it came.

    Args:
        folder: Its own folder below ``source``.
        room: Where rows wait while they are put in order.
        sorts: Keep the rows in the order of the key; else in that in which they came.
    """

    def __init__(
        self, folder: Path, table: TableName, room: Room, *, sorts: bool = True
    ) -> None:
        self._folder = folder
        self._own: set[Path] = set()  # what this process wrote, and need not doubt
        self._sorts = sorts
        self.spec = TABLES[table]
        self._room = room

    def checkpoint(self) -> Checkpoint | None:
        return Checkpoint.load(self._folder / _CHECKPOINT)

    def save(self, checkpoint: Checkpoint) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        checkpoint.save(self._folder / _CHECKPOINT)

    def begin(self, *, beside: Sequence[str]) -> str:
        """An empty folder for new batches."""
        name = next(name for name in "123" if name not in beside)
        shutil.rmtree(self._folder / name, ignore_errors=True)
        (self._folder / name).mkdir(parents=True)
        return name

    def place(self, folder: str) -> Path:
        return self._folder / folder

    def keep_only(self, name: str) -> None:
        """The other folders are not needed any more."""
        for path in self._folder.iterdir():
            if path.is_dir() and path.name != name:
                shutil.rmtree(path, ignore_errors=True)

    def store(
        self, folder: str, number: int, rows: pa.Table, *, kind: str = "rows"
    ) -> None:
        """Write the rows of one batch, in the order of the key.

        Not flushed to the disk: killing the process cannot lose it, and what losing the
        power does to it is found by its checksum.
        """
        rows = plain_rows(rows, self.spec)
        is_theirs = kind in {"rows", "present"}
        keys = sort_keys(self.spec, rows.column_names) if is_theirs else ["id"]
        content = _file_bytes(rows, keys if self._sorts else [])
        ending = "arrow" if kind == "rows" else f"{kind}.arrow"
        place = self._folder / folder
        path = place / f"{number:06d}-{digest(content)[:_SHOWN]}.{ending}"
        temporary = path.with_name(f".{path.name}")
        temporary.write_bytes(content)
        temporary.replace(path)
        self._own.add(path)

    def files(self, folder: str, *, kind: str = "rows") -> list[BatchFile]:
        """What is stored there, in the order in which it came."""
        ending = "arrow" if kind == "rows" else f"{kind}.arrow"
        place = self._folder / folder
        if not place.is_dir():
            return []
        found = (
            BatchFile(path, is_own=path in self._own)
            for path in place.iterdir()
            if path.is_file()
        )
        mine = [file for file in found if file.path.name.partition(".")[2] == ending]
        return sorted(mine, key=lambda file: file.number)

    def read(self, folder: str, kind: str) -> list[pa.Table]:
        """What is stored there beside the rows, which is little; oldest first."""
        found = []
        for file in self.files(folder, kind=kind):
            schema = file.schema()
            parts = [schema.empty_table(), *file.tables(schema)]
            found.append(pa.concat_tables(parts))
        return found

    def drop(self, folder: str, kind: str, *, after: int = 0) -> None:
        """Remove what is stored there, from that number on."""
        for file in self.files(folder, kind=kind):
            if file.number >= after:
                file.path.unlink()

    def is_sound(self, folder: str, batches: int) -> bool:
        """Whether all that the checkpoint speaks of is there and unharmed."""
        files = self.files(folder)
        if [file.number for file in files] != list(range(batches)):
            return False
        return all(file.is_sound() for file in files)

    def schema(self, files: Sequence[BatchFile]) -> pa.Schema:
        return common_schema(file.schema() for file in files)

    def stream(self, folder: str) -> Stream:
        """The rows as raw columns."""
        files = self.files(folder)
        schema = self.schema(files)
        if self._sorts:
            return self._sorted_stream(files, schema)
        walk = partial(_one_by_one, files, schema)
        return Stream(tuple(schema.names), walk)

    def _sorted_stream(self, files: Sequence[BatchFile], schema: pa.Schema) -> Stream:
        keys = sort_keys(self.spec, schema.names)
        found = [
            (run, file)
            for file in files
            for run in file.ordered(keys[0], partial(file.tables, schema))
        ]
        found.sort(key=lambda pair: pair[0].first)
        runs = [run for run, _ in found]
        # Within a file keys are in order; if no two overlap, one goes after the other.
        is_chain = all(
            one.last < other.first for one, other in itertools.pairwise(runs)
        )
        is_set = self.spec.name in IS_SET

        def walk(names: Sequence[str] | None) -> Iterator[pa.Table]:
            if is_chain and not is_set:
                yield from _one_by_one([file for _, file in found], schema, names)
                return
            yield schema.empty_table().select(list(names or schema.names))
            tables = merged(self._room, runs, keys)
            for rows in distinct(tables) if is_set else tables:
                yield rows if names is None else rows.select(list(names))

        texts = all(schema.field(key).type == pa.string() for key in keys)
        is_ordered = bool(self.spec.key) and len(keys) == len(self.spec.key) and texts
        return Stream(tuple(schema.names), walk, is_ordered=is_ordered)


def _one_by_one(
    files: Sequence[BatchFile], schema: pa.Schema, names: Sequence[str] | None
) -> Iterator[pa.Table]:
    waiting, is_first = schema.empty_table().select(list(names or schema.names)), True
    for file in files:
        for rows in file.tables(schema, names):
            waiting = pa.concat_tables([waiting, rows])
            if len(waiting) >= _WALKED_ROWS:
                yield waiting[:_WALKED_ROWS]
                waiting, is_first = waiting[_WALKED_ROWS:], False
    if is_first or len(waiting):
        yield waiting


def distinct(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Each row once; all rows that agree in their first column come together."""
    for rows in tables:
        yield rows.group_by(rows.column_names, use_threads=False).aggregate([])


def _file_bytes(rows: pa.Table, keys: Sequence[str]) -> memoryview:
    """The rows as a file, in the order of these columns if there are any."""
    sink = io.BytesIO()
    options = ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    width = max(1, rows.nbytes // max(1, len(rows)))
    most = max(64, min(_CHUNK_ROWS, _CHUNK_BYTES // width))
    if keys:
        rows = in_order(rows, keys)
    with ipc.new_file(sink, rows.schema, options=options) as writer:
        for batch in rows.to_batches(max_chunksize=most):
            if batch.num_rows:  # the first and the last of a file tell its edges
                writer.write_batch(batch)
    return sink.getbuffer()


def _damaged(path: Path) -> DamagedFileError:
    return DamagedFileError(
        str(path),
        "this copy of what the CRM said was cut or altered",
        "Pull whole, without --since-last.",
    )
