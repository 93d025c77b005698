"""Where do the simulator's records stand?

In DuckDB, in memory: one table for each object, one lock around all of it. The state that
was kept once comes back by putting the changed tables in order, not by loading all anew.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa

from crm_portfolio.errors import MissingExtraError, SettingsError

try:
    import duckdb
except ImportError as error:
    raise MissingExtraError("duckdb", "simulator") from error

__all__ = ["ARROW_TYPES", "SqlType", "Store", "StoredValue", "computed", "quoted"]

SqlType = Literal["VARCHAR", "BOOLEAN", "BIGINT", "DOUBLE", "DATE", "TIMESTAMP"]
StoredValue = str | bool | int | float | date | datetime | None

ARROW_TYPES: Final[Mapping[SqlType, pa.DataType]] = {
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
}


# A simulator must not reach for extensions on the network. Threads of DuckDB's wait for
# each other longer than a few thousand rows take.
_SETTINGS: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # Large tables spill; without a place for it they would do so where the user works.
    "temp_directory": tempfile.gettempdir(),
    "threads": 1,
}
# Rows, from where more threads, plans that were thought over and no copies are the
# quicker way.
_MANY: Final = 50_000
_READS: Final = re.compile(r"\s*(SELECT|WITH|COPY|SET)\b")
_CHANGES: Final = re.compile(
    r"\s*(?:CREATE(?: OR REPLACE)?(?: TEMP)? TABLE|DROP TABLE(?: IF EXISTS)?|ALTER TABLE"
    r'|INSERT INTO|UPDATE|DELETE FROM)\s+("(?:[^"]|"")+"|\w+)'
)
_KEPT: Final = '"$kept"'  # the schema of tables as they were


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever it contains."""
    return '"' + name.replace('"', '""') + '"'


def computed(sql: str, **tables: pa.Table) -> pa.Table:
    """The rows of one statement over Arrow tables, outside of any store."""
    with duckdb.connect(config=_SETTINGS) as engine:
        for name, table in tables.items():
            engine.register(name, table)
        return engine.sql(sql).to_arrow_table()


class Store:
    """Tables whose key is ``Id``. Values are bound, never written into the SQL."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._duckdb: duckdb.DuckDBPyConnection | None = duckdb.connect(
            config=_SETTINGS
        )
        # Over small tables, thinking about a plan takes longer than the plan.
        self._duckdb.execute("PRAGMA disable_optimizer")
        self._inserted = 0
        self._columns: dict[str, dict[str, SqlType]] = {}
        self._first: dict[str, dict[str, SqlType]] = {}
        self._kept: dict[str, str] = {}  # by small letters: DuckDB minds no capitals
        self._changed: set[str] = set()
        self._copied: set[str] = set()
        self._is_lost = False

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    @property
    def is_kept(self) -> bool:
        """Is there a first state, so that nothing is to be loaded?"""
        return bool(self._kept)

    def keep(self) -> None:
        """Take what is there now for the first state."""
        self.rows(f"CREATE SCHEMA {_KEPT}")
        self._first = {name: dict(kinds) for name, kinds in self._columns.items()}
        tables = self.rows("SELECT table_name FROM duckdb_tables() WHERE NOT temporary")
        self._kept = {name.lower(): name for (name,) in tables}

    def back(self) -> bool:
        """Go back to the first state; False: it is too large for that, load it anew."""
        with self.lock:
            if not self.is_kept or self._is_lost:
                return False
            for (name,) in self.rows("SELECT table_name FROM duckdb_tables()"):
                if name not in self._kept.values():
                    self.drop(name)
            for name in map(quoted, self._changed):
                self._open.execute(
                    f"CREATE OR REPLACE TABLE {name} AS FROM {_KEPT}.{name}"
                )
            self._changed.clear()
            self._columns = {n: dict(kinds) for n, kinds in self._first.items()}
            return True

    def close(self) -> None:
        with self.lock:
            if self._duckdb is not None:
                self._duckdb.close()
            # Whoever still holds this store must not hold DuckDB beyond the process.
            self._duckdb = None

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self.lock:
            if self.is_kept and not _READS.match(sql):
                self._about_to(sql)
            found: list[tuple[Any, ...]] = self._open.execute(
                sql, list(parameters)
            ).fetchall()
            return found

    def _about_to(self, sql: str) -> None:
        """Lay a copy of the table aside before its first change."""
        change = _CHANGES.match(sql)
        named = change[1].strip('"').replace('""', '"') if change else ""
        name = self._kept.get(named.lower(), "")
        if name and name not in self._copied and self.count(name) < _MANY:
            self._open.execute(
                f"CREATE TABLE {_KEPT}.{quoted(name)} AS FROM {quoted(name)}"
            )
            self._copied.add(name)
        if name:
            self._changed.add(name)
        # What it does is not known, or what it changes is not laid aside.
        self._is_lost |= change is None or not self._changed <= self._copied

    @property
    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._duckdb is None:
            raise SettingsError("the simulator has stopped: look at it while it runs")
        return self._duckdb

    def create(self, table: str, columns: Mapping[str, SqlType]) -> None:
        """Make a table, unless a first state has it."""
        if table in self._columns and self.is_kept:
            return
        declared = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
        self.rows(f"CREATE TABLE {quoted(table)} ({declared})")
        self._columns[table] = dict(columns)

    def add_column(
        self, table: str, name: str, kind: SqlType, default: StoredValue = None
    ) -> None:
        self.rows(f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(name)} {kind}")
        self._columns[table][name] = kind
        if default is not None:
            self.rows(
                f"UPDATE {quoted(table)} SET {quoted(name)} = ?",  # noqa: S608
                [default],
            )

    def count(self, table: str) -> int:
        """How many records the table holds, deleted ones included."""
        ((count,),) = self.rows(f"SELECT count(*) FROM {quoted(table)}")  # noqa: S608
        return int(count)

    def drop(self, table: str) -> None:
        self.rows(f"DROP TABLE IF EXISTS {quoted(table)}")

    def write_csv(
        self, select: str, path: Path, *, delimiter: str, is_quoted: bool
    ) -> None:
        """Let DuckDB write rows as RFC 4180 says, with a header."""
        options = f"HEADER, DELIMITER '{delimiter}', QUOTE '\"', ESCAPE '\"'"
        if is_quoted:
            options += ", FORCE_QUOTE *"
        self.rows(f"COPY ({select}) TO '{path}' (FORMAT csv, {options})")

    def insert(self, table: str, rows: pa.Table) -> None:
        """Append whole columns; a column that ``rows`` lacks becomes null."""
        if rows.num_rows > _MANY:
            self.rows(f"SET threads TO {os.cpu_count()}")
        if self._inserted <= _MANY < self._inserted + rows.num_rows:
            self._open.execute("PRAGMA enable_optimizer")
        self._inserted += rows.num_rows
        into = quoted(table)
        self._from_arrow(rows, f"INSERT INTO {into} BY NAME SELECT * FROM given")  # noqa: S608

    def insert_records(
        self, table: str, records: Sequence[Mapping[str, StoredValue]]
    ) -> None:
        columns = list(dict.fromkeys(name for record in records for name in record))
        self.insert(table, self._as_arrow(table, columns, records))

    def update(self, table: str, records: Sequence[Mapping[str, StoredValue]]) -> None:
        """Set the given columns of the records, which carry their ``Id``."""
        alike: dict[tuple[str, ...], list[Mapping[str, StoredValue]]] = {}
        for record in records:
            alike.setdefault(tuple(record), []).append(record)
        for columns, group in alike.items():
            settings = ", ".join(
                f"{quoted(name)} = given.{quoted(name)}"
                for name in columns
                if name != "Id"
            )
            self._from_arrow(
                self._as_arrow(table, columns, group),
                f"UPDATE {quoted(table)} SET {settings} FROM given "  # noqa: S608
                f'WHERE {quoted(table)}."Id" = given."Id"',
            )

    def delete(self, table: str, where: str, parameters: Sequence[Any]) -> None:
        self.rows(f"DELETE FROM {quoted(table)} WHERE {where}", parameters)  # noqa: S608

    def records(
        self, table: str, where: str = "TRUE", parameters: Sequence[Any] = ()
    ) -> list[dict[str, StoredValue]]:
        """Records as dictionaries, in the order of their ids."""
        names = list(self._columns[table])
        chosen = ", ".join(map(quoted, names))
        found = self.rows(
            f'SELECT {chosen} FROM {quoted(table)} WHERE {where} ORDER BY "Id"',  # noqa: S608
            parameters,
        )
        return [dict(zip(names, row, strict=True)) for row in found]

    def _as_arrow(
        self,
        table: str,
        columns: Sequence[str],
        records: Sequence[Mapping[str, StoredValue]],
    ) -> pa.Table:
        return pa.table(
            {
                name: pa.array(
                    [record.get(name) for record in records],
                    ARROW_TYPES[self._columns[table][name]],
                )
                for name in columns
            }
        )

    def _from_arrow(self, given: pa.Table, sql: str) -> None:
        with self.lock:
            self._open.register("given", given)
            try:
                self.rows(sql)
            finally:
                self._open.unregister("given")
