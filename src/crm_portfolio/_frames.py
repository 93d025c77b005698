"""How do native frames come in, and how do the same kind go out?

The only door: outside stand pandas, Polars, PyArrow, DuckDB and whatever else narwhals
takes; inside there is Arrow. Nothing else converts a frame.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio.errors import MissingExtraError, SettingsError

__all__ = [
    "BACKENDS",
    "Backend",
    "NativeFrame",
    "backend_of",
    "from_arrow",
    "from_parquet",
    "kept",
    "nw",
    "rows_at",
    "same_kind",
    "to_arrow",
    "with_nulls",
]

Backend = Literal["pandas", "polars", "pyarrow", "duckdb"]
NativeFrame: TypeAlias = Any

BACKENDS: tuple[Backend, ...] = ("pandas", "polars", "pyarrow", "duckdb")


def backend_of(frame: NativeFrame) -> Backend:
    """Which kind of frame to hand back to who gave this one; PyArrow if in doubt."""
    # DuckDB 1.4.0 names its own module with an underscore.
    root = type(frame).__module__.partition(".")[0].lstrip("_")
    return next((backend for backend in BACKENDS if backend == root), "pyarrow")


def to_arrow(frame: NativeFrame) -> pa.Table:
    """Any frame as an Arrow table: no metadata, text as plain strings, NaN as null.

    The last holds for pandas only, where NaN is how a missing value is written.
    """
    if isinstance(frame, pa.Table):
        return _plain(frame)
    if isinstance(frame, pa.RecordBatch):
        return _plain(pa.Table.from_batches([frame]))
    if backend_of(frame) == "pandas" and hasattr(frame, "columns"):
        return _plain(_from_pandas(frame))
    if backend_of(frame) == "duckdb" and hasattr(frame, "columns"):
        return _plain(_from_duckdb(frame))
    return _plain(_through_narwhals(frame))


def from_arrow(table: pa.Table, backend: Backend) -> NativeFrame:
    """The table as a native frame that keeps nulls, integers and dates exact.

    A DuckDB relation reads the table where it lies; it is of DuckDB's default
    connection, so that ``duckdb.sql`` can name it beside others.
    """
    if backend not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise SettingsError(f"there is no backend {backend!r}; there are {known}")
    return _MAKERS[backend](table)


def from_parquet(path: Path) -> NativeFrame:
    """A Parquet file as a DuckDB relation, which reads what it needs of it, when it does."""
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtraError("duckdb", "duckdb") from error
    return duckdb.default_connection().read_parquet(str(path))


def kept(rows: Any) -> Any:
    """The rows of a lazy frame, worked out once, and kept by the engine that holds them.

    As lazy as before; a table of DuckDB's goes when nobody holds this frame any more.
    """
    native = nw.to_native(rows)
    if backend_of(native) != "duckdb":
        return rows.collect().lazy()
    import duckdb

    connection, name = duckdb.default_connection(), f"crm_portfolio_kept_{next(_KEPT)}"
    native.query(f"{name}_of", f"CREATE TEMP TABLE {name} AS FROM {name}_of")
    table = connection.table(name)
    weakref.finalize(table, connection.execute, f"DROP TABLE IF EXISTS {name}")
    return nw.from_native(table)


def rows_at(table: pa.Table, places: npt.NDArray[np.int64]) -> pa.Table:
    """The rows at these places, one column beside the other."""
    order = pa.array(places)
    with ThreadPoolExecutor() as pool:
        columns = list(pool.map(lambda column: column.take(order), table.columns))
    return pa.table(columns, schema=table.schema)


def same_kind(frame: pa.Table, like: NativeFrame) -> NativeFrame:
    """``frame`` in the kind of ``like``."""
    return from_arrow(frame, backend_of(like))


def with_nulls(frame: NativeFrame, kinds: Mapping[str, pa.DataType]) -> NativeFrame:
    """The frame with a null column of each kind; a relation stays where it is."""
    if backend_of(frame) == "duckdb":
        said = [
            f'NULL::{_DUCKDB_KINDS[kind]} AS "{name}"' for name, kind in kinds.items()
        ]
        return frame.project(", ".join(["*", *said]))
    if backend_of(frame) == "polars":
        dtypes = nw.from_native(_to_polars(pa.schema(kinds).empty_table())).schema
        none = {name: nw.lit(None, dtype=dtype) for name, dtype in dtypes.items()}
        return nw.to_native(nw.from_native(frame).with_columns(**none))
    table = to_arrow(frame)
    for name, kind in kinds.items():
        table = table.append_column(name, pa.nulls(table.num_rows, kind))
    return same_kind(table, frame)


def _through_narwhals(frame: NativeFrame) -> pa.Table:
    try:
        wrapped = nw.from_native(frame)
    except TypeError as error:
        kind = type(frame).__qualname__
        raise SettingsError(
            f"a {kind} is no frame; give a pandas, Polars, PyArrow or DuckDB table"
        ) from error
    eager = wrapped.collect() if isinstance(wrapped, nw.LazyFrame) else wrapped
    return eager.to_arrow()


def _as_it_is(table: pa.Table) -> NativeFrame:
    return table


def _to_pandas(table: pa.Table) -> NativeFrame:
    import pandas as pd

    return table.to_pandas(types_mapper=pd.ArrowDtype)


def _plain(table: pa.Table) -> pa.Table:
    plain = [
        pa.field(name, _plain_type(type_))
        for name, type_ in zip(table.column_names, table.schema.types, strict=True)
    ]
    return table.replace_schema_metadata(None).cast(pa.schema(plain))


def _plain_type(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(type_):
        return _plain_type(type_.value_type)
    if pa.types.is_timestamp(type_) and type_.tz is not None:
        return pa.timestamp(type_.unit, "UTC")  # DuckDB says its connection's own zone
    if pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.string()
    return type_


def _to_polars(table: pa.Table) -> NativeFrame:
    try:
        import polars as pl
    except ImportError as error:
        raise MissingExtraError("polars", "polars") from error
    return pl.from_arrow(table)


def _to_duckdb(table: pa.Table) -> NativeFrame:
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtraError("duckdb", "duckdb") from error
    return duckdb.default_connection().from_arrow(table)


def _from_duckdb(frame: NativeFrame) -> pa.Table:
    """What a relation gives, with sums as whole numbers again.

    A sum of 64-bit integers has 128 bits in DuckDB, and would come as decimals.
    """
    wide = [str(kind) == "HUGEINT" for kind in frame.types]
    names = (name.replace('"', '""') for name in frame.columns)
    told = (
        f'"{name}"::BIGINT AS "{name}"' if is_wide else f'"{name}"'
        for name, is_wide in zip(names, wide, strict=True)
    )
    narrow = frame.project(", ".join(told)) if any(wide) else frame
    return narrow.to_arrow_table()


def _from_pandas(frame: NativeFrame) -> pa.Table:
    names = [str(name) for name in frame.columns]
    arrays = [_column_from_pandas(frame.iloc[:, i]) for i in range(len(names))]
    return pa.table(arrays, names=names)


def _column_from_pandas(series: NativeFrame) -> pa.Array | pa.ChunkedArray:
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        # An object column of several types, such as 12.5 beside "12x": as text, so that
        # the normaliser can name the cells that are wrong.
        return _texts(series)
    # UUIDs, as databases hand them out, would come as their sixteen bytes.
    return _texts(series) if isinstance(array.type, pa.BaseExtensionType) else array


def _texts(series: NativeFrame) -> pa.Array:
    import pandas as pd

    return pa.array(
        [
            None if pd.api.types.is_scalar(value) and pd.isna(value) else _text(value)
            for value in series
        ],
        pa.string(),
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a 7.0 beside text is the 7 it is in other columns
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value).encode(errors="backslashreplace").decode()


_KEPT = itertools.count()
_DUCKDB_KINDS: Mapping[pa.DataType, str] = {
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.float64(): "DOUBLE",
    pa.int64(): "BIGINT",
    pa.string(): "VARCHAR",
    pa.timestamp("us", "UTC"): "TIMESTAMPTZ",
}
_MAKERS: Mapping[Backend, Callable[[pa.Table], NativeFrame]] = {
    "pandas": _to_pandas,
    "polars": _to_polars,
    "pyarrow": _as_it_is,
    "duckdb": _to_duckdb,
}
