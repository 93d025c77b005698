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
    table: TableName,
    legs: Sequence[Leg],
    place: Place,
    nothing: pa.Table,
    *,
    batch_rows: int,
) -> Iterator[Batch]:
    """All the legs give from a place on.

    Args:
        nothing: No rows, and the table's columns.
        batch_rows: Rows from which a batch is full.
    """
    if place.is_done:
        yield _batch(table, [], [], place, nothing)
        return
    while not place.is_done:
        parts: list[pa.Table] = []
        gone: list[pa.Table] = []
        for step in legs[place.leg].steps(place):
            place = _behind(step, place, len(legs))
            parts.append(step.rows)
            gone += [] if step.gone is None else [step.gone]
            rows = sum(len(part) for part in (*parts, *gone))
            # Legs differ in columns, so no batch holds rows of two of them.
            if place.is_done or rows >= batch_rows or (step.spot is None and rows):
                yield _batch(table, parts, gone, place, nothing)
                parts, gone = [], []


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


def _batch(
    table: TableName,
    parts: Sequence[pa.Table],
    gone: Sequence[pa.Table],
    place: Place,
    nothing: pa.Table,
) -> Batch:
    filled = [part for part in parts if len(part)] or [*parts[:1]] or [nothing]
    cursor = Cursor(table, place.token(), place.as_of or _EPOCH)
    left = pa.concat_tables(gone) if gone else None
    return Batch(
        table,
        rows=pa.concat_tables(filled),
        cursor=cursor,
        gone=left if left is not None and len(left) else None,
        is_last=place.is_done,
    )
