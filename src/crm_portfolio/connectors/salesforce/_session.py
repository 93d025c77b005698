"""How is one call made: let through, logged in, translated, renewed once, tried again?

The library's own renewal loops for ever on some paths and is on no other, so its client
is always given a token and every renewal is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Any, Final, TypeAlias, TypeVar

import requests
import tenacity
from simple_salesforce.api import Salesforce as SimpleSalesforce
from simple_salesforce.util import exception_handler

from crm_portfolio.connectors._pace import Pace, Window
from crm_portfolio.connectors._retry import (
    QuotaSpentError,
    TimedError,
    persistent,
)
from crm_portfolio.connectors.salesforce._login import Login
from crm_portfolio.connectors.salesforce._refusals import (
    QUOTA_CODE,
    VENDOR_ERRORS,
    translated,
)
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.connectors.salesforce._tickets import Ticket, shared_ticket
from crm_portfolio.connectors.salesforce._transport import AT_ONCE, GuardedSession
from crm_portfolio.errors import ConnectorError, LoginError
from crm_portfolio.protocols import Quota

__all__ = ["Answer", "Client", "Session", "asked"]

Client: TypeAlias = Any  # simple_salesforce.Salesforce, which answers any attribute
Answer = TypeVar("Answer")
# No window of the vendor's is rolling and short; this one is only ever held.
_ORG: Final = Window("org", calls=1_000_000, seconds=1.0)
_CROWDED_SECONDS: Final = 5.0
_LONGEST_HOLD: Final = 60.0


class Session:
    """One log-in to one org, made at the first call, for any number of threads."""

    def __init__(self, login: Login, settings: SalesforceSettings) -> None:
        self._login, self._settings = login, settings
        self._lock = Lock()
        self._client: Client | None = None
        self._ticket: Ticket | None = None
        self._transport: GuardedSession | None = None
        self._heeded: Quota | None = None
        self.pace = Pace(
            (_ORG,), at_once=AT_ONCE, ceilings=settings.ceilings, source="salesforce"
        )

    @property
    def calls(self) -> int:
        """Calls made so far, repeated ones and log-ins included."""
        return self.pace.calls

    @property
    def quota(self) -> Quota | None:
        return self._transport.quota if self._transport else None

    @property
    def server_time(self) -> datetime | None:
        """The latest moment by the server's clock; None before the first reply."""
        return self._transport.server_time if self._transport else None

    def call(
        self, ask: Callable[[Client], Answer], *, where: str, needs: str = ""
    ) -> Answer:
        """What the client answers, after as many attempts as the settings allow.

        Args:
            where: What is being done, for the error's message.
            needs: The right to name, should Salesforce say that one is missing.
        """
        retrying = persistent(self._settings.retry)
        stop = retrying.stop
        patient = retrying.copy(
            stop=lambda state: stop(state) or _has_failed_thrice(state)
        )
        answer: Answer = patient(self.call_once, ask, where=where, needs=needs)
        return answer

    def call_once(
        self, ask: Callable[[Client], Answer], *, where: str, needs: str = ""
    ) -> Answer:
        """The same, for a caller that tries again by itself."""
        client, is_new = self._client_for(None)
        for _ in range(2):
            try:
                return self._asked(client, ask, where, needs)
            except LoginError:
                if not self._login.is_renewable:
                    raise
                refused, was_new = client, is_new
            client, is_new = self._client_for(refused)
            # Another thread's or connector's session may be as old as ours was.
            if is_new or was_new:
                break
        return self._asked(client, ask, where, needs)

    def _asked(
        self, client: Client, ask: Callable[[Client], Answer], where: str, needs: str
    ) -> Answer:
        failure: ConnectorError
        try:
            with self.pace.call(_ORG.name):
                try:
                    return ask(client)
                finally:
                    self._heed_quota()
        except VENDOR_ERRORS as error:
            last = client.session
            failure = translated(
                error,
                where=where,
                needs=needs,
                request_id=last.last_request_id,
                wait=last.last_wait,
            )
        self._slow_down(failure)
        # Raised out here, so that the vendor's error, which holds the body and the
        # request with its headers, is not attached.
        raise failure

    def _heed_quota(self) -> None:
        quota = self.quota
        if quota is not None and quota is not self._heeded:
            self._heeded = quota  # a reply that tells none leaves our own count
            self.pace.left_today(quota)

    def _slow_down(self, failure: ConnectorError) -> None:
        """Too many calls at once: every thread waits, not only the one that was told."""
        if isinstance(failure, QuotaSpentError):
            return
        if isinstance(failure, TimedError):
            wait = failure.seconds
        elif failure.code == QUOTA_CODE:
            wait = _CROWDED_SECONDS * self._settings.retry.first_wait_seconds
        else:
            return
        self.pace.hold(_ORG.name, min(wait, _LONGEST_HOLD))

    def _client_for(self, refused: Client | None) -> tuple[Client, bool]:
        """A client other than the refused one, and whether it is logged in just now."""
        with self._lock:
            is_new = False
            if self._client is None or self._client is refused:
                ticket, is_new = self._next_ticket()
                self._client = self._client_with(ticket)
            return self._client, is_new

    def _next_ticket(self) -> tuple[Ticket, bool]:
        if not self._login.is_renewable:
            return self._new_ticket(), True
        return shared_ticket(self._login, self._new_ticket, refused=self._ticket)

    def _client_with(self, ticket: Ticket) -> Client:
        if self._transport is None:
            self._transport = GuardedSession(
                ticket.origin, timeout=self._settings.timeout
            )
        elif self._transport.origin != ticket.origin:
            raise LoginError(
                "salesforce",
                f"the log-in now leads to {ticket.origin.netloc}, and this run speaks to "
                f"{self._transport.origin.netloc} only: run again",
            )
        self._ticket = ticket
        client = SimpleSalesforce(
            session=self._transport,
            session_id=ticket.token,
            instance=ticket.origin.netloc,
            version=self._settings.api_version,
            object_pairs_hook=None,
        )
        client.headers["X-PrettyPrint"] = "0"  # a page is a third smaller without it
        return client

    def _new_ticket(self) -> Ticket:
        if not self._login.is_renewable:
            return self._login.ticket(timeout=self._settings.timeout)  # no call
        with self.pace.call(_ORG.name):
            return self._login.ticket(timeout=self._settings.timeout)


def asked(
    client: Client, method: str, path: str, *, version: str | None = None, **how: Any
) -> requests.Response:
    """The raw reply of one route below ``services/data``; the library reads none raw.

    Args:
        path: Without the version, such as ``jobs/query``.
        version: Another than the settings': a job speaks the one it was made with.
    """
    number = version or client.sf_version
    url = f"https://{client.sf_instance}/services/data/v{number}/{path}"
    headers = {**client.headers, **how.pop("headers", {})}
    reply: requests.Response = client.session.request(
        method, url, headers=headers, **how
    )
    if reply.status_code >= 300:
        exception_handler(reply, name=path)
    return reply


def _has_failed_thrice(state: tenacity.RetryCallState) -> bool:
    """An unknown exception that comes three times comes a fourth time."""
    error = state.outcome.exception() if state.outcome else None
    code = error.code if isinstance(error, ConnectorError) else ""
    return code == "UNKNOWN_EXCEPTION" and state.attempt_number >= 3
