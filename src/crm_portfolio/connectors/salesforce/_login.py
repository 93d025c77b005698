"""How do we get into an org, and where do the keys come from?"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

import attrs

from crm_portfolio.connectors._origin import Origin
from crm_portfolio.connectors.salesforce._tickets import (
    WAY_OUT,
    Ticket,
    Timeout,
    asked_for_ticket,
    can_be_sent,
    ticket_of,
)
from crm_portfolio.errors import SettingsError

__all__ = [
    "ClientCredentials",
    "JwtBearer",
    "Login",
    "RetiringLoginWarning",
    "SessionToken",
    "UsernamePasswordToken",
    "login_from",
]


class Login(Protocol):
    """A way into an org."""

    @property
    def is_renewable(self) -> bool:
        """Whether a second log-in gives a new session."""
        ...

    def ticket(self, *, timeout: Timeout) -> Ticket: ...


def _origin_of_org(url: str) -> Origin:
    origin = Origin.of(url)
    if origin.host in ("login.salesforce.com", "test.salesforce.com"):
        hint = "that address is every org's"
    elif origin.host.endswith((".lightning.force.com", ".my.site.com")):
        hint = f"{origin.host} serves pages, not the API"
    else:
        return origin
    raise SettingsError(
        f"instance_url: {hint}; use the org's My Domain, "
        "like https://acme.my.salesforce.com (Setup → My Domain)"
    )


def _must_be_given(**parts: object) -> None:
    """Refuse what an unset variable leaves behind, before it becomes a strange answer."""
    for name, part in parts.items():
        if not isinstance(part, str) or not part.strip():
            raise SettingsError(f"{name} is missing: give its text")


@attrs.frozen
class ClientCredentials:
    """The app's own log-in, as the user it runs as: OAuth client credentials."""

    instance_url: str
    client_id: str
    client_secret: str = attrs.field(repr=False)
    is_renewable = True

    def __attrs_post_init__(self) -> None:
        _origin_of_org(self.instance_url)
        _must_be_given(client_id=self.client_id, client_secret=self.client_secret)

    def ticket(self, *, timeout: Timeout) -> Ticket:
        from crm_portfolio.connectors.salesforce._transport import login_prefix

        origin = _origin_of_org(self.instance_url)
        answer = asked_for_ticket(
            origin,
            timeout,
            consumer_key=self.client_id,
            consumer_secret=self.client_secret,
            domain=login_prefix(origin),
        )
        return ticket_of(answer, origin)


@attrs.frozen
class JwtBearer:
    """A user's log-in without a password: OAuth JWT bearer, signed with a private key.

    Attributes:
        private_key: PEM text of an RSA key.
        instance_url: The org's My Domain; empty: the log-in service tells.
        domain: ``login`` or ``test`` (a sandbox); empty: told by the instance URL.
    """

    username: str = attrs.field(repr=False)
    consumer_key: str
    private_key: str = attrs.field(repr=False)
    instance_url: str = ""
    domain: str = ""
    is_renewable = True

    def __attrs_post_init__(self) -> None:
        if self.instance_url:
            _origin_of_org(self.instance_url)
        if not all(
            part.replace("-", "").isalnum() for part in self._audience.split(".")
        ):
            raise SettingsError("domain is 'login', 'test', or like 'acme.my'")
        _must_be_given(
            username=self.username,
            consumer_key=self.consumer_key,
            private_key=self.private_key,
        )

    @property
    def _audience(self) -> str:
        is_sandbox = ".sandbox." in self.instance_url
        return self.domain or ("test" if is_sandbox else "login")

    def ticket(self, *, timeout: Timeout) -> Ticket:
        from crm_portfolio.connectors.salesforce._transport import login_prefix

        known = _origin_of_org(self.instance_url) if self.instance_url else None
        answer = asked_for_ticket(
            known or Origin.of(f"https://{self._audience}.salesforce.com"),
            timeout,
            username=self.username,
            consumer_key=self.consumer_key,
            privatekey=self.private_key,
            domain=self._audience,
            instance_url=login_prefix(known) if known else None,
        )
        return ticket_of(answer, known)


@attrs.frozen
class SessionToken:
    """A session someone else has opened. It cannot be renewed."""

    instance_url: str
    access_token: str = attrs.field(repr=False)
    is_renewable = False

    def __attrs_post_init__(self) -> None:
        _origin_of_org(self.instance_url)
        _must_be_given(access_token=self.access_token)
        if not can_be_sent(self.access_token):
            raise SettingsError(
                "access_token holds a blank, a line break or a letter that no token has: "
                "copy it whole, and nothing else"
            )

    def ticket(self, *, timeout: Timeout) -> Ticket:  # noqa: ARG002 - no call is made
        return Ticket(_origin_of_org(self.instance_url), self.access_token)


class RetiringLoginWarning(FutureWarning):
    """This way in ends on a day that is known."""


_LAST_SOAP_VERSION: Final = 64
_RETIREMENT: Final = (
    "the log-in with user name, password and security token is SOAP login(), which "
    f"Salesforce retires in Summer '27: {WAY_OUT}"
)


@attrs.frozen
class UsernamePasswordToken:
    """A user's log-in with a password: SOAP login(), which is about to be retired.

    Attributes:
        api_version: Of the log-in alone; the session serves every version.
    """

    instance_url: str
    username: str = attrs.field(repr=False)
    password: str = attrs.field(repr=False)
    security_token: str = attrs.field(repr=False)
    api_version: str = f"{_LAST_SOAP_VERSION}.0"
    is_renewable = True
    retires = _RETIREMENT

    def __attrs_post_init__(self) -> None:
        _origin_of_org(self.instance_url)
        _must_be_given(
            username=self.username,
            password=self.password,
            security_token=self.security_token,
        )
        if not self.security_token.isalnum():
            raise SettingsError("security_token holds letters and digits only")
        if not re.fullmatch(r"\d{2}\.0", self.api_version):
            raise SettingsError(
                "api_version of the log-in is none; write it like '64.0'"
            )
        if float(self.api_version) > _LAST_SOAP_VERSION:
            raise SettingsError(
                f"SOAP login() does not exist in API {self.api_version}, the last is "
                f"{_LAST_SOAP_VERSION}.0: leave api_version out, or {WAY_OUT}"
            )

    def ticket(self, *, timeout: Timeout) -> Ticket:
        from crm_portfolio.connectors.salesforce._transport import login_prefix

        _warn_once()
        origin = _origin_of_org(self.instance_url)
        token, instance = asked_for_ticket(
            origin,
            timeout,
            username=self.username,
            password=self.password,
            security_token=self.security_token,
            sf_version=self.api_version,
            domain=login_prefix(origin),
        )
        # The library takes every "-api" out of the host, part of its name or not.
        if instance == origin.netloc.replace("-api", ""):
            instance = origin.netloc
        return ticket_of((token, instance), origin)


_has_warned = False


def _warn_once() -> None:
    global _has_warned  # noqa: PLW0603 - once a process, however warnings are filtered
    if not _has_warned:
        _has_warned = True
        warnings.warn(_RETIREMENT, RetiringLoginWarning, stacklevel=2)


_URL, _ID = "SALESFORCE_INSTANCE_URL", "SALESFORCE_CLIENT_ID"
_SECRET, _USER = "SALESFORCE_CLIENT_SECRET", "SALESFORCE_USERNAME"
_KEY, _KEY_FILE = "SALESFORCE_PRIVATE_KEY", "SALESFORCE_PRIVATE_KEY_FILE"
_TOKEN = "SALESFORCE_ACCESS_TOKEN"  # noqa: S105
_PASSWORD, _SECURITY = "SALESFORCE_PASSWORD", "SALESFORCE_SECURITY_TOKEN"
_WAYS: Final[tuple[tuple[str, ...], ...]] = (
    (_URL, _ID, _SECRET),
    (_URL, _ID, _USER, _KEY),
    (_URL, _ID, _USER, _KEY_FILE),
    (_URL, _TOKEN),
    (_URL, _USER, _PASSWORD, _SECURITY),
)


def login_from(environment: Mapping[str, str]) -> Login:
    """The log-in that the environment's variables describe.

    Raises:
        SettingsError: No way in is complete, or more than one is.
    """
    # A line break from a file or a secret store is no part of what was said.
    given = {name: said for name in environment if (said := environment[name].strip())}
    complete = [way for way in _WAYS if set(way) <= set(given)]
    if len(complete) != 1:
        raise SettingsError(_which_are_missing(given, is_any_complete=bool(complete)))
    way = complete[0]
    if _SECRET in way:
        return ClientCredentials(given[_URL], given[_ID], given[_SECRET])
    if _TOKEN in way:
        return SessionToken(given[_URL], given[_TOKEN])
    if _PASSWORD in way:
        return UsernamePasswordToken(
            given[_URL], given[_USER], given[_PASSWORD], given[_SECURITY]
        )
    # A key on one line, as many secret stores keep it, has its line ends spelt out.
    key = (
        given[_KEY].replace("\\n", "\n") if _KEY in way else _read_key(given[_KEY_FILE])
    )
    domain = given.get("SALESFORCE_DOMAIN", "")
    return JwtBearer(given[_USER], given[_ID], key.strip(), given[_URL], domain)


def _read_key(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise SettingsError(f"{_KEY_FILE}: the file cannot be read as text") from None


def _which_are_missing(given: Mapping[str, str], *, is_any_complete: bool) -> str:
    head = (
        "salesforce: the environment describes more than one log-in; unset all but one of:"
        if is_any_complete
        else "salesforce: no log-in in the environment; set all variables of one line:"
    )
    lines = []
    for way in _WAYS:
        missing = [name for name in way if name not in given]
        state = f"missing: {', '.join(missing)}" if missing else "complete"
        lines.append(f"  {' '.join(way)}  ({state})")
    return "\n".join([head, *lines])
