"""Which properties of ours were set since when, to what, and by whom?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import pyarrow as pa

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._mapping import edits_table
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._columns import Record
from crm_portfolio.connectors.hubspot._fields import OUR_PROPERTIES
from crm_portfolio.connectors.hubspot._objects import batch_read
from crm_portfolio.connectors.hubspot._refusals import unreadable
from crm_portfolio.schema import WritableTable

__all__ = ["edits"]


def edits(
    client: Client,
    table: WritableTable,
    kind: str,
    ids: Sequence[str],
    columns: Sequence[str],
    *,
    since: datetime,
) -> pa.Table:
    """What was set, oldest first; a call for each fifty records.

    Args:
        since: By our clock. Where the portal's is behind, it is the portal's that counts.
    """
    names = {OUR_PROPERTIES[table][column]: column for column in columns}
    distinct = list(dict.fromkeys(ids))
    found = batch_read(client, kind, distinct, (), history=list(names))
    here = client.server_time
    if here is not None:
        since = min(since, here - timedelta(seconds=_assumptions.EDITS_REACH_SECONDS))
    told = [
        (record_id, names[name], at, value, by)
        for record_id, record in found.items()
        for name in names
        for at, value, by in _entries(record, name)
        if at >= since
    ]
    # Stable: of what came in one moment, the first stays first.
    return edits_table(sorted(told, key=itemgetter(2)))


def _entries(
    record: Record, name: str
) -> Iterator[tuple[datetime, str | None, str | None]]:
    """The values of one property, oldest first; they come newest first."""
    history = record.get("propertiesWithHistory")
    said = history.get(name) if isinstance(history, dict) else None
    for entry in reversed(said or ()):
        try:
            at = datetime.fromisoformat(str(entry["timestamp"]))
        except (KeyError, TypeError, ValueError):
            raise unreadable("reading the history of properties") from None
        if at.tzinfo is None:
            raise unreadable("reading the history of properties")
        yield at, str(entry.get("value") or "") or None, _who(entry)


def _who(entry: dict[str, Any]) -> str | None:
    for key in _assumptions.HISTORY_AUTHORS:
        if entry.get(key):
            return str(entry[key])
    return None
