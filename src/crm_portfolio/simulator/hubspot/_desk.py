"""How does a call come in, and how does its answer go out?

Here alone faults are asked for, tokens looked at and calls counted.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import format_datetime
from typing import Final

import attrs

from crm_portfolio.simulator._calls import CallLog
from crm_portfolio.simulator._faults import Fault, Refused, fault_hits, strike
from crm_portfolio.simulator._server import Reply, Request
from crm_portfolio.simulator.hubspot._auth import Logins
from crm_portfolio.simulator.hubspot._buckets import Buckets, rate_refusal
from crm_portfolio.simulator.hubspot._call import Call, Route, Style
from crm_portfolio.simulator.hubspot._pages import Pages
from crm_portfolio.simulator.hubspot._portal import Portal
from crm_portfolio.simulator.hubspot._refusal import Refusal
from crm_portfolio.simulator.hubspot._routes import matched

__all__ = ["Desk"]

_FAULTS: Final[Mapping[int, tuple[str, str | None]]] = {
    400: ("The paging cursor is no longer valid.", "VALIDATION_ERROR"),
    401: ("The access token expired.", "EXPIRED_AUTHENTICATION"),
    423: ("The resource is locked: a sync is in progress.", "LOCKED"),
    477: ("The account is being migrated to another data center.", "MIGRATION"),
    500: ("internal error", "INTERNAL_ERROR"),
    503: ("Service unavailable", "SERVICE_UNAVAILABLE"),
}
# Gateways in front of HubSpot answer in their own words.
_GATEWAY: Final = "<html><head><title>{0}</title></head><body>{0}</body></html>"


class Desk:
    """One portal's front, from the start to the next reset.

    Args:
        act: Does something to the portal by the name of a method of the simulator.
    """

    def __init__(
        self,
        portal: Portal,
        logins: Logins,
        limits: Buckets,
        act: Callable[..., object],
    ) -> None:
        self.portal, self.limits = portal, limits
        self.log = CallLog()
        self.schedule: tuple[Fault, ...] = ()
        self._logins, self._act = logins, act
        self._pages = Pages(portal)

    def answer(self, request: Request) -> Reply | None:
        """The reply to a request, under the portal's lock; None cuts the connection."""
        try:
            route, parts, style = matched(request)
        except Refusal as refusal:
            return self._finished(refusal.reply(self._correlation_id()), {})
        self.log.arrived(route.name, is_login=route.handler is None or route.is_open)
        reply = self._struck(route, parts, style, request)
        self.log.left(route.name, reply)
        return reply

    def _struck(
        self, route: Route, parts: Mapping[str, str], style: Style, request: Request
    ) -> Reply | None:
        """The one place where faults are asked for."""
        hits = fault_hits(
            self.schedule,
            route.name,
            calls=self.log.counts,
            api_calls=self.log.api_calls,
            is_login=route.handler is None or route.is_open,
        )
        return strike(
            hits,
            lambda faults: self._replied(route, parts, style, request, faults),
            refuse=self._refused,
            act=self._act,
        )

    def _replied(
        self,
        route: Route,
        parts: Mapping[str, str],
        style: Style,
        request: Request,
        faults: tuple[Fault, ...],
    ) -> Reply:
        headers: Mapping[str, str] = {}
        try:
            if len(request.target) > self.portal.assumptions.long_url_bytes:
                status = self.portal.assumptions.long_url_status
                return self._finished(Reply(status), headers)
            if route.handler is None:
                return self._finished(self._logins.answer(request), headers)
            if route.is_open:
                call = self._call(request, parts, style, faults)
                return self._finished(route.handler(self.portal, call), headers)
            is_oauth = self._logins.admit(request)
            spent = self.limits.take(is_search=route.is_search, is_oauth=is_oauth)
            headers = self.limits.headers(is_search=route.is_search, is_oauth=is_oauth)
            if spent is not None:
                raise spent
            call = self._call(request, parts, style, faults)
            self._logins.demand(route.needed(self.portal, call))
            return self._finished(route.handler(self.portal, call), headers)
        except Refusal as refusal:
            return self._finished(refusal.reply(self._correlation_id()), headers)

    def _call(
        self,
        request: Request,
        parts: Mapping[str, str],
        style: Style,
        faults: tuple[Fault, ...],
    ) -> Call:
        return Call(
            request, parts, style, self._pages, self.limits.used_today,
            self.limits.daily_limit, self._logins.granted.__contains__, faults,
        )  # fmt: skip

    def _refused(self, no: Refused) -> Reply:
        """A fault in HubSpot's words."""
        status = 429 if no.status == 403 else no.status  # vendor docs: DAILY is a 429
        wait = {} if no.retry_after is None else {"retry-after": f"{no.retry_after:g}"}
        if status in (502, 504, 524):
            text = _GATEWAY.format(status).encode()
            return self._finished(
                Reply(status, text, {"content-type": "text/html"}), wait
            )
        if status == 429:
            refusal = rate_refusal(
                no.about or "TEN_SECONDLY_ROLLING", self.portal.assumptions
            )
        else:
            message, category = _FAULTS[status]
            refusal = Refusal(message, category=category, status=status)
        return self._finished(refusal.reply(self._correlation_id()), wait)

    def _correlation_id(self) -> str:
        return str(uuid.UUID(int=sum(self.log.counts.values()) + 1, version=4))

    def _finished(self, reply: Reply, headers: Mapping[str, str]) -> Reply:
        moment = format_datetime(self.portal.clock.now.astimezone(UTC), usegmt=True)
        known = {
            "date": moment,
            "x-hubspot-correlation-id": self._correlation_id(),
            **headers,
            **reply.headers,
        }
        return attrs.evolve(reply, headers=known)
