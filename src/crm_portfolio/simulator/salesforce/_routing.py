"""Which route does a request take?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from crm_portfolio.simulator._server import Request
from crm_portfolio.simulator.salesforce import _jobs_ingest, _jobs_query, _rest
from crm_portfolio.simulator.salesforce._call import Route
from crm_portfolio.simulator.salesforce._refusal import Refusal

__all__ = ["ROUTES", "matched"]

ROUTES: Final[tuple[Route, ...]] = (
    *_rest.ROUTES,
    *_jobs_query.ROUTES,
    *_jobs_ingest.ROUTES,
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
