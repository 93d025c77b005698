"""Which route does what, in both path styles?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from crm_portfolio.simulator._server import Request
from crm_portfolio.simulator.hubspot import (
    _account,
    _associations,
    _batch,
    _currencies,
    _exports,
    _objects,
    _owners,
    _pipelines,
    _properties,
    _schemas,
    _search,
)
from crm_portfolio.simulator.hubspot._call import Route, Style
from crm_portfolio.simulator.hubspot._refusal import Refusal

__all__ = ["ROUTES", "matched"]

_TOKEN: Final = Route("POST", "/oauth/v1/token", "/oauth/2026-09/token", None)
# Before the routes that take any word: "merge" and "search" are no ids.
ROUTES: Final[tuple[Route, ...]] = (
    _TOKEN,
    *_search.ROUTES,
    *_batch.ROUTES,
    *_objects.ROUTES,
    *_associations.ROUTES,
    *_properties.ROUTES,
    *_pipelines.ROUTES,
    *_owners.ROUTES,
    *_account.ROUTES,
    *_currencies.ROUTES,
    *_exports.ROUTES,
    *_schemas.ROUTES,
)


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template) + "/?")


_PATTERNS: Final[tuple[tuple[re.Pattern[str], Route, Style], ...]] = (
    # vendor docs: the token's route has three addresses.
    (_pattern("/oauth/v3/token"), _TOKEN, "v3"),
    (_pattern("/oauth/2026-03/token"), _TOKEN, "dated"),
    *((_pattern(route.template), route, "v3") for route in ROUTES),
    *((_pattern(route.dated), route, "dated") for route in ROUTES if route.dated),
)


def matched(request: Request) -> tuple[Route, Mapping[str, str], Style]:
    """The route of a request, its parts and its style; 404 or 405 if there is none."""
    is_known = False
    for pattern, route, style in _PATTERNS:
        found = pattern.fullmatch(request.path)
        if found and route.method == request.method:
            return route, found.groupdict(), style
        is_known = is_known or found is not None
    if is_known:
        message = f"The method {request.method} is not allowed here"
        raise Refusal(message, category="METHOD_NOT_ALLOWED", status=405)
    message = "The requested resource does not exist"
    raise Refusal(message, category="OBJECT_NOT_FOUND", status=404)
