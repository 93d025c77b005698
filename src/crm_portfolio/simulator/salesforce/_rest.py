"""Which route does what?

Every handler gets the org and the call and returns a reply or raises a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import attrs

from crm_portfolio.simulator._server import Reply, Request
from crm_portfolio.simulator.salesforce._call import Call, Handler, readable
from crm_portfolio.simulator.salesforce._describe import described, listed
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._query import compile_query
from crm_portfolio.simulator.salesforce._records import (
    MAX_COLLECTION,
    create_collection,
    create_one,
    read_collection,
    record,
    update_collection,
    update_one,
)
from crm_portfolio.simulator.salesforce._refusal import Refusal, json_reply
from crm_portfolio.simulator.salesforce._setup import create_custom_field
from crm_portfolio.simulator.salesforce._soql import parse

__all__ = ["ROUTES", "Route", "matched"]

_PAGE: Final = 2000
_SMALLEST_PAGE: Final = 200


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
    body = {"encoding": "UTF-8", "maxBatchSize": MAX_COLLECTION, "sobjects": entries}
    return json_reply(body)


def _describe(org: Org, call: Call) -> Reply:
    entity, fields = readable(org, call.parts["object"])
    shown = [(field, org.access.may_edit(entity, field)) for field in fields.values()]
    seen = org.access.as_seen(entity)
    return json_reply(described(seen, shown, version=call.version))


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
    Route("GET", _DATA + "sobjects/{object}/{id}", record),
    Route("PATCH", _DATA + "sobjects/{object}/{id}", update_one),
    Route("POST", _DATA + "sobjects/{object}", create_one),
    Route("PATCH", _DATA + "composite/sobjects", update_collection),
    Route("POST", _DATA + "composite/sobjects", create_collection),
    Route("GET", _DATA + "composite/sobjects/{object}", read_collection),
    Route("POST", _DATA + "composite/sobjects/{object}", read_collection),
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
