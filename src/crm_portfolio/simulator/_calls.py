"""Which calls came, in which order, and what came of them?

No bodies, no parameters and no tokens: the log is safe to print.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

import attrs

from crm_portfolio.simulator._server import Reply

__all__ = ["CallLog", "LoggedCall"]


@attrs.frozen
class LoggedCall:
    """One call.

    Attributes:
        number: Its place among all calls since the start or the last reset, from 1.
        route: The path with its parts in braces, such as ``query/{locator}``.
        status: Of the reply; None: the connection was cut.
        size: Bytes of the body, before any compression.
        rows: Records of a page or a write, where the reply has them.
    """

    number: int
    method: str
    route: str
    status: int | None
    size: int
    rows: int | None


class CallLog:
    """The calls since the start or the last reset. Written under the simulator's lock."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._calls: list[LoggedCall] = []
        self._arrivals: list[float] = []
        self._logins = 0

    @property
    def counts(self) -> Mapping[str, int]:
        """Calls per route, ``"GET query"``: refused ones and the present one included."""
        return self._counts

    @property
    def api_calls(self) -> int:
        """All calls but log-ins."""
        return self._counts.total() - self._logins

    @property
    def calls(self) -> tuple[LoggedCall, ...]:
        return tuple(self._calls)

    @property
    def arrivals(self) -> tuple[float, ...]:
        """When each call but log-ins came, in seconds of the machine's monotonic clock."""
        return tuple(self._arrivals)

    def arrived(self, route: str, *, is_login: bool = False) -> None:
        """Count a call, before anything is done for it."""
        self._counts[route] += 1
        self._logins += is_login
        if not is_login:
            self._arrivals.append(time.monotonic())

    def left(self, route: str, reply: Reply | None) -> None:
        """Note what came of the call that arrived last."""
        method, _, path = route.partition(" ")
        cut = Reply(0) if reply is None else reply
        self._calls.append(
            LoggedCall(
                number=self._counts.total(),
                method=method,
                route=path,
                status=None if reply is None else reply.status,
                size=cut.size,
                rows=cut.rows,
            )
        )
