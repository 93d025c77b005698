"""May this JSON value stand in that field, and how is it stored?"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from crm_portfolio.simulator._store import StoredValue
from crm_portfolio.simulator.salesforce._ids import to_18
from crm_portfolio.simulator.salesforce._metadata import Catalogue, Field
from crm_portfolio.simulator.salesforce._refusal import Refusal

__all__ = ["stored_value"]

# As the vendor docs write them; Python reads more, such as 1_000 and 2026-W01-1.
_NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(
    _DAY.pattern + r"T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[-+][0-9]{2}:?[0-9]{2})"
)


def stored_value(catalogue: Catalogue, field: Field, raw: Any) -> StoredValue:
    """The value as stored, or the refusal of its row."""
    if isinstance(raw, str) and field.sql_type == "VARCHAR" and not field.is_link:
        # vendor docs: blanks around a text are trimmed, empty text is null.
        raw = raw.strip()
    if raw is None or (raw == "" and field.sql_type == "VARCHAR"):
        if field.is_nillable:
            return None
        if field.type == "boolean":
            raise _mistyped(field, raw)
        message = f"Required fields are missing: [{field.name}]"
        raise Refusal("REQUIRED_FIELD_MISSING", message, fields=(field.name,))
    if field.is_number:
        return _number(field, raw)
    if field.is_link:
        return _reference(catalogue, field, raw)
    return _CONVERTERS.get(field.sql_type, _text)(field, raw)


def _text(field: Field, raw: Any) -> StoredValue:
    if not isinstance(raw, str):
        raise _mistyped(field, raw)
    if (
        field.type == "picklist"
        and field.is_restricted
        and raw not in set(field.values) - field.inactive
    ):
        message = f"bad value for restricted picklist field: {raw}"
        code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
        raise Refusal(code, message, fields=(field.name,))
    if len(raw) > field.length:
        message = f"{field.label}: data value too large: {raw[:60]} (max length={field.length})"
        raise Refusal("STRING_TOO_LONG", message, fields=(field.name,))
    return raw


def _number(field: Field, raw: Any) -> StoredValue:
    # Observed in a recorded session: a number may come as text.
    is_said = isinstance(raw, str) and _NUMBER.fullmatch(raw) is not None
    try:
        number = float(raw) if is_said or isinstance(raw, int | float) else math.nan
    except OverflowError:
        number = math.nan
    if isinstance(raw, bool) or not math.isfinite(number):
        raise _mistyped(field, raw)
    digits = field.length if field.type == "int" else field.precision - field.scale
    if abs(number) >= 10**digits:
        message = f"{field.label}: value outside of valid range on numeric field: {raw}"
        raise Refusal("NUMBER_OUTSIDE_VALID_RANGE", message, fields=(field.name,))
    if field.type != "int":
        return number
    if number != int(number):
        raise _mistyped(field, raw)
    return int(number)


def _boolean(field: Field, raw: Any) -> StoredValue:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.lower() in ("true", "false"):
        return raw.lower() == "true"
    raise _mistyped(field, raw)


def _day(field: Field, raw: Any) -> StoredValue:
    if not isinstance(raw, str) or not _DAY.fullmatch(raw):
        raise _mistyped(field, raw)
    try:
        return date.fromisoformat(raw)
    except ValueError as error:
        raise _mistyped(field, raw) from error


def _moment(field: Field, raw: Any) -> StoredValue:
    if not isinstance(raw, str) or not _MOMENT.fullmatch(raw):
        raise _mistyped(field, raw)
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError as error:
        raise _mistyped(field, raw) from error
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0)


def _reference(catalogue: Catalogue, field: Field, raw: Any) -> StoredValue:
    full = to_18(raw) if isinstance(raw, str) else None
    targets = [catalogue.find(name) for name in field.refers_to]
    # A target that the simulator does not hold may have any prefix.
    may_be = full and (
        None in targets or any(t and full.startswith(t.prefix) for t in targets)
    )
    if full is None or (targets and not may_be):
        message = f"{field.label}: id value of incorrect type: {raw}"
        raise Refusal("MALFORMED_ID", message, fields=(field.name,))
    return full


_CONVERTERS: Final[Mapping[str, Callable[[Field, Any], StoredValue]]] = {
    "VARCHAR": _text,
    "BOOLEAN": _boolean,
    "DATE": _day,
    "TIMESTAMP": _moment,
}


def _mistyped(field: Field, raw: Any) -> Refusal:
    message = f"{field.label}: value not of required type: {str(raw)[:60]}"
    return Refusal("INVALID_TYPE_ON_FIELD_IN_RECORD", message, fields=(field.name,))
