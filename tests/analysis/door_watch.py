"""How many rows come into Python while something runs, whatever way they come?

The watch stands at the engines themselves: who asks one for rows is counted, be it our
door for frames, narwhals, or a call that somebody put elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from typing import Any, Final

import pyarrow as pa
import pytest

LONG: Final = (
    "activity",
    "cost",
    "effort",
    "enquiry",
    "invoice",
    "opportunity",
    "opportunity_change",
    "revenue_line",
    "ticket",
)
"""The tables that grow with the years, of which no row is to come but counted."""
_DUCKDB: Final = (
    "arrow df fetch_arrow_reader fetch_arrow_table fetch_df fetch_df_chunk fetch_record_batch "
    "fetchall fetchdf fetchmany fetchnumpy fetchone iter_rows pl to_arrow_reader "
    "to_arrow_table to_df to_dicts __arrow_c_stream__"
)
_POLARS: Final = "collect collect_async collect_batches fetch __arrow_c_stream__"
_IBIS: Final = (
    "execute to_pandas to_pandas_batches to_polars to_pyarrow to_pyarrow_batches"
)
_SPARK: Final = "collect head tail take toArrow toLocalIterator toPandas"
_FILE: Final = "iter_batches read read_row_group read_row_groups"
WAYS: Final = {
    ("duckdb", "DuckDBPyRelation"): _DUCKDB,
    ("duckdb", "DuckDBPyConnection"): _DUCKDB,
    ("duckdb", ""): _DUCKDB,
    ("polars", "LazyFrame"): _POLARS,
    ("polars", ""): "collect_all",
    ("ibis", "Table"): _IBIS,
    ("pyspark.sql.classic.dataframe", "DataFrame"): _SPARK,
    ("pyarrow.parquet", ""): "read_table",
    ("pyarrow.parquet", "ParquetFile"): _FILE,
}
"""By module and class, how rows come out; no version of an engine has all of them."""
# Each row that comes out of one of these is asked of the same frame as the last.
_FEW_AT_A_TIME: Final = ("fetch_df_chunk", "fetchmany", "fetchone")


class Watch:
    """What came in: of each frame, how many rows and by which way."""

    def __init__(self) -> None:
        self.frames: list[Counter[str]] = []
        self._begun: dict[tuple[int, str], tuple[Any, Counter[str]]] = {}

    @property
    def most(self) -> tuple[int, str]:
        """The rows of the longest frame, and how it came."""
        told = ((each.total(), way) for each in self.frames for way in each)
        return max(told, default=(0, "nothing came"))

    def seen(self, found: Any, way: str, whose: Any) -> Any:
        """What was found, or in its place something that counts what is taken of it."""
        tally = self._tally(way, whose)
        if type(found).__name__ == "PyCapsule":
            reader = pa.RecordBatchReader._import_from_c_capsule(found)
            return self.seen(reader, way, whose).__arrow_c_stream__()
        if isinstance(found, pa.RecordBatchReader):
            passing = _passing(found, tally, way)
            return pa.RecordBatchReader.from_batches(found.schema, passing)
        if hasattr(found, "__next__"):
            return _passing(found, tally, way)
        tally[way] += _rows(found)
        return found

    def _tally(self, way: str, whose: Any) -> Counter[str]:
        begun = self._begun.get((id(whose), way))
        if begun is not None:
            return begun[1]
        tally = Counter[str]()
        self.frames.append(tally)
        if way.endswith(_FEW_AT_A_TIME):
            self._begun[id(whose), way] = whose, tally  # nobody else has this id then
        return tally


def _passing(found: Any, tally: Counter[str], way: str) -> Iterator[Any]:
    for each in found:
        tally[way] += _rows(each)
        yield each


def _rows(found: Any) -> int:
    """A row is a tuple; what comes of several frames counts for the longest of them."""
    if found is None:
        return 0
    if isinstance(found, tuple):
        return 1
    if isinstance(found, dict):
        return max((len(each) for each in found.values()), default=0)
    if isinstance(found, list) and found and hasattr(found[0], "columns"):
        return max(map(_rows, found))
    return getattr(found, "num_rows", None) or len(found)


@contextmanager
def watched() -> Iterator[Watch]:
    """While this is open, who asks an engine for rows is counted, and a file's reader."""
    watch = Watch()
    with pytest.MonkeyPatch.context() as here:
        for (module, name), ways in WAYS.items():
            try:
                owner = import_module(module)
            except ImportError:
                continue
            owner = getattr(owner, name) if name else owner
            for way in ways.split():
                if hasattr(owner, way):
                    counted = _counted(getattr(owner, way), watch, f"{name}.{way}")
                    here.setattr(owner, way, counted)
        yield watch


def _counted(real: Any, watch: Watch, way: str) -> Any:
    @wraps(real)
    def counted(*given: Any, **how: Any) -> Any:
        return watch.seen(real(*given, **how), way, given[0] if given else None)

    return counted
