"""Are two portfolios the same?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

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
    columns = {
        name: [[column, _column_digest(table[column])] for column in table.column_names]
        for name, table in tables.items()
    }
    return digest(canonical_json({**header, "tables": columns}))


def _column_digest(column: pa.ChunkedArray) -> str:
    values = pa.concat_arrays(column.chunks) if column.num_chunks else None
    hasher = hashlib.sha256(f"{column.type} {len(column)} ".encode())
    if values is None or not len(values):
        return hasher.hexdigest()
    hasher.update(np.packbits(np.asarray(values.is_valid())).tobytes())
    if pa.types.is_string(values.type):
        filled = pa.concat_arrays([values.fill_null("")])
        hasher.update(np.asarray(pc.binary_length(filled)).tobytes())
        hasher.update(_text_bytes(filled))
    else:
        hasher.update(_fixed_bytes(values))
    return hasher.hexdigest()


def _text_bytes(texts: pa.Array) -> bytes:
    _, offsets, data = texts.buffers()
    if data is None:
        return b""
    places = np.frombuffer(offsets, dtype=np.int32)
    start, end = int(places[texts.offset]), int(places[texts.offset + len(texts)])
    text: bytes = data.slice(start, end - start).to_pybytes()
    return text


def _fixed_bytes(values: pa.Array) -> bytes:
    if pa.types.is_boolean(values.type):
        plain = values.cast(pa.uint8())
    elif pa.types.is_date(values.type):
        plain = values.cast(pa.int32())
    elif pa.types.is_timestamp(values.type):
        plain = values.cast(pa.int64())
    else:
        plain = values
    return np.asarray(plain.fill_null(0)).tobytes()
