"""Which route does what?

Every handler gets the org and the call and returns a reply or raises a refusal.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from crm_portfolio.simulator._server import Reply, Request
from crm_portfolio.simulator.salesforce._describe import described, listed
from crm_portfolio.simulator.salesforce._ids import to_18
from crm_portfolio.simulator.salesforce._metadata import Field, SObject
from crm_portfolio.simulator.salesforce._org import PERMISSION_OBJECTS, Org
from crm_portfolio.simulator.salesforce._pages import Column, Compiled, Pages
from crm_portfolio.simulator.salesforce._query import compile_query
from crm_portfolio.simulator.salesforce._refusal import Refusal, json_reply
from crm_portfolio.simulator.salesforce._setup import create_custom_field
from crm_portfolio.simulator.salesforce._soql import parse
from crm_portfolio.simulator.salesforce._write import Row, create, update

__all__ = ["ROUTES", "Call", "Route", "matched"]

_PAGE: Final = 2000
_SMALLEST_PAGE: Final = 200
_MAX_COLLECTION: Final = 200
_MAX_CHUNKS: Final = 10
_COLLECTION_READ_BY_GET: Final = 800  # unverified


@attrs.frozen
class Call:
    """One authenticated request: its route's parts, its session, the running user."""

    request: Request
    parts: Mapping[str, str]
    token: str
    pages: Pages
    used: int
    daily_limit: int

    @property
    def version(self) -> str:
        return self.parts["version"]

    def json(self) -> dict[str, Any]:
        try:
            body = json.loads(self.request.body)
        except ValueError as error:
            message = "Unexpected character at [line:1, column:1]"
            raise Refusal("JSON_PARSER_ERROR", message) from error
        if not isinstance(body, dict):
            raise Refusal("JSON_PARSER_ERROR", "an object is expected")
        return body


Handler = Callable[[Org, Call], Reply]


@attrs.frozen
class Route:
    """``name`` counts it; ``handler`` None: answered without a session."""

    method: str
    template: str
    handler: Handler | None

    @property
    def name(self) -> str:
        short = self.template.removeprefix("/services/data/{version}/")
        return f"{self.method} {short.removeprefix('/services/')}"


def _query(org: Org, call: Call) -> Reply:
    return _run_query(org, call, with_deleted=False)


def _query_all(org: Org, call: Call) -> Reply:
    return _run_query(org, call, with_deleted=True)


def _run_query(org: Org, call: Call, *, with_deleted: bool) -> Reply:
    soql = call.request.query.get("q")
    if not soql:
        raise Refusal("MALFORMED_QUERY", "A query string has to be specified")
    statement = parse(soql)
    compiled = compile_query(
        statement, org.access.fields, org.catalogue.find, with_deleted=with_deleted
    )
    if statement.is_count:
        # Recorded: SELECT COUNT() answers in totalSize, without records.
        ((total,),) = org.store.rows(compiled.sql, compiled.parameters)
        return json_reply({"totalSize": total, "done": True, "records": []})
    batch = _batch_size(call.request.headers.get("sforce-query-options", ""))
    return call.pages.first(
        compiled, token=call.token, batch=batch, version=call.version
    )


def _batch_size(options: str) -> int:
    """Vendor docs: a hint from 200 to 2000."""
    found = re.search(r"batchSize\s*=\s*(\d+)", options, re.IGNORECASE)
    return min(_PAGE, max(_SMALLEST_PAGE, int(found[1]))) if found else _PAGE


def _query_more(_org: Org, call: Call) -> Reply:
    return call.pages.next(
        call.parts["locator"], token=call.token, version=call.version
    )


def _sobjects(org: Org, call: Call) -> Reply:
    entries = [
        listed(org.access.as_seen(entity), version=call.version)
        for entity in org.catalogue.all()
        if org.access.fields(entity.name) is not None
    ]
    body = {"encoding": "UTF-8", "maxBatchSize": _MAX_COLLECTION, "sobjects": entries}
    return json_reply(body)


def _readable(org: Org, name: str) -> tuple[SObject, Mapping[str, Field]]:
    entity = org.catalogue.object(name)
    fields = org.access.fields(entity.name)
    if fields is None:
        raise Refusal("NOT_FOUND", "The requested resource does not exist", status=404)
    return entity, fields


def _describe(org: Org, call: Call) -> Reply:
    entity, fields = _readable(org, call.parts["object"])
    shown = [(field, org.access.may_edit(entity, field)) for field in fields.values()]
    seen = org.access.as_seen(entity)
    return json_reply(described(seen, shown, version=call.version))


def _record(org: Org, call: Call) -> Reply:
    entity, fields = _readable(org, call.parts["object"])
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


def _read_collection(org: Org, call: Call) -> Reply:
    entity = org.catalogue.object(call.parts["object"])
    if call.request.method == "GET":
        asked = call.request.query
        ids, names = asked.get("ids", "").split(","), asked.get("fields", "").split(",")
        most = _COLLECTION_READ_BY_GET
    else:
        body = call.json()
        ids, names = body.get("ids") or [], body.get("fields") or []
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


def _rows(org: Org, call: Call) -> tuple[list[Row], bool]:
    body = call.json()
    unknown = set(body) - {"allOrNone", "records"}
    if unknown:
        message = f'Unrecognized field "{sorted(unknown)[0]}" at [line:1, column:1]'
        raise Refusal("JSON_PARSER_ERROR", message)
    records = body.get("records")
    if not isinstance(records, list) or not records:
        raise Refusal("MISSING_ARGUMENT", "records are required")
    if len(records) > _MAX_COLLECTION:
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
    return rows, bool(body.get("allOrNone", False))


def _row(org: Org, record: Any) -> Row:
    attributes = record.get("attributes") if isinstance(record, dict) else None
    name = (attributes or {}).get("type")
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


def _update_collection(org: Org, call: Call) -> Reply:
    rows, all_or_none = _rows(org, call)
    return _answers(update(org, rows, by=org.user_id, all_or_none=all_or_none))


def _create_collection(org: Org, call: Call) -> Reply:
    rows, all_or_none = _rows(org, call)
    return _answers(create(org, rows, by=org.user_id, all_or_none=all_or_none))


def _update_one(org: Org, call: Call) -> Reply:
    entity, _ = _readable(org, call.parts["object"])
    record_id = _one(org, entity, call.parts["id"])
    (result,) = update(org, [Row(entity, record_id, call.json())], by=org.user_id)
    if isinstance(result, Refusal):
        raise result
    return Reply(204)


def _create_one(org: Org, call: Call) -> Reply:
    entity, _ = _readable(org, call.parts["object"])
    if entity.name in _ADMINISTRATIVE:
        right = _ADMINISTRATIVE[entity.name]
        org.access.demand(right, org.assumptions.refused_right_code)
    (result,) = create(org, [Row(entity, None, call.json())], by=org.user_id)
    if isinstance(result, Refusal):
        raise result
    place = f"/services/data/{call.version}/sobjects/{entity.name}/{result}"
    body = {"id": result, "success": True, "errors": []}
    return json_reply(body, status=201, headers={"location": place})


_ADMINISTRATIVE: Final = {
    "PermissionSet": "Manage Profiles and Permission Sets",
    PERMISSION_OBJECTS[0]: "Manage Profiles and Permission Sets",
    PERMISSION_OBJECTS[1]: "Assign Permission Sets",
}


def _create_custom_field(org: Org, call: Call) -> Reply:
    made = create_custom_field(org, call.json())
    return json_reply({"id": made, "success": True, "errors": []}, status=201)


# As recorded from an org, the ones that concern a data job.
_LIMITS: Final = {
    "DailyBulkApiBatches": 15_000,
    "DailyBulkV2QueryFileStorageMB": 976_562,
    "DailyBulkV2QueryJobs": 10_000,
    "DataStorageMB": 5_000,
    "FileStorageMB": 20_000,
    "HourlyAsyncReportRuns": 1_200,
    "HourlySyncReportRuns": 500,
    "MassEmail": 5_000,
    "PermissionSets": 1_500,
    "SingleEmail": 5_000,
    "StreamingApiConcurrentClients": 20,
}


def _limits(_org: Org, call: Call) -> Reply:
    left = max(0, call.daily_limit - call.used)
    requests = {"DailyApiRequests": {"Max": call.daily_limit, "Remaining": left}}
    others = {name: {"Max": most, "Remaining": most} for name, most in _LIMITS.items()}
    return json_reply({**requests, **others})


def _userinfo(org: Org, _call: Call) -> Reply:
    (user,) = org.store.records("User", '"Id" = ?', [org.user_id])
    (home,) = org.store.records("Organization")
    return json_reply(
        {
            "sub": f"https://login.salesforce.com/id/{org.org_id}/{org.user_id}",
            "user_id": org.user_id,
            "organization_id": org.org_id,
            "preferred_username": user["Username"],
            "name": user["Name"],
            "email": user["Email"],
            "zoneinfo": home["TimeZoneSidKey"],
            "user_type": "STANDARD",
            "active": True,
            "language": user["LanguageLocaleKey"],
            "locale": user["LocaleSidKey"],
        }
    )


_DATA: Final = "/services/data/{version}/"
ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", "/services/oauth2/token", None),
    Route("GET", "/services/oauth2/userinfo", _userinfo),
    Route("GET", _DATA + "query", _query),
    Route("GET", _DATA + "queryAll", _query_all),
    Route("GET", _DATA + "query/{locator}", _query_more),
    Route("GET", _DATA + "limits", _limits),
    Route("GET", _DATA + "sobjects", _sobjects),
    Route("GET", _DATA + "sobjects/{object}/describe", _describe),
    Route("GET", _DATA + "sobjects/{object}/{id}", _record),
    Route("PATCH", _DATA + "sobjects/{object}/{id}", _update_one),
    Route("POST", _DATA + "sobjects/{object}", _create_one),
    Route("PATCH", _DATA + "composite/sobjects", _update_collection),
    Route("POST", _DATA + "composite/sobjects", _create_collection),
    Route("GET", _DATA + "composite/sobjects/{object}", _read_collection),
    Route("POST", _DATA + "composite/sobjects/{object}", _read_collection),
    Route("POST", _DATA + "tooling/sobjects/CustomField", _create_custom_field),
)


def _pattern(template: str) -> re.Pattern[str]:
    named = template.replace("{version}", r"(?P<version>v\d+\.\d)")
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", named) + "/?")


_PATTERNS: Final = tuple((route, _pattern(route.template)) for route in ROUTES)


def matched(request: Request) -> tuple[Route, Mapping[str, str]]:
    """The route of a request and its parts; 404 or 405 if there is none."""
    others = []
    for route, pattern in _PATTERNS:
        found = pattern.fullmatch(request.path)
        if found and route.method == request.method:
            return route, found.groupdict()
        if found:
            others.append(route.method)
    if others:
        message = f"HTTP Method '{request.method}' not allowed. Allowed are {','.join(others)}"
        raise Refusal("METHOD_NOT_ALLOWED", message, status=405)
    raise Refusal("NOT_FOUND", "The requested resource does not exist", status=404)
