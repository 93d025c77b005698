"""Which rows have the same key, and how is that known without holding all keys?

Keys are held as hashes of eight bytes. Where two are alike, the keys themselves decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise._rows import ROW
from crm_portfolio.schema import Table, key_faults

__all__ = ["Hashes", "KeyCheck", "SortedHashes", "hashed"]

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

_WORD: Final = 8
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_LITTLE: Final = np.dtype("<u8")


def hashed(texts: pa.Array | pa.ChunkedArray) -> Hashes:
    """A hash of each text; that of null means nothing."""
    if isinstance(texts, pa.ChunkedArray):
        parts = [hashed(chunk) for chunk in texts.chunks]
        return np.concatenate(parts) if parts else np.empty(0, np.uint64)
    _, offsets, data = texts.buffers()
    if not len(texts) or data is None:
        return np.zeros(len(texts), np.uint64)
    held = np.frombuffer(offsets, np.int32)[texts.offset :][: len(texts) + 1]
    places = held.astype(np.int64)
    base = int(places[0])
    used = np.frombuffer(data, np.uint8)[base : int(places[-1])]
    width = int(places[1]) - base
    if width and len(used) == width * len(texts) and (np.diff(held) == width).all():
        return _digested_even(used.reshape(-1, width))
    padded = np.concatenate([used, np.zeros(_WORD, np.uint8)])
    # Every byte begins a word of eight, read without regard to alignment.
    words = np.ndarray((len(padded) - _WORD + 1,), _LITTLE, padded, 0, (1,))
    starts, lengths = places[:-1] - base, np.diff(places)
    return _digested(words, starts, lengths)


def _digested(
    words: Hashes, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> Hashes:
    made = lengths.astype(np.uint64) * _ODD
    live = np.flatnonzero(lengths)
    at = 0
    while len(live):
        left = lengths[live] - at
        read = words[starts[live] + at]
        unused = np.clip(_WORD - left, 0, _WORD - 1).astype(np.uint64) * np.uint64(8)
        made[live] = _mixed((made[live] ^ (read << unused)) + _ODD)
        at += _WORD
        live = live[left > _WORD]
    return made


def _digested_even(letters: npt.NDArray[np.uint8]) -> Hashes:
    """The same of texts of one length, as a CRM's ids are, in a fraction of the time."""
    count, width = letters.shape
    whole = (width - 1) // _WORD * _WORD
    cells = np.zeros((count, whole + _WORD), np.uint8)
    cells[:, :whole] = letters[:, :whole]
    cells[:, whole - width :] = letters[:, whole:]
    words = cells.view(_LITTLE)
    made = np.full(count, width, np.uint64) * _ODD
    for at in range(words.shape[1]):
        made = _mixed((made ^ words[:, at]) + _ODD)
    return made


def _mixed(values: Hashes) -> Hashes:
    values = (values ^ (values >> np.uint64(30))) * _MIX[0]
    values = (values ^ (values >> np.uint64(27))) * _MIX[1]
    mixed: Hashes = values ^ (values >> np.uint64(31))
    return mixed


class SortedHashes:
    """Hashes in order, each once, and where it stood before.

    They are looked up by their first bits, as words in a dictionary by their first
    letter: to halve all of them again and again takes many times as long.
    """

    def __init__(self, hashes: Hashes) -> None:
        order = np.argsort(hashes)
        known = hashes[order]
        if (known[1:] == known[:-1]).any():
            known, first_of = np.unique(known, return_index=True)
            order = order[first_of]
        # Behind the last one stands what no hash is beyond, and it is no row.
        self._known = np.append(known, ~np.uint64(0))
        self._order: Places = np.append(order, -1)
        bits = max(len(known).bit_length() - 1, 1)
        self._shift = np.uint64(64 - bits)
        edges = np.arange(1 << bits, dtype=np.uint64) << self._shift
        self._first: Places = np.searchsorted(known, edges)

    def places_of(self, asked: Hashes) -> Places:
        """Where each stood; -1 where it is none of them."""
        at = self._first[asked >> self._shift]
        behind = np.flatnonzero(self._known[at] < asked)
        while len(behind):
            at[behind] += 1
            behind = behind[self._known[at[behind]] < asked[behind]]
        return np.where(self._known[at] == asked, self._order[at], -1)


class KeyCheck:
    """Finds rows whose key an earlier row has, while they pass."""

    def __init__(self, spec: Table, names: Sequence[str], *, is_ordered: bool) -> None:
        self._spec = spec
        self._is_wanted = bool(spec.key) and set(spec.key) <= set(names)
        self._is_ordered = is_ordered
        self._last: pa.Table | None = None
        self._hashes: list[Hashes] = []

    def passing(self, numbered: pa.Table) -> Iterator[pa.Table]:
        """The faults that these rows show already."""
        if not self._is_wanted:
            return
        keys = numbered.select([*self._spec.key, ROW])
        if not self._is_ordered:
            self._hashes.append(self._hashed(keys.drop_null()))
        elif len(keys):
            yield from self._beside(keys)
            self._last = keys.slice(len(keys) - 1)

    def _beside(self, keys: pa.Table) -> Iterator[pa.Table]:
        """In order, equal keys stand side by side."""
        if self._last is not None:
            keys = pa.concat_tables([self._last, keys])
        keys = keys.drop_null().combine_chunks()
        same = np.ones(max(len(keys) - 1, 0), np.bool_)
        for name in self._spec.key:
            same &= np.asarray(pc.equal(keys[name][:-1], keys[name][1:]))
        if not same.any():
            return
        alike = np.concatenate([same, [False]]) | np.concatenate([[False], same])
        yield from key_faults(self._spec, keys.filter(pa.array(alike)))

    def afterwards(
        self, walk: Callable[[Sequence[str]], Iterator[pa.Table]]
    ) -> Iterator[pa.Table]:
        """The faults among keys that came out of order.

        Args:
            walk: The numbered rows once more, with these columns.
        """
        if not self._hashes:
            return
        hashes = np.sort(np.concatenate(self._hashes))
        self._hashes = []
        twice = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        if not len(twice):
            return
        suspects = []
        for numbered in walk(self._spec.key):
            keys = numbered.select([*self._spec.key, ROW]).drop_null()
            # By sorting: numpy 2.0 counts the span of hashes in signed numbers.
            alike = np.isin(self._hashed(keys), twice, kind="sort")
            suspects.append(keys.filter(pa.array(alike)))
        yield from key_faults(self._spec, pa.concat_tables(suspects))

    def _hashed(self, keys: pa.Table) -> Hashes:
        made = np.zeros(len(keys), np.uint64)
        for name in self._spec.key:
            texts = keys[name].cast(pa.string())
            made = _mixed(made + hashed(texts) + _ODD)
        return made
