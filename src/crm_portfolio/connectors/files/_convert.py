"""By which named converter does a column of cells become values?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors import _mapping
from crm_portfolio.connectors.files._dates import days, moments
from crm_portfolio.connectors.files._numbers import numbers
from crm_portfolio.connectors.files._reading import (
    Conventions,
    Reading,
    blank_as_null,
    plain,
    tidied,
)

__all__ = ["CONVERTERS", "Converter", "longer_ids"]

Converter: TypeAlias = Callable[[pa.Array, Conventions], Reading]

_TRUE: Final = ("true", "vrai", "yes", "oui", "1", "checked", "coché", "x")
_FALSE: Final = ("false", "faux", "no", "non", "0", "unchecked", "non coché")
_REWRITTEN: Final = r"^[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]+$"
_CHECK_CHARACTERS: Final = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", np.uint8)
_NOTHING: Final = pa.scalar(None, pa.string())


def longer_ids(ids: pa.Array) -> pa.Array:
    """Ids of 15 characters, told apart by case, as the 18 that need no case.

    Each five characters give a number, one bit for each capital, the first the lowest;
    it picks the check character. Anything but 15 letters and digits stays as it is.
    """
    is_short = pc.match_substring_regex(ids, "^[A-Za-z0-9]{15}$").fill_null(
        fill_value=False
    )
    short = ids.filter(is_short)
    if not len(short):
        return ids
    characters = np.array(short.to_numpy(zero_copy_only=False), dtype="S15")
    codes = characters.view(np.uint8).reshape(-1, 3, 5)
    is_capital = (codes >= ord("A")) & (codes <= ord("Z"))
    picked = _CHECK_CHARACTERS[(is_capital * (1 << np.arange(5))).sum(axis=2)]
    whole = np.concatenate([codes.reshape(-1, 15), picked], axis=1)
    longer = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(18), len(short), [None, pa.py_buffer(np.ascontiguousarray(whole))]
    )
    return pc.replace_with_mask(
        ids, is_short, longer.cast(pa.binary()).cast(pa.string())
    )


def _text(cells: pa.Array, _conventions: Conventions) -> Reading:
    return plain(cells)


def _code(cells: pa.Array, _conventions: Conventions) -> Reading:
    return plain(pc.utf8_trim_whitespace(blank_as_null(cells)))


def _id(cells: pa.Array, conventions: Conventions) -> Reading:
    trimmed = pc.utf8_trim_whitespace(blank_as_null(cells))
    if conventions.is_canonical:
        return plain(trimmed)
    # A spreadsheet has turned a long number into 1.23E+11: the last digits are gone.
    lost = pc.match_substring_regex(trimmed, _REWRITTEN).fill_null(fill_value=False)
    hint = "export again: a spreadsheet has rewritten this id"
    return Reading(pc.if_else(lost, _NOTHING, trimmed), lost, hint=hint)


def _salesforce_id(cells: pa.Array, conventions: Conventions) -> Reading:
    read = _id(cells, conventions)
    return Reading(longer_ids(read.values), read.unread, hint=read.hint)


def _boolean(cells: pa.Array, conventions: Conventions) -> Reading:
    said = pc.utf8_lower(tidied(blank_as_null(cells)))
    if conventions.is_canonical and not _is_foreign(said):
        return plain(said)
    values = pc.if_else(
        pc.is_in(said, pa.array(_TRUE)),
        pa.scalar(value=True),
        pc.if_else(
            pc.is_in(said, pa.array(_FALSE)),
            pa.scalar(value=False),
            pa.scalar(None, pa.bool_()),
        ),
    )
    unread = pc.and_(said.is_valid(), values.is_null())
    return Reading(values, unread, hint="write true or false")


def _is_foreign(said: pa.Array) -> bool:
    """Whether a cell says yes or no in other words than the model's."""
    words = pa.array(
        [word for word in (*_TRUE, *_FALSE) if word not in ("true", "false")]
    )
    return bool(pc.any(pc.is_in(said, words)).as_py())


def _host(cells: pa.Array, conventions: Conventions) -> Reading:
    return plain(
        _mapping.CONVERTERS["host"]((blank_as_null(cells),), conventions.time_zone)
    )


# The names of the column types, and a few more that headers.toml asks for.
CONVERTERS: Final[Mapping[str, Converter]] = {
    "id": _id,
    "text": _text,
    "code": _code,
    "integer": partial(numbers, is_whole=True),
    "number": partial(numbers, percent="never"),
    "share": partial(numbers, percent="signed"),
    "money": partial(numbers, is_money=True),
    "boolean": _boolean,
    "day": days,
    "moment": moments,
    "percent": partial(numbers, percent="always"),
    "host": _host,
    "salesforce_id": _salesforce_id,
}
