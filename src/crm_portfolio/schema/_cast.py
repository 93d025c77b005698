"""What does a raw cell say, read as its column's type?

Taken are Arrow values that are typed already, and canonical text: days and moments in
ISO 8601, numbers with a decimal point, ``true`` and ``false``. Any other spelling is
for the connector that knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.schema._vocabulary import Column, ColumnType, arrow_type

__all__ = ["cast", "local_day"]

_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_INTEGER = r"^[+-]?\d+(\.0*)?$"
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_NAIVE = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?$"
_AWARE = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)$"

_DATE = pa.date32()
_MOMENT = pa.timestamp("us", "UTC")
_WALL = pa.timestamp("us")


def cast(
    column: Column, raw: pa.ChunkedArray, time_zone: str
) -> tuple[pa.Array, pa.Array]:
    """The cells as the column's type, and which of them could not be read.

    Empty cells are null: null itself, NaN, and empty text except in a text column.
    """
    given = _present(raw, column.type)
    typed = _READERS[column.type](given, time_zone)
    unreadable = pc.and_(given.is_valid(), typed.is_null())
    return typed.cast(arrow_type(column)), unreadable


def local_day(moments: pa.Array, time_zone: str) -> pa.Array:
    """The day it was in the time zone."""
    there = moments.cast(pa.timestamp("us", time_zone))
    return pc.local_timestamp(there).cast(_DATE, safe=False)


def _present(raw: pa.ChunkedArray, type_: ColumnType) -> pa.Array:
    values = raw.combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.nulls(0)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type):
        values = values.cast(pa.string())
    if pa.types.is_string(values.type) and type_ != "text":
        return _where(pc.not_equal(values, ""), values)
    if pa.types.is_floating(values.type):
        return _where(pc.invert(pc.is_nan(values)), values)
    return values


def _where(mask: pa.Array, values: pa.Array) -> pa.Array:
    if pc.all(mask).as_py():  # the usual case, and it copies nothing
        return values
    return pc.if_else(mask, values, pa.scalar(None, values.type))


def _parsed(texts: pa.Array, pattern: str, type_: pa.DataType) -> pa.Array:
    """Text of that shape as that type; null where it is of another shape, or absurd."""
    return _tried(_where(pc.match_substring_regex(texts, pattern), texts), type_)


def _tried(texts: pa.Array, type_: pa.DataType) -> pa.Array:
    try:
        return texts.cast(type_)
    except pa.ArrowInvalid:  # it tells of one bad cell, so halve until all are found
        if len(texts) == 1:
            return pa.nulls(1, type_)
        middle = len(texts) // 2
        halves = [_tried(half, type_) for half in (texts[:middle], texts[middle:])]
        return pa.concat_arrays(halves)


def _none(given: pa.Array, type_: pa.DataType) -> pa.Array:
    return pa.nulls(len(given), type_)


def _whole(numbers: pa.Array) -> pa.Array:
    """Floats without a fraction as integers, others null."""
    floats = numbers.cast(pa.float64())
    fits = pc.and_(
        pc.equal(floats, pc.floor(floats)), pc.less(pc.abs(floats), float(2**53))
    )
    return _where(fits, floats).cast(pa.int64())


def _read_text(given: pa.Array, time_zone: str) -> pa.Array:
    del time_zone
    if pa.types.is_floating(given.type):
        whole = _whole(given).cast(pa.string())
        return pc.coalesce(whole, given.cast(pa.string()))
    try:
        return given.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _none(given, pa.string())


def _read_id(given: pa.Array, time_zone: str) -> pa.Array:
    if pa.types.is_floating(given.type):  # pandas makes floats of ids beside a null
        return _whole(given).cast(pa.string())
    return _read_text(given, time_zone)


def _read_number(given: pa.Array, time_zone: str) -> pa.Array:
    del time_zone
    type_, number = given.type, pa.float64()
    if pa.types.is_string(type_):
        return _finite(_parsed(given, _NUMBER, number))
    if pa.types.is_decimal(type_):  # by its text, which is what rounds right
        return given.cast(pa.string()).cast(number)
    if pa.types.is_integer(type_):
        return given.cast(number, safe=False)
    if pa.types.is_floating(type_):
        return _finite(given.cast(number))
    return _none(given, number)


def _finite(numbers: pa.Array) -> pa.Array:
    return _where(pc.is_finite(numbers), numbers)


def _read_integer(given: pa.Array, time_zone: str) -> pa.Array:
    del time_zone
    type_, integer = given.type, pa.int64()
    if pa.types.is_decimal(type_):
        given, type_ = given.cast(pa.string()), pa.string()
    if pa.types.is_string(type_):
        shaped = _where(pc.match_substring_regex(given, _INTEGER), given)
        return _tried(pc.replace_substring_regex(shaped, r"^\+|\.0*$", ""), integer)
    if pa.types.is_integer(type_):
        return _tried(given, integer)
    if pa.types.is_floating(type_):
        return _whole(given)
    return _none(given, integer)


def _read_boolean(given: pa.Array, time_zone: str) -> pa.Array:
    del time_zone
    if pa.types.is_boolean(given.type):
        return given
    if pa.types.is_string(given.type):
        lower = pc.utf8_lower(given)
        said = pc.is_in(lower, value_set=pa.array(["true", "false"]))
        return _where(said, pc.equal(lower, "true"))
    if pa.types.is_integer(given.type) or pa.types.is_floating(given.type):
        numbers = given.cast(pa.float64())
        said = pc.is_in(numbers, value_set=pa.array([0.0, 1.0]))
        return _where(said, pc.equal(numbers, 1.0))
    return _none(given, pa.bool_())


def _read_day(given: pa.Array, time_zone: str) -> pa.Array:
    type_ = given.type
    if pa.types.is_date(type_):
        return given.cast(_DATE)
    if pa.types.is_timestamp(type_):
        moment = _in_microseconds(given)
        return (
            local_day(moment, time_zone) if type_.tz else moment.cast(_DATE, safe=False)
        )
    if pa.types.is_string(type_):
        aware = local_day(_aware(given), time_zone)
        naive = _naive(given).cast(_DATE, safe=False)
        return pc.coalesce(_parsed(given, _DAY, _DATE), naive, aware)
    return _none(given, _DATE)


def _read_moment(given: pa.Array, time_zone: str) -> pa.Array:
    """A moment without a zone is in UTC; a day is its first moment in the time zone."""
    type_ = given.type
    if pa.types.is_timestamp(type_):
        moment = _in_microseconds(given)
        return moment.cast(_MOMENT) if type_.tz else pc.assume_timezone(moment, "UTC")
    if pa.types.is_date(type_):
        return _first_moment(given.cast(_DATE), time_zone)
    if pa.types.is_string(type_):
        naive = pc.assume_timezone(_naive(given), "UTC")
        days = _first_moment(_parsed(given, _DAY, _DATE), time_zone)
        return pc.coalesce(_aware(given), naive, days)
    return _none(given, _MOMENT)


def _in_microseconds(moments: pa.Array) -> pa.Array:
    """Nanoseconds are cut; coarser moments too far away to be held are null."""
    type_ = pa.timestamp("us", moments.type.tz)
    if moments.type.unit == "ns":
        return moments.cast(type_, safe=False)
    return _tried(moments, type_)


def _first_moment(days: pa.Array, time_zone: str) -> pa.Array:
    midnight = pc.assume_timezone(
        days.cast(_WALL), time_zone, ambiguous="earliest", nonexistent="latest"
    )
    return midnight.cast(_MOMENT)


def _naive(texts: pa.Array) -> pa.Array:
    return _parsed(_to_microseconds(texts), _NAIVE, _WALL)


def _aware(texts: pa.Array) -> pa.Array:
    return _parsed(_to_microseconds(texts), _AWARE, _MOMENT)


def _to_microseconds(texts: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(texts, r"(\.\d{6})\d+", r"\1")


_READERS: Mapping[ColumnType, Callable[[pa.Array, str], pa.Array]] = {
    "id": _read_id,
    "text": _read_text,
    "code": _read_text,
    "integer": _read_integer,
    "number": _read_number,
    "share": _read_number,
    "money": _read_number,
    "boolean": _read_boolean,
    "day": _read_day,
    "moment": _read_moment,
}
