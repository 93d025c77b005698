"""What does a route's handler get, and what does it give?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs

from crm_portfolio.simulator._faults import Fault
from crm_portfolio.simulator._server import Reply, Request
from crm_portfolio.simulator.hubspot._kinds import Kind
from crm_portfolio.simulator.hubspot._pages import Pages
from crm_portfolio.simulator.hubspot._portal import Portal
from crm_portfolio.simulator.hubspot._refusal import Refusal

__all__ = ["Call", "Handler", "Route", "Scopes", "Style", "kind_of"]

Style = Literal["v3", "dated"]


@attrs.frozen
class Call:
    """One authenticated request: its route's parts and what the login may.

    ``faults`` are those that only the handler can make happen.
    """

    request: Request
    parts: Mapping[str, str]
    style: Style
    pages: Pages
    used_today: int
    daily_limit: int
    may: Callable[[str], bool]
    faults: tuple[Fault, ...] = ()

    def fault(self, kind: str) -> Fault | None:
        """A fault that was left to the work."""
        return next((fault for fault in self.faults if fault.kind == kind), None)

    @property
    def is_dated(self) -> bool:
        return self.style == "dated"

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    def many(self, name: str) -> list[str]:
        """The values of a repeated or comma-separated parameter, each once."""
        given = [value for key, value in self.request.pairs if key == name]
        parts = (part.strip() for value in given for part in value.split(","))
        return list(dict.fromkeys(part for part in parts if part))

    def flag(self, name: str) -> bool:
        return self.query.get(name, "false").lower() == "true"

    def number(self, name: str, *, default: int, most: int | None = None) -> int:
        """A parameter that is a whole number from 0 on; 400 for any other."""
        given = self.query.get(name, "")
        if given and not given.isdecimal():
            raise Refusal(f"Invalid value for {name}: {given} is not a number")
        said = int(given) if given else default
        if most is not None and said > most:
            raise Refusal(f"Invalid value for {name}: {said} is more than {most}")
        return said

    def json(self) -> dict[str, Any]:
        try:
            body = json.loads(self.request.body)
        except ValueError as error:
            message = "Invalid input JSON on line 1, column 1"
            raise Refusal(message) from error
        if not isinstance(body, dict):
            raise Refusal("Invalid input JSON: an object is expected")
        return body


Handler = Callable[[Portal, Call], Reply]
# The scopes that a call needs.
Scopes = Callable[[Portal, Call], tuple[str, ...]]


@attrs.frozen
class Route:
    """One thing to ask for, in both path styles.

    Attributes:
        template: The path in v3 or v4; its parts stand in braces.
        dated: The path in 2026-09; None where that version lacks it.
        handler: None is answered without a session.
        scopes: What the login must have been granted, all of it.
        is_search: Does it count against the searches of one second?
        is_open: Is it answered without a token, and counted against no limit?
    """

    method: str
    template: str
    dated: str | None
    handler: Handler | None
    scopes: Scopes | tuple[str, ...] = ()
    is_search: bool = False
    is_open: bool = False

    def needed(self, portal: Portal, call: Call) -> tuple[str, ...]:
        """The scopes for this call."""
        return self.scopes(portal, call) if callable(self.scopes) else self.scopes

    @property
    def name(self) -> str:
        """What counts it, whatever the path style."""
        short = self.template.removeprefix("/crm/v3/").removeprefix("/crm/v4/")
        return f"{self.method} {short.removeprefix('/')}"


def kind_of(portal: Portal, call: Call, part: str = "kind") -> Kind:
    """The kind that a path names; 404 for an object type that the portal lacks."""
    kind = portal.kind(call.parts[part])
    if kind is None:
        message = f"Unable to infer object type from: {call.parts[part]}"
        raise Refusal(message, category="OBJECT_NOT_FOUND", status=404)
    return kind
