"""Which custom objects has the customer defined?"""

from __future__ import annotations

from typing import Any, Final

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.hubspot._call import Call, Route
from crm_portfolio.simulator.hubspot._kinds import KINDS, Kind
from crm_portfolio.simulator.hubspot._portal import Portal
from crm_portfolio.simulator.hubspot._refusal import json_reply
from crm_portfolio.simulator.hubspot._shown import shown_property

__all__ = ["ROUTES"]


def _list(portal: Portal, call: Call) -> Reply:
    """recorded: a portal without custom objects has an empty list."""
    del call
    own = [kind for name, kind in portal.kinds.items() if name not in KINDS]
    return json_reply({"results": [_shown(portal, kind) for kind in own]})


def _shown(portal: Portal, kind: Kind) -> dict[str, Any]:
    """unverified: the keys."""
    known = portal.properties(kind.name).values()
    return {
        "id": kind.type_id,
        "objectTypeId": kind.type_id,
        "name": kind.singular,
        "fullyQualifiedName": kind.name,
        "labels": {"singular": kind.singular, "plural": kind.name},
        "properties": [shown_property(portal, kind.name, prop) for prop in known],
        "archived": False,
    }


ROUTES: Final = (
    Route("GET", "/crm/v3/schemas", "/crm/object-schemas/2026-09/schemas", _list),
)
