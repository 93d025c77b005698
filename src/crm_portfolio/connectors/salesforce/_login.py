"""How do we get into an org, and where do the keys come from?"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import attrs

from crm_portfolio.connectors._origin import Origin
from crm_portfolio.errors import LoginError, SettingsError, TransientError

__all__ = [
    "ClientCredentials",
    "JwtBearer",
    "Login",
    "SessionToken",
    "Ticket",
    "login_from",
]

Timeout = tuple[float, float]


@attrs.frozen
class Ticket:
    """What a log-in gives: a token, and the only host it may be shown to."""

    origin: Origin
    token: str = attrs.field(repr=False)


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


def _can_be_sent(token: str) -> bool:
    """Whether it fits a header: a cut or wrapped token fails with the token in the error."""
    return re.fullmatch("[!-~]+", token) is not None


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
        answer = _logged_in(
            origin,
            timeout,
            consumer_key=self.client_id,
            consumer_secret=self.client_secret,
            domain=login_prefix(origin),
        )
        return _ticket(answer, origin)


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
        answer = _logged_in(
            known or Origin.of(f"https://{self._audience}.salesforce.com"),
            timeout,
            username=self.username,
            consumer_key=self.consumer_key,
            privatekey=self.private_key,
            domain=self._audience,
            instance_url=login_prefix(known) if known else None,
        )
        return _ticket(answer, known)


@attrs.frozen
class SessionToken:
    """A session someone else has opened. It cannot be renewed."""

    instance_url: str
    access_token: str = attrs.field(repr=False)
    is_renewable = False

    def __attrs_post_init__(self) -> None:
        _origin_of_org(self.instance_url)
        _must_be_given(access_token=self.access_token)
        if not _can_be_sent(self.access_token):
            raise SettingsError(
                "access_token holds a blank, a line break or a letter that no token has: "
                "copy it whole, and nothing else"
            )

    def ticket(self, *, timeout: Timeout) -> Ticket:  # noqa: ARG002 - no call is made
        return Ticket(_origin_of_org(self.instance_url), self.access_token)


def _logged_in(origin: Origin, timeout: Timeout, **how: Any) -> tuple[str, str]:
    """Token and instance from simple-salesforce's own log-in, over a session of its own."""
    import requests
    from simple_salesforce.exceptions import SalesforceAuthenticationFailed
    from simple_salesforce.login import SalesforceLogin

    from crm_portfolio.connectors.salesforce._refusals import translated
    from crm_portfolio.connectors.salesforce._transport import GuardedSession

    failure: Exception
    with GuardedSession(origin, timeout=timeout) as session, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's warning names the app's key
        try:
            token, instance = SalesforceLogin(session=session, **how)
            return str(token), str(instance)
        except SalesforceAuthenticationFailed as error:
            failure = _refusal(error.code, session.last_status)
        except requests.RequestException as error:
            failure = translated(error, where="logging in")
        except (
            AttributeError,
            TypeError,
        ):  # a key that needs a passphrase, or an answer that is not one
            status = session.last_status
            failure = _bad_key() if status is None else _refusal(status, status)
        except ValueError:
            failure = _bad_key()
        except Exception as error:
            if not type(error).__module__.startswith(("jwt.", "cryptography.")):
                raise
            failure = _bad_key()
    # Raised out here, so that the vendor's error and all it holds are not attached.
    raise failure


def _bad_key() -> LoginError:
    return LoginError(
        "salesforce",
        "the private key cannot be read: PEM text of an RSA private key without a "
        "passphrase is needed",
    )


_REFUSALS: Final[Mapping[str, str]] = {
    "invalid_client_id": "no app has this client id",
    "invalid_client": "the client secret does not fit the client id",
    "invalid_grant": "the org does not let this app in as this user: is the user active "
    "and the app approved for it, and does the key fit the app's certificate?",
    "invalid_app_access": "this user is not admitted to the app",
    "inactive_user": "the user is not active",
    "inactive_org": "the org is not active",
    "unsupported_grant_type": "the app does not allow this kind of log-in",
}


def _refusal(code: object, status: int | None) -> Exception:
    from crm_portfolio.connectors.salesforce._refusals import safe_code, unreadable

    if status is not None and (status >= 500 or status == 429):
        return TransientError(
            "salesforce",
            "logging in: the service is not available now",
            f"HTTP {status}",
        )
    if status == 200:
        return unreadable("logging in")
    known = _REFUSALS.get(str(code), "the log-in was refused")
    return LoginError("salesforce", known, safe_code(code) or f"HTTP {status}")


def _ticket(answer: tuple[str, str], known: Origin | None) -> Ticket:
    token, instance = answer
    if not _can_be_sent(token):
        raise LoginError("salesforce", "the log-in gave a token that is none")
    try:
        told = Origin.of(f"https://{instance}")
    except SettingsError:
        raise LoginError(
            "salesforce", "the log-in named an instance that is none"
        ) from None
    if known is None and told.host.endswith(".salesforce.com"):
        return Ticket(told, token)
    if known is not None and told.netloc == known.netloc:
        return Ticket(known, token)
    configured = f"{known} is configured" if known else "that is not Salesforce's own"
    raise LoginError(
        "salesforce",
        f"the log-in leads to {told.netloc}, but {configured}: set instance_url to the "
        "address the org has now",
    )


_URL, _ID = "SALESFORCE_INSTANCE_URL", "SALESFORCE_CLIENT_ID"
_SECRET, _USER = "SALESFORCE_CLIENT_SECRET", "SALESFORCE_USERNAME"
_KEY, _KEY_FILE = "SALESFORCE_PRIVATE_KEY", "SALESFORCE_PRIVATE_KEY_FILE"
_TOKEN = "SALESFORCE_ACCESS_TOKEN"  # noqa: S105
_WAYS: Final[tuple[tuple[str, ...], ...]] = (
    (_URL, _ID, _SECRET),
    (_URL, _ID, _USER, _KEY),
    (_URL, _ID, _USER, _KEY_FILE),
    (_URL, _TOKEN),
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
