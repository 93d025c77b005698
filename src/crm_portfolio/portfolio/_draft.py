"""How does a portfolio come into a folder, whole or not at all?

It is written in a sub-folder and takes the place of the one that was there when it is
whole; whoever reads meanwhile, or after a crash, finds one of the two.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._folder import ParquetRows
from crm_portfolio._storage import sync_folder, write_atomically
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.portfolio._header import FILE, SOURCE, Header, read_header
from crm_portfolio.portfolio._identity import Contents, content_id
from crm_portfolio.portfolio._place import READY, Part, is_part
from crm_portfolio.schema import TABLES, TableName

__all__ = ["Draft", "must_be_days"]

_WRITING: Final = ".writing"  # a portfolio that is not whole yet
_FIRST: Final = "part-00000.parquet"
_NOT_SAID: Final = "__HIVE_DEFAULT_PARTITION__"


class _Writer(Protocol):
    def write(self, table: pa.Table) -> None: ...

    def close(self) -> Iterator[Part]:
        """All rows have come; the files that hold them."""
        ...


class Draft:
    """A portfolio that is being written; nobody sees it before it is whole.

    Args:
        partitioned: Tables that become a folder, with a file for each year of a column.

    Raises:
        SettingsError: The folder holds other files and no portfolio.
    """

    def __init__(
        self, folder: Path, partitioned: Mapping[TableName, str] | None = None
    ) -> None:
        self.check(folder)
        self._folder = folder
        self._place = folder / _WRITING
        self._columns = {str(name): by for name, by in (partitioned or {}).items()}
        self._files: dict[str, _Writer] = {}
        self._contents: dict[str, Contents] = {}
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

    def opened(self, name: str, schema: pa.Schema) -> _Writer:
        """Begin a table, or ``faults`` or ``balance``; if it was begun before, anew."""
        if name in self._files:
            list(self._files[name].close())
        column = self._columns.get(name, "")
        if column in schema.names:
            self._files[name] = _Years(self._place, name, schema, column)
        else:
            self._files[name] = _TableFile(self._place, f"{name}.parquet", schema)
        if name in TABLES:
            contents = self._contents[name] = Contents(schema)
            self._files[name] = _Noted(self._files[name], contents)
        return self._files[name]

    def publish(self, header: Header) -> None:
        """All tables have been written: put them in the place of what was there."""
        parts = [part for file in self._files.values() for part in file.close()]
        header = attrs.evolve(header, files={part.name: part for part in parts})
        if header.id is None:
            found = content_id(header.identity, self._contents)
            header = attrs.evolve(header, id=found)
        write_atomically(self._place / FILE, header.sealed())
        self._place.rename(self._folder / READY)
        sync_folder(self._folder)
        _settle(self._folder)

    def discard(self) -> None:
        """Leave what was there; nothing, if this has been published."""
        for file in self._files.values():
            list(file.close())
        shutil.rmtree(self._place, ignore_errors=True)


@attrs.frozen
class _Noted:
    """Takes note of what is written, while it is at hand."""

    _writer: _Writer
    _contents: Contents

    def write(self, table: pa.Table) -> None:
        self._contents.add(table)
        self._writer.write(table)

    def close(self) -> Iterator[Part]:
        return self._writer.close()


class _TableFile:
    """One Parquet file, and the checksum of what went into it."""

    def __init__(
        self, folder: Path, name: str, schema: pa.Schema, told: str | None = None
    ) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._name, self._count = name, 0
        self._file = _Hashed(path.open("wb"))
        self._rows = ParquetRows(cast("BinaryIO", self._file), schema, told)

    def write(self, table: pa.Table) -> None:
        self._rows.write(table)
        self._count += len(table)

    def close(self) -> Iterator[Part]:
        if not self._file.closed:
            self._rows.close()
            self._file.close()
        yield Part(self._name, self._file.digest, self._file.size, self._count)


class _Years:
    """A table as a folder of files, one for each year of a column."""

    def __init__(self, folder: Path, name: str, schema: pa.Schema, column: str) -> None:
        self._folder, self._name = folder, name
        self._schema, self._column = schema, column
        self._files: dict[str, _TableFile] = {}

    def write(self, table: pa.Table) -> None:
        years = pc.fill_null(pc.year(table[self._column]), -1)
        for year in pc.unique(years).to_pylist():
            said = _NOT_SAID if year < 0 else str(year)
            self._of(f"{self._column}_year={said}").write(
                table.filter(pc.equal(years, year))
            )

    def close(self) -> Iterator[Part]:
        if not self._files:
            self._of(f"{self._column}_year={_NOT_SAID}")
        for each in sorted(self._files):
            yield from self._files[each].close()

    def _of(self, year: str) -> _TableFile:
        if year not in self._files:
            name = f"{self._name}/{year}/{_FIRST}"
            # So that whoever looks for some days can pass the others by.
            made = _TableFile(self._folder, name, self._schema, self._column)
            self._files[year] = made
        return self._files[year]


class _Hashed:
    """A file that counts the checksum of what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hasher = hashlib.sha256()
        self.size = 0
        self.closed = False

    @property
    def digest(self) -> str:
        return self._hasher.hexdigest()

    def write(self, content: bytes) -> int:
        self._hasher.update(content)
        self.size += len(content)
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


def must_be_days(partitioned: Mapping[TableName, str]) -> None:
    """Nothing, if each table can be written by the years of its column.

    Raises:
        SettingsError: There is no such table, or no such column, or it holds no days.
    """
    for name, column in partitioned.items():
        if name not in TABLES:
            near = did_you_mean(name, TABLES)
            raise SettingsError(f"the model has no table {name!r}{near}")
        days = [each.name for each in TABLES[name].columns if each.type in _DAYS]
        if column not in days:
            raise SettingsError(
                f"{name} cannot be written by the years of {column!r}: its days are "
                + (", ".join(days) or "none")
            )


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
    old, names = _named_in(folder), read_header(ready).files
    for name in names:
        if (ready / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (ready / name).replace(folder / name)
    for name in old - names.keys():
        (folder / name).unlink(missing_ok=True)
    _settle_below(folder, {*old, *names})
    (ready / FILE).replace(folder / FILE)
    shutil.rmtree(ready)
    sync_folder(folder)


def _named_in(folder: Path) -> set[str]:
    """The files of the portfolio that was there; more of them if it does not say."""
    names = {f"{name}.parquet" for name in TABLES}
    with suppress(ValueError, KeyError, TypeError, AttributeError, OSError):
        said = json.loads((folder / FILE).read_bytes())["files"]
        names |= {name for name in said if is_part(name)}
    return names


def _settle_below(folder: Path, names: Iterable[str]) -> None:
    """Have the folders of parts on disk, and none that is empty any more."""
    above = {up for name in names for up in (folder / name).parents}
    for each in sorted(above, key=lambda up: len(up.parts), reverse=True):
        if each != folder and folder in each.parents and each.is_dir():
            if any(each.iterdir()):
                sync_folder(each)
            else:
                each.rmdir()
    sync_folder(folder)


_DAYS: Final = frozenset({"day", "moment"})
