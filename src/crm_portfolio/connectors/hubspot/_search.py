"""How is found what has changed, however much it is?

HubSpot shows the first 10,000 hits of a search and no more. Each page therefore asks for
the ids behind the last one seen, which also lets a search go on in another process, and
keeps its place while records are being changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.hubspot import _paths
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._columns import Layout, Record
from crm_portfolio.connectors.hubspot._objects import (
    EMPTY_PAGES_MAX,
    batch_read,
    page_of,
    relinked,
)
from crm_portfolio.connectors.hubspot._refusals import unreadable
from crm_portfolio.connectors.hubspot._settings import SEARCHES

__all__ = ["SEARCH_MAX", "Hits", "count", "found"]

SEARCH_MAX: Final = 200


@attrs.frozen
class Hits:
    """Some records, the highest id so far, and how many were still to come with them."""

    records: Sequence[Record]
    last: int
    total: int
    is_last: bool


def count(
    client: Client, wanted: Layout, since: datetime | None = None, *, behind: int = 0
) -> int:
    """How many records there are, or have changed, with ids above this; one call."""
    body = _question(wanted, since, behind=behind) | {"limit": 1, "properties": []}
    return _total(_asked(client, wanted, body), _where(wanted))


def found(
    client: Client, wanted: Layout, since: datetime | None, *, behind: int = 0
) -> Iterator[Hits]:
    """Records changed since then, in the order of their ids; a call for each 200.

    Args:
        since: None: whatever there is.
        behind: Only ids above this one.
    """
    where, after, stuck = _where(wanted), "0", 0
    while True:
        body = _question(wanted, since, behind=behind) | {"after": after}
        answer = _asked(client, wanted, body)
        page = page_of(answer, where)
        last = _last(page.records, behind, where)
        records = page.records
        if wanted.history:
            ids = [str(record.get("id")) for record in records]
            kind, names = wanted.source.kind, wanted.properties
            told = batch_read(client, kind, ids, names, history=wanted.history)
            records = [told.get(one, {"id": one}) for one in ids]
        if records and wanted.links:
            records = relinked(client, wanted, records, wanted.unlinked(records))
        yield Hits(records, last, _total(answer, where), is_last=not page.after)
        if not page.after:
            return
        # A page may be empty and still not the last; but not for ever.
        stuck = 0 if page.records else stuck + 1
        if stuck > EMPTY_PAGES_MAX:
            raise unreadable(where)
        after = "0" if page.records else page.after
        behind = last


def _question(wanted: Layout, since: datetime | None, *, behind: int) -> dict[str, Any]:
    filters = []
    if since is not None:
        # What was written last may not be in the index yet, so we look further back.
        start = since - timedelta(seconds=_assumptions.SEARCH_LAG_SECONDS)
        milliseconds = max(int(start.timestamp() * 1000), 0)
        filters.append(_from(wanted.source.modified, milliseconds))
    if behind:
        filters.append(_from("hs_object_id", behind + 1))
    return {
        "filterGroups": [{"filters": filters}] if filters else [],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": list(wanted.properties),
        "limit": SEARCH_MAX,
    }


def _from(name: str, value: int) -> dict[str, str]:
    return {"propertyName": name, "operator": "GTE", "value": str(value)}


def _asked(client: Client, wanted: Layout, body: dict[str, Any]) -> Any:
    kind = wanted.source.kind
    return client.post(
        _paths.search(kind),
        body,
        where=_where(wanted),
        needs=_paths.read_scope(kind),
        window=SEARCHES,
    ).body


def _where(wanted: Layout) -> str:
    return f"searching {wanted.source.kind}"


def _last(records: Sequence[Record], behind: int, where: str) -> int:
    if not records:
        return behind
    said = str(records[-1].get("id"))
    if not said.isdecimal() or int(said) <= behind:
        raise unreadable(where)  # it would go round for ever
    return int(said)


def _total(body: Any, where: str) -> int:
    total = body.get("total") if isinstance(body, dict) else None
    if not isinstance(total, int):
        raise unreadable(where)
    return total
