"""How do engines that hold tables outside our memory take one, keep one, and tell one?

Spark, whatever stands behind Ibis, and Polars where it is lazy. Nothing of a table comes
to us but by ``to_arrow``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from itertools import accumulate
from pathlib import Path
from secrets import token_hex
from typing import Any, Final, Protocol
from urllib.parse import unquote
from weakref import WeakKeyDictionary

import pyarrow as pa
import pyarrow.parquet as pq

from crm_portfolio._polars import LazyPolars
from crm_portfolio.errors import MissingExtraError, SettingsError

__all__ = ["ENGINES", "Engine", "literal", "reaching"]


class Engine(Protocol):
    """One that holds tables elsewhere; frames are its own kind."""

    def from_arrow(self, table: pa.Table) -> Any: ...

    def from_parquet(
        self, files: Sequence[Path | str], client: Any, lengths: Sequence[int]
    ) -> Any:
        """Files of this machine, or of a store that the client reaches.

        Args:
            lengths: How many rows each of them has, if somebody knows.
        """
        ...

    def to_arrow(self, frame: Any) -> pa.Table: ...

    def to_parquet(self, frame: Any, folder: Path) -> None:
        """Have the engine write the rows into a folder that is there, by itself."""
        ...

    def kept(self, frame: Any) -> Any:
        """The same rows, worked out once however often they are asked for."""
        ...

    def numbered(
        self, frame: Any, name: str, *, of_one_file: bool = False
    ) -> Any | None:
        """The frame with where each row stands in the files that it is read from.

        None where the engine does not know: the frame is not as it was read.

        Args:
            of_one_file: None where there are several of them, too.
        """
        ...

    def with_nulls(self, frame: Any, kinds: Mapping[str, pa.DataType]) -> Any: ...


class _Spark:
    """A session is the one that is there, or one made as Spark is set up here."""

    def from_arrow(self, table: pa.Table) -> Any:
        return self._session().createDataFrame(table)

    def from_parquet(
        self, files: Sequence[Path | str], client: Any, lengths: Sequence[int]
    ) -> Any:
        # Spark would run a job to look for the columns.
        columns = (
            f"`{each.name}` {_SPARK_KINDS[each.type]}"
            for each in _schema(files[0], client)
        )
        reader = self._session().read.schema(", ".join(columns))
        frame = self._read(reader, files, client)
        if len(files) == max(len(lengths), 1):
            firsts = (0, *accumulate(lengths))
            _FIRST_ROWS[frame] = dict(zip(map(str, files), firsts, strict=False))
        return frame

    def _read(self, reader: Any, files: Sequence[Path | str], client: Any) -> Any:
        if client is None:
            return reader.parquet(*(_literally(Path(file)) for file in files))
        try:
            return reader.parquet(*map(str, files))
        except Exception as error:
            if not any(each in str(error) for each in _NO_CLIENT):
                raise
            scheme = str(files[0]).partition("://")[0]
            raise SettingsError(
                f"this Spark has no client for {scheme}://: start it with the package "
                "that has one, as org.apache.hadoop:hadoop-aws for s3a://, and name the "
                "place as it does; or read the folder with duckdb or polars_lazy"
            ) from error

    def to_arrow(self, frame: Any) -> pa.Table:
        return frame.toArrow()

    def to_parquet(self, frame: Any, folder: Path) -> None:
        conf = self._session().conf
        before = conf.get(_MOMENTS)
        conf.set(_MOMENTS, "TIMESTAMP_MICROS")  # else they come without their zone
        try:
            frame.write.mode("overwrite").parquet(_local(folder))
        finally:
            conf.set(_MOMENTS, before)

    def kept(self, frame: Any) -> Any:
        # Its plan ends here: what is made of it would else be planned from the files on,
        # each time. Spark lets go of the rows when nobody can ask for them any more.
        return frame.localCheckpoint(eager=False)

    def numbered(
        self, frame: Any, name: str, *, of_one_file: bool = False
    ) -> Any | None:
        # A number of narwhals' would have one task put all rows in order, each time.
        firsts = _FIRST_ROWS.get(frame)
        if firsts is None:
            return None
        functions = _installed("pyspark.sql.functions", "spark")
        number = functions.col("_metadata.row_index")
        if len(firsts) == 1:
            return frame.withColumn(name, number.cast("int"))
        if of_one_file:
            return None
        # Spark has its own way to write where a file is.
        rows = frame.withColumns({name: number, _FILE: functions.col(_IN_FILE)})
        seen = [each[0] for each in frame.select(_IN_FILE).distinct().collect()]
        of_each = [_firsts(each, firsts) for each in seen]
        if any(len(each) != 1 for each in of_each):
            return None
        known = [(each, first) for each, (first,) in zip(seen, of_each, strict=True)]
        kinds = f"`{_FILE}` string, `{_FIRST}` bigint"
        of_files = self._session().createDataFrame(known, kinds)
        told = rows.join(functions.broadcast(of_files), _FILE)
        number = functions.col(name) + functions.col(_FIRST)
        return told.withColumn(name, number.cast("int")).drop(_FILE, _FIRST)

    def with_nulls(self, frame: Any, kinds: Mapping[str, pa.DataType]) -> Any:
        functions = _installed("pyspark.sql.functions", "spark")
        null = functions.lit(None)
        return frame.withColumns(
            {name: null.cast(_SPARK_KINDS[kind]) for name, kind in kinds.items()}
        )

    def _session(self) -> Any:
        spark = _installed("pyspark.sql", "spark").SparkSession
        session = spark.getActiveSession() or spark.builder.getOrCreate()
        zone = session.conf.get("spark.sql.session.timeZone")
        if zone not in _UTC:
            raise SettingsError(
                f"this Spark session tells moments in {zone}: set "
                "spark.sql.session.timeZone to UTC; the days of a portfolio are those "
                "of its own calendar"
            )
        if session.conf.get(_OLD_SPANS, "false") == "true":
            raise SettingsError(
                f"this Spark session tells spans of time as Spark 2 did: set {_OLD_SPANS} "
                "to false; days could not be counted"
            )
        _let_early_days_in()
        return session


class _Ibis:
    """Tables of a folder are of Ibis's own default engine, which is DuckDB."""

    def from_arrow(self, table: pa.Table) -> Any:
        return _installed("ibis", "ibis").memtable(table)

    def from_parquet(
        self, files: Sequence[Path | str], client: Any, lengths: Sequence[int]
    ) -> Any:
        del lengths
        ibis, names = _installed("ibis", "ibis"), [literal(file) for file in files]
        if client is None:
            return ibis.read_parquet(names, **_NO_HIVE)
        backend = ibis.get_backend()
        if backend.name != "duckdb":
            raise SettingsError(
                f"Ibis on {backend.name} cannot be told how a store is reached: set "
                "ibis.options.default_backend to DuckDB, which can"
            )
        reaching(backend.con, client)
        # Its own way would fetch an extension of DuckDB's, which need not be to be had.
        listed = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
        rows = f"FROM read_parquet([{listed}], hive_partitioning = false)"
        view = f"crm_portfolio_{token_hex(8)}"
        backend.con.execute(f"CREATE TEMP VIEW {view} AS {rows}")
        return backend.table(view)

    def to_arrow(self, frame: Any) -> pa.Table:
        return frame.to_pyarrow()

    def to_parquet(self, frame: Any, folder: Path) -> None:
        frame.to_parquet(str(folder / _ONE_FILE))

    def kept(self, frame: Any) -> Any:
        return frame.cache()

    def numbered(
        self, frame: Any, name: str, *, of_one_file: bool = False
    ) -> Any | None:
        del frame, name, of_one_file
        return None

    def with_nulls(self, frame: Any, kinds: Mapping[str, pa.DataType]) -> Any:
        ibis = _installed("ibis", "ibis")
        return frame.mutate(
            **{name: ibis.null(_IBIS_KINDS[kind]) for name, kind in kinds.items()}
        )


def reaching(connection: Any, client: Any) -> None:
    """Let a connection of DuckDB's read what a client of a store reaches.

    A file system that somebody else registered for such addresses stays: they know why.
    """
    given = client.protocol
    protocols = {given} if isinstance(given, str) else {*given}
    ours = _REACHED.setdefault(connection, {})
    for each in protocols.intersection(connection.list_filesystems()):
        if ours.get(each, client) is client:
            return
        connection.unregister_filesystem(each)
    connection.register_filesystem(client)
    ours.update(dict.fromkeys(protocols, client))


def literal(file: Path | str) -> str:
    """What DuckDB takes for this file and no other, whatever its folder is called."""
    return "".join(f"[{each}]" if each in "*?[" else each for each in str(file))


def _schema(file: Path | str, client: Any) -> pa.Schema:
    if client is None:
        return pq.read_schema(file)
    with client.open(file, "rb") as opened:
        return pq.read_schema(opened)


def _firsts(written: str, firsts: Mapping[str, int]) -> list[int]:
    """The numbers of the first rows of the files that an engine may have written so."""
    path = unquote(written)
    return [
        first
        for file, first in firsts.items()
        if path.endswith(file.partition("://")[2] or file)
    ]


def _local(path: Path) -> str:
    """A path of this machine's, whatever Spark takes paths for where it runs."""
    return f"file://{path}"


def _literally(path: Path) -> str:
    """The same, of a file that is read: Spark would look for others by such a name."""
    return "".join(f"\\{each}" if each in "*?[]{}" else each for each in _local(path))


class _EarlyDays:
    """How a day before the year 1000 is told to Spark, whose own way trips over it.

    PySpark writes the year as the C library does, which is without its leading zeros.
    """

    def can_convert(self, value: object) -> bool:
        return type(value) is date and value.year < 1000

    def convert(self, value: date, client: Any) -> Any:
        java = _installed("py4j.java_gateway", "spark")
        return java.JavaClass("java.sql.Date", client).valueOf(value.isoformat())


@cache
def _let_early_days_in() -> None:
    """Once in a process; a client of Spark Connect has its own way, and no need of it."""
    protocol = _installed("py4j.protocol", "spark")
    protocol.register_input_converter(_EarlyDays(), prepend=True)


def _installed(name: str, extra: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(extra, name.partition(".")[0]) from error


# The columns of a table are all in its files; what their folders say is for people.
_NO_HIVE: Final = {"hive_partitioning": False}
_NO_CLIENT: Final = ("UnsupportedFileSystemException", "ClassNotFoundException")
_REACHED: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()
"""By connection of DuckDB's, the clients that it was given here."""
_FIRST_ROWS: WeakKeyDictionary[Any, dict[str, int]] = WeakKeyDictionary()
"""By frame of Spark's that is just as it was read: the number of each file's first row."""
_IN_FILE: Final = "_metadata.file_path"
_FILE, _FIRST = "__file", "__first_of_file"
_ONE_FILE: Final = "rows.parquet"
_MOMENTS: Final = "spark.sql.parquet.outputTimestampType"
_OLD_SPANS: Final = "spark.sql.legacy.interval.enabled"
_UTC: Final = frozenset({"UTC", "Etc/UTC", "Z", "+00:00", "GMT"})
_SPARK_KINDS: Final[Mapping[pa.DataType, str]] = {
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.float64(): "double",
    pa.int64(): "bigint",
    pa.string(): "string",
    pa.timestamp("us", "UTC"): "timestamp",
}
_IBIS_KINDS: Final[Mapping[pa.DataType, str]] = {
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.float64(): "float64",
    pa.int64(): "int64",
    pa.string(): "string",
    pa.timestamp("us", "UTC"): "timestamp('UTC', 6)",
}
ENGINES: Final[Mapping[str, Engine]] = {
    "polars_lazy": LazyPolars(),
    "pyspark": _Spark(),
    "ibis": _Ibis(),
}
