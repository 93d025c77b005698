"""How many calls should a pull take?

Each object is counted, which costs a call each, but for those that fit one page in
almost every org; the rest is arithmetic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from crm_portfolio.connectors.salesforce._history import FieldChangesLeg, SnapshotsLeg
from crm_portfolio.connectors.salesforce._jobs import Patience
from crm_portfolio.connectors.salesforce._legs import Leg, LogLeg, RecordsLeg
from crm_portfolio.connectors.salesforce._places import Place
from crm_portfolio.connectors.salesforce._pulling import beginning
from crm_portfolio.connectors.salesforce._rates import RatesLeg
from crm_portfolio.connectors.salesforce._reading import Select
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.connectors.salesforce._tables import Tables
from crm_portfolio.errors import CursorLostError, RightMissingError
from crm_portfolio.protocols import Cursor, Forecast, Org
from crm_portfolio.schema import TableName

__all__ = ["forecast"]

_PAGES_NAMED: Final = 5  # by one call to resultPages
_SMALL: Final[tuple[TableName, ...]] = ("stage", "owner")
_COUNT_CALLS: Final[Mapping[str, int]] = {"activity": 2, "contact": 1}


def forecast(
    tables: Tables,
    names: Sequence[TableName],
    since: Mapping[TableName, Cursor],
    settings: SalesforceSettings,
    org: Org,
    *,
    logs_in: bool,
) -> Forecast:
    """The calls of a pull, those before it and those of this answer included."""
    steps: Counter[str] = Counter({"log-in": int(logs_in), "identity": 2})
    for name in names:
        cursor = since.get(name)
        place = _beginning(name, cursor, tables.session.server_time)
        is_increment = place.since is not None
        legs, _ = tables.legs(name, None, is_increment=is_increment, org=org)
        if name in _SMALL:
            steps[name] = sum(_of_few(tables, leg, place, settings) for leg in legs)
            continue
        for leg in legs:
            steps[name] += _calls(tables, leg, place, settings, steps)
    steps["describe"] = tables.catalogue.described_count - 1  # one is the identity's
    return Forecast({step: calls for step, calls in steps.items() if calls})


def _beginning(name: TableName, cursor: Cursor | None, now: datetime | None) -> Place:
    try:
        return beginning(name, cursor, now)
    except CursorLostError:  # so the table comes whole
        return beginning(name, None, now)


def _of_few(
    tables: Tables, leg: Leg, place: Place, settings: SalesforceSettings
) -> int:
    select = _select(leg, place)
    is_job = select is not None and tables.reader.goes_by_bulk(select, 0)
    return _by_bulk(0, settings) if is_job else 1


def _calls(
    tables: Tables,
    leg: Leg,
    place: Place,
    settings: SalesforceSettings,
    steps: Counter[str],
) -> int:
    if isinstance(leg, LogLeg):
        return 1
    if isinstance(leg, RatesLeg):
        return 2
    select = _select(leg, place)
    if select is None:
        return 0
    steps["count"] += 1
    try:
        total = tables.rest.count(select.query)
    except RightMissingError:
        if isinstance(leg, FieldChangesLeg):
            return 1
        raise
    if tables.reader.goes_by_bulk(select, total):
        return _by_bulk(total, settings)
    pages = max(1, -(-total // settings.page_size))
    counting = sum(_COUNT_CALLS[kind] for kind in settings.counts)
    is_counted = select.by_rest and isinstance(leg, RecordsLeg)
    return pages * (1 + counting if is_counted else 1)


def _select(leg: Leg, place: Place) -> Select | None:
    if isinstance(leg, RecordsLeg):
        return leg.select_since(place.since)
    if isinstance(leg, FieldChangesLeg) and not leg.lines:
        return None
    if isinstance(leg, SnapshotsLeg | FieldChangesLeg):
        return leg.select_since(place)
    return None


def _by_bulk(total: int, settings: SalesforceSettings) -> int:
    """The page that tells how many, the job, the looks at it, and its pages."""
    pages = max(1, -(-total // settings.bulk_page_rows))
    lists = -(-pages // _PAGES_NAMED) if pages > _PAGES_NAMED else 0
    told = int(settings.bulk == "auto")
    return told + 1 + Patience().looks(total) + pages + lists
