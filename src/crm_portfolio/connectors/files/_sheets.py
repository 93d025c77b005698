"""Which files does a folder hold, and how is one of them read?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from crm_portfolio._frames import to_arrow
from crm_portfolio.connectors.files._csv import Head, Ragged, look, read_cells
from crm_portfolio.connectors.files._settings import FilesSettings
from crm_portfolio.errors import DataError, SettingsError, did_you_mean
from crm_portfolio.schema import TABLES

__all__ = ["cells_of", "head_of", "paths_of"]

_READ: Final = (".csv", ".tsv", ".parquet")
_NOT_READ: Final = {
    ".xls": "save it as CSV",
    ".xlsx": "save it as CSV",
    ".zip": "unpack it",
    ".gz": "unpack it",
}


def paths_of(folder: Path, settings: FilesSettings) -> tuple[list[Path], list[str]]:
    """The files to read, and notes on those that are left alone.

    Raises:
        SettingsError: There is no folder or nothing in it to read, or ``files`` names
            a file that is not there.
    """
    if not folder.is_dir():
        raise SettingsError(f"there is no folder {folder}")
    every = sorted(path for path in folder.iterdir() if path.is_file())
    for name in settings.files:
        if name not in (there := [path.name for path in every]):
            raise SettingsError(
                f"files names {name!r}, which {folder} does not hold{did_you_mean(name, there)}"
            )
    ignored = {name for name, table in settings.files.items() if table == "ignore"}
    # What Portfolio.save puts beside its tables is not a table.
    is_saved = (folder / "portfolio.json").is_file()
    paths = [
        path
        for path in every
        if path.suffix.lower() in _READ
        and path.name not in ignored
        and not path.name.startswith((".", "~"))
        and not (is_saved and path.stem not in TABLES)
    ]
    notes = list(_left_alone(every, ignored))
    if not paths:
        raise SettingsError(
            f"{folder} holds no CSV or Parquet file to read"
            + "".join(f"; {note}" for note in notes)
        )
    return paths, notes


def _left_alone(every: Iterable[Path], ignored: set[str]) -> Iterator[str]:
    for path in every:
        if path.name in ignored:
            yield f"{path.name} is not read, as the settings say"
        elif advice := _NOT_READ.get(path.suffix.lower()):
            yield f"{path.name} is not read: {advice}"


def head_of(path: Path, known: Iterable[frozenset[str]], encoding: str | None) -> Head:
    """The headers of a file, and how it is written."""
    if path.suffix.lower() != ".parquet":
        return look(path, known, encoding)
    try:
        names = tuple(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path.name} cannot be read as Parquet") from error
    return Head(path, "Parquet", "", names, names, 0)


def cells_of(head: Head, names: Sequence[str]) -> tuple[pa.Table, tuple[Ragged, ...]]:
    """These columns of a file, and the rows that do not fit its header."""
    if head.path.suffix.lower() != ".parquet":
        return read_cells(head, names)
    try:
        return to_arrow(pq.read_table(head.path, columns=list(names))), ()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{head.path.name} cannot be read as Parquet") from error
