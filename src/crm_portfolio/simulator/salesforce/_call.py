"""What does a route's handler get, and what does it give?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from crm_portfolio.simulator._faults import Fault
from crm_portfolio.simulator._server import Reply, Request
from crm_portfolio.simulator.salesforce._jobs import Jobs
from crm_portfolio.simulator.salesforce._metadata import Field, SObject
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._pages import Pages
from crm_portfolio.simulator.salesforce._refusal import Refusal

__all__ = ["DATA", "Call", "Handler", "Route", "readable"]

DATA: Final = "/services/data/{version}/"


@attrs.frozen
class Call:
    """One authenticated request: its route's parts, its session, the running user.

    Attributes:
        faults: Those that only the work itself can make happen.
    """

    request: Request
    parts: Mapping[str, str]
    token: str
    pages: Pages
    used: int
    daily_limit: int
    jobs: Jobs
    faults: tuple[Fault, ...] = ()

    def fault(self, kind: str) -> Fault | None:
        """The fault of that kind that strikes this call."""
        return next((fault for fault in self.faults if fault.kind == kind), None)

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
        short = self.template.removeprefix(DATA)
        return f"{self.method} {short.removeprefix('/services/')}"


def readable(org: Org, name: str) -> tuple[SObject, Mapping[str, Field]]:
    """An object the user may read, and the fields the user sees; 404 otherwise."""
    entity = org.catalogue.object(name)
    fields = org.access.fields(entity.name)
    if fields is None:
        raise Refusal("NOT_FOUND", "The requested resource does not exist", status=404)
    return entity, fields
