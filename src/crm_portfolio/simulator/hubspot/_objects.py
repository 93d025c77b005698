"""How are records listed, read one by one, made, changed and put into the bin?"""

from __future__ import annotations

import base64
import binascii
from typing import Final, NoReturn
from urllib.parse import urlencode

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.hubspot._call import Call, Route, kind_of
from crm_portfolio.simulator.hubspot._pages import Page, Wanted, wanted
from crm_portfolio.simulator.hubspot._portal import Portal
from crm_portfolio.simulator.hubspot._refusal import Refusal, json_reply, not_found
from crm_portfolio.simulator.hubspot._values import checked
from crm_portfolio.simulator.hubspot._written import (
    check_key,
    check_unique,
    linked,
    properties_of,
    rendered,
)

__all__ = ["ROUTES", "may_read", "may_write"]

# vendor docs: the page of a list.
_DEFAULT: Final = 10
_MOST: Final = 100
_MOST_WITH_HISTORY: Final = 50


def may_read(portal: Portal, call: Call) -> tuple[str, ...]:
    """Unverified: linked records in the same reply need their own scope too."""
    others = map(portal.kind, call.many("associations"))
    kinds = (kind_of(portal, call), *(kind for kind in others if kind is not None))
    return tuple(kind.scope_to("read") for kind in kinds)


def may_write(portal: Portal, call: Call) -> tuple[str, ...]:
    return (kind_of(portal, call).scope_to("write"),)


def _list(portal: Portal, call: Call) -> Reply:
    want = _asked(portal, call)
    page = _page(portal, call, want)
    text = f'{{"results":{page.text}'
    if page.next_id is not None:
        # vendor docs: no paging on the last page
        query = [(name, value) for name, value in call.request.pairs if name != "after"]
        after = _cursor(portal, page.next_id)
        again = urlencode([*query, ("after", after)])
        link = f"{portal.url}{call.request.path}?{again}"
        text += f',"paging":{{"next":{{"after":"{after}","link":"{link}"}}}}'
    return json_reply(text + "}", rows=len(page.rows))


def _cursor(portal: Portal, next_id: int) -> str:
    """Unverified: the cursor is the next id."""
    if portal.assumptions.list_cursor == "next_id":
        return str(next_id)
    return base64.urlsafe_b64encode(f"id:{next_id}".encode()).decode()


def _after(portal: Portal, call: Call) -> int:
    said = call.query.get("after")
    if not said or portal.assumptions.list_cursor == "next_id":
        return call.number("after", default=0)
    try:
        word, _, number = base64.urlsafe_b64decode(said).partition(b":")
        return int(number) if word == b"id" else _no_cursor(said)
    except (binascii.Error, ValueError):
        return _no_cursor(said)


def _no_cursor(said: str) -> NoReturn:
    raise Refusal(f"Invalid value for after: {said}")


def _asked(portal: Portal, call: Call) -> Wanted:
    kind = kind_of(portal, call).name
    names = call.many("properties")
    if portal.assumptions.unknown_properties == "refused":
        for name in names:
            if name not in portal.properties(kind):
                raise Refusal(f"Property '{name}' does not exist")
    links = []
    for name in call.many("associations"):
        other = portal.kind(name)
        if other is None or not portal.links.types(kind, other.name):
            raise Refusal(f"Unable to infer object type from: {name}")
        links.append(other.name)
    return wanted(
        portal,
        kind,
        names,
        history=call.many("propertiesWithHistory"),
        links=links,
        is_archived=call.flag("archived"),
    )


def _page(portal: Portal, call: Call, want: Wanted) -> Page:
    most = _MOST_WITH_HISTORY if want.history else _MOST
    # unverified: a larger page is refused, or the largest is given.
    is_refused = portal.assumptions.over_limit_status == 400
    asked = call.number("limit", default=_DEFAULT, most=most if is_refused else None)
    limit, after = min(max(asked, 1), most), _after(portal, call)
    fewer = call.fault("fewer_rows")
    if fewer is not None:
        limit = max(1, limit // 2) if fewer.size is None else min(limit, fewer.size)
    return call.pages.page(want, after, 0 if call.fault("empty_page") else limit)


def _one(portal: Portal, call: Call) -> Reply:
    want = _asked(portal, call)
    record_id = _found(portal, call, want.kind, is_archived=want.is_archived)
    return json_reply(call.pages.rows(want, [record_id])[record_id], rows=1)


def _found(portal: Portal, call: Call, kind: str, *, is_archived: bool = False) -> int:
    """The record that a path means: by its id, that of a merged one, or another key."""
    said, key = call.parts["id"], call.query.get("idProperty")
    if key is not None and key != "hs_object_id":
        check_key(portal, kind, key, act="read")
        found = portal.holders(kind, key, [said])
        if said not in found:
            raise not_found()
        return found[said]
    if not said.isdecimal():
        raise not_found()
    if is_archived:
        known = portal.records(kind, [int(said)]).get(int(said))
        if known is None or not known["$archived"]:
            raise not_found()
        return int(said)
    live = portal.resolved(kind, [int(said)])
    if int(said) not in live:
        raise not_found()
    return live[int(said)]


def _create(portal: Portal, call: Call) -> Reply:
    kind, body = kind_of(portal, call).name, call.json()
    texts = checked(portal, kind, properties_of(body), style=call.style)
    check_unique(portal, kind, texts, None)
    (made,) = portal.create(kind, [texts])
    linked(portal, kind, made, body.get("associations") or [])
    return json_reply(rendered(portal, kind, {made: texts})[made], status=201, rows=1)


def _update(portal: Portal, call: Call) -> Reply:
    kind = kind_of(portal, call).name
    record_id = _found(portal, call, kind)
    before = portal.records(kind, [record_id])[record_id]
    texts = checked(
        portal, kind, properties_of(call.json()), before=before, style=call.style
    )
    check_unique(portal, kind, texts, record_id)
    portal.write(kind, {record_id: texts})
    return json_reply(rendered(portal, kind, {record_id: texts})[record_id], rows=1)


def _archive(portal: Portal, call: Call) -> Reply:
    kind = kind_of(portal, call).name
    portal.archive(kind, [_found(portal, call, kind)])
    return Reply(204)


def _merge(portal: Portal, call: Call) -> Reply:
    kind, body = kind_of(portal, call).name, call.json()
    said = [str(body.get(name, "")) for name in ("primaryObjectId", "objectIdToMerge")]
    ids = [int(each) for each in said if each.isdecimal()]
    if len(ids) != 2 or set(portal.resolved(kind, ids)) != set(ids) or ids[0] == ids[1]:
        raise Refusal(f"Unable to merge {' and '.join(said)}")
    winner = portal.resolved(kind, ids)[ids[0]]
    portal.merge(kind, winner, ids[1])
    return json_reply(rendered(portal, kind, {winner: {}})[winner], rows=1)


_V3: Final = "/crm/v3/objects/{kind}"
_DATED: Final = "/crm/objects/2026-09/{kind}"
ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", _V3, _DATED, _list, may_read),
    Route("POST", _V3, _DATED, _create, may_write),
    Route("POST", _V3 + "/merge", _DATED + "/merge", _merge, may_write),
    Route("GET", _V3 + "/{id}", _DATED + "/{id}", _one, may_read),
    Route("PATCH", _V3 + "/{id}", _DATED + "/{id}", _update, may_write),
    Route("DELETE", _V3 + "/{id}", _DATED + "/{id}", _archive, may_write),
)
