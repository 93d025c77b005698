"""Who is linked to whom, for many records at once, and what are the labels?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.hubspot._batch import batch_reply, inputs_of
from crm_portfolio.simulator.hubspot._call import Call, Route, kind_of
from crm_portfolio.simulator.hubspot._kinds import Kind, LinkType
from crm_portfolio.simulator.hubspot._portal import Portal
from crm_portfolio.simulator.hubspot._refusal import (
    Refusal,
    as_json,
    json_reply,
    not_found,
)

__all__ = ["ROUTES"]

_MOST: Final = 1_000  # vendor docs: since February 2025
_PAGE: Final = 500


def _may_read(portal: Portal, call: Call) -> tuple[str, ...]:
    ends = (kind_of(portal, call, end) for end in ("from", "to"))
    return tuple(kind.scope_to("read") for kind in ends)


def _ends(portal: Portal, call: Call) -> tuple[Kind, Kind]:
    one, other = kind_of(portal, call, "from"), kind_of(portal, call, "to")
    if not portal.links.types(one.name, other.name):
        raise Refusal(f"{one.name} and {other.name} cannot be associated")
    return one, other


def _read(portal: Portal, call: Call) -> Reply:
    one, other = _ends(portal, call)
    most = portal.assumptions.association_batch if call.is_dated else _MOST
    starts: dict[str, int] = {}
    for entry in inputs_of(call, most):
        said, after = str(entry.get("id", "")), str(entry.get("after") or "0")
        if not after.isdecimal():
            raise Refusal(f"Invalid value for after: {after}")
        starts[said] = int(after)
    numbers = [int(said) for said in starts if said.isdecimal()]
    live = portal.resolved(one.name, numbers)
    found = portal.links.of(one.name, list(set(live.values())), other.name)
    results, errors = [], []
    for said, start in starts.items():
        held = found.get(live.get(int(said), -1), {}) if said.isdecimal() else {}
        if held:
            results.append(as_json(_result(portal, said, held, start)))
        else:
            errors.append(_none(portal, one, other, said))
    status = portal.assumptions.no_association_status
    return batch_reply(portal, call, results, errors, partial_status=status)


def _result(
    portal: Portal, said: str, held: Mapping[int, list[LinkType]], after: int
) -> dict[str, Any]:
    """Vendor docs: ``toObjectId`` is a number here; ids elsewhere are text."""
    size = portal.assumptions.association_page
    behind = [to_id for to_id in held if to_id >= after]
    told: dict[str, Any] = {
        "from": {"id": said},
        "to": [_entry(to_id, held[to_id]) for to_id in behind[:size]],
    }
    if len(behind) > size:
        told["paging"] = {"next": {"after": str(behind[size])}}
    return told


def _entry(to_id: int, types: list[LinkType]) -> dict[str, Any]:
    labels = [
        {"category": link.category, "typeId": link.type_id, "label": link.label}
        for link in types
    ]
    return {"toObjectId": to_id, "associationTypes": labels}


def _none(portal: Portal, one: Kind, other: Kind, said: str) -> dict[str, Any]:
    """Unverified: the exact words."""
    return Refusal(
        f"No {other.singular} is associated with {one.singular} {said}.",
        category="OBJECT_NOT_FOUND",
        sub_category=portal.assumptions.no_association_says,
        context={"fromObjectId": [said]},
    ).entry()


def _of_one(portal: Portal, call: Call) -> Reply:
    one, other = _ends(portal, call)
    said = call.parts["id"]
    live = portal.resolved(one.name, [int(said)] if said.isdecimal() else [])
    if not live:
        raise not_found()
    limit = max(1, call.number("limit", default=_PAGE, most=_PAGE))
    after = call.number("after", default=0)
    (record_id,) = live.values()
    held = portal.links.of(one.name, [record_id], other.name).get(record_id, {})
    behind = [to_id for to_id in held if to_id >= after]
    body: dict[str, Any] = {
        "results": [_entry(to_id, held[to_id]) for to_id in behind[:limit]]
    }
    if len(behind) > limit:
        next_id = str(behind[limit])
        link = f"{portal.url}{call.request.path}?limit={limit}&after={next_id}"
        body["paging"] = {"next": {"after": next_id, "link": link}}
    return json_reply(body, rows=len(body["results"]))


def _labels(portal: Portal, call: Call) -> Reply:
    one, other = _ends(portal, call)
    labels = [
        {"category": link.category, "typeId": link.type_id, "label": link.label}
        for link in portal.links.types(one.name, other.name)
    ]
    return json_reply({"results": labels})


_V4: Final = "/crm/v4/associations/{from}/{to}/"
_DATED: Final = "/crm/associations/2026-09/{from}/{to}/"
ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", _V4 + "batch/read", _DATED + "batch/read", _read, _may_read),
    Route("GET", _V4 + "labels", _DATED + "labels", _labels, _may_read),
    # vendor docs: absent from 2026-09
    Route(
        "GET", "/crm/v4/objects/{from}/{id}/associations/{to}", None, _of_one, _may_read
    ),
)
