"""When are two values of a managed field the same, and did we write them?

A CRM gives a value back in its own spelling: a number at its field's scale, text without
trailing blanks, an empty text for nothing. Plans, stamps and journals hold the canonical
form only, so that what we wrote compares equal to what we read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Final

from crm_portfolio import schema
from crm_portfolio._storage import canonical_json, digest
from crm_portfolio.errors import SettingsError, did_you_mean

__all__ = [
    "FIELDS",
    "OPT_IN",
    "PIN",
    "STAMP",
    "VALUES",
    "canonical",
    "is_own",
    "run_of",
    "stamp",
]

Value = str | int | float | date | None

# By column: each but the stamp, which is the same everywhere, is of one table.
FIELDS: Final[Mapping[str, schema.ManagedField]] = {
    field.column: field
    for fields in (*schema.MANAGED.values(), *schema.HUMAN.values())
    for field in fields
}
STAMP: Final = "portfolio_stamp"
VALUES: Final[Mapping[schema.WritableTable, tuple[str, ...]]] = {
    table: tuple(field.column for field in fields if field.column != STAMP)
    for table, fields in schema.MANAGED.items()
}
PIN: Final[Mapping[schema.WritableTable, tuple[str, ...]]] = {
    table: tuple(field.column for field in fields)
    for table, fields in schema.HUMAN.items()
}
# Written where the settings ask for it; an org may lack them.
OPT_IN: Final = frozenset(column for column in FIELDS if FIELDS[column].opt_in)

_HASH_LENGTH: Final = 16
_STAMP: Final = re.compile(r"v1:(?P<run>[0-9a-z-]+):(?P<hash>[0-9a-f]{16})")


def canonical(column: str, value: object) -> Value:
    """The value in the one form in which two spellings of it are equal.

    Raises:
        ValueError: The value is none this field can hold.

    Example:
        >>> canonical("revenue_share", 0.12345678), canonical("tier", "A  ")
        (0.123457, 'A')
    """
    field = FIELDS.get(column)
    if field is None:
        raise SettingsError(
            f"{column!r} is no managed field{did_you_mean(column, FIELDS)}"
        )
    if isinstance(value, str):
        value = value.rstrip() or None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return _FORMS[field.type](value, field)


def stamp(run_id: str, values: Mapping[str, object]) -> str:
    """The mark that says: these managed values are ours, of this run.

    It covers the values that are not null, by name, so that a field added by a later
    version leaves old stamps valid. The stamp itself and other columns are passed over:
    what stands in another table has another name.
    """
    return f"v1:{run_id}:{_hash(values)}"


def is_own(mark: str | None, values: Mapping[str, object]) -> bool:
    """Whether the stamp still fits the values: nobody has edited them since our run."""
    found = _STAMP.fullmatch(mark or "")
    return found is not None and found["hash"] == _hash(values)


def run_of(mark: str | None) -> str | None:
    """The run that made a stamp; None for what is no stamp of ours."""
    found = _STAMP.fullmatch(mark or "")
    return found["run"] if found else None


def _hash(values: Mapping[str, object]) -> str:
    ours = (column for columns in VALUES.values() for column in columns)
    held = {column: canonical(column, values.get(column)) for column in ours}
    known = {column: value for column, value in held.items() if value is not None}
    return digest(canonical_json(known))[:_HASH_LENGTH]


def _day(value: object, _: schema.ManagedField) -> date:
    # A day may come back as the moment at which it begins.
    return datetime.fromisoformat(str(value)).date()


def _integer(value: object, _: schema.ManagedField) -> int:
    if type(value) is int:
        return value
    number = float(str(value))
    if not number.is_integer():
        raise ValueError(f"{value} is not a whole number")
    return int(number)


def _share(value: object, field: schema.ManagedField) -> float:
    number = value if type(value) is float else float(str(value))
    if not math.isfinite(number):
        raise ValueError(f"{value} is not a finite number")
    return round(number, field.scale) + 0.0  # never -0.0, which reads back as 0


def _text(value: object, field: schema.ManagedField) -> str | None:
    text, most = str(value), field.max_length
    return (text[:most].rstrip() or None) if most else text


def _code(value: object, _: schema.ManagedField) -> str:
    return str(value)  # one that is too long is not another code: the CRM refuses it


_FORMS: Final[Mapping[str, Callable[[object, schema.ManagedField], Value]]] = {
    "day": _day,
    "integer": _integer,
    "share": _share,
    "text": _text,
    "code": _code,
}
