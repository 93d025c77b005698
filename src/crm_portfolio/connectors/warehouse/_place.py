"""Where does a replica lie, and how is it asked?

Each place hands out lazy tables behind narwhals, and the rows of one batch by batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import attrs
import pyarrow as pa

from crm_portfolio._engines import literal
from crm_portfolio._frames import nw
from crm_portfolio.connectors.warehouse._connected import connected
from crm_portfolio.connectors.warehouse._cuts import cut
from crm_portfolio.connectors.warehouse._refusals import translated
from crm_portfolio.errors import SettingsError

__all__ = ["Asked", "Place", "opened"]

# A query, given behind which key it is to begin; rows come in the order of that key.
Asked: TypeAlias = Callable[[Any], Any]


class Place(Protocol):
    """A replica that can be asked."""

    @property
    def tables(self) -> Sequence[str]:
        """The tables that are there."""
        ...

    def session(self) -> Place:
        """The same for one pull, beside which others may go on."""
        ...

    def frame(self, table: str) -> Any:
        """A table as a lazy frame."""
        ...

    def batches(self, asked: Asked, after: Any, rows: int) -> Iterator[pa.Table]:
        """What was asked by one query, so many rows at a time; at least one piece.

        The key comes first, and rows of one key in one piece.
        """
        ...


@attrs.frozen(eq=False)
class _Duck:
    """Tables of a DuckDB connection, each named by the SQL that gives it."""

    connection: Any
    sources: Mapping[str, str]

    @property
    def tables(self) -> Sequence[str]:
        return tuple(self.sources)

    def session(self) -> Place:
        return _Duck(self.connection.cursor(), self.sources)

    def frame(self, table: str) -> Any:
        # With a file of each table, or hundreds: who mends it must know of which.
        with translated(f"while the table {table!r} was looked at"):
            return nw.from_native(self.connection.sql(f"FROM {self.sources[table]}"))

    def batches(self, asked: Asked, after: Any, rows: int) -> Iterator[pa.Table]:
        relation = nw.to_native(asked(after))
        # DuckDB 1.4 calls it otherwise.
        name = "to_arrow_reader"
        read = getattr(relation, name, None) or relation.fetch_record_batch
        reader = read(rows)
        yield reader.schema.empty_table()
        yield from cut(reader, rows)


@attrs.frozen(eq=False)
class _Ibis:
    """Tables behind an Ibis connection."""

    connection: Any
    tables: Sequence[str]
    schema: str | None

    def session(self) -> Place:
        return self

    def frame(self, table: str) -> Any:
        return nw.from_native(self.connection.table(table, database=self.schema))

    def batches(self, asked: Asked, after: Any, rows: int) -> Iterator[pa.Table]:
        # One query in order: one for each batch would sort all that is left each time.
        with nw.to_native(asked(after)).to_pyarrow_batches(chunk_size=rows) as reader:
            yield reader.schema.empty_table()
            yield from cut(reader, rows)


def opened(place: object, schema: str | None, wanted: Sequence[str]) -> Place:
    """A DuckDB file, a folder of Parquet, a DuckDB connection or an Ibis one.

    Args:
        wanted: Tables by which the right schema is known.

    Raises:
        SettingsError: It is none of these, or there is nothing, or in several schemas.
    """
    root = type(place).__module__.partition(".")[0].lstrip("_")
    if root == "duckdb":
        return _in_schema(place, schema, wanted)
    if root == "ibis" and getattr(place, "name", "") == "duckdb":
        return _in_schema(place.con, schema, wanted)  # type: ignore[attr-defined]
    if root == "ibis":
        names = place.list_tables(database=schema)  # type: ignore[attr-defined]
        return _Ibis(place, tuple(names), schema)
    if not isinstance(place, str | Path):
        raise SettingsError(
            f"a {type(place).__qualname__} is no place of a replica: give a DuckDB file, "
            "a folder of Parquet files, a DuckDB connection or an Ibis connection"
        )
    if "://" in str(place):  # with a login in it, perhaps: it is not repeated
        raise SettingsError(
            "an address is no place of a replica: open it with DuckDB or Ibis, with the "
            "login where they look for it, and give that connection"
        )
    path = Path(place)
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise SettingsError(f"there is no DuckDB file and no folder {path}")
    return _in_schema(connected(path), schema, wanted)


def _in_schema(connection: Any, schema: str | None, wanted: Sequence[str]) -> Place:
    listed = connection.cursor().execute(_LISTED).fetchall()
    schemas: dict[str, dict[str, str]] = {}
    for catalog, owner, name in listed:
        where = ".".join(map(_quoted, (catalog, owner, name)))
        schemas.setdefault(owner, {})[name] = where
    if schema is not None:
        if schema not in schemas:
            known = ", ".join(sorted(schemas)) or "none"
            raise SettingsError(f"there is no schema {schema!r}; there is {known}")
        return _Duck(connection, schemas[schema])
    has = {
        owner: tables
        for owner, tables in schemas.items()
        if {name.lower() for name in tables} & set(wanted)
    }
    if len(has) > 1:
        raise SettingsError(
            f"several schemas have such tables, {', '.join(sorted(has))}: say which is "
            "the replica's, in schema"
        )
    all_there = {
        name: sql for tables in schemas.values() for name, sql in tables.items()
    }
    return _Duck(connection, next(iter(has.values()), all_there))


def _of_folder(folder: Path) -> Place:
    sources = {}
    for path in sorted(folder.iterdir()):
        found = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        if found and found[0].suffix == ".parquet":
            listed = ", ".join(_text(literal(file)) for file in found)
            name = path.name if path.is_dir() else path.stem
            sources[name] = f"read_parquet([{listed}], {_HOW})"
    if not sources:
        raise SettingsError(f"{folder} holds no Parquet files")
    return _Duck(connected(None), sources)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(said: str) -> str:
    return "'" + said.replace("'", "''") + "'"


# Partitions in the folders' names; columns that came later are null in earlier files.
_HOW: Final = "union_by_name = true, hive_partitioning = true"
_LISTED: Final = """
    SELECT table_catalog, table_schema, table_name FROM information_schema.tables
    WHERE table_catalog NOT IN ('system', 'temp') ORDER BY ALL
"""
