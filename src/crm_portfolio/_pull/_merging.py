"""What does a table say once an increment has been laid over the copy?

Of each record the newest known value of each column: an increment may tell a record more
than once, and of some records only the columns that change without a trace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.schema import Table

__all__ = ["GONE", "LISTED", "NEW", "OLD", "Laid", "Layer", "Returning", "tagged"]

_CREATED: Final = "created_at"
_SEQ: Final = "#seq"
_LAYER: Final = "#layer"
_REASON: Final = "#reason"
_REASONS: Final = ("deleted", "merged", "archived")
OLD, LISTED, NEW, GONE = range(4)  # what a row of a layer means

Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@attrs.frozen
class Layer:
    """Rows that came together: what they mean, and which columns they know.

    Attributes:
        seq: Later layers are newer.
    """

    meaning: int
    names: frozenset[str]
    seq: int


def tagged(
    rows: pa.Table, layer: int, seq: int, reason: pa.ChunkedArray | None = None
) -> pa.Table:
    """The rows with where they come from."""
    size = len(rows)
    if reason is None:
        code = pa.repeat(pa.scalar(0, pa.int8()), size)
    else:
        code = pc.index_in(reason, value_set=pa.array(_REASONS)).cast(pa.int8())
        code = pc.fill_null(code, 0)
    return (
        rows.append_column(_LAYER, pa.repeat(pa.scalar(layer, pa.int32()), size))
        .append_column(_REASON, code)
        .append_column(_SEQ, pa.repeat(pa.scalar(seq, pa.int64()), size))
    )


@attrs.frozen
class Returning:
    """How a record that comes back is told from a new one.

    Attributes:
        left: Records that left the copy before.
        created_before: What is older was there, or deleted, when the copy was made.
    """

    left: pa.Array
    created_before: datetime | None

    def places(self, came: pa.Table, key: str) -> Places:
        """Those of the rows that are no news, by their numbers."""
        is_back = pc.is_in(came[key], value_set=self.left)
        if self.created_before is not None and _CREATED in came.column_names:
            with suppress(pa.ArrowInvalid):  # a text that names no moment
                moments = came[_CREATED].cast(pa.timestamp("us", "UTC"))
                edge = pa.scalar(self.created_before, moments.type)
                is_old = pc.fill_null(pc.less(moments, edge), fill_value=False)
                is_back = pc.or_(is_back, is_old)
        return np.flatnonzero(np.asarray(is_back)).astype(np.int64)


class Laid:
    """Increments over a copy, range of keys by range of keys.

    Attributes:
        gone: How many records left the copy, by reason.
        left: Records that were said to leave, and are not there again.
        back: Records that came and are older than the copy: they had been deleted.
        vanished: Records that left it without a word.
        missed: How many are in the CRM, and neither in the copy nor among what changed.
        doubled: How many keys the copy itself has more than once.
    """

    def __init__(
        self,
        spec: Table,
        names: Sequence[str],
        layers: Sequence[Layer],
        *,
        listed: bool,
        returning: Returning | None = None,
    ) -> None:
        self._key = list(spec.key)
        self._names = list(names)
        self._layers = layers
        self._listed = listed
        self._returning = returning
        volatile = {column.name for column in spec.columns if column.is_volatile}
        self._whole = frozenset(names) - volatile
        self.gone: Counter[str] = Counter()
        self.left: list[str] = []
        self.back: list[str] = []
        self.vanished: list[str] = []
        self.missed = 0
        self.doubled = 0

    def rows(self, merged: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """The records that are left, each once.

        Args:
            merged: Tagged rows in the order of the key and of ``#seq``; those of one key
                come together.
        """
        for rows in merged:
            yield self._reduced(rows)

    @property
    def order(self) -> list[str]:
        return [*self._key, _SEQ]

    def _reduced(self, rows: pa.Table) -> pa.Table:
        layer = rows[_LAYER].to_numpy()
        if self._is_plain(rows, layer):
            return rows.select(self._names)
        ends = self._ends(rows)
        starts = np.concatenate([[0], ends[:-1] + 1])
        meaning = np.array([layer.meaning for layer in self._layers])[layer]
        whole = np.array([layer.names >= self._whole for layer in self._layers])[layer]
        is_whole = whole & ((meaning == OLD) | (meaning == NEW))
        old, listed, new, gone = (
            _newest(mask, ends, starts)
            for mask in (meaning == OLD, meaning == LISTED, is_whole, meaning == GONE)
        )
        self.doubled += int((np.add.reduceat(meaning == OLD, starts) > 1).sum())
        stays = new > gone  # an old row counts as whole; -1 where there is none
        fresh = new > old
        self._count_gone(rows, (old >= 0) & ~stays, gone)
        self.left += self._keys(rows, gone[(gone >= 0) & ~stays])
        if self._returning is not None:
            came = rows.take(pa.array(new[stays & (old < 0)]))
            self.back += self._keys(came, self._returning.places(came, self._key[0]))
        if self._listed:
            unheard = stays & ~fresh & (listed < 0)
            self.vanished += self._keys(rows, ends[unheard])
            stays &= ~unheard
            self.missed += int(((listed >= 0) & (new < 0) & (gone < 0)).sum())
        return self._newest_values(rows, layer, (starts, ends), gone, stays)

    def _is_plain(self, rows: pa.Table, layer: npt.NDArray[np.int32]) -> bool:
        """Whether each row is a record that nobody speaks of but the copy."""
        if self._listed or len(self._key) > 1:
            return False
        if not all(self._layers[number].meaning == OLD for number in np.unique(layer)):
            return False
        keys = rows[self._key[0]]
        return not keys.null_count and bool(
            pc.all(pc.less(keys[:-1], keys[1:])).as_py()
        )

    def _ends(self, rows: pa.Table) -> Places:
        """The last row of each record."""
        differs = np.zeros(max(len(rows) - 1, 0), np.bool_)
        for name in self._key:
            keys = rows[name]
            same = pc.fill_null(pc.equal(keys[:-1], keys[1:]), fill_value=False)
            differs |= ~np.asarray(same)
        last = [len(rows) - 1] if len(rows) else []
        return np.concatenate([np.flatnonzero(differs), last]).astype(np.int64)

    def _newest_values(
        self,
        rows: pa.Table,
        layer: npt.NDArray[np.int32],
        spans: tuple[Places, Places],
        gone: Places,
        stays: Mask,
    ) -> pa.Table:
        starts, ends = spans
        places: dict[tuple[bool, ...], pa.Array] = {}
        columns = {}
        for name in self._names:
            knows = tuple(
                name in it.names and it.meaning != GONE for it in self._layers
            )
            if knows not in places:
                place = _newest(np.array(knows)[layer], ends, starts)[stays]
                # What was known before a record left is not its own any more.
                unknown = (place < 0) | (place < gone[stays])
                places[knows] = pa.array(place, mask=unknown)
            columns[name] = rows[name].take(places[knows])
        return pa.table(columns)

    def _count_gone(self, rows: pa.Table, left: Mask, gone: Places) -> None:
        codes = rows[_REASON].take(pa.array(gone[left & (gone >= 0)])).to_pylist()
        self.gone.update(_REASONS[code] for code in codes)

    def _keys(self, rows: pa.Table, places: Places) -> list[str]:
        keys: list[str] = rows[self._key[0]].take(pa.array(places)).to_pylist()
        return keys


def _newest(mask: Mask, ends: Places, starts: Places) -> Places:
    """The last masked row of each record; -1 where it has none."""
    if not len(mask):
        return np.empty(0, np.int64)
    upto = np.maximum.accumulate(np.where(mask, np.arange(len(mask)), -1))[ends]
    return np.where(upto < starts, -1, upto)
