"""What does a route's handler get, and what does it give?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from crm_portfolio.simulator._server import Reply, Request
from crm_portfolio.simulator.salesforce._metadata import Field, SObject
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._pages import Pages
from crm_portfolio.simulator.salesforce._refusal import Refusal

__all__ = ["Call", "Handler", "readable"]


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


def readable(org: Org, name: str) -> tuple[SObject, Mapping[str, Field]]:
    """An object the user may read, and the fields the user sees; 404 otherwise."""
    entity = org.catalogue.object(name)
    fields = org.access.fields(entity.name)
    if fields is None:
        raise Refusal("NOT_FOUND", "The requested resource does not exist", status=404)
    return entity, fields
