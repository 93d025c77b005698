"""How does a portfolio stand in a folder, and is what stands there still the same?

``portfolio.json`` beside one Parquet file for each table. The JSON holds the checksum of
every file and of itself. A new portfolio is written in a sub-folder and takes the place
of the old one when it is whole; whoever reads meanwhile, or after a crash, finds one of
the two.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias, cast

import attrs
import pyarrow as pa
import pyarrow.parquet as pq

from crm_portfolio._folder import ParquetRows
from crm_portfolio._storage import digest_of, sync_folder, write_atomically
from crm_portfolio.errors import DamagedFileError, SettingsError
from crm_portfolio.portfolio._header import (
    AGAIN,
    FILE,
    READY,
    SOURCE,
    Header,
    located,
    read_header,
)
from crm_portfolio.portfolio._identity import Column, columns_of, content_id
from crm_portfolio.schema import TABLES, TableName, arrow_type

__all__ = ["Draft", "SavedTables", "columns", "pieces"]

_Stamp: TypeAlias = tuple[int, int, int]

_WRITING: Final = ".writing"  # a portfolio that is not whole yet
_TOLD: Final = ("faults", "balance")


class Draft:
    """A portfolio that is being written; nobody sees it before it is whole.

    Raises:
        SettingsError: The folder holds other files and no portfolio.
    """

    def __init__(self, folder: Path) -> None:
        self.check(folder)
        self._folder = folder
        self._place = folder / _WRITING
        self._files: dict[str, _TableFile] = {}
        shutil.rmtree(self._place, ignore_errors=True)
        self._place.mkdir(parents=True)
        _settle(folder)

    @staticmethod
    def check(folder: Path) -> None:
        """Nothing, if a portfolio may be written there."""
        if folder.exists() and not _may_hold_ours(folder):
            raise SettingsError(
                f"{folder} holds other files and no portfolio: name an empty folder"
            )

    def opened(self, name: str, schema: pa.Schema) -> _TableFile:
        """Begin a table, or ``faults`` or ``balance``; if it was begun before, anew."""
        if name in self._files:
            self._files[name].close()
        self._files[name] = _TableFile(self._place / f"{name}.parquet", schema)
        return self._files[name]

    def publish(self, header: Header) -> None:
        """All tables have been written: put them in the place of what was there."""
        files = {f"{name}.parquet": file.close() for name, file in self._files.items()}
        header = attrs.evolve(header, files=files)
        if header.id is None:
            tables, _ = SavedTables.both(self._place, header)
            read = {name: tables.columns(name) for name in tables}
            header = attrs.evolve(header, id=content_id(header.identity, read))
        write_atomically(self._place / FILE, header.sealed())
        self._place.rename(self._folder / READY)
        sync_folder(self._folder)
        _settle(self._folder)

    def discard(self) -> None:
        """Leave what was there; nothing, if this has been published."""
        for file in self._files.values():
            file.close()
        shutil.rmtree(self._place, ignore_errors=True)


class _TableFile:
    """One Parquet file, and the checksum of what went into it."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._file = _Hashed(path.open("wb"))
        self._rows = ParquetRows(cast("BinaryIO", self._file), schema)

    def write(self, table: pa.Table) -> None:
        self._rows.write(table)

    def close(self) -> str:
        if not self._file.closed:
            self._rows.close()
            self._file.close()
        return self._file.hasher.hexdigest()


class _Hashed:
    """A file that counts the checksum of what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hasher = hashlib.sha256()
        self.closed = False

    def write(self, content: bytes) -> int:
        self.hasher.update(content)
        return self._file.write(content)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        if not self.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self.closed = True


def _may_hold_ours(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    if (folder / FILE).exists() or (folder / READY / FILE).exists():
        return True
    return all(entry.name in {_WRITING, READY, SOURCE} for entry in folder.iterdir())


def _settle(folder: Path) -> None:
    """Bring the files of a whole portfolio to where they belong, its header last."""
    ready = folder / READY
    if not (ready / FILE).exists():
        shutil.rmtree(ready, ignore_errors=True)
        return
    names = read_header(folder).files
    for name in names:
        if (ready / name).exists():
            (ready / name).replace(folder / name)
    for name in TABLES:
        if f"{name}.parquet" not in names:
            (folder / f"{name}.parquet").unlink(missing_ok=True)
    sync_folder(folder)
    (ready / FILE).replace(folder / FILE)
    ready.rmdir()
    sync_folder(folder)


class SavedTables(Mapping[str, pa.Table]):
    """Tables in a folder, each read when it is first asked for.

    Attributes:
        id: Of the portfolio they are of, if the folder says it.
    """

    def __init__(
        self, folder: Path, files: Mapping[str, str], said: str | None = None
    ) -> None:
        self.id = said
        self._folder = folder
        self._files = {
            name.removesuffix(".parquet"): checksum for name, checksum in files.items()
        }
        self._read: dict[str, pa.Table] = {}
        self._seen: dict[str, _Stamp] = {}

    @classmethod
    def both(cls, folder: Path, header: Header) -> tuple[SavedTables, SavedTables]:
        """The tables, and what was told of them."""
        told = {f"{name}.parquet" for name in _TOLD}
        files = header.files.items()
        return (
            cls(
                folder,
                {name: checksum for name, checksum in files if name not in told},
                header.id,
            ),
            cls(folder, {name: checksum for name, checksum in files if name in told}),
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, name: object) -> bool:
        return name in self._files  # without reading it

    def __getitem__(self, name: str) -> pa.Table:
        if name not in self._read:
            table = pq.read_table(self.file(name))
            self._read[name] = table.replace_schema_metadata(None).combine_chunks()
        return self._read[name]

    def pieces(self, name: str) -> Iterator[pa.Table]:
        """The table's rows, some at a time; at least one piece, and nothing is kept."""
        if name in self._read:
            yield self._read[name]
            return
        with pq.ParquetFile(self.file(name)) as file:
            yield file.schema_arrow.remove_metadata().empty_table()
            for group in range(file.num_row_groups):
                yield file.read_row_group(group).replace_schema_metadata(None)

    def columns(self, name: str) -> list[Column]:
        """Each reads its own values and no others, some at a time; nothing is kept."""
        if name in self._read:
            return columns_of(self._read[name])
        path, length = self.file(name), self.row_count(name)
        return [
            Column(each.name, each.type, length, partial(_values, path, each.name))
            for each in pq.read_schema(path)
        ]

    def file(self, name: str) -> Path:
        """The table's file, for an engine to read what it needs of it.

        Raises:
            DamagedFileError: It is no longer the one that was saved.
        """
        path = self._path(name)
        try:
            stamp = _stamp(path)
            if self._seen.get(name) != stamp:
                _must_be(path, digest_of(path), self._files[name])
                self._seen[name] = stamp
        except OSError as error:
            raise DamagedFileError(str(path), "it is missing", AGAIN) from error
        return path

    def row_count(self, name: str) -> int:
        """How many rows the table has, which does not read it."""
        if name in self._read:
            return len(self._read[name])
        return int(pq.read_metadata(self._path(name)).num_rows)

    def check(self) -> None:
        """Nothing, if each file is the one that was saved.

        Raises:
            DamagedFileError: A file was cut, altered, or has other columns than ours.
        """
        for name in self._files:
            _must_fit(self.file(name), name)

    def _path(self, name: str) -> Path:
        return located(self._folder, f"{name}.parquet")

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, ({name: self[name] for name in self},)


def pieces(tables: Mapping[TableName, pa.Table], name: TableName) -> Iterator[pa.Table]:
    """The rows of a table, some at a time if it is in a folder."""
    if isinstance(tables, SavedTables):
        yield from tables.pieces(name)
    else:
        yield tables[name]


def columns(tables: Mapping[TableName, pa.Table], name: TableName) -> list[Column]:
    """The columns of a table; those of one in a folder are not taken up whole."""
    if isinstance(tables, SavedTables):
        return tables.columns(name)
    return columns_of(tables[name])


def _stamp(path: Path) -> _Stamp:
    """What changes with a file: which one it is, how long, and when it was written."""
    told = path.stat()
    return told.st_ino, told.st_size, told.st_mtime_ns


def _values(path: Path, name: str) -> Iterator[pa.Array]:
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, columns=[name], use_threads=False)
            yield from rows.column(0).chunks


def _must_be(path: Path, found: str, checksum: str) -> None:
    if found != checksum:
        problem = "it was cut or altered after it was saved"
        raise DamagedFileError(str(path), problem, AGAIN)


def _must_fit(path: Path, name: str) -> None:
    if name in _TOLD:
        return
    spec = TABLES.get(cast("TableName", name))
    for field in pq.read_schema(path):
        if (
            spec is None
            or field.name not in spec
            or arrow_type(spec[field.name]) != field.type
        ):
            raise DamagedFileError(
                str(path),
                f"its column {field.name!r} is not of this version's schema",
                AGAIN,
            )
