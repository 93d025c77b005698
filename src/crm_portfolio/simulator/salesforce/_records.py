"""How is one record read, created, changed or deleted, by its id or an external one?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.salesforce._call import DATA, Call, Route, readable
from crm_portfolio.simulator.salesforce._checks import must_be_allowed
from crm_portfolio.simulator.salesforce._compiled import Column, Compiled
from crm_portfolio.simulator.salesforce._describe import listed
from crm_portfolio.simulator.salesforce._ids import to_18
from crm_portfolio.simulator.salesforce._metadata import Field, SObject
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._refusal import Refusal, json_reply
from crm_portfolio.simulator.salesforce._scope import column_sql
from crm_portfolio.simulator.salesforce._values import stored_value
from crm_portfolio.simulator.salesforce._write import (
    Row,
    Saved,
    create,
    delete,
    update,
    upsert,
    with_key,
)

__all__ = ["ROUTES", "bodies", "chosen_fields", "key_field", "saves_duplicates"]

_SAYS_CREATED: Final = 46


def _read(org: Org, call: Call) -> Reply:
    """One record, all fields or those asked for."""
    entity, fields = readable(org, call.parts["object"])
    return _shown(org, call, entity, fields, _one(org, entity, call.parts["id"]))


def _read_by_key(org: Org, call: Call) -> Reply:
    entity, fields = readable(org, call.parts["object"])
    ids = _keyed(org, call, entity)
    if len(ids) > 1:
        return _several(call, entity, ids)
    if not ids:
        raise Refusal("NOT_FOUND", "The requested resource does not exist", status=404)
    return _shown(org, call, entity, fields, ids[0])


def _shown(
    org: Org, call: Call, entity: SObject, fields: Mapping[str, Field], record_id: str
) -> Reply:
    wanted = call.request.query.get("fields")
    names = wanted.split(",") if wanted else [field.name for field in fields.values()]
    chosen = chosen_fields(entity, fields, names)
    found = bodies(org, call, entity, [record_id], chosen)
    return Reply(200, found[record_id].encode(), json_reply({}).headers)


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


def _keyed(org: Org, call: Call, entity: SObject) -> list[str]:
    """The records with the external id of the path."""
    key = key_field(org, entity, call.parts["key"])
    value = stored_value(org.catalogue, key, call.parts["value"])
    return with_key(org, entity, key, value)


def key_field(org: Org, entity: SObject, name: str) -> Field:
    """The field by which records are looked up; recorded: 404 where there is none."""
    field = (org.access.fields(entity.name) or {}).get(name.lower())
    if field is None or not field.is_key:
        message = (
            f"Provided external ID field does not exist or is not accessible: {name}"
        )
        raise Refusal("NOT_FOUND", message, status=404)
    return field


def _several(call: Call, entity: SObject, ids: Sequence[str]) -> Reply:
    """Recorded: 300 and where each of them is."""
    root = f"/services/data/{call.version}/sobjects/{entity.name}/"
    return json_reply([root + record_id for record_id in ids], status=300)


def chosen_fields(
    entity: SObject, fields: Mapping[str, Field], names: Sequence[Any]
) -> list[Field]:
    """The fields of these names, each once."""
    chosen = []
    for name in names:
        field = fields.get(str(name).strip().lower())
        if field is None:
            message = f"No such column '{name}' on sobject of type {entity.name}"
            raise Refusal("INVALID_FIELD", message)
        if field not in chosen:
            chosen.append(field)
    return chosen


def bodies(
    org: Org, call: Call, entity: SObject, ids: Sequence[str], fields: Sequence[Field]
) -> dict[str, str]:
    """The JSON text of each record that there is and that is not deleted."""
    columns = [Column(("",), 'r."Id"', "id", entity.name)]
    columns += [Column((f.name,), column_sql("r", f), f.type) for f in fields]
    compiled = Compiled("", (), tuple(columns), is_aggregate=False)
    alive = ' AND NOT "IsDeleted"' if entity.has_deleted else ""
    body = compiled.record_sql(call.version)
    found = org.store.rows(
        f'SELECT r."Id", to_json({body}) FROM "{entity.name}" AS r '  # noqa: S608
        f'WHERE r."Id" IN (SELECT unnest(?)){alive}',
        [list(ids)],
    )
    return dict(found)


def saves_duplicates(call: Call) -> bool:
    """unverified: ``Sforce-Duplicate-Rule-Header: allowSave=true`` passes an alert."""
    said = call.request.headers.get("sforce-duplicate-rule-header", "")
    return "allowsave=true" in said.lower().replace(" ", "")


def _update(org: Org, call: Call) -> Reply:
    entity, _ = readable(org, call.parts["object"])
    record_id = _one(org, entity, call.parts["id"])
    row = Row(entity, record_id, call.json())
    (result,) = update(
        org, [row], by=org.user_id, saves_duplicates=saves_duplicates(call)
    )
    if isinstance(result, Refusal):
        raise result
    return Reply(204)


def _upsert(org: Org, call: Call) -> Reply:
    """201 created, 200 updated (204 before version 46, unverified), 300 several."""
    entity, _ = readable(org, call.parts["object"])
    key = key_field(org, entity, call.parts["key"])
    ids = _keyed(org, call, entity)
    if len(ids) > 1:
        return _several(call, entity, ids)
    row = Row(entity, None, {key.name: call.parts["value"], **call.json()})
    (result,) = upsert(
        org, [row], key, by=org.user_id, saves_duplicates=saves_duplicates(call)
    )
    if isinstance(result, Refusal):
        raise result
    if not result.is_new and float(call.version[1:]) < _SAYS_CREATED:
        return Reply(204)
    return _made(call, entity, result)


def _made(call: Call, entity: SObject, saved: Saved) -> Reply:
    done = {"id": saved.record_id, "success": True, "errors": []}
    place = f"/services/data/{call.version}/sobjects/{entity.name}/{saved.record_id}"
    headers = {"location": place} if saved.is_new else {}
    status = 201 if saved.is_new else 200
    return json_reply({**done, "created": saved.is_new}, status=status, headers=headers)


def _create(org: Org, call: Call) -> Reply:
    entity, _ = readable(org, call.parts["object"])
    row = Row(entity, None, call.json())
    (result,) = create(
        org, [row], by=org.user_id, saves_duplicates=saves_duplicates(call)
    )
    if isinstance(result, Refusal):
        raise result
    place = f"/services/data/{call.version}/sobjects/{entity.name}/{result}"
    body = {"id": result, "success": True, "errors": []}
    return json_reply(body, status=201, headers={"location": place})


def _delete(org: Org, call: Call) -> Reply:
    entity, _ = readable(org, call.parts["object"])
    record_id = _one(org, entity, call.parts["id"])
    must_be_allowed(org, entity, "Delete", by=org.user_id)
    if "d" not in entity.abilities:
        message = f"entity type cannot be deleted: {entity.label}"
        raise Refusal("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)
    delete(org, entity, record_id, by=org.user_id)
    return Reply(204)


def _basic(org: Org, call: Call) -> Reply:
    """Recorded: the object's entry in the list of all, and what was looked at lately."""
    entity, _ = readable(org, call.parts["object"])
    entry = listed(org.access.as_seen(entity), version=call.version)
    return json_reply({"objectDescribe": entry, "recentItems": []})


_ALL: Final = DATA + "sobjects/{object}"
_ONE: Final = _ALL + "/{id}"
_BY_KEY: Final = _ALL + "/{key}/{value}"
ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", _ALL, _basic),
    Route("POST", _ALL, _create),
    Route("GET", _ONE, _read),
    Route("PATCH", _ONE, _update),
    Route("DELETE", _ONE, _delete),
    Route("GET", _BY_KEY, _read_by_key),
    Route("PATCH", _BY_KEY, _upsert),
)
