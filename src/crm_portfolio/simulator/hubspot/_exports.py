"""How is a whole object exported, asked after and downloaded?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.hubspot._call import Call, Route
from crm_portfolio.simulator.hubspot._export_files import Wish, write
from crm_portfolio.simulator.hubspot._filters import compiled
from crm_portfolio.simulator.hubspot._kinds import Kind
from crm_portfolio.simulator.hubspot._portal import Portal
from crm_portfolio.simulator.hubspot._refusal import (
    Refusal,
    as_json,
    json_reply,
    not_found,
    not_imitated,
)

__all__ = ["ROUTES"]

_V3: Final = "/crm/v3/exports/export/async"
_DATED: Final = "/crm/exports/2026-09/export/async"
_FILE: Final = "/exported/{key}/{name}"
_SCOPES: Final = ("crm.export",)
_NEEDED: Final = (
    "exportType",
    "format",
    "exportName",
    "objectType",
    "objectProperties",
)
_MOST_FILTERS: Final = 3  # older vendor guides: of each of at most three groups


def _begin(portal: Portal, call: Call) -> Reply:
    wish = _wish(portal, call.json())
    exports = portal.exports
    work = partial(
        write, portal, wish, zip_above=exports.zip_above, split_rows=exports.split_rows
    )
    job = exports.begin(
        portal,
        work,
        endless=call.fault("job_never_completes") is not None,
        fails=call.fault("job_fails") is not None,
    )
    tasks = f"{portal.url}{call.request.path}/tasks/{job.number}/status"
    return json_reply({"id": str(job.number), "links": {"status": tasks}}, status=202)


def _status(portal: Portal, call: Call) -> Reply:
    number, exports = call.parts["id"], portal.exports
    job = exports.polled(portal, int(number)) if number.isdecimal() else None
    if job is None:
        raise not_found()
    told = exports.told(job)
    if job.file is not None:
        key = exports.link(portal, job)
        told["result"] = f"{portal.url}/exported/{key}/{job.file.name}"
    return json_reply(told)


def _download(portal: Portal, call: Call) -> Reply:
    """Vendor docs: no token. unverified: what an expired link answers."""
    file: Path | None = portal.exports.file(portal, call.parts["key"])
    if file is None or file.name != call.parts["name"]:
        text = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'
        return Reply(403, text, {"content-type": "application/xml"})
    kind = "application/zip" if file.suffix == ".zip" else "text/csv;charset=utf-8"
    said = f'attachment; filename="{file.name}"'
    return Reply(200, file, {"content-type": kind, "content-disposition": said})


def _wish(portal: Portal, body: Mapping[str, Any]) -> Wish:
    missing = [key for key in _NEEDED if not body.get(key)]
    if missing:
        raise Refusal(f"Some required fields were not set: {as_json(missing)}")
    if body["exportType"] != "VIEW" or body["format"] != "CSV":
        raise not_imitated("exports of lists, and formats other than CSV")
    kind = _kind(portal, body["objectType"])
    said = body.get("exportInternalValuesOptions") or []
    linked = body.get("associatedObjectType") or []
    linked = [linked] if isinstance(linked, str) else linked
    search = body.get("publicCrmSearchRequest") or {}
    groups = search.get("filterGroups") or [{"filters": search.get("filters") or []}]
    if len(groups) > _MOST_FILTERS or any(
        len(group.get("filters") or ()) > _MOST_FILTERS for group in groups
    ):
        raise Refusal(f"At most {_MOST_FILTERS} filters in {_MOST_FILTERS} groups")
    return Wish(
        kind=kind,
        names=[str(name) for name in body["objectProperties"]],
        linked=[_kind(portal, name) for name in linked],
        where=compiled(portal, kind.name, groups, str(search.get("query") or "")),
        has_names="NAMES" in said,
        has_values="VALUES" in said,
        has_labels=bool(body.get("includeLabeledAssociations", False)),
        has_all_links=bool(
            body.get("overrideAssociatedObjectsPerDefinitionPerRowLimit", False)
        ),
        title="".join(c if c.isalnum() else "-" for c in str(body["exportName"])),
    )


def _kind(portal: Portal, name: Any) -> Kind:
    found = portal.kind(str(name))
    if found is None:
        raise Refusal(f"Unable to infer object type from: {name}")
    return found


ROUTES: Final = (
    Route("POST", _V3, _DATED, _begin, _SCOPES),
    Route(
        "GET",
        f"{_V3}/tasks/{{id}}/status",
        f"{_DATED}/tasks/{{id}}/status",
        _status,
        _SCOPES,
    ),
    Route("GET", _FILE, None, _download, is_open=True),
)
