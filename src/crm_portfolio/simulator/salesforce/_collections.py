"""How are many records written, deleted or read in one call?

vendor docs: always 200, one entry per record, in the order of the request; at most 200
records and 10 changes of object type.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.salesforce._call import DATA, Call, Route
from crm_portfolio.simulator.salesforce._checks import must_be_allowed
from crm_portfolio.simulator.salesforce._ids import to_18
from crm_portfolio.simulator.salesforce._metadata import Field
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._records import (
    bodies,
    chosen_fields,
    key_field,
    saves_duplicates,
)
from crm_portfolio.simulator.salesforce._refusal import Refusal, json_reply
from crm_portfolio.simulator.salesforce._write import (
    Row,
    Saved,
    create,
    delete,
    rolled_back,
    update,
    upsert,
)

__all__ = ["MAX_COLLECTION", "ROUTES"]

MAX_COLLECTION: Final = 200
_MAX_CHUNKS: Final = 10
_COLLECTION_READ_BY_GET: Final = 800  # unverified


def _read(org: Org, call: Call) -> Reply:
    """Many records by id, each in its place."""
    entity = org.catalogue.object(call.parts["object"])
    if call.request.method == "GET":
        asked = call.request.query
        ids, names = asked.get("ids", "").split(","), asked.get("fields", "").split(",")
        most = _COLLECTION_READ_BY_GET
    else:
        body = call.json()
        ids, names = _listed(body, "ids"), _listed(body, "fields")
        most = org.assumptions.collection_read_max
    if not any(ids) or not any(names):
        raise Refusal("MISSING_ARGUMENT", "ids and fields are required")
    if len(ids) > most:
        message = f"record limit reached. cannot submit more than {most} records"
        raise Refusal("EXCEEDED_ID_LIMIT", message)
    fields = org.access.fields(entity.name)
    if fields is None:
        return json_reply([None] * len(ids))
    full = [to_18(str(given)) or "" for given in ids]
    found = bodies(org, call, entity, full, chosen_fields(entity, fields, names))
    # vendor docs: what is invalid, gone or out of reach is null, in its place.
    text = "[" + ",".join(found.get(record_id, "null") for record_id in full) + "]"
    return Reply(200, text.encode(), json_reply({}).headers)


def _listed(body: Mapping[str, Any], key: str) -> list[Any]:
    value = body.get(key) or []
    if not isinstance(value, list):
        raise Refusal("JSON_PARSER_ERROR", f"a list is expected in {key}")
    return value


def _records(call: Call) -> tuple[list[Any], bool]:
    body = call.json()
    unknown = set(body) - {"allOrNone", "records"}
    if unknown:
        message = f'Unrecognized field "{sorted(unknown)[0]}" at [line:1, column:1]'
        raise Refusal("JSON_PARSER_ERROR", message)
    records = body.get("records")
    if not isinstance(records, list) or not records:
        raise Refusal("MISSING_ARGUMENT", "records are required")
    _must_fit(records)
    return records, str(body.get("allOrNone", False)).lower() == "true"


def _must_fit(records: Sequence[Any]) -> None:
    if len(records) > MAX_COLLECTION:
        # Code and text as reported by users of several clients.
        message = (
            "record limit reached. cannot submit more than 200 records into this call"
        )
        raise Refusal("EXCEEDED_ID_LIMIT", message)


def _rows(org: Org, call: Call) -> tuple[list[Row], bool]:
    records, all_or_none = _records(call)
    rows = [_row(org, record) for record in records]
    changes = sum(a.entity is not b.entity for a, b in itertools.pairwise(rows))
    if changes >= _MAX_CHUNKS:
        # vendor docs: at most 10 chunks of alternating types; the code is unverified.
        raise Refusal("INVALID_INPUT", "too many chunks of different object types")
    return rows, all_or_none


def _row(org: Org, record: Any) -> Row:
    attributes = record.get("attributes") if isinstance(record, dict) else None
    name = attributes.get("type") if isinstance(attributes, dict) else None
    entity = org.catalogue.find(str(name))
    if entity is None or org.access.fields(entity.name) is None:
        message = f"sObject type '{name}' is not supported."
        raise Refusal("INVALID_TYPE", message)
    # Recorded: both "id" and "Id" are taken.
    record_id = next((v for k, v in record.items() if k.lower() == "id"), None)
    values = {
        key: value
        for key, value in record.items()
        if key.lower() not in ("id", "attributes")
    }
    return Row(entity, None if record_id is None else str(record_id), values)


def _answers(results: Sequence[Refusal | str]) -> Reply:
    return json_reply(
        [
            result.row()
            if isinstance(result, Refusal)
            else {"id": result, "success": True, "errors": []}
            for result in results
        ]
    )


def _update(org: Org, call: Call) -> Reply:
    rows, all_or_none = _rows(org, call)
    return _answers(
        update(
            org,
            rows,
            by=org.user_id,
            all_or_none=all_or_none,
            saves_duplicates=saves_duplicates(call),
        )
    )


def _create(org: Org, call: Call) -> Reply:
    rows, all_or_none = _rows(org, call)
    return _answers(
        create(
            org,
            rows,
            by=org.user_id,
            all_or_none=all_or_none,
            saves_duplicates=saves_duplicates(call),
        )
    )


def _upsert(org: Org, call: Call) -> Reply:
    """By an external id, or by Id, which creates where it is not said."""
    entity = org.catalogue.object(call.parts["object"])
    key = key_field(org, entity, call.parts["key"])
    records, all_or_none = _records(call)
    rows = [_upsert_row(org, record, key) for record in records]
    good = [row for row in rows if isinstance(row, Row)]
    written = iter(
        upsert(
            org,
            good,
            key,
            by=org.user_id,
            all_or_none=all_or_none,
            saves_duplicates=saves_duplicates(call),
        )
    )
    results = [row if isinstance(row, Refusal) else next(written) for row in rows]
    return json_reply([_upserted(result) for result in results])


def _upsert_row(org: Org, record: Any, key: Field) -> Row | Refusal:
    if not isinstance(record, dict) or "attributes" not in record:
        # Recorded word by word.
        message = (
            "Nested object for polymorphic foreign key must have an attributes field "
            "before any other fields."
        )
        return Refusal("JSON_PARSER_ERROR", message)
    row = _row(org, record)
    if key.type != "id":
        return row
    return Row(row.entity, None, {**row.values, "Id": row.record_id})


def _upserted(result: Refusal | Saved) -> dict[str, Any]:
    """Recorded: as the other collections, and whether it was created."""
    if isinstance(result, Refusal):
        return {**result.row(), "created": False}
    done = {"id": result.record_id, "success": True, "errors": []}
    return {**done, "created": result.is_new}


def _delete(org: Org, call: Call) -> Reply:
    ids = [one for one in call.request.query.get("ids", "").split(",") if one]
    if not ids:
        raise Refusal("MISSING_ARGUMENT", "ids are required")
    _must_fit(ids)
    results = [_deletable(org, one) for one in ids]
    all_or_none = call.request.query.get("allOrNone", "false").lower() == "true"
    if all_or_none and any(isinstance(result, Refusal) for result in results):
        return _answers([rolled_back(result) for result in results])
    for result in results:
        if not isinstance(result, Refusal):
            entity = org.catalogue.by_prefix(result)
            assert entity is not None
            delete(org, entity, result, by=org.user_id)
    return _answers(results)


def _deletable(org: Org, said: str) -> Refusal | str:
    full = to_18(said)
    entity = org.catalogue.by_prefix(full or "")
    if full is None or entity is None:
        return Refusal("MALFORMED_ID", f"malformed id {said}")
    try:
        must_be_allowed(org, entity, "Delete", by=org.user_id)
    except Refusal as refusal:
        return refusal
    is_deleted = org.exist(entity, [full]).get(full)
    if is_deleted is None:
        return Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    return Refusal("ENTITY_IS_DELETED", "entity is deleted") if is_deleted else full


_ONE_TYPE: Final = DATA + "composite/sobjects/{object}"
ROUTES: Final[tuple[Route, ...]] = (
    Route("PATCH", DATA + "composite/sobjects", _update),
    Route("POST", DATA + "composite/sobjects", _create),
    Route("DELETE", DATA + "composite/sobjects", _delete),
    Route("GET", _ONE_TYPE, _read),
    Route("POST", _ONE_TYPE, _read),
    Route("PATCH", _ONE_TYPE + "/{key}", _upsert),
)
