"""How many calls should a pull take?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._columns import Layout
from crm_portfolio.connectors.hubspot._metadata import SMALL
from crm_portfolio.connectors.hubspot._objects import LIST_MAX
from crm_portfolio.connectors.hubspot._places import Place
from crm_portfolio.connectors.hubspot._search import SEARCH_MAX, count
from crm_portfolio.protocols import Cursor, Forecast
from crm_portfolio.schema import TableName

__all__ = ["forecast"]

# The owners who are here, and those who have left.
_SMALL_CALLS: Mapping[TableName, int] = {**dict.fromkeys(SMALL, 1), "owner": 2}


def forecast(
    client: Client,
    layouts: Mapping[TableName, Sequence[Layout]],
    small: Sequence[TableName],
    *,
    since: Mapping[TableName, Cursor],
    has_to_log_in: bool,
) -> Forecast:
    """The calls of a pull of these tables; one more for each kind of record, to count."""
    steps: dict[str, int] = {"log-in": 1} if has_to_log_in else {}
    kinds = [layout.source.kind for parts in layouts.values() for layout in parts]
    steps |= {"identity": 1, "properties": len(set(kinds)), "counting": len(kinds)}
    for table, parts in layouts.items():
        cursor = since.get(table)
        began = Place.of(cursor).began if cursor else None
        steps[table] = 0
        for layout in parts:
            records = count(client, layout, began)
            size = SEARCH_MAX if began else LIST_MAX
            steps[table] += max(math.ceil(records / size), 1)
        if began:
            steps[f"{table}: recycle bin"] = len(parts)
    steps |= {table: _SMALL_CALLS[table] for table in small}
    staged = {
        one.source.kind for parts in layouts.values() for one in parts if one.is_staged
    }
    named = staged - ({"deals"} if "stage" in small else set())
    if named:
        steps["names of stages"] = len(named)
    return Forecast(steps)
