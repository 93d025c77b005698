"""Into which groups are properties sorted?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.hubspot._call import Call, Route, Scopes, kind_of
from crm_portfolio.simulator.hubspot._definitions import Group
from crm_portfolio.simulator.hubspot._portal import Portal
from crm_portfolio.simulator.hubspot._refusal import Refusal, as_json, json_reply

__all__ = ["named_group", "routes", "taken"]

_V3: Final = "/crm/v3/properties/{kind}/groups"
_DATED: Final = "/crm/properties/2026-09/{kind}/groups"


def named_group(portal: Portal, kind: str, name: Any) -> Group:
    """A group that is there; 400 for one that is not."""
    found = portal.definitions.groups(kind).get(str(name))
    if found is None:
        # unverified: the words
        raise Refusal(f'Property group "{name}" does not exist.')
    return found


def taken(portal: Portal, message: str) -> Refusal:
    """The refusal of a name that something has. unverified: all of it but the status."""
    said = portal.assumptions
    return Refusal(
        message,
        category=said.existing_property_category,
        status=said.existing_property_status,
    )


def _list(portal: Portal, call: Call) -> Reply:
    groups = portal.definitions.groups(kind_of(portal, call).name)
    return json_reply({"results": [_shown(group) for group in groups.values()]})


def _one(portal: Portal, call: Call) -> Reply:
    groups = portal.definitions.groups(kind_of(portal, call).name)
    if call.parts["name"] not in groups:
        message = f'Property group "{call.parts["name"]}" does not exist.'
        raise Refusal(message, category="OBJECT_NOT_FOUND", status=404)
    return json_reply(_shown(groups[call.parts["name"]]))


def _create(portal: Portal, call: Call) -> Reply:
    kind, said = kind_of(portal, call).name, call.json()
    missing = [key for key in ("name", "label") if not said.get(key)]
    if missing:
        raise Refusal(f"Some required fields were not set: {as_json(missing)}")
    if said["name"] in portal.definitions.groups(kind):
        raise taken(portal, f'A property group named "{said["name"]}" already exists.')
    order = int(said.get("displayOrder", -1))
    group = Group(str(said["name"]), str(said["label"]), order)
    portal.definitions.add_group(kind, group)
    return json_reply(_shown(group), status=201)


def _shown(group: Group) -> Mapping[str, Any]:
    return {
        "archived": False,
        "name": group.name,
        "label": group.label,
        "displayOrder": group.display_order,
    }


def routes(read: Scopes, write: Scopes) -> tuple[Route, ...]:
    """Before those of properties, as a group is no property's name."""
    return (
        Route("GET", _V3, _DATED, _list, read),
        Route("POST", _V3, _DATED, _create, write),
        Route("GET", _V3 + "/{name}", _DATED + "/{name}", _one, read),
    )
