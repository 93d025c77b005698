"""Where may a request go, how long may it take, and what do the headers of a reply say?

simple-salesforce builds every address as https and sets no timeout. All its calls pass
through this session, which knows one origin.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import local
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._origin import Origin
from crm_portfolio.errors import ConnectorError
from crm_portfolio.protocols import Quota

__all__ = ["AT_ONCE", "GuardedSession", "login_prefix"]

# Production orgs stop at 25 long calls at once, everyone's counted; we leave room.
AT_ONCE: Final = 10
_DOMAIN: Final = ".salesforce.com"
# The library appends its own domain to a log-in host; where the org's host is another,
# it is given this name, and the session puts the org's in its place.
_STAND_IN: Final = "the-configured-org"
_USAGE: Final = re.compile(r"(?<![\w-])api-usage=(\d+)/(\d+)")


def login_prefix(origin: Origin) -> str:
    """What simple-salesforce must be told for its log-in to reach this origin."""
    if origin.netloc.endswith(_DOMAIN) and origin.scheme == "https":
        return origin.netloc.removesuffix(_DOMAIN)
    return _STAND_IN


class GuardedSession(requests.Session):
    """Speaks to one origin only, never without a timeout, and follows no redirect.

    Attributes:
        quota: As the last reply that told it said.
        server_time: The latest moment by the server's clock.
    """

    def __init__(self, origin: Origin, *, timeout: tuple[float, float]) -> None:
        super().__init__()
        self._origin, self._timeout = origin, timeout
        self.quota: Quota | None = None
        self.server_time: datetime | None = None
        self._last = local()
        # Proxies and authorities of the environment count, but not for this machine.
        self.trust_env = not origin.is_this_machine
        # Any auth keeps requests from putting ~/.netrc in the place of our header.
        self.auth = _as_it_is
        pool = HTTPAdapter(pool_connections=2, pool_maxsize=AT_ONCE + 2)
        self.mount("https://", pool)
        self.mount("http://", pool)

    @property
    def origin(self) -> Origin:
        return self._origin

    @property
    def last_status(self) -> int | None:
        """Of this thread's last reply; None: nothing came."""
        return getattr(self._last, "status", None)

    @property
    def last_request_id(self) -> str:
        """The vendor's own number of this thread's last call, where it gave one."""
        return str(getattr(self._last, "request_id", ""))

    @property
    def last_wait(self) -> float:
        """Seconds that this thread's last reply asked to wait; 0: it did not."""
        return float(getattr(self._last, "wait", 0.0))

    def request(self, method: Any, url: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        kwargs["timeout"] = kwargs.get("timeout") or self._timeout
        kwargs["allow_redirects"] = False
        return super().request(method, self._in_place(str(url)), **kwargs)

    def send(self, request: Any, **kwargs: Any) -> requests.Response:
        """The last gate before a socket: nothing passes for another origin."""
        parts = urlsplit(request.url)
        if (parts.scheme, parts.netloc.lower()) != (
            self._origin.scheme,
            self._origin.netloc,
        ):
            raise self._refusal(parts.hostname)
        self._last.status, self._last.request_id, self._last.wait = None, "", 0.0
        reply = super().send(request, **kwargs)
        self._last.status = reply.status_code
        self._heed(reply)
        return reply

    def _heed(self, reply: requests.Response) -> None:
        """Keep what only the headers tell."""
        told = _USAGE.search(reply.headers.get("Sforce-Limit-Info", ""))
        if told:
            used, limit = int(told[1]), int(told[2])
            self.quota = Quota(max(limit - used, 0), limit)
        now = _moment(reply.headers.get("Date", ""))
        if now is not None:
            self.server_time = max(now, self.server_time or now)
        wait = reply.headers.get("Retry-After", "").strip()
        if re.fullmatch(r"\d{1,6}(\.\d+)?", wait):
            self._last.wait = float(wait)
        for name in _assumptions.REQUEST_ID_HEADERS:
            number = reply.headers.get(name, "")
            if re.fullmatch(r"[A-Za-z0-9-]{1,64}", number):
                self._last.request_id = number

    def _in_place(self, url: str) -> str:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise self._refusal(None) from None
        if host == _STAND_IN + _DOMAIN or parts.netloc.lower() == self._origin.netloc:
            path = (parts.path, parts.query, "")
            return urlunsplit((self._origin.scheme, self._origin.netloc, *path))
        raise self._refusal(host)

    def _refusal(self, host: str | None) -> ConnectorError:
        return ConnectorError(
            "salesforce",
            f"refused to send anything to {host!r}: "
            f"this log-in speaks to {self._origin} only",
        )


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _moment(header: str) -> datetime | None:
    try:
        return parsedate_to_datetime(header).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
