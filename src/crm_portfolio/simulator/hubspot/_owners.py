"""Who owns records, and who did until they left?"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.hubspot._call import Call, Route
from crm_portfolio.simulator.hubspot._portal import Portal
from crm_portfolio.simulator.hubspot._refusal import Refusal, json_reply, not_found

__all__ = ["ROUTES"]

_V3: Final = "/crm/v3/owners"
_DATED: Final = "/crm/owners/2026-09"
_SCOPES: Final = ("crm.objects.owners.read",)
_DEFAULT, _MOST = 100, 500  # unverified: the largest page


def _list(portal: Portal, call: Call) -> Reply:
    limit = _number(call, "limit", _DEFAULT)
    if limit > _MOST:
        raise Refusal(f"The limit may not be above {_MOST}.")
    wanted = [o for o in portal.owners if o["archived"] == call.flag("archived")]
    if "email" in call.query:
        wanted = [owner for owner in wanted if owner["email"] == call.query["email"]]
    start = _number(call, "after", 0)
    body: dict[str, Any] = {"results": wanted[start : start + limit]}
    if start + limit < len(wanted):
        after = str(start + limit)
        again = urlencode({**call.query, "after": after})
        link = f"{portal.url}{call.request.path}?{again}"
        body["paging"] = {"next": {"after": after, "link": link}}
    return json_reply(body, rows=len(body["results"]))


def _one(portal: Portal, call: Call) -> Reply:
    """Vendor docs: an owner is found by its own id, or by its user's."""
    key = "userId" if call.query.get("idProperty") == "userId" else "id"
    for owner in portal.owners:
        same = str(owner.get(key)) == call.parts["id"]
        if same and owner["archived"] == call.flag("archived"):
            return json_reply(owner)
    raise not_found()


def _number(call: Call, name: str, otherwise: int) -> int:
    said = call.query.get(name) or str(otherwise)
    if not said.isdecimal():
        raise Refusal(f"{said} is not a valid {name}.")
    return int(said)


ROUTES: Final = (
    Route("GET", _V3, _DATED, _list, _SCOPES),
    Route("GET", _V3 + "/{id}", _DATED + "/{id}", _one, _SCOPES),
)
