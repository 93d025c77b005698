"""Which route does what?

Every handler gets the org and the call and returns a reply or raises a refusal.
"""

from __future__ import annotations

import zlib
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.salesforce import (
    _answers,
    _collections,
    _composite,
    _records,
    _replication,
)
from crm_portfolio.simulator.salesforce._call import DATA, Call, Route, readable
from crm_portfolio.simulator.salesforce._collections import MAX_COLLECTION
from crm_portfolio.simulator.salesforce._describe import described, listed
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._refusal import Refusal, json_reply
from crm_portfolio.simulator.salesforce._setup import create_custom_field

__all__ = ["ROUTES"]


def _unchanged(org: Org, call: Call) -> Reply | None:
    """Recorded: 304 without a body, where nothing changed since the caller looked."""
    said = call.request.headers.get("if-modified-since")
    changed_at = org.catalogue_changed_at
    try:
        since = parsedate_to_datetime(said) if said else None
    except ValueError:
        since = None
    if since is None or since < changed_at:
        return None
    told = format_datetime(changed_at, usegmt=True)
    tag = f'"{zlib.crc32(told.encode()):08x}"'
    return Reply(304, b"", {"etag": tag, "last-modified": told})


def _sobjects(org: Org, call: Call) -> Reply:
    if unchanged := _unchanged(org, call):
        return unchanged
    entries = [
        listed(org.access.as_seen(entity), version=call.version)
        for entity in org.catalogue.all()
        if org.access.fields(entity.name) is not None
    ]
    body = {"encoding": "UTF-8", "maxBatchSize": MAX_COLLECTION, "sobjects": entries}
    return json_reply(body)


def _describe(org: Org, call: Call) -> Reply:
    if unchanged := _unchanged(org, call):
        return unchanged
    entity, fields = readable(org, call.parts["object"])
    shown = [(field, org.access.may_edit(entity, field)) for field in fields.values()]
    seen = org.access.as_seen(entity)
    below = [
        (child, link)
        for child, link in org.catalogue.children(entity.name)
        if (org.access.fields(child.name) or {}).get(link.name.lower())
    ]
    return json_reply(described(seen, shown, below, version=call.version))


def _create_custom_field(org: Org, call: Call) -> Reply:
    made = create_custom_field(org, call.json())
    return json_reply({"id": made, "success": True, "errors": []}, status=201)


# As recorded from an org, the ones that concern a data job.
_LIMITS: Final = {
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
    bulk = {
        name: {"Max": most, "Remaining": left}
        for name, (most, left) in call.jobs.allowances.items()
    }
    return json_reply({**requests, **others, **bulk})


def _userinfo(org: Org, _call: Call) -> Reply:
    if not org.access.may("Access the identity URL service"):
        # unverified: the code; a token without the scope is refused by 403.
        message = "This session is not valid for use with the identity service"
        raise Refusal("INSUFFICIENT_ACCESS", message, status=403)
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


def _record_count(org: Org, call: Call) -> Reply:
    """Vendor docs: roughly how many records there are, deleted ones left out.

    unverified: of all of them, shared with whoever asks or not.
    """
    is_of_all = org.assumptions.record_count == "all"
    asked = call.request.query.get("sObjects", "")
    names = {name.strip().lower() for name in asked.split(",") if name.strip()}
    counts = []
    for entity in org.catalogue.all():
        is_asked = not names or entity.name.lower() in names
        if is_asked and org.access.fields(entity.name) is not None:
            asked_by = None if is_of_all else _answers.only_own(org, entity)
            bound = [] if asked_by is None else [asked_by]
            among = ['NOT "IsDeleted"'] * entity.has_deleted + ['"OwnerId" = ?'] * len(
                bound
            )
            where = f"WHERE {' AND '.join(among)}" if among else ""
            sql = f'SELECT count(*) FROM "{entity.name}" {where}'  # noqa: S608
            ((count,),) = org.store.rows(sql, bound)
            counts.append({"count": count, "name": entity.name})
    return json_reply({"sObjects": counts})


ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", "/services/oauth2/token", None),
    Route("POST", "/services/Soap/u/{api}", None),
    Route("GET", "/services/data", None),
    Route("GET", "/services/oauth2/userinfo", _userinfo),
    *_answers.ROUTES,
    Route("GET", DATA + "limits", _limits),
    Route("GET", DATA + "limits/recordCount", _record_count),
    Route("GET", DATA + "sobjects", _sobjects),
    Route("GET", DATA + "sobjects/{object}/describe", _describe),
    *_replication.ROUTES,
    *_collections.ROUTES,
    *_composite.ROUTES,
    *_records.ROUTES,
    Route("POST", DATA + "tooling/sobjects/CustomField", _create_custom_field),
)
