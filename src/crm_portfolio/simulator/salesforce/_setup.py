"""How does a custom field come into the org?

``POST tooling/sobjects/CustomField``. vendor docs: the new field is invisible, to its
maker too, until field permissions show it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from crm_portfolio.simulator.salesforce._metadata import Field, SObject
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._refusal import Refusal, not_imitated

__all__ = ["create_custom_field", "custom_field"]

Maker = Callable[[dict[str, Any], Mapping[str, Any]], Field]

_NAME: Final = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*__c")
_MAX_NAME: Final = 43  # 40 characters and __c
_MAX_LABEL: Final = 40
_MAX_DIGITS: Final = 18
_MAX_TEXT: Final = 255
_MAX_LONG_TEXT: Final = 131_072


def create_custom_field(org: Org, body: Mapping[str, Any]) -> str:
    """The id of the new field."""
    right = "Customize Application"
    org.access.demand(right, org.assumptions.refused_right_code)
    unknown = set(body) - {"FullName", "Metadata"}
    if unknown:
        name = sorted(unknown)[0]
        message = f"No such column '{name}' on sobject of type CustomField"
        raise Refusal("INVALID_FIELD", message)
    object_name, _, name = str(body.get("FullName", "")).partition(".")
    entity = org.catalogue.find(object_name)
    if entity is None or not name:
        message = "Required fields are missing: [FullName]"
        raise Refusal("REQUIRED_FIELD_MISSING", message, fields=("FullName",))
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        message = f"The field name provided, {name}, is not valid"
        raise Refusal("INVALID_FIELD_NAME", message)  # unverified: the code
    if name.lower() in (known.lower() for known in entity.fields):
        developer_name = name.removesuffix("__c")
        message = f"There is already a field named {developer_name} on {entity.name}."
        raise Refusal(
            org.assumptions.duplicate_field_code, message, fields=("DeveloperName",)
        )
    field = custom_field(name, body.get("Metadata") or {})
    _must_be_trackable(org, entity, field)
    org.clock.advance()
    org.add_field(entity, field)
    return org.new_id("00N")


def _must_be_trackable(org: Org, entity: SObject, field: Field) -> None:
    """Vendor docs: the history of an object is of twenty fields. unverified: the code."""
    if not field.is_tracked:
        return
    tracked = sum(known.is_tracked for known in entity.fields.values())
    if tracked >= org.assumptions.tracked_fields_max:
        message = "You have reached the maximum number of fields to track"
        raise Refusal(org.assumptions.untrackable_code, message)


def custom_field(name: str, metadata: Mapping[str, Any]) -> Field:
    """The field that the metadata of the Tooling API describe, not yet granted."""
    label = metadata.get("label")
    if not isinstance(label, str) or not 0 < len(label) <= _MAX_LABEL:
        raise _wrong("label", f"a label of 1 to {_MAX_LABEL} characters is required")
    kind = str(metadata.get("type", ""))
    if kind not in _MAKERS:
        raise not_imitated(f"a custom field of the type {kind or 'nothing'}")
    if metadata.get("required"):
        raise not_imitated("required custom fields")
    common: dict[str, Any] = {
        "name": name,
        "label": label,
        "is_custom": True,
        "needs_grant": True,
        "is_external_id": bool(metadata.get("externalId")),
        "is_unique": bool(metadata.get("unique")),
        "is_tracked": bool(metadata.get("trackHistory")),
    }
    if metadata.get("formula"):
        # vendor docs: what is calculated cannot be written.
        common |= {"is_calculated": True}
        common |= {"is_createable": False, "is_updateable": False}
    return _MAKERS[kind](common, metadata)


def _text(common: dict[str, Any], given: Mapping[str, Any]) -> Field:
    length = given.get("length")
    if not isinstance(length, int) or not 0 < length <= _MAX_TEXT:
        raise _wrong("length", f"a length of 1 to {_MAX_TEXT} is required")
    return Field(type="string", length=length, **common)


def _number(common: dict[str, Any], given: Mapping[str, Any]) -> Field:
    precision, scale = given.get("precision"), given.get("scale")
    if not isinstance(precision, int) or not isinstance(scale, int):
        raise _wrong("precision", "precision and scale are required")
    if not 0 <= scale <= precision <= _MAX_DIGITS:
        raise _wrong(
            "precision", f"precision is at most {_MAX_DIGITS}, scale within it"
        )
    kinds = {"Percent": "percent", "Currency": "currency"}
    kind = kinds.get(str(given["type"]), "double")
    return Field(type=kind, precision=precision, scale=scale, **common)  # type: ignore[arg-type]


def _picklist(common: dict[str, Any], given: Mapping[str, Any]) -> Field:
    values = given.get("valueSet") or {}
    listed = (values.get("valueSetDefinition") or {}).get("value") or []
    names = tuple(str(value.get("valueName", "")) for value in listed)
    if not names or "" in names or len(set(names)) != len(names):
        raise _wrong("valueSet", "a picklist needs values, each with its own valueName")
    return Field(
        type="picklist",
        length=_MAX_TEXT,
        values=names,
        inactive=frozenset(
            str(value["valueName"])
            for value in listed
            if value.get("isActive") is False
        ),
        is_restricted=bool(values.get("restricted")),
        **common,
    )


def _checkbox(common: dict[str, Any], given: Mapping[str, Any]) -> Field:
    if "defaultValue" not in given:
        raise _wrong("defaultValue", "a checkbox needs a default value")
    return Field(type="boolean", is_nillable=False, is_defaulted=True, **common)


def _long_text(common: dict[str, Any], given: Mapping[str, Any]) -> Field:
    length = given.get("length", _MAX_TEXT)
    if not isinstance(length, int) or not 0 < length <= _MAX_LONG_TEXT:
        raise _wrong("length", f"a length of at most {_MAX_LONG_TEXT} is required")
    return Field(type="textarea", length=length, **common)


def _plain(kind: str, length: int = 0) -> Maker:
    def make(common: dict[str, Any], _given: Mapping[str, Any]) -> Field:
        return Field(type=kind, length=length, **common)  # type: ignore[arg-type]

    return make


def _lookup(common: dict[str, Any], given: Mapping[str, Any]) -> Field:
    target, relationship = given.get("referenceTo"), given.get("relationshipName")
    if not target or not relationship:
        raise _wrong("referenceTo", "referenceTo and relationshipName are required")
    name = str(common["name"]).removesuffix("__c") + "__r"
    return Field(
        type="reference",
        length=18,
        refers_to=(str(target),),
        relationship=name,
        **common,
    )


_MAKERS: Final[Mapping[str, Maker]] = {
    "Text": _text,
    "Number": _number,
    "Percent": _number,
    "Currency": _number,
    "Picklist": _picklist,
    "Checkbox": _checkbox,
    "Date": _plain("date"),
    "DateTime": _plain("datetime"),
    "Lookup": _lookup,
    "TextArea": _long_text,
    "LongTextArea": _long_text,
    "Url": _plain("url", _MAX_TEXT),
    "Email": _plain("email", 80),
    "Phone": _plain("phone", 40),
}


def _wrong(part: str, message: str) -> Refusal:
    return Refusal("FIELD_INTEGRITY_EXCEPTION", message, fields=(part,))
