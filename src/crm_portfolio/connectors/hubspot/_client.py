"""How is one call made: paced, translated, renewed once, tried again?

The vendor's client is used below its models: its pooled connections and nothing above
them. It would follow redirects, retry by itself and wait for ever; here it does not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode
from urllib.request import getproxies, proxy_bypass

import attrs
import orjson
import urllib3
from hubspot import HubSpot as VendorClient
from hubspot.crm.companies.exceptions import ApiException

from crm_portfolio.connectors._pace import Pace
from crm_portfolio.connectors._retry import persistent
from crm_portfolio.connectors.hubspot import _paths
from crm_portfolio.connectors.hubspot._login import AccessToken, Login, OAuthRefresh
from crm_portfolio.connectors.hubspot._paths import Path
from crm_portfolio.connectors.hubspot._refusals import (
    policy,
    refused,
    retry_after,
    unreachable,
    unreadable,
)
from crm_portfolio.connectors.hubspot._settings import (
    BURST,
    SEARCHES,
    HubSpotSettings,
)
from crm_portfolio.errors import ConnectorError, LoginError, TransientError
from crm_portfolio.protocols import Quota

__all__ = ["Answer", "Client", "encoded"]

# Names and values, or the same as it stands in an address.
Query: TypeAlias = Sequence[tuple[str, str]] | str
# One attempt; no redirect is followed, and a 3xx comes back as what it is.
_ONCE: Final = urllib3.Retry(
    total=0,
    redirect=0,
    raise_on_redirect=False,
    raise_on_status=False,
    respect_retry_after_header=False,
)
_LIMITS: Final = "X-HubSpot-RateLimit-"
# A null byte as JSON writes it; a backslash that is itself escaped begins none.
_NUL_MARK: Final = rb"\u0000"
_NUL: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"


@attrs.frozen
class Answer:
    """What came back. ``headers`` find their names in any case."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Client:
    """One log-in to one portal, for all threads; the first call opens a connection."""

    def __init__(
        self,
        login: Login,
        settings: HubSpotSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._login, self._settings = login, settings
        self._root, self._sleep = str(login.origin), sleep
        self.pace = Pace(
            settings.windows,
            at_once=settings.at_once,
            ceilings=settings.ceilings,
            source="hubspot",
            clock=clock,
            sleep=sleep,
        )
        self.quota: Quota | None = None
        # The latest that an answer told; before a question it is no later than that.
        self.server_time: datetime | None = None
        self._date = ""
        self.exporting = Lock()  # HubSpot writes one export at a time
        self.exports_for = 0  # the thread whose turn it is
        self._lock = Lock()
        self._token = login.token if isinstance(login, AccessToken) else ""
        self._wire = _connections(login, settings)

    @property
    def settings(self) -> HubSpotSettings:
        return self._settings

    @property
    def is_on_this_machine(self) -> bool:
        """Is it a pretend portal, or a proxy of one's own?"""
        return self._login.origin.is_this_machine

    def wait(self, seconds: float) -> None:
        """Let time pass for something that HubSpot does."""
        self._sleep(seconds)

    def get(
        self, path: Path, *, query: Query = (), where: str, needs: str = ""
    ) -> Answer:
        """What is at a path; tried again while that may help.

        Args:
            where: What is being done, for the error's message.
            needs: The scope to name, should HubSpot say that one is missing.
        """
        url, said = self._url(path), encoded(query)
        url = f"{url}?{said}" if said else url
        return self._answered(_Question("GET", url, where, needs))

    def post(
        self,
        path: Path,
        body: Any,
        *,
        where: str,
        needs: str = "",
        window: str = BURST,
        once: bool = False,
    ) -> Answer:
        """What a question or an order gives; a 207 is an answer.

        Args:
            window: ``search`` for a search, which has a limit of its own.
            once: One attempt: the caller knows what it means when no answer comes.
        """
        ask = _Question("POST", self._url(path), where, needs, body, window=window)
        return self._answered(ask, once=once)

    def _url(self, path: Path) -> str:
        return self._root + path.text(self._settings.paths)

    def _answered(self, ask: _Question, *, once: bool = False) -> Answer:
        if once:
            return self._with_a_valid_token(ask)
        # Nearly every call is answered at once: patience is made when it is needed.
        failed: list[TransientError] = []
        try:
            return self._with_a_valid_token(ask)
        except TransientError as error:
            failed.append(error)

        def attempt() -> Answer:
            if failed:
                raise failed.pop()
            return self._with_a_valid_token(ask)

        answer: Answer = persistent(self._settings.retry, sleep=self._sleep)(attempt)
        return answer

    def _with_a_valid_token(self, ask: _Question) -> Answer:
        token = self._token_instead_of("")
        try:
            return self._asked(ask, token)
        except LoginError:
            if isinstance(self._login, AccessToken):
                raise
        # A 401 changed nothing, so the same call may be made again: once.
        return self._asked(ask, self._token_instead_of(token))

    def _token_instead_of(self, refused_one: str) -> str:
        """The token in use; a new one where it is the one that was refused."""
        with self._lock:
            if self._token == refused_one and isinstance(self._login, OAuthRefresh):
                self._token = self._renewed(self._login)
            return self._token

    def _renewed(self, login: OAuthRefresh) -> str:
        url = self._url(_paths.TOKEN)
        ask = _Question("POST", url, "logging in", form=login.form)
        try:
            answer = persistent(self._settings.retry, sleep=self._sleep)(
                self._asked, ask, ""
            )
        except ConnectorError as error:
            if isinstance(error, TransientError):
                raise
            raise LoginError(
                "hubspot",
                "the app's client id, secret or refresh token is refused: install the "
                "app in the portal again, or mend them",
                error.code,
            ) from None
        token = answer.body.get("access_token") if isinstance(answer.body, dict) else ""
        if not isinstance(token, str) or not re.fullmatch("[!-~]+", token):
            raise unreadable("logging in")
        return token

    def _asked(self, ask: _Question, token: str) -> Answer:
        windows = (BURST,) if ask.window == BURST else (BURST, ask.window)
        failure: ConnectorError
        with self.pace.call(*windows):
            try:
                reply = self._wire.request(
                    ask.method,
                    ask.url,
                    headers=_headers(token, is_form=bool(ask.form)),
                    body=ask.body,
                    post_params=ask.form,
                    _preload_content=False,
                    _request_timeout=tuple(self._settings.timeout),
                )
                status, headers, data = reply.status, reply.headers, reply.data
            except ApiException as error:
                status, headers = error.status or 0, error.headers or {}
                self._heed(status, headers, error.body, ask.window)
                failure = _no(error, status, headers, ask)
            except urllib3.exceptions.HTTPError as error:
                failure = unreachable(error, ask.where)
            else:
                self._note(headers)
                return Answer(status, _decoded(status, data, ask.where), headers)
        # Raised out here, so that the vendor's error, which holds body and headers, is
        # not attached.
        raise failure

    def _heed(
        self, status: int, headers: Mapping[str, str], body: Any, window: str
    ) -> None:
        self._note(headers)
        if status != 429:
            return
        named = policy(body)
        if named.startswith("TEN"):
            window = BURST
        # A call that is no search waits in the only window that it goes through.
        seconds = 1.0 if window == SEARCHES or named == "SECONDLY" else 10.0
        if named != "DAILY":
            self.pace.hold(window, retry_after(headers) or seconds)

    def _note(self, headers: Mapping[str, str]) -> None:
        date = headers.get("Date", "")
        if date != self._date:
            self._date, told = date, _server_time(date)
            if told is not None:
                self.server_time = max(told, self.server_time or told)
        left, most = _count(headers, "Remaining"), _count(headers, "Max")
        length = _count(headers, "Interval-Milliseconds")
        if left is not None:
            seconds = length / 1000 if length else None
            self.pace.told(BURST, left=left, limit=most, seconds=seconds)
        today, limit = _count(headers, "Daily-Remaining"), _count(headers, "Daily")
        if today is not None and limit:
            self.quota = Quota(today, limit)
            self.pace.left_today(self.quota)


@attrs.frozen
class _Question:
    """One call, ready to be made as often as it takes."""

    method: str
    url: str
    where: str
    needs: str = ""
    body: Any = attrs.field(default=None, repr=False)
    window: str = BURST
    form: list[tuple[str, str]] | None = attrs.field(default=None, repr=False)


def encoded(query: Query) -> str:
    """As it stands in an address; commas bare, or each call looks at every letter."""
    return query if isinstance(query, str) else urlencode(query, safe=",")


def _connections(login: Login, settings: HubSpotSettings) -> Any:
    origin = login.origin
    proxy = None
    if not origin.is_this_machine and not proxy_bypass(origin.host):
        proxy = getproxies().get("https")
    vendor = VendorClient(
        host=str(origin),
        retry=_ONCE,
        connection_pool_maxsize=settings.at_once,
        proxy=proxy,
    )
    # Each access would build a pool of its own; this one serves every path.
    return vendor.crm.companies.basic_api.api_client.rest_client


def _headers(token: str, *, is_form: bool) -> dict[str, str]:
    headers = {
        "Accept": _JSON,
        "Accept-Encoding": "gzip",
        "Content-Type": _FORM if is_form else _JSON,
        "User-Agent": "crm-portfolio",
    }
    return {**headers, "Authorization": f"Bearer {token}"} if token else headers


def _decoded(status: int, data: bytes, where: str) -> Any:
    if status == 204:
        return None
    if _NUL_MARK in data:  # no text has any; a file of the same portal lacks them too
        data = _NUL.sub(rb"\1", data)
    try:
        return orjson.loads(data)
    except ValueError:
        # A reply cut within its headers looks like this, with status 200.
        raise unreadable(where) from None


def _no(
    error: ApiException, status: int, headers: Mapping[str, str], ask: _Question
) -> ConnectorError:
    if not status:
        return unreachable(error, ask.where)
    return refused(status, headers, error.body, where=ask.where, needs=ask.needs)


def _count(headers: Mapping[str, str], name: str) -> int | None:
    said = headers.get(_LIMITS + name, "").strip()
    return int(said) if said.isdecimal() else None


def _server_time(date: str) -> datetime | None:
    try:
        told = parsedate_to_datetime(date)
    except ValueError:
        return None
    return told.astimezone(UTC) if told.tzinfo else None
