"""How does a portfolio stand in a folder, and is what stands there still the same?

``portfolio.json`` beside one Parquet file for each table. The JSON is written last and
holds the checksum of every file and of itself.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import pyarrow as pa
import pyarrow.parquet as pq

from crm_portfolio._folder import parquet_bytes
from crm_portfolio._storage import canonical_json, digest, write_atomically
from crm_portfolio.errors import DamagedFileError, SettingsError
from crm_portfolio.schema import TABLES, TableName, arrow_type

__all__ = ["Saved", "read_saved", "write_saved"]

Json: TypeAlias = Any

_FILE = "portfolio.json"
_FORMAT = "crm-portfolio"
_VERSION = 1
_AGAIN = "Pull it again, or take it from a backup."


@attrs.frozen(eq=False)
class Saved:
    """All that a folder says of a portfolio."""

    as_of: date
    currency: str
    time_zone: str
    year_starts: int
    org: str | None
    tables: Mapping[TableName, pa.Table]
    faults: pa.Table
    balance: pa.Table


def write_saved(folder: Path, saved: Saved) -> None:
    """Write the folder; an older portfolio in it is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / _FILE).exists():
        raise SettingsError(
            f"{folder} holds other files and no portfolio: name an empty folder"
        )
    parts: dict[str, pa.Table] = dict(saved.tables.items())
    parts |= {"faults": saved.faults, "balance": saved.balance}
    files = {}
    for name, table in parts.items():
        content = parquet_bytes(table)
        write_atomically(folder / f"{name}.parquet", content)
        files[f"{name}.parquet"] = digest(content)
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "as_of": saved.as_of,
        "currency": saved.currency,
        "calendar": {"time_zone": saved.time_zone, "year_starts": saved.year_starts},
        "org": saved.org,
        "files": files,
    }
    sealed = {**header, "checksum": digest(canonical_json(header))}
    write_atomically(folder / _FILE, canonical_json(sealed) + b"\n")
    for name in TABLES:
        if name not in parts:
            (folder / f"{name}.parquet").unlink(missing_ok=True)


def read_saved(folder: Path) -> Saved:
    """Read the folder.

    Raises:
        SettingsError: It is not a folder that ``Portfolio.save`` wrote.
        DamagedFileError: A file was cut, altered, or written by a newer version.
    """
    header = _header(folder)
    parts = {
        name.removesuffix(".parquet"): _part(folder / name, checksum)
        for name, checksum in header["files"].items()
    }
    faults, balance = parts.pop("faults"), parts.pop("balance")
    tables = {
        name: _table(folder, name, parts[name]) for name in TABLES if name in parts
    }
    return Saved(
        as_of=date.fromisoformat(header["as_of"]),
        currency=header["currency"],
        time_zone=header["calendar"]["time_zone"],
        year_starts=header["calendar"]["year_starts"],
        org=header["org"],
        tables=tables,
        faults=faults,
        balance=balance,
    )


def _header(folder: Path) -> Json:
    path = folder / _FILE
    if not folder.is_dir():
        raise SettingsError(
            f"there is no folder {folder}: make it with `crm-portfolio pull`, or of "
            f"exported files with `crm-portfolio pull files EXPORTS --to {folder}`"
        )
    if not path.is_file():
        raise SettingsError(
            f"{folder} is not a folder of ours, for it has no {_FILE}: make one with "
            f"`crm-portfolio pull files {folder} --to FOLDER`"
        )
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


def _part(path: Path, checksum: str) -> pa.Table:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedFileError(str(path), "it is missing", _AGAIN) from error
    if digest(content) != checksum:
        problem = "it was cut or altered after it was saved"
        raise DamagedFileError(str(path), problem, _AGAIN)
    return pq.read_table(io.BytesIO(content)).replace_schema_metadata(None)


def _table(folder: Path, name: TableName, table: pa.Table) -> pa.Table:
    for field in table.schema:
        known = field.name in TABLES[name]
        if not known or arrow_type(TABLES[name][field.name]) != field.type:
            raise DamagedFileError(
                str(folder / f"{name}.parquet"),
                f"its column {field.name!r} is not of this version's schema",
                _AGAIN,
            )
    return table.combine_chunks()
