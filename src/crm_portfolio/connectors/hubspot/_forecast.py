"""How many calls should a pull take?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from datetime import datetime

from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._columns import Layout
from crm_portfolio.connectors.hubspot._metadata import SMALL
from crm_portfolio.connectors.hubspot._objects import (
    BATCH_READ_MAX,
    HISTORY_MAX,
    LIST_MAX,
    fits_an_address,
)
from crm_portfolio.connectors.hubspot._places import Place
from crm_portfolio.connectors.hubspot._reading import is_much
from crm_portfolio.connectors.hubspot._search import SEARCH_MAX, count
from crm_portfolio.connectors.hubspot._writing import BATCH_WRITE_MAX
from crm_portfolio.errors import CursorLostError
from crm_portfolio.protocols import Cursor, Forecast
from crm_portfolio.schema import TableName

__all__ = ["forecast", "write_forecast"]

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
    looked_up: Mapping[str, int],
    sizes: MutableMapping[TableName, int],
    exports: Callable[[TableName, Sequence[Layout]], bool],
) -> Forecast:
    """The calls of a pull of these tables; one more for each kind of record, to count.

    Args:
        looked_up: What finding the layouts has cost.
        sizes: Takes how many records each table has.
        exports: Whether a table of that size is exported.
    """
    steps: dict[str, int] = {"log-in": 1} if has_to_log_in else {}
    all_of_them = [layout for parts in layouts.values() for layout in parts]
    steps |= {"identity": 1, **looked_up}
    counted = _Counted(client)
    for table, parts in layouts.items():
        place = _place(since.get(table))
        began = place.began if place else None
        steps[table] = 0
        for layout in parts:
            records = counted.records(layout, began)
            if not began:
                sizes[table] = records
            if place and began:
                steps[table] += _more_pages(records, layout, place.count)
            else:
                is_exported = exports(table, parts)
                steps[table] += (
                    _EXPORT_CALLS if is_exported else _pages(records, layout)
                )
        if place and began and parts and not parts[0].history:
            # A whole pull does not look into it, and nothing counts what is in it.
            step = "recycle bin" if place.binned else "recycle bin, at least"
            steps[f"{table}: {step}"] = max(place.binned, len(parts))
    steps["counting"] = len(counted.known)
    steps |= {table: _SMALL_CALLS[table] for table in small}
    staged = {layout.source.kind for layout in all_of_them if layout.is_staged}
    named = staged - ({"deals"} if "stage" in small else set())
    if named:
        steps["names of stages"] = len(named)
    return Forecast(steps)


def _place(cursor: Cursor | None) -> Place | None:
    """Since when a table is asked for; None: whole."""
    try:
        return Place.of(cursor) if cursor else None
    except CursorLostError:
        return None


class _Counted:
    """How many records of a kind there are or have changed, each asked for once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.known: dict[tuple[str, datetime | None], int] = {}

    def records(self, layout: Layout, since: datetime | None) -> int:
        what = layout.source.kind, since
        if what not in self.known:
            self.known[what] = count(self._client, layout, since)
        return self.known[what]


def _pages(records: int, layout: Layout) -> int:
    size = HISTORY_MAX if layout.history else LIST_MAX
    pages = max(math.ceil(records / size), 1)
    return pages if fits_an_address(layout) else 2 * pages


def _more_pages(changed: int, layout: Layout, of: int) -> int:
    if changed > SEARCH_MAX and is_much(changed, of):
        return 1 + _pages(max(of, changed), layout)
    pages = max(math.ceil(changed / SEARCH_MAX), 1)
    if layout.history:
        return pages + math.ceil(changed / HISTORY_MAX)
    # No search tells links; where a property tells them too, few pages need the call.
    return pages * (1 + len(layout.links)) if changed else pages


def write_forecast(
    count: int,
    *,
    is_logged_in: bool,
    is_introduced: bool,
    is_described: bool,
    are_stages_known: bool,
) -> Forecast:
    """The calls of reading so many records again, writing them, and their history."""
    steps = {
        "log-in": 0 if is_logged_in else 1,
        "identity": 0 if is_introduced else 1,
        "properties": 0 if is_described else 1,
        "stages": 0 if are_stages_known else 1,
        "re-read": math.ceil(count / BATCH_READ_MAX),
        "write": math.ceil(count / BATCH_WRITE_MAX),
        "history": math.ceil(count / HISTORY_MAX),
    }
    return Forecast({step: calls for step, calls in steps.items() if calls})
