"""Where does each id stand among many that are asked about again, and what is there?"""

from __future__ import annotations

import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["in_one", "places_of", "rows_at", "rows_of", "told_at"]

_MANY: Final = 10_000
"""Of so many ids Arrow makes what it looks them up in anew each time, and takes longer."""
_PART: Final = 4
"""Of a column of which fewer than one in so many rows are asked for, these are taken."""
_MOST_WORDS: Final = 5
_WORD: Final = 8
"""So many letters are one whole number."""
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)

_Words = npt.NDArray[np.uint64]
_Places = npt.NDArray[np.int64]


def places_of(asked: pa.Array | pa.ChunkedArray, ids: pa.Array) -> pa.Array:
    """The place of each among the ids; null where it is none of them.

    Args:
        ids: Each once, none of them null. What they are looked up in is kept as long as
            they are.
    """
    asked, ids = (
        in_one(each) if isinstance(each, pa.ChunkedArray) else each
        for each in (asked, ids)
    )
    if not len(asked):  # Arrow would make all ids ready to be looked up
        return pa.nulls(0, pa.int32())
    if len(ids) < _MANY or not _are_texts(asked, ids):
        return pc.index_in(asked, ids)
    if _same(asked, ids):
        return pa.array(np.arange(len(ids), dtype=np.int32))
    index = _index(ids)
    found = None if index is None else index.places(asked)
    return pc.index_in(asked, ids) if found is None else found


def rows_of(ids: pa.Array, found: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The row of each id in a column that has each once; null where it is in none.

    Args:
        ids: As of `places_of`.
    """
    at = places_of(found, ids)
    rows = np.full(len(ids), -1, dtype=np.int64)
    is_one = at.is_valid().to_numpy(zero_copy_only=False)
    rows[at.drop_null().to_numpy()] = np.flatnonzero(is_one)
    return pa.array(rows, mask=rows < 0)


def in_one(column: pa.ChunkedArray) -> Any:
    """A column as one array; Arrow would copy it even where it is in one piece."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def rows_at(table: pa.Table, places: npt.NDArray[np.int64]) -> pa.Table:
    """The rows at these places, one column beside the other."""
    order = pa.array(places)
    with ThreadPoolExecutor() as pool:
        columns = list(pool.map(lambda column: column.take(order), table.columns))
    return pa.table(columns, schema=table.schema)


def told_at(table: pa.Table, places: npt.NDArray[np.int64]) -> pa.Table:
    """The same rows, with each text told by its place in the column that it comes from.

    To put a million texts in order takes twenty times as long as to say which they are.
    ``plain`` makes texts of them.
    """
    if len(places) * _PART < table.num_rows:
        return rows_at(table, places)
    order, at = pa.array(places), pa.array(places, pa.int32())

    def told(column: pa.ChunkedArray) -> Any:
        own = in_one(column)
        if isinstance(own, pa.StringArray):
            return pa.DictionaryArray.from_arrays(at, own)
        return own.take(order)

    with ThreadPoolExecutor() as pool:
        columns = list(pool.map(told, table.columns))
    return pa.table(columns, names=table.column_names)


def _are_texts(*arrays: Any) -> bool:
    return all(isinstance(each, pa.StringArray) for each in arrays)


def _same(asked: pa.Array, ids: pa.Array) -> bool:
    return asked is ids or (len(asked) == len(ids) and bool(asked.equals(ids)))


@attrs.frozen(eq=False)
class _Index:
    """Ids as whole numbers of eight letters, and where each is, by its hash.

    Attributes:
        slots: A place, or −1; whoever finds the slot of its hash taken has the next one.
    """

    words: tuple[_Words, ...]
    slots: npt.NDArray[np.int32]

    @classmethod
    def of(cls, ids: pa.Array) -> _Index | None:
        """None of ids that are too long for it."""
        longest = int(np.diff(_edges(ids)).max())
        words = _words(ids, -(-longest // _WORD))
        if words is None or not 0 < len(words) <= _MOST_WORDS:
            return None
        count = len(ids)
        slots = np.full(2 << count.bit_length(), -1, dtype=np.int32)
        todo, at = np.arange(count, dtype=np.int32), _hashed(words, slots.size)
        while todo.size:
            is_free = slots[at] < 0
            slots[at[is_free]] = todo[is_free]
            waits = slots[at] != todo
            todo, at = todo[waits], _next(at[waits], slots.size)
        return cls(words, slots)

    def places(self, asked: pa.Array) -> pa.Array | None:
        """Null where it is none of them; None if one asked about is longer than any."""
        words = _words(asked, len(self.words))
        if words is None:
            return None
        found = np.full(len(asked), -1, dtype=np.int32)
        todo, at = np.arange(len(asked)), _hashed(words, self.slots.size)
        while todo.size:
            place = self.slots[at]
            is_it = place >= 0
            goes_on = is_it.copy()
            for own, wanted in zip(self.words, words, strict=True):
                is_it &= own[place] == wanted[todo]
            found[todo[is_it]] = place[is_it]
            goes_on &= ~is_it
            todo, at = todo[goes_on], _next(at[goes_on], self.slots.size)
        is_none = found < 0
        if asked.null_count:
            is_none |= asked.is_null().to_numpy(zero_copy_only=False)
        return pa.array(found, mask=is_none if is_none.any() else None)


_INDEXES: Final[dict[tuple[int, ...], tuple[weakref.ref[pa.Array], _Index | None]]] = {}


def _index(ids: pa.Array) -> _Index | None:
    """The one that was made of these very texts, as long as they are held."""
    texts = [each.address if each else 0 for each in ids.buffers()[1:]]
    key = (*texts, ids.offset, len(ids))
    held, index = _INDEXES.get(key, (None, None))
    if held is None or held() is None:
        index = _Index.of(ids)
        _INDEXES[key] = weakref.ref(ids, lambda own: _let_go(key, own)), index
    return index


def _let_go(key: tuple[int, ...], own: weakref.ref[pa.Array]) -> None:
    if _INDEXES.get(key, (None,))[0] is own:
        del _INDEXES[key]


def _edges(texts: pa.Array) -> npt.NDArray[np.int32]:
    """Where each begins among the letters of all, and where the last one ends."""
    every = np.frombuffer(texts.buffers()[1], dtype=np.int32)
    return every[texts.offset : texts.offset + len(texts) + 1]


def _words(texts: pa.Array, count: int) -> tuple[_Words, ...] | None:
    """Each as so many words; None if that is not enough, or does not say where it ends."""
    edges = _edges(texts)
    letters = np.frombuffer(texts.buffers()[2] or b"", dtype=np.uint8)
    letters = letters[edges[0] : edges[-1]]
    lengths, width = np.diff(edges), count * _WORD
    if lengths.max() > width or not letters.all():
        return None
    padded = np.zeros((len(texts), width), dtype=np.uint8)
    if lengths.min() == lengths.max():
        padded[:, : lengths[0]] = letters.reshape(len(texts), -1)
    else:
        padded[np.arange(width) < lengths[:, None]] = letters
    return tuple(np.ascontiguousarray(padded.view(np.uint64).T))


def _hashed(words: tuple[_Words, ...], size: int) -> _Places:
    mixed = np.zeros(words[0].size, dtype=np.uint64)
    for each in words:
        mixed ^= each
        mixed *= _MIX
        mixed ^= mixed >> np.uint64(32)
    mixed *= _MIX
    mixed >>= np.uint64(64 - (size.bit_length() - 1))
    return mixed.view(np.int64)


def _next(at: _Places, size: int) -> _Places:
    return (at + 1) & (size - 1)
