"""How does a folder of model tables become raw columns, and back?

One file for each table, ``<table>.csv`` or ``<table>.parquet``, with the column names
of the model. CSV comes in as text; the normaliser types it. A Parquet file of ours has
the same bytes for the same rows, however they came.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from inspect import signature
from pathlib import Path
from typing import BinaryIO, Final, Literal, get_args

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from crm_portfolio._frames import to_arrow
from crm_portfolio._storage import write_atomically
from crm_portfolio.errors import DamagedFileError, SettingsError, did_you_mean
from crm_portfolio.schema import TABLES, TableName

__all__ = [
    "FolderFormat",
    "ParquetRows",
    "parquet_bytes",
    "read_folder",
    "write_folder",
]

FolderFormat = Literal["csv", "parquet"]

_NAMES: tuple[TableName, ...] = get_args(TableName)
# What Portfolio.save puts beside its tables.
_COMPANIONS = ("faults.parquet", "balance.parquet")
_GROUP_ROWS: Final = 1 << 16
_OURS: Final = ("owner", "product")  # of whom there are few
_REPEATED: Final = {
    column.name
    for table in TABLES.values()
    for column in table.columns
    if column.refers_to in _OURS
}
# Columns in which hardly a value comes twice, so that a dictionary would be in vain.
_DISTINCT: Final = {
    column.name
    for table in TABLES.values()
    for column in table.columns
    if column.type in {"id", "text", "money", "number", "moment"}
} | {"row", "value"}
# One page for each column of a group, so that it does not matter where pieces end.
_ONE_PAGE: Final = {
    "write_batch_size": _GROUP_ROWS,
    "data_page_size": 1 << 30,
    "dictionary_pagesize_limit": 1 << 30,
}
if "max_rows_per_page" in signature(pq.ParquetWriter).parameters:
    _ONE_PAGE["max_rows_per_page"] = _GROUP_ROWS


def read_folder(folder: Path) -> dict[TableName, pa.Table]:
    """Every table of the folder, as it stands; an empty CSV cell is null, NA is text.

    Raises:
        SettingsError: No such folder, nothing in it, or a table the model lacks.
        DamagedFileError: A file that cannot be read as what its name says.
    """
    found = dict(_table_files(folder))
    if not found:
        raise SettingsError(
            f"{folder} holds no table: it needs <table>.csv or <table>.parquet, "
            "at least account.csv"
        )
    return {name: _read(found[name]) for name in _NAMES if name in found}


def write_folder(
    folder: Path,
    tables: Mapping[TableName, pa.Table],
    *,
    format: FolderFormat = "csv",  # noqa: A002
) -> None:
    """One file for each table. In CSV, null and empty text are the same."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        content = parquet_bytes(table) if format == "parquet" else _csv_bytes(table)
        write_atomically(folder / f"{name}.{format}", content)


def parquet_bytes(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    sink = io.BytesIO()
    rows = ParquetRows(sink, table.schema)
    rows.write(table)
    rows.close()
    return sink.getvalue()


class ParquetRows:
    """Rows on their way into a Parquet file.

    They are cut anew into groups of one size, so that the bytes of the file tell only of
    the rows and not of the pieces in which they came.
    """

    def __init__(
        self, sink: BinaryIO, schema: pa.Schema, told: str | None = None
    ) -> None:
        """Begin a file.

        Args:
            told: The column of which each group tells its least and greatest.
        """
        # Measured on a million opportunities: repeated values as a dictionary, others
        # plain; snappy costs least of all that compress; nobody reads the statistics
        # of rows that are in the order of their ids.
        self._writer = pq.ParquetWriter(
            sink,
            schema,
            compression="snappy",
            use_dictionary=[
                name
                for name in schema.names
                if name in _REPEATED or name not in _DISTINCT
            ],
            write_statistics=[told] if told else False,
            **_ONE_PAGE,
        )
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def write(self, table: pa.Table) -> None:
        self._waiting.append(table)
        self._rows += len(table)
        if self._rows >= _GROUP_ROWS:
            self._write(self._rows - self._rows % _GROUP_ROWS)

    def close(self) -> None:
        """All rows have come."""
        if self._rows:
            self._write(self._rows)
        self._writer.close()

    def _write(self, rows: int) -> None:
        joined = pa.concat_tables(self._waiting)
        for start in range(0, rows, _GROUP_ROWS):
            group = joined.slice(start, min(_GROUP_ROWS, rows - start))
            # In one piece: before 26 PyArrow begins a page with each of them.
            self._writer.write_table(group.combine_chunks(), _GROUP_ROWS)
        self._waiting = [joined.slice(rows)]
        self._rows -= rows


def _csv_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    arrow_csv.write_csv(table, sink)
    return sink.getvalue()


def _table_files(folder: Path) -> Iterator[tuple[TableName, Path]]:
    if not folder.is_dir():
        raise SettingsError(f"there is no folder {folder}")
    seen: dict[str, Path] = {}
    is_saved = (folder / "portfolio.json").exists()
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in {".csv", ".parquet"}:
            continue
        if is_saved and path.name in _COMPANIONS:
            continue
        name = _table_name(path)
        if name in seen:
            raise SettingsError(
                f"{folder} holds {seen[name].name} and {path.name}: keep one of them"
            )
        seen[name] = path
        yield name, path


def _table_name(path: Path) -> TableName:
    for name in _NAMES:
        if path.stem == name:
            return name
    hint = did_you_mean(path.stem, _NAMES)
    raise SettingsError(
        f"{path}: the model has no table {path.stem!r}{hint}; rename the file, or move "
        "it out of the folder"
    )


def _read(path: Path) -> pa.Table:
    try:
        table = (
            _read_csv(path) if path.suffix.lower() == ".csv" else pq.read_table(path)
        )
    except UnicodeDecodeError as error:
        raise DamagedFileError(
            str(path), "it is not in UTF-8", "Save it again as CSV UTF-8."
        ) from error
    except (pa.ArrowInvalid, OSError) as error:
        # The cause may quote a cell, so it stays in __cause__ and out of the message.
        raise DamagedFileError(
            str(path),
            f"it cannot be read as {path.suffix.lstrip('.').lower()}",
            "Look for lines with more or fewer cells than the header, and for text "
            "that is not UTF-8; or export it again.",
        ) from error
    return to_arrow(table)


def _read_csv(path: Path) -> pa.Table:
    header, delimiter = _header(path)
    return arrow_csv.read_csv(
        path,
        parse_options=arrow_csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            null_values=[""],
        ),
    )


def _header(path: Path) -> tuple[list[str], str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
    # Column names of the model hold neither, so whichever is there separates.
    delimiter = next((mark for mark in (";", "\t") if mark in first), ",")
    header = next(csv.reader([first], delimiter=delimiter), [])
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DamagedFileError(
            str(path), f"the column {twice[0]!r} stands twice", "Drop one of them."
        )
    return header, delimiter
