"""Which fields, permission sets and grants does an org lack, and how are they made?

A field that exists is never altered. What cannot be put right by adding is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from crm_portfolio._managed import STAMP
from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.salesforce._fields import OBJECTS, OUR_FIELDS
from crm_portfolio.connectors.salesforce._rest import Query, Record, Rest
from crm_portfolio.connectors.salesforce._soql import listed, literal
from crm_portfolio.errors import ConnectorError
from crm_portfolio.protocols import ProvisionStep
from crm_portfolio.schema import ManagedField, WritableTable

__all__ = ["provisioned"]

_FIELDS_RIGHT: Final = "Customize Application"
_SETS_RIGHT: Final = "Manage Profiles and Permission Sets"
_ASSIGN_RIGHT: Final = "Assign Permission Sets"
_TRACKING: Final = "by hand: set history tracking for it; an object tracks 20 fields"
_NIGHTLY: Final = "Portfolio_Nightly"
_PINNING: Final = "Portfolio_Pinning"
_SETS: Final[Mapping[str, tuple[str, str]]] = {
    _NIGHTLY: (
        "Portfolio: nightly job",
        "Lets the nightly job write the portfolio fields and read the pins.",
    ),
    _PINNING: (
        "Portfolio: pin a tier",
        "Lets people pin the tier of an account.",
    ),
}
_NEW: Final = "(new)"  # the id of what a dry run only plans


@attrs.frozen
class _Grant:
    permission_set: str
    field: str
    may_edit: bool

    def __str__(self) -> str:
        verb = "edit" if self.may_edit else "read"
        return f"{self.permission_set} may {verb} {self.field}"


def provisioned(
    rest: Rest,
    fields: Sequence[ManagedField],
    described: Mapping[WritableTable, Sequence[Record]],
    *,
    dry_run: bool,
) -> Iterator[ProvisionStep]:
    """Each thing found, planned or done, in the order in which they build on each other.

    Args:
        described: By table the fields this login sees now.
    """
    seen = _by_full_name(described)
    wrong = [step for field in fields for step in _of_another_kind(field, seen)]
    if wrong and not dry_run:
        yield from wrong  # and nothing is made beside a field that will not do
        return
    hidden: list[ManagedField] = []
    for field in fields:
        yield from _field_steps(rest, field, seen, hidden, dry_run=dry_run)
    found = _ids_by_name(rest)
    for name in _SETS:
        if name in found:
            yield ProvisionStep(f"permission set {name}", "present")
            continue
        if not dry_run:
            found[name] = _new_set(rest, name)
        state = "planned" if dry_run else "done"
        yield ProvisionStep(f"permission set {name}", state, _SETS_RIGHT)  # type: ignore[arg-type]
    yield from _grant_steps(rest, fields, found, dry_run=dry_run)
    yield _assignment_step(rest, found.get(_NIGHTLY, _NEW), dry_run=dry_run)
    if hidden:  # now that it is granted, it can be seen what was there
        anew = {each.table: rest.describe(_sobject(each.table)) for each in hidden}
        seen = _by_full_name(anew)
        for field in hidden:
            yield from _shortcomings(field, seen)


def _sobject(table: WritableTable) -> str:
    return OBJECTS[table][0].name


def _full_name(field: ManagedField) -> str:
    return f"{_sobject(field.table)}.{OUR_FIELDS[field.table][field.column]}"


def _by_full_name(
    described: Mapping[WritableTable, Sequence[Record]],
) -> dict[str, Record]:
    return {
        f"{_sobject(table)}.{field['name']}": field
        for table, fields in described.items()
        for field in fields
    }


def _field_steps(
    rest: Rest,
    field: ManagedField,
    seen: Mapping[str, Record],
    hidden: list[ManagedField],
    *,
    dry_run: bool,
) -> Iterator[ProvisionStep]:
    name = _full_name(field)
    what = f"field {name}"
    if name in seen:
        yield ProvisionStep(what, "present")
        yield from _shortcomings(field, seen)
    elif dry_run:
        yield ProvisionStep(what, "planned", _FIELDS_RIGHT)
    else:
        steps = list(_made_field(rest, field, what))
        if steps[0].state == "present":
            hidden.append(field)
        yield from steps


def _made_field(rest: Rest, field: ManagedField, what: str) -> Iterator[ProvisionStep]:
    """The field, and its history where the org takes it: that tells who edited what."""
    name, metadata = _full_name(field), _metadata(field)
    is_traced = not field.is_human and field.column != STAMP
    try:
        try:
            rest.create_field(name, {**metadata, "trackHistory": is_traced})
        except ConnectorError as error:
            if not is_traced or error.code not in _assumptions.UNTRACKABLE_CODES:
                raise
            rest.create_field(name, metadata)
            yield ProvisionStep(what, "done", _FIELDS_RIGHT)
            yield ProvisionStep(f"history of {name}", "planned", _TRACKING)
            return
    except ConnectorError as error:
        # The field is there, and hidden from this login until it is granted below.
        if error.code not in _assumptions.DUPLICATE_FIELD_CODES:
            raise
        yield ProvisionStep(what, "present")
        return
    yield ProvisionStep(what, "done", _FIELDS_RIGHT)


_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "code": frozenset({"picklist", "string"}),
    "day": frozenset({"date"}),
    "integer": frozenset({"double", "int"}),
    "share": frozenset({"double"}),
    "text": frozenset({"string", "textarea"}),
}


def _of_another_kind(
    field: ManagedField, seen: Mapping[str, Record]
) -> Iterator[ProvisionStep]:
    """What only an administrator can mend, because a field that exists is never altered."""
    name = _full_name(field)
    kind = seen.get(name, {}).get("type")
    if name in seen and kind not in _TYPES[field.type]:
        needs = "by hand: rename or delete the field, then run setup again"
        wanted = _metadata(field)["type"]
        what = f"{name} has type {kind}, not {wanted}"
        yield ProvisionStep(what, "planned", needs)


def _shortcomings(
    field: ManagedField, seen: Mapping[str, Record]
) -> Iterator[ProvisionStep]:
    yield from _of_another_kind(field, seen)
    name = _full_name(field)
    found = seen.get(name, {})
    if found.get("type") == "picklist":
        options = {
            option.get("value")
            for option in found.get("picklistValues") or ()
            if option.get("active", True)
        }
        for choice in field.choices:
            if choice not in options:
                needs = "by hand: add it to the field's values"
                what = f"option {choice!r} of {name}"
                yield ProvisionStep(what, "planned", needs)


def _metadata(field: ManagedField) -> dict[str, Any]:
    shared = {"label": field.label, "description": field.meaning, "required": False}
    match field.type:
        case "code":
            values = [
                {"valueName": choice, "label": choice, "default": False}
                for choice in field.choices
            ]
            definition = {"sorted": False, "value": values}
            options = {"restricted": True, "valueSetDefinition": definition}
            return {**shared, "type": "Picklist", "valueSet": options}
        case "day":
            return {**shared, "type": "Date"}
        case "text":
            return {**shared, "type": "Text", "length": field.max_length or 255}
        case _:
            return {**shared, "type": "Number", "precision": 18, "scale": field.scale}


def _ids_by_name(rest: Rest) -> dict[str, str]:
    query = Query("PermissionSet", ("Id", "Name"), f"Name IN {listed(_SETS)}")
    return {str(record["Name"]): str(record["Id"]) for record in _all(rest, query)}


def _new_set(rest: Rest, name: str) -> str:
    label, description = _SETS[name]
    record = {"Name": name, "Label": label, "Description": description}
    return rest.create("PermissionSet", record, needs=_SETS_RIGHT)


def _grants(fields: Iterable[ManagedField]) -> Iterator[_Grant]:
    for field in fields:
        name = _full_name(field)
        yield _Grant(_NIGHTLY, name, may_edit=not field.is_human)
        if field.is_human:
            yield _Grant(_PINNING, name, may_edit=True)


def _grant_steps(
    rest: Rest,
    fields: Sequence[ManagedField],
    sets: Mapping[str, str],
    *,
    dry_run: bool,
) -> Iterator[ProvisionStep]:
    held = _held_grants(rest, sets)
    for grant in _grants(fields):
        parent = sets.get(grant.permission_set, _NEW)
        current = held.get((parent, grant.field))
        if current is not None and (current["PermissionsEdit"] or not grant.may_edit):
            yield ProvisionStep(str(grant), "present")
            continue
        if not dry_run:
            _give(rest, grant, parent, current)
        state = "planned" if dry_run else "done"
        yield ProvisionStep(str(grant), state, _SETS_RIGHT)  # type: ignore[arg-type]


def _held_grants(rest: Rest, sets: Mapping[str, str]) -> dict[tuple[str, str], Record]:
    if not sets:
        return {}
    objects = [_sobject(table) for table in OUR_FIELDS]
    query = Query(
        "FieldPermissions",
        ("Id", "ParentId", "Field", "PermissionsEdit"),
        f"SobjectType IN {listed(objects)} AND ParentId IN {listed(sets.values())}",
    )
    return {(str(r["ParentId"]), str(r["Field"])): r for r in _all(rest, query)}


def _give(rest: Rest, grant: _Grant, parent: str, current: Record | None) -> None:
    rights = {"PermissionsRead": True, "PermissionsEdit": grant.may_edit}
    if current is not None:
        rest.change("FieldPermissions", str(current["Id"]), rights, needs=_SETS_RIGHT)
        return
    sobject = grant.field.partition(".")[0]
    place = {"ParentId": parent, "SobjectType": sobject, "Field": grant.field}
    rest.create("FieldPermissions", {**place, **rights}, needs=_SETS_RIGHT)


def _assignment_step(rest: Rest, parent: str, *, dry_run: bool) -> ProvisionStep:
    what = f"permission set {_NIGHTLY} assigned to the user of this log-in"
    if parent == _NEW:
        return ProvisionStep(what, "planned", _ASSIGN_RIGHT)
    user = rest.user_id()
    query = Query(
        "PermissionSetAssignment",
        ("Id",),
        f"AssigneeId = {literal(user)} AND PermissionSetId = {literal(parent)}",
    )
    if _all(rest, query):
        return ProvisionStep(what, "present")
    if dry_run:
        return ProvisionStep(what, "planned", _ASSIGN_RIGHT)
    record = {"AssigneeId": user, "PermissionSetId": parent}
    rest.create("PermissionSetAssignment", record, needs=_ASSIGN_RIGHT)
    return ProvisionStep(what, "done", _ASSIGN_RIGHT)


def _all(rest: Rest, query: Query) -> list[Record]:
    return [record for page in rest.pages(query) for record in page]
