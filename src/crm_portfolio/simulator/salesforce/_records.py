"""How are records read, created and changed by id, one or many in a call?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.salesforce._call import Call, readable
from crm_portfolio.simulator.salesforce._ids import to_18
from crm_portfolio.simulator.salesforce._metadata import Field, SObject
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._pages import Column, Compiled
from crm_portfolio.simulator.salesforce._refusal import Refusal, json_reply
from crm_portfolio.simulator.salesforce._write import Row, create, update

__all__ = [
    "MAX_COLLECTION",
    "create_collection",
    "create_one",
    "read_collection",
    "record",
    "update_collection",
    "update_one",
]

MAX_COLLECTION: Final = 200
_MAX_CHUNKS: Final = 10
_COLLECTION_READ_BY_GET: Final = 800  # unverified


def record(org: Org, call: Call) -> Reply:
    """One record, all fields or those asked for."""
    entity, fields = readable(org, call.parts["object"])
    record_id = _one(org, entity, call.parts["id"])
    wanted = call.request.query.get("fields")
    names = wanted.split(",") if wanted else [field.name for field in fields.values()]
    bodies = _bodies(org, call, entity, [record_id], _chosen(entity, fields, names))
    return Reply(200, bodies[record_id].encode(), json_reply({}).headers)


def _one(org: Org, entity: SObject, given: str) -> str:
    full = to_18(given)
    if full is None:
        # Recorded: the service takes a text that is no id for an external id.
        message = (
            f"Provided external ID field does not exist or is not accessible: {given}"
        )
        raise Refusal("NOT_FOUND", message, status=404)
    is_deleted = org.exist(entity, [full]).get(full)
    if is_deleted is None:
        raise Refusal("NOT_FOUND", "The requested resource does not exist", status=404)
    if is_deleted:
        raise Refusal("ENTITY_IS_DELETED", "entity is deleted", status=404)
    return full


def _chosen(
    entity: SObject, fields: Mapping[str, Field], names: Sequence[Any]
) -> list[Field]:
    chosen = []
    for name in names:
        field = fields.get(str(name).strip().lower())
        if field is None:
            message = f"No such column '{name}' on sobject of type {entity.name}"
            raise Refusal("INVALID_FIELD", message)
        if field not in chosen:
            chosen.append(field)
    return chosen


def _bodies(
    org: Org, call: Call, entity: SObject, ids: Sequence[str], fields: Sequence[Field]
) -> dict[str, str]:
    """The JSON text of each record that there is and that is not deleted."""
    columns = [Column(("",), '"Id"', "id", entity.name)]
    columns += [Column((f.name,), f'"{f.name}"', f.type) for f in fields]
    compiled = Compiled("", (), tuple(columns), is_aggregate=False)
    alive = ' AND NOT "IsDeleted"' if entity.has_deleted else ""
    body = compiled.record_sql(call.version)
    found = org.store.rows(
        f'SELECT "Id", to_json({body}) FROM "{entity.name}" '  # noqa: S608
        f'WHERE "Id" IN (SELECT unnest(?)){alive}',
        [list(ids)],
    )
    return dict(found)


def read_collection(org: Org, call: Call) -> Reply:
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
    found = _bodies(org, call, entity, full, _chosen(entity, fields, names))
    # vendor docs: what is invalid, gone or out of reach is null, in its place.
    text = "[" + ",".join(found.get(record_id, "null") for record_id in full) + "]"
    return Reply(200, text.encode(), json_reply({}).headers)


def _listed(body: Mapping[str, Any], key: str) -> list[Any]:
    value = body.get(key) or []
    if not isinstance(value, list):
        raise Refusal("JSON_PARSER_ERROR", f"a list is expected in {key}")
    return value


def _rows(org: Org, call: Call) -> tuple[list[Row], bool]:
    body = call.json()
    unknown = set(body) - {"allOrNone", "records"}
    if unknown:
        message = f'Unrecognized field "{sorted(unknown)[0]}" at [line:1, column:1]'
        raise Refusal("JSON_PARSER_ERROR", message)
    records = body.get("records")
    if not isinstance(records, list) or not records:
        raise Refusal("MISSING_ARGUMENT", "records are required")
    if len(records) > MAX_COLLECTION:
        # Code and text as reported by users of several clients.
        message = (
            "record limit reached. cannot submit more than 200 records into this call"
        )
        raise Refusal("EXCEEDED_ID_LIMIT", message)
    rows = [_row(org, record) for record in records]
    changes = sum(a.entity is not b.entity for a, b in itertools.pairwise(rows))
    if changes >= _MAX_CHUNKS:
        # vendor docs: at most 10 chunks of alternating types; the code is unverified.
        raise Refusal("INVALID_INPUT", "too many chunks of different object types")
    return rows, str(body.get("allOrNone", False)).lower() == "true"


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
    """Vendor docs: always 200, one entry per record, in the order of the request."""
    return json_reply(
        [
            result.row()
            if isinstance(result, Refusal)
            else {"id": result, "success": True, "errors": []}
            for result in results
        ]
    )


def update_collection(org: Org, call: Call) -> Reply:
    """Up to 200 records, judged row by row."""
    rows, all_or_none = _rows(org, call)
    return _answers(update(org, rows, by=org.user_id, all_or_none=all_or_none))


def create_collection(org: Org, call: Call) -> Reply:
    """Up to 200 new records."""
    rows, all_or_none = _rows(org, call)
    return _answers(create(org, rows, by=org.user_id, all_or_none=all_or_none))


def update_one(org: Org, call: Call) -> Reply:
    """One record."""
    entity, _ = readable(org, call.parts["object"])
    record_id = _one(org, entity, call.parts["id"])
    (result,) = update(org, [Row(entity, record_id, call.json())], by=org.user_id)
    if isinstance(result, Refusal):
        raise result
    return Reply(204)


def create_one(org: Org, call: Call) -> Reply:
    """One new record."""
    entity, _ = readable(org, call.parts["object"])
    (result,) = create(org, [Row(entity, None, call.json())], by=org.user_id)
    if isinstance(result, Refusal):
        raise result
    place = f"/services/data/{call.version}/sobjects/{entity.name}/{result}"
    body = {"id": result, "success": True, "errors": []}
    return json_reply(body, status=201, headers={"location": place})
