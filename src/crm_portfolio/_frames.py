"""How do native frames come in, and how do the same kind go out?

The only door: outside stand pandas, Polars, PyArrow, DuckDB, Spark, Ibis and whatever
else narwhals takes; inside there is Arrow. Nothing else converts a frame.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias

import narwhals.stable.v2 as nw
import pyarrow as pa

from crm_portfolio._engines import ENGINES, literal, reaching
from crm_portfolio._pandas import from_pandas
from crm_portfolio._unread import reading
from crm_portfolio.errors import MissingExtraError, SettingsError

__all__ = [
    "ALL_BACKENDS",
    "BACKENDS",
    "LAZY",
    "Backend",
    "NativeFrame",
    "backend_of",
    "check_backend",
    "from_arrow",
    "from_parquet",
    "kept",
    "numbered",
    "nw",
    "plain",
    "row_count",
    "same_kind",
    "to_arrow",
    "to_parquet",
    "with_nulls",
]

Backend = Literal[
    "pandas", "polars", "pyarrow", "duckdb", "polars_lazy", "pyspark", "ibis"
]
NativeFrame: TypeAlias = Any

BACKENDS: tuple[Backend, ...] = ("pandas", "polars", "pyarrow", "duckdb")
"""Those that hold tables in this process."""
ALL_BACKENDS: tuple[Backend, ...] = (*BACKENDS, "polars_lazy", "pyspark", "ibis")
LAZY: tuple[Backend, ...] = ("duckdb", "polars_lazy", "pyspark", "ibis")
"""Those that read what they need of a file, when they do."""


def backend_of(frame: NativeFrame) -> Backend:
    """Which kind of frame to hand back to who gave this one; PyArrow if in doubt."""
    # DuckDB 1.4.0 names its own module with an underscore.
    root = type(frame).__module__.partition(".")[0].lstrip("_")
    if root == "polars" and type(frame).__name__ == "LazyFrame":
        return "polars_lazy"
    return next((backend for backend in ALL_BACKENDS if backend == root), "pyarrow")


def to_arrow(frame: NativeFrame) -> pa.Table:
    """Any frame as an Arrow table: no metadata, text as plain strings, NaN as null.

    The last holds for pandas only, where NaN is how a missing value is written.
    """
    if isinstance(frame, pa.Table):
        return plain(frame)
    if isinstance(frame, pa.RecordBatch):
        return plain(pa.Table.from_batches([frame]))
    if backend_of(frame) == "pandas" and hasattr(frame, "columns"):
        return plain(from_pandas(frame))
    with reading():
        if backend_of(frame) == "duckdb" and hasattr(frame, "columns"):
            return plain(_from_duckdb(frame))
        return plain(_through_narwhals(frame))


def from_arrow(table: pa.Table, backend: Backend) -> NativeFrame:
    """The table as a native frame that keeps nulls, integers and dates exact.

    A DuckDB relation reads the table where it lies; it is of DuckDB's default
    connection, so that ``duckdb.sql`` can name it beside others.
    """
    check_backend(backend)
    if backend in ENGINES:
        return ENGINES[backend].from_arrow(table)
    return _MAKERS[backend](table)


def check_backend(name: str) -> None:
    """Refuse what is no kind of frames.

    Raises:
        SettingsError: It names those that there are.
    """
    if name not in ALL_BACKENDS:
        known = ", ".join(ALL_BACKENDS)
        raise SettingsError(f"there is no backend {name!r}; there are {known}")


def from_parquet(
    files: Sequence[Path | str],
    backend: Backend,
    *,
    client: Any = None,
    lengths: Sequence[int] = (),
) -> NativeFrame:
    """Parquet files as one lazy frame, which reads what it needs of them, when it does.

    Args:
        files: Alike; of this machine, or of a store.
        backend: One that is lazy.
        client: A file system of fsspec's that reaches them; None: they are of this machine.
        lengths: How many rows each of them has, if somebody knows.
    """
    with reading(str(files[0]) if len(files) == 1 else ""):
        return _scanned(files, backend, client, lengths)


def _scanned(
    files: Sequence[Path | str], backend: Backend, client: Any, lengths: Sequence[int]
) -> NativeFrame:
    if backend in ENGINES:
        return ENGINES[backend].from_parquet(files, client, lengths)
    connection = _duckdb().default_connection()
    if client is not None:
        reaching(connection, client)
    names = [literal(file) for file in files]
    frame = connection.read_parquet(names, hive_partitioning=False)
    if len(files) > 1 and len(lengths) == len(files):
        _FIRST_ROWS[frame] = (0, *itertools.accumulate(lengths))[:-1]
    return frame


def kept(rows: Any, *, by: Sequence[str] = ()) -> Any:
    """The rows of a lazy frame, worked out once, and kept by the engine that holds them.

    As lazy as before. A table of DuckDB's, or a file of lazy Polars', goes when nobody
    holds this frame, or one that was made of it, any more.

    Args:
        by: Equal values of these are to lie together, where that spares an engine more
            than it costs: Spark sends rows to where they are grouped in any case, and
            lazy Polars would hold them all to sort them.
    """
    with reading():
        return _kept(rows, by)


def _kept(rows: Any, by: Sequence[str]) -> Any:
    if by and backend_of(nw.to_native(rows)) not in ("pyspark", "polars_lazy"):
        rows = rows.sort(*by)
    native = nw.to_native(rows)
    if (engine := backend_of(native)) in ENGINES:
        return nw.from_native(ENGINES[engine].kept(native))
    if engine != "duckdb":
        return rows.collect().lazy()
    import duckdb

    connection, name = duckdb.default_connection(), f"crm_portfolio_kept_{next(_KEPT)}"
    native.query(f"{name}_of", f"CREATE TEMP TABLE {name} AS FROM {name}_of")
    holder = table = connection.table(name)
    if duckdb.__version__ < "2":  # what is made of it holds what Arrow has, not it
        connection.sql(f"DROP VIEW IF EXISTS {name}_of")  # and so would this
        holder = pa.table({"held": [0]})
        table = connection.from_arrow(holder).cross(table).project("* EXCLUDE (held)")
    weakref.finalize(holder, _drop, connection, name)
    return nw.from_native(table)


def _drop(connection: Any, name: str) -> None:
    """Whoever reads from the connection goes on reading: the next one drops it then."""
    _OVER.add(name)
    with suppress(Exception):
        for each in tuple(_OVER):
            connection.sql(f"DROP TABLE IF EXISTS {each}")
            _OVER.discard(each)


def row_count(frame: NativeFrame) -> int:
    """How many rows a lazy frame has, counted by its engine."""
    count = _wrapped(frame).lazy().select(rows=nw.len())
    return int(to_arrow(nw.to_native(count))["rows"][0].as_py())


def to_parquet(frame: NativeFrame, folder: Path) -> None:
    """Have a lazy frame's engine write its rows into a folder; none comes to us."""
    with reading():
        if (engine := backend_of(frame)) in ENGINES:
            ENGINES[engine].to_parquet(frame, folder)
        else:
            _narrow(frame).write_parquet(str(folder / "rows.parquet"))


def plain(table: pa.Table) -> pa.Table:
    """The same without metadata, with text as plain strings and moments in UTC."""
    for place, field in enumerate(table.schema):
        if pa.types.is_run_end_encoded(field.type):  # Arrow cannot put these in order
            import pyarrow.compute as pc

            told = pc.run_end_decode(table.column(place))
            table = table.set_column(place, field.name, told)
    fields = [
        pa.field(name, _plain_type(type_))
        for name, type_ in zip(table.column_names, table.schema.types, strict=True)
    ]
    return table.replace_schema_metadata(None).cast(pa.schema(fields))


def numbered(frame: NativeFrame, name: str, key: str) -> NativeFrame:
    """The frame with a whole number for each row; the same ones each time.

    Args:
        key: What is different in each row, for engines that keep no order.
    """
    engine = backend_of(frame)
    if engine == "duckdb":
        return frame.project(f'*, {_row_number(frame)}::INTEGER AS "{name}"')
    rows = nw.from_native(frame)
    in_files = ENGINES[engine].numbered(frame, name) if engine in ENGINES else None
    if in_files is not None:
        told = nw.from_native(in_files)
    elif isinstance(rows, nw.LazyFrame):
        told = rows.with_row_index(name, order_by=key)
    else:
        told = rows.with_row_index(name)
    return nw.to_native(told.with_columns(nw.col(name).cast(nw.Int32)))


def _row_number(relation: NativeFrame) -> str:
    """Where each row stands in its file; else where it comes, one thread after another."""
    import duckdb

    # A second file that nobody counted has no such number, which DuckDB says.
    in_file = f"file_row_number + file_index * {2**31}"
    if relation in _FIRST_ROWS:
        firsts = ", ".join(map(str, _FIRST_ROWS[relation]))
        in_file = f"file_row_number + list_extract([{firsts}], file_index::BIGINT + 1)"
    try:
        relation.project(in_file)
    except duckdb.BinderException:
        return "(row_number() OVER () - 1)"
    return f"({in_file})"


def in_file_order(frame: NativeFrame, name: str) -> NativeFrame | None:
    """The frame with the place of each row in its one file, by an engine that reads it.

    None where the rows come otherwise; they are to be `numbered` by us then.
    """
    engine = ENGINES.get(backend_of(frame))
    return None if engine is None else engine.numbered(frame, name, of_one_file=True)


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
    if (engine := backend_of(frame)) in ENGINES:
        return ENGINES[engine].with_nulls(frame, kinds)
    if backend_of(frame) == "polars":
        dtypes = nw.from_native(_to_polars(pa.schema(kinds).empty_table())).schema
        none = {name: nw.lit(None, dtype=dtype) for name, dtype in dtypes.items()}
        return nw.to_native(nw.from_native(frame).with_columns(**none))
    table = to_arrow(frame)
    for name, kind in kinds.items():
        table = table.append_column(name, pa.nulls(table.num_rows, kind))
    return same_kind(table, frame)


def _wrapped(frame: NativeFrame) -> Any:
    try:
        return nw.from_native(frame)
    except TypeError as error:
        kind = type(frame).__qualname__
        raise SettingsError(
            f"a {kind} is no frame; give a pandas, Polars, PyArrow, DuckDB, Spark or "
            "Ibis table"
        ) from error


def _through_narwhals(frame: NativeFrame) -> pa.Table:
    wrapped = _wrapped(frame)
    if (engine := backend_of(frame)) in ENGINES:
        return ENGINES[engine].to_arrow(frame)
    eager = wrapped.collect() if isinstance(wrapped, nw.LazyFrame) else wrapped
    return eager.to_arrow()


def _as_it_is(table: pa.Table) -> NativeFrame:
    return table


def _to_pandas(table: pa.Table) -> NativeFrame:
    import pandas as pd

    return table.to_pandas(types_mapper=pd.ArrowDtype)


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
    duckdb = _duckdb()
    return duckdb.default_connection().from_arrow(table)


def _duckdb() -> Any:
    try:
        return import_module("duckdb")
    except ImportError as error:
        raise MissingExtraError("duckdb", "duckdb") from error


def _from_duckdb(frame: NativeFrame) -> pa.Table:
    return _narrow(frame).to_arrow_table()


def _narrow(frame: NativeFrame) -> NativeFrame:
    """A relation with sums as whole numbers again.

    A sum of 64-bit integers has 128 bits in DuckDB, and would come as decimals.
    """
    wide = [str(kind) == "HUGEINT" for kind in frame.types]
    names = (name.replace('"', '""') for name in frame.columns)
    told = (
        f'"{name}"::BIGINT AS "{name}"' if is_wide else f'"{name}"'
        for name, is_wide in zip(names, wide, strict=True)
    )
    return frame.project(", ".join(told)) if any(wide) else frame


_KEPT, _OVER = itertools.count(), set[str]()
# The number of the first row of each file, by the relation that reads them.
_FIRST_ROWS = weakref.WeakKeyDictionary[Any, tuple[int, ...]]()
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
