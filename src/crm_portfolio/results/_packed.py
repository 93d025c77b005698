"""In how little room is a table held that is read again as it was?

A book of a million accounts has about five hundred columns of results. Who an account is
stands in each of them, and most of the rest are few words, whole numbers and cents.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Protocol

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._places import in_one, places_of, rows_of

__all__ = ["Known", "Packed"]

_LOOKED_AT: Final = 4096
"""So many values tell whether few words stand in a column, or whole cents."""
_ASKED: Final = 8
"""So many ids tell whether a column names anything but accounts."""
_SHORT: Final = 16
"""A table of so many times fewer rows than there are accounts takes little room anyway."""
_SIZES: Final = (pa.int8(), pa.int16(), pa.int32())
_CENTS: Final = 100.0


@attrs.frozen(eq=False)
class Known:
    """The texts that stand in many results, held once for all of them.

    Attributes:
        ids: Of the accounts; no null, each once, sorted.
        names: As many; None where accounts have none.
    """

    ids: pa.Array
    names: pa.Array | None

    def places(self, ids: pa.Array) -> pa.Array | None:
        """Where each of them stands; None if one is of no account, or none says who.

        None of a few, too: to look up any takes as long as to look up all.
        """
        if len(ids) * _SHORT < len(self.ids):
            return None
        if ids.equals(self.ids):
            return pa.array(np.arange(len(ids), dtype=np.int32)) if len(ids) else None
        # Most columns of ids tell of no account.
        first = ids.slice(0, _ASKED).drop_null().to_pylist()
        if not all(map(self._has, first)):
            return None
        found = places_of(ids, self.ids)
        return found if found.null_count == ids.null_count < len(ids) else None

    def _has(self, account_id: str) -> bool:
        at = bisect_left(
            range(len(self.ids)), account_id, key=lambda place: self.ids[place].as_py()
        )
        return at < len(self.ids) and self.ids[at].as_py() == account_id


@attrs.frozen(eq=False)
class Packed:
    """A table that is unpacked when it is asked for: whole, or some of its columns.

    It is packed beside what its maker does next; who asks for a column waits for that one.
    """

    _columns: Mapping[str, Future[_Column]]
    num_rows: int

    @classmethod
    def of(cls, table: pa.Table, known: Known) -> Packed:
        names = table.column_names
        arrays = [in_one(column) for column in table.columns]
        pool = ThreadPoolExecutor(2)
        told = dict(zip(names, map(_Told.of, arrays), strict=True))
        # Who they are comes first, so that nobody waits for it in vain.
        whose = told.get("account_id")
        first = None if whose is None else pool.submit(_Accounts.of, whose, known)

        def kept(name: str, each: _Told) -> _Column:
            account = first.result() if first else None
            if name == "name" and account and account.are_called(each):
                return _Placed(account.placed, known.names)
            if name.endswith("_id"):
                if each is not whose:
                    account = _Accounts.of(each, known)
                if account:
                    return _Placed(account.placed, known.ids)
            return each.packed()

        columns = {name: pool.submit(kept, name, each) for name, each in told.items()}
        pool.shutdown(wait=False)
        return cls(columns, table.num_rows)

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent elsewhere as what came of it: nobody waits there."""
        columns = {name: each.result() for name, each in self._columns.items()}
        return _come, (columns, self.num_rows)

    @property
    def column_names(self) -> list[str]:
        return list(self._columns)

    def at(self, rows: pa.Array, names: Collection[str]) -> dict[str, pa.Array]:
        """Those of these columns that there are, in these rows; null in none."""
        found = {name: self._columns[name] for name in names if name in self._columns}
        return {name: each.result().at(rows).array() for name, each in found.items()}

    def table(self, names: Collection[str] | None = None) -> pa.Table:
        """The table as it was, or only these of its columns, in their order."""
        wanted = self._columns if names is None else names
        if not wanted:  # a table without columns would forget its rows
            return pa.table({"": pa.nulls(self.num_rows)}).select([])
        return pa.table({name: self._columns[name].result().array() for name in wanted})

    def rows_of(self, account_ids: pa.Array) -> pa.Array:
        """In which row each of these accounts stands; null where in none."""
        own = self._columns["account_id"].result()
        if not isinstance(own, _Placed) or not own.texts.equals(account_ids):
            return rows_of(account_ids, own.array())
        rows = np.full(len(account_ids), -1, dtype=np.int64)
        is_there = own.places.is_valid().to_numpy(zero_copy_only=False)
        rows[own.places.drop_null().to_numpy()] = np.flatnonzero(is_there)
        return pa.array(rows, mask=rows < 0)


def _come(columns: Mapping[str, _Column], num_rows: int) -> Packed:
    waited: dict[str, Future[_Column]] = {name: Future() for name in columns}
    for name, column in columns.items():
        waited[name].set_result(column)
    return Packed(waited, num_rows)


class _Column(Protocol):
    """One way to hold values."""

    def array(self) -> Any:
        """The values as they were."""

    def at(self, rows: pa.Array) -> _Column:
        """Those in these rows; null in none."""
        return _AsIs(self.array().take(rows))


@attrs.frozen(eq=False)
class _AsIs(_Column):
    _values: Any

    def array(self) -> Any:
        return self._values


@attrs.frozen(eq=False)
class _Nulls(_Column):
    """Nothing is known of it."""

    _kind: pa.DataType
    _size: int

    def array(self) -> Any:
        return pa.nulls(self._size, self._kind)


@attrs.frozen(eq=False)
class _Placed(_Column):
    """Texts, each by its place among those that occur."""

    places: pa.Array
    texts: pa.Array

    def array(self) -> Any:
        return self.texts.take(self.places)

    def at(self, rows: pa.Array) -> _Placed:
        return _Placed(self.places.take(rows), self.texts)


@attrs.frozen(eq=False)
class _Narrow(_Column):
    """Whole numbers or days that fit into fewer bytes."""

    _values: pa.Array
    _kind: pa.DataType

    def array(self) -> Any:
        wide = pa.int32() if pa.types.is_date32(self._kind) else pa.int64()
        return self._values.cast(wide).cast(self._kind)

    def at(self, rows: pa.Array) -> _Narrow:
        return _Narrow(self._values.take(rows), self._kind)


@attrs.frozen(eq=False)
class _Cents(_Column):
    """Numbers of two decimal places at most, as whole hundredths."""

    _values: pa.Array

    def array(self) -> Any:
        return pc.divide(self._values.cast(pa.float64()), _CENTS)

    def at(self, rows: pa.Array) -> _Cents:
        return _Cents(self._values.take(rows))


@attrs.frozen(eq=False)
class _Few(_Column):
    """Mostly null, or mostly 0: only the others are held, and where they stand."""

    _is_there: pa.Array
    _values: _Column
    _is_null_else: bool

    def array(self) -> Any:
        is_there = self._is_there.to_numpy(zero_copy_only=False)
        places = pa.array(np.cumsum(is_there) - 1, mask=~is_there)
        found = self._values.array().take(places)
        return found if self._is_null_else else pc.fill_null(found, 0.0)


@attrs.frozen(eq=False)
class _Squeezed(_Column):
    """Long texts that are alike, and seldom the same."""

    _stream: pa.Buffer

    @classmethod
    def of(cls, array: Any) -> _Squeezed:
        sink = pa.BufferOutputStream()
        rows = pa.record_batch({"": array})
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(sink, rows.schema, options=options) as stream:
            stream.write_batch(rows)
        return cls(sink.getvalue())

    def array(self) -> Any:
        with pa.ipc.open_stream(self._stream) as stream:
            return stream.read_all().column(0).combine_chunks()


@attrs.frozen(eq=False)
class _Told:
    """A column as it came: values, or texts of which the order says which is where."""

    values: Any
    order: pa.Array | None

    @classmethod
    def of(cls, array: Any) -> _Told:
        if isinstance(array, pa.DictionaryArray):
            return cls(array.dictionary, array.indices)
        return cls(array, None)

    def in_order_of(self, other: _Told) -> bool:
        if self.order is None or other.order is None:
            return self.order is other.order
        return bool(self.order.equals(other.order))

    def packed(self) -> _Column:
        values, order = self.values, self.order
        if order is None:
            return _packed(values)
        if len(values) * 2 <= len(order):  # they stand there once for all
            return _Placed(_narrowest(order), values)
        # What few words hold is less to put in order than the texts themselves.
        if values.null_count == len(values) or _has_few_words(values):
            return _packed(values).at(order)
        return _packed(values.take(order))


@attrs.frozen(eq=False)
class _Accounts:
    """A column that says of which accounts its table tells.

    Attributes:
        places: Where the values of the column stand among those known.
        placed: The same, in the order of the column.
    """

    known: Known
    told: _Told
    places: pa.Array
    placed: pa.Array

    @classmethod
    def of(cls, told: _Told, known: Known) -> _Accounts | None:
        """None where one is no account."""
        if not isinstance(told.values, pa.StringArray):
            return None
        places = known.places(told.values)
        if places is None:
            return None
        placed = places if told.order is None else places.take(told.order)
        return cls(known, told, places, placed)

    def are_called(self, names: _Told) -> bool:
        """Whether each name is the one that is known of its account."""
        if self.known.names is None or not names.in_order_of(self.told):
            return False
        wanted = self.known.names.take(self.places)
        return bool(wanted.equals(names.values))


def _packed(array: Any) -> _Column:
    if isinstance(array, pa.ChunkedArray):  # too long for one array
        return _AsIs(array)
    if array.null_count == len(array):
        return _Nulls(array.type, len(array))
    if pa.types.is_float64(array.type):
        return _of_numbers(array)
    if pa.types.is_string(array.type):
        return _of_texts(array)
    if pa.types.is_int64(array.type) or pa.types.is_date32(array.type):
        return _of_whole(array)
    return _AsIs(array)


def _has_few_words(array: Any) -> bool:
    first = array.slice(0, _LOOKED_AT)
    return len(pc.unique(first)) * 2 <= len(first)


def _of_texts(array: Any) -> _Column:
    if not _has_few_words(array):
        return _Squeezed.of(array)
    found = array.dictionary_encode()
    return _Placed(_narrowest(found.indices), found.dictionary)


def _of_whole(array: Any) -> _Column:
    is_day = pa.types.is_date32(array.type)
    return _Narrow(_narrowest(array.cast(pa.int32()) if is_day else array), array.type)


def _narrowest(array: Any) -> Any:
    ends = pc.min_max(array).as_py()
    least, most = ends["min"] or 0, ends["max"] or 0
    for kind in _SIZES:
        limits = np.iinfo(kind.to_pandas_dtype())
        if limits.min <= least and most <= limits.max:
            return array.cast(kind)
    return array


def _of_numbers(array: Any) -> _Column:
    if array.null_count * 2 > len(array):
        return _Few(array.is_valid(), _dense(array.drop_null()), is_null_else=True)
    if not array.null_count:
        # −0.0 is another number than 0.0, to the byte.
        is_there = array.to_numpy().view(np.int64) != 0
        if is_there.sum() * 2 < len(array):
            mask = pa.array(is_there)
            return _Few(mask, _dense(array.filter(mask)), is_null_else=False)
    return _dense(array)


def _dense(array: Any) -> _Column:
    """As hundredths, if not a bit is lost by it."""
    values = pc.fill_null(array, 0.0).to_numpy()
    if _cents(values[:_LOOKED_AT]) is None:
        return _AsIs(array)
    cents = _cents(values)
    if cents is None:
        return _AsIs(array)
    mask = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    return _Cents(_narrowest(pa.array(cents, mask=mask)))


def _cents(values: Any) -> Any:
    """As whole hundredths; None where that would lose something."""
    with np.errstate(over="ignore", invalid="ignore"):
        hundredths = np.rint(values * _CENTS)
    if not (np.abs(hundredths) < np.iinfo(np.int32).max).all():
        return None
    cents = hundredths.astype(np.int32)
    back = cents / _CENTS
    is_same = (back.view(np.int64) == values.view(np.int64)).all()
    return cents if is_same else None
