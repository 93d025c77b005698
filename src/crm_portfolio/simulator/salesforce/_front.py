"""Who may come in, and what does every reply carry?

One request passes here once: it is counted, the schedule of faults is asked, the version,
the session and the quota are judged, and the route's handler does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import format_datetime
from typing import Final

import attrs

from crm_portfolio.simulator._calls import CallLog
from crm_portfolio.simulator._faults import Fault, Refused, fault_hits, strike
from crm_portfolio.simulator._server import Reply, Request
from crm_portfolio.simulator.salesforce._auth import Logins
from crm_portfolio.simulator.salesforce._call import Call, Route
from crm_portfolio.simulator.salesforce._jobs import Bulk, Jobs
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._pages import Pages
from crm_portfolio.simulator.salesforce._refusal import Refusal
from crm_portfolio.simulator.salesforce._routing import matched

__all__ = ["Front"]

_MAX_HEAD: Final = 16_384
_OLDEST, _NEWEST = 31, 68
# By status and what it is about; the texts of 401, 403 and 404 were recorded, those of
# gateways stand for any: they are the proxy's, not the org's.
_REFUSALS: Final[Mapping[tuple[int, str], tuple[str, str]]] = {
    (400, "locator"): ("INVALID_QUERY_LOCATOR", "invalid query locator"),
    (401, ""): ("INVALID_SESSION_ID", "Session expired or invalid"),
    (403, "DAILY"): ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    (423, ""): ("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record"),
    (429, ""): ("REQUEST_LIMIT_EXCEEDED", "Too many requests"),
    (500, ""): ("UNKNOWN_EXCEPTION", "An unexpected error occurred."),
    (503, ""): ("SERVER_UNAVAILABLE", "The server is temporarily unavailable."),
}  # fmt: skip
_LONG_RUNNING: Final = "ConcurrentPerOrgLongTxn"


class Front:
    """The counter of one org: log, faults and admission."""

    def __init__(
        self,
        org: Org,
        logins: Logins,
        *,
        url: Callable[[], str],
        daily_limit: int,
        bulk: Bulk,
        act: Callable[..., object],
    ) -> None:
        self._org, self._logins = org, logins
        self._url, self._daily_limit, self._act = url, daily_limit, act
        self.pages = Pages(org.store, org.clock)
        self.jobs = Jobs(org, bulk)
        self.log = CallLog()
        self.schedule: tuple[Fault, ...] = ()

    def answer(self, request: Request) -> Reply | None:
        """The reply to a request; None cuts the connection."""
        try:
            route, parts = matched(request)
        except Refusal as refusal:
            return self._finished(refusal.reply())
        is_login = route.handler is None
        self.log.arrived(route.name, is_login=is_login)
        hits = fault_hits(
            self.schedule,
            route.name,
            calls=self.log.counts,
            api_calls=self.log.api_calls,
            is_login=is_login,
        )
        reply = strike(
            hits,
            lambda faults: self._replied(route, parts, request, faults),
            refuse=_refused,
            act=self._act,
        )
        self.log.left(route.name, reply)
        return None if reply is None else self._finished(reply)

    def _replied(
        self,
        route: Route,
        parts: Mapping[str, str],
        request: Request,
        faults: tuple[Fault, ...],
    ) -> Reply:
        if route.handler is None:
            issued_at = int(self._org.clock.now.timestamp() * 1000)
            return self._logins.answer(request, url=self._url(), issued_at=issued_at)
        if request.head_bytes > _MAX_HEAD:
            return Reply(self._org.assumptions.oversize_status)
        try:
            token = self._admitted(parts, request)
            used = self.log.api_calls
            call = Call(
                request,
                parts,
                token,
                self.pages,
                used,
                self._daily_limit,
                self.jobs,
                faults,
            )
            return route.handler(self._org, call)
        except Refusal as refusal:
            return refusal.reply()

    def _admitted(self, parts: Mapping[str, str], request: Request) -> str:
        """The session of a request that may come in."""
        version = int(parts.get("version", f"v{_NEWEST}.0")[1:].partition(".")[0])
        if version < _OLDEST:
            # vendor docs: 21 to 30
            message = f"API version {version}.0 has been retired"
            raise Refusal("GONE", message, status=410)
        if version > _NEWEST:
            message = "The requested resource does not exist"
            raise Refusal("NOT_FOUND", message, status=404)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._logins.is_live(token):
            raise Refusal(*_REFUSALS[401, ""], status=401)
        if not self._org.access.may("API Enabled"):
            message = "The REST API is not enabled for this Organization."
            raise Refusal("API_DISABLED_FOR_ORG", message, status=403)
        if self.log.api_calls > self._daily_limit:
            raise Refusal(*_REFUSALS[403, "DAILY"], status=403)
        return token

    def _finished(self, reply: Reply) -> Reply:
        used = min(self.log.api_calls, self._daily_limit)
        moment = format_datetime(self._org.clock.now.astimezone(UTC), usegmt=True)
        return attrs.evolve(
            reply,
            headers={
                "date": moment,
                "sforce-limit-info": f"api-usage={used}/{self._daily_limit}",
                **reply.headers,
            },
        )


def _refused(refused: Refused) -> Reply:
    status, about = refused.status, refused.about
    if about == _LONG_RUNNING:
        # vendor docs: too many requests that run for 20 seconds or longer.
        message = f"{about} Limit exceeded."
        reply = Refusal("REQUEST_LIMIT_EXCEEDED", message, status=403).reply()
    elif (status, about) in _REFUSALS:
        reply = Refusal(*_REFUSALS[status, about], status=status).reply()
    elif status == 429:
        code, message = _REFUSALS[429, ""]
        reply = Refusal(code, f"{message}: {about}", status=429).reply()
    else:
        page = f"<html><body><h1>{status}</h1></body></html>".encode()
        reply = Reply(status, page, {"content-type": "text/html"})
    if refused.retry_after is None:
        return reply
    headers = {**reply.headers, "retry-after": f"{refused.retry_after:g}"}
    return attrs.evolve(reply, headers=headers)
