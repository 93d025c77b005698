"""Which pipelines and stages are there?"""

from __future__ import annotations

from typing import Any, Final

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.hubspot._call import Call, Route, kind_of
from crm_portfolio.simulator.hubspot._objects import may_read
from crm_portfolio.simulator.hubspot._portal import Portal
from crm_portfolio.simulator.hubspot._refusal import json_reply, not_found

__all__ = ["ROUTES"]

_V3: Final = "/crm/v3/pipelines/{kind}"
_DATED: Final = "/crm/pipelines/2026-09/{kind}"


def _list(portal: Portal, call: Call) -> Reply:
    lines = portal.pipelines.get(kind_of(portal, call).name, [])
    return json_reply({"results": [_shown(line) for line in lines]}, rows=len(lines))


def _one(portal: Portal, call: Call) -> Reply:
    return json_reply(_shown(_named(portal, call)))


def _stages(portal: Portal, call: Call) -> Reply:
    return json_reply({"results": _shown(_named(portal, call))["stages"]})


def _named(portal: Portal, call: Call) -> dict[str, Any]:
    lines = portal.pipelines.get(kind_of(portal, call).name, [])
    found = next((line for line in lines if line["id"] == call.parts["id"]), None)
    if found is None:
        raise not_found()
    return found


def _shown(line: dict[str, Any]) -> dict[str, Any]:
    """unverified: that stages in the bin are left out, so that history names bare ids."""
    live = [stage for stage in line["stages"] if not stage["archived"]]
    return {**line, "stages": live}


ROUTES: Final = (
    Route("GET", _V3, _DATED, _list, may_read),
    Route("GET", _V3 + "/{id}", _DATED + "/{id}", _one, may_read),
    Route("GET", _V3 + "/{id}/stages", _DATED + "/{id}/stages", _stages, may_read),
)
