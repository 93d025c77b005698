"""How do engines that hold tables outside our memory take one, keep one, and tell one?

Spark, whatever stands behind Ibis, and Polars where it is lazy. Nothing of a table comes
to us but by ``to_arrow``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from crm_portfolio.errors import MissingExtraError, SettingsError

__all__ = ["ENGINES", "Engine"]


class Engine(Protocol):
    """One that holds tables elsewhere; frames are its own kind."""

    def from_arrow(self, table: pa.Table) -> Any: ...

    def from_parquet(self, files: Sequence[Path]) -> Any: ...

    def to_arrow(self, frame: Any) -> pa.Table: ...

    def to_parquet(self, frame: Any, folder: Path) -> None:
        """Have the engine write the rows into a folder that is there, by itself."""
        ...

    def kept(self, frame: Any) -> Any:
        """The same rows, worked out once however often they are asked for."""
        ...

    def with_nulls(self, frame: Any, kinds: Mapping[str, pa.DataType]) -> Any: ...


class _Spark:
    """A session is the one that is there, or one made as Spark is set up here."""

    def from_arrow(self, table: pa.Table) -> Any:
        return self._session().createDataFrame(table)

    def from_parquet(self, files: Sequence[Path]) -> Any:
        # Spark would run a job to look for the columns.
        columns = (
            f"`{each.name}` {_SPARK_KINDS[each.type]}"
            for each in pq.read_schema(files[0])
        )
        reader = self._session().read.schema(", ".join(columns))
        return reader.parquet(*map(_local, files))

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
        _let_early_days_in()
        return session


class _Ibis:
    """Tables of a folder are of Ibis's own default engine, which is DuckDB."""

    def from_arrow(self, table: pa.Table) -> Any:
        return _installed("ibis", "ibis").memtable(table)

    def from_parquet(self, files: Sequence[Path]) -> Any:
        return _installed("ibis", "ibis").read_parquet([str(file) for file in files])

    def to_arrow(self, frame: Any) -> pa.Table:
        return frame.to_pyarrow()

    def to_parquet(self, frame: Any, folder: Path) -> None:
        frame.to_parquet(str(folder / _ONE_FILE))

    def kept(self, frame: Any) -> Any:
        return frame.cache()

    def with_nulls(self, frame: Any, kinds: Mapping[str, pa.DataType]) -> Any:
        ibis = _installed("ibis", "ibis")
        return frame.mutate(
            **{name: ibis.null(_IBIS_KINDS[kind]) for name, kind in kinds.items()}
        )


class _LazyPolars:
    """What is kept waits in a file, which goes when nobody holds the frame any more."""

    def from_arrow(self, table: pa.Table) -> Any:
        return _installed("polars", "polars").from_arrow(table).lazy()

    def from_parquet(self, files: Sequence[Path]) -> Any:
        return _installed("polars", "polars").scan_parquet(list(files))

    def to_arrow(self, frame: Any) -> pa.Table:
        return frame.collect().to_arrow()

    def to_parquet(self, frame: Any, folder: Path) -> None:
        frame.sink_parquet(folder / _ONE_FILE)

    def kept(self, frame: Any) -> Any:
        return frame.collect().lazy()

    def with_nulls(self, frame: Any, kinds: Mapping[str, pa.DataType]) -> Any:
        polars = _installed("polars", "polars")
        dtypes = polars.from_arrow(pa.schema(kinds).empty_table()).schema
        none = {name: polars.lit(None, dtype=kind) for name, kind in dtypes.items()}
        return frame.with_columns(**none)


def _local(path: Path) -> str:
    """A path of this machine's, whatever Spark takes paths for where it runs."""
    return f"file://{path}"


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


_ONE_FILE: Final = "rows.parquet"
_MOMENTS: Final = "spark.sql.parquet.outputTimestampType"
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
    "polars_lazy": _LazyPolars(),
    "pyspark": _Spark(),
    "ibis": _Ibis(),
}
