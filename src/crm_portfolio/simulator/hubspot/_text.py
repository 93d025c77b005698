"""What text does a column of values become in HubSpot?

The column-wise twin of ``_values``: for loading, where no value is refused.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["exact_text", "midnights", "moments_text", "numbers_text", "texts"]

_MOMENT: Final = pa.timestamp("us", "UTC")


def texts(array: pa.Array) -> pa.Array:
    """Values of any type as the property they fit holds them; empty text is null."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return texts(array.dictionary_decode())
    if pa.types.is_timestamp(kind):
        return moments_text(array)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return numbers_text(array)
    said = array.cast(pa.string())
    return pc.if_else(pc.equal(said, ""), pa.scalar(None, pa.string()), said)


def numbers_text(array: pa.Array) -> pa.Array:
    """Plain decimals, the shortest that mean the same number."""
    if pa.types.is_integer(array.type):
        return array.cast(pa.string())
    sane = pc.if_else(pc.is_finite(array), array, pa.scalar(None, array.type))
    said = sane.cast(pa.string())
    odd = pc.match_substring(said, "e")
    if pc.any(odd).as_py():
        plain = [_plain(number) for number in sane.filter(odd).to_pylist()]
        said = pc.replace_with_mask(
            said, pc.fill_null(odd, fill_value=False), pa.array(plain, pa.string())
        )
    return pc.if_else(pc.equal(said, "-0"), "0", said)


def moments_text(array: pa.Array) -> pa.Array:
    """recorded: ISO in UTC, with milliseconds only where there are some."""
    utc = array.cast(_MOMENT).cast(pa.timestamp("us"))
    said = pc.floor_temporal(utc, unit="millisecond").cast(pa.timestamp("ms"))
    text = pc.binary_join_element_wise(said.cast(pa.string()), "Z", "")
    text = pc.replace_substring(text, " ", "T", max_replacements=1)
    return pc.replace_substring(text, ".000Z", "Z")


def midnights(days: pa.Array, time_zone: str) -> pa.Array:
    """The instants at which days begin in a zone."""
    return pc.assume_timezone(
        days.cast(pa.timestamp("us")),
        time_zone,
        ambiguous="earliest",
        nonexistent="latest",
    ).cast(_MOMENT)


def exact_text(number: float) -> str:
    """recorded: a stage's 0.4 as "0.40000000000000002220446049250313080847263336181640625"."""
    said = format(Decimal(number), "f")
    return said.rstrip("0").rstrip(".") if "." in said else said


def _plain(number: float) -> str:
    return format(Decimal(repr(number)).normalize(), "f")
