"""How are properties listed, made, changed and put away?

vendor docs: the pairing of type and fieldType is validated; a group comes before its
properties. recorded: the keys of a definition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

import attrs

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.hubspot._batch import batch_reply, inputs_of
from crm_portfolio.simulator.hubspot._call import Call, Route, Scopes, kind_of
from crm_portfolio.simulator.hubspot._definitions import (
    FIELD_TYPES,
    YES_NO,
    Option,
    Property,
    PropertyType,
)
from crm_portfolio.simulator.hubspot._groups import named_group, taken
from crm_portfolio.simulator.hubspot._groups import routes as group_routes
from crm_portfolio.simulator.hubspot._portal import Portal
from crm_portfolio.simulator.hubspot._refusal import Refusal, as_json, json_reply
from crm_portfolio.simulator.hubspot._shown import shown_property
from crm_portfolio.simulator.hubspot._time import iso

__all__ = ["ROUTES", "schema_scope"]

_V3: Final = "/crm/v3/properties/{kind}"
_DATED: Final = "/crm/properties/2026-09/{kind}"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")
_NEEDED: Final = ("name", "label", "type", "fieldType", "groupName")
_MOST: Final = 100
_OWN_SCHEMAS: Final = frozenset({"companies", "contacts", "deals"})
# What a PATCH may say, and the attribute it changes.
_CHANGES: Final[Mapping[str, str]] = {
    "label": "label",
    "description": "description",
    "hidden": "is_hidden",
    "formField": "is_in_forms",
    "displayOrder": "display_order",
    "fieldType": "field_type",
}


def schema_scope(act: str) -> Scopes:
    """Vendor docs: schemas of companies and deals have scopes of their own."""

    def scopes(portal: Portal, call: Call) -> tuple[str, ...]:
        kind = kind_of(portal, call)
        if kind.name in _OWN_SCHEMAS:
            return (f"crm.schemas.{kind.name}.{act}",)
        return (kind.scope_to("read" if act == "read" else "write"),)

    return scopes


def _list(portal: Portal, call: Call) -> Reply:
    kind = kind_of(portal, call).name
    known: Mapping[str, Property] = portal.properties(kind)
    if call.flag("archived"):
        known = portal.definitions.archived(kind)
    shown = [
        shown_property(portal, kind, prop, archived=call.flag("archived"))
        for prop in sorted(known.values(), key=lambda prop: prop.name)
    ]
    return json_reply({"results": shown}, rows=len(shown))


def _one(portal: Portal, call: Call) -> Reply:
    kind = kind_of(portal, call).name
    prop = _known(portal, kind, call.parts["name"], archived=call.flag("archived"))
    return json_reply(
        shown_property(portal, kind, prop, archived=call.flag("archived"))
    )


def _create(portal: Portal, call: Call) -> Reply:
    kind = kind_of(portal, call).name
    prop = _made(portal, kind, call.json())
    _define(portal, kind, prop)
    return json_reply(shown_property(portal, kind, prop), status=201)


def _update(portal: Portal, call: Call) -> Reply:
    kind, said = kind_of(portal, call).name, call.json()
    prop = _known(portal, kind, call.parts["name"])
    _may_change(prop, said)
    changes: dict[str, Any] = {
        _CHANGES[key]: value for key, value in said.items() if key in _CHANGES
    }
    if "groupName" in said:
        changes["group"] = named_group(portal, kind, said["groupName"]).name
    if "options" in said:
        changes["options"] = _options(said["options"])
    changed = attrs.evolve(prop, **changes, updated_at=iso(portal.clock.now))
    _check_pairing(changed.type, changed.field_type)
    _define(portal, kind, changed)
    return json_reply(shown_property(portal, kind, changed))


def _archive(portal: Portal, call: Call) -> Reply:
    kind = kind_of(portal, call).name
    _put_away(portal, kind, call.parts["name"])
    return Reply(204)


def _batch_create(portal: Portal, call: Call) -> Reply:
    kind = kind_of(portal, call).name
    made, errors = list[str](), list[Mapping[str, Any]]()
    for entry in inputs_of(call, _MOST):
        # unverified: whether one bad input refuses the others
        try:
            prop = _made(portal, kind, entry)
        except Refusal as refusal:
            errors.append(refusal.entry())
        else:
            _define(portal, kind, prop)
            made.append(as_json(shown_property(portal, kind, prop)))
    return batch_reply(portal, call, made, errors, status=201)


def _batch_read(portal: Portal, call: Call) -> Reply:
    kind = kind_of(portal, call).name
    is_archived = bool(call.json().get("archived", False))
    found, errors = list[str](), list[Mapping[str, Any]]()
    for entry in inputs_of(call, _MOST):
        try:
            prop = _known(portal, kind, str(entry.get("name")), archived=is_archived)
        except Refusal as refusal:
            errors.append(refusal.entry())
        else:
            found.append(
                as_json(shown_property(portal, kind, prop, archived=is_archived))
            )
    return batch_reply(portal, call, found, errors)


def _batch_archive(portal: Portal, call: Call) -> Reply:
    kind = kind_of(portal, call).name
    for entry in inputs_of(call, _MOST):
        if entry.get("name") in portal.properties(kind):
            _put_away(portal, kind, entry["name"])
    return Reply(204)


def _made(portal: Portal, kind: str, said: Mapping[str, Any]) -> Property:
    """The property that a request describes, or its refusal."""
    missing = [key for key in _NEEDED if not said.get(key)]
    if missing:
        raise Refusal(f"Some required fields were not set: {as_json(missing)}")
    name = str(said["name"])
    if not _NAME.fullmatch(name):
        # unverified: the words
        raise Refusal(f'Property name "{name}" is not valid.')
    if name in portal.definitions.of(kind):
        raise taken(portal, f'A property named "{name}" already exists.')
    _check_pairing(said["type"], said["fieldType"])
    options = _options(said.get("options") or [])
    if said["type"] == "enumeration" and not options:
        raise Refusal("Enumeration properties need at least one option.")
    now = iso(portal.clock.now)
    return Property(
        name=name,
        label=str(said["label"]),
        type=said["type"],
        field_type=said["fieldType"],
        group=named_group(portal, kind, said["groupName"]).name,
        options=YES_NO if said["type"] == "bool" and not options else options,
        description=str(said.get("description") or ""),
        is_hidden=bool(said.get("hidden", False)),
        has_unique_value=bool(said.get("hasUniqueValue", False)),
        is_in_forms=bool(said.get("formField", False)),
        is_defined_by_hubspot=False,
        is_fixed=False,
        display_order=int(said.get("displayOrder", -1)),
        created_at=now,
        updated_at=now,
    )


def _options(said: Any) -> tuple[Option, ...]:
    if not isinstance(said, list) or not all(isinstance(o, Mapping) for o in said):
        raise Refusal('Some required fields were not set: ["options"]')
    found = []
    for entry in sorted(said, key=lambda entry: entry.get("displayOrder", 0)):
        value, label = entry.get("value"), entry.get("label")
        if not value or not label:
            raise Refusal('Some required fields were not set: ["label","value"]')
        is_hidden = bool(entry.get("hidden", False))
        told = str(entry.get("description") or "")
        found.append(Option(str(value), str(label), is_hidden, told))
    values = [option.value for option in found]
    if len(set(values)) < len(values):
        # unverified: the words
        raise Refusal("Property options must have unique values.")
    return tuple(found)


def _check_pairing(kind: Any, field_type: Any) -> None:
    known = get_args(PropertyType)
    if kind not in known:
        message = f"Invalid input JSON: {kind} is not one of [{', '.join(known)}]"
        raise Refusal(message)
    if field_type not in FIELD_TYPES[kind]:
        # unverified: the words
        message = f"Property type {kind} cannot be used with field type {field_type}."
        raise Refusal(message)


def _may_change(prop: Property, said: Mapping[str, Any]) -> None:
    """Vendor docs: readOnlyDefinition. unverified: that a type never changes."""
    is_own = prop.is_defined_by_hubspot and prop.is_fixed
    if is_own or said.get("type", prop.type) != prop.type:
        message = f'The definition of the property "{prop.name}" is read only.'
        raise Refusal(message)


def _known(portal: Portal, kind: str, name: str, *, archived: bool = False) -> Property:
    known = portal.definitions.archived(kind) if archived else portal.properties(kind)
    if name not in known:
        # unverified: the words
        message = f'Property "{name}" does not exist'
        raise Refusal(message, category="OBJECT_NOT_FOUND", status=404)
    return known[name]


def _define(portal: Portal, kind: str, prop: Property) -> None:
    portal.clock.advance()
    portal.add_property(kind, prop)


def _put_away(portal: Portal, kind: str, name: str) -> None:
    prop = _known(portal, kind, name)
    if prop.is_defined_by_hubspot:
        raise Refusal(f'The property "{name}" cannot be archived.')
    portal.clock.advance()
    portal.definitions.archive(kind, name)
    portal.version += 1


def _routes() -> tuple[Route, ...]:
    read, write = schema_scope("read"), schema_scope("write")
    table: tuple[tuple[str, str, Callable[[Portal, Call], Reply], Scopes], ...] = (
        ("POST", "/batch/create", _batch_create, write),
        ("POST", "/batch/read", _batch_read, read),
        ("POST", "/batch/archive", _batch_archive, write),
        ("GET", "", _list, read),
        ("POST", "", _create, write),
        ("GET", "/{name}", _one, read),
        ("PATCH", "/{name}", _update, write),
        ("DELETE", "/{name}", _archive, write),
    )
    return group_routes(read, write) + tuple(
        Route(method, _V3 + rest, _DATED + rest, handler, scopes)
        for method, rest, handler, scopes in table
    )


ROUTES: Final = _routes()
