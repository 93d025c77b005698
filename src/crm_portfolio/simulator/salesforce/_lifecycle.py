"""How do records leave, come back, and become one?

vendor docs: a deleted record lies in the recycle bin, seen only by queryAll, and takes
along what cannot be without it; a merge deletes the losers, which name the winner, and
moves what hung on them; a hard delete leaves nothing for queryAll.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from crm_portfolio.simulator._store import StoredValue, quoted
from crm_portfolio.simulator.salesforce._metadata import SObject
from crm_portfolio.simulator.salesforce._org import GONE, Org

__all__ = ["archive", "delete", "hard_delete", "merge", "stamp", "undelete"]

_CHUNK: Final = 1000


def delete(org: Org, entity: SObject, record_id: str, *, by: str) -> None:
    """Into the recycle bin, with what goes down with it, all under one stamp."""
    org.clock.advance()
    _mark(org, entity, [record_id], by=by, is_deleted=True)


def undelete(org: Org, entity: SObject, record_id: str, *, by: str) -> None:
    """Out of the recycle bin, with what went down with it."""
    ((gone_at,),) = org.store.rows(
        f"SELECT any_value(moment) FROM {quoted(GONE)} WHERE id = ?",  # noqa: S608
        [record_id],
    )
    org.clock.advance()
    _mark(org, entity, [record_id], by=by, is_deleted=False, since=gone_at)


def _mark(
    org: Org,
    entity: SObject,
    ids: Sequence[str],
    *,
    by: str,
    is_deleted: bool,
    since: Any = None,
) -> None:
    marks: dict[str, StoredValue] = {**org.changed(entity, by), "IsDeleted": is_deleted}
    sets = ", ".join(
        f"{quoted(name)} = ${place}" for place, name in enumerate(marks, 2)
    )
    org.store.rows(
        f'UPDATE {quoted(entity.name)} SET {sets} WHERE "Id" IN (SELECT unnest($1))',  # noqa: S608
        [list(ids), *marks.values()],
    )
    if is_deleted:
        _note_gone(org, entity, ids)
    else:
        org.store.delete(GONE, "id IN (SELECT unnest(?))", [list(ids)])
    for child, link in org.catalogue.children(entity.name):
        if not (link.cascades and child.has_deleted):
            continue
        where = f'{quoted(link.name)} IN (SELECT unnest($1)) AND "IsDeleted" = $2'
        bound: list[Any] = [list(ids), not is_deleted]
        if since is not None:
            where += f' AND "Id" IN (SELECT id FROM {quoted(GONE)} WHERE moment = $3)'  # noqa: S608
            bound.append(since)
        found = org.store.rows(
            f'SELECT "Id" FROM {quoted(child.name)} WHERE {where}',  # noqa: S608
            bound,
        )
        below = [one for (one,) in found]
        if below:
            _mark(org, child, below, by=by, is_deleted=is_deleted, since=since)


def _note_gone(org: Org, entity: SObject, ids: Sequence[str]) -> None:
    org.store.rows(
        f"INSERT INTO {quoted(GONE)} SELECT unnest($1), $2, $3, FALSE",
        [list(ids), entity.name, org.clock.stored],
    )


def hard_delete(org: Org, entity: SObject, record_id: str, *, by: str) -> None:
    """For good: not even queryAll shows it."""
    known = org.exist(entity, [record_id])
    if not known.get(record_id, True):
        delete(org, entity, record_id, by=by)
    org.store.delete(entity.name, '"Id" = ?', [record_id])
    org.store.rows(
        f"UPDATE {quoted(GONE)} SET for_good = TRUE WHERE id = ?",  # noqa: S608
        [record_id],
    )


def merge(
    org: Org, entity: SObject, winner: str, losers: Sequence[str], *, by: str
) -> None:
    """The losers go into the bin and name the winner, which gets what hung on them."""
    org.clock.advance()
    for child, link in org.catalogue.children(entity.name):
        if link.name != "MasterRecordId":
            marks = {link.name: winner, **org.changed(child, by)}
            sets = ", ".join(
                f"{quoted(n)} = ${place}" for place, n in enumerate(marks, 2)
            )
            org.store.rows(
                f"UPDATE {quoted(child.name)} SET {sets} "  # noqa: S608
                f"WHERE {quoted(link.name)} IN (SELECT unnest($1))",
                [list(losers), *marks.values()],
            )
    marks = org.changed(entity, by)
    gone: dict[str, StoredValue] = {**marks, "IsDeleted": True}
    if "MasterRecordId" in entity.fields:
        gone["MasterRecordId"] = winner
    org.store.update(entity.name, [{"Id": loser, **gone} for loser in losers])
    org.store.update(entity.name, [{"Id": winner, **marks}])
    _note_gone(org, entity, losers)


def stamp(org: Org, entity: SObject, ids: Sequence[str] | None, *, by: str) -> int:
    """One automation writes many records in the same second; None: all of them."""
    org.clock.advance()
    marks = org.changed(entity, by)
    sets = ", ".join(
        f"{quoted(name)} = ${place}" for place, name in enumerate(marks, 1)
    )
    bound: list[Any] = [*marks.values()]
    where = ""
    if ids is not None:
        where = f' WHERE "Id" IN (SELECT unnest(${len(bound) + 1}))'
        bound.append(list(ids))
    ((count,),) = org.store.rows(
        f"UPDATE {quoted(entity.name)} SET {sets}{where}",  # noqa: S608
        bound,
    )
    return int(count)


def archive(org: Org, entity: SObject, ids: Sequence[str]) -> None:
    """Activities move to where only queryAll finds them, without a new stamp."""
    org.store.rows(
        f'UPDATE {quoted(entity.name)} SET "IsArchived" = TRUE '  # noqa: S608
        'WHERE "Id" IN (SELECT unnest(?))',
        [list(ids)],
    )
