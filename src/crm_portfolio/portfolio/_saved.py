"""How does a portfolio stand in a folder, and is what stands there still the same?

``portfolio.json`` beside one Parquet file for each table. The JSON holds the checksum of
every file and of itself. A new portfolio is written in a sub-folder and takes the place
of the old one when it is whole; whoever reads meanwhile, or after a crash, finds one of
the two.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias, cast

import attrs
import pyarrow as pa
import pyarrow.parquet as pq

from crm_portfolio._folder import ParquetRows
from crm_portfolio._storage import (
    canonical_json,
    digest,
    digest_of,
    sync_folder,
    write_atomically,
)
from crm_portfolio.errors import DamagedFileError, SettingsError
from crm_portfolio.schema import TABLES, TableName, arrow_type

__all__ = ["Draft", "Header", "SavedTables", "pieces", "read_header"]

Json: TypeAlias = Any

_FILE: Final = "portfolio.json"
_FORMAT: Final = "crm-portfolio"
_VERSION: Final = 1
_AGAIN: Final = "Pull it again, or take it from a backup."
_WRITING: Final = ".writing"  # a portfolio that is not whole yet
_READY: Final = ".ready"  # one that is, until its files stand in the folder itself
_SOURCE: Final = "source"  # what a pull keeps beside it
_TOLD: Final = ("faults", "balance")


@attrs.frozen
class Header:
    """What a folder says of a portfolio, beside its tables.

    Attributes:
        files: The checksum of each file, by its name.
    """

    as_of: date
    currency: str
    time_zone: str
    year_starts: int
    org: str | None
    files: Mapping[str, str] = attrs.field(factory=dict)

    def sealed(self) -> bytes:
        plain = {
            "format": _FORMAT,
            "version": _VERSION,
            "as_of": self.as_of,
            "currency": self.currency,
            "calendar": {"time_zone": self.time_zone, "year_starts": self.year_starts},
            "org": self.org,
            "files": self.files,
        }
        checksum = digest(canonical_json(plain))
        return canonical_json({**plain, "checksum": checksum}) + b"\n"


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
        sealed = attrs.evolve(header, files=files).sealed()
        write_atomically(self._place / _FILE, sealed)
        self._place.rename(self._folder / _READY)
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
    if (folder / _FILE).exists() or (folder / _READY / _FILE).exists():
        return True
    return all(entry.name in {_WRITING, _READY, _SOURCE} for entry in folder.iterdir())


def _settle(folder: Path) -> None:
    """Bring the files of a whole portfolio to where they belong, its header last."""
    ready = folder / _READY
    if not (ready / _FILE).exists():
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
    (ready / _FILE).replace(folder / _FILE)
    ready.rmdir()
    sync_folder(folder)


def _located(folder: Path, name: str) -> Path:
    """Where the file is: in the folder, or on its way there."""
    ready = folder / _READY / name
    return ready if ready.exists() else folder / name


class SavedTables(Mapping[str, pa.Table]):
    """Tables in a folder, each read when it is first asked for."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self._folder = folder
        self._files = {
            name.removesuffix(".parquet"): checksum for name, checksum in files.items()
        }
        self._read: dict[str, pa.Table] = {}

    @classmethod
    def both(cls, folder: Path, header: Header) -> tuple[SavedTables, SavedTables]:
        """The tables, and what was told of them."""
        told = {f"{name}.parquet" for name in _TOLD}
        files = header.files.items()
        return (
            cls(
                folder, {name: checksum for name, checksum in files if name not in told}
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
            path = self._path(name)
            content = _content(path)
            _must_be(path, digest(content), self._files[name])
            table = pq.read_table(pa.BufferReader(content))
            self._read[name] = table.replace_schema_metadata(None).combine_chunks()
        return self._read[name]

    def pieces(self, name: str) -> Iterator[pa.Table]:
        """The table's rows, some at a time; at least one piece, and nothing is kept."""
        if name in self._read:
            yield self._read[name]
            return
        path = self._path(name)
        _must_be(path, digest_of(path), self._files[name])
        with pq.ParquetFile(path) as file:
            yield file.schema_arrow.remove_metadata().empty_table()
            for group in range(file.num_row_groups):
                yield file.read_row_group(group).replace_schema_metadata(None)

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
        for name, checksum in self._files.items():
            path = self._path(name)
            try:
                _must_be(path, digest_of(path), checksum)
            except OSError as error:
                raise DamagedFileError(str(path), "it is missing", _AGAIN) from error
            _must_fit(path, name)

    def _path(self, name: str) -> Path:
        return _located(self._folder, f"{name}.parquet")

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, ({name: self[name] for name in self},)


def pieces(tables: Mapping[TableName, pa.Table], name: TableName) -> Iterator[pa.Table]:
    """The rows of a table, some at a time if it is in a folder."""
    if isinstance(tables, SavedTables):
        yield from tables.pieces(name)
    else:
        yield tables[name]


def read_header(folder: Path) -> Header:
    """What the folder says of its portfolio.

    Raises:
        SettingsError: It is not a folder that ``Portfolio.save`` wrote.
        DamagedFileError: The file was cut, altered, or written by a newer version.
    """
    written = _header(folder)
    return Header(
        as_of=date.fromisoformat(written["as_of"]),
        currency=written["currency"],
        time_zone=written["calendar"]["time_zone"],
        year_starts=written["calendar"]["year_starts"],
        org=written["org"],
        files=written["files"],
    )


def _header(folder: Path) -> Json:
    path = _located(folder, _FILE)
    if not folder.is_dir():
        raise SettingsError(
            f"there is no folder {folder}: make it with `crm-portfolio pull`, or of "
            f"exported files with `crm-portfolio pull files EXPORTS --to {folder}`"
        )
    if not path.is_file():
        raise SettingsError(_not_ours(folder))
    try:
        header = json.loads(path.read_bytes())
        version, checksum = header["version"], header.pop("checksum")
        is_ours = header["format"] == _FORMAT and isinstance(version, int)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedFileError(str(path), "it cannot be read", _AGAIN) from error
    if not is_ours:
        raise DamagedFileError(str(path), "it is of another format", _AGAIN)
    if version > _VERSION:
        raise DamagedFileError(
            str(path),
            f"a newer version of crm-portfolio wrote it (format {version}, this one "
            f"reads up to {_VERSION})",
            "Upgrade with: pip install --upgrade crm-portfolio",
        )
    if checksum != digest(canonical_json(header)):
        raise DamagedFileError(str(path), "it was altered after it was saved", _AGAIN)
    return header


def _not_ours(folder: Path) -> str:
    if (folder / _SOURCE).is_dir():
        return (
            f"{folder} holds a pull that has not come to its end: run the same "
            "`crm-portfolio pull` again, it goes on where it stopped"
        )
    return (
        f"{folder} is not a folder of ours, for it has no {_FILE}: make one with "
        f"`crm-portfolio pull files {folder} --to FOLDER`"
    )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DamagedFileError(str(path), "it is missing", _AGAIN) from error


def _must_be(path: Path, found: str, checksum: str) -> None:
    if found != checksum:
        problem = "it was cut or altered after it was saved"
        raise DamagedFileError(str(path), problem, _AGAIN)


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
                _AGAIN,
            )
