"""What happens to the records that someone creates, changes or deletes?

Each row is judged by itself; a collection answers 200 and says per row what came of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from crm_portfolio.simulator._store import StoredValue
from crm_portfolio.simulator.salesforce._ids import to_18
from crm_portfolio.simulator.salesforce._metadata import Field, SObject
from crm_portfolio.simulator.salesforce._org import PERMISSION_OBJECTS, Org
from crm_portfolio.simulator.salesforce._refusal import Refusal
from crm_portfolio.simulator.salesforce._values import stored_value

__all__ = ["Row", "create", "delete", "update"]

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
_FROM_STAGE: Final = """
    SELECT "IsClosed", "IsWon", "ForecastCategory", "ForecastCategoryName",
           "DefaultProbability"
    FROM "OpportunityStage" WHERE "MasterLabel" = ?
"""
_UNSEEN: Final = (
    "Unable to create/update fields: {name}. Please check the security settings of this "
    "field and verify that it is read/write for your profile or permission set."
)
_READING: Final = ("INVALID_FIELD", "INVALID_TYPE_ON_FIELD_IN_RECORD")


@attrs.frozen
class Row:
    """One record to write: its object, its id if it has one, its fields by any case."""

    entity: SObject
    record_id: str | None
    values: Mapping[str, Any]


def update(
    org: Org, rows: Sequence[Row], *, by: str, all_or_none: bool = False
) -> list[Refusal | str]:
    """For each row its id, or why it was refused. A person (``by``) sees all fields."""
    states = _states(org, rows)
    results: list[Refusal | str] = []
    accepted: dict[tuple[str, str], dict[str, StoredValue]] = {}
    for row in rows:
        try:
            record_id = _existing(row, states)
            values = _checked(org, row, by=by, is_new=False)
        except Refusal as refusal:
            results.append(_as_answered(org, refusal))
            continue
        results.append(record_id)
        # A record that comes twice: the later row wins (unverified).
        merged = accepted.setdefault((row.entity.name, record_id), {"Id": record_id})
        merged.update(values)
    if all_or_none and any(isinstance(result, Refusal) for result in results):
        return [_rolled_back(result) for result in results]
    org.clock.advance()
    for name in dict.fromkeys(name for name, _ in accepted):
        entity = org.catalogue.object(name)
        marks = org.changed(entity, by)
        group = [{**v, **marks} for (of, _), v in accepted.items() if of == name]
        org.store.update(name, group)
    _look_again(org, rows)
    return results


def create(
    org: Org, rows: Sequence[Row], *, by: str, all_or_none: bool = False
) -> list[Refusal | str]:
    """For each row its new id, or why it was refused."""
    org.clock.advance()
    results: list[Refusal | str] = []
    made: list[tuple[SObject, dict[str, StoredValue]]] = []
    for row in rows:
        try:
            record = _new_record(org, row, by=by)
        except Refusal as refusal:
            results.append(_as_answered(org, refusal))
            continue
        results.append(str(record["Id"]))
        made.append((row.entity, record))
    if all_or_none and any(isinstance(result, Refusal) for result in results):
        return [_rolled_back(result) for result in results]
    for entity, record in made:
        org.store.insert_records(entity.name, [record])
    _look_again(org, rows)
    return results


def delete(org: Org, entity: SObject, record_id: str, *, by: str) -> None:
    """Into the recycle bin; an account takes its opportunities along."""
    org.clock.advance()
    marks = {**org.changed(entity, by), "IsDeleted": True}
    org.store.update(entity.name, [{"Id": record_id, **marks}])
    if entity.name == "Account":
        # Recorded describe of Account: its child Opportunity.AccountId has cascadeDelete.
        mine = '"AccountId" = ? AND NOT "IsDeleted"'
        for child in org.store.records("Opportunity", mine, [record_id]):
            delete(org, org.catalogue.object("Opportunity"), str(child["Id"]), by=by)


def _states(org: Org, rows: Sequence[Row]) -> dict[str, bool]:
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


def _existing(row: Row, states: Mapping[str, bool]) -> str:
    if row.record_id is None:
        raise Refusal("MISSING_ARGUMENT", "Id not specified in an update call")
    full = to_18(row.record_id)
    if full is None:
        raise Refusal("MALFORMED_ID", f"malformed id {row.record_id}", fields=("Id",))
    if not full.startswith(row.entity.prefix):
        message = f"{row.entity.label} ID: id value of incorrect type: {row.record_id}"
        raise Refusal("MALFORMED_ID", message, fields=("Id",))
    if full not in states:
        # Recorded: an update of an id of another org.
        raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    if states[full]:
        raise Refusal("ENTITY_IS_DELETED", "entity is deleted")
    return full


def _checked(org: Org, row: Row, *, by: str, is_new: bool) -> dict[str, StoredValue]:
    entity = row.entity
    if by == org.user_id:
        _must_have_the_right(org, entity, is_new=is_new)
    values: dict[str, StoredValue] = {}
    for name, raw in row.values.items():
        field = _writable(org, entity, name, by=by, is_new=is_new)
        value = stored_value(org.catalogue, field, raw)
        _must_refer(org, field, value)
        values[field.name] = value
    if entity.name == "Opportunity" and "StageName" in values:
        values = {**_of_stage(org, str(values["StageName"])), **values}
    if entity.name == "FieldPermissions":
        _must_be_grantable(org, {**_current(org, row), **values})
    return values


def _must_have_the_right(org: Org, entity: SObject, *, is_new: bool) -> None:
    if entity.name in _ADMINISTRATIVE:
        right = _ADMINISTRATIVE[entity.name]
        org.access.demand(right, org.assumptions.refused_right_code)
    if not org.access.may(f"{'Create' if is_new else 'Edit'} {entity.name}"):
        code = "INSUFFICIENT_ACCESS_OR_READONLY"
        raise Refusal(code, "insufficient access rights on object id")


def _current(org: Org, row: Row) -> Mapping[str, StoredValue]:
    full = to_18(row.record_id or "")
    found = org.store.records(row.entity.name, '"Id" = ?', [full]) if full else []
    return found[0] if found else {}


def _writable(org: Org, entity: SObject, name: str, *, by: str, is_new: bool) -> Field:
    everything = {field.name.lower(): field for field in entity.fields.values()}
    is_person = by != org.user_id
    seen = everything if is_person else (org.access.fields(entity.name) or {})
    field = seen.get(name.lower())
    if field is None:
        # A hidden field cannot be told from a missing one.
        message = f"No such column '{name}' on sobject of type {entity.name}"
        raise Refusal("INVALID_FIELD", message, fields=(name,))
    is_open = field.is_createable if is_new else field.is_updateable
    if not is_open or not (is_person or org.access.may_edit(entity, field)):
        code, message = (
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            _UNSEEN.format(name=field.name),
        )
        raise Refusal(code, message, fields=(field.name,))
    return field


def _must_refer(org: Org, field: Field, value: StoredValue) -> None:
    target = org.catalogue.find(field.refers_to) if field.refers_to else None
    if value is None or target is None:
        return
    if org.exist(target, [str(value)]).get(str(value), True):
        message = "invalid cross reference id"
        raise Refusal("INVALID_CROSS_REFERENCE_KEY", message, fields=(field.name,))


def _of_stage(org: Org, stage: str) -> dict[str, StoredValue]:
    """Vendor docs: closed, won, forecast and probability follow the stage."""
    names = (
        "IsClosed",
        "IsWon",
        "ForecastCategory",
        "ForecastCategoryName",
        "Probability",
    )
    found = org.store.rows(_FROM_STAGE, [stage])
    derived = dict(zip(names, found[0], strict=True)) if found else {}
    return {"IsClosed": False, "IsWon": False, **derived}


def _must_be_grantable(org: Org, values: Mapping[str, StoredValue]) -> None:
    entity = org.catalogue.find(str(values.get("SobjectType", "")))
    named = str(values.get("Field", ""))
    name = named.partition(".")[2]
    if entity is None or named != f"{entity.name}.{name}" or name not in entity.fields:
        code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
        message = f"bad value for restricted picklist field: {named}"
        raise Refusal(code, message, fields=("Field",))
    if values.get("PermissionsEdit") and not values.get("PermissionsRead"):
        # vendor docs: edit implies read; the code is unverified.
        message = "Field Permissions: to edit a field, it must be readable"
        raise Refusal("FIELD_INTEGRITY_EXCEPTION", message, fields=("PermissionsEdit",))


def _new_record(org: Org, row: Row, *, by: str) -> dict[str, StoredValue]:
    entity = row.entity
    if "c" not in entity.abilities:
        message = f"entity type cannot be inserted: {entity.label}"
        raise Refusal("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)
    values = _checked(org, row, by=by, is_new=True)
    missing = [
        field.name
        for field in entity.fields.values()
        if field.is_createable
        and not field.is_nillable
        and not field.is_defaulted
        and values.get(field.name) is None
    ]
    if missing:
        message = f"Required fields are missing: [{', '.join(missing)}]"
        raise Refusal("REQUIRED_FIELD_MISSING", message, fields=tuple(missing))
    _must_be_unique(org, entity, values)
    defaults: dict[str, StoredValue] = {
        field.name: False for field in entity.fields.values() if field.type == "boolean"
    }
    made: dict[str, StoredValue] = {
        "CreatedDate": org.clock.stored,
        "CreatedById": by,
        "OwnerId": by,
    }
    defaults |= {name: value for name, value in made.items() if name in entity.fields}
    record_id = {"Id": org.new_id(entity.prefix)}
    return {**defaults, **values, **org.changed(entity, by), **record_id}


def _must_be_unique(
    org: Org, entity: SObject, values: Mapping[str, StoredValue]
) -> None:
    key, code = _UNIQUE.get(entity.name, ((), ""))
    if not key:
        return
    where = " AND ".join(f'"{name}" = ?' for name in key)
    same = org.store.records(entity.name, where, [values[name] for name in key])
    if same:
        message = (
            f"duplicate value found: {', '.join(key)} duplicates value on record with id: "
            f"{same[0]['Id']}"
        )
        raise Refusal(code, message, fields=key)


def _as_answered(org: Org, refusal: Refusal) -> Refusal:
    is_reading = refusal.code in _READING
    if is_reading and org.assumptions.bad_value_refuses == "request":
        raise refusal
    return refusal


def _rolled_back(result: Refusal | str) -> Refusal:
    if isinstance(result, Refusal):
        return result
    return Refusal(
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "Record rolled back because not all records were valid and the request was using "
        "AllOrNone header",
    )


def _look_again(org: Org, rows: Sequence[Row]) -> None:
    if any(row.entity.name in PERMISSION_OBJECTS for row in rows):
        org.access.look_again()
