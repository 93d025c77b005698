"""Are two portfolios the same?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._storage import canonical_json, digest

__all__ = ["Contents", "content_id"]


class Contents:
    """What a table says, told some rows at a time; how they are cut does not count.

    The rows must come in canonical order.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._columns = {each.name: _Column(each.type) for each in schema}

    @classmethod
    def of(cls, pieces: Iterable[pa.Table]) -> Contents:
        """Those of all pieces, of which there is at least one."""
        found: Contents | None = None
        for piece in pieces:
            found = found or cls(piece.schema)
            found.add(piece)
        assert found is not None
        return found

    def add(self, rows: pa.Table) -> None:
        """These are the next rows."""
        for name, column in self._columns.items():
            for values in rows[name].chunks:
                column.add(values)

    def told(self) -> list[tuple[str, str]]:
        """Each column, and the hash of what it says."""
        return [(name, column.told()) for name, column in self._columns.items()]


class _Column:
    """Which values are known; how long texts are, or the numbers; what the texts say.

    Each has a hash of its own, for they come side by side.
    """

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind
        self._known, self._fixed, self._texts = (hashlib.sha256() for _ in range(3))

    def add(self, values: pa.Array) -> None:
        self._known.update(values.is_valid().to_numpy(zero_copy_only=False).data)
        if pa.types.is_string(self._kind):
            texts = values.fill_null("")
            self._fixed.update(pc.binary_length(texts).to_numpy().data)
            self._texts.update(_text_bytes(texts))
        else:
            self._fixed.update(_fixed_bytes(values))

    def told(self) -> str:
        parts = (self._known, self._fixed, self._texts)
        each = " ".join(part.hexdigest() for part in parts)
        return digest(f"{self._kind} {each}".encode())


def content_id(header: Mapping[str, object], tables: Mapping[str, Contents]) -> str:
    """A hash of what the tables say; chunks, offsets and padding do not count."""
    found = {name: contents.told() for name, contents in tables.items()}
    return digest(canonical_json({**header, "tables": found}))


def _text_bytes(texts: pa.Array) -> pa.Buffer | bytes:
    _, offsets, data = texts.buffers()
    if data is None:
        return b""
    places = np.frombuffer(offsets, dtype=np.int32)
    start, end = int(places[texts.offset]), int(places[texts.offset + len(texts)])
    return data.slice(start, end - start)


def _fixed_bytes(values: pa.Array) -> memoryview:
    plain = values.cast(_PLAIN.get(values.type, values.type))
    return np.ascontiguousarray(plain.fill_null(0)).data


_PLAIN: Final = {
    pa.bool_(): pa.uint8(),
    pa.date32(): pa.int32(),
    pa.timestamp("us", "UTC"): pa.int64(),
}
