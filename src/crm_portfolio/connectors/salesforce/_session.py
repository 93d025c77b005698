"""How is one call made: logged in, translated, renewed once, tried again?

The library's own renewal loops for ever on some paths and is on no other, so its client
is always given a token and every renewal is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, TypeAlias, TypeVar

from simple_salesforce.api import Salesforce as SimpleSalesforce

from crm_portfolio.connectors._retry import persistent
from crm_portfolio.connectors.salesforce._login import Login
from crm_portfolio.connectors.salesforce._refusals import VENDOR_ERRORS, translated
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.connectors.salesforce._transport import GuardedSession
from crm_portfolio.errors import ConnectorError, LoginError
from crm_portfolio.protocols import Quota

__all__ = ["Answer", "Client", "Session"]

Client: TypeAlias = Any  # simple_salesforce.Salesforce, which answers any attribute
Answer = TypeVar("Answer")


class Session:
    """One log-in to one org, made at the first call."""

    def __init__(self, login: Login, settings: SalesforceSettings) -> None:
        self._login, self._settings = login, settings
        self._lock = Lock()
        self._client: Client | None = None
        self._transport: GuardedSession | None = None
        self.quota: Quota | None = None

    def call(
        self, ask: Callable[[Client], Answer], *, where: str, needs: str = ""
    ) -> Answer:
        """What the client answers, after as many attempts as the settings allow.

        Args:
            where: What is being done, for the error's message.
            needs: The right to name, should Salesforce say that one is missing.
        """
        retrying = persistent(self._settings.retry)
        answer: Answer = retrying(self.call_once, ask, where=where, needs=needs)
        return answer

    def call_once(
        self, ask: Callable[[Client], Answer], *, where: str, needs: str = ""
    ) -> Answer:
        """The same, for a caller that tries again by itself."""
        client = self._client_for(None)
        try:
            return self._asked(client, ask, where, needs)
        except LoginError:
            if not self._login.is_renewable:
                raise
        return self._asked(self._client_for(client), ask, where, needs)

    def _asked(
        self, client: Client, ask: Callable[[Client], Answer], where: str, needs: str
    ) -> Answer:
        failure: ConnectorError
        try:
            answer = ask(client)
        except VENDOR_ERRORS as error:
            failure = translated(error, where=where, needs=needs)
        else:
            self._note_quota(client)
            return answer
        # Raised out here, so that the vendor's error, which holds the body and the
        # request with its headers, is not attached.
        raise failure

    def _client_for(self, refused: Client | None) -> Client:
        """The client; a new session if the one that was refused is still in use."""
        with self._lock:
            if self._client is None or self._client is refused:
                self._client = self._logged_in()
            return self._client

    def _logged_in(self) -> Client:
        ticket = self._login.ticket(timeout=self._settings.timeout)
        if self._transport is None:
            self._transport = GuardedSession(
                ticket.origin, timeout=self._settings.timeout
            )
        client = SimpleSalesforce(
            session=self._transport,
            session_id=ticket.token,
            instance=ticket.origin.netloc,
            version=self._settings.api_version,
            object_pairs_hook=None,
        )
        client.headers["X-PrettyPrint"] = "0"  # a page is a third smaller without it
        return client

    def _note_quota(self, client: Client) -> None:
        used = client.api_usage.get("api-usage")
        if used is not None:
            self.quota = Quota(max(used.total - used.used, 0), used.total)
