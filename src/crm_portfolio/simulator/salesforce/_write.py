"""What happens to the records that someone creates or changes?

Each row is judged by itself; a collection answers 200 and says per row what came of it.
Rows that are written together carry one stamp.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from crm_portfolio.simulator._store import StoredValue, quoted
from crm_portfolio.simulator.salesforce._checks import (
    Record,
    Row,
    checked,
    existing_id,
    must_be_complete,
    must_be_unique,
    must_pass,
    states,
)
from crm_portfolio.simulator.salesforce._consequences import followed, settle
from crm_portfolio.simulator.salesforce._lifecycle import delete
from crm_portfolio.simulator.salesforce._metadata import Field, SObject
from crm_portfolio.simulator.salesforce._org import PERMISSION_OBJECTS, Org
from crm_portfolio.simulator.salesforce._refusal import Refusal
from crm_portfolio.simulator.salesforce._values import stored_value

__all__ = [
    "Row",
    "Saved",
    "create",
    "delete",
    "rolled_back",
    "update",
    "upsert",
    "with_key",
]

_READING: Final = ("INVALID_FIELD", "INVALID_TYPE_ON_FIELD_IN_RECORD")


@attrs.frozen
class Saved:
    """The record that an upsert wrote."""

    record_id: str
    is_new: bool


def update(
    org: Org,
    rows: Sequence[Row],
    *,
    by: str,
    all_or_none: bool = False,
    saves_duplicates: bool = False,
) -> list[Refusal | str]:
    """For each row its id, or why it was refused. A person (``by``) sees all fields.

    Args:
        saves_duplicates: What the header says to duplicate rules that only alert.
    """
    org.clock.advance()
    known, before = states(org, rows), _before(org, rows)
    results: list[Refusal | str] = []
    accepted: dict[tuple[str, str], dict[str, StoredValue]] = {}
    for row in rows:
        try:
            record_id = existing_id(row, known)
            if by == org.user_id:
                org.must_be_free(record_id)
            values = checked(org, row, by=by, is_new=False)
            # A record that comes twice: the later row wins (unverified).
            earlier = accepted.get((row.entity.name, record_id), {})
            current = {**before[record_id], **earlier}
            values = followed(org, row.entity, current, values, is_new=False)
            must_be_unique(org, row.entity, record_id, values)
            must_pass(
                org,
                row.entity,
                record_id,
                {**current, **values},
                saves_duplicates=saves_duplicates,
            )
        except Refusal as refusal:
            results.append(_as_answered(org, refusal))
            continue
        results.append(record_id)
        accepted[row.entity.name, record_id] = {**earlier, **values}
    if all_or_none and any(isinstance(result, Refusal) for result in results):
        return [rolled_back(result) for result in results]
    _store(org, accepted, before, by=by)
    return results


def _store(
    org: Org,
    accepted: Mapping[tuple[str, str], Mapping[str, StoredValue]],
    before: Mapping[str, Record],
    *,
    by: str,
) -> None:
    for name in dict.fromkeys(name for name, _ in accepted):
        entity = org.catalogue.object(name)
        marks = org.changed(entity, by)
        group = {key: v for (of, key), v in accepted.items() if of == name}
        org.store.update(name, [{"Id": key, **v, **marks} for key, v in group.items()])
        changes = [(before[key], {**before[key], **v}) for key, v in group.items()]
        settle(org, entity, changes, by=by)
    _look_again(org, [name for name, _ in accepted])


def _before(org: Org, rows: Sequence[Row]) -> dict[str, dict[str, StoredValue]]:
    """The rows' records as they stand."""
    by_object: dict[str, list[str]] = {}
    for row in rows:
        if row.record_id:
            by_object.setdefault(row.entity.name, []).append(row.record_id[:15])
    return {
        str(record["Id"]): record
        for name, ids in by_object.items()
        for record in org.store.records(
            name, 'left("Id", 15) IN (SELECT unnest(?))', [ids]
        )
    }


def create(
    org: Org,
    rows: Sequence[Row],
    *,
    by: str,
    all_or_none: bool = False,
    saves_duplicates: bool = False,
) -> list[Refusal | str]:
    """For each row its new id, or why it was refused."""
    org.clock.advance()
    results: list[Refusal | str] = []
    made: dict[str, list[dict[str, StoredValue]]] = {}
    for row in rows:
        try:
            record = _new_record(org, row, by=by, saves_duplicates=saves_duplicates)
        except Refusal as refusal:
            results.append(_as_answered(org, refusal))
            continue
        results.append(str(record["Id"]))
        made.setdefault(row.entity.name, []).append(record)
    if all_or_none and any(isinstance(result, Refusal) for result in results):
        return [rolled_back(result) for result in results]
    for name, records in made.items():
        org.store.insert_records(name, records)
        changes: list[tuple[Record, Record]] = [({}, record) for record in records]
        settle(org, org.catalogue.object(name), changes, by=by)
    _look_again(org, made)
    return results


def _new_record(
    org: Org, row: Row, *, by: str, saves_duplicates: bool
) -> dict[str, StoredValue]:
    entity = row.entity
    if "c" not in entity.abilities:
        message = f"entity type cannot be inserted: {entity.label}"
        raise Refusal("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)
    values = checked(org, row, by=by, is_new=True)
    must_be_complete(entity, values)
    defaults: dict[str, StoredValue] = {
        field.name: False for field in entity.fields.values() if field.type == "boolean"
    }
    made: dict[str, StoredValue] = {
        "CreatedDate": org.clock.stored,
        "CreatedById": by,
        "OwnerId": by,
        "CurrencyIsoCode": org.currency,
    }
    defaults |= {name: value for name, value in made.items() if name in entity.fields}
    record = {**defaults, **values}
    record |= followed(org, entity, {}, record, is_new=True)
    must_be_unique(org, entity, "", record)
    must_pass(org, entity, "", record, saves_duplicates=saves_duplicates)
    return {**record, **org.changed(entity, by), "Id": org.new_id(entity.prefix)}


def upsert(
    org: Org,
    rows: Sequence[Row],
    key: Field,
    *,
    by: str,
    all_or_none: bool = False,
    saves_duplicates: bool = False,
) -> list[Refusal | Saved]:
    """Create or update by an external id, which each row says among its values."""
    found = _each_once(rows, [_sought(org, row, key) for row in rows], key)
    results: list[Refusal | Saved] = []
    for row, sought in zip(rows, found, strict=True):
        if isinstance(sought, Refusal):
            results.append(sought)
            continue
        values = _without(row.values, key.name) if sought else row.values
        target = attrs.evolve(row, record_id=sought or None, values=values)
        act = update if sought else create
        (result,) = act(org, [target], by=by, saves_duplicates=saves_duplicates)
        if isinstance(result, Refusal):
            results.append(result)
        else:
            results.append(Saved(result, is_new=not sought))
    if all_or_none and any(isinstance(result, Refusal) for result in results):
        return [
            result if isinstance(result, Refusal) else rolled_back("")
            for result in results
        ]
    return results


def _each_once(
    rows: Sequence[Row], found: Sequence[Refusal | str], key: Field
) -> list[Refusal | str]:
    """An external id that comes again in one request is refused (unverified: only then)."""
    seen: set[str] = set()
    once: list[Refusal | str] = []
    for row, sought in zip(rows, found, strict=True):
        said = str(_said(row, key)).lower()
        message = f"Duplicate external id specified: {_said(row, key)}"
        is_again = not isinstance(sought, Refusal) and said in seen and key.type != "id"
        once.append(Refusal("DUPLICATE_VALUE", message) if is_again else sought)
        seen.add(said)
    return once


def _said(row: Row, key: Field) -> Any:
    name = key.name.lower()
    return next((v for k, v in row.values.items() if k.lower() == name), None)


def _sought(org: Org, row: Row, key: Field) -> Refusal | str:
    """The id of the one record with the row's external id; empty if there is none."""
    said = _said(row, key)
    if said in (None, ""):
        if key.type == "id":
            return ""
        message = f"{key.name} not specified"
        return Refusal("MISSING_ARGUMENT", message, fields=(key.name,))
    try:
        value = stored_value(org.catalogue, key, said)
    except Refusal as refusal:
        return refusal
    ids = with_key(org, row.entity, key, value)
    if len(ids) > 1:
        message = f"{key.name}: more than one record found for external id field: {ids}"
        return Refusal("DUPLICATE_EXTERNAL_ID", message, fields=(key.name,))
    return ids[0] if ids else ""


def with_key(org: Org, entity: SObject, key: Field, value: StoredValue) -> list[str]:
    """The records that say that of a lookup key; text is compared without case."""
    alive = ' AND NOT "IsDeleted"' if entity.has_deleted else ""
    name, place = quoted(key.name), "?"
    if key.sql_type == "VARCHAR" and not key.is_link:
        name, place = f"lower({name})", "lower(?)"
    found = org.store.rows(
        f'SELECT "Id" FROM {quoted(entity.name)} WHERE {name} = {place}{alive} ORDER BY 1',  # noqa: S608
        [value],
    )
    return [record_id for (record_id,) in found]


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key.lower() != name.lower()}


def _as_answered(org: Org, refusal: Refusal) -> Refusal:
    is_reading = refusal.code in _READING
    if is_reading and org.assumptions.bad_value_refuses == "request":
        raise refusal
    return refusal


def rolled_back(result: Refusal | str) -> Refusal:
    """What a row hears that was good, where another was not."""
    if isinstance(result, Refusal):
        return result
    return Refusal(
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "Record rolled back because not all records were valid and the request was using "
        "AllOrNone header",
    )


def _look_again(org: Org, written: Sequence[str] | Mapping[str, object]) -> None:
    if any(name in PERMISSION_OBJECTS for name in written):
        org.access.look_again()
