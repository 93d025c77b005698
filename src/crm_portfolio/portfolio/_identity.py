"""Are two portfolios the same?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

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
        known = _known(values)
        self._known.update(known.data)
        if pa.types.is_string(self._kind):
            lengths, texts = _texts(values, known)
            self._fixed.update(lengths.data)
            self._texts.update(texts)
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


def _known(values: pa.Array) -> npt.NDArray[np.uint8]:
    """A byte for each value: 1 where it is known."""
    bits = values.buffers()[0]
    if bits is None or not values.null_count:
        return np.ones(len(values), np.uint8)
    first, skipped = divmod(values.offset, 8)
    held = np.frombuffer(bits, np.uint8)[first:]
    return np.unpackbits(held, count=skipped + len(values), bitorder="little")[skipped:]


def _texts(
    values: pa.Array, known: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.int32], pa.Buffer | bytes]:
    """How long each text is, and all of them; unknown ones are empty."""
    _, offsets, data = values.buffers()
    if data is None or not len(values):
        return np.zeros(len(values), np.int32), b""
    places = np.frombuffer(offsets, np.int32)[values.offset :][: len(values) + 1]
    lengths = np.diff(places)
    if values.null_count and lengths[known == 0].any():  # bytes that nobody reads
        return _texts(values.fill_null(""), np.ones_like(known))
    return lengths, data.slice(int(places[0]), int(places[-1] - places[0]))


def _fixed_bytes(values: pa.Array) -> memoryview:
    plain = values.cast(_PLAIN.get(values.type, values.type))
    return np.ascontiguousarray(plain.fill_null(0)).data


_PLAIN: Final = {
    pa.bool_(): pa.uint8(),
    pa.date32(): pa.int32(),
    pa.timestamp("us", "UTC"): pa.int64(),
}
