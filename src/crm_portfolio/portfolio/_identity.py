"""Are two portfolios the same?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._storage import canonical_json, digest
from crm_portfolio.schema import TableName

__all__ = ["content_id"]


def content_id(
    header: Mapping[str, object], tables: Mapping[TableName, pa.Table]
) -> str:
    """A hash of what the tables say; chunks, offsets and padding do not count.

    The rows must be in canonical order.
    """
    # Hashing lets other threads work beside it.
    with ThreadPoolExecutor() as pool:
        hashed = {
            name: pool.map(_column_digest, table.columns)
            for name, table in tables.items()
        }
        columns = {
            name: list(zip(table.column_names, hashed[name], strict=True))
            for name, table in tables.items()
        }
    return digest(canonical_json({**header, "tables": columns}))


def _column_digest(column: pa.ChunkedArray) -> str:
    values = column.combine_chunks()
    hasher = hashlib.sha256(f"{column.type} {len(column)} ".encode())
    if not len(values):
        return hasher.hexdigest()
    hasher.update(_is_valid(values))
    if pa.types.is_string(values.type):
        filled = values.fill_null("")
        hasher.update(np.asarray(pc.binary_length(filled)).data)
        hasher.update(_text_bytes(filled))
    else:
        hasher.update(_fixed_bytes(values))
    return hasher.hexdigest()


def _is_valid(values: pa.Array) -> bytes | memoryview:
    """A bit for each value, the first one highest; padded with zeros."""
    if values.null_count:
        return np.packbits(np.asarray(values.is_valid())).data
    full, rest = divmod(len(values), 8)
    return b"\xff" * full + bytes([0xFF00 >> rest & 0xFF] if rest else [])


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
