"""What does Salesforce's no mean, and what should the caller do?

The messages are ours: the vendor's text may hold values, names or the query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs
import requests
from simple_salesforce.exceptions import SalesforceError

from crm_portfolio.connectors._retry import QuotaSpentError
from crm_portfolio.errors import (
    ConnectorError,
    LoginError,
    RightMissingError,
    TransientError,
)

__all__ = ["VENDOR_ERRORS", "safe_code", "translated", "unreadable"]

SOURCE: Final = "salesforce"
VENDOR_ERRORS: Final = (SalesforceError, requests.RequestException)


@attrs.frozen
class _Meaning:
    error: type[ConnectorError]
    advice: str


_RIGHT = _Meaning(RightMissingError, "this login lacks the right {needs!r}")
_MEANINGS: Final[Mapping[str, _Meaning]] = {
    "API_DISABLED_FOR_ORG": _Meaning(
        RightMissingError, "this login lacks the right 'API Enabled'"
    ),
    "API_CURRENTLY_DISABLED": _Meaning(
        RightMissingError, "this login lacks the right 'API Enabled'"
    ),
    "INSUFFICIENT_ACCESS": _RIGHT,
    "INSUFFICIENT_ACCESS_OR_READONLY": _RIGHT,
    "INVALID_TYPE": _RIGHT,
    "INVALID_SESSION_ID": _Meaning(
        LoginError,
        "the session has expired or is not valid: log in again, or give a new access token",
    ),
    "INVALID_FIELD": _Meaning(
        ConnectorError, "a field has just disappeared or been hidden; run again"
    ),
    "INVALID_QUERY_LOCATOR": _Meaning(
        ConnectorError, "the query's cursor is gone; run again"
    ),
    "MALFORMED_QUERY": _Meaning(ConnectorError, "the query was not understood"),
    "OPERATION_TOO_LARGE": _Meaning(
        RightMissingError,
        "too much for one query; the right 'View All Data' would help",
    ),
    "QUERY_TIMEOUT": _Meaning(
        ConnectorError, "the query takes too long in this org, now and again"
    ),
    "SERVER_UNAVAILABLE": _Meaning(TransientError, "the service is not available now"),
    "TXN_SECURITY_METERING_ERROR": _Meaning(
        RightMissingError, "a transaction security policy of the org stops this login"
    ),
    "UNABLE_TO_LOCK_ROW": _Meaning(
        TransientError, "a record is locked by someone else"
    ),
    "UNKNOWN_EXCEPTION": _Meaning(TransientError, "the service failed"),
    "GONE": _Meaning(ConnectorError, "this API version is retired: set api_version"),
    "UNSUPPORTED_API_VERSION": _Meaning(
        ConnectorError, "the org does not know this API version: set api_version"
    ),
}
_QUOTA = (
    "the org's API calls of the last 24 hours are used up; run again when some are back"
)
_TRY_LATER: Final = frozenset({406, 408, 420, 425, 429, 500, 502, 503, 504})


def translated(error: Exception, *, where: str, needs: str = "") -> ConnectorError:
    """The error of ours for one of the vendor's, without body, header or address.

    Args:
        where: What was being done, in our words.
        needs: The right to name, should a right be missing.
    """
    if isinstance(error, SalesforceError):
        return _refused(error, where, needs)
    if isinstance(error, requests.exceptions.SSLError):
        return ConnectorError(
            SOURCE,
            f"{where}: the host's certificate is not trusted; behind a proxy that opens "
            "TLS, name its authority in REQUESTS_CA_BUNDLE",
            _reason(error),
        )
    if isinstance(error, requests.exceptions.InvalidJSONError):
        return unreadable(where)
    return TransientError(
        SOURCE,
        f"{where}: no answer from the CRM; if that lasts, look at the network and at "
        "instance_url",
        _reason(error),
    )


def unreadable(where: str) -> TransientError:
    """An empty, cut or foreign 200 proves nothing: the same call again may do."""
    return TransientError(SOURCE, f"{where}: the answer cannot be read", "UNREADABLE")


def safe_code(code: object) -> str:
    """The vendor's code, or nothing where it is not one; no code has a digit."""
    text = str(code)
    return text if re.fullmatch(r"[A-Za-z][A-Za-z_.]{0,79}", text) else ""


def _refused(error: SalesforceError, where: str, needs: str) -> ConnectorError:
    status = error.status
    code, text = _code_and_text(error.content)
    if code == "REQUEST_LIMIT_EXCEEDED":
        if "concurrent" in text.lower():
            return TransientError(SOURCE, f"{where}: too many calls at once", code)
        return QuotaSpentError(SOURCE, _QUOTA, code)
    if status == 404 and needs:  # an object without read right does not exist for us
        return _said(_RIGHT, where, needs, code)
    meaning = _MEANINGS.get(code)
    if meaning is None or status >= 500:
        meaning = _by_status(status)
    return _said(meaning, where, needs, code or f"HTTP {status}")


def _said(meaning: _Meaning, where: str, needs: str, code: str) -> ConnectorError:
    advice = meaning.advice.format(needs=needs or "to do this")
    return meaning.error(SOURCE, f"{where}: {advice}", code)


def _by_status(status: int) -> _Meaning:
    if status in _TRY_LATER or status > 504:
        return _Meaning(TransientError, "the service is not available now")
    if status == 401:
        return _MEANINGS["INVALID_SESSION_ID"]
    if status == 403:
        return _RIGHT
    if status in (414, 431):
        return _Meaning(ConnectorError, "too many fields are mapped for one request")
    if 300 <= status < 400:
        return _Meaning(
            ConnectorError,
            "the host sends us elsewhere, which we never follow: is instance_url "
            "the org's My Domain address?",
        )
    return _Meaning(ConnectorError, "Salesforce refused")


def _code_and_text(content: Any) -> tuple[str, str]:
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, Mapping):
        return "", ""
    code = first.get("errorCode") or first.get("error") or ""
    return safe_code(code), str(first.get("message", ""))


def _reason(error: BaseException) -> str:
    """The name of the innermost thing that went wrong, such as ``ReadTimeoutError``."""
    inner = error.args[0] if error.args else None
    while isinstance(inner, BaseException):
        error = inner
        following = getattr(inner, "reason", None) or (
            inner.args[-1] if inner.args else None
        )
        inner = following if following is not inner else None
    return type(error).__name__
