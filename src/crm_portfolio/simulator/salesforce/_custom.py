"""What becomes of columns and tables that Salesforce has no home for?

A column becomes a custom field that everyone sees, a table of the caller's own a custom
object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.errors import SettingsError
from crm_portfolio.simulator.salesforce._ids import LOADED, new_ids
from crm_portfolio.simulator.salesforce._metadata import Field, SObject

__all__ = ["CustomObject", "custom_field_of", "custom_object"]

_LONGEST: Final = 255
_LONG_TEXT: Final = 32_768
_PREFIX_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_OBJECT_NAME: Final = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*__c")


@attrs.frozen(eq=False)
class CustomObject:
    """A custom object and its records.

    Attributes:
        records: Columns named as fields: ``Name``, ``Amount__c``, ``CurrencyIsoCode``.
        lookups: Fields that point at records, and the objects they point at. Their
            values are record ids, or the model's ids of an account, opportunity or owner.
        label: What people call one; None: from the name.
    """

    records: pa.Table
    lookups: Mapping[str, str] = attrs.field(factory=dict)
    label: str | None = None


def custom_field_of(
    column: str, array: pa.Array, choices: tuple[str, ...]
) -> tuple[Field, pa.Array]:
    """The custom field that a model's column becomes, and the column as it holds it."""
    title = [part.capitalize() for part in column.split("_")]
    return _typed_field("_".join(title) + "__c", " ".join(title), array, choices)


def _typed_field(
    name: str, label: str, array: pa.Array, choices: tuple[str, ...] = ()
) -> tuple[Field, pa.Array]:
    if pa.types.is_boolean(array.type) and array.null_count:
        # A checkbox has no null.
        array, choices = array.cast(pa.string()), ("true", "false")
    shape, stored = _shape(array, choices)
    field = Field(name=name, label=label, type="string", is_custom=True)
    return attrs.evolve(field, **shape), stored


def _shape(
    array: pa.Array, choices: tuple[str, ...]
) -> tuple[dict[str, Any], pa.Array]:
    """The type of a custom field that holds the array, and the array as it holds it."""
    kind = array.type
    shape: dict[str, Any]
    if choices:
        shape = {"type": "picklist", "values": choices, "is_restricted": True}
        shape["length"] = _LONGEST
    elif pa.types.is_boolean(kind):
        shape = {"type": "boolean", "is_nillable": False, "is_defaulted": True}
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        scale = 0 if pa.types.is_integer(kind) else 6
        shape = {"type": "double", "precision": 18, "scale": scale}
        array = array.cast(pa.float64())
    elif pa.types.is_date(kind):
        shape = {"type": "date"}
    elif pa.types.is_timestamp(kind):
        shape = {"type": "datetime"}
        utc = array.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
        array = pc.floor_temporal(utc, unit="second")
    else:
        array = array.cast(pa.string())
        longest = pc.max(pc.utf8_length(array)).as_py() or 0
        is_long = longest > _LONGEST
        shape = {"type": "textarea" if is_long else "string"}
        shape["length"] = _LONG_TEXT if is_long else _LONGEST
    return shape, array


def custom_object(
    name: str, given: CustomObject, number: int
) -> tuple[SObject, dict[str, pa.Array], tuple[str, ...]]:
    """The object with its custom fields, its columns, and which of them are lookups."""
    if not _OBJECT_NAME.fullmatch(name):
        raise SettingsError(f"objects: {name!r} is no name of a custom object")
    label = given.label or name.removesuffix("__c").replace("_", " ")
    prefix = "a0" + _PREFIX_LETTERS[number]
    entity = SObject(name, label, f"{label}s", prefix, "cud")
    columns: dict[str, pa.Array] = {
        "Id": new_ids(prefix, LOADED, first=1, count=given.records.num_rows)
    }
    for field_name in given.records.column_names:
        array = given.records[field_name].combine_chunks()
        shown = field_name.removesuffix("__c").replace("_", " ")
        if field_name in given.lookups:
            field = _lookup(field_name, shown, given.lookups[field_name], name)
            columns[field_name] = array.cast(pa.string())
        else:
            field, columns[field_name] = _typed_field(field_name, shown, array)
        is_own = field_name.endswith("__c")
        entity.fields[field_name] = attrs.evolve(
            field, is_custom=is_own, is_name=field_name == "Name"
        )
    return entity, columns, tuple(given.lookups)


def _lookup(name: str, label: str, target: str, of: str) -> Field:
    return Field(
        name=name,
        label=label,
        type="reference",
        length=18,
        refers_to=(target,),
        relationship=name.removesuffix("__c") + "__r",
        children=of.removesuffix("__c") + "s__r",
        is_custom=True,
    )
