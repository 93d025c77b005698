"""How does Polars, where it is lazy, take a table, keep one, and tell one?"""

from __future__ import annotations

import glob
import os
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow.fs import FSSpecHandler, PyFileSystem

from crm_portfolio.errors import MissingExtraError

__all__ = ["LazyPolars"]


class LazyPolars:
    """What is kept waits in a file, which goes when nobody holds the frame any more."""

    def from_arrow(self, table: pa.Table) -> Any:
        return _polars().from_arrow(table).lazy()

    def from_parquet(
        self, files: Sequence[Path | str], client: Any, lengths: Sequence[int]
    ) -> Any:
        del lengths
        if client is None:
            return _polars().scan_parquet(list(files), **_AS_NAMED)
        dataset = _installed("pyarrow.dataset").dataset(
            [str(client._strip_protocol(file)) for file in files],  # noqa: SLF001
            filesystem=PyFileSystem(FSSpecHandler(client)),
            format="parquet",
        )
        return _polars().scan_pyarrow_dataset(dataset)

    def to_arrow(self, frame: Any) -> pa.Table:
        return frame.collect(engine="streaming").to_arrow()

    def to_parquet(self, frame: Any, folder: Path) -> None:
        frame.sink_parquet(folder / "rows.parquet")

    def kept(self, frame: Any) -> Any:
        # Rows pass into the file a few at a time: memory need not hold them all.
        handle, name = tempfile.mkstemp(prefix="crm-portfolio-", suffix=".arrow")
        os.close(handle)
        hold = _Hold()
        weakref.finalize(hold, Path(name).unlink, missing_ok=True)
        frame.sink_ipc(name)
        return _holding(_polars().scan_ipc(glob.escape(name)), hold)

    def numbered(
        self, frame: Any, name: str, *, of_one_file: bool = False
    ) -> Any | None:
        return None if of_one_file else frame.with_row_index(name)

    def with_nulls(self, frame: Any, kinds: Mapping[str, pa.DataType]) -> Any:
        polars = _polars()
        dtypes = polars.from_arrow(pa.schema(kinds).empty_table()).schema
        none = {name: polars.lit(None, dtype=kind) for name, kind in dtypes.items()}
        return frame.with_columns(**none)


class _Hold:
    """Somebody can ask for a file as long as this is there."""

    def __call__(self, column: Any) -> Any:
        return column


def _holding(rows: Any, hold: _Hold) -> Any:
    """The same rows, whose plan, and any that is made of it, holds this as well.

    No Python object stands for a plan that others are made of. But a plan holds what it
    is to call, and the optimiser leaves out a column that nobody asks for.
    """
    name, kind = next(iter(rows.collect_schema().items()))
    held = _polars().col(name).map_batches(hold, kind, is_elementwise=True)
    return rows.with_columns(**{_HELD: held}).drop(_HELD)


def _polars() -> Any:
    return _installed("polars")


def _installed(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError("polars", name.partition(".")[0]) from error


# A file is what it is called, and its columns are all in it.
_AS_NAMED: Final = {"glob": False, "hive_partitioning": False}
_HELD: Final = "__held"
