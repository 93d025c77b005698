"""How do the queries behind a table become batches that can be resumed?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import attrs
import pyarrow as pa

from crm_portfolio.connectors.salesforce._legs import OVERLAP, Leg, Step
from crm_portfolio.connectors.salesforce._places import Place, Seen
from crm_portfolio.errors import SettingsError
from crm_portfolio.protocols import Batch, Cursor
from crm_portfolio.schema import TABLES, TableName

__all__ = ["batches", "beginning", "going_on"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Versions remembered for the next pull; rows without a key must not come twice.
_REMEMBERED: Final = 2_000
_REMEMBERED_WITHOUT_KEY: Final = 20_000


def beginning(
    table: TableName, since: Cursor | None, begun_at: datetime | None
) -> Place:
    """The place where a pull begins, whole or since another."""
    most = _REMEMBERED if TABLES[table].key else _REMEMBERED_WITHOUT_KEY
    if since is None:
        return Place(None, Seen(most), Seen(most), begun_at)
    before = _place_of(table, since)
    if not before.is_done:
        raise SettingsError(
            f"the cursor stands amid a pull of {table}: give it as resume"
        )
    asked = None if before.as_of is None else before.as_of - OVERLAP
    return Place(asked, before.seen, Seen(most), begun_at)


def going_on(table: TableName, resume: Cursor) -> Place:
    """The place a cursor tells of."""
    return _place_of(table, resume)


def _place_of(table: TableName, cursor: Cursor) -> Place:
    if cursor.table != table:
        raise SettingsError(f"the cursor is that of {cursor.table}, not of {table}")
    return Place.of(cursor.token)


def batches(
    table: TableName, legs: Sequence[Leg], place: Place, nothing: pa.Table
) -> Iterator[Batch]:
    """All the legs give from a place on, a batch for each page that holds something.

    Args:
        nothing: No rows, and the table's columns.
    """
    if place.is_done:
        yield _batch(table, Step(nothing, None), place)
        return
    while not place.is_done:
        for step in legs[place.leg].steps(place):
            place = _behind(step, place, len(legs))
            if place.is_done or len(step.rows) or step.gone is not None:
                yield _batch(table, step, place)


def _behind(step: Step, place: Place, leg_count: int) -> Place:
    newest = [moment for moment in (place.newest, step.newest) if moment is not None]
    is_over = step.spot is None
    leg = place.leg + is_over
    return attrs.evolve(
        place,
        newest=max(newest, default=None),
        seen=place.seen.and_also(step.versions),
        spot=step.spot,
        leg=leg,
        is_done=leg == leg_count,
    )


def _batch(table: TableName, step: Step, place: Place) -> Batch:
    gone = step.gone
    return Batch(
        table,
        rows=step.rows,
        cursor=Cursor(table, place.token(), place.as_of or _EPOCH),
        gone=gone if gone is not None and len(gone) else None,
        is_last=place.is_done,
    )
