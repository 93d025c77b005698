"""How do a replica's columns become what the CRM's own mapping takes?

Loaders and warehouses have types of their own: an id is a number, a day is midnight, a
flag is text. Each field is brought to the one form in which its CRM tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors._mapping import empty_as_null, moments
from crm_portfolio.connectors.hubspot._fields import Once
from crm_portfolio.connectors.warehouse._vendors import KINDS, Kind
from crm_portfolio.errors import SettingsError

if TYPE_CHECKING:
    from crm_portfolio.connectors.warehouse._parts import Part

__all__ = ["ids", "kinds_of", "typed"]

_UTC: Final = pa.timestamp("us", "UTC")
# What a named converter takes; one of numbers takes them as they come.
_TAKEN: Final[Mapping[str, Kind]] = {
    "id": "id",
    "text": "text",
    "code": "text",
    "host": "text",
    "day": "day",
    "moment": "moment",
    "boolean": "boolean",
}


def kinds_of(part: Part, vendor: str) -> dict[str, Kind]:
    """What each field of a part holds."""
    known: dict[str, Kind] = {}
    for field in part.fields:
        convert = (
            field.convert.first if isinstance(field.convert, Once) else field.convert
        )
        taken = _TAKEN.get(convert, "any") if isinstance(convert, str) else "text"
        for source in field.sources:
            known[source] = (
                "id" if source[0] == "$" else KINDS[vendor].get(source, taken)
            )
    return known


def typed(array: pa.Array, kind: Kind, where: str) -> pa.Array:
    """The values in the form of their kind.

    Raises:
        SettingsError: They are of another; no value is shown.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = array.cast(pa.string())
    try:
        return _FORMS[kind](array)
    except pa.ArrowException:
        raise SettingsError(
            f"{where}: what the replica holds as {array.type} is no {kind}"
        ) from None


def ids(array: pa.Array) -> pa.Array:
    """Ids as text, whatever kind of number the loader made of them."""
    if pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
        array = array.cast(pa.int64())
    return _texts(array)


def _texts(array: pa.Array) -> pa.Array:
    return empty_as_null(array.cast(pa.string()))


def _days(array: pa.Array) -> pa.Array:
    """Days, which some loaders hold as midnight UTC."""
    if not pa.types.is_string(array.type):
        return array.cast(pa.date32())
    said = _texts(pc.utf8_trim_whitespace(array))
    return pc.utf8_slice_codeunits(said, 0, 10).cast(pa.date32())


def _moments(array: pa.Array) -> pa.Array:
    """Moments; one without a zone is one of UTC."""
    if pa.types.is_timestamp(array.type):
        return array.cast(pa.timestamp("us", array.type.tz)).cast(_UTC)
    if pa.types.is_string(array.type):
        said = _texts(pc.utf8_trim_whitespace(array))
        # Behind the day, for what ends in "+05:30" has a zone.
        is_bare = pc.match_substring_regex(said, r"[T ]\d\d:\d\d(:\d\d(\.\d+)?)?$")
        return moments(
            pc.if_else(is_bare, pc.binary_join_element_wise(said, "Z", ""), said)
        )
    return array.cast(_UTC)


def _flags(array: pa.Array) -> pa.Array:
    if pa.types.is_string(array.type):
        return pc.utf8_lower(_texts(pc.utf8_trim_whitespace(array))).cast(pa.bool_())
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.int64())
    return array.cast(pa.bool_())


def _numbers(array: pa.Array) -> pa.Array:
    if pa.types.is_string(array.type):
        array = _texts(pc.utf8_trim_whitespace(array))
    return array.cast(pa.float64())


def _as_it_is(array: pa.Array) -> pa.Array:
    return array.cast(pa.float64()) if pa.types.is_decimal(array.type) else array


_FORMS: Final[Mapping[Kind, Callable[[pa.Array], pa.Array]]] = {
    "id": ids,
    "text": _texts,
    "day": _days,
    "moment": _moments,
    "boolean": _flags,
    "number": _numbers,
    "any": _as_it_is,
}
