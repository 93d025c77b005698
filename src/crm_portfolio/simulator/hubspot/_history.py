"""What did a record's properties say before?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from crm_portfolio.simulator._store import SqlType, quoted
from crm_portfolio.simulator.hubspot._time import iso

if TYPE_CHECKING:
    from crm_portfolio.simulator.hubspot._portal import Portal

__all__ = ["COLUMNS", "first_values", "histories"]

History = dict[int, dict[str, list[dict[str, Any]]]]
_TABLE: Final = '"$history"'
COLUMNS: Final[Mapping[str, SqlType]] = {
    "object": "VARCHAR",
    "id": "BIGINT",
    "property": "VARCHAR",
    "value": "VARCHAR",
    "at": "TIMESTAMP",
    "source_type": "VARCHAR",
    "user_id": "VARCHAR",
}


def histories(
    portal: Portal, kind: str, ids: Sequence[int], names: Iterable[str]
) -> History:
    """By record and property, what it said and since when, newest first.

    A value whose changes nobody kept has stood since the record was made.
    """
    wanted = list(names)
    found: History = {record_id: {name: [] for name in wanted} for record_id in ids}
    rows = portal.store.rows(
        f"""SELECT id, property, value, "at", source_type, user_id FROM {_TABLE}
        WHERE object = ? AND id IN (SELECT unnest(?::BIGINT[]))
            AND property IN (SELECT unnest(?::VARCHAR[])) ORDER BY "at" DESC""",  # noqa: S608
        [kind, list(ids), wanted],
    )
    for record_id, name, value, at, source, user in rows:
        found[record_id][name].append(_entry(value, at, source, user))
    _supply(portal, kind, found, wanted)
    return found


def first_values(
    portal: Portal,
    kind: str,
    before: Mapping[int, Mapping[str, Any]],
    changes: Mapping[int, Iterable[str]],
) -> list[dict[str, Any]]:
    """What the changed properties said since the records were made, if nobody kept it."""
    known = set(
        portal.store.rows(
            f"""SELECT DISTINCT id, property FROM {_TABLE}
            WHERE object = ? AND id IN (SELECT unnest(?::BIGINT[]))""",  # noqa: S608
            [kind, list(changes)],
        )
    )
    return [
        {
            "object": kind, "id": record_id, "property": name,
            "value": before[record_id][name], "at": before[record_id]["$created"],
            "source_type": "IMPORT", "user_id": None,
        }
        for record_id, names in changes.items()
        for name in names
        if not name.startswith("$")
        and before[record_id][name] is not None
        and (record_id, name) not in known
    ]  # fmt: skip


def _supply(portal: Portal, kind: str, found: History, names: Sequence[str]) -> None:
    stored = [name for name in names if name in set(portal.stored(kind))]
    chosen = ", ".join(map(quoted, stored))
    rows = portal.store.rows(
        f"""SELECT "$id", "$created" {"," if stored else ""} {chosen} FROM {quoted(kind)}
        WHERE "$id" IN (SELECT unnest(?::BIGINT[]))""",  # noqa: S608
        [list(found)],
    )
    for record_id, made, *values in rows:
        for name, value in zip(stored, values, strict=True):
            if value is not None and not found[record_id][name]:
                found[record_id][name].append(_entry(value, made, "IMPORT", None))


def _entry(value: str | None, at: Any, source: str, user: str | None) -> dict[str, Any]:
    # vendor docs: value, timestamp, sourceType; who and what stand only where known.
    entry = {"value": value or "", "timestamp": iso(at), "sourceType": source}
    return entry if user is None else {**entry, "updatedByUserId": int(user)}
