"""How are records read: page by page, by their ids, and whom they are linked to?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote_plus

import attrs

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.hubspot import _paths
from crm_portfolio.connectors.hubspot._client import Client, encoded
from crm_portfolio.connectors.hubspot._columns import Layout, Record
from crm_portfolio.connectors.hubspot._fields import MERGED, Link
from crm_portfolio.connectors.hubspot._refusals import unreadable

__all__ = [
    "BATCH_READ_MAX",
    "HISTORY_MAX",
    "LIST_MAX",
    "Page",
    "archived",
    "batch_read",
    "by_id",
    "fits_an_address",
    "listed",
    "page_of",
    "relinked",
]

LIST_MAX: Final = 100
HISTORY_MAX: Final = 50  # records of a page or a batch that tell their history
BATCH_READ_MAX: Final = 100
ID_PROPERTY: Final = "hs_object_id"
EMPTY_PAGES_MAX: Final = 5


@attrs.frozen
class Page:
    """Some records, and what leads to the next ones: empty behind the last."""

    records: Sequence[Record]
    after: str


def listed(client: Client, wanted: Layout, *, after: str = "") -> Iterator[Page]:
    """All records in the order of their ids, a call for each hundred; fifty with history.

    Where the properties do not fit an address, their values are read by id: two calls.
    """
    kind, names = wanted.source.kind, wanted.properties
    fits, query = fits_an_address(wanted), _list_query(wanted)
    if not fits:
        query.pop()
    for page in _pages(client, kind, query, after):
        records = page.records
        if not fits and records:
            values = batch_read(client, kind, [r["id"] for r in records], names)
            records = [
                {**record, "properties": values[record["id"]]["properties"]}
                for record in records
                if record["id"] in values  # archived since
            ]
        yield Page(records, page.after)


def fits_an_address(wanted: Layout) -> bool:
    """Whether a list can name all properties; else it costs two calls a page."""
    return len(encoded(_list_query(wanted))) <= _assumptions.LIST_QUERY_MAX


def _list_query(wanted: Layout) -> list[tuple[str, str]]:
    size = HISTORY_MAX if wanted.history else LIST_MAX
    query = [("limit", str(size)), ("archived", "false")]
    if wanted.links:
        query.append(("associations", ",".join(link.to for link in wanted.links)))
    if wanted.history:
        query.append(("propertiesWithHistory", ",".join(wanted.history)))
    return [*query, ("properties", ",".join(wanted.properties))]


def archived(client: Client, wanted: Layout, *, after: str = "") -> Iterator[Page]:
    """The recycle bin; it cannot be asked what came into it when.

    Only who they are is told, and who had become part of them.
    """
    names = [ID_PROPERTY, *([MERGED] if MERGED in wanted.kinds else [])]
    query = [("limit", str(LIST_MAX)), ("archived", "true")]
    query.append(("properties", ",".join(names)))
    return _pages(client, wanted.source.kind, query, after)


def batch_read(
    client: Client,
    kind: str,
    ids: Sequence[str],
    names: Sequence[str],
    *,
    history: Sequence[str] = (),
) -> dict[str, Record]:
    """The records with these ids; who is gone, or is now part of another, is absent."""
    found = by_id(client, kind, ids, names, history=history)
    return {one: found[one] for one in ids if one in found}


def by_id(
    client: Client,
    kind: str,
    ids: Sequence[str],
    names: Sequence[str],
    *,
    history: Sequence[str] = (),
) -> dict[str, Record]:
    """The records that these ids mean, by their own: a merged one means its winner."""
    found: dict[str, Record] = {}
    where, size = f"reading {kind} by id", HISTORY_MAX if history else BATCH_READ_MAX
    for start in range(0, len(ids), size):
        asked = ids[start : start + size]
        body: dict[str, Any] = {"inputs": [{"id": one} for one in asked]}
        body["properties"] = list(names)
        if history:
            body["propertiesWithHistory"] = list(history)
        answer = client.post(
            _paths.batch_read(kind), body, where=where, needs=_paths.read_scope(kind)
        )
        records = _results(answer.body, where)
        found.update({str(record.get("id")): record for record in records})
    return found


def relinked(
    client: Client, wanted: Layout, records: Sequence[Record], places: Sequence[int]
) -> Sequence[Record]:
    """The records, those at these places with all their links; a call for a thousand."""
    if not places:
        return records
    links: dict[str, dict[str, Any]] = {records[at]["id"]: {} for at in places}
    for link in wanted.links:
        for one, linked in _links(
            client, wanted.source.kind, link, list(links)
        ).items():
            links[one][link.to] = {"results": linked}
    whole = list(records)
    for at in places:
        whole[at] = {**whole[at], "associations": links[whole[at]["id"]]}
    return whole


def page_of(body: Any, where: str) -> Page:
    """The records of an answer, and where the next ones are."""
    results = _results(body, where)
    paging = body.get("paging")
    following = paging.get("next") if isinstance(paging, dict) else None
    if following is None:
        return Page(results, "")
    after = following.get("after") if isinstance(following, dict) else None
    # The link beside it is never followed: it may lead to another host.
    if not isinstance(after, str | int) or not str(after):
        raise unreadable(where)
    return Page(results, str(after))


def _pages(
    client: Client, kind: str, query: list[tuple[str, str]], after: str
) -> Iterator[Page]:
    where, needs = f"reading {kind}", _paths.read_scope(kind)
    path, stuck, fixed = _paths.listing(kind), 0, encoded(query)
    while True:
        more = f"{fixed}&after={quote_plus(after)}" if after else fixed
        answer = client.get(path, query=more, where=where, needs=needs)
        page = page_of(answer.body, where)
        # A page may be empty and lead to itself, but not for ever.
        stuck = stuck + 1 if after and page.after == after else 0
        if stuck and (page.records or stuck > EMPTY_PAGES_MAX):
            raise unreadable(where)
        yield page
        after = page.after
        if not after:
            return


def _links(
    client: Client, kind: str, link: Link, ids: Sequence[str]
) -> dict[str, list[dict[str, str]]]:
    """From each record, whom it is linked to; as a list would show it."""
    where = f"reading whom {kind} are linked to"
    needs = f"{_paths.read_scope(kind)}, {_paths.read_scope(link.to)}"
    path, size = _paths.associations(kind, link.to), _assumptions.ASSOCIATIONS_MAX
    found: dict[str, list[dict[str, str]]] = {one: [] for one in ids}
    waiting: list[dict[str, str]] = [{"id": one} for one in ids]
    while waiting:
        body = {"inputs": waiting[:size]}
        waiting = waiting[size:]
        answer = client.post(path, body, where=where, needs=needs)
        # Who has no links is among the errors, whatever the status: they stay empty.
        for result in _results(answer.body, where):
            one = str(result["from"]["id"])
            found.setdefault(one, []).extend(_shown(result["to"], link))
            more = (result.get("paging") or {}).get("next") or {}
            if more.get("after"):
                waiting.append({"id": one, "after": str(more["after"])})
    return found


def _shown(linked: Sequence[Any], link: Link) -> Iterator[dict[str, str]]:
    for other in linked:
        labels = {kind.get("label") for kind in other.get("associationTypes") or ()}
        shown = link.primary if "Primary" in labels else ""
        yield {"id": str(other["toObjectId"]), "type": shown}


def _results(body: Any, where: str) -> list[Any]:
    results = body.get("results") if isinstance(body, dict) else None
    if not isinstance(results, list):
        raise unreadable(where)
    return results
