"""How do several requests travel in one call?

vendor docs: at most 25 subrequests, counted as one call; one may name what an earlier one
answered, ``@{reference.id}``. A graph is the same with its own name, all or nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.salesforce._call import DATA, Call, Route
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._refusal import Refusal, json_reply

__all__ = ["ROUTES"]

_MOST: Final = 25
_NAMED: Final = re.compile(r"@\{([^}]+)\}")
_HALTED: Final = (
    "PROCESSING_HALTED",
    "The transaction was rolled back since another operation in the same transaction failed.",
)
_OWN: Final = (DATA + "composite", DATA + "composite/graph")
_SHOWN: Final = {
    "location": "Location",
    "etag": "ETag",
    "last-modified": "Last-Modified",
}


def _composite(org: Org, call: Call) -> Reply:
    body = call.json()
    asked = _requests(org, body)
    all_or_none = str(body.get("allOrNone", False)).lower() == "true"
    return json_reply(
        {"compositeResponse": _answered(org, call, asked, all_or_none=all_or_none)}
    )


def _graphs(org: Org, call: Call) -> Reply:
    graphs = call.json().get("graphs")
    if not isinstance(graphs, list) or not graphs:
        raise Refusal("JSON_PARSER_ERROR", "graphs are required")
    answers = []
    for graph in graphs:
        asked = _requests(org, graph)
        parts = _answered(org, call, asked, all_or_none=True)
        answers.append(
            {
                "graphId": graph.get("graphId"),
                "graphResponse": {"compositeResponse": parts},
                "isSuccessful": all(_is_good(part) for part in parts),
            }
        )
    return json_reply({"graphs": answers})


def _requests(org: Org, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    asked = body.get("compositeRequest")
    if not isinstance(asked, list) or not asked:
        raise Refusal("JSON_PARSER_ERROR", "compositeRequest is required")
    names = [str(one.get("referenceId", "")) for one in asked]
    if len(asked) > _MOST:
        message = f"Cannot process more than {_MOST} operations in one request"
        raise Refusal("PROCESSING_HALTED", message)  # unverified: the code
    if "" in names or len(set(names)) < len(names):
        raise Refusal("INVALID_INPUT", "each subrequest needs a referenceId of its own")
    large = sum(_is_large(str(one.get("url", ""))) for one in asked)
    if large > org.assumptions.composite_collections_max:
        message = (
            f"at most {org.assumptions.composite_collections_max} of the subrequests may "
            "be queries or collections"
        )
        raise Refusal("INVALID_INPUT", message)
    return asked


def _is_large(url: str) -> bool:
    """Is it a query or a collection? unverified: at most five of them."""
    path = urlsplit(url).path
    return "/query" in path or "/composite/sobjects" in path


def _answered(
    org: Org, call: Call, asked: Sequence[Mapping[str, Any]], *, all_or_none: bool
) -> list[dict[str, Any]]:
    if all_or_none:
        org.store.rows("BEGIN")
    done: dict[str, dict[str, Any]] = {}
    for one in asked:
        done[one["referenceId"]] = _one(org, call, one, done)
    parts = list(done.values())
    is_failed = all_or_none and not all(map(_is_good, parts))
    if all_or_none:
        org.store.rows("ROLLBACK" if is_failed else "COMMIT")
    if not is_failed:
        return parts
    org.access.look_again()
    return [_halted(part) if _is_good(part) else part for part in parts]


def _one(
    org: Org, call: Call, one: Mapping[str, Any], done: Mapping[str, Any]
) -> dict[str, Any]:
    # The routes name this handler, so that it cannot be imported above.
    from crm_portfolio.simulator.salesforce._routing import matched

    try:
        request = _request(call, _filled(dict(one), done))
        route, parts = matched(request)
        handler = _no_part if route.template in _OWN else route.handler or _no_part
        reply = handler(
            org, attrs.evolve(call, request=request, parts=parts, faults=())
        )
    except Refusal as refusal:
        reply = refusal.reply()
    assert isinstance(reply.body, bytes)
    headers = {
        _SHOWN[name]: text for name, text in reply.headers.items() if name in _SHOWN
    }
    return {
        "body": json.loads(reply.body) if reply.body else None,
        "httpHeaders": headers,
        "httpStatusCode": reply.status,
        "referenceId": one["referenceId"],
    }


def _no_part(_org: Org, _call: Call) -> Reply:
    raise Refusal("INVALID_INPUT", "this cannot be part of a composite request")


def _request(call: Call, one: Mapping[str, Any]) -> Any:
    parts = urlsplit(str(one.get("url", "")))
    headers = {
        str(k).lower(): str(v) for k, v in (one.get("httpHeaders") or {}).items()
    }
    body = json.dumps(one["body"]).encode() if "body" in one else b""
    pairs = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return attrs.evolve(
        call.request,
        method=str(one.get("method", "GET")).upper(),
        path=unquote(parts.path),
        query=dict(pairs),
        headers={**call.request.headers, **headers},
        body=body,
    )


def _filled(value: Any, done: Mapping[str, Any]) -> Any:
    """The value with ``@{reference.field}`` replaced by what was answered."""
    if isinstance(value, dict):
        return {key: _filled(inner, done) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, done) for inner in value]
    if not isinstance(value, str):
        return value
    return _NAMED.sub(lambda found: _looked_up(found[1], done), value)


def _looked_up(name: str, done: Mapping[str, Any]) -> str:
    reference, *path = re.split(r"[.\[\]]+", name.rstrip("]"))
    try:
        value: Any = done[reference]["body"]
        for step in path:
            value = value[int(step)] if isinstance(value, list) else value[step]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        message = f"Invalid reference specified. No value for {name} found"
        raise Refusal("PROCESSING_HALTED", message) from error
    return str(value)


def _is_good(part: Mapping[str, Any]) -> bool:
    return int(part["httpStatusCode"]) < 400


def _halted(part: Mapping[str, Any]) -> dict[str, Any]:
    code, message = _HALTED
    body = [{"errorCode": code, "message": message}]
    return {**part, "body": body, "httpHeaders": {}, "httpStatusCode": 400}


ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", DATA + "composite", _composite),
    Route("POST", DATA + "composite/graph", _graphs),
)
