"""Are two portfolios the same?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._storage import canonical_json, digest

__all__ = ["Column", "columns_of", "content_id"]

_AT_ONCE: Final = 4
_HELD: Final = 1 << 23
"""Bytes of a column that are held; those of a longer one wait on disk."""
_SOME: Final = 1 << 20


@attrs.frozen(eq=False)
class Column:
    """One column of a table.

    Attributes:
        values: Reads them from the beginning, in their order, some at a time.
    """

    name: str
    kind: pa.DataType
    length: int
    values: Callable[[], Iterable[pa.Array]]


def columns_of(table: pa.Table) -> list[Column]:
    """Of a table in memory."""
    named = zip(table.column_names, table.columns, strict=True)
    return [
        Column(name, held.type, len(held), partial(getattr, held, "chunks"))
        for name, held in named
    ]


def content_id(
    header: Mapping[str, object], tables: Mapping[str, Sequence[Column]]
) -> str:
    """A hash of what the tables say; chunks, offsets and padding do not count.

    The rows must be in canonical order.
    """
    # Hashing lets other threads work beside it; few, for each may read a column.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = {
            name: [(each.name, pool.submit(_column_digest, each)) for each in columns]
            for name, columns in tables.items()
        }
        found = {
            name: [(each, its.result()) for each, its in columns]
            for name, columns in asked.items()
        }
    return digest(canonical_json({**header, "tables": found}))


def _column_digest(column: Column) -> str:
    """Of a bit for each value, then the lengths of texts, then what they say."""
    hasher = hashlib.sha256(f"{column.kind} {column.length} ".encode())
    if not column.length:
        return hasher.hexdigest()
    is_text = pa.types.is_string(column.kind)
    is_valid = np.empty(0, np.bool_)
    with SpooledTemporaryFile(_HELD) as fixed:
        for values in column.values():
            known = values.is_valid().to_numpy(zero_copy_only=False)
            is_valid = np.concatenate([is_valid, known])
            whole = len(is_valid) // 8 * 8
            hasher.update(np.packbits(is_valid[:whole]).data)
            is_valid = is_valid[whole:]
            fixed.write(_lengths(values) if is_text else _fixed_bytes(values))
        hasher.update(np.packbits(is_valid).data)
        fixed.seek(0)
        while some := fixed.read(_SOME):
            hasher.update(some)
    if is_text:  # read again: of many rows the texts would fill the memory
        for values in column.values():
            hasher.update(_text_bytes(values.fill_null("")))
    return hasher.hexdigest()


def _lengths(texts: pa.Array) -> memoryview:
    return np.asarray(pc.binary_length(texts.fill_null(""))).data


def _text_bytes(texts: pa.Array) -> pa.Buffer | bytes:
    _, offsets, data = texts.buffers()
    if data is None:
        return b""
    places = np.frombuffer(offsets, dtype=np.int32)
    start, end = int(places[texts.offset]), int(places[texts.offset + len(texts)])
    return data.slice(start, end - start)


def _fixed_bytes(values: pa.Array) -> memoryview:
    if pa.types.is_boolean(values.type):
        plain = values.cast(pa.uint8())
    elif pa.types.is_date(values.type):
        plain = values.cast(pa.int32())
    elif pa.types.is_timestamp(values.type):
        plain = values.cast(pa.int64())
    else:
        plain = values
    return np.ascontiguousarray(plain.fill_null(0)).data
