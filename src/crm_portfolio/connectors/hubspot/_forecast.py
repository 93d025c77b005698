"""How many calls should a pull take?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from datetime import datetime

from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._columns import Layout
from crm_portfolio.connectors.hubspot._metadata import SMALL
from crm_portfolio.connectors.hubspot._objects import HISTORY_MAX, LIST_MAX
from crm_portfolio.connectors.hubspot._places import Place
from crm_portfolio.connectors.hubspot._search import SEARCH_MAX, count
from crm_portfolio.protocols import Cursor, Forecast
from crm_portfolio.schema import TableName

__all__ = ["forecast"]

# Asked for, asked after, what is new since, the count; how often it is asked after is
# HubSpot's to say.
_EXPORT_CALLS = 1 + 10 + 1 + 1
# The owners who are here, and those who have left.
_SMALL_CALLS: Mapping[TableName, int] = {**dict.fromkeys(SMALL, 1), "owner": 2}


def forecast(
    client: Client,
    layouts: Mapping[TableName, Sequence[Layout]],
    small: Sequence[TableName],
    *,
    since: Mapping[TableName, Cursor],
    has_to_log_in: bool,
    sizes: MutableMapping[TableName, int],
    exports: Callable[[TableName, Sequence[Layout]], bool],
) -> Forecast:
    """The calls of a pull of these tables; one more for each kind of record, to count.

    Args:
        sizes: Takes how many records each table has.
        exports: Whether a table of that size is exported.
    """
    steps: dict[str, int] = {"log-in": 1} if has_to_log_in else {}
    kinds = [layout.source.kind for parts in layouts.values() for layout in parts]
    steps |= {"identity": 1, "properties": len(set(kinds)), "counting": len(kinds)}
    for table, parts in layouts.items():
        cursor = since.get(table)
        began = Place.of(cursor).began if cursor else None
        steps[table] = 0
        for layout in parts:
            records = count(client, layout, began)
            if not began:
                sizes[table] = records
            is_exported = began is None and exports(table, parts)
            steps[table] += (
                _EXPORT_CALLS if is_exported else _pages(records, layout, began)
            )
        if began and not parts[0].history:
            steps[f"{table}: recycle bin"] = len(parts)
    steps |= {table: _SMALL_CALLS[table] for table in small}
    staged = {
        one.source.kind for parts in layouts.values() for one in parts if one.is_staged
    }
    named = staged - ({"deals"} if "stage" in small else set())
    if named:
        steps["names of stages"] = len(named)
    return Forecast(steps)


def _pages(records: int, layout: Layout, since: datetime | None) -> int:
    size = HISTORY_MAX if layout.history else LIST_MAX
    pages = max(math.ceil(records / (SEARCH_MAX if since else size)), 1)
    found_by_id = math.ceil(records / HISTORY_MAX) if since and layout.history else 0
    return pages + found_by_id
