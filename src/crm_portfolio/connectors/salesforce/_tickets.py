"""What does the org give for a log-in, and how long does the process keep it?"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Final

import attrs

from crm_portfolio.connectors._origin import Origin
from crm_portfolio.errors import LoginError, SettingsError, TransientError

__all__ = [
    "WAY_OUT",
    "Ticket",
    "Timeout",
    "asked_for_ticket",
    "can_be_sent",
    "forget_logins",
    "shared_ticket",
    "ticket_of",
]

Timeout = tuple[float, float]
WAY_OUT: Final = (
    "make an External Client App in Setup and use ClientCredentials or JwtBearer"
)


@attrs.frozen
class Ticket:
    """What a log-in gives: a token, and the only host it may be shown to."""

    origin: Origin
    token: str = attrs.field(repr=False)


def can_be_sent(token: str) -> bool:
    """Whether it fits a header: a cut or wrapped token fails with the token in the error."""
    return re.fullmatch("[!-~]+", token) is not None


# One log-in serves the whole process. What it is found by is a salted digest, so no
# secret stands in a table for as long as the process lives.
_SALT: Final = os.urandom(16)
_tickets: dict[bytes, Ticket] = {}
_locks: dict[bytes, Lock] = {}
_guard = Lock()


def shared_ticket(
    login: object,
    make: Callable[[], Ticket],
    *,
    refused: Ticket | None = None,
) -> tuple[Ticket, bool]:
    """The process's ticket for this log-in, and whether it was made just now.

    Args:
        refused: The one that no longer serves; it is not given again.
    """
    if not attrs.has(type(login)):
        return make(), True  # another's way in: what makes it itself is not known
    key = _digest(login)
    with _guard:
        lock = _locks.setdefault(key, Lock())
    with lock:
        ticket = _tickets.get(key)
        if ticket is None or (refused is not None and ticket.token == refused.token):
            _tickets.pop(key, None)
            ticket = _tickets[key] = make()
            return ticket, True
        return ticket, False


def forget_logins() -> None:
    """Log in anew at the next call; the sessions there are end by themselves."""
    with _guard:
        _tickets.clear()


def _digest(login: Any) -> bytes:
    told = (type(login).__module__, type(login).__qualname__, *attrs.astuple(login))
    return hashlib.blake2b(repr(told).encode(), key=_SALT).digest()


def asked_for_ticket(origin: Origin, timeout: Timeout, **how: Any) -> tuple[str, str]:
    """Token and instance from simple-salesforce's own log-in, over a session of its own."""
    from xml.parsers.expat import ExpatError

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
        except ExpatError:
            failure = _refusal("", session.last_status)
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
    "API_DISABLED_FOR_ORG": "the org has no API, or does not let this user use it",
    "INVALID_LOGIN": "user name, password or security token is wrong, or the user is "
    "locked out",
    "INVALID_OPERATION": f"SOAP login() is off in this org: {WAY_OUT}",
    "LOGIN_MUST_USE_SECURITY_TOKEN": "the security token is missing or has been reset",
    "ORG_LOCKED": "the org is locked",
    "PASSWORD_LOCKOUT": "the user is locked out",
    "UNSUPPORTED_API_VERSION": f"SOAP login() of this version is retired: {WAY_OUT}",
    "invalid_app_access": "this user is not admitted to the app",
    "inactive_user": "the user is not active",
    "inactive_org": "the org is not active",
    "unsupported_grant_type": "the app does not allow this kind of log-in",
}


def _refusal(code: object, status: int | None) -> Exception:
    from crm_portfolio.connectors.salesforce._refusals import safe_code, unreadable

    # SOAP says every no with a 500; where it names the fault, that is the answer.
    code = str(code).removeprefix("sf:")
    if (
        status is not None
        and (status >= 500 or status == 429)
        and code not in _REFUSALS
    ):
        return TransientError(
            "salesforce",
            "logging in: the service is not available now",
            f"HTTP {status}",
        )
    if status == 200:
        return unreadable("logging in")
    known = _REFUSALS.get(str(code), "the log-in was refused")
    return LoginError("salesforce", known, safe_code(code) or f"HTTP {status}")


def ticket_of(answer: tuple[str, str], known: Origin | None) -> Ticket:
    token, instance = answer
    if not can_be_sent(token):
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
