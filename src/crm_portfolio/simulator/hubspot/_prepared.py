"""What do records look like in the table of their kind?"""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.simulator._store import SqlType, Store, quoted

__all__ = ["OURS", "STAMPS", "columns_of", "prepared", "set_columns"]

OURS: Final[Mapping[str, SqlType]] = {
    "$id": "BIGINT",
    "$created": "TIMESTAMP",
    "$updated": "TIMESTAMP",
    "$archived": "BOOLEAN",
    "$archived_at": "TIMESTAMP",
    "$merged_into": "BIGINT",
    "$indexed": "TIMESTAMP",  # from when search finds this state of the record
}
# Held in columns of our own, shown as properties.
STAMPS: Final[Mapping[str, str]] = {
    "hs_object_id": "$id",
    "createdate": "$created",
    "hs_createdate": "$created",
    "hs_lastmodifieddate": "$updated",
    "lastmodifieddate": "$updated",
}

_MOMENT: Final = pa.timestamp("us")


def prepared(
    rows: pa.Table, texts: Container[str], *, stamp: str, now: datetime
) -> pa.Table:
    """The texts as they are, and the columns of our own made from what was given."""
    count, own = len(rows), dict(zip(rows.column_names, rows.columns, strict=True))
    this_moment = pa.repeat(pa.scalar(now, _MOMENT), count)
    created = _moments(own.get("createdate", own.get("hs_createdate")), this_moment)
    updated = _moments(own.get(stamp), created)
    archived_at = own.get("archived_at", pa.nulls(count, _MOMENT))
    ours = {
        "$id": own["id"],
        "$created": created,
        "$updated": updated,
        "$archived": pc.is_valid(archived_at),
        "$archived_at": archived_at,
        "$merged_into": own.get("merged_into", pa.nulls(count, pa.int64())),
        "$indexed": pc.min_element_wise(updated, this_moment),
    }
    kept = {name: column for name, column in own.items() if name in texts}
    return pa.table({**ours, **kept}).sort_by("$id")


def columns_of(values: Mapping[str, str | None]) -> dict[str, Any]:
    """Where the texts of a write stand; the day of making may be written."""
    columns: dict[str, Any] = {n: v for n, v in values.items() if n not in STAMPS}
    made = values.get("createdate", values.get("hs_createdate"))
    if made is not None:
        moment = datetime.fromisoformat(made).astimezone(UTC)
        columns["$created"] = moment.replace(tzinfo=None)
    return columns


def set_columns(
    store: Store, kind: str, changes: Mapping[int, Mapping[str, Any]]
) -> None:
    """Set columns of records by id, by one statement for those that change alike."""
    alike: dict[tuple[str, ...], dict[int, Mapping[str, Any]]] = {}
    for record_id, values in changes.items():
        alike.setdefault(tuple(values), {})[record_id] = values
    for names, group in alike.items():
        given = [f"unnest(?::{OURS.get(n, 'VARCHAR')}[]) AS {quoted(n)}" for n in names]
        settings = [f"{quoted(n)} = given.{quoted(n)}" for n in names]
        store.rows(
            f"UPDATE {quoted(kind)} SET {', '.join(settings)} FROM (SELECT "  # noqa: S608
            f"unnest(?::BIGINT[]) AS wanted, {', '.join(given)}) given "
            f'WHERE {quoted(kind)}."$id" = wanted',
            [list(group), *([each[n] for each in group.values()] for n in names)],
        )


def _moments(texts: pa.ChunkedArray | None, otherwise: pa.Array) -> pa.Array:
    """Moments from ISO texts."""
    if texts is None:
        return otherwise
    known = pc.cast(pc.replace_substring(texts, "Z", ""), _MOMENT)
    return pc.coalesce(known, otherwise)
