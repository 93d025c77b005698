"""Where may a request go, and how long may it take?

simple-salesforce builds every address as https and sets no timeout. All its calls pass
through this session, which knows one origin.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests

from crm_portfolio.connectors._origin import Origin
from crm_portfolio.errors import ConnectorError

__all__ = ["GuardedSession", "login_prefix"]

_DOMAIN: Final = ".salesforce.com"
# The library appends its own domain to a log-in host; where the org's host is another,
# it is given this name, and the session puts the org's in its place.
_STAND_IN: Final = "the-configured-org"


def login_prefix(origin: Origin) -> str:
    """What simple-salesforce must be told for its log-in to reach this origin."""
    if origin.netloc.endswith(_DOMAIN) and origin.scheme == "https":
        return origin.netloc.removesuffix(_DOMAIN)
    return _STAND_IN


class GuardedSession(requests.Session):
    """Speaks to one origin only, never without a timeout, and follows no redirect."""

    def __init__(self, origin: Origin, *, timeout: tuple[float, float]) -> None:
        super().__init__()
        self._origin, self._timeout = origin, timeout
        self.last_status: int | None = None
        # Proxies and authorities of the environment count, but not for this machine.
        self.trust_env = not origin.is_this_machine
        # Any auth keeps requests from putting ~/.netrc in the place of our header.
        self.auth = _as_it_is

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
        reply = super().send(request, **kwargs)
        self.last_status = reply.status_code
        return reply

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
