"""May this row be written, and what does it say?

Each rule refuses with the service's code. The running user is held to rights and field
permissions; a person at a desk (another user) sees every field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from crm_portfolio.simulator._store import StoredValue, quoted
from crm_portfolio.simulator.salesforce._ids import to_18
from crm_portfolio.simulator.salesforce._metadata import Field, SObject
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._refusal import Refusal
from crm_portfolio.simulator.salesforce._values import stored_value

__all__ = [
    "Record",
    "Row",
    "checked",
    "existing_id",
    "must_be_allowed",
    "must_be_complete",
    "must_be_unique",
    "must_pass",
    "states",
]

Record = Mapping[str, StoredValue]

_UNIQUE: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    # unverified: both codes
    "PermissionSet": (("Name",), "DUPLICATE_DEVELOPER_NAME"),
    "FieldPermissions": (("ParentId", "Field"), "DUPLICATE_VALUE"),
    "PermissionSetAssignment": (("PermissionSetId", "AssigneeId"), "DUPLICATE_VALUE"),
}
_ADMINISTRATIVE: Final = {
    "PermissionSet": "Manage Profiles and Permission Sets",
    "FieldPermissions": "Manage Profiles and Permission Sets",
    "PermissionSetAssignment": "Assign Permission Sets",
}
_UNSEEN: Final = (
    "Unable to create/update fields: {name}. Please check the security settings of this "
    "field and verify that it is read/write for your profile or permission set."
)
_HELD: Final = (
    "UNABLE_TO_LOCK_ROW: unable to obtain exclusive access to this record or 1 records"
)


@attrs.frozen
class Row:
    """One record to write: its object, its id if it has one, its fields by any case."""

    entity: SObject
    record_id: str | None
    values: Mapping[str, Any]


def states(org: Org, rows: Sequence[Row]) -> dict[str, bool]:
    """Which of the rows' records there are, and whether they are deleted."""
    by_object: dict[str, list[str]] = {}
    for row in rows:
        full = to_18(row.record_id or "")
        if full:
            by_object.setdefault(row.entity.name, []).append(full)
    return {
        record_id: is_deleted
        for name, ids in by_object.items()
        for record_id, is_deleted in org.exist(org.catalogue.object(name), ids).items()
    }


def existing_id(row: Row, known: Mapping[str, bool]) -> str:
    """The full id of the row's record."""
    if row.record_id is None:
        raise Refusal("MISSING_ARGUMENT", "Id not specified in an update call")
    full = to_18(row.record_id)
    if full is None:
        raise Refusal("MALFORMED_ID", f"malformed id {row.record_id}", fields=("Id",))
    if not full.startswith(row.entity.prefix):
        message = f"{row.entity.label} ID: id value of incorrect type: {row.record_id}"
        raise Refusal("MALFORMED_ID", message, fields=("Id",))
    if full not in known:
        # Recorded: an update of an id of another org.
        raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    if known[full]:
        raise Refusal("ENTITY_IS_DELETED", "entity is deleted")
    return full


def must_be_allowed(org: Org, entity: SObject, verb: str, *, by: str) -> None:
    """Refuse without the right: ``Create``, ``Edit`` or ``Delete``."""
    if by != org.user_id:
        return
    if entity.name in _ADMINISTRATIVE:
        right = _ADMINISTRATIVE[entity.name]
        org.access.demand(right, org.assumptions.refused_right_code)
    if not org.access.may(f"{verb} {entity.name}"):
        code = "INSUFFICIENT_ACCESS_OR_READONLY"
        raise Refusal(code, "insufficient access rights on object id")


def checked(org: Org, row: Row, *, by: str, is_new: bool) -> dict[str, StoredValue]:
    """The row's values as they would be stored."""
    must_be_allowed(org, row.entity, "Create" if is_new else "Edit", by=by)
    values: dict[str, StoredValue] = {}
    for name, raw in row.values.items():
        field = _writable(org, row.entity, name, by=by, is_new=is_new)
        value = stored_value(org.catalogue, field, raw)
        if field.is_number and field.scale < 15 and isinstance(value, float):
            value = _scaled(org, field, value)
        _must_refer(org, field, value)
        values[field.name] = value
    if row.entity.name == "FieldPermissions":
        _must_be_grantable(org, {**_current(org, row), **values})
    return values


def _scaled(org: Org, field: Field, value: float) -> float:
    # unverified: whether decimals beyond the field's scale are kept or rounded half up.
    if org.assumptions.decimals == "kept" or field.type == "int":
        return value
    from decimal import ROUND_HALF_UP, Decimal

    exact = Decimal(repr(value))
    return float(exact.quantize(Decimal(1).scaleb(-field.scale), ROUND_HALF_UP))


def _current(org: Org, row: Row) -> Record:
    full = to_18(row.record_id or "")
    found = org.store.records(row.entity.name, '"Id" = ?', [full]) if full else []
    return found[0] if found else {}


def _writable(org: Org, entity: SObject, name: str, *, by: str, is_new: bool) -> Field:
    is_person = by != org.user_id
    seen = (
        {field.name.lower(): field for field in entity.fields.values()}
        if is_person
        else (org.access.fields(entity.name) or {})
    )
    field = seen.get(name.lower())
    if field is None:
        # A hidden field cannot be told from a missing one.
        message = f"No such column '{name}' on sobject of type {entity.name}"
        raise Refusal("INVALID_FIELD", message, fields=(name,))
    is_open = field.is_createable if is_new else field.is_updateable
    if not is_open or not (is_person or org.access.may_edit(entity, field)):
        message = _UNSEEN.format(name=field.name)
        code = "INVALID_FIELD_FOR_INSERT_UPDATE"
        raise Refusal(code, message, fields=(field.name,))
    return field


def _must_refer(org: Org, field: Field, value: StoredValue) -> None:
    if value is None or not field.refers_to:
        return
    target = org.catalogue.by_prefix(str(value))
    if target is None:
        return
    if org.exist(target, [str(value)]).get(str(value), True):
        message = "invalid cross reference id"
        raise Refusal("INVALID_CROSS_REFERENCE_KEY", message, fields=(field.name,))


def _must_be_grantable(org: Org, values: Record) -> None:
    entity = org.catalogue.find(str(values.get("SobjectType", "")))
    named = str(values.get("Field", ""))
    name = named.partition(".")[2]
    if entity is None or named != f"{entity.name}.{name}" or name not in entity.fields:
        code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
        message = f"bad value for restricted picklist field: {named}"
        raise Refusal(code, message, fields=("Field",))
    if values.get("PermissionsEdit") and entity.fields[name].is_calculated:
        message = "Field Permissions: a calculated field cannot be edited"
        raise Refusal("FIELD_INTEGRITY_EXCEPTION", message, fields=("PermissionsEdit",))
    if values.get("PermissionsEdit") and not values.get("PermissionsRead"):
        # vendor docs: edit implies read; the code is unverified.
        message = "Field Permissions: to edit a field, it must be readable"
        raise Refusal("FIELD_INTEGRITY_EXCEPTION", message, fields=("PermissionsEdit",))


def must_be_complete(entity: SObject, values: Record) -> None:
    """Refuse a new record that lacks what it must say."""
    is_person = "IsPersonAccount" in entity.fields
    missing = [
        field.name
        for field in entity.fields.values()
        if field.is_createable
        and not field.is_nillable
        and not field.is_defaulted
        and values.get(field.name) is None
        and not (field.name == "Name" and values.get("LastName") and is_person)
    ]
    if missing:
        message = f"Required fields are missing: [{', '.join(missing)}]"
        raise Refusal("REQUIRED_FIELD_MISSING", message, fields=tuple(missing))


def must_be_unique(org: Org, entity: SObject, record_id: str, values: Record) -> None:
    """Refuse a value that another record has where only one may."""
    keys: list[tuple[tuple[str, ...], str]] = [
        ((f.name,), "DUPLICATE_VALUE") for f in entity.fields.values() if f.is_unique
    ]
    if entity.name in _UNIQUE:
        keys.append(_UNIQUE[entity.name])
    for key, code in keys:
        if all(values.get(name) is not None for name in key):
            same = _alike(org, entity, record_id, key, values)
            if same:
                message = (
                    f"duplicate value found: {', '.join(key)} duplicates value on record "
                    f"with id: {same}"
                )
                raise Refusal(code, message, fields=key)


def must_pass(
    org: Org, entity: SObject, record_id: str, record: Record, *, saves_duplicates: bool
) -> None:
    """Refuse what a trigger, a validation rule or a duplicate rule of the org refuses.

    Args:
        record: The record as it would be.
    """
    if org.rules.troubled.get(record_id, 0) > 0:
        org.rules.troubled[record_id] -= 1
        message = f"a trigger caused an unexpected exception: {_HELD}"
        raise Refusal("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)
    for rule in org.rules.validation.get(entity.name, ()):
        if rule.refuses(record):
            named = (rule.field,) if rule.field else ()
            code = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
            raise Refusal(code, rule.message, fields=named)
    for guard in org.rules.duplicates.get(entity.name, ()):
        passes = guard.only_alerts and saves_duplicates
        is_said = all(record.get(name) is not None for name in guard.fields)
        if (
            is_said
            and not passes
            and _alike(org, entity, record_id, guard.fields, record)
        ):
            message = "Use one of these records?"
            raise Refusal("DUPLICATES_DETECTED", message)


def _alike(
    org: Org, entity: SObject, record_id: str, key: Sequence[str], values: Record
) -> str:
    """The id of another record that says the same."""
    alive = ' AND NOT "IsDeleted"' if entity.has_deleted else ""
    where = " AND ".join(f"{quoted(name)} = ?" for name in key)
    same = org.store.records(
        entity.name,
        f'{where} AND "Id" <> ?{alive}',
        [*(values[name] for name in key), record_id],
    )
    return str(same[0]["Id"]) if same else ""
